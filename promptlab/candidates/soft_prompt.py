"""Kinds *soft_prompt* and *p_tuning*: learned vectors in the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field

from promptlab.candidates.base import KindSettings, Trial
from promptlab.candidates.dimensions import suggest_choice
from promptlab.candidates.earlier_trials import EarlierPrompt, best_earlier_prompts
from promptlab.candidates.gradient_tuned import TunedKind, TunedSettings
from promptlab.errors import StudyError
from promptlab.models.learned_parts import LearnedParts
from promptlab.models.local import LocalModel
from promptlab.predictors.candidate import Candidate
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.tuning.fit_context import CompletedTrial
from promptlab.tuning.initialisation import Init
from promptlab.tuning.parameters import PromptParameters
from promptlab.tuning.reparameterisation import EncoderName
from promptlab.tuning.soft_prompt import (
    SoftPromptInit,
    make_parameters,
    soft_segments,
    with_soft,
    with_soft_words,
)

Beginning = Literal["random", "vocabulary", "text", "labels", "template", "best"]
HARD = ("template", "triggers", "answer_search")
"""Kinds whose prompts a soft prompt may start from."""


class SoftPromptSettings(TunedSettings):
    """Where the vectors stand, how many there are, and where they start.

    A template without ``{soft:N}`` gets its vectors in front (Lester et al. 2021). ``length``
    replaces every N. ``init``: *random*, *vocabulary*, *text* (``init_text``), *labels* (the
    answer words), *template*: the template's own words become the vectors (OptiPrompt), or
    *best*: those of the study's best hard prompt so far, its trigger tokens included.
    ``members`` > 1 learns a mixture of so many soft prompts.
    """

    length: list[int] = Field(default=[], min_length=0)
    init: list[Beginning] = Field(default=["vocabulary"], min_length=1)
    init_text: list[str] = Field(default=[])
    encoder: list[EncoderName] = Field(default=["none"], min_length=1)
    hidden: int | None = Field(default=None, ge=1)
    members: list[int] = Field(default=[1], min_length=1)


class SoftPromptKind(TunedKind):
    """Prompt tuning (Lester et al. 2021), hybrid prompts, mixtures of soft prompts."""

    name: ClassVar[str] = "soft_prompt"
    Settings: ClassVar[type[KindSettings]] = SoftPromptSettings
    settings: SoftPromptSettings

    def __init__(self, settings: SoftPromptSettings, task: Any) -> None:
        super().__init__(settings, task)
        for length in [*settings.length, *settings.members]:
            if length < 1:
                raise StudyError(f"length and members are at least 1, found {length}")
        if "text" in settings.init and not settings.init_text:
            raise StudyError("init: text needs init_text, a list of texts to start from")
        self._check_mixtures()
        self._best: EarlierPrompt | None = None
        if "best" in settings.init:
            self.runs_after = HARD  # type: ignore[misc]  # only this group waits for them
        for option in self.options.values():
            if not {"template", "best"} & set(settings.init):
                soft_segments(with_soft(option.template, None))

    def _check_mixtures(self) -> None:
        """Mixtures are of label probabilities: not of texts, and they are not calibrated."""
        if max(self.settings.members) == 1:
            return
        for option in self.options.values():
            if option.answers is None and option.parser is not None:
                raise StudyError(
                    f"template {option.name!r} generates text, and a mixture of soft prompts "
                    "(members above 1) needs answers; give it answers, or members: [1]"
                )
        if set(self.settings.calibration) != {"none"}:
            raise StudyError(
                "a mixture of soft prompts (members above 1) is not calibrated; write "
                "calibration: [none], or members: [1]"
            )

    def observe_trials(self, finished: Sequence[CompletedTrial]) -> None:
        """The best hard prompt so far."""
        self._best = next(iter(best_earlier_prompts(finished, HARD)), None)

    def suggest(self, trial: Trial, prefix: str) -> Candidate:
        """What `TemplateKind` suggests, and how the vectors start and are trained.

        A candidate that starts from the best hard prompt has that prompt's template and answers.
        """
        candidate = super().suggest(trial, prefix)
        settings = candidate.settings
        if settings.get("init") != "best" or self._best is None:
            return candidate
        best = self._best
        settings |= {"template": best.template, "verbalizer": best.verbalizer}
        settings |= {"from": best.record()}
        return Candidate.of(self.name, settings, f"{candidate.name} ({best.name})")

    def _extra(self, trial: Trial, prefix: str, labels: list[str]) -> dict[str, Any]:
        found = self._soft_dimensions(trial, prefix, labels)
        return found | self._trained_dimensions(trial, prefix, labels)

    def _soft_dimensions(self, trial: Trial, prefix: str, labels: list[str]) -> dict[str, Any]:
        """How many vectors there are and where they start."""
        settings = self.settings
        init = suggest_choice(trial, f"{prefix}init", settings.init)
        found: dict[str, Any] = {"init": init}
        if init == "text":
            found["init_text"] = suggest_choice(trial, f"{prefix}init_text", settings.init_text)
        if settings.length and init not in ("template", "best"):
            found["length"] = suggest_choice(trial, f"{prefix}length", settings.length)
            labels.append(f"{found['length']} vectors")
        found["encoder"] = suggest_choice(trial, f"{prefix}encoder", settings.encoder)
        found["members"] = suggest_choice(trial, f"{prefix}members", settings.members)
        found["hidden"] = settings.hidden
        labels.append(f"from {init}")
        labels.extend([found["encoder"]] if found["encoder"] != "none" else [])
        labels.extend([f"{found['members']} mixed"] if found["members"] > 1 else [])
        return found

    def _learner(
        self, candidate: Candidate, model: LocalModel
    ) -> tuple[Template, PromptParameters]:
        settings = candidate.settings
        template, starts = self._soft_template(
            Template.from_settings(settings["template"]),
            settings["init"],
            settings.get("length"),
            model,
            settings.get("from", {}).get("triggers", ()),
        )
        answers: tuple[str, ...] = ()
        if "verbalizer" in settings:
            answers = Verbalizer.from_settings(settings["verbalizer"]).answers
        own = settings["init"] in ("template", "best")
        init: Init = "vocabulary" if own else settings["init"]
        seed = settings["training"]["seed"]
        learner = make_parameters(
            model,
            template,
            SoftPromptInit(init, seed, settings.get("init_text"), answers),
            encoder=settings["encoder"],
            hidden=settings["hidden"],
            members=settings["members"],
            starts=starts,
        )
        return template, learner

    def _soft_template(
        self,
        template: Template,
        init: str,
        length: int | None,
        model: LocalModel,
        triggers: Sequence[Sequence[int]] = (),
    ) -> tuple[Template, dict[str, tuple[int, ...]]]:
        """The template with its soft segments, and the tokens they start from if it says so."""
        if init in ("template", "best"):
            return with_soft_words(template, model, [tuple(ids) for ids in triggers])
        return with_soft(template, length), {}

    def _largest(self, template: Template, model: LocalModel) -> list[tuple[Template, LocalModel]]:
        found = []
        length = max(self.settings.length, default=None)
        for init in self.settings.init:
            soft, _ = self._soft_template(template, init, length, model)
            segments = soft_segments(soft)
            count = sum(segment.count for segment in segments.values())
            table = torch.zeros(count, model.engine.network.virtual_tokens.width)
            named = tuple((name, segment.count) for name, segment in segments.items())
            found.append((soft, model.with_learned_parts(LearnedParts(table, named), keep=False)))
        return found


class PTuningSettings(SoftPromptSettings):
    """Vectors through an encoder while they are trained; its kind is searched."""

    encoder: list[EncoderName] = Field(default=["lstm"], min_length=1)


class PTuningKind(SoftPromptKind):
    """P-tuning (Liu et al. 2021): vectors anywhere, beside hard anchor tokens, through an LSTM."""

    name: ClassVar[str] = "p_tuning"
    Settings: ClassVar[type[KindSettings]] = PTuningSettings
