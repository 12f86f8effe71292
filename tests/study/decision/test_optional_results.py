"""What fails once test was read is told; the winner's result on test stands and is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from promptlab.errors import EndpointError, WorkError
from promptlab.models.remote.retry import RetryBackoff
from promptlab.study.decision import controls, decide, optional_results
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from promptlab.study.spec.spec import StudySpec
from promptlab.study.trials.context import StudyContext
from tests.helpers.command_line import Command, command, here  # noqa: F401 - fixtures
from tests.helpers.fake_endpoint import Answer, Call, Endpoint, refused, said, serving
from tests.helpers.study_fixtures import GOOD, write_reviews
from tests.helpers.study_run_fixtures import Heard, start  # noqa: F401 - a fixture

PARSER = {"type": "choice", "choices": {"positive": ["positive"], "negative": ["negative"]}}


class Refusing:
    """Refuses prompts in which ``mark`` stands, or everything; right otherwise."""

    def __init__(self) -> None:
        self.mark = "no such word"
        self.answer = refused(400, "no")
        self.asked: list[str] = []

    def __call__(self, call: Call, number: int) -> Answer:
        if self.mark in call.words:
            return self.answer
        self.asked.append(call.words)
        good = any(word in call.words for word in GOOD)
        return said("negative" if "Guess" in call.words or not good else "positive")


@pytest.fixture(autouse=True)
def own_replies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROMPTLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PROMPTLAB_API_KEY", "sk-1")
    monkeypatch.setattr(RetryBackoff, "seconds", lambda self, tried, asked=None: 0.0)


@pytest.fixture
def script() -> Refusing:
    return Refusing()


@pytest.fixture
def endpoint(script: Refusing) -> Iterator[Endpoint]:
    with serving(script) as opened:
        yield opened


def study_file(endpoint: Endpoint, folder: Path, **changes: Any) -> Path:
    texts = {"ask": "Rate: {text} {mask}", "guess": "Guess: {text} {mask}"}
    one, two = ({"name": n, "text": text, "parser": PARSER} for n, text in texts.items())
    document = {
        "study": "refused",
        "task": {
            "data": str(write_reviews(folder / "reviews.csv")),
            "train": 12,
            "dev": 20,
            "test": 20,
        },
        "model": {"name": "m", "endpoint": endpoint.url, "retries": 0, "cache": False},
        "candidates": [
            {"kind": "template", "templates": [one]},
            {"kind": "template", "templates": [two]},
        ],
        "baseline": "template-2",
        "block": 10,
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(document | changes, sort_keys=False))
    return path


def run(path: Path, folder: Path) -> dict[str, Any]:
    spec = load_spec(path)
    assert isinstance(spec, StudySpec)
    return StudyRun(spec, out=folder / "runs").run()


@pytest.mark.parametrize(
    "answer",
    [
        refused(400, "this prompt is refused"),
        refused(401, "not this one"),
        refused(403, "this prompt is not allowed"),
        refused(404, "nothing here"),
        refused(500, "a fault"),
        Answer(reset=True),
        said(""),
        Answer(text="<html>"),
    ],
    ids=["400", "401", "403", "404", "500", "reset", "empty", "page"],
)
def test_one_refused_control_decides_nothing(
    endpoint: Endpoint, script: Refusing, tmp_path: Path, command: Command, answer: Answer
) -> None:
    script.mark, script.answer = "N/A", answer
    path = study_file(endpoint, tmp_path)
    board = run(path, tmp_path)
    assert board["best"]["test"]["n"] == 20
    assert board["best"]["test"]["accuracy"] == 1.0
    assert board["verdict"]["action"] == "use"
    if answer.status == 200 and not answer.reset and "choices" in answer.text:
        return  # an empty text is an answer: it is unparsed
    (missing,) = board["unmeasured"]
    assert missing["what"] == "the control content-free"
    row = next(row for row in board["baselines"] if row["name"] == "content-free")
    assert row["dev"] is row["test"] is None
    assert row["note"].startswith("not measured, ")
    folder = tmp_path / "runs" / "refused"
    shown = command("study", "show", "refused", "--runs", tmp_path / "runs").out
    for told in (shown, (folder / "report.html").read_text(), "\n".join(board["statements"])):
        assert "Not measured: the control content-free" in told
    # it is tried again, and test is not read again
    script.mark, before = "no such word", len(script.asked)
    again = run(path, tmp_path)
    assert "unmeasured" not in again
    assert again["best"] == board["best"]
    row = next(row for row in again["baselines"] if row["name"] == "content-free")
    assert row["dev"]["n"] == 20
    new = script.asked[before:]
    assert new and not any("Guess" in words for words in new)  # nor is the baseline's
    test = (folder / "predictions" / "test.jsonl").read_text()
    assert len(test.splitlines()) == 20
    before = len(script.asked)
    assert run(path, tmp_path) == again
    assert len(script.asked) == before


def test_an_endpoint_that_refuses_everything_stops(
    endpoint: Endpoint, script: Refusing, tmp_path: Path
) -> None:
    def closes(call: Call, number: int) -> Answer:
        if "N/A" in call.words:
            script.mark, script.answer = "", refused(401, "the key is no longer valid")
        return script(call, number)

    endpoint.script = closes
    path = study_file(endpoint, tmp_path)
    with pytest.raises(EndpointError, match="no longer valid"):
        run(path, tmp_path)
    folder = tmp_path / "runs" / "refused"
    assert not (folder / "leaderboard.json").exists()
    endpoint.script, script.mark = script, "no such word"
    before = len(script.asked)
    board = run(path, tmp_path)
    assert board["verdict"]["action"] == "use"
    assert "unmeasured" not in board
    kept = (folder / "predictions" / "test.jsonl").read_text()
    assert len(script.asked) - before == 1 + 20 + 20 - len(set())  # controls, and the baseline
    assert len(kept.splitlines()) == 20


def test_a_baseline_that_is_refused_on_test_decides_nothing(
    endpoint: Endpoint, script: Refusing, tmp_path: Path
) -> None:
    def refuses(call: Call, number: int) -> Answer:
        if (tmp_path / "runs/refused/test.lock.json").exists() and "Guess" in call.words:
            return refused(503, "closed")
        return script(call, number)

    endpoint.script = refuses
    path = study_file(endpoint, tmp_path)
    board = run(path, tmp_path)
    assert board["best"]["test"]["accuracy"] == 1.0
    assert board["verdict"]["action"] == "use"
    (missing,) = board["unmeasured"]
    assert missing["what"].startswith("guess on test, the best candidate on dev of the group")
    row = next(row for row in board["baselines"] if row["name"] == "guess")
    assert (row["test"], row["dev"]["n"]) == (None, 20)
    endpoint.script = script
    again = run(path, tmp_path)
    assert "unmeasured" not in again
    assert [row["baseline"] for row in again["comparisons"][:2]] == ["majority", "guess"]


STEPS = {
    "the control shuffled-labels": (controls, "_shuffled"),
    "the control bag-of-words": (controls, "_bag_of_words"),
    "the importances of the dimensions": (decide, "importances"),
    "the gains of the groups over the baseline": (decide, "group_gains"),
    "the list of the winner's failures": (decide, "failure_lines"),
    "the report": (optional_results, "write_report"),
}


@pytest.mark.parametrize("what", STEPS)
@pytest.mark.parametrize(
    "error", [WorkError("it went wrong"), KeyError("gone")], ids=["work", "raw"]
)
def test_every_step_after_test_may_fail(
    start: Any, monkeypatch: pytest.MonkeyPatch, what: str, error: Exception
) -> None:
    whole = start(study="whole", budget={"trials": 5})[0].run()

    def fails(*arguments: Any, **options: Any) -> Any:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(*STEPS[what], fails)
        made, _ = start(budget={"trials": 5})
        board = made.run()
    (missing,) = board["unmeasured"]
    assert missing["what"] == what
    assert ("it went wrong" if isinstance(error, WorkError) else "KeyError") in missing["reason"]
    assert any(text.startswith(f"Not measured: {what}") for text in board["statements"])
    assert board["best"]["test"] == whole["best"]["test"]
    verdict = board["verdict"]
    if what == "the control bag-of-words":  # it beats the winner, and cannot say so
        assert whole["verdict"]["action"] == "none"
        assert "Not measured: the control bag-of-words, which could speak" in verdict["because"]
    else:
        assert verdict["action"] == whole["verdict"]["action"]
    assert made.folder.read_json("leaderboard.json") == board
    again = start(budget={"trials": 5})[0].run()
    assert "unmeasured" not in again
    assert made.folder.report_file.exists()
    for key in ("best", "baselines", "comparisons", "gains", "importances"):
        assert again[key] == whole[key], key


def test_a_winner_that_cannot_be_fitted_on_shuffled_labels_is_told(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = StudyContext.fit

    def fails(state: StudyContext, trial: Any, task: Any = None) -> Any:
        if task is not None:
            raise WorkError("the loss is not finite")
        return fit(state, trial)

    monkeypatch.setattr(StudyContext, "fit", fails)
    board = start(budget={"trials": 5})[0].run()
    row = next(row for row in board["baselines"] if row["name"] == "shuffled-labels")
    assert row["note"] == "not measured, the loss is not finite"
    assert board["best"]["test"]["n"] == 40


def test_a_cancelled_control_and_a_full_disk_still_stop(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from promptlab.errors import Cancelled, DiskError

    for error in (Cancelled("stopped"), DiskError("full")):

        def fails(*_: Any, stops: Exception = error) -> Any:
            raise stops

        with monkeypatch.context() as patched:
            patched.setattr(controls, "_shuffled", fails)
            with pytest.raises(type(error)):
                start(budget={"trials": 5})[0].run()
    assert start(budget={"trials": 5})[0].run()["best"]["test"]["n"] == 40
