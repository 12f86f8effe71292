"""Learners used from Python: how long they will take, how far they are, and when they stop."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

import promptlab.candidates.learning_progress as module
from promptlab.candidates.learning_progress import LearningProgress
from promptlab.estimators.builtin import HeadTuner, SoftPromptTuner, TriggerSearch
from promptlab.events import Event, Step, Warned
from promptlab.models.local import LocalModel
from promptlab.predictors.classifier import PromptClassifier
from promptlab.tuning.fit_context import FitContext
from promptlab.tuning.phase import PhaseContext

ANSWERS = {"negative": "bad", "positive": "good"}
TEXTS = [f"film {n} was {('dull', 'fine')[n % 2]}" for n in range(12)]
LABELS = [("negative", "positive")[n % 2] for n in range(12)]


def soft(model: LocalModel) -> SoftPromptTuner:
    return SoftPromptTuner("{text} It was {mask}", ANSWERS, model, length=2, epochs=3, batch_size=4)


def test_what_is_to_come_is_told_first(
    causal: LocalModel, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVERY", 0.0)
    soft(causal).fit(TEXTS, LABELS)
    said = capfd.readouterr().err.splitlines()
    assert said[0].startswith("SoftPromptTuner: at most 9 steps on 9 examples")
    assert "stops after 5 min (seconds=None: never)" in said[0]
    assert any(line.startswith("SoftPromptTuner: step 3 of 9, loss ") for line in said)


def test_a_listener_of_ones_own_is_told_instead(
    causal: LocalModel, capfd: pytest.CaptureFixture[str]
) -> None:
    heard: list[Event] = []
    soft(causal).fit(TEXTS, LABELS, listener=heard.append)
    assert next(e.step for e in heard if isinstance(e, Step)) == 1
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("learner", ["soft", "triggers", "head"])
def test_time_that_is_over_gives_the_best_so_far(learner: str, causal: LocalModel) -> None:
    made = {
        "soft": lambda: soft(causal),
        "triggers": lambda: TriggerSearch("{trigger:2} {text} It was {mask}", ANSWERS, causal),
        "head": lambda: HeadTuner("{text}", causal, weights="frozen"),
    }[learner]()
    heard: list[Event] = []
    fitted = made.fit(TEXTS, LABELS, listener=heard.append, seconds=0.0)
    (told,) = [event.message for event in heard if isinstance(event, Warned)]
    assert "the time is over" in told
    assert len([event for event in heard if isinstance(event, Step)]) <= 1
    assert len(fitted.predict(TEXTS[:2])) == 2


def test_phases_have_the_time_of_the_whole() -> None:
    assert PhaseContext(FitContext(seconds=0.0), "soft").is_time_up()
    assert not PhaseContext(FitContext(seconds=60.0), "soft").is_time_up()
    assert not FitContext().is_time_up()


def test_a_terminal_shows_a_bar() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=100)
    with LearningProgress("Soft", 4, console) as progress:
        progress(Step(0, 2, {"loss": 0.5}))
        progress(Step(0, 3, {"dev": 0.75}))
        progress(Warned("the time is over"))
    shown = file.getvalue()
    assert "3/4" in shown
    assert "loss 0.500, dev 0.750" in shown
    assert "Soft: the time is over" in shown


@pytest.mark.parametrize(
    "text", ["{text}{soft:2} It was {mask}", "{trigger:2} {text} It was {mask}"]
)
def test_templates_with_learned_parts(
    text: str, causal: LocalModel, capfd: pytest.CaptureFixture[str]
) -> None:
    kind = SoftPromptTuner if "soft" in text else TriggerSearch
    kind(text, ANSWERS, causal).fit(TEXTS, LABELS, seconds=0.0)
    assert f"{kind.__name__}: at most " in capfd.readouterr().err


def test_a_classifier_comes_out(causal: LocalModel) -> None:
    fitted = soft(causal).fit(TEXTS, LABELS, seconds=None).fitted_predictor
    assert isinstance(fitted, PromptClassifier)
    assert (len(fitted.seen.train), len(fitted.seen.dev)) == (9, 3)
