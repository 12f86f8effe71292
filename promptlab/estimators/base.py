"""Learning without a study: scikit-learn estimators of one candidate of a study's kind."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, dataclass_transform

from pydantic import ValidationError

from promptlab.candidates.base import KindSettings, Trial, find_kind, fit_one
from promptlab.candidates.learning_progress import LearningProgress
from promptlab.data.example import Example
from promptlab.data.inputs import Input, Inputs, as_examples
from promptlab.data.seen_texts import SeenTexts
from promptlab.data.splits import split_examples
from promptlab.data.task import Task
from promptlab.errors import DataError, InputError
from promptlab.evaluation.predictions import Predictions
from promptlab.events import Events, Listener
from promptlab.models.base import LanguageModel
from promptlab.models.throughput import measure_throughput
from promptlab.predictors.base import Predictor, not_fitted_error
from promptlab.predictors.calibration import Calibration
from promptlab.predictors.candidate import Candidate
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.parsers.parsers import Parser
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.tuning.fit_context import FitContext
from promptlab.tuning.hyperparameters import TrainingConfig
from promptlab.tuning.learning_cost import LearningCost

if TYPE_CHECKING:
    from sklearn.utils import Tags

HELD_OUT = 0.25
"""The share of the training examples that stands in for dev where there is none."""
_PLAIN, _MEASURED = Template("{text} {mask}"), 1_000  # characters
SECONDS = 300.0
"""How long `Tuner.fit` learns if nothing else is said."""
_POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD
Answers = Verbalizer | Mapping[str, Any]


REQUIRED: Any = inspect.Parameter.empty
"""The default of a parameter that has none."""


@dataclass_transform()
class Tuner(Predictor, register=False):
    """A scikit-learn estimator that learns by gradient: `fit` learns, and then it predicts.

    The annotations of a subclass are its parameters, as those of a dataclass are; its constructor
    is made from them (``kw_only``: those of that class are given by name). They are the settings
    of the kind of candidate that is learned, with one value where a study would list several.

    ``predictor_`` is the fitted predictor, and everything that it has (``verbalizer``, a template
    with learned parts, a model that carries them) is found on the tuner, too.
    """

    kind: ClassVar[str]
    parameters: ClassVar[dict[str, inspect.Parameter]] = {}
    """The constructor's parameters by name, in order."""
    predictor_: Predictor
    _params: dict[str, Any]

    def __init_subclass__(cls, *, kw_only: bool = False, **options: Any) -> None:
        super().__init_subclass__(register=False, **options)
        found: dict[str, inspect.Parameter] = {}
        for base in reversed(cls.__mro__[1:]):
            found |= vars(base).get("parameters", {})
        place = inspect.Parameter.KEYWORD_ONLY if kw_only else _POSITIONAL
        for name, annotation in inspect.get_annotations(cls).items():
            if str(annotation).startswith("ClassVar"):
                continue
            default = vars(cls).get(name, REQUIRED)
            if name in vars(cls):
                delattr(cls, name)  # else it would hide what was given
            kept = found[name].kind if name in found else place
            found[name] = inspect.Parameter(name, kept, default=default, annotation=annotation)
        cls.parameters = dict(sorted(found.items(), key=lambda item: item[1].kind))
        cls.__signature__ = inspect.Signature(list(cls.parameters.values()))  # type: ignore[attr-defined]

    def __init__(self, *args: Any, **given: Any) -> None:
        known = type(self).parameters
        if strange := [name for name in given if name not in known]:
            settings = ", ".join(name for name, p in known.items() if p.kind is not _POSITIONAL)
            raise InputError(f"{strange[0]}: unknown; settings are {settings}")
        bound = inspect.Signature(list(known.values())).bind(*args, **given).arguments
        self._params = {name: bound.get(name, p.default) for name, p in known.items()}
        self._settings()  # refuses what cannot be

    if not TYPE_CHECKING:  # else every misspelt name would have a type

        def __getattr__(self, name: str) -> Any:
            """What the fitted predictor has, else a parameter."""
            own = vars(self)
            if not name.startswith("_") and name != "predictor_" and "predictor_" in own:
                learned = getattr(own["predictor_"], name, REQUIRED)
                if learned is not REQUIRED:
                    return learned
            if name in own.get("_params", {}):
                return own["_params"][name]
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in type(self).parameters:
            self._params[name] = value
        else:
            super().__setattr__(name, value)

    @classmethod
    def _known_parameters(cls) -> dict[str, inspect.Parameter]:
        return cls.parameters

    def _parameters(self) -> dict[str, Any]:
        return dict(self._params)

    def fit(
        self,
        examples: Inputs,
        labels: Sequence[str] | None = None,
        *,
        dev: Inputs = (),
        listener: Listener | None = None,
        checkpoints: str | Path | None = None,
        seconds: float | None = SECONDS,
    ) -> Self:
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
            This tuner, which predicts by what it has learned (``predictor_``).

        Raises:
            InputError: For examples or settings that cannot be.
            Pruned: When the loss diverges.
        """
        task = self._task(examples, labels, as_examples(dev, self.fields))
        kind = find_kind(self.kind)(self._settings(), task)
        model = self._model()
        kind.check(model)
        candidate = kind.suggest(_FixedTrial(), "")
        with ExitStack() as stack:
            if listener is None:
                listener = stack.enter_context(self._progress(task, candidate, model, seconds))
            fitting = FitContext(
                self._params["metric"],
                events=Events(listener),
                folder=None if checkpoints is None else Path(checkpoints),
                seconds=seconds,
            )
            fitted = fit_one(kind, candidate, model, fitting)
        fitted.seen = SeenTexts().with_examples(task.train, task.dev, fitted.fields)
        self.predictor_, self.seen = fitted, fitted.seen
        return self

    @property
    def fitted_predictor(self) -> Predictor:
        """What was learned. Raises `NotFittedError` before `fit`."""
        if "predictor_" not in vars(self):
            raise not_fitted_error(f"{type(self).__name__} has learned nothing yet")
        return self.predictor_

    def predict(self, examples: Inputs) -> Predictions:
        """One prediction an example, in order."""
        return self.fitted_predictor.predict(examples)

    def settings(self) -> dict[str, Any]:
        """Those of the fitted predictor."""
        return self.fitted_predictor.settings()

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], model: LanguageModel) -> Self:
        """Refused: what a tuner has learned is saved and loaded as the predictor that it is."""
        raise InputError(f"{cls.__name__} is made by fit; load what was saved with load()")

    def save(self, folder: str | Path) -> Path:
        """Write the fitted predictor into ``folder``; `load` gives it back as its own class."""
        fitted = self.fitted_predictor
        if self.read_as is not None:
            fitted.read_as = self.read_as
        return fitted.save(folder)

    def example_prompt(self, example: Input) -> str:
        """The fitted predictor's prompt for one example."""
        return self.fitted_predictor.example_prompt(example)

    def facts(self) -> dict[str, Any]:
        """Those of the fitted predictor."""
        return self.fitted_predictor.facts()

    @property
    def possible_labels(self) -> tuple[str, ...]:
        """The labels that a prediction can have; empty where answers are open."""
        if "predictor_" in vars(self):
            return self.predictor_.possible_labels
        return self._labels

    def __sklearn_is_fitted__(self) -> bool:
        return "predictor_" in vars(self)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit, tags.target_tags.required = True, True
        return tags

    def _settings(self) -> KindSettings:
        """The kind's section of a study file with these parameters. Raises `InputError`."""
        changed = {
            name: value
            for name, value in self._kind_parameters().items()
            if not (
                value is None and name in self.parameters and self.parameters[name].default is None
            )
        }
        return _validated(find_kind(self.kind).Settings, self.kind, changed)

    def _kind_parameters(self) -> dict[str, Any]:
        """The parameters that are settings of the kind."""
        return {
            name: value
            for name, value in self._params.items()
            if name not in ("model", "metric", "template", "answers")
        }

    def _progress(
        self, task: Task, candidate: Candidate, model: LanguageModel, seconds: float | None
    ) -> LearningProgress:
        """Progress on standard error, which begins with how long learning takes here."""
        settings = candidate.settings
        most = None
        if "training" in settings:
            most = TrainingConfig(**settings["training"]).most_steps(len(task.train))
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
    def _labels(self) -> tuple[str, ...]:
        """The labels in their order; empty: those of the examples, or open answers."""
        return ()

    def _model(self) -> LanguageModel:
        """The frozen model that is learned on."""
        model = self._params["model"]
        if isinstance(model, LanguageModel):
            return model
        from promptlab.models.pool import load_model

        return load_model(model)

    def _task(self, examples: Inputs, labels: Sequence[str] | None, dev: list[Example]) -> Task:
        train = as_examples(examples, self.fields, labels)
        if any(example.label is None for example in [*train, *dev]):
            raise DataError("an example has no label, and learning needs one for each")
        strange = {str(e.label) for e in [*train, *dev]} - set(self._labels)
        if self._labels and strange:
            raise DataError(
                f"examples have the label {', '.join(map(repr, sorted(strange)[:5]))}, for which "
                f"there are no answers; there are for {', '.join(map(repr, self._labels))}"
            )
        known = self._labels or (() if self._open else tuple(sorted({str(e.label) for e in train})))
        if train and not dev:
            count = max(len(known), 1, round(len(train) * HELD_OUT))
            sizes = {"dev": count, "train": None}
            told = "the training data (no dev is given, so a part is held out)"
            parts = split_examples(train, sizes, seed=13, stratified=bool(known), source=told)
            train, dev = list(parts["train"]), list(parts["dev"])
        return Task(
            "the given data",
            _numbered("train", train),
            _numbered("dev", dev),
            (),
            labels=known,
            metric=self._params["metric"],
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
    rate = measure_throughput(model, prompts, writes=False)
    if rate is None or not examples:
        return None
    low, high, _ = LearningCost(task, model, examples).of(candidate)
    return low / rate.trained, high / rate.trained


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


class TemplateInput(Tuner):
    """The three parameters of a tuner of a template that are given by place."""

    template: Template | str
    answers: Answers | Parser
    model: LanguageModel | str  # type: ignore[assignment]  # a name is loaded by `fit`


class TemplateTuner(TemplateInput, kw_only=True):
    """A tuner of one template and its answers: a `Verbalizer`, a mapping, or a `Parser`."""

    calibration: Calibration = "none"
    decoding: Decoding | Mapping[str, Any] | None = None
    without: Sequence[str] | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """The example fields that the template reads."""
        return self._template().fields

    def _template(self) -> Template:
        """The template as it was given."""
        given = self._params["template"]
        return Template(given) if isinstance(given, str) else given

    def _answers(self) -> Verbalizer | Parser:
        """The answers as they were given."""
        given = self._params["answers"]
        return given if isinstance(given, Verbalizer | Parser) else Verbalizer(given)

    def _kind_parameters(self) -> dict[str, Any]:
        template, answers = self._template(), self._answers()
        found = {"templates": [_written_out(template, answers)]} | _scoring(template, answers)
        own = super()._kind_parameters()
        if isinstance(own["decoding"], Decoding):
            own["decoding"] = own["decoding"].settings()
        return found | own

    @property
    def _labels(self) -> tuple[str, ...]:
        """The verbalizer's labels."""
        answers = self._answers()
        return answers.labels if isinstance(answers, Verbalizer) else ()

    @property
    def _open(self) -> bool:
        return not isinstance(self._answers(), Verbalizer)


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


class _FixedTrial(Trial):
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
