"""A small learning curve, and kinds for it that fail in ways worth testing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from promptlab.candidates.base import KindSettings, Trial
from promptlab.candidates.template import TemplateKind, TemplateSettings
from promptlab.errors import DataError
from promptlab.predictors.candidate import Candidate

OWN = {"negative": "terrible", "positive": "great"}
TEMPLATE = {"text": "{text} It was {mask}.", "answers": OWN}


def method(**changes: Any) -> dict[str, Any]:
    return {"name": "plain", "kind": "template", "templates": [TEMPLATE]} | changes


def curve_document(data: Path, **changes: Any) -> dict[str, Any]:
    """Three methods on three sizes with two seeds; one method needs examples."""
    document: dict[str, Any] = {
        "kind": "learning_curve",
        "study": "curve",
        "task": {"data": str(data), "train": 20, "dev": 30, "test": 40},
        "model": "tiny",
        "sizes": [0, 2, 4],
        "seeds": [13, 21],
        "methods": [
            method(),
            {
                "name": "demonstrations",
                "kind": "demonstrations",
                "templates": [TEMPLATE],
                "count": [2],
            },
            {"kind": "template", "templates": [TEMPLATE], "calibration": ["batch"]},
        ],
        "baseline": "plain",
        "block": 10,
    }
    return document | changes


class LearnedSettings(TemplateSettings):
    """A template group with a learner's seed."""

    seed: int = 5


class LearnedKind(TemplateKind):
    """A template that fails to be learned from two examples a class with seed 21.

    It notes the task and the seed of every fit.
    """

    name: ClassVar[str] = "learned"
    Settings: ClassVar[type[KindSettings]] = LearnedSettings
    settings: LearnedSettings
    fits: ClassVar[list[tuple[int, int, int]]] = []
    fails: ClassVar[frozenset[tuple[int, int]]] = frozenset({(4, 21)})

    def _extra(self, trial: Trial, prefix: str, labels: list[str]) -> dict[str, Any]:
        return {"seed": self.settings.seed}

    def fit(self, candidate: Candidate, model: Any) -> Any:
        seed = candidate.settings["seed"]
        self.fits.append((len(self.task.train), len(self.task.dev), seed))
        if not self.task.train:
            raise DataError("a learner needs training examples")
        if (len(self.task.train), seed) in self.fails:
            raise RuntimeError("the loss is not finite")
        return super().fit(candidate, model)


LEARNED = "tests.helpers.learning_curve_fixtures:LearnedKind"
