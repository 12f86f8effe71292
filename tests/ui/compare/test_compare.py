"""The functions under the tab Compare, without a browser."""

from __future__ import annotations

import csv
import inspect
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gradio")

import gradio as gr

import promptlab as pl
from promptlab.data.task import Task
from promptlab.models.local import LocalModel
from promptlab.predictors import Rescorer
from promptlab.ui.compare import (
    answer_edit,
    answer_edit_section,
    answer_edit_view,
    cell_detail,
    endpoint,
    export,
    paired_tests,
    prompts,
    run,
    table,
)
from promptlab.ui.compare.comparison_sheet import ComparisonSheet, make_sheet, open_task
from promptlab.ui.compare.prompts import ListedPrompt
from promptlab.ui.compare.tab import build_compare_tab
from promptlab.ui.context import AppContext
from promptlab.ui.failures.tab import build_failures_tab

HOSTILE = "<script>alert(1)</script>"
ANSWERS = "negative: bad\npositive: good"
PLAIN = ListedPrompt("plain", "{text} It was {mask}", ANSWERS)
OTHER = ListedPrompt("other", f"{HOSTILE} {{text}} {{mask}}", ANSWERS, "contextual", 2)


def filled(
    model: LocalModel, task: Task, *listed: ListedPrompt, count: int = 10
) -> ComparisonSheet:
    sheet = make_sheet(task, count, listed, {"tiny": lambda: model})
    for _ in run.fill_sheet(sheet):
        pass
    return sheet


@pytest.fixture(scope="module")
def sheet(causal: LocalModel, task: Task) -> ComparisonSheet:
    return filled(causal, task, PLAIN, OTHER, ListedPrompt("bad", "{nothing} {mask}", ANSWERS))


def test_a_grid_is_drawn(sheet: ComparisonSheet) -> None:
    assert sheet.state == "done" and [head.letter for head in sheet.heads] == ["A", "B", "C"]
    drawn = str(table.table_html(sheet, "all", "data", 0))
    assert drawn.count("data-cell=") == 20 and "<script" not in drawn
    accuracy = pl.Evaluation.from_predictions(sheet.grid.columns["A"]).accuracy
    assert f"{100 * accuracy:.1f}\u00a0%" in drawn and "tokens each" in drawn
    assert "nothing" in drawn  # why C could not be run
    assert "30 of 30" not in drawn and "30 cells" in run.progress_html(sheet)


def test_disagreements_come_first(sheet: ComparisonSheet) -> None:
    kinds = [sheet.agreement(row) for row in sheet.rows("all", "split")]
    assert kinds == sorted(kinds, key=["split", "wrong", "right"].index)
    for keep in ("split", "wrong", "right"):
        assert {sheet.agreement(row) for row in sheet.rows(keep, "data")} <= {keep}
    assert sum(len(sheet.rows(keep, "data")) for keep in ("split", "wrong", "right")) == 10


def test_large_grids_have_pages(causal: LocalModel, task: Task) -> None:
    sheet = filled(causal, task, PLAIN, count=12)
    sheet.grid.columns["A"] = sheet.grid.columns["A"] + sheet.grid.columns["A"]
    sheet.grid.columns["A"] += sheet.grid.columns["A"]
    sheet.grid.examples = [*task.dev, *task.dev, *task.dev, *task.dev]
    assert table.table_html(sheet, "all", "data", 0).count("<tr data-row") == 25
    second = table.table_html(sheet, "all", "data", 8)
    assert second.count("<tr data-row") == 23 and "26–48 of 48" in second


def test_a_cell_is_told_in_full(sheet: ComparisonSheet) -> None:
    row, letter = cell_detail.read_cell(sheet, "3:B")
    drawn = str(cell_detail.cell_html(sheet, row, letter))
    assert "&lt;script&gt;" in drawn and "<script" not in drawn
    assert "{mask}</mark>" in drawn and drawn.count("pl-bar-name") == 2
    assert "prompt tokens" in drawn
    for place in ("x", "3:Z", "99:A", "", None, "0:C"):
        with pytest.raises(pl.InputError):
            cell_detail.read_cell(sheet, place)


def test_pairs_in_words_and_as_a_matrix(sheet: ComparisonSheet) -> None:
    drawn = str(paired_tests.paired_test_html(sheet, "A · plain", "B"))
    assert "exact McNemar" in drawn or "right on the same" in drawn
    assert "95 % interval" in drawn and "n = 10" in drawn
    matrix = paired_tests.paired_matrix_html(sheet)
    assert "over 1 pair." in matrix and matrix.count("<b>") == 2
    with pytest.raises(pl.InputError, match="two different"):
        paired_tests.paired_test_html(sheet, "A", "A")
    with pytest.raises(pl.InputError, match="not filled"):
        paired_tests.paired_test_html(sheet, "A", "C")


def test_answers_are_edited_from_kept_slots(fresh: Callable[..., LocalModel], task: Task) -> None:
    model = fresh("tiny_causal")
    sheet = filled(model, task, PLAIN)
    editing = answer_edit.begin_answer_edit(sheet, "A")
    spent = model.usage.computed_tokens
    shown = answer_edit.change_answers(
        editing, "negative: terrible, bad\npositive: great", "contextual"
    )
    assert model.usage.computed_tokens == spent
    words = {"negative": ["terrible", "bad"], "positive": ["great"]}
    expected = pl.PromptClassifier(PLAIN.template, words, model, calibration="contextual")
    accuracy = expected.evaluate(sheet.examples).accuracy
    assert f"<b>{100 * accuracy:.1f}" in shown and "Changed labels" in shown
    waiting = answer_edit.change_answers(
        editing, "negative: not a good film\npositive: great", "none"
    )
    assert "the model has to be asked" in waiting and model.usage.computed_tokens == spent
    answer_edit.score_unread_answers(editing, "negative: not a good film\npositive: great", "none")
    asked = answer_edit.change_answers(
        editing, "negative: not a good film\npositive: great", "none"
    )
    assert "has to be asked" not in asked and model.usage.computed_tokens > spent
    with pytest.raises(pl.InputError, match="line 1"):
        answer_edit.change_answers(editing, "no colon", "none")
    with pytest.raises(pl.InputError, match="no answer for the label"):
        answer_edit.change_answers(editing, "negative: bad\nother: good", "none")
    entry = answer_edit.yaml_of(editing, ANSWERS, "pmi")
    assert entry.startswith("# calibration: pmi") and "plain-edited" in entry


def test_what_is_edited_keeps_its_weights(causal: LocalModel, task: Task) -> None:
    sheet = filled(causal, task, PLAIN)
    own = pl.Verbalizer({"negative": {"bad": 2.0}, "positive": "good"}, aggregation="max")
    classifier = pl.PromptClassifier(PLAIN.template, own, causal)
    editing = answer_edit.AnswerEdit(sheet, "A", Rescorer(classifier, sheet.examples))
    changed = answer_edit.verbalizer(editing, "negative: bad, terrible\npositive: good")
    assert changed.weights == (2.0, 1.0, 1.0) and changed.aggregation == "max"
    drawn = str(
        answer_edit_view.answer_edit_html(sheet, editing.rescorer.base, editing.rescorer.base, "A")
    )
    assert "as before" in drawn and "changes no right answer" in drawn


def test_replies_that_are_parsed(causal: LocalModel, task: Task) -> None:
    known = {item.full_name: item for item in pl.templates()}
    listed = prompts.from_library(known["sentiment/instruct-json"], "contextual")
    assert listed.calibration == "none" and not listed.answers
    sheet = filled(causal, task, listed, count=2)
    assert not sheet.grid.errors and all(row.unparsed for row in sheet.grid.columns["A"])
    assert "pl-unparsed" in table.table_html(sheet, "all", "data", 0)
    assert "Reply" in cell_detail.cell_html(sheet, 0, "A")
    with pytest.raises(pl.InputError, match="no answer words"):
        answer_edit.begin_answer_edit(sheet, "A")


def test_cancelling_keeps_what_is_filled(causal: LocalModel, task: Task) -> None:
    sheet = make_sheet(task, 12, [PLAIN], {"tiny": lambda: causal})
    sheet.grid.cancellation.request()
    assert len(list(run.fill_sheet(sheet))) == 1 and sheet.state == "cancelled"
    assert "Cancelled: 0 of 12 cells" in run.progress_html(sheet)


def test_the_list_of_prompts() -> None:
    start = prompts.starting_prompts()
    names = prompts.number_prompts([*start, start[0]])
    assert len(set(names)) == 4 and names[-1].endswith("(2)")
    assert prompts.select_prompts([*start, start[0]], names[1:2]) == [start[1]]
    made = prompts.list_prompt("sentiment/it-was", "{text} so {mask}", ANSWERS, "none", 2)
    assert made.short == "it-was, edited · 2 shown" and made.library == ""
    own: Any = ("", "{text} {mask}")
    for faulty in (("no slot", ANSWERS), (own[1], ""), (own[1], "a"), (own[1], "a: x\na: y")):
        with pytest.raises(pl.InputError):
            prompts.list_prompt("", *faulty, "none", 0)
    with pytest.raises(pl.InputError, match="0 to 32"):
        prompts.list_prompt(*own, ANSWERS, "none", 99)


def test_what_cannot_be_run(task: Task, tmp_path: Path) -> None:
    load: Any = {"tiny": lambda: None}
    for count, listed, models in ((0, [PLAIN], load), (9999, [PLAIN], load), (4, [], load),
                                  (4, [PLAIN], {}), (4, [PLAIN] * 13, load)):  # fmt: skip
        with pytest.raises(pl.InputError):
            make_sheet(task, count, listed, models)
    with pytest.raises(pl.InputError, match="no data set"):
        open_task("../secret", None)
    file = tmp_path / "own.csv"
    file.write_text("body,stars\n" + "".join(f"text {n},{n % 2}\n" for n in range(40)))
    usual = open_task("", file, "body", "stars")
    assert usual.labels == ("0", "1") and len(usual.dev) == 12
    larger = open_task("", file, "body", "stars", count=16)
    assert len(larger.dev) == 16 and larger.test == usual.test  # they come out of train
    assert open_task("", file, "body", "stars", count=999).dev == usual.dev
    assert "sentiment/it-was" in prompts.fitting_templates(task)
    assert "spam/contains" not in prompts.fitting_templates(task)


def test_the_endpoint_gives_the_grid(causal: LocalModel, task: Task) -> None:
    sheet = make_sheet(task, 6, [PLAIN, OTHER], {"tiny": lambda: causal})
    found = endpoint.compare(sheet)
    assert [column["column"] for column in found["columns"]] == ["A", "B"]
    assert len(found["examples"]) == 6 and len(found["columns"][0]["labels"]) == 6
    assert found["pairs"][0]["n"] == 6 and "accuracy" in found["pairs"][0]["words"]


def test_a_grid_as_files(sheet: ComparisonSheet) -> None:
    rows = list(csv.reader(io.StringIO(export.export_sheet("csv", sheet))))
    assert len(rows) == 11 and rows[0][3:5] == ["agreement", sheet.heads[0].name]
    assert rows[1][5] in ("right", "wrong") and 0 < float(rows[1][6]) <= 1
    assert rows[1][-3:] == ["", "", ""]  # C could not be run
    found = json.loads(export.export_sheet("json", sheet))
    assert found["columns"][1]["cells"][0]["label"] == found["columns"][1]["labels"][0]
    assert found["columns"][1]["tokens"] > 0 and found["columns"][2]["error"]
    assert len(found["pairs"]) == 1 and found["state"] == "done"
    told = export.export_sheet("summary", sheet)
    assert told.count("\n| ") >= 3 and "exact McNemar" in told and "tokens" in told
    assert "## Disagreements" in told and f"\n{HOSTILE}" in told.replace("```\n", "\n")
    with pytest.raises(pl.InputError, match="run the grid first"):
        export.export_sheet("csv", None)


def test_files_of_hostile_texts(causal: LocalModel, task: Task) -> None:
    texts = [f"=HYPERLINK(1) | {HOSTILE} {n}\n# big" for n in range(4)]
    examples = [pl.Example(f"+a{n}", {"text": text}, "negative") for n, text in enumerate(texts)]
    own = replace(task, name="@own|<b>", dev=tuple(examples))
    sheet = filled(causal, own, PLAIN, ListedPrompt("=x", "```{text}``` {mask}", ANSWERS), count=4)
    for row in csv.reader(io.StringIO(export.export_sheet("csv", sheet))):
        assert not any(cell.startswith(("=", "+", "@", "-")) for cell in row)
    told = export.export_sheet("summary", sheet)
    assert "\n````\n```{text}``` {mask}" in told  # the fence is longer than the text's own
    assert "@own\\|\\<b\\>" in told and "\n# big" not in told


def test_every_place_of_compare_and_failures_has_one_writer(tmp_path: Path) -> None:
    """Of two listeners that draw the same place, the older one's answer could come last."""
    context = AppContext(("tiny",), tmp_path)
    with gr.Blocks() as app, gr.Tabs():
        for build in (build_compare_tab, build_failures_tab):
            with gr.Tab(build.__name__) as page:
                build(app, context, page)
    writers: dict[gr.HTML, list[Any]] = {}
    for fn in app.fns.values():
        for box in fn.outputs:
            if isinstance(box, gr.HTML):
                writers.setdefault(box, []).append(fn)
    several = {box.elem_id: len(fns) for box, fns in writers.items() if len(fns) > 1}
    assert several == {"failure-told": 3}  # three buttons, each answered in words
    drawing = [fns[0] for fns in writers.values() if len(fns) == 1]
    answers = [fn for fn in drawing if fn.trigger_mode != "always_last"]
    assert len(answers) == 2  # complaints of *Run* and *Add to the list*
    picks = [fn for fn in app.fns.values() if fn.trigger_mode == "always_last"]
    assert len(picks) > 10 and not any(takes_event(fn.fn) for fn in picks if fn.fn is not None)


def takes_event(function: Any) -> bool:
    """Whether it reads an event's data: of events that were merged, the first one's."""
    hints = [str(p.annotation) for p in inspect.signature(function).parameters.values()]
    return any("EventData" in hint or "SelectData" in hint for hint in hints)


def test_a_second_run_stops_the_first(causal: LocalModel, task: Task, tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text("text,label\n" + "".join(f"text {n},{n % 2}\n" for n in range(40)))
    context = AppContext(("tiny",), tmp_path)
    first = make_sheet(task, 12, [PLAIN], {"tiny": lambda: causal})
    going = run.fill_sheet(first)
    next(going)

    def begin(*ticked: str) -> tuple[Any, ...]:
        data = ("", str(file), "", "", 4)
        return run._begin(
            context.load_model, 6, first, *data, [PLAIN], list(ticked), ["tiny"], "", ""
        )

    made, complaint, *_ = begin()
    assert "tick a prompt" in complaint and not first.grid.cancellation.requested
    assert made == gr.skip()  # what is on the page stays
    made, *_ = begin("plain")
    assert [head.name for head in made.heads] == ["A · plain · tiny"]
    assert list(going) == [None] and first.state == "cancelled" and made.state == "waiting"
    assert "Waiting" in run._far(made)[0] and not run._far(made)[1].interactive
    made.grid.cancellation.request()
    assert "Cancelling" in run._far(made)[0] and not run._far(made)[2].interactive


def test_what_is_begun_for_a_column(fresh: Callable[..., LocalModel], task: Task) -> None:
    sheet = filled(fresh("tiny_causal"), task, PLAIN, OTHER)
    refused, *_ = answer_edit_section._start(
        None, make_sheet(task, 4, [PLAIN], {"x": lambda: None}), "A"
    )
    assert (
        isinstance(refused, pl.InputError)
        and "not filled" in answer_edit_section._show(refused, "", "")[0]
    )
    assert isinstance(answer_edit_section._once_more(refused), int)
    begun, answers, calibration = answer_edit_section._start(refused, sheet, "A · plain")
    assert (answers, calibration) == (ANSWERS, "none") == answer_edit_section._undo(begun)
    assert "as before" in answer_edit_section._show(begun, answers, calibration)[0]
    kept = answer_edit_section._start(begun, sheet, "A")
    assert all(value == gr.skip() for value in kept)  # what was typed stays
    assert answer_edit_section._start(begun, sheet, "B")[0].letter == "B"
    long = "negative: " + "very " * 400 + "bad\npositive: good"
    assert "pl-compare-asks" in answer_edit_section._show(begun, long, "none")[0]
    answer_edit.score_unread_answers(begun, long, "none")
    assert begun.refused is None or "pl-error" in answer_edit_section._show(begun, long, "none")[0]
    assert "pl-error" in answer_edit_section._show(begun, "x" * 10**6, "none")[0]
