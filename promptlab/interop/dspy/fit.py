"""Fitting a DSPy program: which optimizer, on what, and everything it must not touch."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from promptlab.cancellation import Cancellation
from promptlab.data.example import Example
from promptlab.errors import InputError, PromptlabError, WorkError
from promptlab.interop.dspy.adapters import AdapterChoice, FittingAdapter
from promptlab.interop.dspy.engine import dspy_lm
from promptlab.interop.dspy.metric import DspyMetric
from promptlab.interop.dspy.optimizer import Optimizer, OptimizerRun
from promptlab.interop.dspy.silence import dspy_package, silence_dspy
from promptlab.interop.dspy.task_signature import TaskSignature

THREADS = 16
"""So many examples an optimizer evaluates side by side."""


@dataclass(frozen=True)
class FitPlan:
    """How a program is fitted.

    ``metric`` judges; ``train_examples`` and ``dev_examples`` limit what the optimizer sees (all
    of it if ``None``). ``prompt_model`` writes new instructions (the program's own model if
    ``None``), each in at most ``prompt_tokens`` tokens.
    """

    optimizer: Optimizer = field(default_factory=Optimizer)
    metric: str = "accuracy"
    seed: int = 13
    train_examples: int | None = None
    dev_examples: int | None = None
    prompt_model: str | None = None
    prompt_tokens: int = 120

    def drawn(self, examples: Sequence[Example]) -> list[Example]:
        """The training examples in this plan's order, as many as it takes."""
        chosen = list(examples)
        random.Random(self.seed).shuffle(chosen)
        return chosen[: self.train_examples]

    @property
    def settings(self) -> dict[str, Any]:
        """Plain JSON data."""
        return vars(self) | {"optimizer": self.optimizer.document}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> FitPlan:
        """The inverse of `settings`."""
        return cls(**{**settings, "optimizer": Optimizer.of(settings["optimizer"])})


def fit_program(
    program: Any,
    form: TaskSignature,
    plan: FitPlan,
    train: Sequence[Example],
    dev: Sequence[Example],
    *,
    lm: Any,
    adapter: AdapterChoice,
) -> tuple[Any, int]:
    """The program as the plan's optimizer leaves it, and the tokens of another prompt model.

    Nothing is printed and nothing is written. Raises `Cancelled`, errors of the input, and
    `WorkError` with what went wrong inside of DSPy.
    """
    dspy = dspy_package()
    prompt_lm = _prompt_lm(plan, lm)
    course = OptimizerRun(
        judge=DspyMetric(form, plan.metric),
        train=[form.example(e) for e in train],
        dev=[form.example(e) for e in dev[: plan.dev_examples] if e.label is not None],
        lm=lm,
        prompt_lm=prompt_lm,
        threads=THREADS,
        seed=plan.seed,
    )
    chat = "chat" in prompt_lm.engine.model.capabilities
    fitting = FittingAdapter(program, adapter.make(), chat=chat)
    settings = {"lm": lm, "adapter": fitting, "disable_history": True, "max_errors": 1_000_000}
    with (
        _seeded(plan.seed),
        silence_dspy(),
        lm.engine.desk.paid(),
        prompt_lm.engine.desk.paid(),
        dspy.context(trace=[], num_threads=THREADS, **settings),
    ):
        found = _compiled(program, plan.optimizer, course, lm.engine.desk.cancellation)
    for predictor in found.predictors():
        predictor.lm, predictor.traces, predictor.train = None, [], []
    other = prompt_lm.engine.desk
    return found, 0 if other is lm.engine.desk else other.spent


def _compiled(
    program: Any, optimizer: Optimizer, course: OptimizerRun, cancellation: Cancellation
) -> Any:
    """Optimizers take any error for a failed example, so cancelling is looked at afterwards."""
    try:
        found = optimizer.compile(program, course)
    except PromptlabError:
        cancellation.check()
        raise
    except Exception as error:
        cancellation.check()
        raise WorkError(
            f"DSPy's optimizer {optimizer.name} failed: {type(error).__name__}: {error}"
        ) from error
    cancellation.check()
    return found


def _prompt_lm(plan: FitPlan, lm: Any) -> Any:
    """The model that writes instructions, for longer replies than the program's fields."""
    if plan.prompt_tokens < 1:
        raise InputError(f"prompt_tokens is {plan.prompt_tokens}; an instruction has at least 1")
    if plan.prompt_model is None:
        return lm.copy(max_tokens=plan.prompt_tokens)
    return dspy_lm(plan.prompt_model, max_tokens=plan.prompt_tokens, cache=False, num_retries=0)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Python's global random numbers, which some optimizers draw from, seeded and put back."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)
