"""An instruction that a study has judged, as further ones are made from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from promptlab.evaluation.predictions import Predictions
from promptlab.files.saved_predictor.folder import DOCUMENT, read_saved
from promptlab.prompts.template import Template
from promptlab.tuning.fit_context import CompletedTrial
from promptlab.tuning.instruction_search.proposal import instruction_of

ParentSignal = Literal["objective", "probability"]
"""By what candidates lead on an example: right or wrong, or the probability of the right label."""


@dataclass(frozen=True)
class JudgedInstruction:
    """An instruction with its demonstrations, what it was made from, and how good it is on dev.

    Args:
        number: Of its trial.
        option: The name of the template that it is an instruction of.
        instruction: The instruction; empty for a template without one.
        value: Its value on dev; larger is better.
        correct: Whether it was right, for every dev example.
        probabilities: What it gave to the right label; empty where labels were not scored.
        labels: What it answered; ``None`` where nothing could be read.
        targets: The right labels.
        demonstrations: The ids of the training examples that it shows.
        parents: The numbers of the trials that it was made from.

    Example:
        >>> one = JudgedInstruction(3, "mood", "Name the mood.", 0.5, correct=(True, False))
        >>> one.signal("objective")
        (1.0, 0.0)
    """

    number: int
    option: str
    instruction: str
    value: float
    correct: tuple[bool, ...] = ()
    probabilities: tuple[float, ...] = ()
    labels: tuple[str | None, ...] = ()
    targets: tuple[str | None, ...] = ()
    demonstrations: tuple[str, ...] = ()
    parents: tuple[int, ...] = ()

    @property
    def content(self) -> tuple[str, tuple[str, ...]]:
        """What tells it from others of its template."""
        return self.instruction, self.demonstrations

    def signal(self, name: ParentSignal) -> tuple[float, ...]:
        """What it has of every example; right or wrong where probabilities are not known."""
        if name == "probability" and self.probabilities:
            return self.probabilities
        return tuple(float(right) for right in self.correct)

    def record(self) -> dict[str, Any]:
        """As a parent stands in a candidate."""
        found: dict[str, Any] = {
            "trial": self.number, "instruction": self.instruction, "value": self.value
        }  # fmt: skip
        if self.demonstrations:
            found["demonstrations"] = list(self.demonstrations)
        return found


def penalised_signals(
    pool: Sequence[JudgedInstruction], signal: ParentSignal, penalty: float, lengths: Sequence[int]
) -> dict[int, tuple[float, ...]]:
    """Every one's values of the examples less ``penalty`` times its relative length.

    Args:
        pool: Those judged.
        signal: What the values are.
        penalty: What the longest prompt loses on every example (Zehle et al. 2025, CAPO: .05).
        lengths: How long the prompts are, in the order of ``pool``.

    Returns:
        The values by number, of those that have any.

    Example:
        >>> pool = [JudgedInstruction(n, "mood", "x", 0.5, correct=(True,)) for n in (1, 2)]
        >>> penalised_signals(pool, "objective", 0.1, [10, 20])
        {1: (0.95,), 2: (0.9,)}
    """
    longest = max(lengths, default=0) or 1
    return {
        one.number: tuple(value - penalty * length / longest for value in one.signal(signal))
        for one, length in zip(pool, lengths, strict=True)
        if one.signal(signal)
    }


def read_judged(one: CompletedTrial, option: str) -> JudgedInstruction:
    """What a complete trial says; its instruction stands in the predictor that was saved."""
    own = settings = one.candidate.settings
    if one.folder is not None and (one.folder / DOCUMENT).is_file():
        settings = read_saved(one.folder)["settings"]
    template = Template.from_settings(settings["template"])
    rows = Predictions.from_jsonl(one.predictions) if one.predictions is not None else Predictions()
    return JudgedInstruction(
        number=one.number,
        option=option,
        instruction=instruction_of(template),
        value=one.value,
        correct=tuple(rows.correct),
        probabilities=_right_probabilities(rows),
        labels=tuple(row.label for row in rows),
        targets=tuple(rows.targets),
        demonstrations=tuple(own.get("examples", ())),
        parents=tuple(parent["trial"] for parent in own.get("parents", ())),
    )


def _right_probabilities(rows: Predictions) -> tuple[float, ...]:
    """What every right label was given; nothing where one was not scored."""
    found = []
    for row in rows:
        score = None if row.scores is None else row.scores.get(str(row.target))
        if score is None or math.isnan(score):
            return ()
        found.append(math.exp(min(0.0, score)))
    return tuple(found)
