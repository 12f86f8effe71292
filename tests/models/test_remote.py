"""Remote models: names, what is sent, what is kept, what it costs, and keys that stay secret."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promptlab.errors import Cancelled, CapabilityError, InputError, TemplateError
from promptlab.models.pool import POOL, ModelPool, load_model
from promptlab.models.remote.model import RemoteModel
from promptlab.predictors.base import load
from promptlab.predictors.generator import PromptGenerator
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.parsers.parsers import parser_from_settings
from promptlab.prompts.prompt import Prompt, Slot, Soft, Text, Trigger
from promptlab.prompts.template import Template
from tests.helpers.fake_endpoint import Call, Endpoint, said, serving, stream
from tests.helpers.remote_fixtures import SECRET, endpoint, own_replies, plain  # noqa: F401 - fixtures


def test_what_is_sent(endpoint: Endpoint) -> None:
    model = RemoteModel(endpoint.name, extra={"top_logprobs": 2, "temperature": None})
    decoding = Decoding(max_tokens=5, temperature=0.5, top_p=0.9, top_k=3, stop=("\n",), seed=1)
    model.generate([plain("  one ")], decoding, samples=[4])
    (call,) = endpoint.calls
    assert call.path == "/v1/chat/completions"
    seed = call.body.pop("seed")
    assert 0 <= seed < 2**31
    assert call.body == {
        "model": "m", "messages": [{"role": "user", "content": "one"}], "max_tokens": 5,
        "top_p": 0.9, "top_k": 3, "stop": ["\n"], "top_logprobs": 2,
    }  # fmt: skip
    model.generate([plain("one")], Decoding())
    assert endpoint.calls[1].body.keys() == {"model", "messages", "max_tokens", "top_logprobs"}


def test_plain_completions(endpoint: Endpoint) -> None:
    model = RemoteModel(endpoint.name, api="completions")
    assert model.generate([plain("It was ")], Decoding())[0].text == "re It was"
    assert endpoint.calls[0].path == "/v1/completions"
    assert endpoint.calls[0].body["prompt"] == "It was"
    with pytest.raises(CapabilityError, match="cannot chat; use api: chat"):
        model.generate([plain("It was", chat=True)], Decoding())


def test_an_assistant_that_has_begun_to_speak(endpoint: Endpoint) -> None:
    prompt = plain("Why?", chat=True).continued_with("Because")
    RemoteModel(endpoint.name).generate([prompt], Decoding())
    RemoteModel(endpoint.name, prefill="continue").generate([prompt], Decoding())
    asked, extended = (call.body for call in endpoint.calls)
    assert [turn["role"] for turn in asked["messages"]] == ["user", "assistant", "user"]
    assert asked["messages"][1]["content"] == "Because"
    assert asked["messages"][2]["content"].startswith("Go on exactly where you stopped")
    assert extended["messages"] == asked["messages"][:2]
    assert (extended["continue_final_message"], extended["add_generation_prompt"]) == (True, False)


def test_earlier_turns_are_messages(endpoint: Endpoint) -> None:
    turns = (("system", "be brief"), ("user", "a"), ("assistant", "b"))
    prompt = replace(plain("c", chat=True), turns=turns)
    model = RemoteModel(endpoint.name)
    model.generate([prompt], Decoding())
    said = [(turn["role"], turn["content"]) for turn in endpoint.calls[0].body["messages"]]
    assert said == [*turns, ("user", "c")]
    model.generate([replace(plain("", chat=True), turns=turns[:2])], Decoding())
    assert len(endpoint.calls[-1].body["messages"]) == 2  # no turn without words
    assert model.count_tokens(prompt) > model.count_tokens(plain("c", chat=True))


def test_what_a_remote_model_cannot_do(endpoint: Endpoint) -> None:
    model = RemoteModel(endpoint.name)
    doing = {
        "score": lambda: model.score([plain("a")], ["b"]),
        "fill slots": lambda: model.fill([plain("a")]),
    }
    for what, call in doing.items():
        with pytest.raises(CapabilityError, match=f"remote model and cannot {what}; use a local"):
            call()
    for capability in ("features", "gradients"):
        with pytest.raises(CapabilityError, match="use a local model"):
            model.require(capability)  # type: ignore[arg-type]
    for segment in (Soft(3), Trigger(2)):
        with pytest.raises(CapabilityError, match="soft or trigger tokens"):
            model.generate([plain("a", segment)], Decoding())
    after = Prompt((Text("a"), Slot(), Text("b")), chat=True)
    with pytest.raises(TemplateError, match="ends at its slot"):
        model.generate([after], Decoding())
    assert endpoint.calls == []


def test_the_window_is_what_the_endpoint_says(endpoint: Endpoint) -> None:
    assert RemoteModel(endpoint.name).max_tokens == 512
    assert RemoteModel(endpoint.name, max_tokens=99).max_tokens == 99
    endpoint.models = [{"id": "other", "context_length": 4}, {"id": "m"}]
    assert RemoteModel(endpoint.name).max_tokens == 8192
    assert RemoteModel("remote:m@http://127.0.0.1:1/v1").max_tokens == 8192
    endpoint.models, endpoint.busy_about = [{"id": "m", "context_length": 640}], 2
    assert RemoteModel(endpoint.name).max_tokens == 640


def test_prompts_are_cut_by_an_estimate(endpoint: Endpoint) -> None:
    model = RemoteModel(endpoint.name)
    assert model.count_tokens(plain("four" * 10)) == 10 + 1
    assert model.truncate("four" * 10, 3) == "four" * 3
    assert model.truncate("größe", 1) == "grö"  # whole characters alone
    parser = parser_from_settings({"type": "text"})
    predictor = PromptGenerator(Template("{text}\n{mask}"), parser, model)
    (row,) = predictor.predict(["word " * 5000])
    assert row.trace["shortened"] == ["text"]
    assert len(endpoint.calls[0].words) <= 4 * 512


def test_replies_are_kept_for_the_same_request_alone(endpoint: Endpoint) -> None:
    def calls(prompt: str, samples: list[int], options: Any = None, **decoding: Any) -> int:
        before = len(endpoint.calls)
        model = RemoteModel(endpoint.name, **(options or {}))
        prompts = [plain(prompt)] * len(samples)
        model.generate(prompts, Decoding(**decoding), samples=samples)
        return len(endpoint.calls) - before

    warm = {"temperature": 1.0}
    assert calls("a", [0, 1]) == 1  # greedy: all samples are equal
    assert calls("a", [5], seed=9) == 0
    assert calls("a", [0], max_tokens=9) == 1
    assert calls("b", [0]) == 1
    assert calls("a", [0, 1, 1], **warm) == 2
    assert calls("a", [1, 2], **warm) == 1
    assert calls("a", [0], seed=1, **warm) == 1
    assert calls("a", [0], {"stream": True, "concurrency": 1, "price": None}) == 0
    assert calls("a", [0], {"cache": False}) == 1
    assert calls("a", [0], {"extra": {"x": 1}}) == 1
    assert calls("a", [0], {"api": "completions"}) == 1


def test_kept_replies_cost_nothing(endpoint: Endpoint) -> None:
    options: dict[str, Any] = {"price": {"input": 3.0, "output": 15.0}}
    first = RemoteModel(endpoint.name, **options)
    a, b, again = first.generate([plain("a"), plain("b"), plain("a")], Decoding())
    assert (a.cached, b.cached, again.cached) == (False, False, True)
    assert (a.tokens_in, a.tokens_out) == (10, 2)
    assert again.seconds == 0
    assert first.usage_cost()["dollars"] == pytest.approx(2 * (10 * 3 + 2 * 15) / 1e6)
    assert first.usage_cost()["cached"] == 1
    second = RemoteModel(endpoint.name, **options)
    assert [g.cached for g in second.generate([plain("a"), plain("c")], Decoding())] == [
        True,
        False,
    ]
    assert second.usage_cost()["dollars"] == pytest.approx((10 * 3 + 2 * 15) / 1e6)
    assert second.usage_cost()["tokens_in"] == 10


def test_tokens_are_estimated_when_the_endpoint_counts_none() -> None:
    with serving(lambda call, n: said("12345678", usage=None)) as endpoint:
        model = RemoteModel(endpoint.name)
        (reply,) = model.generate([plain("x" * 40)], Decoding())
        assert (reply.tokens_in, reply.tokens_out) == (11, 2)
        assert model.usage_cost()["estimated"] == 1


def test_stop_strings_end_a_reply_whatever_the_endpoint_does() -> None:
    with serving(lambda call, n: said("one\n\ntwo###three", finish="length")) as endpoint:
        model = RemoteModel(endpoint.name)
        (reply,) = model.generate([plain("a")], Decoding(stop=("###", "\n\n")))
        assert (reply.text, reply.finish) == ("one", "stop")


def test_a_killed_process_loses_no_finished_reply(tmp_path: Path) -> None:
    import threading

    release = threading.Event()

    def script(call: Call, number: int) -> Any:
        if call.words == "hangs":
            release.wait(20)
        return said(f"re {call.words}")

    program = (
        "import sys\n"
        "from promptlab.models.pool import load_model\n"
        "from promptlab.prompts.prompt import Prompt, Slot, Text\n"
        "from promptlab.prompts.decoding import Decoding\n"
        "words = ['a', 'b', 'c', 'hangs']\n"
        "model = load_model(sys.argv[1], concurrency=1)\n"
        "model.generate([Prompt((Text(w), Slot())) for w in words], Decoding())\n"
    )
    with serving(script) as endpoint:
        process = subprocess.Popen([sys.executable, "-c", program, endpoint.name])
        while not any(call.words == "hangs" for call in list(endpoint.calls)):
            assert process.poll() is None
            release.wait(0.02)
        process.kill()
        process.wait()
        release.set()
        found = RemoteModel(endpoint.name).generate([plain(w) for w in "abc"], Decoding())
    assert [g.text for g in found] == ["re a", "re b", "re c"]
    assert all(g.cached for g in found)


def test_a_saved_predictor_finds_its_endpoint_again(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMPTLAB_API_KEY", SECRET)
    options: dict[str, Any] = {"api": "completions", "price": {"input": 1.0, "output": 2.0}}
    model = load_model("m", endpoint=endpoint.url, **options)
    parser = parser_from_settings({"type": "text"})
    PromptGenerator(Template("{text}: {mask}"), parser, model).save(tmp_path / "best")
    text = (tmp_path / "best" / "predictor.json").read_text()
    assert SECRET not in text
    assert json.loads(text)["model"]["endpoint"] == endpoint.url
    again = load(tmp_path / "best", device="auto")
    assert isinstance(again.model, RemoteModel)
    assert again.model.options == RemoteModel(endpoint.name, **options).options
    assert again.predict(["hello"])[0].text == "re hello:"
    other = load(tmp_path / "best", f"remote:n@{endpoint.url}")
    assert isinstance(other.model, RemoteModel)
    assert (other.model.endpoint.model, other.model.options.api) == ("n", "chat")


def test_the_pool_keeps_remote_models_beside_local_ones(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = ModelPool(size=1)
    first = pool.get(endpoint.name, price={"input": 1.0, "output": 2.0})
    assert pool.get(endpoint.name, price={"output": 2.0, "input": 1.0}) is first
    assert pool.get(endpoint.name) is not first
    assert pool.get(endpoint.name, price={"input": 1.0, "output": 2.0}) is first
    with pytest.raises(InputError, match=r"stream: .* is a local model, whose options are cache"):
        POOL.get("smollm2-135m", stream=True)


def test_a_remote_model_needs_no_torch() -> None:
    program = (
        "import sys\n"
        "from promptlab.models.pool import load_model\n"
        "load_model('remote:m@http://127.0.0.1:1/v1', max_tokens=99)\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env=dict(os.environ))


def test_replies_are_heard_as_they_come(endpoint: Endpoint) -> None:
    """Asked for as a stream when somebody listens; one that is not streamed comes as a whole."""
    prompt = plain("one")
    with serving(lambda call, n: stream("two", " three.", " four")) as opened:
        model = RemoteModel(opened.name)
        heard: list[tuple[int, str]] = []
        found = model.generate(
            [prompt, prompt],
            Decoding(stop=(".",)),
            on_text=lambda number, text: heard.append((number, text)),
        )
        assert [one.text for one in found] == ["two three"] * 2
        assert heard[:4] == [(0, "two"), (1, "two"), (0, "two three"), (1, "two three")]
        assert opened.calls[-1].body["stream"] is True
    heard.clear()
    whole = RemoteModel(endpoint.name)
    whole.generate([prompt], Decoding(), on_text=lambda number, text: heard.append((number, text)))
    assert heard == [(0, "re one")]


def test_a_listener_stops_a_stream() -> None:
    def stop(number: int, text: str) -> None:
        raise Cancelled("stopped")

    with serving(lambda call, n: stream("two", " three")) as opened:
        model = RemoteModel(opened.name)
        with pytest.raises(Cancelled):
            model.generate([plain("one")], Decoding(), on_text=stop)
        found = model.generate([plain("one")], Decoding(), on_text=lambda *_: None)
        assert found[0].text == "two three"
