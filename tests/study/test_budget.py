"""The seconds of a study's budget hold in the midst of a trial, and a larger budget goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from promptlab.cancellation import Cancellation, TimeOver
from promptlab.errors import Cancelled, StudyError
from promptlab.events import BlockScored, Event, Events, TrialFinished
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from promptlab.study.spec.spec import StudySpec
from tests.helpers.command_line import Command, command, here  # noqa: F401 - fixtures
from tests.helpers.fake_endpoint import Answer, Call, Endpoint, said, serving
from tests.helpers.study_fixtures import GOOD, write_reviews
from tests.helpers.study_run_fixtures import start  # noqa: F401 - a fixture


class Clock(Cancellation):
    """A clock on which a block of examples takes ten seconds, and nothing else any time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.trials: list[str] = []

    def clock(self) -> float:
        return self.now

    def __call__(self, event: Event) -> None:
        if isinstance(event, BlockScored):
            self.now += 10
        if isinstance(event, TrialFinished):
            self.trials.append(event.name)


def test_work_stops_when_its_time_is_over() -> None:
    clock = Clock()
    with clock.until(15):
        clock.check()
        clock.now = 16
        with pytest.raises(TimeOver):
            clock.check()
        with clock.until(99), pytest.raises(Cancelled):  # the nearer end holds
            clock.stop_here()
    clock.check()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """Always right."""

    def script(call: Call, number: int) -> Answer:
        return said("positive" if any(word in call.words for word in GOOD) else "negative")

    with serving(script) as opened:
        yield opened


def study_file(endpoint: Endpoint, folder: Path, **budget: Any) -> Path:
    """Four prompts that are all right, over 24 examples in blocks of 6."""
    choices = {"positive": ["positive"], "negative": ["negative"]}
    parser = {"type": "choice", "choices": choices}
    templates = [
        {"text": f"{word}: {{text}} {{mask}}", "parser": parser, "name": word.lower()}
        for word in ("One", "Two", "Three", "Four")
    ]
    document = {
        "study": "timed",
        "task": {
            "data": str(write_reviews(folder / "reviews.csv")),
            "train": 12,
            "dev": 24,
            "test": 30,
        },
        "model": {"name": "m", "endpoint": endpoint.url, "cache": False},
        "candidates": [{"kind": "template", "templates": templates}],
        "budget": budget,
        "block": 6,
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def run(path: Path, folder: Path) -> tuple[dict[str, Any], Clock]:
    spec = load_spec(path)
    assert isinstance(spec, StudySpec)
    clock = Clock()
    made = StudyRun(spec, out=folder / "runs", events=Events(clock), cancellation=clock)
    return made.run(), clock


def test_the_seconds_hold_in_the_midst_of_a_trial(
    endpoint: Endpoint, tmp_path: Path, command: Command
) -> None:
    board, clock = run(study_file(endpoint, tmp_path, seconds=65), tmp_path)
    # a trial takes forty seconds: the second one is cut, and not judged by half
    assert clock.now == 70
    assert len(clock.trials) == len(board["trials"]) == 1
    assert board["trials"][0]["dev"]["n"] == 24
    told = "1 of 4 candidates tried; the budget of 65 s was spent."
    assert board["search"]["cut"] is True
    assert (board["search"]["done"], board["search"]["space"]) == (1, 4)
    assert board["statements"][0].startswith(told)
    report = (tmp_path / "runs" / "timed" / "report.html").read_text()
    assert report.index(told) < report.index('class="headline')
    shown = command("study", "show", "timed", "--runs", tmp_path / "runs")
    assert shown.out.startswith(told)


def test_a_larger_budget_goes_on(endpoint: Endpoint, tmp_path: Path) -> None:
    first, _ = run(study_file(endpoint, tmp_path, seconds=65), tmp_path)
    asked = len(endpoint.calls)
    again, clock = run(study_file(endpoint, tmp_path, seconds=65), tmp_path)
    assert (again["best"], len(endpoint.calls), clock.trials) == (first["best"], asked, [])
    # seventy seconds are spent: the trial that was cut is judged now, from its beginning
    more, clock = run(study_file(endpoint, tmp_path, seconds=125), tmp_path)
    assert (len(clock.trials), clock.now) == (1, 60)
    assert len(more["trials"]) == 2
    whole, clock = run(study_file(endpoint, tmp_path, trials=50), tmp_path)
    assert len(whole["trials"]) == 4
    assert len({row["name"] for row in whole["trials"]}) == 4
    assert not whole["search"]["cut"]
    assert not any("candidates tried" in text for text in whole["statements"])
    assert whole["best"]["name"] == first["best"]["name"]  # all are equal: the earliest stays
    # test was read once, by that one
    on_test = [call for call in endpoint.calls if call.words in set(_test_prompts(endpoint))]
    assert len(on_test) == len({call.words for call in on_test})
    with pytest.raises(StudyError, match="may grow and not shrink"):
        run(study_file(endpoint, tmp_path, seconds=65), tmp_path)


def _test_prompts(endpoint: Endpoint) -> list[str]:
    """Prompts with a review that stands in no dev prompt of another template."""
    by_text: dict[str, set[str]] = {}
    for call in endpoint.calls:
        word, _, rest = call.words.partition(": ")
        by_text.setdefault(rest, set()).add(word)
    return [
        f"{next(iter(w))}: {rest}"
        for rest, w in by_text.items()
        if len(w) == 1 and rest[:3] != "N/A"
    ]


def test_more_trials_go_on_too(endpoint: Endpoint, tmp_path: Path) -> None:
    path = study_file(endpoint, tmp_path, trials=2)
    document = yaml.safe_load(path.read_text()) | {"sampler": "exhaustive"}
    path.write_text(yaml.safe_dump(document))
    first, _ = run(path, tmp_path)
    assert len(first["trials"]) == 2
    assert first["statements"][0].startswith("2 of 4 candidates tried; the budget of 2 trials")
    document["budget"] = {"trials": 3}
    path.write_text(yaml.safe_dump(document))
    second, clock = run(path, tmp_path)
    assert (len(second["trials"]), len(clock.trials)) == (3, 1)
    document["budget"] = {"trials": 9}
    path.write_text(yaml.safe_dump(document))
    third, _ = run(path, tmp_path)
    assert len({row["name"] for row in third["trials"]}) == 4
    assert not any("candidates tried" in text for text in third["statements"])


def test_a_winner_that_comes_after_test_was_read_is_not_tested(
    start: Callable[..., Any],
) -> None:
    whole = start(study="whole")[0].run()
    clock = Clock()
    for seconds in (35, 65, 95):  # until the first to be tried is not the best of all
        clock = Clock()
        made, _ = start(study=f"s{seconds}", cancellation=clock, budget={"seconds": seconds})
        made.events.subscribe(clock)
        first = made.run()
        if first["best"]["name"] != whole["best"]["name"]:
            break
    else:
        pytest.skip("the best candidate came first")
    with pytest.raises(StudyError, match=r"was spent on trial .* another --name"):
        start(study=f"s{seconds}", budget={"trials": 50})[0].run()
    # what was decided before stays
    assert made.folder.is_decided


def test_a_decision_by_other_settings_asks_nothing(endpoint: Endpoint, tmp_path: Path) -> None:
    path = study_file(endpoint, tmp_path)
    run(path, tmp_path)
    document = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(document | {"decision": {"margin": 0.2}}))
    before = [call.words for call in endpoint.calls]
    board, clock = run(path, tmp_path)
    assert board["decision"]["margin"] == 0.2
    assert clock.trials == []
    new = endpoint.calls[len(before) :]
    assert {call.words for call in new} <= {*before}  # the controls alone
    assert len(board["trials"]) == 4
