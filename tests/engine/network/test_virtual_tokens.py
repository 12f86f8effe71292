"""Virtual tokens: ids beyond the vocabulary stand for vectors, inside their block alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from promptlab.engine.kv_cache.training_cache import TrainingPrefixCache
from promptlab.engine.memory import TokenBudget
from promptlab.models.learned_parts import LearnedParts
from promptlab.models.local import LocalModel
from promptlab.prompts.template import Template

Fresh = Callable[..., LocalModel]
ALL = ["tiny_causal", "tiny_gpt2", "tiny_capped", "tiny_masked", "tiny_roberta", "tiny_seq2seq"]
HARD = Template("a film {text} It was {mask}").render({"text": "nobody ."})
ANSWERS = ("great", "it never lands")


@pytest.mark.parametrize("name", [*ALL, "tiny_bart", "tiny_sliding"])
def test_vectors_at_the_embeddings_of_words_are_these_words(name: str, fresh: Fresh) -> None:
    model = fresh(name)
    ids = model.encoding.encode("a film")
    table = model.engine.network.virtual_tokens.embed(torch.tensor(ids)).detach().clone()
    view = model.with_learned_parts(LearnedParts(table, (("0", len(ids)),)))
    soft = Template(f"{{soft:{len(ids)}}} {{text}} It was {{mask}}").render({"text": "nobody ."})
    found, expected = view.score([soft], ANSWERS), model.score([HARD], ANSWERS)
    torch.testing.assert_close(
        torch.tensor(found.logprobs), torch.tensor(expected.logprobs), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_left_behind(name: str, fresh: Fresh) -> None:
    """The base model and other views score as before, in any order."""
    model = fresh(name)
    before = model.score([HARD], ANSWERS).logprobs
    soft = Template("{soft:2} {text} {mask}").render({"text": "nobody ."})
    views = [
        model.with_learned_parts(LearnedParts(torch.randn(2, 32), (("0", 2),))) for _ in range(2)
    ]
    first = [view.score([soft], ANSWERS).logprobs for view in views]
    assert abs(first[0] - first[1]).max() > 1e-3
    assert model.engine.network.virtual_tokens.table is None
    other = fresh(name)
    assert abs(other.score([HARD], ANSWERS).logprobs - before).max() < 1e-6
    again = [
        model.with_learned_parts(view.learned, keep=False).score([soft], ANSWERS).logprobs
        for view in views
        if view.learned is not None
    ]
    assert all(abs(a - b).max() < 1e-6 for a, b in zip(first, again, strict=True))


def test_the_table_is_taken_away_after_an_error(fresh: Fresh) -> None:
    network = fresh("tiny_gpt2").engine.network
    with pytest.raises(RuntimeError, match="stop"), network.use_virtual_tokens(torch.zeros(1, 32)):
        raise RuntimeError("stop")
    assert network.virtual_tokens.table is None


def test_fixed_states_are_computed_once_and_within_their_limit(fresh: Fresh) -> None:
    network = fresh("tiny_causal").engine.network
    rows = [tuple(range(5, 5 + length)) for length in (9, 12, 10)]
    states = TrainingPrefixCache(network, TokenBudget(20))
    states.prepare(rows)
    assert states.computed_tokens == 31
    states.prepare([*rows, rows[0]])
    assert states.computed_tokens == 31
    found = [states.get(row) for row in rows]
    assert [state.length for state in found if state is not None] == [9, 12, 10]
    assert states.get((1, 2)) is None
    small = TrainingPrefixCache(network, TokenBudget(20), max_bytes=1)
    small.prepare(rows)
    assert small.get(rows[1]) is not None  # the first batch, then no more
    assert small.get(rows[0]) is None
    none = TrainingPrefixCache(network, TokenBudget(20), max_bytes=0)
    none.prepare(rows)
    assert none.used_bytes == none.computed_tokens == 0
