"""Causal scores, shared prefixes and branches against one plain forward for every answer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from promptlab.engine.scoring.causal import CausalRunner
from promptlab.engine.scoring.request import ScoringContext, ScoringRequest
from promptlab.errors import CapabilityError, VerbalizerError
from promptlab.models.local import LocalModel
from promptlab.prompts.template import Demonstration, Template
from tests.helpers.reference_forward import causal_answer, causal_continuation
from tests.helpers.tiny_models import Pair

MODELS = ("tiny_causal", "tiny_gpt2", "tiny_sliding", "tiny_capped")
TEMPLATES = (
    "{text} It was {mask}",  # prefix
    "{text} It was {mask}.",  # cloze: the full stop is scored, too
    "{mask}, said the review: {text}",
    "({mask}) {text}",
)
TEXTS = ("a gorgeous film", "x", "", "a dull slow journey to nowhere , never again")
ANSWERS = ("great", "terrible", "marvellous", "not bad", "dreadful")
"""One token, and two to six."""

Fresh = Callable[..., LocalModel]


def close(found: object, expected: object) -> None:
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=1e-6)  # type: ignore[call-overload]


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("name", MODELS)
def test_label_scores_equal_a_plain_forward(
    name: str, template: str, fresh: Fresh, request: pytest.FixtureRequest
) -> None:
    pair = request.getfixturevalue(name)
    prompts = [Template(template).render({"text": text}) for text in TEXTS]
    scores = fresh(name).score(prompts, ANSWERS)
    expected = [[causal_answer(pair, p.left, a, p.right) for a in ANSWERS] for p in prompts]
    close(scores.logprobs, expected)
    assert np.std(expected) > 1  # the models do tell answers apart


def test_several_tokens_are_counted(causal: LocalModel) -> None:
    scores = causal.score([Template("It was {mask}").render({})], ANSWERS)
    assert scores.answer_tokens.tolist() == [[1, 1, 6, 2, 5]]
    assert scores.prompt_tokens.tolist() == [3]  # with the start token


SHARED = tuple(range(5, 45))
"""Forty tokens that every context of the tree starts with."""
BRANCH = tuple(range(60, 100))
TREE = (
    *((*SHARED, *BRANCH, n, n + 1) for n in range(4)),
    *((*SHARED, *BRANCH, *BRANCH, n) for n in range(3)),
    *((*SHARED, n, 3) for n in range(100, 104)),
    SHARED,
    (*SHARED, *BRANCH),
    (7, 8, 9),
)
TAILS = ((4,), (5, 6, 7), (5, 6, 9), (8, 9), (250, 3, 3, 3, 3))


def questions(contexts: tuple[tuple[int, ...], ...] = TREE) -> list[ScoringRequest]:
    return [
        ScoringRequest(ScoringContext(ids), TAILS[: 1 + n % 5]) for n, ids in enumerate(contexts)
    ]


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_gpt2", "tiny_capped"])
def test_nested_prefixes_and_branches(
    name: str, fresh: Fresh, request: pytest.FixtureRequest
) -> None:
    pair, model = request.getfixturevalue(name), fresh(name)
    assert isinstance(model.engine.runner, CausalRunner)
    assert model.engine.runner.can_share_prefixes
    before = model.usage.computed_tokens
    asked = questions()
    found = model.engine.score(asked)
    for question, values in zip(asked, found, strict=True):
        ids = question.context.ids
        close(values, [causal_continuation(pair, ids, c) for c in question.continuations])
    computed = model.usage.computed_tokens - before
    least = len(SHARED) + 2 * len(BRANCH) + len(TREE)
    assert least <= computed < sum(map(len, TREE)) / 2


@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_capped", "tiny_sliding"])
def test_many_continuations_of_one_context(
    name: str, fresh: Fresh, request: pytest.FixtureRequest
) -> None:
    pair, model = request.getfixturevalue(name), fresh(name)
    many = tuple((n % 9 + 4, *range(n, n + n % 5)) for n in range(10, 130))
    contexts = [(*SHARED, 3), (*SHARED, 4), (9,)]
    found = model.engine.score([ScoringRequest(ScoringContext(ids), many) for ids in contexts])
    for ids, values in zip(contexts, found, strict=True):
        close(values, [causal_continuation(pair, ids, c) for c in many])


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_gpt2"])
def test_sharing_equals_no_sharing(name: str, fresh: Fresh) -> None:
    shared, plain = fresh(name), fresh(name)
    assert isinstance(plain.engine.runner, CausalRunner)
    plain.engine.runner.can_share_prefixes = False
    asked = questions()
    for left, right in zip(shared.engine.score(asked), plain.engine.score(asked), strict=True):
        close(left, right)
    contexts = [question.context for question in asked]
    close(shared.engine.features(contexts), plain.engine.features(contexts))
    assert shared.usage.computed_tokens < plain.usage.computed_tokens / 2


def test_a_small_budget_changes_nothing(fresh: Fresh) -> None:
    large, small = fresh("tiny_gpt2"), fresh("tiny_gpt2")
    assert isinstance(small.engine.runner, CausalRunner)
    small.engine.runner.budget.tokens = 50
    asked = questions()
    for left, right in zip(large.engine.score(asked), small.engine.score(asked), strict=True):
        close(left, right)


def test_demonstrations_are_computed_once(fresh: Fresh, tiny_causal: Pair) -> None:
    model = fresh("tiny_causal")
    template = Template("Review : {text} Sentiment : {mask}")
    solved = [Demonstration({"text": f"film number {n} ."}, "positive") for n in range(6)]
    prompts = [template.render({"text": f"the {t} was cold ."}, solved) for t in ("soup", "plot")]
    scores = model.score(prompts, ["positive", "negative"])
    expected = [
        [causal_answer(tiny_causal, p.left, a) for a in ("positive", "negative")] for p in prompts
    ]
    close(scores.logprobs, expected)
    assert model.usage.computed_tokens < 0.7 * scores.prompt_tokens.sum()


def test_a_slot_at_the_very_start_follows_the_end_token(
    fresh: Fresh, tiny_gpt2: Pair, tiny_sliding: Pair
) -> None:
    for name, pair in (("tiny_gpt2", tiny_gpt2), ("tiny_sliding", tiny_sliding)):
        prompt = Template("{mask} film").render({})
        found = fresh(name).score([prompt], ["great", "marvellous"]).logprobs[0]
        close(found, [causal_answer(pair, "", a, " film") for a in ("great", "marvellous")])


def test_chat_is_the_models_own(fresh: Fresh, tiny_causal: Pair) -> None:
    model, tokenizer = fresh("tiny_causal"), tiny_causal[1]
    prompt = Template("{text} Good? {mask}", chat=True).render({"text": "fine"})
    context = tokenizer("<|user|>fine Good?\n<|assistant|>", add_special_tokens=False)["input_ids"]
    answer = tokenizer("yes", add_special_tokens=False)["input_ids"]
    found = model.score([prompt], ["yes", "no"]).logprobs[0, 0]
    close(found, causal_continuation(tiny_causal, context, answer))


def test_what_a_causal_model_refuses(fresh: Fresh) -> None:
    model = fresh("tiny_gpt2")
    prompt = Template("{text} It was {mask}.").render({"text": "word " * 400})
    with pytest.raises(CapabilityError, match=r"has \d+ tokens and tiny_gpt2 takes 256"):
        model.score([prompt], ["great"])
    with pytest.raises(VerbalizerError, match="'' has no tokens"):
        model.score([Template("It was{mask}").render({})], [""])
    with pytest.raises(CapabilityError, match="soft or trigger tokens"):
        model.score([Template("{soft:3} {mask}").render({})], ["great"])
    with pytest.raises(CapabilityError, match="cannot chat; use an instruct model"):
        model.score([Template("{mask}", chat=True).render({})], ["great"])
    assert model.usage.computed_tokens == 0
