"""A small labelled task, a scripted model for it, and a DSPy module of one's own."""

# ruff: noqa: E402 - DSPy's cache must have a place of its own before DSPy is imported

from __future__ import annotations

import os
import tempfile
from typing import Any

import pytest

from tests.helpers.scripted_model import ScriptedModel

CACHE = tempfile.TemporaryDirectory(prefix="dspy-")
os.environ.setdefault("DSPY_CACHEDIR", CACHE.name)
dspy = pytest.importorskip("dspy", minversion="3.4")

from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.interop.dspy.task_signature import TaskSignature

LABELS = ("negative", "positive")
FORM = TaskSignature(("text",), LABELS)
ROWS = [
    Example(f"{number}-{word}", {"text": f"the {number} film was {word}"}, label)
    for number in ("first", "second", "third", "last")
    for word, label in (
        ("good", "positive"), ("bad", "negative"), ("odd but good", "positive"),
        ("so bad", "negative"),
    )
]  # fmt: skip
TASK = Task("films", tuple(ROWS[:8]), tuple(ROWS[8:12]), tuple(ROWS[12:]), LABELS)


def write(prompt: str, sample: int) -> str:
    """A thought about a film, or an instruction where one is asked for."""
    about = prompt.rsplit("Text:", 1)[-1]
    return f" take {sample} on it" if "film" in about else f" Say which it is, take {sample}."


def rate(prompt: str, answer: str) -> float:
    """Good films are positive, whatever stands before."""
    good = "good" in prompt.rsplit("Text:", 1)[-1]
    return 0.0 if (answer == "positive") == good else -1.0


def model() -> ScriptedModel:
    """The model that is always right."""
    return ScriptedModel(write, rate)


class TwoSteps(dspy.Module):  # type: ignore[misc,name-defined,unused-ignore]
    """A module of one's own that takes the signature: a summary, then the choice."""

    def __init__(self, signature: Any) -> None:
        super().__init__()
        self.summary = dspy.Predict("text -> summary")
        self.choice = dspy.Predict(signature)

    def forward(self, text: str) -> Any:
        shorter = self.summary(text=text).summary
        return dspy.Prediction(label=self.choice(text=f"{text} ({shorter})").label)


class Alone(dspy.Module):  # type: ignore[misc,name-defined,unused-ignore]
    """A module that takes nothing and answers without a model."""

    def forward(self, text: str) -> Any:
        return dspy.Prediction(label="positive" if "good" in text else "neutral")


class Broken(dspy.Module):  # type: ignore[misc,name-defined,unused-ignore]
    """A module with a fault of its own."""

    def forward(self, text: str) -> Any:
        raise KeyError(text)
