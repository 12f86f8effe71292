"""The live progress: the leaderboard's direction, and learners at work."""

from __future__ import annotations

from rich.console import Console

from promptlab.cli.progress import StudyProgress
from promptlab.events import EndpointBusy, Event, Step, StudyStarted, TrialAsked, TrialFinished


def shown(*events: Event) -> str:
    """What stands in the terminal after these events."""
    progress = StudyProgress()
    for event in events:
        progress(event)
    console = Console(width=100, record=True, quiet=False, force_terminal=False)
    with console.capture() as capture:
        console.print(progress._view())
    return capture.get()


def board(maximise: bool) -> list[str]:
    started = StudyStarted("s", "runs/s", 2, 0, 10, maximise)
    ends = [TrialFinished(n, "prompt", "complete", v, 1.0) for n, v in enumerate((3.0, 1.5))]
    lines = [line.split() for line in shown(started, *ends).splitlines()]
    return [words[0] for words in lines if words[-1:] == ["prompt"]]


def test_the_best_stands_first_in_either_direction() -> None:
    assert board(True) == ["3.000", "1.500"]
    assert board(False) == ["1.500", "3.000"]


def test_an_endpoint_that_asks_to_wait_stands_there_as_long_as_it_does() -> None:
    started = StudyStarted("s", "runs/s", 2, 0, 10)
    assert "http://a/v1 asks to wait" in shown(
        started, EndpointBusy("http://a/v1 asks to wait", 60)
    )
    assert "asks to wait" not in shown(started, EndpointBusy("http://a/v1 asks to wait", 0))


def test_learners_at_work() -> None:
    started = StudyStarted("s", "runs/s", 2, 0, 10)
    asked = TrialAsked(7, "soft_prompt", "soft 20")
    steps = (
        Step(7, 10, {"loss": 0.9, "dev": 0.71}, {"tokens": "so [very] good"}),
        Step(7, 11, {"loss": 0.8}),
    )
    (line,) = [line for line in shown(started, asked, *steps).splitlines() if "0.800" in line]
    assert line.split()[:4] == ["7", "11", "0.800", "0.710"]
    assert "soft 20 · so [very] good" in line
    over = TrialFinished(7, "soft 20", "complete", 0.7, 3.0)
    assert "learning" not in shown(started, asked, *steps, over)
