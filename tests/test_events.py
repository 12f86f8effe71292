"""Events go to every listener, and cancelling is honoured at the next look."""

from __future__ import annotations

import json
import threading

import pytest

from promptlab import events as events_module
from promptlab.cancellation import Cancellation
from promptlab.errors import Cancelled
from promptlab.events import Event, Events, Step, TrialFinished
from promptlab.predictors.candidate import Candidate


def test_every_listener_hears_everything_in_order() -> None:
    heard: list[tuple[str, Event]] = []
    events = Events(lambda event: heard.append(("a", event)))
    events.emit(Step(1, 2, {"loss": 0.5}))
    events.subscribe(lambda event: heard.append(("b", event)))
    finished = TrialFinished(1, "x", "complete", 0.5, 1.0)
    events.emit(finished)
    assert heard == [("a", Step(1, 2, {"loss": 0.5})), ("a", finished), ("b", finished)]


def test_records_are_json_and_say_what_they_are() -> None:
    record = Step(3, 7, {"loss": 0.25}, {"tokens": "a b"}).record()
    assert json.loads(json.dumps(record)) == {
        "event": "Step",
        "number": 3,
        "step": 7,
        "values": {"loss": 0.25},
        "notes": {"tokens": "a b"},
    }
    kinds = [
        kind
        for kind in vars(events_module).values()
        if isinstance(kind, type) and issubclass(kind, Event)
    ]
    assert len(kinds) >= 9


def test_cancelling_from_another_thread() -> None:
    cancellation = Cancellation()
    cancellation.check()
    assert not cancellation.requested
    thread = threading.Thread(target=cancellation.request)
    thread.start()
    thread.join()
    assert cancellation.requested
    with pytest.raises(Cancelled, match="the same command continues where it stopped"):
        cancellation.check()


def test_candidates_are_what_they_hold() -> None:
    left = Candidate.of("template", {"b": [1, "é"], "a": {"x": None}}, "left")
    right = Candidate.of("template", {"a": {"x": None}, "b": [1, "é"]}, "right")
    assert left.key == right.key
    assert left.settings == {"a": {"x": None}, "b": [1, "é"]}
    assert Candidate.of("demonstrations", left.settings, "left").key != left.key
    assert Candidate.of("template", {"a": {"x": 0}, "b": [1, "é"]}, "left").key != left.key
    assert len({left, Candidate.of("template", left.settings, "left")}) == 1
