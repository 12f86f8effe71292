"""Scores that start from kept states against scores computed whole."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from promptlab.engine.kv_cache.radix_cache import MIN_CACHED_TOKENS, RadixKVCache
from promptlab.engine.kv_cache.state import KVState
from promptlab.engine.scoring.causal import CausalRunner
from promptlab.engine.scoring.engine import Engine
from promptlab.engine.scoring.feature_store import FeatureStore
from promptlab.engine.scoring.request import ScoringContext, ScoringRequest
from promptlab.models.learned_parts import LearnedParts
from promptlab.models.local import LocalModel
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.template import Template
from tests.helpers.reference_forward import causal_continuation

Fresh = Callable[..., LocalModel]
SHARING = ("tiny_causal", "tiny_gpt2", "tiny_capped")
SHARED = tuple(range(5, 45))
BRANCH = tuple(range(60, 100))
TAILS = ((4,), (5, 6, 7), (5, 6, 9), (8, 9), (250, 3, 3, 3, 3))


def close(found: object, expected: object) -> None:
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=1e-6)  # type: ignore[call-overload]


def asked(*contexts: tuple[int, ...]) -> list[ScoringRequest]:
    return [
        ScoringRequest(ScoringContext(ids), TAILS[: 1 + n % 5]) for n, ids in enumerate(contexts)
    ]


def computed(model: LocalModel, questions: list[ScoringRequest]) -> tuple[list[np.ndarray], int]:
    """The scores, and how many tokens went through the network for them."""
    before = model.usage.computed_tokens
    return model.engine.score(questions), model.usage.computed_tokens - before


def kept(engine: Engine) -> RadixKVCache:
    assert engine.kv_cache is not None
    return engine.kv_cache


def state(model: LocalModel, ids: tuple[int, ...]) -> KVState:
    runner = model.engine.runner
    assert isinstance(runner, CausalRunner)
    return runner._prefill(ids, None)


FIRST = asked(*((*SHARED, n, 3) for n in range(100, 104)))
LATER = asked(
    *((*SHARED, n, 3) for n in range(110, 114)),
    *((*SHARED, *BRANCH, n) for n in range(3)),
    SHARED,
    SHARED[:30],
    (*SHARED[:30], 9, 9),
    (7, 8, 9),
)


@pytest.mark.parametrize("name", SHARING)
def test_later_calls_equal_the_plain_forward(
    name: str, fresh: Fresh, request: pytest.FixtureRequest
) -> None:
    pair, model = request.getfixturevalue(name), fresh(name)
    for questions in (FIRST, LATER):
        for question, values in zip(questions, model.engine.score(questions), strict=True):
            ids = question.context.ids
            close(values, [causal_continuation(pair, ids, c) for c in question.continuations])
    assert kept(model.engine).used_bytes > 0


@pytest.mark.parametrize("name", SHARING)
def test_what_earlier_calls_shared_is_not_computed_again(name: str, fresh: Fresh) -> None:
    model, forgetful = fresh(name), fresh(name)
    forgetful.engine.runner = forgetful.engine.runner.with_kv_cache(None)
    with_first, without_first = computed(model, FIRST), computed(forgetful, FIRST)
    assert with_first[1] == without_first[1]
    (found, few), (expected, many) = computed(model, LATER), computed(forgetful, LATER)
    for left, right in zip(found, expected, strict=True):
        close(left, right)
    assert few <= many - len(SHARED)


@pytest.mark.parametrize("name", SHARING)
def test_rows_start_each_from_its_own_state(
    name: str, fresh: Fresh, request: pytest.FixtureRequest
) -> None:
    pair, model = request.getfixturevalue(name), fresh(name)
    begun = [tuple(range(n, n + MIN_CACHED_TOKENS + 7 * n)) for n in (3, 4, 5, 6)]
    for ids in begun:
        kept(model.engine).insert(ids, state(model, ids))
    questions = asked(*((*ids, 200, 3) for ids in begun), (9, 9, 9), (*begun[2], 4), begun[3])
    found, tokens = computed(model, questions)
    for question, values in zip(questions, found, strict=True):
        ids = question.context.ids
        close(values, [causal_continuation(pair, ids, c) for c in question.continuations])
    tails = sum(len(c) - 1 for question in questions for c in question.continuations)
    # The end of ``begun[3]`` is computed twice: alone, and by the row that goes on from it.
    assert tokens == 4 * 2 + 3 + 1 + 2 + tails


def test_contexts_used_once_are_not_kept_and_a_second_use_shows_what_to_keep(fresh: Fresh) -> None:
    model = fresh("tiny_gpt2")
    counts = []
    for token in (100, 101, 102):
        counts.append(computed(model, asked((*SHARED, token, 3)))[1])
        if token == 100:
            assert kept(model.engine).used_bytes == 0
    assert counts == [len(SHARED) + 2, len(SHARED) + 2, 2]


def test_a_few_more_shared_tokens_are_computed_with_the_rows(fresh: Fresh) -> None:
    model = fresh("tiny_gpt2")
    computed(model, FIRST)
    forwards: list[tuple[int, ...]] = []
    runner = model.engine.runner
    assert isinstance(runner, CausalRunner)
    prefill = runner._prefill
    runner._prefill = lambda ids, state: forwards.append(ids) or prefill(ids, state)  # type: ignore[method-assign, func-returns-value]
    computed(model, asked((*SHARED, 50, 51, 1), (*SHARED, 50, 51, 2)))
    assert not forwards
    computed(model, asked(*((*SHARED, *BRANCH, n) for n in range(2))))
    assert forwards == [BRANCH]


def test_a_row_that_is_known_to_its_end_stays_in_its_batch(fresh: Fresh) -> None:
    model = fresh("tiny_gpt2")
    questions = asked(*((*SHARED, n, 3) for n in range(100, 104)), BRANCH, (7, 8, 9))
    first = model.engine.score(questions)
    runner = model.engine.runner
    assert isinstance(runner, CausalRunner)
    kept(model.engine).insert(BRANCH, state(model, BRANCH))
    batches: list[int] = []
    branched = runner._run_branched

    def counted(parts: Any, states: Any, replies: Any) -> None:
        batches.append(len(parts))
        branched(parts, states, replies)

    runner._run_branched = counted  # type: ignore[method-assign]
    model.engine.store = FeatureStore(None)
    for left, right in zip(model.engine.score(questions), first, strict=True):
        close(left, right)
    assert sum(batches) == len(questions) and len(batches) <= 3


FRAGMENTS = (SHARED, BRANCH, (1, 2), (3,), tuple(range(200, 235)))
CONTEXTS = st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=4).map(
    lambda parts: tuple(token for part in parts for token in part)
)


@given(calls=st.lists(st.lists(CONTEXTS, min_size=1, max_size=5, unique=True), max_size=4))
@settings(max_examples=25, deadline=None)
def test_any_calls_in_any_order_equal_scoring_alone(
    calls: list[list[tuple[int, ...]]], gpt2: LocalModel
) -> None:
    model = copy.copy(gpt2.engine)
    model.store = FeatureStore(None)
    model.runner = model.runner.with_kv_cache(RadixKVCache(100_000))
    for contexts in calls:
        questions = asked(*contexts)
        for question, values in zip(questions, model.score(questions), strict=True):
            if question not in KNOWN:
                plain = copy.copy(model)
                plain.store, plain.runner = FeatureStore(None), model.runner.with_kv_cache(None)
                KNOWN[question] = plain.score([question])[0]
            close(values, KNOWN[question])


KNOWN: dict[ScoringRequest, np.ndarray] = {}
"""What was scored alone."""


@pytest.mark.parametrize("room", [0, 3000, 30_000])
def test_a_small_budget_changes_nothing(
    room: int, fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = fresh("tiny_causal")
    plain.engine.runner = plain.engine.runner.with_kv_cache(None)
    monkeypatch.setenv("PROMPTLAB_KEPT_BYTES", str(room))
    model = fresh("tiny_causal")
    for questions in (FIRST, LATER, asked(*((*BRANCH, n) for n in range(3))), FIRST[:1]):
        for left, right in zip(
            model.engine.score(questions), plain.engine.score(questions), strict=True
        ):
            close(left, right)
        if model.engine.kv_cache is not None:
            assert model.engine.kv_cache.used_bytes <= room
    assert (model.engine.kv_cache is None) == (room == 0)


def test_where_nothing_is_kept(fresh: Fresh) -> None:
    for model in (
        fresh("tiny_causal", deterministic=True),
        fresh("tiny_sliding"),
        fresh("tiny_masked"),
        fresh("tiny_seq2seq"),
    ):
        assert model.engine.kv_cache is None
    assert fresh("tiny_causal").trainable_copy().engine.kv_cache is None


def learned(model: LocalModel, seed: int, *, prefix: bool) -> LearnedParts:
    generator = torch.Generator().manual_seed(seed)
    width = model.engine.network.virtual_tokens.width
    vectors = torch.randn(3, width, generator=generator)
    shape = model.prefix_shape
    assert shape is not None
    layers, heads, size = shape
    drawn = torch.randn(layers, 2, heads, 4, size, generator=generator) if prefix else None
    return LearnedParts(prefix=drawn) if prefix else LearnedParts(vectors, (("0", 3),))


@pytest.mark.parametrize("prefix", [False, True])
def test_what_was_learned_has_states_of_its_own(prefix: bool, fresh: Fresh) -> None:
    base, plain = fresh("tiny_causal"), fresh("tiny_causal")
    plain.engine.runner = plain.engine.runner.with_kv_cache(None)
    template = Template(("" if prefix else "{soft:3}") + "a long story of {text}, so {mask}")
    words = "many words that all the prompts have in common , and then "
    calls = [
        [template.render({"text": words + word}) for word in pair]
        for pair in (("one", "two"), ("three", "four"))
    ]
    for seed in (1, 2, 1):  # the third has the content of the first
        parts = learned(base, seed, prefix=prefix)
        view, expected = base.with_learned_parts(parts), plain.with_learned_parts(parts)
        assert expected.engine.kv_cache is None
        for prompts in calls:
            found = view.score(prompts, ["great", "terrible"])
            close(found.logprobs, expected.score(prompts, ["great", "terrible"]).logprobs)
        assert kept(view.engine).used_bytes > 0
        assert kept(base.engine).longest_prefix(view.slot_contexts(calls[0])[0].ids) is None
    assert base.with_learned_parts(parts, keep=False).engine.kv_cache is None


@pytest.mark.parametrize("name", SHARING)
def test_what_was_written_is_scored_from_its_states(name: str, fresh: Fresh) -> None:
    model, plain = fresh(name), fresh(name)
    plain.engine.runner = plain.engine.runner.with_kv_cache(None)
    template = Template("a riddle about {text} is hard , so think about it first : {mask}")
    prompts = [template.render({"text": word}) for word in ("soup", "a plot", "cold")]
    decoding = Decoding(max_tokens=12, temperature=1.0)
    written = model.generate(prompts, decoding)
    assert [reply.text for reply in plain.generate(prompts, decoding)] == [w.text for w in written]
    after = [
        prompt.continued_with(f"{reply.text} so it is")
        for prompt, reply in zip(prompts, written, strict=True)
    ]
    before = [one.usage.computed_tokens for one in (model, plain)]
    found, expected = (one.score(after, ["great", "terrible"]) for one in (model, plain))
    close(found.logprobs, expected.logprobs)
    few, many = (
        one.usage.computed_tokens - start for one, start in zip((model, plain), before, strict=True)
    )
    assert few < many / 2
