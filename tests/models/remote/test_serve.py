"""Remote models against a real ``transformers serve`` on this machine, started once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from promptlab.errors import EndpointError
from promptlab.models.remote.model import RemoteModel
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.prompt import Prompt, Slot, Text
from tests.helpers.browser import free_port
from tests.helpers.command_line import Command, command, here  # noqa: F401 - fixtures
from tests.helpers.study_fixtures import write_reviews
from tests.helpers.tiny_models import llama

pytestmark = pytest.mark.slow

SECRET = "sk-very-secret-0123456789"
START_SECONDS = 300.0


@dataclass(frozen=True)
class Served:
    """A served tiny model: its folder, and the name under which promptlab knows it."""

    folder: Path
    name: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A Llama of a few thousand weights, which samples unless it is asked not to."""
    folder = tmp_path_factory.mktemp("served")
    model, tokenizer = llama()
    model.generation_config.do_sample = True
    model.save_pretrained(folder / "tiny")
    tokenizer.save_pretrained(folder / "tiny")
    port = free_port()
    program = "from transformers.cli.transformers import main; main()"
    arguments = ["serve", "tiny", "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            cwd=folder,
            stdout=log,
            stderr=log,
            env=os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "hub")},
        )
    try:
        _wait(process, f"http://127.0.0.1:{port}/health", folder / "log")
        yield Served(folder / "tiny", f"remote:tiny@http://127.0.0.1:{port}/v1")
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Until the server answers."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    pytest.fail(f"transformers serve did not start: {log.read_text()[-2000:]}")


@pytest.fixture(autouse=True)
def own_replies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache of the test's own, and a key that the server does not ask for."""
    monkeypatch.setenv("PROMPTLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PROMPTLAB_API_KEY", SECRET)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    return tmp_path / "cache"


def prompts(*words: str, **options: Any) -> list[Prompt]:
    return [Prompt((Text(word), Slot()), **options) for word in words]


WORDS = ("the soup was", "a film", "Review : dull . Sentiment :")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("api", ["chat", "completions"])
def test_greedy_replies_are_those_of_the_model_itself(
    served: Served, api: str, stream: bool
) -> None:
    from promptlab.models.loading import load

    chat = api == "chat"
    local = load(str(served.folder), device="cpu", dtype="float32", cache=False)
    wanted = local.generate(prompts(*WORDS, chat=chat), Decoding(max_tokens=6))
    model = RemoteModel(served.name, api=api, stream=stream)
    found = model.generate(prompts(*WORDS, chat=chat), Decoding(max_tokens=6))
    assert [g.error for g in found] == [None] * 3
    # A stream leaves out the bytes of an unfinished character at the very end.
    assert [g.text.strip(" \ufffd") for g in found] == [g.text.strip(" \ufffd") for g in wanted]
    assert [g.finish for g in found] == [g.finish for g in wanted]
    assert [g.tokens_out for g in found] == [g.tokens_out for g in wanted]
    assert all(g.tokens_in > 0 for g in found)
    assert model.usage_cost()["estimated"] == 0


def test_sampled_replies_repeat_with_their_seed(served: Served) -> None:
    def replies(seed: int, samples: list[int]) -> list[str]:
        # One at a time: the server seeds all its threads together.
        model = RemoteModel(served.name, cache=False, concurrency=1)
        decoding = Decoding(max_tokens=8, temperature=1.0, seed=seed)
        asked = prompts("the soup was") * len(samples)
        return [g.text for g in model.generate(asked, decoding, samples=samples)]

    first = replies(1, [0, 1, 2])
    assert len(set(first)) == 3
    assert replies(1, [2, 0]) == [first[2], first[0]]
    assert not set(replies(2, [0, 1, 2])) & set(first)


def test_stop_strings_and_a_prefill(served: Served) -> None:
    model = RemoteModel(served.name)
    (whole,) = model.generate(prompts("a film"), Decoding(max_tokens=8))
    mark = whole.text[3:5]
    (cut,) = model.generate(prompts("a film"), Decoding(max_tokens=8, stop=(mark,)))
    assert cut.text == whole.text[: whole.text.index(mark)]
    assert cut.finish == "stop"
    (asked,) = prompts("a film", chat=True)
    (after,) = model.generate([asked.continued_with("it was")], Decoding(max_tokens=4))
    assert (after.error, after.tokens_out) == (None, 4)


def test_what_this_server_refuses_is_told(served: Served) -> None:
    other = RemoteModel(served.name.replace("tiny", "huge", 1), retries=0)
    with pytest.raises(EndpointError, match="pinned to 'tiny'; requested 'huge'"):
        other.generate(prompts("a"), Decoding())
    model = RemoteModel(served.name, retries=0)
    decoding = Decoding(max_tokens=4, temperature=1.0, top_k=3)
    with pytest.raises(EndpointError, match=r"refuses top_k 3 .*top_k: null.*Unexpected fields"):
        model.generate(prompts("a"), decoding)


def study(served: Served, data: Path, path: Path) -> Path:
    choices = {"positive": ["a", "e", "great"], "negative": ["o", "u", "bad"]}
    parser = {"type": "choice", "choices": choices}
    document = {
        "study": "remote",
        "task": {"data": str(data), "train": 10, "dev": 12, "test": 12},
        "model": {
            "name": "tiny",
            "endpoint": served.name.partition("@")[2],
            "price": {"input": 1.0, "output": 2.0},
        },
        "candidates": [
            {
                "kind": "template",
                "templates": [
                    {"text": "{text} It was {mask}", "parser": parser},
                    {"text": "Review: {text} Sentiment: {mask}", "parser": parser},
                ],
                "chat": [False, True],
                "decoding": {"max_tokens": 6},
            }
        ],
        "budget": {"trials": 4},
        "block": 6,
    }
    path.write_text(yaml.safe_dump(document))
    return path


def test_check_study_and_predict_from_the_command_line(
    served: Served, command: Command, here: Path, own_replies: Path
) -> None:
    said = ""
    price = "--model-option=price={input: 1, output: 2}"
    checked = command("model", "check", served.name, price, "--json")
    row = json.loads(checked.out)
    assert row["family"] == "remote"
    assert row["written_tokens_per_second"] > 0
    assert row["cost"]["dollars"] > 0
    assert row["errors"] == []
    told = command("model", "check", served.name)
    assert "tokens/s written" in told.out
    assert "no price given" in told.out
    data = write_reviews(here / "reviews.csv", rows=40)
    done = command("study", "run", study(served, data, here / "study.yaml"))
    assert done.code == 0, done.err
    assert "Cost of the endpoint:" in done.out
    board = json.loads((here / "runs/remote/leaderboard.json").read_text())
    assert len([row for row in board["trials"] if row["state"] == "complete"]) == 4
    assert board["cost"]["dollars"] > 0
    assert board["model"]["endpoint"] in served.name
    best = command("predict", here / "runs/remote/best", data)
    assert best.code == 0, best.err
    assert "cost:" in best.err
    said += checked.out + checked.err + told.out + told.err + done.out + done.err
    assert SECRET not in said + best.out + best.err
    files = [path for folder in (here, own_replies) for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]
