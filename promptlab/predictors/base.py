"""The one thing that everything becomes: fit on examples, predict on examples, save, load."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from jaxtyping import Float

from promptlab.data.columns import Columns
from promptlab.data.example import Example
from promptlab.data.inputs import Input, Inputs, as_examples
from promptlab.data.seen_texts import SeenTexts
from promptlab.errors import InputError, NotFittedError
from promptlab.evaluation.predictions import Predictions
from promptlab.files.cache import atomic_write
from promptlab.files.saved_predictor.check import check_settings
from promptlab.files.saved_predictor.folder import (
    DOCUMENT,
    FORMAT,
    check_files,
    hash_part,
    inside_saved_folder,
    read_saved,
    settings_errors,
)
from promptlab.models.base import LanguageModel
from promptlab.predictors.saved_model import check_weights, saved_number_format
from promptlab.predictors.sklearn_interface import SklearnInterface
from promptlab.security.untrusted_text import json_text

if TYPE_CHECKING:
    from promptlab.evaluation.evaluation import Evaluation

STORED_PREDICTORS = {
    "AnswerVectorClassifier": "promptlab.predictors.answer_vectors:AnswerVectorClassifier",
    "Cascade": "promptlab.predictors.ensemble.cascade:Cascade",
    "Chain": "promptlab.strategies.chain:Chain",
    "ChainOfThought": "promptlab.strategies.chain_of_thought.strategy:ChainOfThought",
    "DspyProgram": "promptlab.interop.dspy.program:DspyProgram",
    "Ensemble": "promptlab.predictors.ensemble.ensemble:Ensemble",
    "GeneratedKnowledge": "promptlab.strategies.generated_knowledge:GeneratedKnowledge",
    "HeadClassifier": "promptlab.predictors.head:HeadClassifier",
    "MixtureClassifier": "promptlab.predictors.soft_prompt_mixture:MixtureClassifier",
    "PromptClassifier": "promptlab.predictors.classifier:PromptClassifier",
    "PromptGenerator": "promptlab.predictors.generator:PromptGenerator",
    "PrototypeClassifier": "promptlab.predictors.prototypes:PrototypeClassifier",
    "Retrieval": "promptlab.strategies.retrieval:Retrieval",
    "SelfConsistency": "promptlab.strategies.self_consistency.strategy:SelfConsistency",
    "SpanDecomposition": "promptlab.strategies.span_decomposition.strategy:SpanDecomposition",
    "TreeOfThoughts": "promptlab.strategies.tree_of_thoughts.strategy:TreeOfThoughts",
}
"""The name that ``predictor.json`` has for a shipped predictor, and where its class is now.

A stored name never changes: a class that moves or is renamed changes the right side alone.
"""
_STORED_NAMES = {place: name for name, place in STORED_PREDICTORS.items()}


class Predictor(SklearnInterface):
    """A predictor learns from examples (`fit`), labels others (`predict`) and is saved (`save`).

    It is the base of prompts, strategies, ensembles and tuners; `load` reads a saved one. A
    subclass is registered by its class name, and its ``settings`` and ``from_settings`` carry all
    that is not in files of its own.

    Args:
        args: What the subclass's constructor takes by position; `get_params` gives it by name.
        settings: What it takes by name.

    Example:
        >>> words = {"negative": "terrible", "positive": "great"}
        >>> classifier = pl.PromptClassifier("{text} It was {mask}.", words, model)
        >>> found = classifier.evaluate(["A bore.", "Great fun."], ["negative", "positive"])
        >>> found.n, 0 <= found.accuracy <= 1
        (2, True)
    """

    kinds: ClassVar[dict[str, type[Predictor]]] = {}
    model: LanguageModel
    seen: SeenTexts = SeenTexts()
    """The texts that it was fitted on or chosen by: no fair test of it."""
    read_as: Columns | None = None
    """The columns of the file whose examples it was chosen by; files like it are read alike."""

    def __init_subclass__(cls, *, register: bool = True, **options: Any) -> None:
        super().__init_subclass__(**options)
        if register:
            Predictor.kinds[stored_name(cls)] = cls

    @property
    @abstractmethod
    def fields(self) -> tuple[str, ...]:
        """The example fields that are read."""

    def fit(
        self,
        examples: Inputs,
        labels: Sequence[str] | None = None,
        *,
        dev: Inputs = (),
    ) -> Self:
        """Learn what is to be learned from labelled examples.

        Args:
            examples: Training examples, read by `as_examples`.
            labels: One for each example; without them those that the examples hold.
            dev: Labelled examples by which learners select or stop.

        Returns:
            This predictor; it remembers whose texts it has seen (``seen``).
        """
        train, held = as_examples(examples, self.fields, labels), as_examples(dev, self.fields)
        self.fit_examples(train, held)
        self.seen = self.seen.with_examples(train, held, self.fields)
        return self

    def fit_examples(self, train: Sequence[Example], dev: Sequence[Example]) -> None:
        """Learn from examples; a predictor that learns nothing leaves this as it is."""

    @abstractmethod
    def predict(self, examples: Inputs) -> Predictions:
        """One prediction an example, in order."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Plain JSON data from which `from_settings` makes the same fitted predictor."""

    @classmethod
    @abstractmethod
    def from_settings(cls, settings: Mapping[str, Any], model: LanguageModel) -> Self:
        """The inverse of `settings`."""

    @property
    def possible_labels(self) -> tuple[str, ...]:
        """The labels that a prediction can have; empty where answers are open."""
        return tuple(getattr(self, "labels", ()))

    fitting_tokens: int = 0
    """Tokens of other models' calls while it was fitted, such as those of a writer of prompts."""

    @property
    def learning_tokens(self) -> int:
        """Tokens that went through models while this predictor was fitted."""
        return self.model.learning_tokens + self.fitting_tokens

    def example_prompt(self, example: Input) -> str:
        """The prompt for one example as a reader sees it; empty if there is none."""
        return ""

    def facts(self) -> dict[str, Any]:
        """What a report tells of this predictor beside its prompt (JSON data); mostly nothing."""
        return {}

    def predict_proba(self, examples: Inputs) -> Float[np.ndarray, "example label"]:
        """Label probabilities, columns in the order of the labels."""
        rows = self.predict(examples)
        scores = [row.scores for row in rows]
        if any(score is None for score in scores):
            raise InputError(f"{type(self).__name__} gives labels without probabilities")
        if len({tuple(score) for score in scores if score is not None}) > 1:
            raise InputError(f"{type(self).__name__} gives open answers, not a fixed set of labels")
        return np.exp(np.array([list(score.values()) for score in scores if score is not None]))

    def score(self, examples: Inputs, labels: Sequence[str] | None = None) -> float:
        """Accuracy in [0, 1], as scikit-learn's classifiers have it."""
        return self.evaluate(examples, labels).accuracy

    def evaluate(
        self,
        examples: Inputs,
        labels: Sequence[str] | None = None,
        *,
        metrics: Sequence[str] = (),
    ) -> Evaluation:
        """Accuracy with its interval, further metrics by name, and costs.

        Examples without an answer (an endpoint failed) are counted apart, and in the interval a
        text that repeats counts once.
        """
        from promptlab.data.duplicates import text_key
        from promptlab.evaluation.evaluation import Evaluation

        known = as_examples(examples, self.fields, labels)
        self._check_targets(known)
        texts = {example.id: text_key(example) for example in known}
        rows = self.predict(known)
        return Evaluation.from_predictions(
            rows, tuple(metrics), texts if len(texts) == len(known) else None
        )

    def _check_targets(self, examples: Sequence[Example]) -> None:
        """Refuse labels that no prediction can have: every such example would count as wrong."""
        possible = self.possible_labels
        strange = sorted({str(e.label) for e in examples if e.label is not None} - set(possible))
        if possible and strange:
            raise InputError(
                f"the examples have the label {', '.join(map(repr, strange[:5]))}, which is never "
                f"predicted; {type(self).__name__} predicts {', '.join(map(repr, possible))}"
            )

    def save(self, folder: str | Path) -> Path:
        """Write ``predictor.json`` (and files of its own) into ``folder``.

        What was learned for the model goes into ``learned.safetensors`` and ``learned.json``.
        """
        folder = Path(folder)
        self._save_parts(folder)
        document = {
            "format": FORMAT,
            "predictor": stored_name(type(self)),
            "model": self.model.describe(),
            "settings": self.settings(),
            "fields": list(self.fields),
            "seen": self.seen.record(),
            "files": {name: hash_part(folder / name) for name in self._part_files()},
        }
        if self.fitting_tokens:
            document["fitting_tokens"] = self.fitting_tokens
        if self.read_as is not None:
            document["columns"] = asdict(self.read_as)
        with atomic_write(folder / "predictor.json") as partial:
            partial.write_text(json_text(document, indent=2), encoding="utf-8")
        return folder

    def _save_parts(self, folder: Path) -> None:
        """Files of its own: what was learned for the model, if anything was."""
        self.model.save_learned(folder)

    def _part_files(self) -> list[str]:
        """The files of `_save_parts` whose content is recorded; hashes of tensors are elsewhere."""
        learned = getattr(self.model, "learned", None)
        return [] if learned is None else ["learned.json"]

    @classmethod
    def _load_parts(cls, folder: Path, model: LanguageModel) -> LanguageModel:
        """The model with what `_save_parts` kept. Raises `InputError` if it does not fit."""
        return model.load_learned(folder)

    @classmethod
    def _from_folder(cls, folder: Path, settings: Mapping[str, Any], model: LanguageModel) -> Self:
        """The saved predictor: `from_settings`, unless it has files of its own in ``folder``."""
        return cls.from_settings(settings, model)


def load(folder: str | Path, model: LanguageModel | str | None = None, **options: Any) -> Predictor:
    """Load a saved predictor; ``model`` replaces the one it was fitted with.

    Args:
        folder: Where `Predictor.save` wrote it.
        model: A model or its name; unless given, the one it was saved with is loaded, in the same
            number format.
        options: Go to `load_model`.

    Returns:
        The predictor, fitted as it was saved.

    Raises:
        InputError: For a folder that holds no predictor, one that was changed since it was saved,
            and when that model has other weights by now.

    Example:
        >>> words = {"negative": "terrible", "positive": "great"}
        >>> classifier = pl.PromptClassifier("{text} It was {mask}.", words, model)
        >>> folder = classifier.save("films")
        >>> loaded = load(folder, model)
        >>> loaded.predict(["A bore."]).labels == classifier.predict(["A bore."]).labels
        True
    """
    folder = Path(folder)
    path = folder / DOCUMENT
    with inside_saved_folder(folder), settings_errors(path):
        document = read_saved(folder)
        check_files(folder, document.get("files") or {})
        found = predictor_class(document["predictor"])
        check_settings(document["predictor"], document["settings"], str(path))
        base = _model_of(document, path, model, options)
        adapted = found._load_parts(folder, base)
        _check_learned(path, document["model"], adapted)
        made = found._from_folder(folder, document["settings"], adapted)
        _check_fields(path, document.get("fields"), made)
        made.seen = SeenTexts.from_record(document.get("seen"))
        made.fitting_tokens = int(document.get("fitting_tokens") or 0)
        if document.get("columns") is not None:
            made.read_as = Columns(**document["columns"])
        return made


def _model_of(
    document: Mapping[str, Any],
    path: Path,
    model: LanguageModel | str | None,
    options: Mapping[str, Any],
) -> LanguageModel:
    """The model that is given, or the one that the document names, as it was then."""
    if isinstance(model, LanguageModel):
        return model
    from promptlab.models.pool import load_model

    # How an endpoint is asked belongs to the model that was saved, not to another one.
    saved = {} if model else document["model"].get("options", {})
    held = {} if model else saved_number_format(document["model"], options)
    made = load_model(model or document["model"]["name"], **{**saved, **options, **held})
    if model is None:
        check_weights(path, document["model"], made)
    return made


def _check_fields(path: Path, wanted: Sequence[str] | None, made: Predictor) -> None:
    if wanted is not None and list(wanted) != list(made.fields):
        raise InputError(
            f"{path} says that it reads the fields {', '.join(wanted) or 'none'}, and its settings "
            f"read {', '.join(made.fields) or 'none'}; save the predictor again"
        )


def read_fields(folder: str | Path) -> tuple[tuple[str, ...] | None, Columns | None]:
    """What a saved predictor reads, known before its model is loaded.

    Args:
        folder: Where it was saved.

    Returns:
        The names of its fields (``None`` if it was saved by an earlier version), and the columns
        of the file whose examples it was chosen by, if there was one.

    Raises:
        InputError: For a folder that holds no predictor.
    """
    document = read_saved(Path(folder))
    fields, columns = document.get("fields"), document.get("columns")
    return (
        None if fields is None else tuple(fields),
        None if columns is None else Columns(**columns),
    )


def stored_name(kind: type[Predictor]) -> str:
    """The name of a predictor class in saved documents: its own, for classes of other packages."""
    return _STORED_NAMES.get(f"{kind.__module__}:{kind.__name__}", kind.__name__)


def predictor_class(name: str) -> type[Predictor]:
    """The predictor class of a name in a saved document. Raises `InputError` listing the names."""
    if name in STORED_PREDICTORS:
        module, _, attribute = STORED_PREDICTORS[name].partition(":")
        found: type[Predictor] = getattr(import_module(module), attribute)
        return found
    if name not in Predictor.kinds:
        known = ", ".join(sorted({*Predictor.kinds, *STORED_PREDICTORS}))
        raise InputError(
            f"the predictor {name!r} is unknown here; known are {known}. Import the module that "
            "defines it first"
        )
    return Predictor.kinds[name]


def _check_learned(path: Path, saved: Mapping[str, Any], model: LanguageModel) -> None:
    """Refuse other learned parts than those that the predictor was saved with, or none."""
    wanted, found = saved.get("learned"), model.describe().get("learned")
    if wanted != found:
        state = "are missing" if found is None else "are others"
        raise InputError(
            f"{path}: the learned parts beside it {state} (their hash is {found}, it was saved "
            f"with {wanted}); copy the whole folder that save() wrote"
        )


def not_fitted_error(what: str) -> NotFittedError:
    """The error of a ``predict`` that needs a ``fit`` first."""
    return NotFittedError(f"{what}; call fit(examples) first")
