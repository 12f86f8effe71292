"""What a winner is made of, in words: its members, its teacher, how its answers were found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptlab.study import formatting

_METHODS = {
    "majority": "a majority vote",
    "mean": "the mean probability",
    "weighted": "a weighted mean",
    "dev_accuracy": "a mean weighted by dev accuracy",
    "learned": "a mean with weights learned on dev",
    "stacking": "logistic stacking learned on dev",
}


def describe_composition(facts: Mapping[str, Any]) -> list[str]:
    """The facts of a predictor as sentences; none for one that is made of nothing else."""
    told = []
    if (ensemble := facts.get("ensemble")) is not None:
        told.append(_cascade(ensemble) if ensemble["method"] == "cascade" else _ensemble(ensemble))
        told.append(
            "Its members were chosen on dev, as every winner is, and what it learned there was "
            "cross-fitted: its value on dev may flatter it, the comparison on test does not."
        )
    if (lesson := facts.get("distillation")) is not None:
        told.append(_student(lesson))
    if (searched := facts.get("answer_search")) is not None:
        how = describe_answer_search(searched)
        told.append(f"The winner's answers were searched ({searched['answers']}): {how}.")
    return told


def describe_answer_search(found: Mapping[str, Any]) -> str:
    """How many answers a search has tried, and the score that is corrected for the choice."""
    what = f" {found['searched']}" if "searched" in found else ""
    told = f"{_paraphrased(found)}{found['tried']:,}{what} tried on train"
    if found["chosen_on"] == "train":
        told += ", and the best there taken, so that dev took no part in the choice"
    elif found["kept"] > 1:
        told += f", the best {found['kept']:,} of them judged on dev, which chose"
    else:
        told += ", and none chosen on dev"
    if found["corrected"] is None:
        return f"{told}; there are too few texts to correct for the choice"
    return (
        f"{told}; {found['value']:.3f} on {found['chosen_on']} as chosen, "
        f"{found['corrected']:.3f} when the choice is repeated without each of {found['folds']} "
        "folds and judged on it (cross-fitting)"
    )


def _paraphrased(found: Mapping[str, Any]) -> str:
    """What paraphrases were tried, and what was dropped of those that were written."""
    if "paraphrases" not in found:
        return ""
    how = "nearest in the vocabulary" if found["paraphrases"] == "nearest" else "by a writer"
    dropped = "; ".join(f"{count:,} dropped: {why}" for why, count in found["dropped"].items())
    told = f"beside the given {found['given']} {found['proposed']:,} paraphrases, {how}"
    return f"{told} ({dropped}); " if dropped else f"{told}; "


def _ensemble(facts: Mapping[str, Any]) -> str:
    members = [f"{one['name']} (weight {one['weight']:.2f})" for one in facts["members"]]
    how = _METHODS[facts["method"]]
    chosen = f", chosen in {facts['select']} greedy turns" if facts.get("select") else ""
    return f"The winner is {how} of {len(members)} members{chosen}: {'; '.join(members)}."


def _cascade(facts: Mapping[str, Any]) -> str:
    members = [
        one["name"]
        + ("" if one["threshold"] is None else f" (goes on below {one['threshold']:.2f})")
        for one in facts["members"]
    ]
    return f"The winner is a cascade by {facts['measure']}: {', then '.join(members)}."


def _student(facts: Mapping[str, Any]) -> str:
    agreement, on_dev = map(formatting.format_percent, (facts["agreement"], facts["dev_agreement"]))
    return (
        f"The winner was distilled from the {facts['method']} of {len(facts['members'])} "
        f"candidates ({'; '.join(facts['members'])}) on {facts['texts']} texts without labels. It "
        f"agrees with its teacher on {agreement} of them and on {on_dev} of dev, where the teacher "
        f"has accuracy "
        f"{facts['teacher_dev_accuracy']:.3f}; the teacher took {facts['teacher_tokens']:,} tokens "
        f"for its labels, {facts['teacher_tokens_per_example']:.1f} a text."
    )


def member_rows(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """An ensemble's members with their weight or threshold, for a table."""
    rows = []
    for one in (facts.get("ensemble") or {}).get("members", []):
        value = one.get("weight", one.get("threshold"))
        rows.append((str(one["name"]), "" if value is None else f"{value:.3f}"))
    return rows
