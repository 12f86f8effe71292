"""Free generation in the workbench: what is asked, watched, stopped and shown."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.helpers.scripted_model import ScriptedModel

pytest.importorskip("gradio")

import promptlab as pl
from promptlab.errors import Cancelled
from promptlab.ui.components.stop_button import request_stop
from promptlab.ui.playground import generation_view
from promptlab.ui.playground.generation_view import (
    generation_record,
    generation_request,
    read_prompt,
    start_generation,
)
from promptlab.ui.playground.live_worker import LiveWorker, Tell

HOSTILE = "<script>alert(1)</script>"


def asked(text: str, **changes: Any) -> Any:
    """What the boxes say, with the section's defaults."""
    given: dict[str, Any] = {
        "fields": "", "chat": False, "max_tokens": 8, "temperature": 0.0, "top_k": 0, "top_p": 1.0,
        "seed": 0, "stop": "", "samples": 1,
    }  # fmt: skip
    return generation_request(text, **{**given, **changes})


def test_a_text_is_continued_as_it_stands_and_a_template_is_filled() -> None:
    plain = asked('{"a": {b}} {{x}} {% y %}')
    assert str(plain.prompt) == '{"a": {b}} {{x}} {% y %}{mask}'
    filled = asked("The capital of {country} is {mask}", fields="country = Poland")
    assert str(filled.prompt) == "The capital of Poland is {mask}"
    assert asked("hello", chat=True).prompt.chat


def test_boxes_become_a_decoding() -> None:
    found = asked("x", temperature=0.7, top_k=5, top_p=0.9, seed=3, stop="\\n\n\nQ:", samples=4.0)
    assert found.decoding == pl.Decoding(8, 0.7, 5, 0.9, ("\n", "Q:"), 3)
    assert found.samples == 4
    assert asked("x", samples=4).samples == 1  # greedy texts are all alike
    for faulty in ({"samples": 99}, {"max_tokens": 0}, {"temperature": -1.0}):
        with pytest.raises(pl.InputError):
            asked("x", **faulty)
    with pytest.raises(pl.InputError, match="write a prompt"):
        asked("  ")
    with pytest.raises(pl.InputError, match="at most"):
        asked("x" * 60_000)


def test_texts_grow_and_end_as_a_plain_call_has_them(fresh: Callable[..., Any]) -> None:
    model = fresh("tiny_causal")
    what = asked("It was", temperature=0.9, samples=3, max_tokens=16)
    work = start_generation(model, what, pl.Cancellation())
    seen = list(work.latest())
    plain = model.generate([what.prompt] * 3, what.decoding, samples=range(3))
    assert [one.text for one in work.result] == [one.text for one in plain]
    assert seen[0].pieces <= seen[-1].pieces
    found = generation_record(model, what, work.result, work.seconds)
    assert found["tokens_in"] == plain[0].tokens_in and found["tokens_per_second"] > 0
    assert [one["finish"] for one in found["texts"]] == [one.finish for one in plain]
    drawn = str(generation_view.written_html(found))
    assert drawn.count('class="pl-generated"') + drawn.count("Nothing was written") == 3
    assert f"{model.name}: " in drawn
    assert "Sample 3" in drawn and "tokens/s" in drawn and "log-probability" in drawn


def test_the_prompt_is_shown_as_it_is_read(fresh: Callable[..., Any]) -> None:
    model = fresh("tiny_causal")
    assert read_prompt(model, asked("It was great", chat=True).prompt).endswith("<|assistant|>")
    assert read_prompt(model, asked("It was great").prompt).endswith("It was great")
    assert read_prompt(ScriptedModel(), asked("It was").prompt) == "It was"


def test_a_generation_is_stopped_and_what_was_written_stays(fresh: Callable[..., Any]) -> None:
    model = fresh("tiny_causal")
    cancellation = pl.Cancellation()
    what = asked("It was", temperature=2.0, samples=8, max_tokens=400)
    work = start_generation(model, what, cancellation)
    heard = None
    for heard in work.latest():
        if heard.pieces:
            request_stop(cancellation)
    with pytest.raises(Cancelled):
        assert work.result
    assert heard is not None and heard.pieces < 8 * 400
    drawn = str(generation_view.stopped_html("It was", heard, work.seconds))
    assert "stopped by you" in drawn and "Stopped after" in drawn
    request_stop(None)  # nothing runs
    assert model.generate([what.prompt], pl.Decoding(max_tokens=2))[0].error is None


def test_a_masked_model_says_what_could_generate(fresh: Callable[..., Any]) -> None:
    work = start_generation(fresh("tiny_masked"), asked("It was"), pl.Cancellation())
    assert len(list(work.latest())) <= 1
    with pytest.raises(pl.InputError, match="masked model and cannot generate; use a causal"):
        assert work.result


def test_a_prompt_beyond_the_window_is_told(fresh: Callable[..., Any]) -> None:
    model = fresh("tiny_causal")
    what = asked("film " * 2000)
    work = start_generation(model, what, pl.Cancellation())
    list(work.latest())
    with pytest.raises(pl.InputError, match="the prompt has"):
        generation_record(model, what, work.result, 1.0)


def test_hostile_texts_are_text() -> None:
    model = ScriptedModel(lambda prompt, n: HOSTILE)
    what = asked(HOSTILE)
    work = start_generation(model, what, pl.Cancellation())
    heard = list(work.latest())[-1:]
    found = generation_record(model, what, work.result, work.seconds)
    texts = generation_view.GeneratedTexts((HOSTILE,), 1)
    drawn = [
        generation_view.written_html(found),
        generation_view.writing_html(found["prompt"], texts, 1.0),
        generation_view.stopped_html(found["prompt"], texts, 1.0),
    ]
    assert len(heard) <= 1
    assert all("<script" not in one and "&lt;script&gt;" in one for one in map(str, drawn))


def test_leaving_early_stops_the_work() -> None:
    cancellation, ended = pl.Cancellation(), threading.Event()

    def count(tell: Tell[int]) -> int:
        try:
            for number in range(10_000):
                tell(number)
                time.sleep(0.002)
        finally:
            ended.set()
        return number

    latest = LiveWorker(count, cancellation).latest()
    next(latest)
    latest.close()  # type: ignore[attr-defined]
    assert cancellation.requested and ended.wait(60)


def test_only_the_latest_is_told_and_time_passes() -> None:
    def work(tell: Tell[int]) -> str:
        for number in range(500):
            tell(number)
        assert twice.wait(60)
        return "done"

    twice = threading.Event()
    watched: LiveWorker[int, str] = LiveWorker(work, pl.Cancellation())
    seen = []
    for told in watched.latest():
        seen.append(told)
        if seen.count(499) == 2:
            twice.set()
    assert watched.result == "done" and watched.seconds > 0
    assert len(seen) < 20 and seen == sorted(seen) and seen.count(499) >= 2
