"""What a kind of candidate is (a point of extension), and how a study finds it."""

from __future__ import annotations

import difflib
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Protocol

from pydantic import PrivateAttr

from promptlab.data.task import Task
from promptlab.errors import Cancelled, DiskError, Location, StudyError, WorkError
from promptlab.files.code_permission import load_class
from promptlab.files.provenance import note_package
from promptlab.files.settings import Settings
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import Predictor
from promptlab.predictors.candidate import Candidate
from promptlab.tuning.fit_context import CompletedTrial, FitContext, FitRequest

BUILT_IN = {
    "template": "promptlab.candidates.template:TemplateKind",
    "decomposition": "promptlab.candidates.span_decomposition:DecompositionKind",
    "demonstrations": "promptlab.candidates.demonstrations:DemonstrationsKind",
    "per_example_prompts": "promptlab.candidates.per_example_prompts:PerExamplePromptsKind",
    "infilled_templates": "promptlab.candidates.infilled_templates:InfilledTemplatesKind",
    "paraphrased_templates": "promptlab.candidates.paraphrased_templates:ParaphrasedTemplatesKind",
    "mined_templates": "promptlab.candidates.mined_templates:MinedTemplatesKind",
    "self_consistency": "promptlab.candidates.self_consistency:SelfConsistencyKind",
    "retrieval": "promptlab.candidates.retrieval:RetrievalKind",
    "knowledge": "promptlab.candidates.knowledge:KnowledgeKind",
    "chain_of_thought": "promptlab.candidates.chain_of_thought:ChainOfThoughtKind",
    "chain": "promptlab.candidates.chain:ChainKind",
    "dspy": "promptlab.interop.dspy.kind:DspyKind",
    "soft_prompt": "promptlab.candidates.soft_prompt:SoftPromptKind",
    "p_tuning": "promptlab.candidates.soft_prompt:PTuningKind",
    "prefix": "promptlab.candidates.prefix:PrefixKind",
    "finetune": "promptlab.candidates.finetune:FinetuneKind",
    "head": "promptlab.candidates.head:HeadKind",
    "ensemble": "promptlab.candidates.ensemble:EnsembleKind",
    "distillation": "promptlab.candidates.distillation:DistillationKind",
    "tree_of_thoughts": "promptlab.candidates.tree_of_thoughts:TreeOfThoughtsKind",
    "words": "promptlab.candidates.nearest_words:WordsKind",
    "triggers": "promptlab.candidates.triggers:TriggersKind",
    "answer_search": "promptlab.candidates.answer_search:AnswerSearchKind",
    "instruction_search": "promptlab.candidates.instruction_search:InstructionSearchKind",
}
"""Shipped kinds; any other is named ``package.module:Name``, and its package must be allowed."""


_RENAMED_HOOKS = {
    "know": "observe_trials",
    "keeps": "saves_fitted",
    "after": "runs_after",
    "solves": "is_strategy",
    "recalls": "reuses_predictions",
}
"""Hooks of a kind as users' own kinds of the version before call them."""


class Trial(Protocol):
    """The part of an Optuna trial that a kind asks for the values of its dimensions.

    It is a protocol: any object with these methods is a trial. Its methods have these arguments:

    Args:
        name: The name of the dimension.
        choices: The values of a categorical dimension.
        low: The smallest value of a number.
        high: The largest value of a number.
        step: The distance between neighbouring values, counted from ``low``.
        log: Whether values are drawn evenly on a logarithmic scale.

    Example:
        >>> from optuna.trial import FixedTrial
        >>> trial: Trial = FixedTrial({"length": 20})
        >>> trial.suggest_int("length", 5, 50)
        20
    """

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of ``choices`` (None, bool, int, float or str)."""

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """An integer from ``low`` to ``high``, both included."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A number from ``low`` to ``high``."""


class KindSettings(Settings):
    """Base of a kind's section in the study file; unknown keys are refused.

    Args:
        kind: The name of the kind, or ``package.module:Name`` for one of your own.

    Example:
        >>> class EchoSettings(KindSettings):
        ...     words: list[str] = ["yes"]
        >>> EchoSettings(kind="echo", words=["no"]).words
        ['no']
    """

    kind: str
    _location: Location = PrivateAttr(default=Location())

    @property
    def location(self) -> Location:
        """File and line of the section, empty when it was read from none."""
        return self._location

    def set_location(self, location: Location) -> None:
        """Remember file and line for messages."""
        self._location = location


class Kind(ABC):
    """One kind of candidate in one study: its group's settings, and the task they are for.

    A kind says which dimensions there are (`suggest`) and how candidates become predictors; the
    study loop knows nothing else about it. A kind that fits candidates one by one gives `fit`; one
    that learns several at once is a `LearningKind` and gives `fit_many`.

    Attributes of a class:

    * ``name``: what a study file calls it; ``Settings``: its section there.
    * ``saves_fitted``: fitting is dear, so a fitted predictor is saved before it is scored on dev,
      and loaded instead of fitted again.
    * ``can_be_pruned``: though it is saved, it may be given up on dev before the last example.
    * ``runs_after``: kinds whose candidates are tried first when all of a study's are queued.
    * ``ordered_dimensions``: dimensions whose values are tried in their order when all of a study's
      candidates are queued, as a later one builds on those before it.
    * ``is_strategy``: its predictors are strategies, so that other kinds can be put around them.
    * ``reuses_predictions``: dev is predicted from kept predictions of others, without tokens.
    * ``packages``: those that it computes with beside those of every study.

    What a kind reads from files of its own it notes with `promptlab.files.provenance`.

    Args:
        settings: Its section of the study file.
        task: What the candidates are for.

    Example:
        >>> from promptlab.predictors.candidate import Candidate
        >>> class EchoKind(Kind):
        ...     name = "echo"
        ...     Settings = KindSettings
        ...
        ...     def suggest(self, trial, prefix):
        ...         chosen = trial.suggest_categorical(f"{prefix}calibration", ["none", "pmi"])
        ...         return Candidate.of("echo", {"calibration": chosen}, f"echo {chosen}")
        ...
        ...     def fit(self, candidate, model):
        ...         from promptlab.predictors.classifier import PromptClassifier
        ...         return PromptClassifier(
        ...             "{text} It was {mask}.", {"bad": "terrible", "good": "great"}, model,
        ...             calibration=candidate.settings["calibration"],
        ...         )
        >>> from optuna.trial import FixedTrial
        >>> kind = EchoKind(KindSettings(kind="echo"), task=None)
        >>> kind.suggest(FixedTrial({"calibration": "pmi"}), "").name
        'echo pmi'
    """

    name: ClassVar[str]
    Settings: ClassVar[type[KindSettings]]
    saves_fitted: ClassVar[bool] = False
    can_be_pruned: ClassVar[bool] = False
    runs_after: ClassVar[tuple[str, ...]] = ()
    ordered_dimensions: ClassVar[tuple[str, ...]] = ()
    is_strategy: ClassVar[bool] = True
    reuses_predictions: ClassVar[bool] = False
    packages: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for old, new in _RENAMED_HOOKS.items():
            if old in vars(cls):
                warnings.warn(
                    f"{cls.__name__}.{old}: this hook of a kind is called {new} now; the old name "
                    "goes in the next version",
                    DeprecationWarning,
                    stacklevel=2,
                )
                setattr(cls, new, vars(cls)[old])

    def __init__(self, settings: Any, task: Task) -> None:
        self.settings = settings
        self.task = task
        note_package(*self.packages)

    @abstractmethod
    def suggest(self, trial: Trial, prefix: str) -> Candidate:
        """Ask ``trial`` for a value of every dimension.

        Args:
            trial: An Optuna trial, or whatever else gives values.
            prefix: What the names of the dimensions start with.

        Returns:
            The candidate of these values.
        """

    @abstractmethod
    def fit(self, candidate: Candidate, model: LanguageModel) -> Predictor:
        """A fitted predictor for one candidate.

        Args:
            candidate: What `suggest` gave.
            model: The study's model; it stays as it is.

        Raises:
            Pruned: To give the candidate up, with the reason.
        """

    def check(self, model: LanguageModel) -> None:  # noqa: B027 - most kinds need no check
        """Refuse, before anything is written, what can never work with ``model``.

        Raises:
            InputError: With the reason and what would work.
        """

    def announce(self, trials: int) -> list[str]:
        """What is to be known of this group before a study of so many ``trials`` starts.

        Returns:
            Sentences; most kinds have nothing to say.
        """
        return []

    def observe_trials(self, finished: Sequence[CompletedTrial]) -> None:  # noqa: B027 - most build on nothing
        """Receive the study's complete trials so far, before a candidate is suggested or fitted.

        A kind that suggests by them must give different candidates for different parameters even
        when it knows of none: all of a small space's are counted at the start.
        """

    def fit_many(
        self, asked: Sequence[FitRequest], model: LanguageModel, fitting: FitContext
    ) -> Iterator[tuple[int, Predictor | Exception]]:
        """Fit several candidates; here one by one, in the given order.

        Args:
            asked: The candidates with the numbers of their trials.
            model: The study's model; it stays as it is.
            fitting: Scores dev, receives progress, says when to stop, keeps checkpoints.

        Yields:
            Numbers of trials with their fitted predictors as they get ready; for a candidate that
            cannot be fitted, or was given up (`Pruned`), its exception, so that the others go on.
        """
        yield from fit_sequentially(asked, fitting, lambda item: self.fit(item.candidate, model))


def fit_sequentially(
    asked: Sequence[FitRequest], fitting: FitContext, fit: Callable[[FitRequest], Predictor]
) -> Iterator[tuple[int, Predictor | Exception]]:
    """What ``fit`` gives for each, or what went wrong with it; what stops the study is raised."""
    for item in asked:
        fitting.cancellation.check()
        try:
            yield item.number, fit(item)
        except (StudyError, DiskError, Cancelled):
            raise
        except Exception as error:
            yield item.number, error


class LearningKind(Kind):
    """A kind that learns several candidates at once: it gives `fit_many`, `fit` follows from it.

    Outside of a study `fit` judges by the task's metric, tells nobody and keeps no checkpoints.
    """

    saves_fitted: ClassVar[bool] = True

    def fit(self, candidate: Candidate, model: LanguageModel) -> Predictor:
        """A fitted predictor for one candidate: a batch of one."""
        return fit_one(self, candidate, model, FitContext(self.task.metric))

    @abstractmethod
    def fit_many(
        self, asked: Sequence[FitRequest], model: LanguageModel, fitting: FitContext
    ) -> Iterator[tuple[int, Predictor | Exception]]:
        """As `Kind.fit_many`, for what ``fitting.next_candidate`` gives, too."""


def fit_one(
    kind: Kind, candidate: Candidate, model: LanguageModel, fitting: FitContext, number: int = 0
) -> Predictor:
    """The predictor that ``kind`` fits for one candidate. Raises what went wrong.

    ``number`` is what events call it by.
    """
    for _, fitted in kind.fit_many([FitRequest(number, candidate)], model, fitting):
        if isinstance(fitted, Exception):
            raise fitted
        return fitted
    raise WorkError(f"the kind {kind.name!r} fitted nothing for {candidate.name!r}")


def kind_names() -> list[str]:
    """The shipped kinds of candidates, sorted.

    Returns:
        Their names, as a study file gives them under ``kind``.

    Example:
        >>> "soft_prompt" in kind_names()
        True
    """
    return sorted(BUILT_IN)


def kind_schema(name: str) -> dict[str, Any]:
    """The settings of a shipped kind as a JSON schema, its docstring among them.

    Args:
        name: One of `kind_names`.

    Returns:
        The schema: ``properties`` by key, ``required`` keys, ``title`` and ``description``.

    Raises:
        StudyError: For any other name.

    Example:
        >>> sorted(kind_schema("prefix")["properties"])[:3]
        ['aggregation', 'batch_size', 'calibration']
    """
    if name not in BUILT_IN:
        raise StudyError(f"unknown kind {name!r}; shipped are {', '.join(kind_names())}")
    return find_kind(name).Settings.model_json_schema()


def find_kind(name: str) -> type[Kind]:
    """The kind of a name in a study file.

    Raises `StudyError` listing the names, and for code that is not allowed (`allow_code`).
    """
    path = BUILT_IN.get(name, name)
    if ":" not in path:
        close = difflib.get_close_matches(name[:80], BUILT_IN, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise StudyError(
            f"unknown kind {name!r:.80}; {hint}kinds are {', '.join(sorted(BUILT_IN))}, or your "
            "own as package.module:Name"
        )
    shipped = BUILT_IN.values()
    return load_class(path, Kind, "kind", shipped=shipped, fault=StudyError)  # type: ignore[type-abstract]
