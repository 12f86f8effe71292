"""What scikit-learn asks of an estimator: parameters, clones, tags, classes, decision values.

scikit-learn itself is imported only where it asks (`__sklearn_tags__`), so that ``import
promptlab`` stays quick.
"""

from __future__ import annotations

import inspect
import warnings
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from jaxtyping import Float

from promptlab.errors import InputError

if TYPE_CHECKING:
    from sklearn.utils import Tags

    from promptlab.predictors.base import Predictor

_LONGEST_VALUE = 60  # characters of a value in a repr


class SklearnInterface(ABC):
    """Base of all predictors: they work in ``clone``, ``cross_val_score`` and ``Pipeline``.

    Parameters are the arguments of the constructor, as they were given; what is learned stands in
    attributes of its own. A clone shares the model, which is never copied.
    """

    _arguments: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *args: Any, **settings: Any) -> Self:
        """Remember the arguments for `get_params`."""
        made = super().__new__(cls)
        made._arguments = (args, settings)
        return made

    @property
    @abstractmethod
    def fields(self) -> tuple[str, ...]:
        """The example fields that are read."""

    @property
    @abstractmethod
    def possible_labels(self) -> tuple[str, ...]:
        """The labels that a prediction can have; empty where answers are open."""

    @abstractmethod
    def predict_proba(self, examples: Any) -> Float[np.ndarray, "example label"]:
        """Label probabilities, columns in the order of the labels."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments by name.

        Args:
            deep: Whether those of a predictor among them are given, too, as ``inner__samples``.

        Returns:
            Every parameter with its value as it was given, or its default.
        """
        given = self._parameters()
        found = dict(given)
        if deep:
            for name, value in given.items():
                if isinstance(value, SklearnInterface):
                    below = value.get_params(deep=True)
                    found |= {f"{name}__{key}": part for key, part in below.items()}
        return found

    def set_params(self, **changes: Any) -> Self:
        """Change parameters: afterwards all is as if it had been made with them, and not fitted.

        Args:
            changes: New values; ``inner__samples=3`` changes one of the predictor ``inner``.

        Returns:
            This predictor.

        Raises:
            InputError: For a parameter that there is not, or a value that cannot be; then nothing
                has changed.
        """
        params = self.get_params(deep=False)
        below: dict[str, dict[str, Any]] = {}
        for name, value in changes.items():
            own, _, rest = name.partition("__")
            if own not in params:
                known = ", ".join(sorted(params))
                raise InputError(
                    f"{own}: {type(self).__name__} has no such parameter; parameters are {known}"
                )
            if rest:
                below.setdefault(own, {})[rest] = value
            else:
                params[own] = value
        for own, values in below.items():
            if not isinstance(params[own], SklearnInterface):
                raise InputError(f"{own} of {type(self).__name__} has no parameters of its own")
            params[own] = params[own].__sklearn_clone__().set_params(**values)
        if changes:
            made = type(self)(**params)
            vars(self).clear()
            vars(self).update(vars(made))
        return self

    def __sklearn_clone__(self) -> Self:
        """The same predictor, not fitted; predictors among the parameters are cloned, too."""
        params = self.get_params(deep=False)
        return type(self)(**{name: _cloned(value) for name, value in params.items()})

    def __sklearn_is_fitted__(self) -> bool:
        """Most need no ``fit``; those that do say so when they predict."""
        return True

    def __sklearn_tags__(self) -> Tags:
        """What it takes: texts or tables of texts; as a classifier if its labels are known."""
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        classifies = self._classifies
        return Tags(
            estimator_type="classifier" if classifies else None,
            target_tags=TargetTags(required=False),
            classifier_tags=ClassifierTags() if classifies else None,
            input_tags=InputTags(one_d_array=True, two_d_array=False, string=True, dict=True),
            requires_fit=False,
        )

    @property
    def _classifies(self) -> bool:
        """Whether it tells a fixed set of labels apart."""
        return bool(self.possible_labels)

    @property
    def classes_(self) -> np.ndarray[Any, np.dtype[np.str_]]:
        """The labels as an array, in the order of `predict_proba`'s columns.

        scikit-learn's log loss and ROC AUC take columns to be in alphabetical order: for labels in
        another order there is a warning. Open answers have no classes (`AttributeError`).
        """
        labels = list(self.possible_labels)
        if not labels:
            raise AttributeError(f"{type(self).__name__} has open answers, so no classes_")
        if labels != sorted(labels):
            warnings.warn(
                f"the labels {', '.join(map(repr, labels[:5]))} are not in alphabetical order, in "
                "which scikit-learn's log loss and ROC AUC read probabilities; write them so to "
                "use these (accuracy and F1 are right in any order)",
                stacklevel=2,
            )
        return np.array(labels)

    @property
    def n_features_in_(self) -> int:
        """How many fields of an example are read."""
        return len(self.fields)

    @property
    def feature_names_in_(self) -> np.ndarray[Any, np.dtype[np.object_]]:
        """The fields of an example that are read: columns of a table."""
        return np.array(self.fields, dtype=object)

    @property
    def fitted_predictor(self) -> Predictor:
        """What predicts: this predictor, or the one that it has learned."""
        return self  # type: ignore[return-value]  # every predictor is a Predictor

    def decision_function(self, examples: Any) -> Float[np.ndarray, example * label]:
        """How much speaks for each label, in nats.

        Args:
            examples: As for ``predict``.

        Returns:
            Log-probabilities ``[example, label]``; for two labels, as in scikit-learn, the
            log-odds ``[example]`` of the second.
        """
        with np.errstate(divide="ignore"):
            scores = np.log(self.predict_proba(examples))
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def __repr__(self) -> str:
        defaults = {name: p.default for name, p in self._known_parameters().items()}
        shown = [
            f"{name}={_short(value)}"
            for name, value in self._parameters().items()
            if value is not defaults.get(name) and repr(value) != repr(defaults.get(name))
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    @classmethod
    def _known_parameters(cls) -> dict[str, inspect.Parameter]:
        """The constructor's parameters by name."""
        return constructor_parameters(cls)

    def _parameters(self) -> dict[str, Any]:
        """The constructor's arguments, as given or by default, in the constructor's order."""
        args, settings = self._arguments
        own = inspect.signature(type(self).__init__)
        bound = own.bind_partial(self, *args, **settings).arguments
        for name, parameter in own.parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                bound |= bound.pop(name, {})
        return {
            name: bound.get(name, parameter.default)
            for name, parameter in constructor_parameters(type(self)).items()
        }


def constructor_parameters(cls: type) -> dict[str, inspect.Parameter]:
    """The parameters of a class's constructor; ``**options`` are those of its base class."""
    found: dict[str, inspect.Parameter] = {}
    for base in cls.__mro__:
        made = vars(base).get("__init__")
        if made is None or base is object:
            continue
        parameters = list(inspect.signature(made).parameters.values())[1:]
        for parameter in parameters:
            if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                found.setdefault(parameter.name, parameter)
        if all(parameter.kind is not parameter.VAR_KEYWORD for parameter in parameters):
            break
    return found


def _cloned(value: Any) -> Any:
    """Predictors are cloned, alone or in a list; all else is shared."""
    if isinstance(value, SklearnInterface):
        return value.__sklearn_clone__()
    if isinstance(value, list | tuple):
        return (
            type(value)(_cloned(item) for item in value) if type(value) in (list, tuple) else value
        )
    return value


def _short(value: Any) -> str:
    """A value for a repr: models by their names, long ones cut."""
    if isinstance(value, SklearnInterface):
        return repr(value)
    text = repr(getattr(value, "name", value) if hasattr(value, "max_tokens") else value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
