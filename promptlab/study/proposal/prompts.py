"""The prompts that an expert would write for a labelled file, as groups of candidates.

For a local model: templates whose last word is the answer, in the words of the file's own subject,
answers with synonyms, calibration, an instruction that lists the labels (as chat, too, where the
model knows that), and demonstrations. For an endpoint: instructions and a parser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from promptlab.study.proposal.file_facts import FileFacts, column_title
from promptlab.study.proposal.label_words import label_answers, label_synonyms
from promptlab.study.proposal.wordings import (
    local_templates,
    name_templates,
    number_range,
    remote_texts,
)

Group = tuple[str, dict[str, Any]]
"""A comment and a group of candidates."""

_ENDPOINT_TOKENS = 256
CALIBRATIONS = ("none", "contextual", "batch")


def local_groups(facts: FileFacts) -> list[Group]:
    """Groups of candidates for a model on this machine."""
    if not facts.task.labels:
        return _open_groups(facts, tokens=facts.reply_tokens)
    templates, instruction = local_templates(facts)
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
        digits = name_templates(
            number=f"{facts.block}\n{column_title(facts.asked)} ({number_range(facts)}): {{mask}}",
            rating=f"{facts.block}\nRating from {number_range(facts, worded=True)}: {{mask}}",
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


def remote_groups(facts: FileFacts) -> list[Group]:
    """Groups of candidates for a model at an endpoint: its replies are parsed."""
    if not facts.task.labels:
        return _open_groups(facts, tokens=_ENDPOINT_TOKENS)
    names = label_answers(facts.task.labels)
    if facts.shape == "grades":
        names = {label: label for label in facts.task.labels}
    choices = {label: list(dict.fromkeys([name, label])) for label, name in names.items()}
    parser = {"type": "choice", "choices": choices}
    templates = [
        {"text": text, "parser": parser, "name": name} for name, text in remote_texts(facts).items()
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


def _open_groups(facts: FileFacts, *, tokens: int) -> list[Group]:
    """Replies are written and read by a parser."""
    block = facts.block
    number = facts.shape == "number"
    parser: dict[str, Any] = {"type": "number"} if number else {"type": "text", "stop": ["\n"]}
    short = "a number alone" if number else "a few words, without a sentence around them"
    if facts.answer_words > 8:
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
    return [
        (
            "The answers are open: they are written, and read out of the reply by a parser.",
            _group(templates, decoding=decoding),
        ),
        (
            "Solved examples show how long and in which form an answer is.",
            _group(
                templates[:1], kind="demonstrations", decoding=decoding, count=[2, 4], seed=[13]
            ),
        ),
    ]


def _group(templates: Sequence[Any], *, kind: str = "template", **settings: Any) -> dict[str, Any]:
    return {"kind": kind, "templates": list(templates), **settings}
