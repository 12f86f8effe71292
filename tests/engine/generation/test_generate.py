"""Generation in batches against transformers' own and against a slow loop, one text at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch

from promptlab.engine.generation.decode_batch import CausalDecodeBatch
from promptlab.errors import InputError, WorkError
from promptlab.models.local import LocalModel
from promptlab.prompts.decoding import Decoding, Generation
from promptlab.prompts.prompt import Prompt, Slot, Text
from promptlab.prompts.template import Template
from tests.helpers import reference_generation
from tests.helpers.tiny_models import Pair

pytestmark = pytest.mark.slow

TEXTS = ("a gorgeous film", "x", "the soup was cold and nobody apologised .", "dull")
CAUSAL = ("tiny_causal", "tiny_gpt2", "tiny_sliding", "tiny_capped")
EVERY = (*CAUSAL, "tiny_seq2seq", "tiny_bart")

Fresh = Callable[..., LocalModel]


def prompts(template: str = "{text} It was {mask}") -> list[Any]:
    return [Template(template).render({"text": text}) for text in TEXTS]


@torch.inference_mode()
def plain(pair: Pair, ids: tuple[int, ...], tokens: int) -> tuple[list[int], float]:
    """The new tokens of transformers' greedy generation, end token included; their likelihood."""
    model, tokenizer = pair
    rows = torch.tensor([ids])
    output = model.generate(
        input_ids=rows,
        attention_mask=torch.ones_like(rows),
        max_new_tokens=tokens,
        do_sample=False,
        pad_token_id=tokenizer.pad_token_id or tokenizer.eos_token_id,
        return_dict_in_generate=True,
        output_scores=True,
    )
    start = 1 if model.config.is_encoder_decoder else len(ids)
    new = output.sequences[0, start:].tolist()
    sentinel = tokenizer.get_vocab().get("<extra_id_1>")
    if sentinel in new:
        new = new[: new.index(sentinel) + 1]
    found = [float(row[0].log_softmax(-1)[t]) for row, t in zip(output.scores, new, strict=False)]
    return new, sum(found)


def same(reply: Generation, expected: reference_generation.Written) -> None:
    assert reply.text == expected.text
    assert reply.tokens_out == len(expected.tokens)
    assert reply.logprob == pytest.approx(expected.logprob, abs=1e-3)


@pytest.mark.parametrize("name", EVERY)
def test_greedy_equals_transformers(
    name: str, fresh: Fresh, request: pytest.FixtureRequest
) -> None:
    pair, model = request.getfixturevalue(name), fresh(name)
    found = model.generate(prompts(), Decoding(max_tokens=12))
    for ids, reply in zip(model.prompt_token_ids(prompts()), found, strict=True):
        tokens, logprob = plain(pair, ids, 12)
        assert reply.text == pair[1].decode(tokens, skip_special_tokens=True)
        assert (reply.tokens_in, reply.tokens_out) == (len(ids), len(tokens))
        assert reply.logprob == pytest.approx(logprob, abs=1e-3)
        ended = tokens[-1] in reference_generation.ends_of(model)
        assert reply.finish == ("stop" if ended else "length")
    assert len({reply.text for reply in found}) > 1


@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_seq2seq"])
def test_buffers_grow_with_long_texts(
    name: str, fresh: Fresh, request: pytest.FixtureRequest
) -> None:
    model = fresh(name)
    (reply,) = model.generate(prompts()[:1], Decoding(max_tokens=90))
    tokens, logprob = plain(request.getfixturevalue(name), model.prompt_token_ids(prompts())[0], 90)
    assert reply.tokens_out == len(tokens)
    assert reply.logprob == pytest.approx(logprob, abs=1e-2)


SAMPLED = {
    "plain": {},
    "top_k": {"top_k": 5},
    "top_p": {"top_p": 0.7},
    "both": {"top_k": 40, "top_p": 0.9, "temperature": 0.7},
}


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("cut", SAMPLED)
def test_sampled_texts_are_those_of_a_slow_loop(name: str, cut: str, fresh: Fresh) -> None:
    """Forked, batched, and refilled as rows end at stop strings, three rows at a time."""
    model = fresh(name)
    settings: dict[str, Any] = {"temperature": 1.3, **SAMPLED[cut]}
    decoding = Decoding(max_tokens=9, stop=("e", " w"), seed=5, **settings)
    asked = [(prompt, sample) for sample in (0, 3) for prompt in prompts()]
    model.engine.generation_budget.tokens = 3 * 40
    found = model.generate([p for p, _ in asked], decoding, samples=[s for _, s in asked])
    for (prompt, sample), reply in zip(asked, found, strict=True):
        same(reply, reference_generation.write(model, prompt, decoding, sample))
    assert len({reply.tokens_out for reply in found}) > 1


@pytest.mark.parametrize("name", EVERY)
def test_a_text_does_not_depend_on_what_else_is_asked(name: str, fresh: Fresh) -> None:
    model = fresh(name)
    decoding = Decoding(max_tokens=6, temperature=1.0, seed=2)
    together = model.generate(prompts() * 2, decoding, samples=[0] * 4 + [1] * 4)
    alone = fresh(name).generate([prompts()[2]], decoding, samples=[1])[0]
    assert together[6].text == alone.text
    assert together[2].text != alone.text
    again = model.generate(prompts()[::-1], decoding)
    assert [reply.text for reply in again[::-1]] == [reply.text for reply in together[:4]]


def test_a_seed_makes_another_text(fresh: Fresh) -> None:
    model = fresh("tiny_causal")

    def texts(**settings: Any) -> list[str]:
        decoding = Decoding(max_tokens=8, **settings)
        return [reply.text for reply in model.generate(prompts(), decoding)]

    assert texts(temperature=1.0, seed=1) == texts(temperature=1.0, seed=1)
    assert texts(temperature=1.0, seed=1) != texts(temperature=1.0, seed=2)
    assert texts(temperature=1.0, seed=1, top_k=1) == texts()
    assert texts(temperature=1.0, seed=1, top_p=1e-6) == texts()


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_capped"])
def test_the_likelihood_is_that_of_scoring(name: str, fresh: Fresh) -> None:
    model = fresh(name)
    decoding = Decoding(max_tokens=4, temperature=0.8, seed=3)
    asked = prompts("{text} It was{mask}")
    for prompt, reply in zip(asked, model.generate(asked, decoding), strict=True):
        scores = model.score([prompt], [reply.text])
        if scores.answer_tokens[0, 0] == reply.tokens_out:  # read as the tokens that were written
            assert reply.logprob == pytest.approx(scores.logprobs[0, 0], abs=1e-3)


def test_stop_strings_end_a_reply(fresh: Fresh) -> None:
    whole = fresh("tiny_gpt2").generate(prompts(), Decoding(max_tokens=12))
    stop = whole[0].text[4:7]
    cut = fresh("tiny_gpt2").generate(prompts(), Decoding(max_tokens=12, stop=(stop, "never")))
    assert cut[0].text == whole[0].text[: whole[0].text.index(stop)]
    assert cut[0].tokens_out < whole[0].tokens_out
    assert cut[0].finish == "stop"


def test_tokens_that_end_a_text_are_those_of_the_model(tiny_gpt2: Pair, fresh: Fresh) -> None:
    whole = fresh("tiny_gpt2").generate(prompts()[:1], Decoding(max_tokens=6))[0]
    tokens, _ = plain(tiny_gpt2, fresh("tiny_gpt2").prompt_token_ids(prompts())[0], 6)
    settings = tiny_gpt2[0].generation_config
    before, settings.eos_token_id = settings.eos_token_id, [tokens[3], 1]
    try:
        reply = fresh("tiny_gpt2").generate(prompts()[:1], Decoding(max_tokens=6))[0]
    finally:
        settings.eos_token_id = before
    assert (reply.tokens_out, reply.finish) == (tokens.index(tokens[3]) + 1, "stop")
    assert whole.tokens_out > reply.tokens_out


def test_contexts_beyond_the_window_fail_alone(fresh: Fresh) -> None:
    for name in ("tiny_gpt2", "tiny_seq2seq"):
        model = fresh(name)
        long = Prompt((Text("dull " * model.max_tokens), Slot()))
        found = model.generate([prompts()[0], long, prompts()[1]], Decoding(max_tokens=3))
        assert found[1].error is not None and found[1].finish == "too_long"
        assert f"the prompt has {found[1].tokens_in} tokens and {name} takes" in found[1].error
        assert [bool(reply.text) for reply in found] == [True, False, True]


def test_a_reply_ends_with_the_window(fresh: Fresh) -> None:
    model = fresh("tiny_gpt2")
    model.max_tokens = len(model.prompt_token_ids(prompts())[0]) + 2
    reply = model.generate(prompts()[:1], Decoding(max_tokens=12))[0]
    assert (reply.tokens_out, reply.finish) == (2, "length")


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_sliding", "tiny_seq2seq"])
def test_samples_of_a_prompt_read_it_once(name: str, fresh: Fresh) -> None:
    model = fresh(name)
    decoding = Decoding(max_tokens=5, temperature=1.0)
    (prompt, *_), (ids, *_) = prompts(), model.prompt_token_ids(prompts())
    replies = model.generate([prompt] * 8, decoding, samples=range(8))
    assert len({reply.text for reply in replies}) > 1
    assert model.usage.tokens == sum(r.tokens_in + r.tokens_out for r in replies)
    start = 1 if name == "tiny_seq2seq" else 0
    written = sum(reply.tokens_out - 1 for reply in replies)
    assert model.usage.computed_tokens == len(ids) + start + written
    assert all(reply.seconds > 0 for reply in replies)


def test_equal_requests_are_written_once(fresh: Fresh) -> None:
    model = fresh("tiny_causal")
    replies = model.generate(prompts()[:1] * 3, Decoding(max_tokens=5), samples=[0, 1, 2])
    assert len({reply.text for reply in replies}) == 1
    assert model.usage.computed_tokens < 2 * replies[0].tokens_in + 5


def test_a_next_step_goes_on_from_what_was_written(fresh: Fresh) -> None:
    model = fresh("tiny_causal")
    first = Prompt((Text("the soup was cold and nobody apologised . " * 3), Slot()))
    reply = model.generate([first], Decoding(max_tokens=6))[0]
    before = model.usage.computed_tokens
    second = Prompt((Text(first.left.rstrip() + reply.text + " So it was"), Slot()))
    found = model.generate([second], Decoding(max_tokens=4))[0]
    assert model.usage.computed_tokens - before < found.tokens_in // 2
    assert found.text == fresh("tiny_causal").generate([second], Decoding(max_tokens=4))[0].text


def test_shared_beginnings_are_read_once(fresh: Fresh) -> None:
    model = fresh("tiny_gpt2")
    asked = [
        Prompt((Text("the soup was cold and nobody apologised . " * 4 + text), Slot()))
        for text in TEXTS
    ]
    decoding = Decoding(max_tokens=4, temperature=1.0)
    for prompt, reply in zip(asked, model.generate(asked, decoding), strict=True):
        same(reply, reference_generation.write(model, prompt, decoding))
    lengths = [len(ids) for ids in model.prompt_token_ids(asked)]
    assert model.usage.computed_tokens < sum(lengths) - 2 * min(lengths)


@pytest.mark.parametrize("tokens", [1, 100])
def test_small_batches_lose_nobody(tokens: int, fresh: Fresh) -> None:
    large, small = fresh("tiny_gpt2"), fresh("tiny_gpt2")
    small.engine.generation_budget.tokens = tokens
    left, right = (model.generate(prompts(), Decoding(max_tokens=6)) for model in (large, small))
    assert [reply.text for reply in left] == [reply.text for reply in right]


def test_lack_of_memory_halves_the_rows(fresh: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    model, step, sizes = fresh("tiny_gpt2"), CausalDecodeBatch.step, []

    def scarce(self: CausalDecodeBatch, tokens: Any) -> Any:
        sizes.append(len(tokens))
        if len(tokens) > limit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return step(self, tokens)

    decoding = Decoding(max_tokens=5, temperature=1.0)
    expected = fresh("tiny_gpt2").generate(prompts(), decoding)
    limit = 2
    monkeypatch.setattr(CausalDecodeBatch, "step", scarce)
    found = model.generate(prompts(), decoding)
    assert [reply.text for reply in found] == [reply.text for reply in expected]
    assert sizes[0] == 4 and max(sizes[1:]) == 2
    limit = 0
    with pytest.raises(WorkError, match="a single row of"):
        fresh("tiny_gpt2").generate(prompts(), decoding)


def test_a_listener_sees_texts_grow(fresh: Fresh) -> None:
    for name in ("tiny_causal", "tiny_sliding"):
        model, heard = fresh(name), []
        decoding = Decoding(max_tokens=8, stop=("apolog", " w"))
        replies = model.generate(
            prompts(), decoding, on_text=lambda index, text, to=heard: to.append((index, text))
        )
        for number, reply in enumerate(replies):
            told = [text for index, text in heard if index == number]
            assert all(b.startswith(a) for a, b in pairwise(told))
            assert reply.text.startswith(told[-1] if told else "")


def test_two_threads_may_generate(fresh: Fresh) -> None:
    model = fresh("tiny_causal")
    decoding = Decoding(max_tokens=8, temperature=1.0)
    expected = [r.text for r in fresh("tiny_causal").generate(prompts(), decoding)]
    found: dict[int, list[str]] = {}

    def work(number: int) -> None:
        found[number] = [reply.text for reply in model.generate(prompts(), decoding)]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(found.values()) == [expected] * 3


def test_nothing_asked_nothing_written(fresh: Fresh) -> None:
    assert fresh("tiny_gpt2").generate([], Decoding()) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_tokens": 0}, "max_tokens is 0"),
        ({"temperature": -1.0}, "temperature is -1"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"top_k": 0}, "top_k is 0"),
        ({"top_p": 0.0}, r"top_p is 0\.0"),
        ({"top_p": 1.5}, r"top_p is 1\.5"),
        ({"stop": ("a", "")}, "a stop string is empty"),
    ],
)
def test_nonsense_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Decoding(**settings)
