"""The failures' tab without a browser: filters, groups, corrections, files, the API."""

from __future__ import annotations

import csv
import io
import json
import math
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import promptlab as pl
from promptlab.evaluation.failure import Failure
from promptlab.evaluation.failure_log import write_lines
from promptlab.evaluation.trace import Trace

gr = pytest.importorskip("gradio")

from promptlab.ui.context import AppContext  # noqa: E402
from promptlab.ui.failures import (  # noqa: E402
    components,
    correction_section,
    detail,
    endpoints,
    export,
    failure_query,
    groups,
    tab,
    table,
)

HOSTILE = '=HYPERLINK("http://x") <script>alert(1)</script>'


def miss(number: int, text: str, **changes: Any) -> Failure:
    scores = {"good": math.log(0.8), "bad": math.log(0.2)}
    made = Failure(str(number), {"text": text}, f"{text} {{mask}}", "bad", "good", "dev",
                   scores=scores)  # fmt: skip
    return Failure(**vars(made) | changes)


def misses() -> list[Failure]:
    trace = Trace()
    trace.root.step("thought", prompt="Think {mask}", reply=f"hm {HOSTILE}")
    return [
        miss(1, "dull plot"),
        miss(2, HOSTILE, reply=HOSTILE),
        miss(3, "so so", expected="good", actual="middling", unparsed=True, scores=None,
             trace=trace.record()),
        miss(4, "late", actual=None, unparsed=True, scores=None, error="timed out", split="test"),
        miss(5, "two", members=[{"prompt": "a {mask}", "answers": {}, "name": HOSTILE}]),
    ]  # fmt: skip


@pytest.fixture
def context(tmp_path: Path) -> AppContext:
    runs = tmp_path / "runs"
    for name in ("films", "begun"):
        (runs / name).mkdir(parents=True)
        (runs / name / "study.yaml").write_text("study: x\n")
    write_lines(runs / "films" / "failures.jsonl", (one.record() for one in misses()))
    write_lines(tmp_path / "failures.jsonl", (one.record() for one in misses()))
    return AppContext(("none",), runs)


def test_only_studies_of_this_place_are_opened(context: AppContext) -> None:
    assert failure_query.studies_with_failures(context.runs) == ["films"]
    assert len(failure_query.open_failure_log(context.runs, "films").failures) == 5
    for name, told in (("", "decided"), ("..", "no study"), ("begun", "not decided yet"),
                       ("../runs/films", "no study")):  # fmt: skip
        with pytest.raises(pl.InputError, match=told):
            failure_query.open_failure_log(context.runs, name)


def test_filters(context: AppContext) -> None:
    found = failure_query.open_failure_log(context.runs, "films")
    found.correct("1", expected="mixed", note="ironic", any_answer=True)

    def ids(**asked: Any) -> str:
        return "".join(
            one.example_id for one in failure_query.filter_failures(found.failures, **asked)
        )

    assert ids() == "12345"
    assert ids(words="IRONIC dull") == "1" and ids(words="nowhere") == ""
    assert ids(confusion="bad → good") == "125"
    assert ids(stand="unparsed") == "3" and ids(stand="error") == "4"
    assert ids(stand="corrected") == "1" and ids(stand="open") == "2345"
    assert ids(split="test") == "4" and ids(ids=["2", "5", "9"]) == "25"
    assert failure_query.confusions(found.failures)[1] == ("bad → good (3)", "bad → good")
    assert failure_query.splits(found.failures) == [
        ("all", ""),
        ("dev (4)", "dev"),
        ("test (1)", "test"),
    ]
    assert failure_query.labels(found.failures, found.failures[0]) == ["good", "bad"]
    assert failure_query.labels(found.failures, found.find("3")) == ["bad", "mixed", "good"]


def test_everything_is_drawn_as_text(context: AppContext) -> None:
    found = failure_query.open_failure_log(context.runs, "films")
    found.correct("2", expected=HOSTILE, note=HOSTILE, any_answer=True)
    found.correct("3", accept=True)
    drawn = [table.failures_html(found.failures, 0, "2"), table.failures_summary(found.failures)]
    drawn += [detail.failure_html(one) for one in found.failures]
    drawn += [
        groups.groups_html(groups.group_failures(found.failures, by), 0) for _, by in groups.WAYS
    ]
    everything = "".join(drawn)
    assert "<script" not in everything and "&lt;script&gt;" in everything
    assert drawn[0].count("data-pick=") == 5 and drawn[0].count('aria-current="true"') == 1
    assert "<b>2</b><span>corrected" in drawn[1] and "<b>1</b><span>no reply" in drawn[1]
    assert "80.0" in drawn[2] and "<mark>{mask}</mark>" in drawn[2] and "✓ bad" in drawn[2]
    assert "thought" in drawn[4] and "timed out" in drawn[5]
    assert "No failure is like that" in table.failures_html([])
    assert (
        len(groups.group_failures(found.failures, "kind")) == 3
        and groups.group_failures([], "words") == []
    )


def test_corrections(context: AppContext) -> None:
    found = failure_query.open_failure_log(context.runs, "films")
    assert (
        correction_section.correct(found, "1", components.OTHER, " mixed ", "why").wanted_answer
        == "mixed"
    )
    assert (
        correction_section.correct(found, "1", components.ACCEPT, "ignored", "").wanted_answer
        == "good"
    )
    for way, answer, number in ((components.OTHER, " ", "1"), (components.OTHER, None, "1"),
                                (components.ACCEPT, "", "4"),
                                (components.OTHER, "x", "99")):  # fmt: skip
        with pytest.raises(pl.InputError):
            correction_section.correct(found, number, way, answer, "")
    form = components.form_of(found.find("1"), ["good", "bad"])
    assert form[1] == components.ACCEPT and form[2].value == "bad" and form[4].visible
    assert not components.form_of(None, [])[0].visible


def test_files(context: AppContext) -> None:
    found = failure_query.open_failure_log(context.runs, "films")
    found.correct("2", expected="good", note="+1", any_answer=True)
    rows = list(csv.DictReader(io.StringIO(export.export_failures("csv", found.failures, "films"))))
    assert rows[1]["input: text"] == f"'{HOSTILE}" and rows[1]["note"] in ("'+1", "+1")
    assert rows[1]["reply"] == f"'{HOSTILE}" and rows[1]["corrected"] == "good"
    assert not any(cell.startswith(("=", "@", "\t")) for row in rows for cell in row.values())
    suite = [
        json.loads(line)
        for line in export.export_failures("suite", found.failures, "x").splitlines()
    ]
    assert [one["label"] for one in suite] == ["bad", "good", "good", "bad", "bad"]
    talks = export.export_failures("sft", found.failures[:1], "x")
    assert json.loads(talks)["messages"][1]["content"] == "bad"
    with pytest.raises(pl.InputError, match="none of these"):
        export.export_failures("sft", [], "x")


def test_the_api(context: AppContext) -> None:
    with gr.Blocks() as app:
        endpoints.add_failure_endpoints(context.runs)
    calls = {fn.api_name: fn.fn for fn in app.fns.values()}
    rows = calls["failures"]("films", stand="error")
    assert [row["example_id"] for row in rows] == ["4"] and rows[0]["error"] == "timed out"
    done = calls["correct_failure"]("films", "2", expected="good", note="n")
    assert done["right"] == "good" and done["fields"][0] == {"name": "text", "value": HOSTILE}
    assert failure_query.open_failure_log(context.runs, "films").corrections["2"].note == "n"
    for call in (
        lambda: calls["failures"]("../films"),
        lambda: calls["correct_failure"]("films", "2"),
        lambda: calls["correct_failure"]("films", "2", "x", True),
        lambda: calls["correct_failure"]("films", "77", "x"),
    ):
        with pytest.raises(gr.Error):
            call()


def question(opened: components.Opened, group: Any = None, **filters: str) -> list[Any]:
    asked = {"words": "", "confusion": "", "stand": "", "split": ""} | filters
    return [opened, *asked.values(), group]


def test_a_study_that_is_open_keeps_its_questions(context: AppContext) -> None:
    first = tab._turned(context.runs, 10, None, components.NOTHING)
    assert (
        first[1] == ("films", failure_query.failure_log_stamp(context.runs, "films"))
        and first[-1] == "1"
    )
    assert len(first) == 10 and first[0].value == "films"
    again = tab._turned(context.runs, 10, "films", first[1])
    assert all(value == gr.skip() for value in again[1:])
    anew = tab._turned(context.runs, 10, "films", ("films", 0))  # the study was run again
    assert anew[1] == first[1] and anew[2] == ""
    cards, group = tab._grouped(context.runs, first[1], "kind", "1")
    assert cards.count('aria-current="true"') == 1 and group[0] == first[1]
    assert tab._grouped(context.runs, first[1], "kind", "")[1] is None
    assert tab._grouped(context.runs, first[1], "none", "0") == ("", None)
    assert components.ids_of(group, first[1]) == group[1]
    assert components.ids_of(group, ("other", 1)) is None  # a group of another study


def test_a_correction_is_of_the_failure_that_its_form_shows(context: AppContext) -> None:
    misses: Any = SimpleNamespace(runs=context.runs)
    misses.asked = partial(components.FailureComponents.asked, misses)
    subject = json.dumps(["films", "1"])
    opened = ("films", failure_query.failure_log_stamp(context.runs, "films"))
    told, bell, going = correction_section._kept_with_next(
        misses, subject, components.OTHER, "mixed", "", *question(opened, stand="open")
    )
    assert "example 1 is kept" in told and isinstance(bell, int)
    assert json.loads(going) == {"from": "1", "to": "2", "page": 0}
    assert (
        failure_query.open_failure_log(context.runs, "films").corrections["1"].expected == "mixed"
    )
    elsewhere = question(("begun", 0))  # another study was chosen, the form is still the first's
    assert (
        "pl-error"
        in correction_section._kept_with_next(
            misses, subject, components.OTHER, "x", "", *elsewhere
        )[0]
    )
    assert "taken back" in correction_section._withdrawn(misses, subject)[0]
    assert "no correction" in correction_section._withdrawn(misses, subject)[0]
    for strange in ("", "[]", "7", "{}", '["../films", "1"]', '["films", "99"]'):
        assert "pl-error" in correction_section._kept(misses, strange, components.OTHER, "x", "")[0]
