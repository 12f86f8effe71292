"""Learners in a study: kept, pruned, given more, stopped and continued without loss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from promptlab.cancellation import Cancellation
from promptlab.candidates.base import Trial
from promptlab.errors import Cancelled, StudyError
from promptlab.events import BlockScored, Event, Events, Step, TrialAsked, TrialFinished, Warned
from promptlab.models.local import LocalModel
from promptlab.predictors.candidate import Candidate
from promptlab.study.folder.step_log import read_steps
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from tests.helpers.learner_fixtures import EVALUATIONS, WORDS, Follower, Learner
from tests.helpers.study_fixtures import study_document, write_reviews

pytestmark = pytest.mark.slow

ALLOWED_CODE = ("tests.helpers",)

LEARNER: dict[str, Any] = {"kind": "tests.helpers.learner_fixtures:Learner"}
TEMPLATES = study_document(Path())["candidates"][0]
Start = Callable[..., tuple[StudyRun, list[Event]]]


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    Learner.forget()
    Follower.known.clear()
    yield


@pytest.fixture
def start(tmp_path: Path, masked: LocalModel) -> Start:
    """Makes a run of a study of learners; ``stop`` cancels it at an event."""
    data = write_reviews(tmp_path / "reviews.csv")

    def make(
        *candidates: dict[str, Any], stop: Callable[[Event], bool] | None = None, **changes: Any
    ) -> tuple[StudyRun, list[Event]]:
        heard: list[Event] = []
        cancellation = Cancellation()

        def listen(event: Event) -> None:
            heard.append(event)
            if stop is not None and stop(event):
                cancellation.request()

        spec = load_spec(
            study_document(data, candidates=list(candidates), **changes), source="test"
        )
        out = tmp_path / "runs"
        run = StudyRun(
            spec, out=out, events=Events(listen), cancellation=cancellation, model=masked
        )
        return run, heard

    return make


def told(heard: list[Event], state: str | None = None) -> list[TrialFinished]:
    return [e for e in heard if isinstance(e, TrialFinished) and state in (None, e.state)]


def left_open(run: StudyRun) -> list[int]:
    return [t.number for t in run.context.study.get_trials() if not t.state.is_finished()]


def test_what_is_kept_is_not_fitted_again(start: Start) -> None:
    run, heard = start(LEARNER)
    board = run.run()
    best = board["best"]["candidate"]["word"]
    assert Counter(Learner.fitted) == Counter(WORDS) + Counter([best])  # the control, once
    kept = {path.name for path in (run.folder.path / "fitted").iterdir()}
    assert kept == {t.user_attrs["asked"]["key"] for t in run.context.study.get_trials()}
    assert not list((run.folder.path / "checkpoints").glob("*"))
    assert len(told(heard, "complete")) == len(WORDS)
    for row in board["trials"]:
        assert row["curve"] == [[n, 0.5 + n / 100] for n in range(EVALUATIONS)]
        steps = read_steps(run.folder.steps_folder / f"{row['number']}.jsonl")
        assert [step["step"] for step in steps] == list(range(EVALUATIONS))
        assert steps[0]["notes"] == {"w": row["candidate"]["word"]}
        assert row["seconds"] > 0
    assert not list(run.folder.path.rglob("*.partial"))


def test_what_a_learner_gives_up_is_pruned_with_its_reason(start: Start) -> None:
    words = ["great", "terrible", "good"]
    for changes in ({}, {"sampler": "tpe"}, {"objectives": ["macro_f1", "tokens"]}):
        name = f"given-up-{len(changes)}-{len(str(changes))}"
        run, heard = start(LEARNER | {"words": words}, study=name, **changes)
        board = run.run()
        (row,) = [row for row in board["trials"] if row["state"] == "pruned"]
        assert row["reason"] == "diverged at step 1: the loss is nan"
        assert not run.folder.predictions_file(row["number"]).exists()
        assert not run.folder.fitted_folder(
            run.context.study.trials[row["number"]].user_attrs["asked"]["key"]
        ).exists()
        first = next(e for e in told(heard, "pruned"))
        assert first.reason == row["reason"]
        assert "diverged at step 1" in run.folder.report_file.read_text()
        assert len(told(heard)) == (30 if "sampler" in changes else 3)


def test_a_learner_with_room_gets_every_trial_once(start: Start) -> None:
    run, heard = start(LEARNER, batch=2)
    run.run()
    assert sorted(Learner.fitted[:-1]) == sorted(WORDS)
    asked = [e.number for e in heard if isinstance(e, TrialAsked)]
    assert sorted(asked) == sorted(e.number for e in told(heard)) == list(range(len(WORDS)))
    finished = next(i for i, e in enumerate(heard) if isinstance(e, TrialFinished))
    third = [i for i, e in enumerate(heard) if isinstance(e, TrialAsked)][2]
    assert third > finished  # asked for in the middle of the first batch
    assert not left_open(run)


@pytest.mark.parametrize("sampler", ["exhaustive", "random", "tpe"])
def test_other_groups_and_repeats_are_put_aside(start: Start, sampler: str) -> None:
    second = LEARNER | {"words": ["great", "movie", "terrible"], "room": 1}
    run, heard = start(LEARNER, TEMPLATES, second, batch=3, sampler=sampler, budget={"trials": 40})
    board = run.run()
    planned = 40 if sampler != "exhaustive" else len(WORDS) + 2 + 12
    assert len(told(heard)) == planned
    assert len({e.number for e in told(heard)}) == planned
    assert not left_open(run)
    keys = [row["candidate"] for row in board["trials"]]
    assert len({str(key) for key in keys}) == len(keys)
    best = board["best"]["candidate"].get("word")
    assert max(Counter(Learner.fitted).values()) <= (2 if best else 1)


def test_what_was_fitted_before_the_kill_is_loaded(start: Start) -> None:
    stopped, _ = start(LEARNER, batch=4, stop=lambda event: isinstance(event, BlockScored))
    with pytest.raises(Cancelled):
        stopped.run()
    before = list(Learner.fitted)
    assert len(before) == 1
    assert len(list((stopped.folder.path / "fitted").iterdir())) == 1
    run, heard = start(LEARNER, batch=4)
    board = run.run()
    assert Counter(Learner.fitted) == Counter(WORDS) + Counter([board["best"]["candidate"]["word"]])
    assert [e.name for e in told(heard)].count(before[0]) == 1
    assert sorted(row["candidate"]["word"] for row in board["trials"]) == sorted(WORDS)
    (again,) = [r for r in board["trials"] if r["candidate"]["word"] == before[0]]
    assert again["curve"] == [[n, 0.5 + n / 100] for n in range(EVALUATIONS)]
    assert not left_open(run)


def test_a_kept_predictor_that_cannot_be_read_is_fitted_again(start: Start) -> None:
    stopped, _ = start(LEARNER, stop=lambda event: isinstance(event, BlockScored))
    with pytest.raises(Cancelled):
        stopped.run()
    (kept,) = (stopped.folder.path / "fitted").iterdir()
    (kept / "predictor.json").write_text("{")
    word = Learner.fitted[0]
    run, _ = start(LEARNER)
    run.run()
    assert Learner.fitted.count(word) >= 2
    assert "predictor" in (kept / "predictor.json").read_text()


def test_a_kept_predictor_that_was_changed_is_fitted_again(start: Start) -> None:
    """It can be read, and says something else than what was judged."""
    first, _ = start(LEARNER)
    board = first.run()
    (first.folder.path / "leaderboard.json").unlink()
    (first.folder.path / "predictions" / "test.jsonl").unlink()
    kept = first.folder.fitted_folder(Candidate.of("learner", board["best"]["candidate"], "").key)
    document = kept / "predictor.json"
    word = board["best"]["candidate"]["word"]
    document.write_text(document.read_text().replace(f'"{word}"', '"terrible"', 1))
    run, heard = start(LEARNER)
    assert run.run()["best"]["test"] == board["best"]["test"]
    warned = [e.message for e in heard if isinstance(e, Warned)]
    assert any("predictor.json" in text and "fitted again" in text for text in warned), warned


def test_learning_goes_on_where_it_was_killed(start: Start) -> None:
    def third_step(event: Event) -> bool:
        return isinstance(event, Step) and event.step == 2

    stopped, heard = start(LEARNER, batch=2, stop=third_step)
    with pytest.raises(Cancelled):
        stopped.run()
    number = next(e.number for e in heard if isinstance(e, Step) and e.step == 2)
    word = next(e.name for e in heard if isinstance(e, TrialAsked) and e.number == number)
    assert not Learner.fitted
    run, _ = start(LEARNER, batch=2)
    board = run.run()
    assert (word, 3) in Learner.begun_at
    (row,) = [row for row in board["trials"] if row["candidate"]["word"] == word]
    assert row["number"] == number
    assert [point[0] for point in row["curve"]] == list(range(EVALUATIONS))
    steps = read_steps(run.folder.steps_folder / f"{row['number']}.jsonl")
    assert [step["step"] for step in steps] == list(range(EVALUATIONS))
    assert sorted(r["candidate"]["word"] for r in board["trials"]) == sorted(WORDS)


@pytest.mark.parametrize("moment", [1, 4, 9, 14, 23, 31, 40])
def test_stopped_anywhere_loses_nothing_and_repeats_nothing(start: Start, moment: int) -> None:
    events: list[Event] = []

    def at_the_moment(event: Event) -> bool:
        events.append(event)
        return len(events) >= moment

    groups = (LEARNER, TEMPLATES, {"kind": "tests.helpers.learner_fixtures:Follower"})
    stopped, first = start(*groups, batch=3, stop=at_the_moment)
    with pytest.raises(Cancelled):
        stopped.run()
    run, second = start(*groups, batch=3)
    board = run.run()
    names = [e.name for e in told(first) + told(second) if e.repeated is None]
    assert len(names) == len(set(names)) == len(board["trials"])
    assert len(told(first) + told(second)) == len(WORDS) + 12 + 2
    assert not left_open(run)
    best = board["best"]["candidate"].get("word") if board["best"]["kind"] == "learner" else None
    assert Counter(Learner.fitted) == Counter(WORDS) + Counter([best] if best else [])


@pytest.mark.parametrize("pruner", ["median", "halving", "hyperband", "wilcoxon", "none"])
def test_pruned_while_it_learns(start: Start, pruner: str) -> None:
    Learner.levels.update({word: 0.9 - 0.1 * n for n, word in enumerate(WORDS)})
    group = LEARNER | {"room": 1}
    run, heard = start(group, pruner=pruner, seed=5)
    board = run.run()
    given_up = [row for row in board["trials"] if row["state"] == "pruned"]
    assert all("below the others at evaluation" in row["reason"] for row in given_up)
    assert all(row["reason"].endswith(str(row["curve"][-1][0])) for row in given_up)
    assert bool(given_up) == (pruner not in ("wilcoxon", "none"))
    assert not any(t.intermediate_values for t in run.context.study.get_trials())
    assert len(told(heard)) == len(WORDS)


def test_a_continued_study_knows_the_curves(start: Start) -> None:
    """Median pruning begins after four complete curves, the first run's among them."""
    Learner.levels.update(dict.fromkeys(WORDS, 0.9))
    done: list[str] = []

    def after_four(event: Event) -> bool:
        if isinstance(event, TrialFinished):
            done.append(event.name)
        return len(done) >= 4

    group = LEARNER | {"room": 1}
    stopped, _ = start(group, pruner="median", stop=after_four)
    with pytest.raises(Cancelled):
        stopped.run()
    left = set(WORDS) - set(done)
    Learner.levels.update(dict.fromkeys(left, 0.1))
    run, heard = start(group, pruner="median")
    run.run()
    assert {e.name for e in told(heard, "pruned")} == left


def test_kinds_that_build_on_others(start: Start) -> None:
    follower = {"kind": "tests.helpers.learner_fixtures:Follower"}
    run, heard = start(follower, LEARNER, batch=4)
    board = run.run()
    kinds = [e.kind for e in heard if isinstance(e, TrialAsked)]
    assert kinds == ["learner"] * len(WORDS) + ["follower"] * 2
    assert len([f for f in Follower.known[-1] if f.kind == "learner"]) == len(WORDS)
    last = Follower.known[-1]
    values = {row["number"]: row["dev"]["accuracy"] for row in board["trials"]}
    assert all(f.value == values[f.number] for f in last)
    assert all(f.folder is not None for f in last if f.kind == "learner")
    learned = sorted((f for f in last if f.kind == "learner"), key=lambda f: -f.value)
    followers = {r["candidate"]["word"] for r in board["trials"] if r["kind"] == "follower"}
    assert followers == {f.candidate.settings["word"] for f in learned[:2]}


@pytest.mark.parametrize("sampler", ["auto", "random"])
def test_followers_wait_for_lost_learners(start: Start, sampler: str) -> None:
    groups: Any = ({"kind": "tests.helpers.learner_fixtures:Follower"}, LEARNER)
    changes: dict[str, Any] = {"batch": 3, "sampler": sampler, "budget": {"trials": 20}}
    stopped, _ = start(*groups, stop=lambda event: isinstance(event, BlockScored), **changes)
    with pytest.raises(Cancelled):
        stopped.run()
    run, heard = start(*groups, **changes)
    run.run()
    open_learners: set[int] = set()
    for event in heard:
        if isinstance(event, TrialAsked) and event.kind == "learner":
            open_learners.add(event.number)
        elif isinstance(event, TrialFinished):
            open_learners.discard(event.number)
        elif isinstance(event, TrialAsked):
            assert not open_learners
    if sampler == "auto":
        asked = [e.kind for e in heard if isinstance(e, TrialAsked)]
        assert asked == sorted(asked, reverse=True)
    assert not left_open(run)


def test_a_lost_trial_keeps_its_candidate(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(event: Event) -> bool:
        return isinstance(event, TrialAsked) and event.kind == "follower"

    groups = ({"kind": "tests.helpers.learner_fixtures:Follower"}, LEARNER)
    stopped, heard = start(*groups, batch=4, stop=asked)
    with pytest.raises(Cancelled):
        stopped.run()
    lost = {e.name for e in heard if isinstance(e, TrialAsked) and e.kind == "follower"}
    assert lost
    other = Candidate.of("follower", {"word": "plot"}, "changed")
    original = Follower.suggest

    def changed(self: Follower, trial: Trial, prefix: str) -> Candidate:
        original(self, trial, prefix)
        return other

    monkeypatch.setattr(Follower, "suggest", changed)
    run, later = start(*groups, batch=4)
    run.run()
    assert lost <= {e.name for e in told(later)}
    numbers = {e.number: e.name for e in heard if isinstance(e, TrialAsked)}
    assert {e.number: e.name for e in told(later)}.items() >= {
        n: name for n, name in numbers.items() if name in lost
    }.items()


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("Broken", "RuntimeError: out of paper"), ("Silent", "the kind 'silent' fitted nothing")],
)
def test_a_kind_that_stops_in_its_midst(start: Start, kind: str, reason: str) -> None:
    run, heard = start({"kind": f"tests.helpers.learner_fixtures:{kind}"}, batch=4)
    board = run.run()
    assert len(told(heard, "complete")) == 2  # one a batch
    failed = [row["reason"] for row in board["trials"] if row["state"] == "failed"]
    assert len(failed) == 6
    assert all(reason in text for text in failed)
    assert not left_open(run)


def test_the_time_is_over_with_trials_aside(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    from promptlab.study.search.search import TrialSearch

    groups = (LEARNER, TEMPLATES)
    run, heard = start(*groups, batch=3)
    monkeypatch.setattr(TrialSearch, "_is_time_over", lambda search: len(told(heard)) >= 3)
    run.run()
    assert len(told(heard)) < len(WORDS) + 12
    left = left_open(run)
    # a larger budget goes on with what is open, under its own number
    monkeypatch.undo()
    more, later = start(*groups, batch=3, budget={"trials": 40})
    try:
        more.run()
    except StudyError as error:  # where another one is best now
        assert "was spent on trial" in str(error)
    assert {e.number for e in told(later)} >= set(left)
    assert len(told(heard) + told(later)) == len(WORDS) + 12
    assert not left_open(more)


def test_large_losers_make_room(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptlab.study.folder.folder.SMALL", 10)
    run, _ = start(LEARNER)
    board = run.run()
    best = run.context.study.trials[board["best"]["number"]].user_attrs["asked"]["key"]
    assert [path.name for path in (run.folder.path / "fitted").iterdir()] == [best]


def test_kinds_that_wait_for_each_other(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Learner, "runs_after", ("follower",))
    with pytest.raises(StudyError, match="each want to come after the other"):
        start({"kind": "tests.helpers.learner_fixtures:Follower"}, LEARNER)[0].run()
