"""The shipped recipes: soft prompts, prefixes, triggers, fine-tuned models, heads."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from promptlab.estimators.base import Answers, Estimator, TemplateEstimator
from promptlab.models.base import LanguageModel
from promptlab.predictors.calibration import Calibration
from promptlab.predictors.head import slotless
from promptlab.prompts.parsers.parsers import Parser
from promptlab.prompts.template import Template
from promptlab.tuning.initialisation import Init
from promptlab.tuning.reparameterisation import EncoderName
from promptlab.tuning.triggers.config import Method


class SoftPrompt(TemplateEstimator):
    """Vectors in the prompt, learned on the frozen model (prompt tuning; Lester et al. 2021).

    ``{soft:20}`` in the template says where they stand; without it ``length`` (20) of them stand
    in front. ``init`` is *random*, *vocabulary*, *text* (with ``init_text``), *labels* (the
    answers) or *template* (the template's own words become vectors). ``encoder`` *lstm* or *mlp*
    is P-tuning; ``members`` > 1 learns a mixture. Further settings are those of the kind
    *soft_prompt* and of `promptlab.tuning.hyperparameters.Training`. ``fit`` gives a
    `PromptClassifier` (for a `Parser` a `PromptGenerator`, for a mixture a `MixtureClassifier`).

    >>> prompt = pl.SoftPrompt("{text} It was {mask}.", {"bad": "terrible", "good": "great"}, model)
    >>> prompt.fit(task.train, dev=task.dev).evaluate(task.test)
    """

    kind: ClassVar[str] = "soft_prompt"

    def __init__(
        self,
        template: Template | str,
        answers: Answers | Parser,
        model: LanguageModel | str,
        *,
        length: int | None = None,
        init: Literal["template"] | Init = "vocabulary",
        encoder: EncoderName = "none",
        members: int = 1,
        learning_rate: float = 0.03,
        epochs: int = 20,
        batch_size: int = 16,
        seed: int = 13,
        calibration: Calibration = "none",
        metric: str = "accuracy",
        **settings: Any,
    ) -> None:
        super().__init__(
            template,
            answers,
            model,
            {
                "length": length,
                "init": init,
                "encoder": encoder,
                "members": members,
                "learning_rate": learning_rate,
                "epochs": epochs,
                "batch_size": batch_size,
                "seed": seed,
                "calibration": calibration,
            }
            | settings,
            metric=metric,
        )


class Prefix(TemplateEstimator):
    """Keys and values learned for every layer (prefix tuning, P-tuning v2).

    ``length`` tokens; ``encoder`` *mlp* is Li & Liang's reparameterisation. Vectors in the
    template (``{soft:N}``) are learned, too. Further settings are those of the kind *prefix*.
    ``fit`` gives a `PromptClassifier` (for a `Parser` a `PromptGenerator`).
    """

    kind: ClassVar[str] = "prefix"

    def __init__(
        self,
        template: Template | str,
        answers: Answers | Parser,
        model: LanguageModel | str,
        *,
        length: int = 10,
        init: Init = "vocabulary",
        encoder: Literal["none", "mlp"] = "none",
        learning_rate: float = 0.01,
        epochs: int = 20,
        batch_size: int = 16,
        seed: int = 13,
        calibration: Calibration = "none",
        metric: str = "accuracy",
        **settings: Any,
    ) -> None:
        super().__init__(
            template,
            answers,
            model,
            {
                "length": length,
                "init": init,
                "encoder": encoder,
                "learning_rate": learning_rate,
                "epochs": epochs,
                "batch_size": batch_size,
                "seed": seed,
                "calibration": calibration,
            }
            | settings,
            metric=metric,
        )


class Triggers(TemplateEstimator):
    """Tokens found by gradient for the ``{trigger:n}`` of a template.

    ``method`` is *autoprompt* (Shin et al. 2020), *universal* (Wallace et al. 2019), or *gcg*;
    ``length`` replaces every n. Further settings are those of the kind *triggers*. ``fit`` gives
    a `PromptClassifier`.
    """

    kind: ClassVar[str] = "triggers"

    def __init__(
        self,
        template: Template | str,
        answers: Answers,
        model: LanguageModel | str,
        *,
        method: Method = "autoprompt",
        length: int | None = None,
        seed: int = 13,
        calibration: Calibration = "none",
        metric: str = "accuracy",
        **settings: Any,
    ) -> None:
        chosen = {"method": method, "length": length, "seed": seed, "calibration": calibration}
        super().__init__(template, answers, model, chosen | settings, metric=metric)


class FineTuned(TemplateEstimator):
    """Prompt-based fine-tuning: the template with a private, trained copy of the model.

    ``mode`` is *model*, *soft_then_model* or *both* (*soft* leaves the model frozen); ``weights``
    *full* or *lora*. ``learning_rate`` is that of the weights (2e-5, 2e-4 for LoRA). Further
    settings are those of the kind *finetune*. ``fit`` gives a `PromptClassifier`.
    """

    kind: ClassVar[str] = "finetune"

    def __init__(
        self,
        template: Template | str,
        answers: Answers | Parser,
        model: LanguageModel | str,
        *,
        mode: Literal["soft", "model", "soft_then_model", "both"] = "model",
        weights: Literal["full", "lora"] = "full",
        learning_rate: float | None = None,
        epochs: int = 20,
        batch_size: int = 16,
        seed: int = 13,
        calibration: Calibration = "none",
        metric: str = "accuracy",
        **settings: Any,
    ) -> None:
        super().__init__(
            template,
            answers,
            model,
            {
                "mode": mode,
                "weights": weights,
                "learning_rate": learning_rate,
                "epochs": epochs,
                "batch_size": batch_size,
                "seed": seed,
                "calibration": calibration,
            }
            | settings,
            metric=metric,
        )


class Head(Estimator):
    """The baseline of prompts: a linear layer on the model's last hidden state of the text.

    ``input`` is text with fields (``"{premise} {hypothesis}"``); the labels are those of the
    examples. ``weights`` below the head are trained (*full*, *lora*) or *frozen*. Further
    settings are those of the kind *head*. ``fit`` gives a `HeadClassifier`.
    """

    kind: ClassVar[str] = "head"

    def __init__(
        self,
        input: str,
        model: LanguageModel | str,
        *,
        weights: Literal["full", "lora", "frozen"] = "full",
        learning_rate: float | None = None,
        head_learning_rate: float = 1e-3,
        epochs: int = 20,
        batch_size: int = 16,
        seed: int = 13,
        metric: str = "accuracy",
        **settings: Any,
    ) -> None:
        self.template = slotless(input)
        super().__init__(
            model,
            {
                "input": input,
                "weights": weights,
                "learning_rate": learning_rate,
                "head_learning_rate": head_learning_rate,
                "epochs": epochs,
                "batch_size": batch_size,
                "seed": seed,
            }
            | settings,
            metric=metric,
        )

    @property
    def fields(self) -> tuple[str, ...]:
        """The example fields that the input reads."""
        return self.template.fields
