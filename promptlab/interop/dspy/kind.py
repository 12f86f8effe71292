"""Kind *dspy*: DSPy programs x adapters x optimizers as candidates of a study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from promptlab.cancellation import Cancellation
from promptlab.candidates.base import Kind, KindSettings, Trial
from promptlab.candidates.dimensions import suggest_choice
from promptlab.candidates.parsers import ParserSettings
from promptlab.data.task import Task
from promptlab.errors import InputError
from promptlab.files.settings import Seed, Settings
from promptlab.interop.dspy.adapter import Prior
from promptlab.interop.dspy.adapters import AdapterChoice, AdapterName
from promptlab.interop.dspy.fit import FitPlan
from promptlab.interop.dspy.optimizer import Optimizer
from promptlab.interop.dspy.program import DspyProgram
from promptlab.interop.dspy.programs import make_program
from promptlab.interop.dspy.task_signature import TaskSignature
from promptlab.models.base import LanguageModel
from promptlab.models.pool import note_model
from promptlab.predictors.base import Predictor
from promptlab.predictors.candidate import Candidate
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.parsers.parsers import Parser, TextParser, parser_from_settings
from promptlab.tuning.fit_context import FitContext, FitRequest


class DspyDecoding(Settings):
    """How the fields that are written are decoded; the next field ends them."""

    max_tokens: int = 64
    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None


class DspySettings(KindSettings):
    """``program``, ``adapter``, ``optimizer`` and ``instructions`` are lists to choose from.

    ``calibration`` and ``chat`` belong to the scoring adapter. An optimizer is a name or a
    mapping of its name and settings. The rest is that of `FitPlan`; ``parser`` reads open answers.
    """

    program: list[str] = Field(default=["predict"], min_length=1)
    adapter: list[AdapterName] = Field(default=["scoring"], min_length=1)
    optimizer: list[str | dict[str, Any]] = Field(default=["none"], min_length=1)
    instructions: list[str] = Field(default=[""], min_length=1)
    calibration: list[Prior] = Field(default=["none"], min_length=1)
    chat: list[bool] = Field(default=[False], min_length=1)
    parser: ParserSettings | None = None
    decoding: DspyDecoding = DspyDecoding()
    seed: Seed = 13
    train_examples: int | None = Field(default=None, ge=1)
    dev_examples: int | None = Field(default=None, ge=1)
    prompt_model: str | None = None
    prompt_tokens: int = Field(default=120, ge=1)


class DspyKind(Kind):
    """DSPy programs, fitted by DSPy's optimizers on train, which select on dev."""

    name: ClassVar[str] = "dspy"
    Settings: ClassVar[type[KindSettings]] = DspySettings
    saves_fitted: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ("dspy",)
    settings: DspySettings

    def __init__(self, settings: DspySettings, task: Task) -> None:
        super().__init__(settings, task)
        self.optimizers = {str(o): o for o in map(Optimizer.of, settings.optimizer)}
        self._cancellation = Cancellation()
        TaskSignature.of(task)
        if not task.train and list(self.optimizers) != ["none"]:
            raise InputError("optimizers need labelled training examples; the task has none")

    def suggest(self, trial: Trial, prefix: str) -> Candidate:
        """program, adapter and what belongs to it, instructions, optimizer."""
        program = suggest_choice(trial, f"{prefix}program", self.settings.program)
        adapter = self._adapter(trial, prefix)
        instructions = suggest_choice(trial, f"{prefix}instructions", self.settings.instructions)
        chosen = suggest_choice(trial, f"{prefix}optimizer", list(self.optimizers))
        settings = {
            "program": program,
            "adapter": adapter.settings,
            "form": TaskSignature.of(self.task, instructions, self._parser()).settings(),
            "plan": self._plan(self.optimizers[chosen]).settings,
            "decoding": self.settings.decoding.model_dump(mode="json"),
        }
        labels = [program, str(adapter), chosen if chosen != "none" else ""]
        if len(self.settings.instructions) > 1:
            labels.append(_short(instructions))
        return Candidate.of(self.name, settings, " · ".join(filter(None, labels)))

    def check(self, model: LanguageModel) -> None:
        """The model must generate, and score for the scoring adapter; own programs must load."""
        model.require("generate")
        if "scoring" in self.settings.adapter:
            model.require("score")
        if True in self.settings.chat:
            model.require("chat")
        for program in self.settings.program:
            make_program(program, TaskSignature.of(self.task).signature())
        if self.settings.prompt_model is not None and list(self.optimizers) != ["none"]:
            note_model(self.settings.prompt_model, "prompt_model")

    def fit(self, candidate: Candidate, model: LanguageModel) -> Predictor:
        """The program as its optimizer leaves it."""
        settings = candidate.settings
        program = DspyProgram(
            TaskSignature.from_settings(settings["form"]),
            model,
            program=settings["program"],
            adapter=AdapterChoice(**settings["adapter"]),
            plan=FitPlan.from_settings(settings["plan"]),
            decoding=Decoding(**settings["decoding"]),
        )
        program.lm.engine.desk.cancellation = self._cancellation
        return program.fit(self.task.train, dev=self.task.dev)

    def fit_many(
        self, asked: Sequence[FitRequest], model: LanguageModel, fitting: FitContext
    ) -> Iterator[tuple[int, Predictor | Exception]]:
        """One after the other; cancelling is honoured at the next call of the model."""
        self._cancellation = fitting.cancellation
        yield from super().fit_many(asked, model, fitting)

    def _adapter(self, trial: Trial, prefix: str) -> AdapterChoice:
        name = suggest_choice(trial, f"{prefix}adapter", self.settings.adapter)
        if name != "scoring":
            return AdapterChoice(name)
        calibration = suggest_choice(trial, f"{prefix}calibration", self.settings.calibration)
        return AdapterChoice(
            name, calibration, suggest_choice(trial, f"{prefix}chat", self.settings.chat)
        )

    def _plan(self, optimizer: Optimizer) -> FitPlan:
        given = self.settings
        return FitPlan(
            optimizer,
            self.task.metric,
            given.seed,
            given.train_examples,
            given.dev_examples,
            given.prompt_model,
            given.prompt_tokens,
        )

    def _parser(self) -> Parser:
        given: Mapping[str, Any] | None = self.settings.parser
        return TextParser() if given is None else parser_from_settings(given)


def _short(text: str) -> str:
    """The beginning of a text, for names."""
    line = " ".join(text.split()) or "DSPy's own instructions"
    return line if len(line) <= 40 else f"{line[:39]}…"
