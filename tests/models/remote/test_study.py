"""Studies and predictions over an endpoint that fails for some examples, for all, or for good."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from promptlab.events import Cost, Event, Events, Warned
from promptlab.models.remote.retry import RetryBackoff
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from promptlab.study.spec.spec import StudySpec
from tests.helpers.command_line import Command, command, here  # noqa: F401 - fixtures
from tests.helpers.fake_endpoint import Answer, Call, Endpoint, refused, said, serving
from tests.helpers.study_fixtures import GOOD, write_reviews

SECRET = "sk-very-secret-0123456789"
CHOICES = {"positive": ["positive"], "negative": ["negative"]}
OPTIONS = {"retries": 1, "price": {"input": 100.0, "output": 1000.0}}


@pytest.fixture(autouse=True)
def own_replies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache of the test's own, a key, and no waiting."""
    monkeypatch.setenv("PROMPTLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PROMPTLAB_API_KEY", SECRET)
    monkeypatch.setattr(RetryBackoff, "seconds", lambda self, tried, asked=None: 0.0)
    return tmp_path / "cache"


def rated(call: Call, number: int) -> Answer:
    """Knows the good words; with the prompt that says *Guess* it says nothing of use."""
    if "Guess" in call.words:
        return said("who knows")
    return said("positive" if any(word in call.words for word in GOOD) else "negative")


def joking(call: Call, number: int) -> Answer:
    """Fails for reviews of jokes for good, and once for every soup."""
    if "joke" in call.words or ("soup" in call.words and number == 0):
        return refused(500, f"no joke ({call.headers['Authorization']})")
    return rated(call, number)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving(joking) as opened:
        yield opened


def study_file(endpoint: Endpoint, folder: Path, **changes: Any) -> Path:
    """Two templates that are asked for replies."""
    parser = {"type": "choice", "choices": CHOICES}
    data = write_reviews(folder / "reviews.csv")
    document = {
        "study": "remote",
        "task": {"data": str(data), "train": 10, "dev": 30, "test": 30},
        "model": {"name": "m", "endpoint": endpoint.url, **OPTIONS},
        "candidates": [
            {
                "kind": "template",
                "templates": [
                    {"text": "Review: {text} Sentiment: {mask}", "parser": parser, "name": "ask"},
                    {"text": "Guess: {text} {mask}", "parser": parser, "name": "guess"},
                ],
            }
        ],
        "budget": {"trials": 2},
        "block": 10,
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(document | changes))
    return path


def search(path: Path) -> StudySpec:
    spec = load_spec(path)
    assert isinstance(spec, StudySpec)
    return spec


def test_a_study_counts_what_failed_and_what_it_cost(endpoint: Endpoint, tmp_path: Path) -> None:
    heard: list[Event] = []
    path = study_file(endpoint, tmp_path)
    board = StudyRun(search(path), out=tmp_path / "runs", events=Events(heard.append)).run()
    folder = tmp_path / "runs" / "remote"
    assert [row["name"] for row in board["trials"]] == ["ask", "guess"]
    rows = [json.loads(line) for line in (folder / "predictions/0.jsonl").read_text().splitlines()]
    failed = [row for row in rows if row["error"]]
    assert board["trials"][0]["errors"] == len(failed) > 0
    assert all("500 Internal Server Error: no joke" in row["error"] for row in failed)
    assert all("(tried 2 times)" in row["error"] for row in failed)
    assert all(row["label"] is None and row["unparsed"] for row in failed)
    assert all(row["label"] == row["target"] for row in rows if not row["error"])
    assert board["trials"][1]["unparsed_rate"] == 1.0
    told = "\n".join(board["statements"])
    assert f"The winner on dev: {len(failed)} of 30 examples were not answered" in told
    assert board["trials"][0]["dev"]["n"] == 30 - len(failed)
    assert board["verdict"]["action"] == "undecided"
    assert board["best"]["test"] is None
    warned = [event.message for event in heard if isinstance(event, Warned)]
    assert any(f"{len(failed)} of 30 examples were not" in message for message in warned)
    costs = [event for event in heard if isinstance(event, Cost)]
    assert costs[-1].record() == {"event": "Cost", **board["cost"]}
    spent = board["cost"]
    assert (
        spent["requests"] == sum(1 for call in endpoint.calls) - spent["retries"] - spent["failed"]
    )
    assert spent["retries"] > 0
    assert spent["dollars"] == pytest.approx(
        (spent["tokens_in"] * 100 + spent["tokens_out"] * 1000) / 1e6
    )
    assert "Cost of the endpoint:" in told
    report = (folder / "report.html").read_text()
    assert "not answered" in report
    assert f"{30 - len(failed)} of 30 examples answered" in report
    everything = [path for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in everything if SECRET.encode() in path.read_bytes()]


def test_a_study_goes_on_where_its_endpoint_failed_for_good(
    endpoint: Endpoint, tmp_path: Path, command: Command
) -> None:
    answered: list[str] = []
    limit = 20

    def script(call: Call, number: int) -> Answer:
        if len(answered) >= limit:
            return refused(401, f"the key {SECRET} has run out")
        answered.append(call.words)
        return rated(call, number)

    endpoint.script = script
    path = study_file(endpoint, tmp_path, model="smollm2-135m")
    asked = ("study", "run", path, "--model", endpoint.name, "--out", tmp_path / "runs")
    ended = command(*asked, stays=True)
    assert ended.code == 2
    assert "401" in ended.err
    assert "PROMPTLAB_API_KEY" in ended.err
    assert SECRET not in ended.out + ended.err
    assert len(endpoint.calls) < limit + 20
    limit = 10**6
    done = command(*asked)
    assert done.code == 0, done.err
    board = json.loads((tmp_path / "runs/remote/leaderboard.json").read_text())
    assert board["best"]["dev"]["accuracy"] == 1.0
    assert len(answered) == len(set(answered)) > 40  # nothing was asked for twice


def test_a_study_tells_what_its_endpoint_refuses_and_what_is_no_whole_reply(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    def script(call: Call, number: int) -> Answer:
        if "seed" in call.body:
            return refused(400, "Unrecognized request argument supplied: seed")
        if "joke" in call.words:
            message = {"content": None, "refusal": "I rate no jokes, not even positive ones"}
            return Answer(text=json.dumps({"choices": [{"message": message}]}))
        return rated(call, number)

    endpoint.script = script
    heard: list[Event] = []
    document = yaml.safe_load(study_file(endpoint, tmp_path).read_text())
    document["candidates"][0]["decoding"] = {"temperature": 1.0}
    path = study_file(endpoint, tmp_path, candidates=document["candidates"])
    board = StudyRun(search(path), out=tmp_path / "runs", events=Events(heard.append)).run()
    told = [event.message for event in heard if isinstance(event, Warned)]
    assert [message for message in told if "takes no seed" in message] == [
        f"{endpoint.name} takes no seed: sampled replies do not repeat on it"
    ]
    assert any("trial 0 (ask): for " in message and "declined" in message for message in told)
    statements = "\n".join(board["statements"])
    assert "takes no seed: sampled replies do not repeat on it." in statements
    assert "examples the model declined to answer (they count as unparsed)" in statements
    assert board["model"]["adapted"] == ["takes no seed: sampled replies do not repeat on it"]
    rows = (tmp_path / "runs/remote/predictions/0.jsonl").read_text().splitlines()
    jokes = [row for row in map(json.loads, rows) if row["text"].startswith("I rate no jokes")]
    assert jokes
    assert all(row["label"] is None and row["error"] is None for row in jokes)
    assert board["trials"][0]["errors"] == 0


def test_a_trial_without_any_answer_has_failed(endpoint: Endpoint, tmp_path: Path) -> None:
    def script(call: Call, number: int) -> Answer:
        return refused(503, "no room") if "Guess" in call.words else rated(call, number)

    endpoint.script = script
    path = study_file(endpoint, tmp_path)
    board = StudyRun(search(path), out=tmp_path / "runs").run()
    ask, guess = board["trials"]
    assert (ask["state"], guess["state"]) == ("complete", "failed")
    assert "all 10 examples failed: " in guess["reason"]
    assert "503 Service Unavailable: no room (tried 2 times)" in guess["reason"]
    assert board["best"]["dev"]["accuracy"] == 1.0
    assert board["verdict"]["action"] == "undecided"
    assert "guess (trial 1): 0 of 30 examples on dev were answered" in board["verdict"]["because"]
    # what will never be answered may be let be
    path = study_file(endpoint, tmp_path, decision={"missing": 1})
    board = StudyRun(search(path), out=tmp_path / "runs").run()
    assert board["verdict"]["action"] == "use"
    endpoint.script = rated
    board = StudyRun(search(study_file(endpoint, tmp_path)), out=tmp_path / "runs").run()
    assert [row["state"] for row in board["trials"]] == ["complete", "complete"]


def test_how_replies_are_fetched_may_change_on_the_way(endpoint: Endpoint, tmp_path: Path) -> None:
    first = search(study_file(endpoint, tmp_path))
    slower = {"name": "m", "endpoint": endpoint.url, "concurrency": 1, "retries": 9}
    second = search(study_file(endpoint, tmp_path, model=slower))
    third = search(study_file(endpoint, tmp_path, model={**slower, "api": "completions"}))
    assert first.fingerprint == second.fingerprint != third.fingerprint
    assert first.document()["model"]["retries"] == 1
    local = search(study_file(endpoint, tmp_path, model={"name": "x"}))
    assert set(local.document()["model"]) == {
        "name", "device", "dtype", "revision", "family", "deterministic",
    }  # fmt: skip


_HELD = "it holds the value of an environment variable that is a key"


@pytest.mark.parametrize(
    ("model", "parts"),
    [
        ({"name": "x", "concurrency": 3}, ("concurrency: only remote models have this",)),
        ({"name": "m", "endpoint": "http://a/v1", "api_key": SECRET}, (_HELD,)),
        ({"name": "m", "endpoint": f"http://u:{SECRET}@a/v1"}, (_HELD,)),
        ({"name": "m", "endpoint": "http://a/v1", "key_env": SECRET}, (_HELD,)),
        ({"name": "m", "endpoint": "http://a/v1", "api_key": "x"}, ("model.api_key: unknown",)),
        ({"name": "m", "endpoint": "http://u:x@a/v1"}, ("a user name or a password",)),
        ({"name": "m", "endpoint": "http://a/v1", "key_env": "a b"}, ("key_env must be",)),
        ({"name": "m", "endpoint": "http://a/v1", "retries": -1}, ("model.retries", "line")),
        ({"name": "m", "endpoint": "http://a/v1", "price": {"input": 1}}, ("price.output",)),
    ],
)
def test_wrong_model_sections(
    endpoint: Endpoint,
    here: Path,
    command: Command,
    model: dict[str, Any],
    parts: tuple[str, ...],
) -> None:
    path = study_file(endpoint, here, model=model)
    ended = command("study", "run", path)
    ended.refuses(*parts)
    assert SECRET not in ended.out + ended.err


def test_templates_that_would_be_scored_are_refused_at_once(
    endpoint: Endpoint, here: Path, command: Command
) -> None:
    answers = {"positive": "great", "negative": "bad"}
    group = {"kind": "template", "templates": [{"text": "{text} {mask}", "answers": answers}]}
    path = study_file(endpoint, here, candidates=[group])
    command("study", "run", path).refuses("cannot score", "a template with a parser")
    assert endpoint.calls == []


@pytest.fixture
def best(endpoint: Endpoint, tmp_path: Path) -> Path:
    """A saved predictor."""
    from promptlab.models.pool import load_model
    from promptlab.predictors.generator import PromptGenerator
    from promptlab.prompts.parsers.parsers import parser_from_settings
    from promptlab.prompts.template import Template

    parser = parser_from_settings({"type": "choice", "choices": CHOICES})
    model = load_model(endpoint.name, **OPTIONS)
    return PromptGenerator(Template("Review: {text} {mask}"), parser, model).save(tmp_path / "best")


def rows(*words: str) -> str:
    return "".join(json.dumps({"text": f"the {word} was great"}) + "\n" for word in words)


def test_predict_tells_what_failed(best: Path, here: Path, command: Command) -> None:
    (here / "in.jsonl").write_text(rows("film", "joke", "soup", "plot"))
    done = command("predict", best, "in.jsonl", "--out", "out.jsonl")
    assert done.code == 0, done.err
    assert "1 of 4 examples failed: http://127.0.0.1" in done.err
    assert "500 Internal Server Error: no joke (Bearer ***) (tried 2 times)" in done.err
    assert "cost: 3 replies paid for" in done.err
    found = [json.loads(line) for line in (here / "out.jsonl").read_text().splitlines()]
    assert [row["prediction"] for row in found] == ["positive", None, "positive", "positive"]
    assert [row["error"] is None for row in found] == [True, False, True, True]
    assert SECRET not in (here / "out.jsonl").read_text() + done.out + done.err
    again = command("predict", best, "in.jsonl", "--json")
    summary = json.loads(again.out)
    assert (summary["failed"], summary["cost"]["failed"]) == (1, 1)  # of this command alone
    assert summary["cost"]["requests"] == 0  # nothing was paid for twice
    assert summary["cost"]["cached"] == 3


def test_predict_fails_when_every_example_did(best: Path, here: Path, command: Command) -> None:
    (here / "in.jsonl").write_text(rows("joke", "joke and more"))
    ended = command("predict", best, "in.jsonl", "--out", "out.jsonl")
    assert ended.code == 1
    assert "Error: all 2 examples failed: http" in ended.err
    assert not (here / "out.jsonl").exists()


def test_other_options_for_a_saved_predictor(
    best: Path, endpoint: Endpoint, here: Path, command: Command
) -> None:
    (here / "in.jsonl").write_text(rows("film"))
    done = command("predict", best, "in.jsonl", "--model-option", "api=completions")
    assert done.code == 0, done.err
    assert endpoint.calls[-1].path == "/v1/completions"
    name = f"remote:m@http://user:{SECRET}@127.0.0.1/v1"
    for arguments in (["model", "check", name], ["predict", best, "in.jsonl", "--model", name]):
        refused_ = command(*arguments)
        refused_.refuses("a user name or a password")
        assert SECRET not in refused_.err


def test_check_of_an_endpoint_that_fails(endpoint: Endpoint, command: Command) -> None:
    endpoint.script = lambda call, number: refused(403, f"{SECRET} is not allowed")
    ended = command("model", "check", endpoint.name)
    ended.refuses("403", "PROMPTLAB_API_KEY")
    assert SECRET not in ended.err
    endpoint.script = lambda call, number: refused(500, "down")
    ended = command("model", "check", endpoint.name, "--model-option", "retries=0")
    assert ended.code == 1
    assert "does not answer: http" in ended.err
    command("model", "check", "smollm2-135m", "--model-option", "api=chat").refuses(
        "only remote models have options"
    )


def test_predict_tells_what_it_paid_before_it_failed(
    best: Path, endpoint: Endpoint, here: Path, command: Command
) -> None:
    answered: list[str] = []

    def script(call: Call, number: int) -> Answer:
        if len(answered) >= 3:
            return refused(401, "no more")
        answered.append(call.words)
        return rated(call, number)

    endpoint.script = script
    (here / "in.jsonl").write_text(rows(*(f"film {n}" for n in range(40))))
    ended = command("predict", best, "in.jsonl", "--out", "out.jsonl")
    assert ended.code == 2
    assert "paid all the same: 3 replies paid for" in ended.err
