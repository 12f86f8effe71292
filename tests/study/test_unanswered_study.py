"""A study whose endpoint does not answer some requests: unanswered is not wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml

import promptlab as pl
from promptlab.errors import StudyError
from promptlab.events import Events, Warned
from promptlab.models.remote.retry import RetryBackoff
from promptlab.study.learning_curve.run import CurveRun
from promptlab.study.run import StudyRun
from promptlab.study.spec.curve_spec import CurveSpec
from promptlab.study.spec.load import load_spec
from promptlab.study.spec.spec import StudySpec
from tests.helpers.command_line import Command, command, here  # noqa: F401 - fixtures
from tests.helpers.fake_endpoint import Answer, Call, Endpoint, refused, said, serving
from tests.helpers.interrupted_studies import Killed
from tests.helpers.study_fixtures import GOOD, write_reviews

CHOICES = {"positive": ["positive"], "negative": ["negative"]}


@pytest.fixture(autouse=True)
def own_replies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cache of the test's own, a key, and no waiting."""
    monkeypatch.setenv("PROMPTLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PROMPTLAB_API_KEY", "sk-none")
    monkeypatch.setattr(RetryBackoff, "seconds", lambda self, tried, asked=None: 0.0)


class Script:
    """Always right; ``busy`` says for which prompts the endpoint has no time."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self.most = 8
        self.mark = "Second"

    def __call__(self, call: Call, number: int) -> Answer:
        words = call.words
        if self.mark in words and (words in self.refused or len(self.refused) < self.most):
            self.refused.add(words)
            return refused(429, "too many requests")
        return said("positive" if any(word in words for word in GOOD) else "negative")


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def endpoint(script: Script) -> Iterator[Endpoint]:
    with serving(script) as opened:
        yield opened


def study_file(endpoint: Endpoint, folder: Path, **changes: Any) -> Path:
    """Two templates that say the same, over 24 examples of dev."""
    parser = {"type": "choice", "choices": CHOICES}
    data = write_reviews(folder / "reviews.csv")
    document = {
        "study": "busy",
        "task": {"data": str(data), "train": 12, "dev": 24, "test": 30},
        "model": {"name": "m", "endpoint": endpoint.url, "retries": 0, "cache": False},
        "candidates": [
            {
                "kind": "template",
                "templates": [
                    {"text": "First: {text} {mask}", "parser": parser, "name": "first"},
                    {"text": "Second: {text} {mask}", "parser": parser, "name": "second"},
                ],
            }
        ],
        "budget": {"trials": 2},
        "block": 24,
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(document | changes))
    return path


def run(path: Path, folder: Path) -> dict[str, Any]:
    spec = load_spec(path)
    assert isinstance(spec, StudySpec)
    return StudyRun(spec, out=folder / "runs").run()


def named(board: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in board["trials"]}


def test_unanswered_is_not_wrong(
    endpoint: Endpoint, script: Script, tmp_path: Path, command: Command
) -> None:
    path = study_file(endpoint, tmp_path)
    board = run(path, tmp_path)
    first, second = (named(board)[name] for name in ("first", "second"))
    assert first["dev"]["accuracy"] == second["dev"]["accuracy"] == 1.0
    assert (second["dev"]["n"], second["dev"]["n_missing"]) == (16, 8)
    assert (first["dev"]["n"], first["dev"]["n_missing"]) == (24, 0)
    # what failed has no tokens, and makes nobody cheaper
    assert first["tokens_per_example"] == second["tokens_per_example"] == 12
    p_values = [row["p_vs_best"] for row in board["trials"] if row["p_vs_best"] is not None]
    assert min(p_values) == 1.0
    assert not any(row["distinguishable"] for row in board["trials"])
    tested = [row["vs_best"]["n"] for row in board["trials"] if row["vs_best"]]
    assert tested == [16]
    # nothing is decided, test is untouched, and the way out is told
    verdict = board["verdict"]
    assert verdict["action"] == "undecided"
    assert "16 of 24 examples on dev were answered" in verdict["because"]
    assert "asks for the missing examples" in verdict["next"]
    folder = tmp_path / "runs" / "busy"
    assert board["best"]["test"] is None
    assert not (folder / "test.lock.json").exists()
    assert not (folder / "best").exists()
    shown = command("study", "show", "busy", "--runs", tmp_path / "runs")
    assert "16 of 24" in shown.out
    assert "Undecided" in shown.out
    assert "16 of 24 examples answered" in (folder / "report.html").read_text()
    listed = json.loads(command("study", "list", "--runs", tmp_path / "runs", "--json").out)
    assert [row["state"] for row in listed if row["name"] == "busy"] == ["undecided"]
    assert pl.Study(folder).progress()["state"] == "undecided"
    with pytest.raises(StudyError, match="undecided"):
        pl.Study(folder).best()


def test_only_what_is_missing_is_asked_again(
    endpoint: Endpoint, script: Script, tmp_path: Path
) -> None:
    path = study_file(endpoint, tmp_path)
    run(path, tmp_path)
    missing = set(script.refused)
    assert len(missing) == 8
    script.mark = "nothing"
    before = len(endpoint.calls)
    board = run(path, tmp_path)
    second = [call.words for call in endpoint.calls[before:] if "Second" in call.words]
    first = [call.words for call in endpoint.calls[before:] if "First" in call.words]
    # the eight, and no other prompt of dev; test and controls are asked by the winner alone
    winner = board["best"]["name"]
    others = second if winner == "first" else first
    assert set(second) >= missing
    assert set(others) == (missing if others is second else set())
    assert len(others) == len(set(others))
    assert {row["dev"]["n"] for row in board["trials"]} == {24}
    assert len(board["trials"]) == 2
    assert board["n_missing"] == 0
    assert board["verdict"]["action"] == "use"
    assert board["best"]["test"]["n"] == 30
    calls = len(endpoint.calls)
    assert run(path, tmp_path) == json.loads(
        json.dumps(board)
    )  # decided: nothing is asked any more
    assert len(endpoint.calls) == calls


def failing_on_test(script: Script) -> Callable[[Call, int], Answer]:
    """Every third request of test fails; before it, dev is 24 for each of two prompts."""
    served: list[str] = []

    def failing(call: Call, number: int) -> Answer:
        served.append(call.words)
        failed = len(served) > 48 and len(served) % 3 == 0 and "N/A" not in call.words
        return refused(503, "down") if failed else script(call, number)

    return failing


def test_missing_rows_of_test_are_asked_again(
    endpoint: Endpoint, script: Script, tmp_path: Path
) -> None:
    script.mark = "nothing"
    path = study_file(endpoint, tmp_path)
    endpoint.script = failing_on_test(script)
    board = run(path, tmp_path)
    test = board["best"]["test"]
    assert test["n"] + test["n_missing"] == 30
    assert test["n_missing"] >= 8
    assert board["verdict"]["action"] == "undecided"
    assert "on test" in board["verdict"]["headline"]
    endpoint.script = script
    before = len(endpoint.calls)
    again = run(path, tmp_path)
    assert again["best"]["test"]["n_missing"] == 0
    asked = [call for call in endpoint.calls[before:] if "N/A" not in call.words]
    shuffled = 24  # the control over dev: a prompt that has nothing to learn is asked again
    assert len(asked) == test["n_missing"] + shuffled
    assert again["verdict"]["action"] == "use"


@pytest.mark.parametrize("written", [False, True])
def test_killed_while_the_answers_of_test_are_completed(
    endpoint: Endpoint,
    script: Script,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    written: bool,
) -> None:
    """Before the file is written, or right after it: what was read of test is not read again."""
    script.mark = "nothing"
    path = study_file(endpoint, tmp_path)
    endpoint.script = failing_on_test(script)
    missing = run(path, tmp_path)["best"]["test"]["n_missing"]
    table = tmp_path / "runs" / "busy" / "predictions" / "test.jsonl"
    before, set_attribute = table.read_bytes(), optuna.Study.set_user_attr
    endpoint.script = script

    def killed(study: optuna.Study, key: str, value: Any) -> None:
        if key == "test_checksums" and written == (table.read_bytes() != before):
            if not written:
                set_attribute(study, key, value)
            raise Killed
        set_attribute(study, key, value)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(optuna.Study, "set_user_attr", killed)
        run(path, tmp_path)
    asked = len(endpoint.calls)
    warned: list[str] = []
    spec = load_spec(path)
    assert isinstance(spec, StudySpec)
    events = Events(lambda e: warned.append(e.message) if isinstance(e, Warned) else None)
    board = StudyRun(spec, out=tmp_path / "runs", events=events).run()
    assert board["best"]["test"]["n_missing"] == 0
    assert not [message for message in warned if "test.jsonl" in message]
    again = [call for call in endpoint.calls[asked:] if "N/A" not in call.words]
    shuffled = 24
    assert len(again) == shuffled + (0 if written else missing)


def test_failures_are_misses_and_not_gaps(
    endpoint: Endpoint, script: Script, tmp_path: Path
) -> None:
    script.most = 2
    script.mark = "the"  # whoever is asked first
    path = study_file(endpoint, tmp_path, decision={"missing": 0.5})
    board = run(path, tmp_path)
    folder = tmp_path / "runs" / "busy"
    kept = [json.loads(line) for line in (folder / "unanswered.jsonl").read_text().splitlines()]
    assert sum(row["dev"]["n_missing"] for row in board["trials"]) == 2
    assert all("429" in row["error"] for row in kept)
    assert (folder / "failures.jsonl").read_text() == ""
    assert board["verdict"]["action"] == "use"


def test_a_learning_curve_leaves_out_what_was_not_answered(
    endpoint: Endpoint, script: Script, tmp_path: Path
) -> None:
    template = {"parser": {"type": "choice", "choices": CHOICES}}
    document = {
        "study": "curve",
        "kind": "learning_curve",
        "task": {"data": str(write_reviews(tmp_path / "reviews.csv")), "train": 40, "test": 30},
        "model": {"name": "m", "endpoint": endpoint.url, "retries": 0, "cache": False},
        "methods": [
            {
                "name": word.lower(),
                "kind": "template",
                "templates": [template | {"text": f"{word}: {{text}} {{mask}}", "name": word}],
            }
            for word in ("First", "Second")
        ],
        "sizes": [0],
        "seeds": [13],
        "baseline": "first",
    }
    path = tmp_path / "curve.yaml"
    path.write_text(yaml.safe_dump(document))
    spec = load_spec(path)
    assert isinstance(spec, CurveSpec)
    board = CurveRun(spec, out=tmp_path / "runs").run()
    cells = {cell["method"]: cell for cell in board["cells"]}
    assert [cells[m]["value"] for m in ("first", "second")] == [1.0, 1.0]
    assert (cells["second"]["n"], cells["second"]["n_missing"], board["n_missing"]) == (22, 8, 8)
    (compared,) = board["comparisons"]
    assert (compared["p_value"], compared["n"]) == (1.0, 22)
    assert any("8 test examples were not answered" in text for text in board["statements"])
    assert "22 of 30" in (tmp_path / "runs" / "curve" / "report.html").read_text()
    missing, before = set(script.refused), len(endpoint.calls)
    script.mark = "nothing"
    again = CurveRun(spec, out=tmp_path / "runs").run()
    assert {call.words for call in endpoint.calls[before:]} == missing
    assert len(endpoint.calls) - before == 8
    assert again["n_missing"] == 0
    assert again["comparisons"][0]["n"] == 30
