"""Strategies around other predictors: how the inner one is kept, fitted, saved and loaded."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from promptlab.compat.earlier_names import earlier_names
from promptlab.data.example import Example
from promptlab.data.inputs import Input, as_examples
from promptlab.errors import InputError
from promptlab.files.saved_predictor.check import check_settings
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import Predictor, predictor_class, stored_name
from promptlab.predictors.strategy import Strategy
from promptlab.prompts.decoding import Decoding


def inner_settings(predictor: Predictor) -> dict[str, Any]:
    """Plain JSON data of a predictor inside another one: its class name and its settings."""
    predictor = predictor.fitted_predictor
    return {"predictor": stored_name(type(predictor)), "settings": predictor.settings()}


def inner_from_settings(data: Mapping[str, Any], model: LanguageModel) -> Predictor:
    """The inverse of `inner_settings`. Raises `InputError` for a class that is unknown here."""
    kind = predictor_class(data["predictor"])
    check_settings(kind.__name__, data["settings"], f"the {kind.__name__} within")
    return kind.from_settings(data["settings"], model)


def as_strategy(predictor: Predictor, wrapper: str) -> Strategy:
    """The predictor, if it solves example by example; raises `InputError` naming ``wrapper``."""
    predictor = predictor.fitted_predictor
    if isinstance(predictor, Strategy):
        return predictor
    raise InputError(
        f"{wrapper} wraps strategies, which solve one example after the other, and "
        f"{type(predictor).__name__} is none; use a prompt that scores or generates, or a strategy"
    )


@earlier_names(enriched="augmented")
class WrappingStrategy(Strategy, register=False):
    """A strategy that solves an example by another one, ``inner``, whose model is its own.

    A subclass gives `solve`, and `learn` if it learns something beside its inner strategy.
    """

    def __init__(self, inner: Predictor) -> None:
        self.inner = as_strategy(inner, type(self).__name__)
        self.model = self.inner.model

    @property
    def fields(self) -> tuple[str, ...]:
        """The example fields that are read: the inner strategy's."""
        return self.inner.fields

    @property
    def decodings(self) -> tuple[Decoding, ...]:
        """The inner strategy's."""
        return self.inner.decodings

    def fit_examples(self, train: Sequence[Example], dev: Sequence[Example]) -> None:
        """Fit the inner strategy, then learn what the outer one learns."""
        self.learn(train)
        self.inner.fit(self.augmented(train, training=True), dev=self.augmented(dev))

    def learn(self, train: Sequence[Example]) -> None:
        """What is learned before the inner strategy is fitted; nothing here."""

    def augmented(self, examples: Sequence[Input], *, training: bool = False) -> list[Example]:
        """The examples as the inner strategy is fitted on them: as they are here."""
        return as_examples(examples, self.fields)

    def example_prompt(self, example: Input) -> str:
        """The inner strategy's prompt."""
        return self.inner.example_prompt(example)

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Plain JSON data; subclasses add what is their own."""
        return {"inner": inner_settings(self.inner)}
