"""A request that hangs is broken off when its work is cancelled, and nobody else's is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promptlab.batch.file_prediction import predict_file
from promptlab.cancellation import Cancellation
from promptlab.data.example import Example
from promptlab.errors import Cancelled
from promptlab.models.remote.model import RemoteModel
from promptlab.predictors.comparison_grid import ComparisonGrid
from promptlab.predictors.generator import PromptGenerator
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.parsers.parsers import parser_from_settings
from promptlab.prompts.prompt import Prompt, Slot, Text
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from tests.helpers.fake_endpoint import Answer, Call, Endpoint, said, serving, stream
from tests.helpers.remote_fixtures import own_replies  # noqa: F401 - a fixture
from tests.helpers.study_fixtures import study_document, write_reviews

CHOICES = {"positive": ["positive"], "negative": ["negative"]}


class Hanging:
    """Answers; a prompt that says *hang* is taken (``taken``) and not answered before the end."""

    def __init__(self) -> None:
        self.taken, self.over = threading.Event(), threading.Event()

    def __call__(self, call: Call, number: int) -> Answer:
        if "hang" not in call.words:
            return said("positive")
        self.taken.set()
        self.over.wait()
        return said("too late")


@pytest.fixture
def script() -> Iterator[Hanging]:
    found = Hanging()
    yield found
    found.over.set()


@pytest.fixture
def endpoint(script: Hanging) -> Iterator[Endpoint]:
    with serving(script) as opened:
        yield opened
        script.over.set()


def once_taken(script: Hanging, cancellation: Cancellation) -> None:
    """Cancel as soon as the endpoint has the request."""

    def watch() -> None:
        script.taken.wait()
        cancellation.request()

    threading.Thread(target=watch, daemon=True).start()


def asked(*words: str) -> list[Prompt]:
    return [Prompt((Text(word), Slot())) for word in words]


def model_at(endpoint: Endpoint, **options: Any) -> RemoteModel:
    return RemoteModel(endpoint.name, **{"read_timeout": 3600, "retries": 0, **options})


@pytest.mark.parametrize("streamed", [False, True])
def test_a_reply_that_does_not_come(endpoint: Endpoint, script: Hanging, streamed: bool) -> None:
    model, cancellation = model_at(endpoint, stream=streamed), Cancellation()
    once_taken(script, cancellation)
    with cancellation.in_force(), pytest.raises(Cancelled):
        model.generate(asked("hang", "go"), Decoding())
    assert not script.over.is_set()
    (again,) = model.generate(asked("go on"), Decoding())
    assert again.text == "positive"
    model.close()


def test_a_stream_that_stops_in_its_midst() -> None:
    over, cancellation, heard = threading.Event(), Cancellation(), []
    begun = replace(stream("one", finish=None, done=False), until=over)

    def on_text(number: int, text: str) -> None:
        heard.append(text)
        cancellation.request()

    with serving(lambda call, n: begun) as endpoint:
        model = model_at(endpoint)
        with cancellation.in_force(), pytest.raises(Cancelled):
            model.generate(asked("go"), Decoding(), on_text=on_text)
        over.set()
    assert heard == ["one"]


def test_what_others_ask_goes_on(endpoint: Endpoint, script: Hanging) -> None:
    model, cancellation = model_at(endpoint, cache=False), Cancellation()
    found: list[str] = []
    other = threading.Thread(
        target=lambda: found.extend(g.text for g in model.generate(asked("hang, too"), Decoding()))
    )
    other.start()
    script.taken.wait()
    script.taken.clear()
    once_taken(script, cancellation)
    with cancellation.in_force(), pytest.raises(Cancelled):
        model.generate(asked("hang"), Decoding())
    assert other.is_alive()
    script.over.set()
    other.join()
    assert found == ["too late"]


def test_a_study_that_is_cancelled_stops_within_its_block(
    endpoint: Endpoint, script: Hanging, tmp_path: Path
) -> None:
    parser = {"type": "choice", "choices": CHOICES}
    templates = [
        {"text": f"{word}: {{text}} {{mask}}", "parser": parser, "name": word}
        for word in ("go", "hang")
    ]
    group = {"kind": "template", "templates": templates}
    document = study_document(write_reviews(tmp_path / "reviews.csv"), candidates=[group])
    spec: Any = load_spec(document | {"baseline": None}, source="test")
    cancellation = Cancellation()
    once_taken(script, cancellation)
    run = StudyRun(spec, out=tmp_path, cancellation=cancellation, model=model_at(endpoint))
    with pytest.raises(Cancelled):
        run.run()
    assert not run.folder.is_decided and not script.over.is_set()


def test_files_and_grids_keep_what_is_finished(
    endpoint: Endpoint, script: Hanging, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("text\nfine\nfine too\nhang\n", encoding="utf-8")
    parser = parser_from_settings({"type": "choice", "choices": CHOICES})
    predictor = PromptGenerator("Review: {text} {mask}", parser, model_at(endpoint))
    cancellation = Cancellation()
    once_taken(script, cancellation)
    batch = predict_file(predictor, rows, tmp_path / "out.csv", block=2, cancellation=cancellation)
    assert batch["cancelled"] and batch["rows"] == 2
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").count("positive") == 2
    grid = ComparisonGrid({"hangs": lambda: predictor}, [Example("1", {"text": "hang"})])
    script.taken.clear()
    once_taken(script, grid.cancellation)
    with pytest.raises(Cancelled):
        list(grid.run())
    assert grid.errors == {}
