"""The prompts that an expert would write for a labelled file, as groups of candidates.

For a local model: templates whose last word is the answer, in the words of the file's own subject,
answers with synonyms, calibration, an instruction that lists the labels (as chat, too, where the
model knows that), and demonstrations. For an endpoint: instructions and a parser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

from promptlab.study.label_words import (
    are_numbers,
    are_ordered,
    are_stars,
    label_answers,
    label_synonyms,
)
from promptlab.study.subject import Subject
from promptlab.task import Task

Shape = Literal["grades", "yes_no", "classes", "open", "number"]
Group = tuple[str, dict[str, Any]]
"""A comment and a group of candidates."""

_PLAIN_NAMES = {"label", "labels", "class", "target", "output", "y", "gold", "category", "answer"}
_MOST_LISTED = 30
_ENDPOINT_TOKENS = 256
CALIBRATIONS = ("none", "contextual", "batch")


@dataclass(frozen=True)
class Facts:
    """What is known of a file: its task, what the texts are, and what is asked about them."""

    task: Task
    subject: Subject
    asked: str
    chat: bool

    @property
    def shape(self) -> Shape:
        """What kind of answers the file has."""
        labels = self.task.labels
        if not labels:
            return "number" if _are_numbers(self.task) else "open"
        if are_ordered(labels):
            return "grades"
        asks = self.asked != "category" or any("question" in name for name in self.task.fields)
        says = set(label_answers(labels).values()) == {"yes", "no"}
        return "yes_no" if says and (asks or not are_numbers(labels)) else "classes"

    @property
    def block(self) -> str:
        """All fields, each under its name where there are several."""
        fields = self.task.fields
        if len(fields) == 1:
            return f"{{{fields[0]}}}"
        return "\n".join(f"{_title(name)}: {{{name}}}" for name in fields)

    @property
    def labels(self) -> str:
        """The labels in words, as a list to choose from."""
        names = list(label_answers(self.task.labels).values())
        if self.shape == "grades":
            names = sorted(self.task.labels, key=float)
        return ", ".join(names[:-1]) + f" or {names[-1]}"


def asked_for(column: str) -> str:
    """What a label's column asks for, in words: ``queue``; ``category`` for a plain name."""
    words = column.rpartition(".")[2].replace("_", " ").strip().lower()
    return "category" if words in _PLAIN_NAMES else words


def local_groups(facts: Facts) -> list[Group]:
    """Groups of candidates for a model on this machine."""
    if not facts.task.labels:
        return _open_groups(facts, tokens=_reply_tokens(facts.task), demonstrations=True)
    templates, instruction = _local_templates(facts)
    answers: list[Any] = [label_synonyms(facts.task.labels)]
    plain = {label: [words[0]] for label, words in answers[0].items()}
    if plain != answers[0]:
        answers.append(plain)
    groups: list[Group] = [
        (
            f"The answer is the next word after a {facts.subject.noun}; several words may stand "
            "for a label.",
            _group(templates, verbalizers=answers, calibration=list(CALIBRATIONS)),
        )
    ]
    names = {label: [name] for label, name in label_answers(facts.task.labels).items()}
    if facts.shape == "grades":
        names = {label: [label] for label in facts.task.labels}
        digits = _named(
            number=f"{facts.block}\n{_title(facts.asked)} ({_span(facts)}): {{mask}}",
            rating=f"{facts.block}\nRating from {_span(facts, worded=True)}: {{mask}}",
        )
        groups.append(
            (
                "The same with the numbers themselves.",
                _group(digits, verbalizers=[names], calibration=list(CALIBRATIONS)),
            )
        )
    chat: dict[str, Any] = {"chat": [False, True]} if facts.chat else {}
    groups.append(
        (
            "An instruction that lists the labels"
            + (", as plain text and as a chat." if facts.chat else "."),
            _group([instruction], verbalizers=[names], calibration=["none", "batch"], **chat),
        )
    )
    groups.append(
        (
            "Are a few solved examples worth their tokens?",
            _group(
                templates[:1],
                kind="demonstrations",
                verbalizers=answers[-1:],
                calibration=["none", "batch"],
                count=[4],
                seed=[13],
            ),
        )
    )
    return groups


def remote_groups(facts: Facts) -> list[Group]:
    """Groups of candidates for a model at an endpoint: its replies are parsed."""
    if not facts.task.labels:
        return _open_groups(facts, tokens=_ENDPOINT_TOKENS, demonstrations=True)
    names = label_answers(facts.task.labels)
    if facts.shape == "grades":
        names = {label: label for label in facts.task.labels}
    choices = {label: list(dict.fromkeys([name, label])) for label, name in names.items()}
    parser = {"type": "choice", "choices": choices}
    templates = [
        {"text": text, "parser": parser, "name": name}
        for name, text in _remote_texts(facts).items()
    ]
    decoding = {"max_tokens": _ENDPOINT_TOKENS}
    return [
        (
            "Instructions; the label is read out of the reply. max_tokens leaves room for "
            "reasoning: only what is written is paid for.",
            _group(templates, decoding=decoding),
        ),
        (
            "Are a few solved examples worth their tokens?",
            _group(templates[:1], kind="demonstrations", decoding=decoding, count=[4], seed=[13]),
        ),
    ]


def count_candidates(groups: Sequence[Mapping[str, Any]]) -> int:
    """How many candidates the groups hold."""
    total = 0
    for group in groups:
        found = len(group["templates"])
        for key in ("verbalizers", "calibration", "chat", "count", "seed"):
            found *= len(group.get(key, [0]))
        total += found
    return total


def _local_templates(facts: Facts) -> tuple[list[Any], dict[str, Any]]:
    """Templates that end in the answer, and an instruction in parts."""
    block, noun, asked = facts.block, facts.subject.noun, facts.asked
    if facts.shape == "yes_no":
        return _yes_no_templates(facts)
    if facts.shape == "grades":
        about = f"the {facts.subject.thing}" if facts.subject.thing else "it"
        texts = _named(
            verdict=f"{_title(noun)}: {block}\nVerdict: {{mask}}",
            overall=f"{block}\nOverall, {about} was {{mask}}",
            it_was=f"{block} It was {{mask}}",
            in_short=f"{block}\nIn short, {{mask}}",
        )
        question = f"How many points, from {_span(facts, worded=True)}, does this {noun} give?"
        if asked in ("star", "stars", "star rating"):
            question = f"How many stars, from {_span(facts, worded=True)}, does this {noun} give?"
        if not are_stars(facts.task.labels):
            texts = texts[:1]
        return texts, _parts(question, block, f"{_title(asked)}: {{mask}}")
    texts = {
        "colon": f"{block}\n{_title(asked)}: {{mask}}",
        "is": f"{block}\nThe {asked} of this {noun} is {{mask}}",
        "which": f"{block}\nQuestion: Which {asked} does this {noun} belong to?\nAnswer: {{mask}}",
    }
    if asked in ("sentiment", "polarity", "tone", "emotion"):
        texts["which"] = f"{block}\nQuestion: What is the {asked} of this {noun}?\nAnswer: {{mask}}"
        texts["all_in_all"] = f"{block}\nAll in all, it was {{mask}}"
    else:
        texts["about"] = f"{block}\nThis {noun} is about {{mask}}"
        texts["one_word"] = f"{block}\nIn one word, this is about {{mask}}"
    if noun == "support ticket":
        texts["help_with"] = f"{block}\nThe customer needs help with {{mask}}"
    return _named(**texts), _parts(_choose(facts), block, f"{_title(asked)}: {{mask}}")


def _yes_no_templates(facts: Facts) -> tuple[list[Any], dict[str, Any]]:
    """Questions keep their own question mark: none is added."""
    fields = facts.task.fields
    question = next((name for name in fields if "question" in name.lower()), None)
    block = facts.block
    if question is None:
        asked = facts.asked
        if asked == "category":
            plain = _named(
                yes_or_no=f"{block}\nYes or no? {{mask}}",
                answer=f"{block}\nAnswer (yes or no): {{mask}}",
            )
            return plain, _parts("Answer with yes or no.", block, "Answer: {mask}")
        applies = f"Does {asked} apply to this {facts.subject.noun}"
        texts = _named(
            colon=f"{block}\n{_title(asked)}: {{mask}}",
            applies=f"{block}\nQuestion: {applies}, yes or no?\nAnswer: {{mask}}",
        )
        say = f"{applies}? Answer yes or no."
        return texts, _parts(say, block, "Answer: {mask}")
    others = [name for name in fields if name != question]
    before = "\n".join(f"{{{name}}}" for name in others)
    start = f"{before}\n" if before else ""
    texts = _named(
        question_answer=f"{start}Question: {{{question}}}\nAnswer: {{mask}}",
        yes_or_no=f"{start}{{{question}}} Yes or no? {{mask}}",
        q_a=f"{start}Q: {{{question}}}\nA: {{mask}}",
    )
    if others:
        based = f"{before}\nBased on this passage, answer yes or no: {{{question}}}\n{{mask}}"
        texts += _named(based_on=based)
    say = "Answer the question with yes or no" + (", from the passage alone." if others else ".")
    return texts, _parts(say, block, "Answer: {mask}")


def _remote_texts(facts: Facts) -> dict[str, str]:
    """Wordings by name; the request stands before the fields, or behind them."""
    block = facts.block
    only = f"Reply with the {facts.asked} and nothing else."
    if len(facts.task.labels) > _MOST_LISTED:
        only = f"Reply with one of {facts.labels} and nothing else."
    if facts.shape == "yes_no":
        _, parts = _yes_no_templates(facts)
        say, cue = parts["parts"]["description"], "Answer: {mask}"
        only = "Reply with that word and nothing else."
    elif facts.shape == "grades":
        _, parts = _local_templates(facts)
        say, cue = parts["parts"]["description"], f"{_title(facts.asked)}: {{mask}}"
        only = "Reply with the number and nothing else."
    else:
        say, cue = _choose(facts), f"{_title(facts.asked)}: {{mask}}"
    return {
        "instruction-first": f"{say} {only}\n\n{block}\n\n{cue}",
        "instruction-last": f"{block}\n\n{say} {only}\n{{mask}}",
        "role": (
            f"You are careful and consistent at reading a {facts.subject.noun}. {say} Think about "
            f"borderline cases, then end your reply with a line 'Answer: ' and the answer alone."
            f"\n\n{block}\n{{mask}}"
        ),
    }


def _open_groups(facts: Facts, *, tokens: int, demonstrations: bool) -> list[Group]:
    """Replies are written and read by a parser."""
    block = facts.block
    number = facts.shape == "number"
    parser: dict[str, Any] = {"type": "number"} if number else {"type": "text", "stop": ["\n"]}
    short = "a number alone" if number else "a few words, without a sentence around them"
    if _words_of(facts.task) > 8:
        short = "one sentence"
    texts = {
        "question-answer": f"{block}\nAnswer: {{mask}}",
        "instruction": f"Answer with {short}.\n\n{block}\nAnswer: {{mask}}",
        "short": f"{block}\nThe answer, in {short}: {{mask}}",
    }
    if facts.task.fields == ("question",):
        texts["question-answer"] = "Question: {question}\nAnswer: {mask}"
        texts["instruction"] = f"Answer with {short}.\n\nQuestion: {{question}}\nAnswer: {{mask}}"
    templates = [{"text": text, "parser": parser, "name": name} for name, text in texts.items()]
    decoding: dict[str, Any] = {"max_tokens": tokens}
    if tokens < _ENDPOINT_TOKENS:
        decoding["stop"] = ["\n"]
    groups: list[Group] = [
        (
            "The answers are open: they are written, and read out of the reply by a parser.",
            _group(templates, decoding=decoding),
        )
    ]
    if demonstrations:
        groups.append(
            (
                "Solved examples show how long and in which form an answer is.",
                _group(
                    templates[:1],
                    kind="demonstrations",
                    decoding=decoding,
                    count=[2, 4],
                    seed=[13],
                ),
            )
        )
    return groups


def _choose(facts: Facts) -> str:
    noun, asked = facts.subject.noun, facts.asked
    if len(facts.task.labels) > _MOST_LISTED:
        return f"Which {asked} does this {noun} belong to?"
    return f"Which {asked} does this {noun} belong to: {facts.labels}?"


def _group(templates: Sequence[Any], *, kind: str = "template", **settings: Any) -> dict[str, Any]:
    return {"kind": kind, "templates": list(templates), **settings}


def _named(**texts: str) -> list[dict[str, str]]:
    """Templates with names, by which results and reports call them."""
    return [{"name": name.replace("_", "-"), "text": text} for name, text in texts.items()]


def _parts(say: str, block: str, cue: str) -> dict[str, Any]:
    return {"name": "instruction", "parts": {"description": say, "input": block, "cue": cue}}


def _span(facts: Facts, *, worded: bool = False) -> str:
    low, *_, high = sorted(facts.task.labels, key=float)
    return f"{low} (worst) to {high} (best)" if worded else f"{low} to {high}"


def _title(name: str) -> str:
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _are_numbers(task: Task) -> bool:
    targets = [example.label or "" for example in task.dev]
    return bool(targets) and all(_is_number(target) for target in targets)


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", ""))
    except ValueError:
        return False
    return True


def _words_of(task: Task) -> float:
    return median(len((example.label or "").split()) for example in task.dev)


def _reply_tokens(task: Task) -> int:
    """Room for the longest answers of train, in tokens of about four characters."""
    longest = max((len(example.label or "") for example in task.train), default=40)
    return max(8, min(128, longest // 3 + 4))
