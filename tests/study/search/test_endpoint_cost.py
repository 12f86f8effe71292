"""What a study has paid is told in full, whatever became of the process that paid."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import promptlab as pl
from promptlab.cancellation import Cancellation
from promptlab.errors import Cancelled
from promptlab.events import Cost, Event, Events
from promptlab.models.remote.retry import RetryBackoff
from promptlab.study.learning_curve.run import CurveRun
from promptlab.study.run import StudyRun
from promptlab.study.spec.curve_spec import CurveSpec
from promptlab.study.spec.load import load_spec
from promptlab.study.spec.spec import StudySpec
from tests.helpers import subprocesses
from tests.helpers.fake_endpoint import Answer, Call, Endpoint, refused, said, serving
from tests.helpers.study_fixtures import GOOD, write_reviews

PRICE = {"input": 100.0, "output": 1000.0}
PARSER = {
    "type": "choice",
    "choices": {"positive": ["positive"], "negative": ["negative"]},
}


class Server:
    """Answers after a moment and counts what it has answered; fails now and then at first."""

    def __init__(self) -> None:
        self.answered = 0
        self.faults: dict[int, Answer] = {}
        self.seconds = 0.002
        self._lock = threading.Lock()

    def __call__(self, call: Call, number: int) -> Answer:
        threading.Event().wait(self.seconds)
        if number in self.faults and len(call.words) % 3 == 0:
            return self.faults[number]
        with self._lock:
            self.answered += 1
        return said("positive" if any(word in call.words for word in GOOD) else "negative")


@pytest.fixture(autouse=True)
def own_replies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROMPTLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PROMPTLAB_API_KEY", "sk-1")
    monkeypatch.setattr(RetryBackoff, "seconds", lambda self, tried, asked=None: 0.0)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def endpoint(server: Server) -> Iterator[Endpoint]:
    with serving(server) as opened:
        yield opened


def asking(*names: str) -> list[dict[str, Any]]:
    return [{"name": n, "text": f"{n}: {{text}} {{mask}}", "parser": PARSER} for n in names]


def study_file(endpoint: Endpoint, folder: Path, **changes: Any) -> Path:
    data = write_reviews(folder / "reviews.csv")
    document = {
        "study": "paid",
        "task": {"data": str(data), "train": 12, "dev": 30, "test": 30},
        "model": {"name": "m", "endpoint": endpoint.url, "price": PRICE, "concurrency": 4},
        "candidates": [
            {"kind": "template", "templates": asking("One", "Two", "Three")},
            {
                "kind": "self_consistency",
                "samples": [2],
                "inner": {
                    "kind": "template",
                    "templates": asking("Vote"),
                    "decoding": {"temperature": 0.7},
                },
            },
        ],
        "block": 10,
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(document | changes, sort_keys=False))
    return path


def run_of(path: Path, folder: Path, **options: Any) -> StudyRun:
    spec = load_spec(path)
    assert isinstance(spec, StudySpec)
    return StudyRun(spec, out=folder / "runs", **options)


def check_told(told: dict[str, Any], answered: int) -> None:
    """All that was answered is told, but for what was under way: that is told as such."""
    assert told["requests"] <= answered <= told["requests"] + told["unheard"]
    assert told["tokens_in"] == 10 * told["requests"]
    assert told["tokens_out"] == 2 * told["requests"]
    assert told["dollars"] == pytest.approx(told["requests"] * (10 * 100 + 2 * 1000) / 1e6)


def test_a_killed_study_tells_all_that_it_paid(
    endpoint: Endpoint, server: Server, tmp_path: Path
) -> None:
    server.faults = {0: refused(500, "a fault")}
    path = study_file(endpoint, tmp_path)
    arguments = ("study", "run", path, "--out", tmp_path / "runs", "--json")
    for least in (35, 75, 140, 175):  # twice in a trial, in the votes, on test
        started = subprocesses.start(*arguments)
        deadline = time.monotonic() + 200
        while started.runs and server.answered < least and time.monotonic() < deadline:
            time.sleep(0.001)
        assert started.kill(), started.said
        progress = pl.Study(tmp_path / "runs" / "paid").progress()
        if progress["cost"]:
            check_told(progress["cost"], server.answered)
    done = subprocesses.start(*arguments)
    assert done.code() == 0, done.said
    told = json.loads((tmp_path / "runs/paid/leaderboard.json").read_text())["cost"]
    check_told(told, server.answered)
    assert told["unheard"] <= 4 * 4
    assert told["requests"] >= 175


def test_what_was_under_way_when_a_study_was_cancelled_is_told(
    endpoint: Endpoint, server: Server, tmp_path: Path
) -> None:
    cancellation = Cancellation()

    def script(call: Call, number: int) -> Answer:
        if server.answered >= 15 and not cancellation.requested:
            cancellation.request()
            server.seconds = 0.5
        return server(call, number)

    endpoint.script = script
    path = study_file(endpoint, tmp_path)
    with pytest.raises(Cancelled):
        run_of(path, tmp_path, cancellation=cancellation).run()
    server.seconds = 0.0
    board = run_of(path, tmp_path).run()
    check_told(board["cost"], server.answered)
    assert 1 <= board["cost"]["unheard"] <= 4
    told = next(text for text in board["statements"] if text.startswith("Cost of the endpoint"))
    assert "whose reply was not awaited (the work was stopped or killed)" in told


def test_others_who_ask_the_same_model_pay_for_themselves(
    endpoint: Endpoint, server: Server, tmp_path: Path
) -> None:
    path = study_file(endpoint, tmp_path)
    model = load_spec(path).model.load()
    beside: list[int] = []

    def ask_beside(event: Event) -> None:
        if isinstance(event, Cost) and not beside:
            before = server.answered
            prompt = pl.Template("Playground: {text} {mask}").render({"text": "a film"})
            thread = threading.Thread(target=model.generate, args=([prompt], pl.Decoding()))
            thread.start()
            thread.join()
            beside.append(server.answered - before)

    board = run_of(path, tmp_path, events=Events(ask_beside)).run()
    assert beside == [1]
    assert board["cost"]["requests"] == server.answered - 1
    # a second study over the same prompts finds the replies, and pays nothing
    path.write_text(path.read_text().replace("study: paid", "study: second"))
    other = run_of(path, tmp_path).run()
    assert (other["cost"]["requests"], other["cost"]["dollars"]) == (0, 0.0)
    assert other["cost"]["cached"] == board["cost"]["requests"] + board["cost"]["cached"]


def test_the_sum_that_earlier_versions_kept_counts_on(
    endpoint: Endpoint, server: Server, tmp_path: Path
) -> None:
    path = study_file(endpoint, tmp_path, budget={"trials": 1})
    run = run_of(path, tmp_path)
    run.run()
    run.folder.ledger_file.unlink()
    old = {
        "requests": 50, "retries": 1, "failed": 0, "cached": 2, "estimated": 0,
        "tokens_in": 500, "tokens_out": 100, "dollars": 0.15,
    }  # fmt: skip
    run.context.study.set_user_attr("cost", old)
    before = server.answered
    path = study_file(endpoint, tmp_path, budget={"trials": 4})
    for _ in range(2):  # the sum is taken over once
        board = run_of(path, tmp_path).run()
        assert board["cost"]["requests"] == 50 + server.answered - before
        run.folder.leaderboard_file.unlink()
    assert board["cost"]["dollars"] == pytest.approx(0.15 + (server.answered - before) * 0.003)
    assert board["cost"]["retries"] == 1


def test_a_learning_curve_tells_its_cost(
    endpoint: Endpoint, server: Server, tmp_path: Path
) -> None:
    plain = {"kind": "template", "templates": asking("One")}
    path = study_file(endpoint, tmp_path)
    document = yaml.safe_load(path.read_text())
    del document["candidates"]
    document |= {"kind": "learning_curve", "sizes": [0, 2], "seeds": [1], "methods": [plain]}
    path.write_text(yaml.safe_dump(document))
    spec = load_spec(path)
    assert isinstance(spec, CurveSpec)
    board = CurveRun(spec, out=tmp_path / "runs").run()
    check_told(board["cost"], server.answered)
    assert board["cost"]["requests"] == server.answered > 0
    assert any(text.startswith("Cost of the endpoint:") for text in board["statements"])


def test_an_endpoint_that_tells_no_usage_is_estimated(
    endpoint: Endpoint, server: Server, tmp_path: Path
) -> None:
    def script(call: Call, number: int) -> Answer:
        server(call, number)
        return said("positive", usage=None)

    endpoint.script = script
    board = run_of(study_file(endpoint, tmp_path, budget={"trials": 2}), tmp_path).run()
    assert board["cost"]["requests"] == board["cost"]["estimated"] == server.answered > 0
    assert board["cost"]["dollars"] > 0
