"""The Learn tab under its widgets: forms become studies, steps become words and curves."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gradio")

import promptlab as pl
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from promptlab.ui.components.uploads import uploaded_name
from promptlab.ui.context import AppContext
from promptlab.ui.learn import presets
from promptlab.ui.learn.curves_svg import curves_svg, legend, smooth_points
from promptlab.ui.learn.form import LearnSettings, read_rates, study_document
from promptlab.ui.learn.learning_view import LearningView, distinguishing_parts, learning_studies
from promptlab.ui.learn.start_section import (
    build_study,
    preset_values,
    preview_html,
    submit_learning,
    submit_learning_by_name,
)
from promptlab.ui.learn.step_log import curve_points
from promptlab.ui.learn.token_table import (
    in_place_html,
    step_html,
    step_tokens,
    tokens_table_html,
    visible_token,
)
from promptlab.ui.learn.watch_section import explanation_html
from promptlab.ui.study.run.run_controls import available_controls
from tests.conftest import wrapped
from tests.helpers.study_fixtures import write_reviews
from tests.helpers.tiny_models import Pair

HOSTILE = "<script>alert(1)</script>"
SOFT = [
    {"step": 1, "values": {"loss": 0.9}, "notes": {}},
    {
        "step": 2,
        "values": {"loss": 0.8, "dev": 0.5},
        "notes": {"words": "a b", "nearest": json.dumps([["a", 0.5], ["b", 0.25]])},
    },
    {
        "step": 4,
        "values": {"loss": None, "dev": 0.75},
        "notes": {"words": "a x", "nearest": json.dumps([["a", 0.4], [HOSTILE, 0.125]])},
    },
]
SEARCHED = [
    {
        "step": 0,
        "values": {"loss": 0.9, "dev": 0.5},
        "notes": {"tokens": "1 2", "words": "a b", "pieces": json.dumps(["a", " b"])},
    },
    {
        "step": 3,
        "values": {"loss": 0.7, "dev": 0.5},
        "notes": {
            "words": "a\n b",
            "pieces": json.dumps(["\n", " b"]),
            "tried": json.dumps([[["\n", " b"], 0.7], [["c", " b"], 0.75], [["a", " b"], 0.8]]),
            "candidates": "24",
            "template": "{trigger:1} {text}{trigger:1} <b>{mask} .",
        },
    },
    {
        "step": 4,
        "values": {"loss": 0.75},
        "notes": {
            "words": "a\n b",
            "pieces": json.dumps(["\n", " b"]),
            "tried": json.dumps([[["\n", " b"], 0.75], [["\n", " d"], 0.875]]),
            "candidates": "8",
            "template": "{{",
        },
    },
]


@pytest.fixture
def context(tmp_path: Path) -> AppContext:
    (tmp_path / "runs").mkdir()
    return AppContext(("tiny", "bert-tiny"), tmp_path / "runs")


def form(method: str, model: str = "bert-tiny") -> LearnSettings:
    given = presets.learn_preset(method, model)
    text = presets.learn_template(method, presets.DATA["rotten-tomatoes"], model, given.tokens)
    return LearnSettings(
        method, "rotten-tomatoes", model, "auto", "auto", text,
        presets.DATA["rotten-tomatoes"].answers, given.rates, given.steps, given.batch,
        given.tokens, given.tried, given.shots, given.dev, given.every,
    )  # fmt: skip


@pytest.mark.parametrize("model", ["bert-tiny", "smollm2-135m"])
@pytest.mark.parametrize("method", list(presets.METHODS))
def test_every_method_is_a_study(method: str, model: str) -> None:
    for data, asked in presets.DATA.items():
        text = presets.learn_template(method, asked, model, 3)
        answers = asked.answers
        made = study_document(
            replace(form(method, model), data=data, template=text, answers=answers), "x"
        )
        spec = load_spec(made, source="the form")
        assert [group.kind for group in spec.candidates] == [method]
        assert spec.budget.trials == max(1, len(made["candidates"][0].get("learning_rate", [])))


def test_a_choice_brings_its_settings(context: AppContext) -> None:
    boxes = preset_values(context.policy, "triggers", "boolq", "smollm2-135m")
    assert "{trigger:4}" in boxes[1].value and "passage" in boxes[1].value
    assert not boxes[3].visible and boxes[7].visible
    head = preset_values(context.policy, "head", "sst2", "bert-tiny")
    assert head[1].label == "Text that the head reads" and not head[2].visible


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"rates": "fast"}, "learning rates: expected numbers"),
        ({"rates": "0"}, "at least one number above 0"),
        ({"rates": "1,2,3,4,5,6,7"}, "at most 6"),
        ({"steps": 0}, "steps: expected a whole number from 1 to 2000"),
        ({"shots": None}, "examples a label"),
        ({"template": "{text} {mask} {mask}"}, "second one"),
        ({"template": "{text} {mask}"}, r"say where Soft prompt is to learn by \{soft:8\}"),
        ({"template": "{trigger:2}{soft:2} {mask}"}, r"learns no \{trigger:N\}"),
        ({"answers": "good"}, "answers, line 1"),
        ({"data": "../secret"}, "there is no '../secret'"),
        ({"method": "magic"}, "there is no 'magic'"),
    ],
)
def test_faults_name_their_field(context: AppContext, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(pl.InputError, match=told):
        study_document(replace(form("soft_prompt"), **changes), "x")
    assert "pl-error" in preview_html(
        context, *vars(replace(form("soft_prompt"), **changes)).values()
    )


def test_a_file_of_ones_own_is_learned(context: AppContext, tmp_path: Path) -> None:
    name = uploaded_name(context.keep_upload, write_reviews(tmp_path / "reviews.csv"))
    boxes = preset_values(
        context.policy, "soft_prompt", presets.OWN, "bert-tiny", name, "text", "label"
    )
    text, answers, shots, dev = boxes[1].value, boxes[2].value, boxes[8], boxes[9]
    assert text.startswith("{text}{soft:8}") and text.endswith("{mask}.")
    assert {line.partition(":")[0] for line in answers.splitlines()} == {"negative", "positive"}
    given = replace(
        form("soft_prompt"), data=presets.OWN, template=text, answers=answers, shots=shots, dev=dev,
        file=name, text="text", label="label",
    )  # fmt: skip
    made = build_study(context, *vars(given).values())
    assert made["task"]["data"] == name and made["task"]["label"] == "label"
    queued: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(context.queue), "submit", lambda self, text: queued.append(text) or "it")
        assert submit_learning(context, *vars(given).values()) == "it"
        with pytest.raises(pl.InputError, match=r"^reviews: .*k=900"):
            submit_learning(context, *vars(replace(given, shots=900)).values())
        with pytest.raises(pl.InputError, match="no word for the label 'negative'"):
            submit_learning(context, *vars(replace(given, answers="positive: good")).values())
        for other in ("../study.yaml", "/etc/passwd", "0/reviews.csv"):
            with pytest.raises(pl.InputError, match="was not uploaded here"):
                submit_learning(context, *vars(replace(given, file=other)).values())
    assert len(queued) == 1
    waiting = preset_values(context.policy, "prefix", presets.OWN, "bert-tiny", "", None, None)
    assert "upload a file" in preview_html(context, *vars(replace(given, file="")).values())
    assert waiting[9] == presets.learn_preset("prefix", "bert-tiny").dev


def test_rates_are_read() -> None:
    assert read_rates(" 0.3; 1e-1, 0.3,") == [0.3, 0.1]


def test_words_are_drawn_with_what_changed() -> None:
    found = step_tokens(SOFT)
    assert [row.step for row in found] == [2, 4] and not found[0].searched
    drawn = str(tokens_table_html(found, 2))
    assert "<script" not in drawn and "&lt;script&gt;" in drawn
    assert drawn.count("pl-new") == 1 and drawn.count('class="pl-at"') == 1
    assert "--heat:0.50" in drawn and "cosine 0.125" in drawn
    assert "<s>" in step_html(found, 4) and "<s>" not in step_html(found, 2)
    assert curve_points(SOFT, "loss") == [(1.0, 0.9), (2.0, 0.8)]


def test_a_search_shows_what_it_tried() -> None:
    found = step_tokens(SEARCHED)
    assert found[1].pieces == ("\n", " b") and found[1].searched
    drawn = str(step_html(found, 3))
    assert drawn.count("<tr") == 3 and drawn.count("pl-taken") == 1 and "no swap" in drawn
    assert "0.7500" in drawn and "↵" in drawn
    assert visible_token("  ") == "␣␣" and visible_token(" b") == "b"
    assert "Swaps" not in step_html(found, 0) and "swaps" not in step_html(found, 0)
    assert "24 swaps were tried at place 1;" in drawn and "smallest was taken" in drawn
    stands = '</span> {text}<span class="pl-learned"><code>b</code></span> &lt;b&gt;<mark>{mask}'
    assert stands in in_place_html(found[1])


def test_a_step_that_kept_its_trigger_is_told(context: AppContext) -> None:
    found = step_tokens(SEARCHED)
    assert [row.kept for row in found] == [False, False, True]
    drawn = str(step_html(found, 4))
    assert "8 swaps were tried at place 2;" in drawn and "none was better than no swap" in drawn
    assert drawn.count("pl-asked") == 1 and "pl-new" not in drawn and "0.8750" in drawn
    assert in_place_html(found[2]) == "" and in_place_html(found[0]) == ""
    assert (
        str(tokens_table_html(found, 3)).count("<tr") == 3
    )  # the head, and both triggers taken on
    assert str(tokens_table_html(found, 4)).count("<tr") == 4


def test_steps_of_earlier_versions_and_torn_notes_are_words() -> None:
    old = [{"step": 5, "values": {}, "notes": {"words": "a b c", "nearest": '[["a"'}}]
    assert step_tokens(old)[0].pieces == ("a", "b", "c")
    assert tokens_table_html([], None) == "" and step_html([], None) == ""


def test_many_readings_are_those_that_changed() -> None:
    many = [
        {"step": n, "values": {"dev": 0.5}, "notes": {"words": "same" if n % 50 else "new"}}
        for n in range(200)
    ]
    drawn = str(tokens_table_html(step_tokens(many), 199))
    assert drawn.count("<tr") < 15 and "steps without a change are left out" in drawn


def test_curves_lie_over_each_other() -> None:
    curves = {0: [(1.0, 40.0), *((float(n), 1.0 / n) for n in range(2, 40))], 1: [(1.0, 0.5)]}
    drawn = str(curves_svg("loss", curves, 0, 5.0, noisy=True))
    assert drawn.count("<polyline") == 3 and drawn.count("pl-now") == 2
    assert ">40<" not in drawn  # a first step far off does not flatten the rest
    drawn = str(curves_svg("dev", curves, 0))
    assert drawn.count("<polyline") == 2 and ">40<" in drawn  # no score is cut off
    assert smooth_points([(1, 1.0), (2, 0.0)]) == [(1, 1.0), (2, pytest.approx(0.8 / 1.8))]
    assert curves_svg("loss", {0: []}, 0) == ""
    assert "&lt;script&gt;" in legend({0: HOSTILE}, 0, [0])
    assert distinguishing_parts({0: "t · lr 1", 1: "t · lr 2"}) == {0: "lr 1", 1: "lr 2"}
    assert distinguishing_parts({3: "t · lr 1"}) == {3: "t · lr 1"}


def test_a_learning_is_watched_to_its_end(
    context: AppContext, tmp_path: Path, tiny_masked: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_reviews(tmp_path / "reviews.csv")
    made = study_document(replace(form("soft_prompt"), steps=6, every=2), "learn-soft-prompt")
    made["task"] = {"data": str(data), "k": 6, "dev": 20, "test": 20}
    model = wrapped(tiny_masked, "tiny")
    StudyRun(load_spec(made, source="test"), out=context.runs, model=model).run()
    assert learning_studies(context) == ["learn-soft-prompt"]
    sight = LearningView.of(context, None, None, None)
    assert sight.state == "decided" and sight.study == "learn-soft-prompt"
    assert len(sight.steps) == 2 and sight.last == sight.step == 6
    assert sight.curves().count("<polyline") == 4 and "lr 0.3" in sight.curves()
    back = LearningView.of(context, "learn-soft-prompt", 0, 3.0)
    assert back.step == 3 and "Step 2" in back.words()[0] and "pl-now" in back.curves()
    assert 'class="pl-in-place"' in back.words()[0] and "{text}" in back.words()[0]
    assert available_controls(back.progress) == (False, False, False)
    monkeypatch.setattr(AppContext, "load_model", lambda self, name: model)
    drawn = explanation_html(context, "learn-soft-prompt")
    assert "Was it worth it?" in drawn and "majority" in drawn and "pl-whisker" in drawn
    assert "The prompt in its nearest words" in drawn and "Vector 8" in drawn
    assert "<code>terrible</code>" in drawn and "Label words" in drawn


def test_what_is_started_is_queued_under_a_new_name(
    context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(context.queue), "_wake", lambda self: None)  # nothing is run here
    named = [
        submit_learning_by_name(context, "prefix", "sst2", "bert-tiny", "0.1", 4) for _ in range(2)
    ]
    assert named == ["learn-prefix", "learn-prefix-2"]
    sight = LearningView.of(context, "learn-prefix", None, None)
    assert sight.state == "queued" and sight.active and "queued: next" in sight.head()
    assert available_controls(sight.progress) == (False, False, True)
    context.queue.cancel("learn-prefix-2")
    assert learning_studies(context) == ["learn-prefix"]
    with pytest.raises(pl.InputError, match="no method 'magic'"):
        submit_learning_by_name(context, "magic", "sst2", "", "", 0)
    with pytest.raises(pl.InputError, match="not on offer"):
        submit_learning_by_name(context, "prefix", "sst2", "../model", "0.1", 4)
