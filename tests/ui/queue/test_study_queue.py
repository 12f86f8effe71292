"""Studies in the workbench: in their order, paused, cancelled, resumed, found after a crash."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gradio")

import promptlab as pl
from promptlab.models.local import LocalModel
from promptlab.ui.context import AppContext
from promptlab.ui.queue.study_queue import StudyQueue
from promptlab.ui.study.run import learning_curve_svg, run_controls, study_html
from promptlab.ui.study.run.study_view import StudyView
from tests.helpers.study_queue_fixtures import after, context, is_, study, wait_for  # noqa: F401 - fixtures

pytestmark = pytest.mark.slow

HOSTILE = "<script>alert(1)</script>"


def test_pause_waits_cancel_keeps_and_resume_ends(
    context: AppContext, study: Callable[..., str], after: Callable[..., None]
) -> None:
    jobs = context.queue
    after(2, lambda: jobs.pause("reviews"))
    assert jobs.submit(study(block=1)) == "reviews"
    wait_for(is_(jobs, "reviews", "paused"))
    before = jobs.progress("reviews")
    time.sleep(0.4)
    stood = jobs.progress("reviews")
    assert stood["finished"] == before["finished"] == 2
    assert stood["seconds"] == before["seconds"]  # the clock stands, too
    after(1, lambda: jobs.cancel("reviews"))
    jobs.resume("reviews")
    wait_for(is_(jobs, "reviews", "stopped"))
    assert jobs.progress("reviews")["finished"] == 3
    jobs.resume("reviews")
    wait_for(is_(jobs, "reviews", "decided"))
    board = pl.Study(context.runs / "reviews").leaderboard()
    assert len(board["trials"]) == 22
    phases = [row.get("name") for row in pl.Study(context.runs / "reviews").log()]
    assert "paused" in phases and "going on" in phases
    with pytest.raises(pl.InputError, match="is decided; give this one another name"):
        jobs.resume("reviews")
    assert jobs.free_name("reviews") == "reviews-2"


def test_the_queue_keeps_its_order(
    context: AppContext, study: Callable[..., str], after: Callable[..., None]
) -> None:
    jobs = context.queue
    after(1, lambda: jobs.pause("a"))
    jobs.submit(study(block=1), name="a")
    wait_for(is_(jobs, "a", "paused"))
    for name in ("b", "c", "d"):
        assert jobs.submit(study(budget={"trials": 2}), name=name) == name
    with pytest.raises(pl.InputError, match="'b' is running or queued already"):
        jobs.submit(study(), name="b")
    assert [jobs.state(name)["position"] for name in "bcd"] == [1, 2, 3]
    assert [row["name"] for row in jobs.rows()] == ["a", "b", "c", "d"]
    queued = sorted(path.name for path in (context.runs / ".queue").glob("*-[bcd].yaml"))
    assert [name.partition("-")[2] for name in queued] == ["b.yaml", "c.yaml", "d.yaml"]
    jobs.cancel("c")
    assert [row["name"] for row in jobs.rows()] == ["a", "b", "d"]
    jobs.cancel("a")
    wait_for(is_(jobs, "d", "decided"))
    ended = {n: (context.runs / n / "leaderboard.json").stat().st_mtime_ns for n in "bd"}
    assert ended["b"] < ended["d"] and not (context.runs / "c").exists()
    assert list((context.runs / ".queue").iterdir()) == []


def test_a_new_server_finds_the_queue(
    context: AppContext, study: Callable[..., str], after: Callable[..., None]
) -> None:
    first = StudyQueue(context.runs, context.load_model, context.policy)
    after(1, lambda: first.pause("a"))
    first.submit(study(block=1), name="a")
    wait_for(is_(first, "a", "paused"))
    first.submit(study(budget={"trials": 2}), name="b")
    (context.runs / ".queue" / "0009-c.yaml").write_text("study: c\ntask: nowhere\n")
    first.close()
    jobs = context.queue
    assert jobs.state("a")["state"] == "stopped"
    jobs.start()
    wait_for(is_(jobs, "b", "decided"))
    failed = jobs.state("c")
    assert failed["state"] == "failed" and "candidates" in failed["message"]
    assert jobs.state("a")["state"] == "stopped"  # goes on only when somebody says so
    jobs.cancel("c")
    assert [row["name"] for row in jobs.rows() if row["name"] == "c"] == []


def test_one_server_runs_the_queue_and_another_takes_over(
    context: AppContext, study: Callable[..., str], after: Callable[..., None]
) -> None:
    first, second = StudyQueue(context.runs, context.load_model, context.policy), context.queue
    first.start()
    second.start()
    after(1, lambda: first.pause("a"))
    first.submit(study(block=1), name="a")
    wait_for(is_(first, "a", "paused"))
    first.submit(study(budget={"trials": 2}), name="b")
    assert {row["name"]: row["state"] for row in second.rows()} == {
        "a": "running elsewhere", "b": "queued",
    }  # fmt: skip
    assert second.state("b")["position"] == 1 and second.progress("a")["finished"] == 1
    assert second.free_name("b") == "b-2"
    for action in (lambda: second.submit(study(), name="c"), lambda: second.cancel("b")):
        with pytest.raises(pl.InputError, match="another server runs the queue"):
            action()
    first.close()
    wait_for(is_(second, "b", "decided"))  # by itself
    second.resume("a")
    wait_for(is_(second, "a", "decided"))


def test_failures_keep_their_message(context: AppContext, study: Callable[..., str]) -> None:
    text = study(task={"data": "sst2", "text": "nothing"})
    context.queue.submit(text, name="wrong")
    wait_for(is_(context.queue, "wrong", "failed"))
    told = context.queue.state("wrong")["message"]
    assert "columns of its own" in told
    assert (
        StudyQueue(context.runs, context.load_model, context.policy).state("wrong")["message"]
        == told
    )
    assert context.queue.progress("wrong")["finished"] == 0
    assert told in StudyView.of(context, "wrong").head().replace("&#39;", "'")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model": "another"}, "not on offer"),
        ({"task": "/etc/passwd"}, "no data set"),
        ({"candidates": [{"kind": "os:system"}]}, "no shipped kind"),
        ({"regression": "../secret.jsonl"}, "uploaded"),
    ],
)
def test_what_a_browser_may_not_name(
    context: AppContext, study: Callable[..., str], changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(pl.InputError, match=told):
        context.queue.submit(study(**changes))
    assert context.queue.rows() == []


def test_names_are_names(context: AppContext, study: Callable[..., str]) -> None:
    for name in ("../out", ".queue", "a b", HOSTILE):
        with pytest.raises(pl.InputError):
            context.queue.submit(study(), name=name)
        for action in (context.queue.pause, context.queue.resume, context.queue.cancel):
            with pytest.raises(pl.InputError):
                action(name)
    with pytest.raises(pl.InputError, match="no shipped study"):
        context.queue.submit_shipped("../quickstart")
    with pytest.raises(pl.InputError, match="not on offer"):
        context.queue.submit_shipped("quickstart")


def progress(**changes: Any) -> dict[str, Any]:
    dev = {"accuracy": 0.75, "ci95": [0.6, 0.85], "n": 30}
    row = {"number": 0, "state": "complete", "kind": "template", "name": HOSTILE, "dev": dev}
    found: dict[str, Any] = {
        "study": HOSTILE, "kind": "search", "state": "running", "objective": "accuracy",
        "planned": 4, "finished": 1, "trials": [row | {"prompt": HOSTILE}], "best": 0,
        "running": [{"number": 1, "name": HOSTILE, "done": 15, "examples": 30, "value": 0.5}],
        "seconds": 62.0, "seconds_left": 130.0, "message": "", "statements": [HOSTILE],
        "task": HOSTILE, "model": HOSTILE,
    }  # fmt: skip
    return found | changes


def test_a_folder_that_is_no_study_harms_no_other(context: AppContext) -> None:
    for name, text in (("odd", "study: odd\n"), ("broken", "a: [")):
        (context.runs / name).mkdir(parents=True)
        (context.runs / name / "study.yaml").write_text(text)
    assert {row["state"] for row in context.queue.rows()} == {"unreadable"}
    assert "no run of promptlab wrote it" in StudyView.of(context, "odd").head()


def test_the_order_of_the_list_is_not_that_of_reading(context: AppContext) -> None:
    for second, name in enumerate(("older", "newer")):
        (context.runs / name).mkdir(parents=True)
        file = context.runs / name / "study.yaml"
        file.write_text(f"study: {name}\n")
        os.utime(file, (second, second))
    (context.runs / "older" / "study.db-wal").touch()  # as a reader of the storage does
    assert [row["name"] for row in context.queue.rows()] == ["newer", "older"]


def test_what_is_drawn_is_text() -> None:
    drawn = "".join(
        draw(progress())
        for draw in (
            study_html.header_html,
            study_html.running_html,
            study_html.board_html,
            study_html.state_sentence,
        )
    )
    assert "<script" not in drawn and "&lt;script&gt;" in drawn
    for text in ("<dd>1 of 4</dd>", "75.0\u00a0%", "1 min 2 s", "about 2 min 10 s", "best so far"):
        assert text in drawn
    assert 'style="width:37.50%"' in drawn  # one and a half of four
    assert "interrupted" in study_html.header_html(progress(state="interrupted", running=[]))


def test_buttons_make_sense() -> None:
    def can(state: str, **more: Any) -> tuple[bool, bool, bool]:
        return run_controls.available_controls({"state": state, "folder": "f"} | more)

    assert can("running") == (True, False, True)
    assert can("paused") == (False, True, True)
    assert can("queued") == (False, False, True)
    assert can("interrupted") == (False, True, False)
    assert can("decided") == (False, False, False)
    assert can("running elsewhere") == (False, False, False)


def test_a_learning_curve_is_drawn_while_it_grows() -> None:
    def row(method: str, size: int, mean: float, half: float | None) -> dict[str, Any]:
        ends = (None, None) if half is None else (mean - half, mean + half)
        seeds = 1 if half is None else 3
        return {"method": method, "size": size, "mean": mean, "low": ends[0], "high": ends[1],
                "n_seeds": seeds}  # fmt: skip

    rows = [row(HOSTILE, 0, 0.5, None), row(HOSTILE, 4, 0.7, 0.1), row("b", 4, 0.6, 0.05)]
    drawn = learning_curve_svg.learning_curve_svg(rows, "accuracy")
    assert drawn.count("<polyline") == 2 and drawn.count('class="pl-ends"') == 2
    assert "b at 4: 60.0\u00a0% (55.0\u00a0% – 65.0\u00a0%), 3 draws" in drawn
    assert "<script" not in drawn and "1 draw;" in drawn
    assert learning_curve_svg.learning_curve_svg([], "accuracy") == ""


def test_styles_have_no_lists_within_selectors() -> None:
    """Gradio's prefixing takes the commas in ``:has(a, b)`` for ends of selectors."""
    style = Path(str(files("promptlab.ui"))) / "style"
    text = (style / "study.css").read_text()
    assert not re.search(r":(has|is|where|not)\([^(){}]*,", text)


def test_a_study_that_rests_on_something_else_is_not_gone_on_with(
    context: AppContext,
    study: Callable[..., str],
    after: Callable[..., None],
    seq2seq: LocalModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    jobs = context.queue
    after(2, lambda: jobs.cancel("reviews"))
    jobs.submit(study(block=1))
    wait_for(is_(jobs, "reviews", "stopped"))
    monkeypatch.setattr(jobs, "_load_model", lambda *_: seq2seq)
    jobs.resume("reviews")
    wait_for(is_(jobs, "reviews", "failed"))
    message = jobs.state("reviews")["message"]
    assert "rests on something else than before" in message and "weights (" in message
