"""The wordings of prompts for a labelled file."""

from __future__ import annotations

from typing import Any

from promptlab.study.proposal.file_facts import FileFacts, column_title
from promptlab.study.proposal.label_words import are_stars

_MOST_LISTED = 30


def local_templates(facts: FileFacts) -> tuple[list[Any], dict[str, Any]]:
    """Templates that end in the answer, and an instruction in parts."""
    block, noun, asked = facts.block, facts.subject.noun, facts.asked
    if facts.shape == "yes_no":
        return _yes_no_templates(facts)
    if facts.shape == "grades":
        about = f"the {facts.subject.thing}" if facts.subject.thing else "it"
        graded = name_templates(
            verdict=f"{column_title(noun)}: {block}\nVerdict: {{mask}}",
            overall=f"{block}\nOverall, {about} was {{mask}}",
            it_was=f"{block} It was {{mask}}",
            in_short=f"{block}\nIn short, {{mask}}",
        )
        question = (
            f"How many points, from {number_range(facts, worded=True)}, does this {noun} give?"
        )
        if asked in ("star", "stars", "star rating"):
            question = (
                f"How many stars, from {number_range(facts, worded=True)}, does this {noun} give?"
            )
        if not are_stars(facts.task.labels):
            graded = graded[:1]
        return graded, _parts(question, block, f"{column_title(asked)}: {{mask}}")
    texts = {
        "colon": f"{block}\n{column_title(asked)}: {{mask}}",
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
    return name_templates(**texts), _parts(
        _choose(facts), block, f"{column_title(asked)}: {{mask}}"
    )


def _yes_no_templates(facts: FileFacts) -> tuple[list[Any], dict[str, Any]]:
    """Questions keep their own question mark: none is added."""
    fields = facts.task.fields
    question = next((name for name in fields if "question" in name.lower()), None)
    block = facts.block
    if question is None:
        asked = facts.asked
        if asked == "category":
            plain = name_templates(
                yes_or_no=f"{block}\nYes or no? {{mask}}",
                answer=f"{block}\nAnswer (yes or no): {{mask}}",
            )
            return plain, _parts("Answer with yes or no.", block, "Answer: {mask}")
        applies = f"Does {asked} apply to this {facts.subject.noun}"
        texts = name_templates(
            colon=f"{block}\n{column_title(asked)}: {{mask}}",
            applies=f"{block}\nQuestion: {applies}, yes or no?\nAnswer: {{mask}}",
        )
        say = f"{applies}? Answer yes or no."
        return texts, _parts(say, block, "Answer: {mask}")
    others = [name for name in fields if name != question]
    before = "\n".join(f"{{{name}}}" for name in others)
    start = f"{before}\n" if before else ""
    texts = name_templates(
        question_answer=f"{start}Question: {{{question}}}\nAnswer: {{mask}}",
        yes_or_no=f"{start}{{{question}}} Yes or no? {{mask}}",
        q_a=f"{start}Q: {{{question}}}\nA: {{mask}}",
    )
    if others:
        based = f"{before}\nBased on this passage, answer yes or no: {{{question}}}\n{{mask}}"
        texts += name_templates(based_on=based)
    say = "Answer the question with yes or no" + (", from the passage alone." if others else ".")
    return texts, _parts(say, block, "Answer: {mask}")


def remote_texts(facts: FileFacts) -> dict[str, str]:
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
        _, parts = local_templates(facts)
        say, cue = parts["parts"]["description"], f"{column_title(facts.asked)}: {{mask}}"
        only = "Reply with the number and nothing else."
    else:
        say, cue = _choose(facts), f"{column_title(facts.asked)}: {{mask}}"
    return {
        "instruction-first": f"{say} {only}\n\n{block}\n\n{cue}",
        "instruction-last": f"{block}\n\n{say} {only}\n{{mask}}",
        "role": (
            f"You are careful and consistent at reading a {facts.subject.noun}. {say} Think about "
            f"borderline cases, then end your reply with a line 'Answer: ' and the answer alone."
            f"\n\n{block}\n{{mask}}"
        ),
    }


def _choose(facts: FileFacts) -> str:
    noun, asked = facts.subject.noun, facts.asked
    if len(facts.task.labels) > _MOST_LISTED:
        return f"Which {asked} does this {noun} belong to?"
    return f"Which {asked} does this {noun} belong to: {facts.labels}?"


def name_templates(**texts: str) -> list[dict[str, str]]:
    """Templates with names, by which results and reports call them."""
    return [{"name": name.replace("_", "-"), "text": text} for name, text in texts.items()]


def _parts(say: str, block: str, cue: str) -> dict[str, Any]:
    return {"name": "instruction", "parts": {"description": say, "input": block, "cue": cue}}


def number_range(facts: FileFacts, *, worded: bool = False) -> str:
    """From the lowest grade to the highest."""
    low, *_, high = sorted(facts.task.labels, key=float)
    return f"{low} (worst) to {high} (best)" if worded else f"{low} to {high}"
