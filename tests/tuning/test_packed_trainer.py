"""Candidates trained in one batch are trained as if apart, on a network that stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from promptlab.candidates.base import fit_one
from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.engine.memory import TokenBudget
from promptlab.errors import Pruned
from promptlab.models.local import LocalModel
from promptlab.studies.bench.material import TrainingRow
from promptlab.studies.bench.peft_peer import TuningRun, prompt_tuning
from promptlab.tuning.fit_context import FitContext, FitRequest
from promptlab.tuning.packed_trainer import PackedTrainer
from promptlab.tuning.trainer_state import TrainState
from tests.helpers import tiny_models
from tests.helpers.tiny_models import Pair
from tests.helpers.tuning_fixtures import (
    OWN,
    SEVERAL,
    assert_same,
    candidate_of,
    given_by,
    kind_of,
    state_of,
    steps,
    trainee_of,
)

pytestmark = pytest.mark.slow

Fresh = Callable[..., LocalModel]

MIXED: list[dict[str, Any]] = [
    {"learning_rate": [0.01], "seed": [1]},
    {"learning_rate": [0.1], "seed": [2], "length": [6], "init": ["random"], "clip": 0.5},
    {"text": "{text} {soft:2} It was {soft:1} {mask}", "init": ["labels"], "batch_size": [5]},
    {"name": "p_tuning", "hidden": 8, "schedule": ["cosine"], "weight_decay": [0.1]},
    {"encoder": ["mlp"], "hidden": 8, "warmup": 0.5, "answers": SEVERAL},
    {"members": [2], "init": ["text"], "init_text": ["a film"], "seed": [3]},
]
PREFIXES: list[dict[str, Any]] = [
    {"name": "prefix", "text": "{text} It was {mask}", "length": [2]},
    {
        "name": "prefix",
        "text": "{text} It was {mask}",
        "length": [5],
        "encoder": ["mlp"],
        "hidden": 8,
        "init": ["random"],
        "learning_rate": [0.02],
    },
    {"name": "prefix", "text": "{soft:2} {text} It was {mask}", "length": [3]},
]
DEFAULTS: dict[str, Any] = {"steps": 20, "batch_size": [4]}


@pytest.fixture(autouse=True)
def unchanged(request: pytest.FixtureRequest) -> Iterator[None]:
    """The weights of every model used are the same bits after each test, and stay frozen."""
    names = [n for n in request.fixturenames if n.startswith("tiny_")]
    spec = getattr(request.node, "callspec", None)
    names += [value for value in spec.params.values() if value in ALL] if spec else []
    pairs = {name: request.getfixturevalue(name)[0] for name in names}
    before = {name: _bits(model) for name, model in pairs.items()}
    yield
    for name, model in pairs.items():
        after = _bits(model)
        assert all(torch.equal(after[key], bits) for key, bits in before[name].items()), name
        assert not any(p.requires_grad for p in model.parameters()), name
        assert all(p.grad is None for p in model.parameters()), name


ALL = ["tiny_causal", "tiny_gpt2", "tiny_capped", "tiny_masked", "tiny_roberta", "tiny_seq2seq"]


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps that differ no more than their gradients do.

    What is compared is the arithmetic of the pack. AdamW would make a full step of a gradient that
    is zero but for rounding, and rounding depends on what a row is batched with. With this number
    an error of 1e-6 of every gradient and 1e-7 of every state comes to a fifth of the tolerance of
    1e-4 after ten steps; with 1e-5 it comes to 28 times the tolerance.
    """
    monkeypatch.setattr("promptlab.tuning.trainer_state.EPSILON", 1e-3)


def _bits(model: Any) -> dict[str, torch.Tensor]:
    return {key: tensor.clone() for key, tensor in model.state_dict().items()}


def made(task: Task, model: LocalModel, settings: dict[str, Any]) -> TrainState:
    return trainee_of(task, model, **(DEFAULTS | settings))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.usefixtures("steady")
def test_ten_steps_of_a_pack_are_those_of_each_alone(name: str, task: Task, fresh: Fresh) -> None:
    model = fresh(name)
    several = [*MIXED, *PREFIXES]
    apart = [made(task, model, one) for one in several]
    losses = [steps(model, [one], 10)[0] for one in apart]
    together = [made(task, model, one) for one in several]
    starts = [state_of(one) for one in together]
    found = steps(model, together, 10)
    np.testing.assert_allclose(found, losses, atol=1e-4)
    for start, left, right in zip(starts, together, apart, strict=True):
        assert_same(given_by(left), given_by(right), 1e-4)
        assert any(not torch.equal(state_of(left)[key], start[key]) for key in start)


def test_training_learns(task: Task, fresh: Fresh) -> None:
    model = fresh("tiny_causal")
    trainee = made(task, model, {"learning_rate": [0.05], "steps": 60, "batch_size": [16]})
    losses = steps(model, [trainee], 60)[0]
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_masked"])
@pytest.mark.usefixtures("steady")
def test_who_takes_the_rows_of_a_pruned_one_trains_as_if_alone(
    name: str, task: Task, fresh: Fresh
) -> None:
    model = fresh(name)
    group = kind_of(task, pack=2, steps=12, evaluate_every=3, batch_size=[4])
    candidates = {
        number: candidate_of(kind_of(task, steps=12, evaluate_every=3, batch_size=[4], **options))
        for number, options in enumerate(
            ({"seed": [1]}, {"seed": [2], "length": [5]}, {"seed": [3], "learning_rate": [0.1]})
        )
    }

    left = [2]

    class Giving(FitContext):
        """Gives number 0 up at its second evaluation; number 2 comes when there is room."""

        def should_prune(self, number: int, step: int, value: float) -> bool:
            return number == 0 and step == 2

        def next_candidate(self) -> FitRequest | None:
            return FitRequest(left[0], candidates[left.pop()]) if left else None

    fitted = dict(
        group.fit_many([FitRequest(n, candidates[n]) for n in (0, 1)], model, Giving("accuracy"))
    )
    assert isinstance(fitted[0], Pruned)
    assert str(fitted[0]).startswith("given up at step 3: its dev score")
    for number in (1, 2):
        alone = fit_one(group, candidates[number], model, FitContext("accuracy"))
        together = fitted[number]
        assert not isinstance(together, Exception)
        left, right = (one.model.learned for one in (alone, together))  # type: ignore[attr-defined]
        torch.testing.assert_close(left.vectors, right.vectors, atol=2e-3, rtol=0.0)
        assert left.facts["best_step"] == right.facts["best_step"]


@pytest.mark.usefixtures("steady")
def test_a_batch_that_does_not_fit_is_halved_and_counted_once(
    task: Task, fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fresh("tiny_causal")
    expected = steps(model, [made(task, model, one) for one in MIXED], 2)
    real, calls = torch.autograd.grad, []

    def grad(*args: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("out of memory")
        return real(*args, **options)

    monkeypatch.setattr(torch.autograd, "grad", grad)
    found = steps(model, [made(task, model, one) for one in MIXED], 2)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.usefixtures("steady")
def test_the_budget_of_tokens_changes_nothing(task: Task, fresh: Fresh) -> None:
    model = fresh("tiny_gpt2")
    expected = [made(task, model, one) for one in (*MIXED, *PREFIXES)]
    losses = steps(model, expected, 3)
    model.engine.runner.budget = TokenBudget(60)
    found = [made(task, model, one) for one in (*MIXED, *PREFIXES)]
    np.testing.assert_allclose(steps(model, found, 3), losses, atol=1e-5)
    for left, right in zip(found, expected, strict=True):
        assert_same(state_of(left), state_of(right), 1e-5)


def test_states_before_the_vectors_are_computed_once(task: Task, fresh: Fresh) -> None:
    model = fresh("tiny_causal")
    text = "{text} all in all it was {soft:2} {mask}"
    pack, plain = PackedTrainer(model), PackedTrainer(model)
    plain.states.max_bytes = 0
    one, other = (made(task, model, {"text": text, "batch_size": [16]}) for _ in range(2))
    pack.step([one])
    plain.step([other])
    first, whole = pack.computed_tokens, plain.computed_tokens
    pack.step([one])
    plain.step([other])
    assert pack.computed_tokens - first < 0.4 * (plain.computed_tokens - whole)
    assert_same(state_of(one), state_of(other), 1e-5)


SCORED: list[dict[str, Any]] = [
    {"learning_rate": [0.05]},
    {"text": "{text} {soft:2} It was {mask} .", "answers": SEVERAL, "aggregation": ["mean"]},
    {"answers": SEVERAL, "length_normalise": [True], "aggregation": ["max"]},
    {"members": [3], "init": ["random"]},
    {"name": "p_tuning", "hidden": 8},
    {"name": "prefix", "text": "{text} It was {mask}", "length": [3], "encoder": ["mlp"]},
    {"name": "prefix", "text": "{soft:2} {text} It was {mask} .", "length": [2]},
]


@pytest.mark.parametrize("name", ALL)
def test_scores_in_training_are_those_of_the_predictor(name: str, task: Task, fresh: Fresh) -> None:
    model = fresh(name)
    for settings in SCORED:
        options = {"steps": 4, "evaluate_every": 2, "batch_size": [4]} | settings
        group = kind_of(task, **options)
        trainee = trainee_of(task, model, **options)
        steps(model, [trainee], 4)
        trainee.record_evaluation(1.0, 0.5)
        scores, loss = PackedTrainer(model).scores(trainee, trainee.dev)
        predictor = group._predictor(candidate_of(group), model, trainee)
        found = np.log(predictor.predict_proba(task.dev))
        np.testing.assert_allclose(scores, found, atol=1e-5, rtol=1e-5)
        right = [list(OWN).index(str(example.label)) for example in task.dev]
        mean = -float(np.mean(found[np.arange(len(right)), right]))
        assert loss == pytest.approx(mean, abs=1e-5, rel=1e-5)


def test_a_chat_template_is_trained_as_it_is_predicted(task: Task, fresh: Fresh) -> None:
    model = fresh("tiny_causal")
    options = {"steps": 3, "batch_size": [4], "chat": [True]}
    group, trainee = kind_of(task, **options), trainee_of(task, model, **options)
    steps(model, [trainee], 3)
    trainee.record_evaluation(1.0, 0.5)
    scores, _ = PackedTrainer(model).scores(trainee, trainee.dev)
    predictor = group._predictor(candidate_of(group), model, trainee)
    np.testing.assert_allclose(scores, np.log(predictor.predict_proba(task.dev)), atol=1e-5)


@pytest.fixture
def bare(fresh: Fresh) -> Callable[[str], LocalModel]:
    """A model whose texts have no special tokens before them: peft's vectors stand first."""

    def make(name: str) -> LocalModel:
        model = fresh(name)
        model.encoding.before = ()
        return model

    return make


@pytest.mark.parametrize(
    ("name", "make"), [("tiny_causal", tiny_models.llama), ("tiny_gpt2", tiny_models.gpt2)]
)
@pytest.mark.parametrize("space", ["answers", "vocabulary"])
def test_prompt_tuning_follows_pefts_curve(
    name: str,
    space: Any,
    task: Task,
    bare: Callable[[str], LocalModel],
    make: Callable[[], Pair],
) -> None:
    """Same first vectors, same batches, AdamW: the losses of fifteen steps and the vectors."""
    count, rate = 15, 0.02
    model = bare(name)
    options: dict[str, Any] = {
        "text": "{soft:4}{text} It was {mask}",
        "learning_rate": [rate],
        "steps": count,
        "batch_size": [6],
        "schedule": ["constant"],
        "warmup": 0.0,
        "clip": 1e9,
    }
    if space == "vocabulary":
        options |= {"answers": None, "parser": {"type": "text"}}
        task = _worded(task)
    trainee = trainee_of(task, model, **options)
    start = state_of(trainee)["vectors_made.vectors"].numpy()
    words = list(OWN.values())
    answers = tuple(model.encoding.encode(f" {word}")[0] for word in words)
    rows = [
        TrainingRow(
            model.encoding.encode(f"{example.fields['text']} It was"),
            answers,
            words.index(OWN.get(str(example.label), str(example.label))),
            end=(model.tokenizer.eos_token_id,) if space == "vocabulary" else (),
        )
        for example in task.train
    ]
    batches = []
    for step in range(count):
        trainee.progress.step = step
        batches.append(trainee.batch())
    trainee.progress.step = 0
    theirs = prompt_tuning(make()[0], rows, TuningRun(start, rate, batches), space=space)
    ours = steps(model, [trainee], count)[0]
    np.testing.assert_allclose(ours, theirs.losses, rtol=1e-4, atol=1e-4)
    found = state_of(trainee)["vectors_made.vectors"].numpy()
    np.testing.assert_allclose(found, theirs.vectors, atol=1e-3)
    assert not np.allclose(found, start, atol=1e-2)


def _worded(task: Task) -> Task:
    """The same examples with their answer words as texts to be written."""
    parts = [
        tuple(Example(e.id, e.fields, OWN[str(e.label)]) for e in part)
        for part in (task.train, task.dev, task.test)
    ]
    return Task(task.name, *parts, labels=())


def test_texts_are_trained_on_their_own_likelihood(task: Task, fresh: Fresh) -> None:
    for name in ("tiny_causal", "tiny_seq2seq"):
        model = fresh(name)
        options: dict[str, Any] = {
            "answers": None,
            "parser": {"type": "text"},
            "steps": 10,
            "batch_size": [4],
            "learning_rate": [0.05],
        }
        trainee = trainee_of(_worded(task), model, **options)
        before = PackedTrainer(model).scores(trainee, trainee.train)
        assert before[0].shape == (len(task.train), 0)
        steps(model, [trainee], 10)
        assert PackedTrainer(model).scores(trainee, trainee.train)[1] < before[1]


def test_no_checkpoint_without_a_folder(task: Task, fresh: Fresh, tmp_path: Path) -> None:
    trainee = made(task, fresh("tiny_gpt2"), {})
    trainee.record_evaluation(0.5, 1.0)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_peft_leaves_the_tiny_models_as_they_are(tiny_gpt2: Pair) -> None:
    assert type(tiny_gpt2[0]).__name__ == "GPT2LMHeadModel"
