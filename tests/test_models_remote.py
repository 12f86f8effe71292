"""Remote models: names, what is sent, what is kept, what it costs, and keys that stay secret."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from endpoint import Call, Endpoint, refused, said, serving, stream

from promptlab.cancellation import Cancelled
from promptlab.decoding import Decoding
from promptlab.errors import CapabilityError, EndpointError, InputError, TemplateError
from promptlab.generator import PromptGenerator
from promptlab.models.pool import POOL, ModelPool, load_model
from promptlab.models.remote.address import Address
from promptlab.models.remote.model import RemoteModel
from promptlab.models.remote.patience import Backoff, RateLimit
from promptlab.parser_settings import parser_from_settings
from promptlab.predictor import load
from promptlab.prompt import Prompt, Slot, Soft, Text, Trigger
from promptlab.template import Template

SECRET = "sk-very-secret-0123456789"


@pytest.fixture(autouse=True)
def own_replies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache of the test's own, and no key from the machine."""
    monkeypatch.setenv("PROMPTLAB_CACHE", str(tmp_path / "cache"))
    for name in ("PROMPTLAB_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """It says every prompt again."""
    with serving(lambda call, n: said(f"re {call.words}")) as opened:
        yield opened


def plain(text: str, *more: Any, **options: Any) -> Prompt:
    return Prompt((Text(text), *more, Slot()), **options)


@pytest.mark.parametrize(
    ("name", "endpoint", "model", "url"),
    [
        ("remote:m@http://h:1/v1", None, "m", "http://h:1/v1"),
        ("remote:m@http://h:1/v1/", None, "m", "http://h:1/v1"),
        ("remote:org/m-1.5:free@https://api.host/a/v1", None, "org/m-1.5:free",
         "https://api.host/a/v1"),
        ("remote:me@home@http://h/v1", None, "me@home", "http://h/v1"),
        ("remote:m@http://[::1]:8/v1", None, "m", "http://[::1]:8/v1"),
        ("m", "http://h/v1", "m", "http://h/v1"),
        ("remote:m", "http://h/v1", "m", "http://h/v1"),
        ("remote:m@http://a/v1", "http://b/v1", "m", "http://a/v1"),
    ],
)  # fmt: skip
def test_names_of_remote_models(name: str, endpoint: str | None, model: str, url: str) -> None:
    found = Address.of(name, endpoint)
    assert (found.model, found.url) == (model, url)
    assert Address.of(found.name) == found


@pytest.mark.parametrize(
    ("name", "endpoint", "told"),
    [
        ("remote:m", None, "no URL that can be read"),
        ("remote:@http://h/v1", None, "no URL that can be read"),
        ("remote:", "http://h/v1", "no URL that can be read"),
        ("remote:m@ftp://h/v1", "http://h/v1", "no URL that can be read"),
        ("m", "localhost:8000/v1", "must begin with http"),
        ("m", "", "must begin with http"),
        ("m", "http://h:port/v1", "cannot be read"),
        ("m", "http://h/v1/chat/completions", "ends with /chat/completions"),
        (f"remote:m@http://user:{SECRET}@h/v1", None, "a user name or a password"),
        ("m", f"https://{SECRET}@h/v1", "a user name or a password"),
        ("m", f"https://h/v1?key={SECRET}", "a query or a fragment"),
    ],
)
def test_names_that_are_none(name: str, endpoint: str | None, told: str) -> None:
    with pytest.raises(InputError, match=told) as error:
        Address.of(name, endpoint)
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"concurrency": 0}, "concurrency: .*greater than or equal to 1"),
        ({"retries": -1}, "retries"),
        ({"api": "responses"}, "api: .*'chat' or 'completions'"),
        ({"price": {"input": 1.0}}, "price.output: .*required"),
        ({"prise": 1}, "prise: a remote model has no such option; it has api, cache"),
        ({"extra": {"api_key": SECRET}}, "extra: keys come from the environment alone"),
        ({"api_key": SECRET}, "api_key: a remote model has no such option"),
        ({"key_env": SECRET}, "key_env must be the name of an environment variable"),
        ({"key_env": "NOT_SET_AT_ALL"}, "NOT_SET_AT_ALL, which is not set"),
    ],
)
def test_wrong_options_are_told_without_what_was_given(
    options: dict[str, Any], told: str, unchecked: None
) -> None:
    with pytest.raises(InputError, match=told) as error:
        load_model("remote:m@http://127.0.0.1:1/v1", **options)
    assert SECRET not in str(error.value)


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
    prompt = plain("Why?", chat=True).going_on("Because")
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


def test_prompts_are_cut_by_an_estimate(endpoint: Endpoint) -> None:
    model = RemoteModel(endpoint.name)
    assert model.count_tokens(plain("four" * 10)) == 10 + 1
    assert model.cut("four" * 10, 3) == "four" * 3
    assert model.cut("größe", 1) == "grö"  # whole characters alone
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
    assert first.spent()["dollars"] == pytest.approx(2 * (10 * 3 + 2 * 15) / 1e6)
    assert first.spent()["cached"] == 1
    second = RemoteModel(endpoint.name, **options)
    assert [g.cached for g in second.generate([plain("a"), plain("c")], Decoding())] == [
        True,
        False,
    ]
    assert second.spent()["dollars"] == pytest.approx((10 * 3 + 2 * 15) / 1e6)
    assert second.spent()["tokens_in"] == 10


def test_tokens_are_estimated_when_the_endpoint_counts_none() -> None:
    with serving(lambda call, n: said("12345678", usage=None)) as endpoint:
        model = RemoteModel(endpoint.name)
        (reply,) = model.generate([plain("x" * 40)], Decoding())
        assert (reply.tokens_in, reply.tokens_out) == (11, 2)
        assert model.spent()["estimated"] == 1


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
        "from promptlab.prompt import Prompt, Slot, Text\n"
        "from promptlab.decoding import Decoding\n"
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


class Time:
    """A clock that moves when somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize(
    ("limits", "each", "last"),
    [((3.0, None), 10, 180.0), ((None, 100.0), 50, 240.0), ((2.0, 1000.0), 10, 240.0),
     ((None, 5.0), 10, 540.0), ((0.5, None), 1, 540.0)],
)  # fmt: skip
def test_rate_limits(limits: tuple[float | None, float | None], each: int, last: float) -> None:
    time = Time()
    rate = RateLimit(*limits, clock=time)
    moments = []
    for _ in range(10):
        rate.admit(each, time.wait, lambda: False)
        moments.append(time.now)
    assert moments[-1] == pytest.approx(last)
    for moment in moments:
        within = [m for m in moments if moment - 60 < m <= moment]
        assert limits[0] is None or len(within) <= max(1, limits[0])
        assert limits[1] is None or len(within) == 1 or len(within) * each <= limits[1]


def test_tokens_are_counted_as_they_turned_out() -> None:
    time = Time()
    rate = RateLimit(None, 100.0, clock=time)
    for _ in range(10):  # each reserves all, and has used a tenth
        rate.settle(rate.admit(100, time.wait, lambda: False), 10)
        time.now += 0.001
    assert time.now > 60


def test_everyone_is_held_when_the_endpoint_asks_for_it() -> None:
    time = Time()
    rate = RateLimit(clock=time)
    rate.hold(9.0)
    rate.admit(1, time.wait, lambda: False)
    assert time.now == pytest.approx(9.0)


def test_backoff() -> None:
    backoff = Backoff(first=1.0, most=8.0)
    drawn = [[backoff.seconds(tried) for _ in range(50)] for tried in range(1, 9)]
    for tried, seconds in enumerate(drawn, start=1):
        top = min(8.0, 2.0 ** (tried - 1))
        assert top / 2 <= min(seconds) < max(seconds) <= top
    assert 5.0 <= backoff.seconds(1, 5.0) <= 6.0


def test_keys_come_from_the_environment(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sent(number: int, **options: Any) -> str | None:
        RemoteModel(endpoint.name, **options).generate([plain(str(number))], Decoding())
        return endpoint.calls[-1].headers.get("Authorization")

    assert sent(1) is None
    monkeypatch.setenv("OPENAI_API_KEY", "second")
    assert sent(2) == "Bearer second"
    monkeypatch.setenv("PROMPTLAB_API_KEY", " first\n")
    assert sent(3) == "Bearer first"
    monkeypatch.setenv("MY_OWN", "own")
    assert sent(4, key_env="MY_OWN") == "Bearer own"
    monkeypatch.setenv("MY_OWN", "o w\u00e4n")
    with pytest.raises(InputError, match="the key in MY_OWN holds blanks") as error:
        sent(5, key_env="MY_OWN")
    assert "o w" not in str(error.value)


@pytest.mark.parametrize("status", [400, 401, 500])
def test_a_key_that_the_endpoint_repeats_is_not_repeated(
    status: int, monkeypatch: pytest.MonkeyPatch, own_replies: Path
) -> None:
    monkeypatch.setenv("PROMPTLAB_API_KEY", SECRET)

    def script(call: Call, number: int) -> Any:
        assert call.headers["Authorization"] == f"Bearer {SECRET}"
        if call.words == "fine":
            return said(f"fine {SECRET}")
        return refused(status, f"Incorrect API key provided: {SECRET}.")

    with serving(script) as endpoint:
        model = RemoteModel(endpoint.name, retries=0, concurrency=1)
        try:
            told = repr(model.generate([plain("fine"), plain("x")], Decoding()))
        except EndpointError as error:
            told = repr(error) + repr(error.__cause__) + repr(error.__context__)
    assert "Incorrect API key provided: ***." in told
    assert SECRET not in told
    state = [*vars(model).values(), *vars(model.transport).values(), model.describe()]
    assert SECRET not in repr(state)
    files = [path for path in own_replies.rglob("*") if path.is_file()]
    assert files
    assert not any(SECRET.encode() in path.read_bytes() for path in files)


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
    assert (other.model.address.model, other.model.options.api) == ("n", "chat")


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
