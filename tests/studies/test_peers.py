"""The peers of the learning benchmarks do what they stand for: checked against plain autograd."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from promptlab.data.example import Example
from promptlab.errors import InputError
from promptlab.models.local import LocalModel
from promptlab.predictors.classifier import PromptClassifier
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.studies.bench.autoprompt_peer import (
    Evaluation,
    Procedure,
    TriggerSearch,
    Work,
    autoprompt,
)
from promptlab.studies.bench.material import (
    TrainingRow,
    TriggerRow,
    training_rows,
    trigger_rows,
)
from promptlab.studies.bench.peft_peer import (
    Space,
    TuningRun,
    eight_runs,
    prompt_tuning,
    soft_after_example,
)
from tests.helpers.tiny_models import Pair

ANSWERS = {"negative": "bad", "positive": "good"}
AFTER = " It was"
TEXTS = (
    "a dull slow film .",
    "a gorgeous witty film that never wastes a minute .",
    "the soup was cold and nobody apologised .",
    "wonderful",
    "an hour of loud empty spectacle and not one joke that lands .",
    "a charming journey .",
    "no joke lands",
    "I have already recommended it to all my friends .",
    "awful plot , awful movie .",
    "the movie was wonderful and the plot was great .",
    "cold and loud",
    "yes , it was great !",
)
EXAMPLES = [
    Example(str(number), {"text": text}, ("negative", "positive")[number % 2])
    for number, text in enumerate(TEXTS)
]
BATCHES = ((0, 1, 2, 3), (4, 5, 6, 7), (0, 2, 4, 6))


def copied(pair: Pair) -> Any:
    """The pair's model once more: the peers freeze what they are given."""
    model = pair[0]
    other = type(model)(model.config).eval()
    other.load_state_dict(model.state_dict())
    return other


def classifier(model: LocalModel, text: str = "{text} It was {mask}") -> PromptClassifier:
    return PromptClassifier(Template(text), Verbalizer(ANSWERS), model)


def tuning_rows(model: LocalModel, after: str = "") -> list[TrainingRow]:
    return training_rows(classifier(model), EXAMPLES, after=after)


def tuning_run(rate: float = 0.05, *, tokens: int = 3, seed: int = 1) -> TuningRun:
    vectors = np.random.default_rng(seed).normal(size=(tokens, 32)).astype(np.float32)
    return TuningRun(vectors, rate, BATCHES)


def reference(
    model: Any, rows: Sequence[TrainingRow], run: TuningRun, space: Space
) -> tuple[list[float], np.ndarray]:
    """Row by row without padding, with AdamW written out."""
    vectors = torch.tensor(run.vectors, requires_grad=True)
    first, second = torch.zeros_like(vectors), torch.zeros_like(vectors)
    losses = []
    for step, batch in enumerate(run.batches, start=1):
        total = torch.zeros(())
        for row in (rows[i] for i in batch):
            words = model.get_input_embeddings()(torch.tensor(row.ids)).detach()
            inputs = torch.cat((words[: row.soft_at], vectors, words[row.soft_at :]))
            logits = model(inputs_embeds=inputs[None]).logits[0, -1]
            answers = torch.tensor(row.answers)
            scores = logits[answers] - (
                logits[answers].logsumexp(0) if space == "answers" else logits.logsumexp(0)
            )
            total = total - scores[row.label] / len(batch)
        (gradient,) = torch.autograd.grad(total, vectors)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        change = (first / (1 - 0.9**step)) / ((second / (1 - 0.999**step)).sqrt() + 1e-8)
        vectors = (vectors - run.learning_rate * change).detach().requires_grad_()
        losses.append(total.item())
    return losses, vectors.detach().numpy()


@pytest.mark.parametrize("space", ["vocabulary", "answers"])
@pytest.mark.parametrize("name", ["tiny_causal", "tiny_gpt2"])
def test_peft_follows_a_plain_autograd_loop(
    name: str, space: Space, fresh: Callable[..., LocalModel], request: Any
) -> None:
    model = copied(request.getfixturevalue(name))
    rows = tuning_rows(fresh(name))
    run = tuning_run()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    losses, vectors = reference(model, rows, run, space)
    found = prompt_tuning(model, rows, run, space=space)
    assert found.losses == pytest.approx(losses, abs=1e-5)
    assert np.abs(found.vectors - vectors).max() < 1e-4
    assert found.seconds > 0 and found.losses[0] != found.losses[2]
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_several_runs_do_not_touch_one_another(tiny_causal: Pair, causal: LocalModel) -> None:
    rows = tuning_rows(causal)
    runs = [tuning_run(), tuning_run(0.5, tokens=5, seed=2), tuning_run(0.005, seed=3)]
    found = eight_runs(copied(tiny_causal), rows, runs, space="answers")
    alone = prompt_tuning(copied(tiny_causal), rows, runs[2], space="answers")
    assert found[2].losses == alone.losses
    assert [result.vectors.shape for result in found] == [(3, 32), (5, 32), (3, 32)]


@pytest.mark.parametrize("space", ["vocabulary", "answers"])
def test_vectors_after_the_example_follow_a_plain_autograd_loop(
    tiny_causal: Pair, causal: LocalModel, space: Space
) -> None:
    rows = tuning_rows(causal, AFTER)
    assert len({row.soft_at for row in rows}) > 1
    run = tuning_run()
    losses, vectors = reference(copied(tiny_causal), rows, run, space)
    found = soft_after_example(copied(tiny_causal), rows, run, space=space)
    assert found.losses == pytest.approx(losses, abs=1e-5)
    assert np.abs(found.vectors - vectors).max() < 1e-4
    with pytest.raises(ValueError, match="before everything"):
        prompt_tuning(copied(tiny_causal), rows, run)


def test_a_capped_head_is_refused(tiny_capped: Pair) -> None:
    with pytest.raises(ValueError, match="caps its logits"):
        soft_after_example(tiny_capped[0], [], tuning_run())


def test_bf16_keeps_the_vectors_in_fp32(tiny_gpt2: Pair, gpt2: LocalModel) -> None:
    half = copied(tiny_gpt2).bfloat16()
    run = tuning_run(1e-4)
    first = prompt_tuning(half, tuning_rows(gpt2), run, space="answers")
    second = soft_after_example(half, tuning_rows(gpt2), run)
    assert first.losses == pytest.approx(second.losses, abs=0.1)
    for found in (first, second):
        assert 0 < np.abs(found.vectors - run.vectors).max() < 1e-3


def test_training_rows_are_the_classifiers_tokens(causal: LocalModel) -> None:
    tokenizer = causal.tokenizer
    row = tuning_rows(causal, AFTER)[1]
    example = EXAMPLES[1]
    assert list(row.ids) == tokenizer(f"{example.fields['text']} It was")["input_ids"]
    whole = tokenizer(f"{example.fields['text']} It was {ANSWERS[str(example.label)]}")
    assert [*row.ids, row.answers[row.label]] == whole["input_ids"]
    tail = tokenizer(AFTER, add_special_tokens=False)["input_ids"]
    assert list(row.ids[row.soft_at :]) == tail
    with pytest.raises(InputError, match="does not end"):
        tuning_rows(causal, " It is")
    long = PromptClassifier(
        Template("{text} It was {mask}"),
        Verbalizer({"negative": "bad", "positive": "gorgeous witty"}),
        causal,
    )
    with pytest.raises(InputError, match="one token"):
        training_rows(long, EXAMPLES)


def searchable(model: LocalModel, *, length: int = 3) -> tuple[Any, Any, Any]:
    text = "{text} {mask} ." if model.family == "masked" else "{text} so {mask}"
    train, words = trigger_rows(classifier(model, text), EXAMPLES, length=length)
    dev, _ = trigger_rows(classifier(model, text), EXAMPLES[::-1], length=length)
    return train, dev, words


@pytest.mark.parametrize(
    ("name", "score"),
    [("tiny_masked", "likelihood"), ("tiny_causal", "likelihood"), ("tiny_causal", "accuracy")],
)
def test_the_search_changes_one_allowed_token_a_step(
    name: str, score: Any, fresh: Callable[..., LocalModel], request: Any
) -> None:
    model = copied(request.getfixturevalue(name))
    train, dev, words = searchable(fresh(name))
    allowed = np.zeros(model.get_input_embeddings().num_embeddings, dtype=bool)
    allowed[20:200] = True
    settings = Procedure(
        iterations=6, accumulation_steps=2, batch_size=6, candidates=25, score=score, seed=3
    )
    frozen = [parameter.requires_grad for parameter in model.parameters()]
    found = autoprompt(
        model, train, dev, label_words=words, initial=(4, 4, 4), allowed=allowed, procedure=settings
    )
    assert found.history[0].tokens == (4, 4, 4) and len(found.history) > 1
    for before, after in zip(found.history, found.history[1:], strict=False):
        changed = [new for old, new in zip(before.tokens, after.tokens, strict=True) if old != new]
        assert len(changed) == 1 and allowed[changed[0]] and before.seconds < after.seconds
    assert found.best.dev_accuracy == max(one.dev_accuracy for one in found.history)
    assert found.best.dev_accuracy == dev_accuracy(model, dev, words, found.best.tokens)
    # Two batches of six a step for the gradient; the same for 25 candidates and the old token.
    assert sum(found.work.training.values()) == 6 * 12
    assert sum(found.work.forward.values()) == 6 * 12 * 26 + len(found.history) * len(dev)
    assert frozen == [parameter.requires_grad for parameter in model.parameters()]
    assert all(parameter.grad is None for parameter in model.parameters())


def dev_accuracy(
    model: Any, dev: Sequence[TriggerRow], words: Sequence[Sequence[int]], tokens: Sequence[int]
) -> float:
    right = 0
    for row in dev:
        ids = torch.tensor([row.ids])
        ids[0, list(row.places)] = torch.tensor(tokens)
        with torch.inference_mode():
            logp = model(input_ids=ids).logits[0, row.slot].log_softmax(-1)
        scores = [float(logp[list(label)].exp().sum()) for label in words]
        right += scores.index(max(scores)) == row.label
    return right / len(dev)


@pytest.mark.parametrize("name", ["tiny_masked", "tiny_causal"])
def test_candidates_are_those_of_a_plain_gradient(
    name: str, fresh: Callable[..., LocalModel], request: Any
) -> None:
    """With one position and one candidate, the likelihood decides about the steepest token."""
    model = copied(request.getfixturevalue(name))
    train, dev, words = searchable(fresh(name), length=1)
    weight = model.get_input_embeddings().weight.detach()
    trigger = weight[7].clone().requires_grad_()
    losses = []
    for row in train:
        ids = torch.tensor(row.ids)
        ids[list(row.places)] = 7
        inputs = weight[ids].clone()
        inputs[row.places[0]] = trigger
        logp = model(inputs_embeds=inputs[None]).logits[0, row.slot].log_softmax(-1)
        losses.append(-logp[list(words[row.label])].logsumexp(0))
    before = torch.stack(losses)
    (gradient,) = torch.autograd.grad(before.sum(), trigger)
    gain = -(weight @ gradient)
    gain[7] = -torch.inf
    steepest = int(gain.argmax())
    allowed = np.ones(len(weight), dtype=bool)
    allowed[7] = False
    settings = Procedure(
        iterations=1, accumulation_steps=1, batch_size=len(train), candidates=1, score="likelihood"
    )
    found = autoprompt(
        model, train, dev, label_words=words, initial=(7,), allowed=allowed, procedure=settings
    )
    after = [-likelihood(model, row, words, steepest) for row in train]
    improved = sum(after) < before.sum().item()
    tokens = [one.tokens for one in found.history]
    assert tokens == ([(7,), (steepest,)] if improved else [(7,)])


def likelihood(model: Any, row: TriggerRow, words: Sequence[Sequence[int]], token: int) -> float:
    ids = torch.tensor([row.ids])
    ids[0, list(row.places)] = token
    with torch.inference_mode():
        logp = model(input_ids=ids).logits[0, row.slot].log_softmax(-1)
    return float(logp[list(words[row.label])].logsumexp(0))


def test_the_search_ends_when_the_score_is_reached() -> None:
    history = [Evaluation(1.0, 0.5, (1,)), Evaluation(2.0, 0.8, (2,)), Evaluation(3.0, 0.8, (3,))]
    search = TriggerSearch(history, 3.5, 9, Work())
    assert search.best.tokens == (2,)
    assert search.seconds_to(0.8) == 2.0 and search.seconds_to(0.4) == 1.0
    assert search.seconds_to(0.9) is None


def test_the_search_may_be_limited(tiny_masked: Pair, masked: LocalModel) -> None:
    train, dev, words = searchable(masked)
    allowed = np.ones(tiny_masked[0].get_input_embeddings().num_embeddings, dtype=bool)
    for settings in (Procedure(until=0.0), Procedure(limit_seconds=0.0)):
        found = autoprompt(
            copied(tiny_masked),
            train,
            dev,
            label_words=words,
            initial=(4, 4, 4),
            allowed=allowed,
            procedure=settings,
        )
        assert found.iterations == 0 and len(found.history) == 1


def test_trigger_rows_stand_before_the_slot(masked: LocalModel, causal: LocalModel) -> None:
    train, _, words = searchable(masked)
    row, text = train[0], EXAMPLES[0].fields["text"]
    expected = masked.tokenizer(f"{text} [MASK] .")["input_ids"]
    assert [token for i, token in enumerate(row.ids) if i not in row.places] == expected
    assert row.ids[row.slot] == masked.tokenizer.mask_token_id
    assert row.places == (row.slot - 3, row.slot - 2, row.slot - 1)
    assert words == [tuple(masked.tokenizer.convert_tokens_to_ids([w])) for w in ("bad", "good")]
    row = searchable(causal)[0][0]
    assert row.slot == len(row.ids) - 1 == row.places[-1]
    assert list(row.ids[:-3]) == causal.tokenizer(f"{text} so")["input_ids"]
