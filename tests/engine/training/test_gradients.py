"""Gradients of what is learned equal plain autograd through transformers alone, in fp32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from promptlab.engine.kv_cache.training_cache import TrainingPrefixCache
from promptlab.engine.memory import TokenBudget
from promptlab.engine.training.forward_plan import TrainingItem
from promptlab.engine.training.gradients import GradientScorer
from promptlab.models.local import LocalModel
from promptlab.prompts.prompt import Prompt
from promptlab.prompts.template import Template
from tests.helpers.learned_fixtures import Drawn, drawn, items, weighed
from tests.helpers.reference_learned import answer_scores
from tests.helpers.tiny_models import Pair

Fresh = Callable[..., LocalModel]
TEXTS = (
    "a gorgeous witty film",
    "x",
    "the soup was cold and nobody apologised to anybody but the cook .",
)
ONE = ("great", "terrible")
"""One token each for every tokenizer here (a causal one splits off the space before)."""
SEVERAL = ("great", "not one joke", "terrible", "it never lands")
CAUSAL = ["tiny_causal", "tiny_gpt2", "tiny_capped", "tiny_sliding"]
MASKED = ["tiny_masked", "tiny_roberta"]
TEMPLATES = {
    "in front": "{soft:3}{text} It was {mask}",
    "after the text": "{text} {soft:4} It was {mask}",
    "at the slot": "{text} It was{soft:2}{mask}",
    "several": "{soft:2} {text} was {soft:1}, all in all {soft:3} {mask}",
    "shared": "{soft:2 #a} {text} {soft:3} was {soft:2 #a} {mask}",
    "alone": "{soft:3}{mask}",
    "triggers": "{text} {trigger:3} {soft:2} It was {trigger:1} {mask}",
}
CLOZE = {
    "words": "{soft:3} {text} It was {mask} .",
    "soft after": "{text} It was {mask} {soft:3}",
    "soft after words": "{soft:1} {text} It was {mask} all in all {soft:2} , a film {soft:1} .",
    "soft all around": "{soft:2}{mask}{soft:2}{text}",
}


def prompts(text: str, **options: Any) -> list[Prompt]:
    return [Template(text, **options).render({"text": words}) for words in TEXTS]


def plain(
    pair: Pair, asked: Sequence[Prompt], answers: Sequence[str], made: Drawn, weights: Tensor
) -> tuple[float, list[Tensor]]:
    """The reference: every answer in a forward of its own."""
    scores = torch.stack([answer_scores(pair, p, answers, made.parts) for p in asked])
    total = (scores * weights).sum()
    return float(total.detach()), list(torch.autograd.grad(total, made.leaves))


def agrees(found: tuple[float, list[Tensor]], expected: tuple[float, list[Tensor]]) -> None:
    """1e-5 of the largest number (log-likelihoods are tens of nats here)."""
    assert found[0] == pytest.approx(expected[0], rel=1e-5, abs=1e-5)
    for ours, theirs in zip(found[1], expected[1], strict=True):
        assert ours.shape == theirs.shape
        scale = max(1.0, float(theirs.abs().max()))
        assert float(theirs.abs().max()) > 1e-3
        torch.testing.assert_close(ours, theirs, atol=1e-5 * scale, rtol=1e-5)


def compare(
    model: LocalModel,
    pair: Pair,
    asked: Sequence[Prompt],
    answers: Sequence[str],
    *,
    prefix: int = 0,
) -> None:
    """Scores through `Engine.score`, then loss and gradients, against the plain reference."""
    made = drawn(model, asked[0], prefix=prefix)
    view = model.with_learned_parts(made.learned)
    expected = torch.stack([answer_scores(pair, p, answers, made.parts) for p in asked])
    found = torch.tensor(view.score(asked, answers).logprobs).float()
    torch.testing.assert_close(found, expected.detach(), atol=1e-5, rtol=1e-5)
    weights = torch.randn(found.shape, generator=torch.Generator().manual_seed(1))
    if made.leaves:
        reference = plain(pair, asked, answers, made, weights)
        agrees(weighed(view, asked, answers, made, weights), reference)


@pytest.mark.parametrize("text", TEMPLATES.values(), ids=TEMPLATES)
@pytest.mark.parametrize("name", CAUSAL)
def test_vectors_of_causal_models(
    name: str, text: str, fresh: Fresh, request: pytest.FixtureRequest
) -> None:
    compare(fresh(name), request.getfixturevalue(name), prompts(text), SEVERAL)


@pytest.mark.parametrize("text", [t for t in CLOZE.values() if t != CLOZE["soft after"]])
@pytest.mark.parametrize("name", CAUSAL)
def test_what_follows_the_slot_is_scored_too(
    name: str, text: str, fresh: Fresh, request: pytest.FixtureRequest
) -> None:
    compare(fresh(name), request.getfixturevalue(name), prompts(text), SEVERAL)


@pytest.mark.parametrize("text", (TEMPLATES | CLOZE).values(), ids=TEMPLATES | CLOZE)
@pytest.mark.parametrize("name", [*MASKED, "tiny_seq2seq"])
def test_vectors_of_masked_and_encoder_decoder_models(
    name: str, text: str, fresh: Fresh, request: pytest.FixtureRequest
) -> None:
    compare(fresh(name), request.getfixturevalue(name), prompts(text), SEVERAL)


@pytest.mark.parametrize("text", [TEMPLATES["in front"], TEMPLATES["shared"]])
def test_vectors_of_a_model_without_sentinels(text: str, fresh: Fresh, tiny_bart: Pair) -> None:
    compare(fresh("tiny_bart"), tiny_bart, prompts(text), SEVERAL)


@pytest.mark.parametrize(
    "text",
    ["{soft:3} {text} It was {mask}", "{text} {soft:2} was {soft:1}{mask}", "{soft:2}{mask}"],
)
def test_a_chat_template_around_vectors(text: str, fresh: Fresh, tiny_causal: Pair) -> None:
    compare(fresh("tiny_causal"), tiny_causal, prompts(text, chat=True), SEVERAL)


@pytest.mark.parametrize(
    "text",
    ["{text} It was {mask}", "{soft:2} {text} was {soft:1} {mask}", "{text} {mask} {soft:1} ."],
)
@pytest.mark.parametrize(
    "name", ["tiny_causal", "tiny_gpt2", "tiny_capped", *MASKED, "tiny_seq2seq"]
)
def test_prefixes(name: str, text: str, fresh: Fresh, request: pytest.FixtureRequest) -> None:
    compare(fresh(name), request.getfixturevalue(name), prompts(text), SEVERAL, prefix=3)


def test_a_prefix_of_a_decoder_without_sentinels(fresh: Fresh, tiny_bart: Pair) -> None:
    compare(fresh("tiny_bart"), tiny_bart, prompts("{text} It was {mask}"), SEVERAL, prefix=3)


def test_a_prefix_under_a_chat_template_and_before_nothing(fresh: Fresh, tiny_causal: Pair) -> None:
    for text, chat in (("{text} It was {mask}", True), ("{mask}", False)):
        compare(fresh("tiny_causal"), tiny_causal, prompts(text, chat=chat), SEVERAL, prefix=2)


def test_a_sliding_window_takes_no_prefix(fresh: Fresh) -> None:
    assert fresh("tiny_sliding").prefix_shape is None


def test_grouped_queries_have_a_prefix_of_their_key_heads(fresh: Fresh) -> None:
    assert fresh("tiny_causal").prefix_shape == (2, 2, 8)
    assert fresh("tiny_gpt2").prefix_shape == (2, 4, 8)


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_gpt2", "tiny_masked"])
def test_gradients_of_trigger_embeddings(
    name: str, fresh: Fresh, request: pytest.FixtureRequest
) -> None:
    """A trigger's tokens as vectors that stand at their embeddings."""
    pair, model = request.getfixturevalue(name), fresh(name)
    asked = prompts("{text} {soft:3} It was {mask}")
    made = drawn(model, asked[0])
    ids = torch.tensor([9, 21, 30])
    table = pair[0].get_input_embeddings()(ids).detach().clone().requires_grad_(True)
    made = Drawn(made.soft, table, (), None)
    view = model.with_learned_parts(made.learned)
    weights = torch.randn((len(asked), len(ONE)), generator=torch.Generator().manual_seed(2))
    agrees(weighed(view, asked, ONE, made, weights), plain(pair, asked, ONE, made, weights))
    written = prompts("{text} {trigger:3} It was {mask}")
    words = model.with_learned_parts(type(made.learned)(triggers=(tuple(ids.tolist()),)))
    found = torch.tensor(words.score(written, ONE).logprobs)
    torch.testing.assert_close(
        found, torch.tensor(view.score(asked, ONE).logprobs), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("name", [*CAUSAL, *MASKED, "tiny_seq2seq", "tiny_bart"])
@pytest.mark.parametrize("prefix", [0, 2])
def test_the_normaliser_cancels_where_it_is_left_out(name: str, prefix: int, fresh: Fresh) -> None:
    if prefix and name == "tiny_sliding":
        pytest.skip("takes no prefix")
    model = fresh(name)
    asked = prompts("{soft:2} {text} was {soft:1} {mask}")
    made = drawn(model, asked[0], prefix=prefix)
    view = model.with_learned_parts(made.learned)
    answers = ("a", "x") if name == "tiny_bart" else ONE
    rows = view.scoring_requests(asked, answers)
    assert all(len(c) == 1 for row in rows for one in row for c in one.continuations)
    weights = torch.randn((len(asked), 2), generator=torch.Generator().manual_seed(3))
    weights -= weights.mean(1, keepdim=True)  # as where answers are compared with each other alone
    whole = weighed(view, asked, answers, made, weights)
    agrees(weighed(view, asked, answers, made, weights, normalised=False), whole)


@pytest.mark.parametrize("name", [*CAUSAL, "tiny_masked", "tiny_seq2seq", "tiny_bart"])
def test_batches_do_not_change_sums(name: str, fresh: Fresh) -> None:
    model = fresh(name)
    asked = prompts("{soft:2} {text} was {soft:1} {mask}")
    made = drawn(model, asked[0], prefix=0 if name == "tiny_sliding" else 2)
    view = model.with_learned_parts(made.learned)
    weights = torch.randn((len(asked), len(SEVERAL)), generator=torch.Generator().manual_seed(4))
    whole = weighed(view, asked, SEVERAL, made, weights)
    for tokens in (1, 40, 90):
        model.engine.runner.budget = TokenBudget(tokens)
        agrees(weighed(view, asked, SEVERAL, made, weights), whole)


def test_a_batch_that_does_not_fit_is_halved_and_counted_once(
    fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fresh("tiny_causal")
    asked = prompts("{soft:2} {text} was {soft:1} {mask}")
    made = drawn(model, asked[0])
    view = model.with_learned_parts(made.learned)
    weights = torch.randn((len(asked), len(SEVERAL)), generator=torch.Generator().manual_seed(4))
    whole = weighed(view, asked, SEVERAL, made, weights)
    real, calls = torch.autograd.grad, []

    def grad(*args: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("out of memory")
        return real(*args, **options)

    monkeypatch.setattr(torch.autograd, "grad", grad)
    found = weighed(view, asked, SEVERAL, made, weights)
    assert len(calls) > 2
    agrees(found, whole)


FIXED = "the soup was cold and nobody apologised . {text} {soft:2} It was {soft:1} {mask}"


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_gpt2", "tiny_capped"])
@pytest.mark.parametrize("kept", ["all", "some"])
def test_states_of_what_never_changes(name: str, kept: str, fresh: Fresh) -> None:
    """Ragged: every row has a state of another length, or (some) none at all."""
    model = fresh(name)
    for text in (FIXED, FIXED + " all in all {soft:1} ."):
        asked = prompts(text)
        made = drawn(model, asked[0])
        view = model.with_learned_parts(made.learned)
        weights = torch.randn(
            (len(asked), len(SEVERAL)), generator=torch.Generator().manual_seed(5)
        )
        without = items(view, asked, SEVERAL, made)
        start = model.engine.network.virtual_tokens.first_id
        fixed = []
        for item in without:
            ids = item.requests[0].context.ids
            fixed.append(ids[: next(i for i, token in enumerate(ids) if token >= start)])
        assert len({len(ids) for ids in fixed}) == len(fixed)
        states = TrainingPrefixCache(model.engine.network, TokenBudget(30))
        states.prepare(fixed if kept == "all" else fixed[1:])
        given = [
            TrainingItem(item.requests, states.get(ids))
            for item, ids in zip(without, fixed, strict=True)
        ]
        assert [item.state is None for item in given] == [kept == "some", False, False]
        whole = weighed(view, asked, SEVERAL, made, weights)
        agrees(weighed(view, asked, SEVERAL, made, weights, given=given), whole)


def test_items_of_one_batch_may_have_prefixes_of_different_lengths(fresh: Fresh) -> None:
    """As in a pack: each item attends its own prefix, one has none."""
    for name in ("tiny_causal", "tiny_gpt2", "tiny_masked", "tiny_seq2seq", "tiny_bart"):
        model = fresh(name)
        asked = prompts("{text} It was {mask}")
        several = [drawn(model, asked[0], prefix=length, seed=length) for length in (4, 0, 1)]
        views = [model.with_learned_parts(made.learned) for made in several]
        made = [
            items(view, [prompt], SEVERAL, one)[0]
            for view, prompt, one in zip(views, asked, several, strict=True)
        ]
        scorer = GradientScorer(model.engine.network, model.engine.runner)
        apart = [scorer.score([item], normalised=True)[0][0].sum().item() for item in made]
        sums: dict[int, float] = {}
        for group in scorer.groups(made):
            found = scorer.score([made[index] for index in group], normalised=True)
            sums |= {i: row[0].sum().item() for i, row in zip(group, found, strict=True)}
        assert [sums[i] for i in range(3)] == pytest.approx(apart, rel=1e-5)
        for view, prompt, one in zip(views, asked, several, strict=True):
            if one.leaves:
                weights = torch.ones(1, len(SEVERAL))
                total, _ = weighed(view, [prompt], SEVERAL, one, weights)
                assert total == pytest.approx(
                    float(view.score([prompt], SEVERAL).logprobs.sum()), rel=1e-5
                )


def test_the_weights_are_never_touched(fresh: Fresh) -> None:
    model = fresh("tiny_causal")
    before = {k: v.clone() for k, v in model.engine.network.model.state_dict().items()}
    asked = prompts("{soft:2} {text} was {mask}")
    made = drawn(model, asked[0], prefix=2)
    weighed(model.with_learned_parts(made.learned), asked, ONE, made, torch.ones(3, 2))
    parameters = dict(model.engine.network.model.named_parameters())
    assert not any(p.requires_grad for p in parameters.values())
    assert all(p.grad is None for p in parameters.values())
    after = model.engine.network.model.state_dict()
    assert all(torch.equal(after[k], v) for k, v in before.items())
