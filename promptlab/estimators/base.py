"""Learning without a study: a recipe whose ``fit`` gives a fitted predictor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ValidationError

from promptlab.candidates.base import KindSettings, Trial, find_kind, fit_one
from promptlab.candidates.learning_progress import LearningProgress
from promptlab.data.example import Example
from promptlab.data.inputs import Inputs, as_examples
from promptlab.data.seen_texts import SeenTexts
from promptlab.data.splits import divide
from promptlab.data.task import Task
from promptlab.errors import DataError, InputError
from promptlab.events import Events, Listener
from promptlab.models.base import LanguageModel
from promptlab.models.throughput import measured
from promptlab.predictors.base import Predictor
from promptlab.predictors.candidate import Candidate
from promptlab.prompts.parsers.parsers import Parser
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.tuning.fit_context import Fitting
from promptlab.tuning.hyperparameters import Training
from promptlab.tuning.learning_cost import LearningCost

HELD_OUT = 0.25
"""The share of the training examples that stands in for dev where there is none."""
_PLAIN, _MEASURED = Template("{text} {mask}"), 1_000  # characters
SECONDS = 300.0
"""How long `Estimator.fit` learns if nothing else is said."""
Answers = Verbalizer | Mapping[str, Any]


class Estimator(ABC):
    """One candidate of a study's kind, learned on its own.

    ``model`` is a `LanguageModel` or a name for `load_model`; it stays as it is. ``settings`` are
    those of the kind in a study file, with one value where a study would list several. Raises
    `InputError` for a setting that is unknown or cannot be.
    """

    kind: ClassVar[str]

    def __init__(
        self, model: LanguageModel | str, settings: Mapping[str, Any], *, metric: str = "accuracy"
    ) -> None:
        self.model = model
        self.metric = metric
        self.settings = _validated(find_kind(self.kind).Settings, self.kind, settings)

    def fit(
        self,
        examples: Inputs,
        labels: Sequence[str] | None = None,
        *,
        dev: Inputs = (),
        listener: Listener | None = None,
        checkpoints: str | Path | None = None,
        seconds: float | None = SECONDS,
    ) -> Predictor:
        """Learn from labelled examples.

        Args:
            examples: Training examples, read by `as_examples`.
            labels: One for each example; without them those that the examples hold.
            dev: Labelled examples by which training stops; without them a quarter of the
                examples, drawn by class, is held out.
            listener: Is told every `Step`; without one, progress is shown on standard error,
                after how long it will take at most.
            checkpoints: A folder in which a killed training is kept: the same call goes on.
            seconds: Learning stops after so many, with the best found, and says so. ``None``
                learns to the end, whatever that takes.

        Returns:
            The fitted predictor.

        Raises:
            InputError: For examples or settings that cannot be.
            Pruned: When the loss diverges.
        """
        task = self._task(examples, labels, as_examples(dev, self.fields))
        kind = find_kind(self.kind)(self.settings, task)
        model = self._model()
        kind.check(model)
        candidate = kind.suggest(_Only(), "")
        with ExitStack() as stack:
            if listener is None:
                listener = stack.enter_context(self._progress(task, candidate, model, seconds))
            fitting = Fitting(
                self.metric,
                events=Events(listener),
                folder=None if checkpoints is None else Path(checkpoints),
                seconds=seconds,
            )
            fitted = fit_one(kind, candidate, model, fitting)
        fitted.seen = SeenTexts().with_examples(task.train, task.dev, fitted.fields)
        return fitted

    def _progress(
        self, task: Task, candidate: Candidate, model: LanguageModel, seconds: float | None
    ) -> LearningProgress:
        """Progress on standard error, which begins with how long learning takes here."""
        settings = candidate.settings
        most = None
        if "training" in settings:
            most = Training(**settings["training"]).most_steps(len(task.train))
        elif "search" in settings:
            most = int(settings["search"]["steps"])
        progress = LearningProgress(type(self).__name__, most)
        found = _learning_seconds(task, candidate, model)
        steps = f"at most {most:,} steps on " if most else ""
        took = "" if found is None else f", {_minutes(found[0])} to {_minutes(found[1])} here"
        limit = (
            "" if seconds is None else f"; stops after {_minutes(seconds)} (seconds=None: never)"
        )
        progress.say(f"{steps}{len(task.train):,} examples{took}{limit}")
        return progress

    @property
    @abstractmethod
    def fields(self) -> tuple[str, ...]:
        """The example fields that are read."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in their order; empty: those of the examples, or open answers."""
        return ()

    def _model(self) -> LanguageModel:
        if isinstance(self.model, LanguageModel):
            return self.model
        from promptlab.models.pool import load_model

        self.model = load_model(self.model)
        return self.model

    def _task(self, examples: Inputs, labels: Sequence[str] | None, dev: list[Example]) -> Task:
        train = as_examples(examples, self.fields, labels)
        if any(example.label is None for example in [*train, *dev]):
            raise DataError("an example has no label, and learning needs one for each")
        strange = {str(e.label) for e in [*train, *dev]} - set(self.labels)
        if self.labels and strange:
            raise DataError(
                f"examples have the label {', '.join(map(repr, sorted(strange)[:5]))}, for which "
                f"there are no answers; there are for {', '.join(map(repr, self.labels))}"
            )
        known = self.labels or (() if self._open else tuple(sorted({str(e.label) for e in train})))
        if train and not dev:
            count = max(len(known), 1, round(len(train) * HELD_OUT))
            sizes = {"dev": count, "train": None}
            told = "the training data (no dev is given, so a part is held out)"
            parts = divide(train, sizes, seed=13, stratified=bool(known), source=told)
            train, dev = list(parts["train"]), list(parts["dev"])
        return Task(
            "the given data",
            _numbered("train", train),
            _numbered("dev", dev),
            (),
            labels=known,
            metric=self.metric,
            fields=self.fields,
        )

    @property
    def _open(self) -> bool:
        """Whether answers are open: replies are parsed, not chosen among labels."""
        return False


def _learning_seconds(
    task: Task, candidate: Candidate, model: LanguageModel
) -> tuple[float, float] | None:
    """Fewest and most seconds of learning, by the speed of the model on such prompts."""
    examples = task.train[:8]
    # Plain texts of the examples' length: learned parts cannot be read before they are learned.
    texts = [" ".join(e.fields.values())[:_MEASURED] for e in examples]
    prompts = [_PLAIN.render({"text": text}) for text in texts]
    rate = measured(model, prompts, writes=False)
    if rate is None or not examples:
        return None
    low, high, _ = LearningCost(task, model, examples).of(candidate)
    return low / rate.trained, high / rate.trained


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


class TemplateEstimator(Estimator):
    """What learns for one template and its answers: a `Verbalizer`, a mapping, or a `Parser`."""

    def __init__(
        self,
        template: Template | str,
        answers: Answers | Parser,
        model: LanguageModel | str,
        settings: Mapping[str, Any],
        *,
        metric: str = "accuracy",
    ) -> None:
        self.template = Template(template) if isinstance(template, str) else template
        self.answers = answers if isinstance(answers, Verbalizer | Parser) else Verbalizer(answers)
        super().__init__(
            model,
            {"templates": [_written_out(self.template, self.answers)]}
            | _scoring(self.template, self.answers)
            | dict(settings),
            metric=metric,
        )

    @property
    def fields(self) -> tuple[str, ...]:
        """The example fields that the template reads."""
        return self.template.fields

    @property
    def labels(self) -> tuple[str, ...]:
        """The verbalizer's labels."""
        return self.answers.labels if isinstance(self.answers, Verbalizer) else ()

    @property
    def _open(self) -> bool:
        return not isinstance(self.answers, Verbalizer)


def _written_out(template: Template, answers: Verbalizer | Parser) -> dict[str, Any]:
    """The template as a study file writes it out."""
    found: dict[str, Any] = {
        "name": template.name,
        "text": template.text,
        "parts": None if template.parts is None else dict(template.parts),
        "separator": template.separator,
        "demonstration_separator": template.demonstration_separator,
    }
    if isinstance(answers, Verbalizer):
        return found | {"answers": answers.settings()["answers"]}
    return found | {"parser": answers.settings()}


def _scoring(template: Template, answers: Verbalizer | Parser) -> dict[str, Any]:
    found: dict[str, Any] = {"chat": template.chat}
    if isinstance(answers, Verbalizer):
        found["aggregation"] = answers.aggregation
        found["length_normalise"] = answers.length_normalise
    return found


def _validated(model: type[KindSettings], kind: str, settings: Mapping[str, Any]) -> KindSettings:
    """The kind's section with every value that a study would list alone in a list."""
    section: dict[str, Any] = {"kind": kind}
    for name, value in settings.items():
        field = model.model_fields.get(name)
        if field is None or not isinstance(field.default, list) or name == "templates":
            section[name] = value
        elif isinstance(value, list | tuple | range) and name != "without":
            raise InputError(
                f"{name} is {value!r}; one value is learned with (a study searches several)"
            )
        elif value is not None:
            section[name] = [value]
    try:
        return model.model_validate(section)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if isinstance(part, str))
        known = ", ".join(sorted(set(model.model_fields) - {"kind", "templates"}))
        told = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            told = f"unknown; settings are {known}"
        raise InputError(f"{place}: {told} (found {first['input']!r:.60})") from error


def _numbered(split: str, examples: Sequence[Example]) -> tuple[Example, ...]:
    """Examples with ids of their own: those given may stand twice."""
    return tuple(
        Example(f"{split}-{number}", example.fields, example.label)
        for number, example in enumerate(examples)
    )


class _Only(Trial):
    """A trial that searches nothing: of one choice there is nothing to ask for."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """The first choice."""
        return choices[0]

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """The lowest number."""
        return low

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """The lowest number."""
        return low
