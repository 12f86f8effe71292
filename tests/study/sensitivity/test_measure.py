"""`measure_sensitivity` as a whole: scripted models whose truth is known, and a tiny real one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import promptlab as pl
from promptlab.cancellation import Cancellation
from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.errors import Cancelled, InputError, StudyError, UnansweredError
from promptlab.events import BlockScored, Events, StudyStarted, TrialFinished, Warned
from promptlab.models.local import LocalModel
from promptlab.study.run import StudyRun
from promptlab.study.sensitivity.measure import measure_sensitivity
from promptlab.study.sensitivity.measurement import KEPT
from promptlab.study.spec.load import load_spec
from tests.helpers.scripted_model import ScriptedModel
from tests.helpers.study_fixtures import study_document, write_reviews
from tests.helpers.study_run_fixtures import Heard

PLAIN: dict[str, Any] = {"demonstrations": 0, "examples": 40}


def texts(count: int) -> Task:
    """A task of different texts, half of them positive."""
    rows = [
        Example(str(n), {"text": f"{'fine' if n % 2 else 'poor'} film {n}"},
                "positive" if n % 2 else "negative")
        for n in range(count + 20)
    ]  # fmt: skip
    labels = ("negative", "positive")
    return Task("films", tuple(rows[:20]), tuple(rows[20:]), (), labels=labels)


def rate(prompt: str, answer: str) -> float:
    """Right about the last text, but wrong where the words before the slot are "IT WAS"."""
    good = prompt.rfind("fine") > prompt.rfind("poor")
    right = (answer in ("great", "good", "positive")) == good
    return 0.0 if right != ("IT WAS" in prompt) else -5.0


STUDY: dict[str, Any] = {
    "study": "films",
    "task": "sst2",
    "candidates": [
        {
            "kind": "template",
            "templates": ["{text} It was {mask}.", "{text} A {mask} one."],
            "verbalizers": [
                {"negative": "terrible", "positive": "great"},
                {"negative": "bad", "positive": "good"},
            ],
        }
    ],
}


@pytest.fixture
def subject(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A study file's values over the task of `texts`."""
    monkeypatch.setattr("promptlab.study.sensitivity.subject.load_task", lambda **_: texts(40))
    return STUDY


def test_test_examples_are_never_seen(task: Task) -> None:
    """Everything that the model is asked is made of train and dev."""
    hidden = replace(
        task, test=tuple(replace(e, fields={"text": f"SECRET {e.id}"}) for e in task.test)
    )
    model = ScriptedModel(rate=rate)
    found = measure_sensitivity(hidden, model=model, examples=12, levels={"wording": 2})
    assert model.scored and not any("SECRET" in prompt for prompt in model.scored)
    assert found.n == 12 and found.row()["split"] == "dev"
    assert "test was not read" in found.statements[-1]


def test_a_format_that_breaks_one_wording(subject: dict[str, Any]) -> None:
    """In capitals the first wording is wrong about all, the second one right: an interaction."""
    heard = Heard()
    found = measure_sensitivity(
        subject, model=ScriptedModel(rate=rate), levels={"format": 6, "seed": 1},
        events=Events(heard), **PLAIN,
    )  # fmt: skip
    upper = [p for p in found.prompts if p.levels["format"] == "upper case"]
    assert len(found.prompts) == 2 * 6 * 3
    if upper:  # the draw has it
        values = {p.levels["wording"]: p.value for p in upper}
        assert values == {"{text} It was {mask}.": 0.0, "{text} A {mask} one.": 1.0}
        assert found.worst.value == 0.0 and "IT WAS" in found.worst.prompt
    assert found.start.value == 1.0 and found.start.levels["format"] == "as written"
    assert found.factors["answers"] == ("terrible | great", "bad | good", "negative | positive")
    assert found.n_asked == 36 * 40 and found.n_reused == 0
    (started,) = [event for event in heard.events if isinstance(event, StudyStarted)]
    assert (started.planned, started.examples) == (36, 40)
    assert len([e for e in heard.events if isinstance(e, TrialFinished)]) == 36
    assert any(isinstance(e, Warned) and "no demonstrations" in e.message for e in heard.events)


def test_upper_case_is_drawn_by_some_seed(subject: dict[str, Any]) -> None:
    """So that the test above looks at it: all formats of one change are asked for."""
    found = measure_sensitivity(
        subject, model=ScriptedModel(rate=rate), levels={"format": 9, "answers": 1}, **PLAIN
    )
    assert "upper case" in found.factors["format"]
    assert found.worst.value == 0.0 and found.worst.levels["format"] == "upper case"
    shares = {row.source: row.share for row in found.shares}
    # one bad cell of 18: V(wording) 1/18² , V(format) (1/4)/9 - 1/18², interactions as the latter
    assert shares["wording"] == pytest.approx((1 / 18**2) / (1 / 18 - 1 / 18**2))


def test_equal_prompts_are_asked_once(subject: dict[str, Any]) -> None:
    """One demonstration draw of all of train: seeds and orders make few different prompts."""
    model = ScriptedModel(rate=rate)
    found = measure_sensitivity(
        subject, model=model, demonstrations=1, examples=20,
        levels={"wording": 1, "format": 1, "answers": 1, "seed": 5},
    )  # fmt: skip
    assert len(model.scored) == len(set(model.scored))
    assert found.n_asked + found.n_reused == 5 * 20
    jinja = {
        "kind": "template", "templates": ["{{ text }} It was {{ mask }}.", "{text} It was {mask}."],
        "verbalizers": STUDY["candidates"][0]["verbalizers"],
    }  # fmt: skip
    twice = ScriptedModel(rate=rate)
    found = measure_sensitivity(
        subject | {"candidates": [jinja]}, model=twice, levels={"format": 1, "answers": 2}, **PLAIN
    )
    # both wordings render the same: half of the cells cost nothing
    assert found.n_asked == found.n_reused == len(twice.scored) == 80


def test_demonstrations_are_crossed_by_order_and_draw(subject: dict[str, Any]) -> None:
    found = measure_sensitivity(
        subject, model=ScriptedModel(rate=rate), demonstrations=4, examples=20,
        levels={"wording": 1, "format": 1, "answers": 1, "order": 3, "seed": 3},
    )  # fmt: skip
    assert found.factors["order"] == ("random", "grouped", "alternating")
    assert found.factors["seed"] == ("seed 13", "seed 21", "seed 42")
    by_levels = {(p.levels["order"], p.levels["seed"]): p.prompt for p in found.prompts}
    assert len(set(by_levels.values())) == 9
    grouped = by_levels["grouped", "seed 21"]
    config = pl.DemonstrationConfig(4, seed=21, order="grouped")
    words = {"negative": "terrible", "positive": "great"}
    made = pl.PromptClassifier("{text} It was {mask}.", words, ScriptedModel(),
                               demonstrations=config).fit(texts(40).train)  # fmt: skip
    assert (
        grouped.rpartition("\n\n")[0]
        == str(made.render_prompt(texts(40).dev[0])).rpartition("\n\n")[0]
    )


def test_it_goes_on_where_it_was_stopped(subject: dict[str, Any], tmp_path: Path) -> None:
    whole = measure_sensitivity(subject, model=ScriptedModel(rate=rate), **PLAIN)
    cancellation = Cancellation()
    scored = 0

    def stop(event: object) -> None:
        nonlocal scored
        scored += isinstance(event, BlockScored)
        if scored == 5:
            cancellation.request()

    first = ScriptedModel(rate=rate)
    with pytest.raises(Cancelled):
        measure_sensitivity(
            subject, model=first, out=tmp_path, events=Events(stop), cancellation=cancellation,
            **PLAIN,
        )  # fmt: skip
    kept = (tmp_path / KEPT).read_text().splitlines()
    assert 4 <= len(kept) <= 5 and not (tmp_path / "sensitivity.json").exists()
    (tmp_path / KEPT).write_text("\n".join(kept) + '\n{"cell": "cut o')  # killed while writing
    second = ScriptedModel(rate=rate)
    again = measure_sensitivity(subject, model=second, out=tmp_path, **PLAIN)
    assert len(second.scored) == 40 * (len(whole.prompts) - len(kept))
    assert replace(again, n_asked=whole.n_asked) == whole
    assert json.loads((tmp_path / "sensitivity.json").read_text())["split"] == "dev"


def test_what_is_not_answered_is_left_out_of_all(subject: dict[str, Any]) -> None:
    parser = {"type": "choice", "choices": {"positive": ["good"], "negative": ["bad"]}}
    names = ("A: {text} {mask}", "B: {text} {mask}")
    group = {"kind": "template", "templates": [{"text": t, "parser": parser} for t in names]}

    def write(prompt: str, sample: int) -> str:
        if prompt.upper().startswith("B") and "film 33" in prompt:
            return "!too busy"
        return "good" if "fine" in prompt else "bad"

    asked = subject | {"candidates": [group]}
    model = ScriptedModel(write)
    model.capabilities = frozenset({"generate"})
    found = measure_sensitivity(asked, model=model, **PLAIN)
    assert (found.n, found.n_missing, found.mean) == (39, 1, 1.0)
    assert found.factors["answers"] == ("as parsed",)
    with pytest.raises(UnansweredError, match="too busy"):
        dead = ScriptedModel(lambda prompt, sample: "!too busy")
        dead.capabilities = frozenset({"generate"})
        measure_sensitivity(asked, model=dead, **PLAIN)


def test_a_decided_study(tmp_path: Path, masked: LocalModel) -> None:
    """The winner is the first level of every factor, and its value on dev the study's own."""
    data = write_reviews(tmp_path / "reviews.csv")
    spec: Any = load_spec(study_document(data, budget={"trials": 6}), source="test")
    run = StudyRun(spec, out=tmp_path, model=masked)
    board = run.run()
    found = measure_sensitivity(
        tmp_path / "reviews", model=masked, levels={"format": 2, "answers": 2, "seed": 2}
    )
    assert found.name == "reviews" and f"trial {board['best']['number']}" in found.started_from
    assert found.start.value == pytest.approx(board["best"]["dev"]["accuracy"])
    assert found.n == 30 and len(found.prompts) % 4 == 0
    assert measure_sensitivity(
        pl.Study(tmp_path / "reviews"), model=masked,
        levels={"format": 2, "answers": 2, "seed": 2},
    ) == found  # fmt: skip
    (tmp_path / "reviews" / "leaderboard.json").unlink()
    with pytest.raises(StudyError, match="not decided"):
        measure_sensitivity(tmp_path / "reviews", model=masked)


def test_a_data_file(tmp_path: Path, masked: LocalModel) -> None:
    data = write_reviews(tmp_path / "reviews.csv")
    found = measure_sensitivity(data, model=masked, max_prompts=32, demonstrations=2)
    assert found.model == "tiny_masked" and len(found.prompts) <= 32
    assert min(map(len, found.factors.values())) == 2
    low, high = found.worst.ci95
    assert 0 <= low <= found.worst.value <= high <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"examples": 3}, "examples: 3"),
        ({"levels": {"tone": 2}}, "unknown factor 'tone'"),
        ({"levels": {"wording": 1, "format": 1, "answers": 1}}, "nothing to vary"),
        ({"max_prompts": 3}, "too few"),
        ({"library_task": "nothing"}, "no task 'nothing'"),
        ({"demonstrations": 400}, "400 demonstrations"),
    ],
)
def test_bad_input(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        measure_sensitivity(texts(40), model=ScriptedModel(rate=rate), **(PLAIN | options))


def test_what_is_no_subject(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no study's folder, study file"):
        measure_sensitivity("nowhere")
    few = texts(40)
    with pytest.raises(InputError, match="3 different labelled texts"):
        measure_sensitivity(replace(few, dev=few.dev[:3]), model=ScriptedModel())
    method = {"name": "p", "kind": "template", "templates": ["sentiment/it-was"]}
    curve = {"kind": "learning_curve", "study": "c", "task": "sst2", "sizes": [0], "seeds": [1]}
    with pytest.raises(StudyError, match="learning curve"):
        measure_sensitivity(curve | {"methods": [method]}, model=ScriptedModel())


def test_a_winner_whose_answer_words_were_found(tmp_path: Path, masked: LocalModel) -> None:
    """The words are in the saved predictor alone: it is what is started from."""
    data = write_reviews(tmp_path / "reviews.csv")
    group = {"kind": "answer_search", "templates": [{"text": "{text} It was {mask}."}]}
    spec: Any = load_spec(
        study_document(data, candidates=[group], budget={"trials": 1}), source="t"
    )
    board = StudyRun(spec, out=tmp_path, model=masked).run()
    found = measure_sensitivity(tmp_path / "reviews", model=masked, levels={"format": 3})
    assert found.start.value == pytest.approx(board["best"]["dev"]["accuracy"])
    assert len(found.factors["wording"]) == 1 and len(found.factors["format"]) == 3
