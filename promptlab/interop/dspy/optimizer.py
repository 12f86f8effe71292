"""DSPy's optimizers by name, each with its main settings, small by default."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from promptlab.errors import InputError


def word_vectors(corpus: Sequence[str]) -> Callable[[list[str]], np.ndarray]:
    """A function from texts to unit vectors ``[text, word]``: tf-idf over the corpus' words.

    No model is asked and nothing is written. Texts without a known word are the zero vector.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    fitted = TfidfVectorizer(tokenizer=str.split, token_pattern=None).fit([*corpus, "."])

    def vectors(texts: list[str]) -> np.ndarray:
        found: np.ndarray = fitted.transform(texts).toarray().astype(np.float32)
        return found

    return vectors


_BOOTSTRAP = {"max_bootstrapped_demos": 4, "max_labeled_demos": 4, "max_rounds": 1}

DEFAULTS: dict[str, dict[str, Any]] = {
    "none": {},
    "labeled_few_shot": {"k": 4},
    "knn_few_shot": {"k": 4},
    "bootstrap_few_shot": _BOOTSTRAP,
    "bootstrap_random_search": _BOOTSTRAP | {"num_candidate_programs": 3},
    "infer_rules": _BOOTSTRAP | {"num_candidates": 2, "num_rules": 3},
    "copro": {"breadth": 3, "depth": 1, "init_temperature": 1.0},
    "miprov2": {
        "num_trials": 6, "num_candidates": 3, "max_bootstrapped_demos": 2, "max_labeled_demos": 2,
        "init_temperature": 1.0, "program_aware_proposer": False, "data_aware_proposer": False,
        "tip_aware_proposer": True, "fewshot_aware_proposer": True,
    },
    "gepa": {"max_metric_calls": 60, "reflection_minibatch_size": 3, "use_merge": False},
    "simba": {"bsize": 8, "num_candidates": 3, "max_steps": 2, "max_demos": 2},
}  # fmt: skip
"""The settings that may be given, as DSPy names them, with what they are if they are not."""


@dataclass(frozen=True)
class Optimizer:
    """The name of one of DSPy's optimizers and what differs from `DEFAULTS`.

    Raises `InputError` for an unknown name or setting, listing those there are.
    """

    name: str = "none"
    changes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in DEFAULTS:
            raise InputError(_unknown("optimizer", self.name, DEFAULTS))
        for key, value in self.changes.items():
            if key not in DEFAULTS[self.name]:
                raise InputError(_unknown(f"setting of {self.name}", key, DEFAULTS[self.name]))
            kind = type(DEFAULTS[self.name][key])
            fits = type(value) is kind or (kind is float and type(value) is int)
            if not fits:
                raise InputError(f"{self.name}: {key} is {value!r}; it is of type {kind.__name__}")

    @classmethod
    def of(cls, given: str | Mapping[str, Any]) -> Optimizer:
        """From a name, or from ``{name: ..., setting: value}``."""
        if isinstance(given, str):
            return cls(given)
        rest = dict(given)
        if "name" not in rest:
            raise InputError(f"an optimizer needs a name; found {dict(given)!r}")
        return cls(str(rest.pop("name")), rest)

    @property
    def settings(self) -> dict[str, Any]:
        """Every setting with its value."""
        return DEFAULTS[self.name] | dict(self.changes)

    @property
    def document(self) -> dict[str, Any]:
        """Plain JSON data that `of` reads."""
        return {"name": self.name, **self.changes}

    def __str__(self) -> str:
        changes = ", ".join(f"{key}={value}" for key, value in self.changes.items())
        return self.name + (f" ({changes})" if changes else "")

    def compile(self, program: Any, course: OptimizerRun) -> Any:
        """The program as the optimizer leaves it. Raises what the optimizer raises."""
        if self.name == "none":
            return program
        if not course.train:
            raise InputError(f"the optimizer {self.name} needs labelled training examples")
        return _COMPILERS[self.name](program, self.settings, course)


@dataclass(frozen=True)
class OptimizerRun:
    """What an optimizer works with; ``train`` and ``dev`` are DSPy's examples.

    ``prompt_lm`` writes instructions, ``threads`` programs run at a time.
    """

    judge: Callable[..., Any]
    train: Sequence[Any]
    dev: Sequence[Any]
    lm: Any
    prompt_lm: Any
    threads: int
    seed: int

    @property
    def valset(self) -> list[Any] | None:
        """The dev examples, or ``None`` without any: optimizers then divide train."""
        return list(self.dev) or None


def _labeled(program: Any, settings: dict[str, Any], course: OptimizerRun) -> Any:
    from dspy.teleprompt import LabeledFewShot

    return LabeledFewShot(**settings).compile(program, trainset=list(course.train))


def _nearest(program: Any, settings: dict[str, Any], course: OptimizerRun) -> Any:
    """The k nearest training examples as they are: nothing is bootstrapped at every call."""
    from dspy import Embedder
    from dspy.teleprompt import KNNFewShot

    k = min(settings["k"], len(course.train))
    inputs = [" ".join(map(str, e.inputs().toDict().values())) for e in course.train]
    vectors = Embedder(word_vectors(inputs), caching=False)
    optimizer = KNNFewShot(
        k, list(course.train), vectors, max_bootstrapped_demos=0, max_labeled_demos=k
    )
    return optimizer.compile(program)


def _bootstrapped(program: Any, settings: dict[str, Any], course: OptimizerRun) -> Any:
    from dspy.teleprompt import BootstrapFewShot

    optimizer = BootstrapFewShot(metric=course.judge, max_errors=_PATIENT, **settings)
    return optimizer.compile(program, trainset=list(course.train))


def _searched(program: Any, settings: dict[str, Any], course: OptimizerRun) -> Any:
    from dspy.teleprompt import BootstrapFewShotWithRandomSearch

    optimizer = BootstrapFewShotWithRandomSearch(
        metric=course.judge, num_threads=course.threads, max_errors=_PATIENT, **settings
    )
    return optimizer.compile(program, trainset=list(course.train), valset=course.valset)


def _ruled(program: Any, settings: dict[str, Any], course: OptimizerRun) -> Any:
    from dspy.teleprompt import InferRules

    optimizer = InferRules(
        metric=course.judge,
        num_threads=course.threads,
        max_errors=_PATIENT,
        teacher_settings={"lm": course.prompt_lm},
        **settings,
    )
    return optimizer.compile(program, trainset=list(course.train), valset=course.valset)


def _copro(program: Any, settings: dict[str, Any], course: OptimizerRun) -> Any:
    from dspy.teleprompt import COPRO

    optimizer = COPRO(metric=course.judge, prompt_model=course.prompt_lm, **settings)
    evaluation = {"num_threads": course.threads}
    return optimizer.compile(program, trainset=list(course.train), eval_kwargs=evaluation)


def _mipro(program: Any, settings: dict[str, Any], course: OptimizerRun) -> Any:
    from dspy.teleprompt import MIPROv2

    own = ("num_candidates", "max_bootstrapped_demos", "max_labeled_demos", "init_temperature")
    optimizer = MIPROv2(
        metric=course.judge,
        auto=None,
        prompt_model=course.prompt_lm,
        task_model=course.lm,
        num_threads=course.threads,
        max_errors=_PATIENT,
        seed=course.seed,
        track_stats=False,
        **{name: settings[name] for name in own},
    )
    rest = {name: value for name, value in settings.items() if name not in own}
    return optimizer.compile(
        program, trainset=list(course.train), valset=course.valset, minibatch=False, **rest
    )


def _gepa(program: Any, settings: dict[str, Any], course: OptimizerRun) -> Any:
    from dspy.teleprompt import GEPA

    optimizer = GEPA(
        metric=course.judge,
        reflection_lm=course.prompt_lm,
        num_threads=course.threads,
        seed=course.seed,
        **settings,
    )
    return optimizer.compile(program, trainset=list(course.train), valset=course.valset)


def _simba(program: Any, settings: dict[str, Any], course: OptimizerRun) -> Any:
    from dspy.teleprompt import SIMBA

    fitting = settings | {"bsize": min(settings["bsize"], len(course.train))}
    optimizer = SIMBA(
        metric=course.judge, prompt_model=course.prompt_lm, num_threads=course.threads, **fitting
    )
    return optimizer.compile(program, trainset=list(course.train), seed=course.seed)


_PATIENT = 1_000_000
"""Errors that an evaluation stands: a reply that cannot be parsed is one, and is worth nothing."""

_COMPILERS: dict[str, Callable[[Any, dict[str, Any], OptimizerRun], Any]] = {
    "labeled_few_shot": _labeled,
    "knn_few_shot": _nearest,
    "bootstrap_few_shot": _bootstrapped,
    "bootstrap_random_search": _searched,
    "infer_rules": _ruled,
    "copro": _copro,
    "miprov2": _mipro,
    "gepa": _gepa,
    "simba": _simba,
}


def _unknown(what: str, name: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(str(name), list(known), n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"unknown {what} {name!r}; {hint}there are {', '.join(sorted(known)) or 'none'}"
