"""Kind *chain_of_thought*: a template whose answer comes after written reasoning."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, field_validator

from promptlab.candidates.base import KindSettings, Trial
from promptlab.candidates.dimensions import suggest_choice
from promptlab.candidates.template import DecodingSettings, TemplateKind, TemplateSettings
from promptlab.data.task import Task
from promptlab.errors import StudyError
from promptlab.files.settings import Seed, Settings
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import Predictor
from promptlab.predictors.calibration import Calibration
from promptlab.predictors.candidate import Candidate
from promptlab.predictors.retrieval import check_embeds
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.parsers.parsers import parser_from_settings
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.strategies.chain_of_thought.automatic import AutoCoTConfig, By
from promptlab.strategies.chain_of_thought.strategy import (
    EXTRACTIONS,
    TRIGGER,
    ChainOfThought,
    Extract,
    Mode,
)

_SHOWN: dict[str, str] = {"zero_shot": "zero-shot", "manual": "manual", "auto": "automatic"}


class WorkedSettings(Settings):
    """A worked demonstration written out in the study file."""

    fields: dict[str, str]
    reasoning: str
    answer: str


class ChainOfThoughtSettings(TemplateSettings):
    """A template group that reasons first; without calibration, answers scored or parsed.

    ``demonstrations`` (or ``reasoning_field`` with ``count`` and ``seed``) are for *manual*,
    ``count``, ``seed`` and what `AutoCoTConfig` has for *auto*. ``trigger`` and ``extraction``
    default to the papers' words; ``temperature`` replaces the decoding's.
    """

    mode: list[Mode] = Field(default=["zero_shot"], min_length=1)
    trigger: list[str] | None = Field(default=None, min_length=1)
    extraction: list[str] | None = Field(default=None, min_length=1)
    extract: list[Extract] = Field(default=["second"], min_length=1)
    demonstrations: list[WorkedSettings] = Field(default=[])
    reasoning_field: str | None = None
    count: list[int] = Field(default=[4], min_length=1)
    seed: list[Seed] = Field(default=[13], min_length=1)
    by: list[By] = Field(default=["tfidf"], min_length=1)
    question_tokens: int = Field(default=60, ge=1)
    steps: int = Field(default=5, ge=1)
    right_only: bool = True
    tries: int = Field(default=8, ge=1)
    temperature: list[float] | None = Field(default=None, min_length=1)
    decoding: DecodingSettings = DecodingSettings(max_tokens=96)

    @field_validator("calibration")
    @classmethod
    def _not_calibrated(cls, value: list[Calibration]) -> list[Calibration]:
        if value != ["none"]:
            raise ValueError("answers after reasoning are not calibrated: leave this key out")
        return value


class ChainOfThoughtKind(TemplateKind):
    """Chain of thought, zero-shot, manual or automatic, over the group's templates."""

    name: ClassVar[str] = "chain_of_thought"
    Settings: ClassVar[type[KindSettings]] = ChainOfThoughtSettings
    settings: ChainOfThoughtSettings

    def __init__(self, settings: ChainOfThoughtSettings, task: Task) -> None:
        super().__init__(settings, task)
        self._check_demonstrations()

    def check(self, model: LanguageModel) -> None:
        """The model writes, chats if asked to, and gives vectors if questions are compared so."""
        model.require("generate")
        if any(self.settings.chat):
            model.require("chat")
        if "auto" in self.settings.mode and "embedding" in self.settings.by:
            check_embeds(model)
        super().check(model)

    def fit(self, candidate: Candidate, model: LanguageModel) -> Predictor:
        """The strategy with its worked examples."""
        settings = candidate.settings
        thought = settings["thought"]
        scored = "verbalizer" in settings
        made = ChainOfThought(
            Template.from_settings(settings["template"]),
            model,
            parser=None if scored else parser_from_settings(settings["parser"]),
            verbalizer=Verbalizer.from_settings(settings["verbalizer"]) if scored else None,
            automatic=AutoCoTConfig(**thought.get("automatic", {})),
            decoding=Decoding.from_settings(settings["decoding"]),
            **{key: value for key, value in thought.items() if key != "automatic"},
        )
        return made.fit(self.task.train)

    def _extra(self, trial: Trial, prefix: str, labels: list[str]) -> dict[str, Any]:
        """mode, and what it has: trigger, extraction, demonstrations; how the reply is decoded."""
        own = self.settings
        mode = suggest_choice(trial, f"{prefix}mode", own.mode)
        labels.append(f"chain of thought, {_SHOWN[mode]}")
        thought: dict[str, Any] = {"mode": mode}
        triggers = own.trigger or [TRIGGER]
        thought["trigger"] = (
            "" if mode == "manual" else suggest_choice(trial, f"{prefix}trigger", triggers)
        )
        labels.extend([thought["trigger"]] if len(triggers) > 1 and thought["trigger"] else [])
        extractions = own.extraction or [EXTRACTIONS[mode]]
        thought["extraction"] = suggest_choice(trial, f"{prefix}extraction", extractions)
        labels.extend([thought["extraction"]] if len(extractions) > 1 else [])
        thought["extract"] = self._extract(trial, prefix, labels)
        thought |= self._demonstrations(trial, prefix, mode, labels)
        decoding = own.decoding.model_dump(mode="json")
        if own.temperature is not None:
            decoding["temperature"] = suggest_choice(trial, f"{prefix}temperature", own.temperature)
        if decoding["temperature"] > 0:
            labels.append(f"temperature {decoding['temperature']:g}")
        return {"thought": thought, "decoding": decoding}

    def _extract(self, trial: Trial, prefix: str, labels: list[str]) -> str:
        if self._all_scored:
            return "second"
        extract: str = suggest_choice(trial, f"{prefix}extract", self.settings.extract)
        labels.extend(["answer from the reply"] if extract == "reply" else [])
        return extract

    @property
    def _all_scored(self) -> bool:
        """Whether every template's answers are scored, so that nothing is read from replies."""
        return all(o.answers is not None or o.parser is None for o in self.options.values())

    def _demonstrations(
        self, trial: Trial, prefix: str, mode: str, labels: list[str]
    ) -> dict[str, Any]:
        own = self.settings
        if mode == "zero_shot":
            return {}
        if mode == "manual" and own.demonstrations:
            labels.append(f"{len(own.demonstrations)} worked")
            return {"demonstrations": [one.model_dump(mode="json") for one in own.demonstrations]}
        count = suggest_choice(trial, f"{prefix}count", own.count)
        seed = suggest_choice(trial, f"{prefix}seed", own.seed)
        labels.append(f"{count} worked (seed {seed})")
        found: dict[str, Any] = {"count": count, "seed": seed}
        if mode == "manual":
            return found | {"reasoning_field": own.reasoning_field}
        by = suggest_choice(trial, f"{prefix}by", own.by)
        labels.extend([by] if len(own.by) > 1 else [])
        automatic = AutoCoTConfig(by, own.question_tokens, own.steps, own.right_only, own.tries)
        return found | {"automatic": automatic.settings()}

    def _check_demonstrations(self) -> None:
        own = self.settings
        given, drawn = bool(own.demonstrations), own.reasoning_field is not None
        if "manual" in own.mode and given == drawn:
            raise StudyError(
                "mode manual needs worked demonstrations (fields, reasoning, answer), or the "
                "reasoning_field of the training examples; give one of them"
            )
        if "manual" not in own.mode and (given or drawn):
            raise StudyError("worked demonstrations are for the mode manual: list it under mode")
        for option in self.options.values():
            for number, one in enumerate(own.demonstrations, start=1):
                missing = [name for name in option.template.fields if name not in one.fields]
                if missing:
                    raise StudyError(
                        f"demonstration {number} has no field {missing[0]!r}, which the template "
                        f"{option.name!r} reads"
                    )
        draws = drawn or "auto" in own.mode
        for count in own.count if draws else ():
            if not 0 < count <= len(self.task.train):
                raise StudyError(
                    f"{count} worked examples are asked for and there are "
                    f"{len(self.task.train)} training examples; use a count from 1 to that"
                )
        scored = any(o.answers is not None or o.parser is None for o in self.options.values())
        if "reply" in own.extract and scored:
            raise StudyError(
                "extract reply reads the answer from the reply, and a template here has answers "
                "to be scored; use extract: [second], or templates with a parser"
            )
