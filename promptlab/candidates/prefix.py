"""Kind *prefix*: keys and values learned for every layer, and vectors in the prompt if wanted."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from pydantic import Field

from promptlab.candidates.base import KindSettings, Trial
from promptlab.candidates.dimensions import suggest_choice
from promptlab.candidates.gradient_tuned import TunedKind, TunedSettings
from promptlab.candidates.training_dimensions import Numbers
from promptlab.errors import CapabilityError, StudyError
from promptlab.models.learned_parts import LearnedParts
from promptlab.models.local import LocalModel
from promptlab.predictors.candidate import Candidate
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.tuning.initialisation import Init
from promptlab.tuning.parameters import PromptParameters
from promptlab.tuning.soft_prompt import SoftPromptInit, make_parameters, soft_segments


class PrefixSettings(TunedSettings):
    """How many tokens the prefix has and where it starts.

    ``encoder``: *mlp* is prefix tuning's reparameterisation (Li & Liang 2021), *none* trains keys
    and values themselves (P-tuning v2; Liu et al. 2022). Words to start from (*vocabulary*,
    *text*, *labels*) start it at their own keys and values.
    """

    learning_rate: Numbers = Field(default=[0.01])
    length: list[int] = Field(default=[10], min_length=1)
    init: list[Init] = Field(default=["vocabulary"], min_length=1)
    init_text: list[str] = Field(default=[])
    encoder: list[Literal["none", "mlp"]] = Field(default=["none"], min_length=1)
    hidden: int | None = Field(default=None, ge=1)


class PrefixKind(TunedKind):
    """Prefix tuning and P-tuning v2, right on grouped-query models."""

    name: ClassVar[str] = "prefix"
    Settings: ClassVar[type[KindSettings]] = PrefixSettings
    settings: PrefixSettings

    def __init__(self, settings: PrefixSettings, task: Any) -> None:
        super().__init__(settings, task)
        for length in settings.length:
            if length < 1:
                raise StudyError(f"a prefix has at least 1 token, found {length}")
        if "text" in settings.init and not settings.init_text:
            raise StudyError("init: text needs init_text, a list of texts to start from")

    def _extra(self, trial: Trial, prefix: str, labels: list[str]) -> dict[str, Any]:
        settings = self.settings
        found: dict[str, Any] = {
            "length": suggest_choice(trial, f"{prefix}length", settings.length),
            "init": suggest_choice(trial, f"{prefix}init", settings.init),
            "encoder": suggest_choice(trial, f"{prefix}encoder", settings.encoder),
            "hidden": settings.hidden,
        }
        if found["init"] == "text":
            found["init_text"] = suggest_choice(trial, f"{prefix}init_text", settings.init_text)
        labels.append(f"prefix of {found['length']} from {found['init']}")
        labels.extend([found["encoder"]] if found["encoder"] != "none" else [])
        return found | self._trained_dimensions(trial, prefix, labels)

    def _learner(
        self, candidate: Candidate, model: LocalModel
    ) -> tuple[Template, PromptParameters]:
        settings = candidate.settings
        template = Template.from_settings(settings["template"])
        answers: tuple[str, ...] = ()
        if "verbalizer" in settings:
            answers = Verbalizer.from_settings(settings["verbalizer"]).answers
        start = SoftPromptInit(
            settings["init"], settings["training"]["seed"], settings.get("init_text"), answers
        )
        learner = make_parameters(
            model,
            template,
            start,
            encoder=settings["encoder"],
            hidden=settings["hidden"],
            prefix=settings["length"],
        )
        return template, learner

    def _largest(self, template: Template, model: LocalModel) -> list[tuple[Template, LocalModel]]:
        shape = model.prefix_shape
        if shape is None:
            raise CapabilityError(
                f"{model.name} takes no learned prefix: its layers do not attend keys and values "
                "of all tokens; use the kind soft_prompt"
            )
        layers, heads, size = shape
        segments = soft_segments(template)
        count = sum(segment.count for segment in segments.values())
        learned = LearnedParts(
            torch.zeros(count, model.engine.network.virtual_tokens.width) if count else None,
            tuple((name, segment.count) for name, segment in segments.items()),
            prefix=torch.zeros(layers, 2, heads, max(self.settings.length), size),
        )
        return [(template, model.with_learned_parts(learned, keep=False))]
