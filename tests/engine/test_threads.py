"""One model under several threads: every result is the one that a single thread gets."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from promptlab.cancellation import Cancellation
from promptlab.engine.network.math_attention import MathAttention
from promptlab.engine.scoring import feature_store as store_module
from promptlab.engine.scoring.feature_store import FeatureStore
from promptlab.engine.scoring.request import ScoringResult
from promptlab.errors import Cancelled
from promptlab.models import local as local_module
from promptlab.models.learned_parts import LearnedParts
from promptlab.models.local import LocalModel
from promptlab.prompts.decoding import Decoding, Generation
from promptlab.prompts.prompt import Prompt
from promptlab.prompts.template import Template

Fresh = Callable[..., LocalModel]
Work = Callable[[LocalModel], object]
ANSWERS = ("great", "it never lands")
GREEDY, DRAWN = Decoding(max_tokens=8), Decoding(max_tokens=8, temperature=1.0, top_k=20, seed=3)
TEMPLATE = Template("a film {text} It was {mask}")
SOFT = Template("{soft:2} {text} It was {mask}")
SECONDS = 1.2


def prompts(template: Template, first: int, count: int) -> list[Prompt]:
    """Prompts that share a beginning, a different end each."""
    shared = "that never wastes a minute and the plot was awful . nobody apologised ."
    return [template.render({"text": f"{shared} {n} ."}) for n in range(first, first + count)]


def works(views: Sequence[LocalModel], *, generates: bool) -> dict[str, Work]:
    """Calls on one model, the same and different prompts; ``views`` see other learned vectors."""
    found: dict[str, Work] = {}
    for first in (0, 3):
        several = prompts(TEMPLATE, first, 6)
        found[f"score {first}"] = lambda m, p=several: m.score(p, ANSWERS).logprobs  # type: ignore[misc]
        found[f"fill {first}"] = lambda m, p=several: np.array(  # type: ignore[misc]
            [[f.probability for f in row] for row in m.fill(p, 3)]
        )
        found[f"features {first}"] = lambda m, p=several: m.features(p)  # type: ignore[misc]
        if generates:
            found[f"greedy {first}"] = lambda m, p=several: _texts(m.generate(p[:3], GREEDY))  # type: ignore[misc]
            found[f"drawn {first}"] = lambda m, p=several: _texts(m.generate(p[:3], DRAWN))  # type: ignore[misc]
    for number, view in enumerate(views):
        soft = prompts(SOFT, number, 3)
        found[f"soft {number}"] = lambda _, v=view, p=soft: v.score(p, ANSWERS).logprobs  # type: ignore[misc]
        if generates:
            found[f"soft text {number}"] = lambda _, v=view, p=soft: _texts(v.generate(p, GREEDY))  # type: ignore[misc]
    return found


def _texts(found: Sequence[Generation]) -> list[str]:
    return [one.text for one in found]


def views_of(model: LocalModel) -> list[LocalModel]:
    """Two views with vectors of their own; nothing is kept of them, so all is computed."""
    generator = torch.Generator().manual_seed(1)
    vectors = [torch.randn(2, 32, generator=generator) for _ in range(2)]
    return [model.with_learned_parts(LearnedParts(one, (("0", 2),)), keep=False) for one in vectors]


def in_threads(count: int, work: Callable[[int], None]) -> list[BaseException]:
    """Run ``work`` with a number in every thread; what was raised."""
    raised: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_masked", "tiny_seq2seq"])
def test_threads_find_what_one_thread_finds(
    name: str, fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All verbs at once, with memories so small that they are emptied all the time."""
    monkeypatch.setattr(local_module, "REMEMBERED", 8)
    monkeypatch.setattr(store_module, "MAX_MEMORY_BYTES", 32 * 4 * 6)
    generates = name != "tiny_masked"
    alone = fresh(name)
    expected = {
        key: work(alone) for key, work in works(views_of(alone), generates=generates).items()
    }
    shared = fresh(name)
    views = views_of(shared)
    todo = list(works(views, generates=generates).items())
    until = time.monotonic() + SECONDS
    rounds = [0] * 4

    def go(number: int) -> None:
        while time.monotonic() < until or rounds[number] < 2 * len(todo):
            key, work = todo[(rounds[number] * (2 * number + 1) + number) % len(todo)]
            found, rounds[number] = work(shared), rounds[number] + 1
            if isinstance(found, np.ndarray):
                np.testing.assert_allclose(found, expected[key], atol=1e-4, err_msg=key)
            else:
                assert found == expected[key], key

    assert in_threads(4, go) == []
    assert min(rounds) >= 2 * len(todo)
    assert shared.engine.network.virtual_tokens.table is None
    packed = shared.engine.network.packed_linears.modules
    assert not any("forward" in module.__dict__ for module in packed)


def test_every_threads_cost_is_counted_once(fresh: Fresh) -> None:
    """Tokens asked for and tokens computed add up to what one thread counts."""
    alone, shared = fresh("tiny_gpt2"), fresh("tiny_gpt2")
    parts = [[TEMPLATE.render({"text": f"{n} {part} ."}) for n in range(8)] for part in "abcd"]
    for part in parts:
        alone.score(part, ANSWERS)
    assert in_threads(4, lambda number: shared.score(parts[number], ANSWERS) and None) == []
    assert shared.usage.tokens == alone.usage.tokens
    counted = shared.engine.runner.computed_tokens
    assert shared.usage.computed_tokens == counted
    # How much a call shares with another depends on which was earlier.
    assert 0 < counted <= shared.usage.tokens


def test_a_short_call_does_not_wait_for_the_end_of_a_long_one(fresh: Fresh) -> None:
    """The lock is held for a step: scores come while a text is still being written."""
    model = fresh("tiny_gpt2")
    short = prompts(TEMPLATE, 0, 2)
    stop = Cancellation()
    begun = threading.Event()
    long_texts = [TEMPLATE.render({"text": f"{n} ."}) for n in range(8)]

    def heard(number: int, text: str) -> None:
        begun.set()
        stop.check()

    def write() -> None:
        with pytest.raises(Cancelled):
            while True:  # until it is stopped, which the other thread does when it has its scores
                model.generate(long_texts, Decoding(max_tokens=100, temperature=1.5), on_text=heard)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert begun.wait(60)
        for number in range(5):
            scores = model.score(prompts(TEMPLATE, 10 * number, 2), ANSWERS)
            assert scores.logprobs.shape == (2, 2)
        assert thread.is_alive()
    finally:
        stop.request()
        thread.join(60)
    assert not thread.is_alive()
    assert model.score(short, ANSWERS).logprobs.shape == (2, 2)


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_sliding", "tiny_seq2seq", "tiny_bart"])
def test_a_stopped_generation_leaves_the_model_as_it_was(name: str, fresh: Fresh) -> None:
    """A listener that raises ends the call; what comes after it is what it would have been."""
    asked = prompts(TEMPLATE, 0, 4)
    plain, model = fresh(name), fresh(name)
    expected = plain.generate(asked, DRAWN), plain.score(asked, ANSWERS).logprobs
    for after in (1, 3, 7):
        cancellation, heard = Cancellation(), [0]

        def listen(number: int, text: str) -> None:
            heard[0] += 1  # noqa: B023
            if heard[0] >= after:  # noqa: B023 - called within this turn
                cancellation.request()  # noqa: B023
            cancellation.check()  # noqa: B023

        with pytest.raises(Cancelled):
            model.generate(asked, DRAWN, on_text=listen)
        assert heard[0] == after
    network = model.engine.network
    assert network._lock.acquire(blocking=False)
    network._lock.release()
    assert network.virtual_tokens.table is None
    assert not any("forward" in module.__dict__ for module in network.packed_linears.modules)
    again = model.generate(asked, DRAWN)
    assert _texts(again) == _texts(expected[0])
    assert [one.finish for one in again] == [one.finish for one in expected[0]]
    np.testing.assert_allclose(model.score(asked, ANSWERS).logprobs, expected[1], atol=1e-4)


def test_a_store_is_emptied_while_others_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "MAX_MEMORY_BYTES", 4 * 8 * 10)
    store = FeatureStore(None)
    keys = [bytes([n]) for n in range(64)]

    def go(number: int) -> None:
        for turn in range(40):
            part = keys[(turn * 7 + number) % 32 :][:24]
            store.save(
                ((k, ScoringResult(np.full(8, k[0], np.float32), float(k[0]))) for k in part), []
            )
            found = store.find_slots(part)
            assert all(found[key].log_normaliser == key[0] for key in part)

    assert in_threads(4, go) == []


def test_plain_attention_is_left_by_the_last_one() -> None:
    """In whatever order threads come and go, torch has its own choice again."""
    before = torch.backends.cuda.flash_sdp_enabled()
    plain = MathAttention()
    first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with plain:
            first_in.set()
            second_in.wait(60)
        first_out.set()

    def second() -> None:
        first_in.wait(60)
        with plain:
            second_in.set()
            first_out.wait(60)
            assert not torch.backends.cuda.flash_sdp_enabled()

    assert in_threads(2, lambda number: (first, second)[number]()) == []
    assert torch.backends.cuda.flash_sdp_enabled() == before
