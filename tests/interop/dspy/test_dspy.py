"""Local models behind DSPy's language-model interface, with DSPy itself and no network."""

# ruff: noqa: E402 - DSPy's cache must have a place of its own before DSPy is imported

from __future__ import annotations

import asyncio
import copy
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.tiny_models import Pair

CACHE = tempfile.TemporaryDirectory(prefix="dspy-")
os.environ["DSPY_CACHEDIR"] = CACHE.name
dspy = pytest.importorskip("dspy", minversion="3.4")

from dspy.lm15 import Config, Message, Request

from promptlab.errors import CapabilityError, InputError
from promptlab.interop.dspy import PromptlabEngine, dspy_lm
from promptlab.models.base import LanguageModel
from promptlab.prompts.decoding import Decoding, Generation
from promptlab.prompts.prompt import Prompt, Slot, Text


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise AssertionError("DSPy reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refused)


class Scripted(LanguageModel):
    """Replies with given texts and keeps what it was asked."""

    name, key, family, max_tokens = "scripted", "0" * 24, "causal", 2048

    def __init__(self, *replies: str, chat: bool = True) -> None:
        self.capabilities = frozenset({"generate", "chat"} if chat else {"generate"})
        self.replies: Iterator[str] = iter(replies)
        self.asked: list[tuple[Prompt, Decoding]] = []

    def generate(
        self, prompts: Any, decoding: Decoding, *, samples: Any = None
    ) -> list[Generation]:
        self.asked.append((prompts[0], decoding))
        text = next(self.replies)
        count = len(text.split())
        finish = "length" if count >= decoding.max_tokens else "stop"
        if text.startswith("!"):
            return [Generation("", 11, 0, 0.1, "error", error=text[1:])]
        return [Generation(text, 11, count, 0.1, finish)]

    def count_tokens(self, prompt: Prompt) -> int:
        return len(str(prompt).split())

    def check(self, prompts: Any, answers: Any) -> None: ...

    def score(self, prompts: Any, answers: Any) -> Any: ...

    def fill(self, prompts: Any, top: int = 5) -> Any: ...

    def truncate(self, text: str, tokens: int) -> str:
        return text


def request(*messages: Message, system: str | None = None, **config: Any) -> Request:
    asked = messages or (Message.user("the film was"),)
    return Request(model="tiny", messages=asked, system=system, config=Config(**config))


def test_a_tiny_model_completes_as_it_generates(gpt2: LanguageModel) -> None:
    lm = dspy_lm(gpt2, max_tokens=7, cache=False)
    prompt = Prompt((Text("the film was"), Slot()))
    assert lm("the film was") == [gpt2.generate([prompt], Decoding(max_tokens=7))[0].text]
    assert lm.model == f"promptlab/tiny_gpt2@{gpt2.key[:12]}"


def test_a_chat_template_is_used_when_there_is_one(causal: LanguageModel) -> None:
    response = PromptlabEngine(causal).complete(request(max_tokens=5))
    prompt = Prompt((Text("the film was"), Slot()), chat=True)
    expected = causal.generate([prompt], Decoding(max_tokens=5))[0]
    assert response.text == expected.text
    assert response.usage.input_tokens == expected.tokens_in
    assert response.usage.output_tokens == expected.tokens_out


class Plain(dspy.Adapter):  # type: ignore[misc,name-defined,unused-ignore]
    """The input fields as the prompt, the whole reply as the output field."""

    def format(self, signature: Any, demos: Any, inputs: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"role": "user", "content": " ".join(inputs.values())}]

    def parse(self, signature: Any, completion: str) -> dict[str, Any]:
        return dict.fromkeys(signature.output_fields, completion)


def test_predict_completes_on_a_tiny_model(causal: LanguageModel) -> None:
    with dspy.context(lm=dspy_lm(causal, max_tokens=4, cache=False), adapter=Plain()):
        label = dspy.Predict("text -> label")(text="the film was").label
    prompt = Prompt((Text("the film was"), Slot()), chat=True)
    assert label == causal.generate([prompt], Decoding(max_tokens=4))[0].text != ""


def test_predict_reads_a_reply_in_dspys_format() -> None:
    model = Scripted("[[ ## label ## ]]\npositive\n\n[[ ## completed ## ]]")
    with dspy.context(lm=dspy_lm(model, cache=False)):
        assert dspy.Predict("text -> label")(text="a film").label == "positive"
    prompt = model.asked[0][0]
    assert prompt.chat and "a film" in prompt.left
    assert prompt.turns[0][0] == "system" and "Your input fields are" in prompt.turns[0][1]


def test_demonstrations_become_turns() -> None:
    turns = [Message.user("2 + 2"), Message.assistant("4"), Message.user("3 + 3")]
    chat, plain = Scripted("6"), Scripted("6", chat=False)
    for model in (chat, plain):
        PromptlabEngine(model).complete(request(*turns, system="Add."))
    asked = chat.asked[0][0]
    assert asked.turns == (("system", "Add."), ("user", "2 + 2"), ("assistant", "4"))
    assert asked.left == "3 + 3" and asked.chat
    told = "Add.\n\nUser:\n2 + 2\n\nAssistant:\n4\n\nUser:\n3 + 3\n\nAssistant:"
    assert plain.asked[0][0].left == told and not plain.asked[0][0].chat


def test_a_last_turn_of_the_assistants_is_gone_on_from() -> None:
    turns = [Message.user("2 + 2"), Message.assistant("That is")]
    chat, plain = Scripted("4"), Scripted("4", chat=False)
    for model in (chat, plain):
        PromptlabEngine(model).complete(request(*turns))
    assert (chat.asked[0][0].left, chat.asked[0][0].prefill) == ("2 + 2", "That is")
    assert plain.asked[0][0].left == "User:\n2 + 2\n\nAssistant:\nThat is"


def test_settings_reach_the_decoding() -> None:
    model = Scripted("a", "b", "c")
    engine = PromptlabEngine(model, max_tokens=9)
    engine.complete(request(temperature=0.7, top_p=0.9, top_k=5, stop=("\n",), seed=3))
    engine.complete(request(max_tokens=4000))
    asked = [decoding for _, decoding in model.asked]
    assert asked[0] == Decoding(9, 0.7, 5, 0.9, ("\n",), 3)
    assert asked[1].max_tokens == 2048 - 3 and asked[1].temperature == 0


def test_samples_differ_and_can_be_repeated(gpt2: LanguageModel) -> None:
    def replies() -> list[str]:
        lm = dspy_lm(gpt2, max_tokens=12, temperature=1.0, cache=False)
        return [*lm("the film was", n=5), *lm("the film was", rollout_id=1)]

    first = replies()
    assert len(set(first)) == 6
    assert replies() == first
    engine = PromptlabEngine(gpt2, max_tokens=12)
    same, again = (engine.complete(request(temperature=1.0, seed=5)).text for _ in range(2))
    assert same == again


def test_rollouts_pass_by_dspys_cache(gpt2: LanguageModel) -> None:
    lm = dspy_lm(gpt2, max_tokens=12, temperature=1.0)
    first, second = lm("the plot was"), lm("the plot was", rollout_id=1)
    assert first != second
    assert lm("the plot was") == first and lm("the plot was", rollout_id=1) == second


def test_greedy_replies_are_remembered() -> None:
    model = Scripted("a", "b")
    engine = PromptlabEngine(model)
    assert [engine.complete(request()).text for _ in range(2)] == ["a", "a"]
    assert len(model.asked) == 1


def test_calls_of_several_threads_are_one_batch(gpt2: LanguageModel) -> None:
    engine = PromptlabEngine(gpt2, max_tokens=20)
    requests = [request(Message.user(f"film {i} was")) for i in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(engine.complete, requests))
    batches = engine.desk.batches
    assert sum(batches) == 24 and len(batches) < 24


def test_threads_get_their_own_replies(gpt2: LanguageModel) -> None:
    engine = PromptlabEngine(gpt2, max_tokens=6)
    texts = [f"the {word} was" for word in ("film", "soup", "plot", "movie")] * 4
    requests = [
        request(Message.user(text), temperature=1.0, seed=i) for i, text in enumerate(texts)
    ]
    alone = [engine.complete(item).text for item in requests]
    with ThreadPoolExecutor(8) as pool:
        together = [response.text for response in pool.map(engine.complete, requests)]
    assert together == alone


def test_asynchronous_calls(gpt2: LanguageModel) -> None:
    lm = dspy_lm(gpt2, max_tokens=5, cache=False)
    assert asyncio.run(lm.acall("the film was")) == lm("the film was")


def test_the_reply_as_a_stream(gpt2: LanguageModel) -> None:
    engine = PromptlabEngine(gpt2, max_tokens=5)
    events = list(engine.stream(request()))
    assert [events[0].type, events[-1].type] == ["start", "end"]


def test_finish_reasons() -> None:
    engine = PromptlabEngine(Scripted("one two", "one two three"), max_tokens=3)
    asked = [request(Message.user(text)) for text in ("a", "b")]
    assert [engine.complete(item).finish_reason for item in asked] == ["stop", "length"]


def test_a_failed_reply_is_an_error_of_dspys() -> None:
    lm = dspy_lm(Scripted("!the endpoint is gone", "fine"), cache=False)
    with pytest.raises(dspy.LMProviderError, match="the endpoint is gone"):
        lm("a")
    assert lm("b") == ["fine"]


def test_a_saved_engine_loads_its_model(
    tiny_causal: Pair, folder_of: Callable[[Pair], Path]
) -> None:
    lm = dspy_lm(str(folder_of(tiny_causal)), max_tokens=5, cache=False)
    state = lm.dump_state()
    with pytest.raises(ValueError, match="allow_unsafe_lm_state"):
        dspy.LM.load_state(state)
    loaded = dspy.LM.load_state(state, allow_custom_lm_class=True)
    assert loaded("the film was") == lm("the film was")
    assert loaded.engine.model is lm.engine.model


def test_copies_of_a_program_share_the_weights(gpt2: LanguageModel) -> None:
    program = dspy.Predict("text -> label")
    program.lm = dspy_lm(gpt2)
    assert copy.deepcopy(program).lm.engine.model is gpt2


def test_what_a_model_cannot_do_is_told(masked: LanguageModel, gpt2: LanguageModel) -> None:
    with pytest.raises(CapabilityError, match="cannot generate"):
        dspy_lm(masked)
    with pytest.raises(InputError, match="max_tokens is 0"):
        PromptlabEngine(gpt2, max_tokens=0)
    lm = dspy_lm(gpt2, cache=False)
    with pytest.raises(dspy.ContextWindowExceededError, match="takes"):
        lm("film " * 5000)
    with pytest.raises(dspy.LMUnsupportedFeatureError, match="presence_penalty"):
        lm("the film was", presence_penalty=1.0)
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    with (
        pytest.warns(DeprecationWarning, match="message dictionaries"),  # DSPy 3.5 refuses them
        pytest.raises(dspy.LMUnsupportedFeatureError, match="text alone"),
    ):
        lm(messages=[{"role": "user", "content": [picture]}])


def test_without_dspy_the_extra_is_named(
    gpt2: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dspy", None)
    with pytest.raises(InputError, match=r"promptlab-workbench\[dspy\]"):
        dspy_lm(gpt2)
