"""Building studies without a browser: YAML changed at one key, the form there and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gradio")

import promptlab as pl
from promptlab.study import dump_yaml
from promptlab.study import Estimate
from promptlab.study import SettingChange
from promptlab.study import StudyComparisonPair
from promptlab.study import StudySummary
from promptlab.candidates import kind_names
from promptlab.study import shipped_studies
from promptlab.study import validate_study
from promptlab.ui.components.uploads import uploaded_name
from promptlab.ui.context import AppContext
from promptlab.ui.study.build import cost_chart, starting_points, validation
from promptlab.ui.study.build.candidate_groups import (
    new_group,
    with_corpus,
    with_default,
    with_double,
    with_group,
    with_setting,
    without_group,
)
from promptlab.ui.study.build.form_fields import (
    BOXES,
    form_values,
    group_names,
    groups_key,
    groups_of,
    templates_for,
    with_box,
)
from promptlab.ui.study.build.kind_settings import (
    USUAL,
    displayed_settings,
    format_setting,
    kind_settings,
    other_settings,
    parse_setting,
)
from promptlab.ui.study.build.yaml_edit import edit_yaml, with_value
from promptlab.ui.study.build.yaml_edit import parse_yaml_text as read_yaml
from promptlab.ui.study.history import html

SHIPPED = {name: path.read_text("utf-8") for name, path in shipped_studies().items()}
COMMENTED = """\
# what it is
study: mine  # its name
task: sst2
# the groups
candidates:
- kind: template
  templates: [sentiment/it-was]
  # an inner comment

# between
- kind: words

budget: {trials: 3}
# the end
"""
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def context(tmp_path: Path) -> AppContext:
    return AppContext(("smollm2-135m", "bert-tiny"), tmp_path / "runs", tmp_path)


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_the_form_there_and_back_changes_nothing(name: str) -> None:
    text = SHIPPED[name]
    document = read_yaml(text)
    for box, value in form_values(document).items():
        assert with_box(text, box, value) == text, box
    for index, group in enumerate(groups_of(document)):
        kind = group["kind"]
        for setting in displayed_settings(kind, group):
            given = group.get(setting.name)
            if given is not None:
                assert with_setting(text, index, setting, format_setting(setting, given)) == text
        known = {setting.name for setting in displayed_settings(kind, group)}
        assert set(group) == {"kind"} | (known & set(group)) | set(other_settings(kind, group))


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_a_change_and_its_undoing_mean_the_same_study(name: str) -> None:
    text = SHIPPED[name]
    before = pl.load_spec(text, source="study.yaml").document()
    for box, other in (("trials", 7), ("dev", 33), ("description", "two\nlines"), ("seed", 99)):
        if box == "trials" and "methods" in read_yaml(text):
            continue
        old = form_values(read_yaml(text))[box]
        there = with_box(text, box, other)
        assert form_values(read_yaml(there))[box] == other
        back = with_box(there, box, old)
        assert pl.load_spec(back, source="study.yaml").document() == before, box
    doubled = with_double(text, 0)
    count = len(groups_of(read_yaml(doubled)))
    assert pl.load_spec(without_group(doubled, count - 1), source="study.yaml").document() == before


def test_only_the_lines_of_the_key_change() -> None:
    for place, value in (
        (("task", "dev"), 5),
        (("candidates", 0, "calibration"), ["none"]),
        (("candidates", 1), None),
        (("candidates", 2), {"kind": "words"}),
        (("budget", "trials"), 4),
        (("seed",), 4),
    ):
        new = edit_yaml(COMMENTED, place, value)  # type: ignore[arg-type]
        assert read_yaml(new) == with_value(read_yaml(COMMENTED), place, value)  # type: ignore[arg-type]
        comments = [line for line in new.splitlines() if "#" in line]
        assert comments == [line for line in COMMENTED.splitlines() if "#" in line]
    assert edit_yaml(COMMENTED, ("study",), "mine") == COMMENTED


def test_flow_style_and_aliases_are_written_anew() -> None:
    text = "{study: x, task: {data: sst2}, candidates: [&a {kind: words}, *a]}"
    new = edit_yaml(text, ("candidates", 1, "rank"), [2])
    assert read_yaml(new)["candidates"] == [{"kind": "words"}, {"kind": "words", "rank": [2]}]


@pytest.mark.parametrize("text", ["", "[1]", "a: [", "x"])
def test_what_is_no_study_is_told(text: str) -> None:
    with pytest.raises(pl.InputError):
        with_box(text, "name", "y")


def test_an_empty_box_takes_its_key_out() -> None:
    text = dump_yaml({"study": "x", "task": {"data": "sst2", "dev": 5}, "model": "bert-tiny"})
    assert "dev" not in read_yaml(with_box(text, "dev", None))["task"]
    assert read_yaml(with_box(text, "device", "cpu"))["model"] == {
        "name": "bert-tiny",
        "device": "cpu",
    }
    assert read_yaml(with_box(text, "data", "boolq"))["task"]["data"] == "boolq"
    assert with_box(text, "dtype", "auto") == text
    assert with_box(text, "trials", 50) == text


@pytest.mark.parametrize("kind", kind_names())
def test_every_kind_has_boxes_and_a_group_to_begin_with(kind: str) -> None:
    known = kind_settings(kind)
    assert set(USUAL[kind]) <= set(known)
    for setting in known.values():
        if setting.default is not None:
            expected = None if setting.default in ([], [""]) else setting.default
            assert parse_setting(setting, format_setting(setting, setting.default)) == expected
    data = {"tree_of_thoughts": "game24", "decomposition": "ner-conll"}.get(kind, "sst2")
    document = {"study": "x", "task": {"data": data}, "candidates": []}
    group = new_group(kind, document)
    text = dump_yaml(document | {"candidates": [group]})
    pl.load_spec(text, source="study.yaml")
    added = with_group(text, kind)
    assert len(groups_of(read_yaml(added))) == 2


def test_templates_written_out_are_kept_whole() -> None:
    own = {"text": "{text} {mask}", "answers": {"a": "b"}}
    group = {"kind": "template", "templates": ["sentiment/it-was", own]}
    text = dump_yaml({"study": "x", "task": "sst2", "candidates": [group]})
    setting = kind_settings("template")["templates"]
    held = format_setting(setting, group["templates"])
    assert held == ["sentiment/it-was", "written out: {text} {mask}"]
    found = groups_of(read_yaml(with_setting(text, 0, setting, [held[1], "{text} is {mask}"])))
    assert found[0]["templates"] == [own, "{text} is {mask}"]
    whole = with_setting(text, 0, setting, ["all of sentiment (cloze)"])
    assert groups_of(read_yaml(whole))[0]["templates"] == {"task": "sentiment", "shape": "cloze"}
    with pytest.raises(pl.InputError, match="stand alone"):
        with_setting(text, 0, setting, ["all of sentiment", "sentiment/it-was"])
    with pytest.raises(pl.InputError, match="no longer"):
        with_setting(text, 0, setting, ["written out: gone"])


def test_numbers_and_ranges_are_read() -> None:
    rate = kind_settings("soft_prompt")["learning_rate"]
    assert parse_setting(rate, "0.1, 0.03") == [0.1, 0.03]
    assert parse_setting(rate, "0.001 to 0.1 log") == {"low": 0.001, "high": 0.1, "log": True}
    assert format_setting(rate, {"low": 0.001, "high": 0.1, "log": True}) == "0.001 to 0.1 log"
    count = kind_settings("demonstrations")["count"]
    assert parse_setting(count, "2 4;8") == [2, 4, 8]
    with pytest.raises(pl.InputError, match="whole numbers"):
        parse_setting(count, "2, x")


def test_a_setting_is_added_with_its_default() -> None:
    text = SHIPPED["quickstart"]
    new = with_default(text, 0, "aggregation")
    assert groups_of(read_yaml(new))[0]["aggregation"] == ["sum"]
    assert validate_study(with_default(text, 1, "order")) == []
    with pytest.raises(pl.InputError, match="no setting"):
        with_default(text, 0, "decoding")


def test_the_last_group_stays() -> None:
    with pytest.raises(pl.InputError, match="at least one"):
        without_group(SHIPPED["capitals"], 0)


def test_groups_have_the_names_that_a_baseline_has() -> None:
    names = group_names(read_yaml(SHIPPED["soft-prompts"]))
    assert names == ["template", "soft_prompt", "soft_prompt-3", "prefix", "words"]
    curve = read_yaml(SHIPPED["learning-curve"])
    assert groups_key(curve) == "methods" and group_names(curve)[-1] == "head"
    assert templates_for({"task": "sst2"})[0].startswith("sentiment/")
    assert {box.name for box in BOXES} == set(form_values({}))


def test_complaints_lead_to_their_lines(context: AppContext) -> None:
    text = SHIPPED["quickstart"]
    assert validation.validate_study_text(context.policy, text) == []
    wrong = text.replace("sentiment/a-piece", f"sentiment/{HOSTILE}") + "objectivs: 1\n"
    drawn = str(validation.issues_html(validation.validate_study_text(context.policy, wrong)))
    assert f'data-line="{len(wrong.splitlines())}"' in drawn
    lost = validation.issues_html(
        validation.validate_study_text(context.policy, wrong.replace("objectivs: 1\n", ""))
    )
    assert "<script>" not in lost and "&lt;script&gt;" in lost
    assert "not on offer" in str(
        validation.issues_html(
            validation.validate_study_text(context.policy, text.replace("smollm2-135m", "gpt"))
        )
    )


def test_beginnings_have_free_names_and_can_be_run(context: AppContext) -> None:
    folder = context.runs / "quickstart"
    folder.mkdir(parents=True)
    spec = pl.load_spec(SHIPPED["quickstart"], source="study.yaml")
    (folder / "study.yaml").write_text(dump_yaml(spec.document() | {"resolved": {"seeds": {}}}))
    offered = starting_points.list_starting_points(context.runs)
    assert {"an empty study", "shipped: game24", "run before: quickstart"} <= set(offered)
    for name in ("an empty study", "shipped: quickstart", "run before: quickstart"):
        text = starting_points.starting_yaml(context, name)
        assert validation.validate_study_text(context.policy, text) == []
        assert not (context.runs / read_yaml(text)["study"]).exists()
    again: Any = pl.load_spec(starting_points.starting_yaml(context, "run before: quickstart"), source="study.yaml")
    assert again.document() | {"study": "quickstart"} == spec.document()
    for strange in ("run before: ../x", "shipped: ../x", ""):
        with pytest.raises(pl.InputError):
            starting_points.starting_yaml(context, strange)


def test_an_upload_becomes_a_study_that_runs(context: AppContext, tmp_path: Path) -> None:
    from tests.helpers.study_fixtures import write_reviews

    data = uploaded_name(context.keep_upload, write_reviews(tmp_path / "my reviews.csv"))
    assert not Path(data).is_absolute()
    text, remarks = starting_points.proposed_study_yaml(context, data, "text", "label", "bert-tiny")
    assert validation.validate_study_text(context.policy, text) == []
    assert text.startswith("# ") and "labels: negative, positive" in remarks
    document = read_yaml(text)
    assert document["task"]["data"] == data and document["study"] == "my-reviews"
    for strange in ("../../etc/passwd", "/etc/passwd", "x\0y", ""):
        with pytest.raises(pl.InputError, match="upload"):
            starting_points.proposed_study_yaml(context, strange, "", "", "")


def test_the_cost_is_drawn() -> None:
    from promptlab.study.estimate.cost_range import GroupCost, CostRange

    span = CostRange(1500.0, 2500.0)
    group = GroupCost(HOSTILE, "x", None, CostRange(3, 3), span, span, span, CostRange(30, 7000), ("note",))
    found = Estimate("s", "m", None, 3, (group,), group, CostRange(1, 100), CostRange(0.5, 2), ("much",))
    drawn = str(cost_chart.cost_html(found))
    assert "<script>" not in drawn and "endless" in drawn
    assert "9\u202fk – 15\u202fk" in drawn and "0.50 – 2.00" in drawn and "1.9\u202fh" in drawn


def test_studies_over_time_are_drawn() -> None:
    rows = [
        StudySummary(
            HOSTILE, f"2026-01-0{n}T10:00:00+00:00", "task", "data", f"model-{n}", "accuracy",
            HOSTILE, "template", HOSTILE, 0.5 + n / 10, low, 0.9, 40, 4, 1000, 1.0, "same",
        )
        for n, low in ((1, 0.4), (2, None))
    ]  # fmt: skip
    pair = StudyComparisonPair(
        "a", "b", "accuracy", "mcnemar_exact", 0.01, 0.02, -0.1, (-0.2, -0.05), 40, 9
    )
    drawn = (
        html.history_charts_html(rows)
        + html.history_table_html(rows)
        + html.paired_tests_html([pair])
    )
    drawn += html.winners_html(rows) + html.changes_html([SettingChange("seed", None, 13)], "a", "b")
    assert "<script>" not in drawn and drawn.count("<circle") == 2
    assert "<b>b</b> is better than <b>a</b>" in drawn
    assert "+5.0 to +20.0" in drawn
    assert "not set" in drawn


def test_a_corpus_is_named_where_templates_are_mined(tmp_path: Path) -> None:
    context = AppContext(models=["tiny"], runs=tmp_path / "runs")
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("Warsaw is the capital of Poland.\n")
    name = uploaded_name(context.keep_upload, corpus)
    assert name.endswith("/corpus.txt") and context.policy.find_file(name) is not None
    text = "study: mine\ntask: capitals  # a remark\ncandidates:\n- {kind: template, templates: [x]}"
    once = with_corpus(text, name)
    groups = groups_of(read_yaml(once))
    assert [group["kind"] for group in groups] == ["template", "mined_templates"]
    assert groups[1]["corpus"] == name and groups[1]["pairs"] == "train"
    assert "# a remark" in once
    again = groups_of(read_yaml(with_corpus(once, "other/corpus.txt")))
    assert len(again) == 2 and again[1]["corpus"] == "other/corpus.txt"
