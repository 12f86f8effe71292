"""The shipped tuners: soft prompts, prefixes, trigger tokens, tuned weights, heads."""

from __future__ import annotations

from typing import ClassVar, Literal

from promptlab.estimators.base import TemplateTuner, Tuner
from promptlab.models.base import LanguageModel
from promptlab.predictors.head import template_without_slot
from promptlab.tuning.hyperparameters import Schedule
from promptlab.tuning.initialisation import Init
from promptlab.tuning.reparameterisation import EncoderName
from promptlab.tuning.triggers.config import Method, TriggerSearchConfig


class GradientTuner(Tuner, kw_only=True):
    """A tuner trained with AdamW; its settings are explained at `TrainingConfig`."""

    learning_rate: float | None = 0.03
    epochs: int = 20
    batch_size: int = 16
    seed: int = 13
    metric: str = "accuracy"
    steps: int | None = None
    weight_decay: float = 0.0
    schedule: Schedule = "linear"
    warmup: float = 0.06
    clip: float = 1.0
    evaluate_every: int | None = None
    patience: int = 5
    dev_examples: int = 200


class SoftPromptTuner(TemplateTuner, GradientTuner, kw_only=True):
    """Vectors in the prompt, learned on the frozen model (prompt tuning; Lester et al. 2021).

    ``predictor_`` is a `PromptClassifier`, for a `Parser` a `PromptGenerator`, for a mixture a
    `MixtureClassifier`.

    Args:
        template: ``{soft:20}`` says where the vectors stand; without it ``length`` of them stand
            in front.
        answers: The words of each label, a `Verbalizer`, or a `Parser` of generated replies.
        model: A local model or its name; it stays as it is.
        length: How many vectors; replaces the number in ``{soft:20}`` (20 if nothing says it).
        init: Where they start: *random*, *vocabulary* (tokens drawn from it), *text* (with
            ``init_text``), *labels* (the answers) or *template* (its own words become vectors).
        init_text: The text to start from.
        encoder: *lstm* or *mlp* is P-tuning's reparameterisation (Liu et al. 2021).
        hidden: The encoder's width; ``None``: the model's.
        members: Above 1, a mixture of so many soft prompts (Qin & Eisner 2021).
        calibration: *none*, *contextual*, *pmi* or *batch*.
        learning_rate: Of the vectors; further settings are those of `TrainingConfig`.
        metric: By which dev judges.

    Raises:
        InputError: For a setting that is unknown or cannot be.

    Example:
        >>> tuner = SoftPromptTuner(
        ...     "{text} It was {mask}.", {"bad": "terrible", "good": "great"}, "bert", length=5
        ... )
        >>> tuner.get_params()["length"], tuner.classes_.tolist()
        (5, ['bad', 'good'])
        >>> tuner.set_params(learning_rate=0.3).learning_rate
        0.3
    """

    kind: ClassVar[str] = "soft_prompt"
    length: int | None = None
    init: Literal["template"] | Init = "vocabulary"
    init_text: str | None = None
    encoder: EncoderName = "none"
    hidden: int | None = None
    members: int = 1


class PrefixTuner(TemplateTuner, GradientTuner, kw_only=True):
    """Keys and values learned for every layer (prefix tuning, Li & Liang 2021; P-tuning v2).

    ``predictor_`` is a `PromptClassifier`, for a `Parser` a `PromptGenerator`.

    Args:
        template: Vectors in it (``{soft:N}``) are learned, too.
        answers: The words of each label, a `Verbalizer`, or a `Parser` of generated replies.
        model: A local model or its name; it stays as it is.
        length: Tokens of the prefix.
        init: Where it starts, as for `SoftPromptTuner`; words start it at their keys and values.
        init_text: The text to start from.
        encoder: *mlp* is Li & Liang's reparameterisation.
        hidden: The encoder's width; ``None``: the model's.
        calibration: *none*, *contextual*, *pmi* or *batch*.
        learning_rate: Of keys and values; further settings are those of `TrainingConfig`.
        metric: By which dev judges.

    Raises:
        InputError: For a setting that is unknown or cannot be.

    Example:
        >>> answers = {"bad": "terrible", "good": "great"}
        >>> PrefixTuner("{text} It was {mask}.", answers, "gpt2").length
        10
    """

    kind: ClassVar[str] = "prefix"
    learning_rate: float | None = 0.01
    length: int = 10
    init: Init = "vocabulary"
    init_text: str | None = None
    encoder: Literal["none", "mlp"] = "none"
    hidden: int | None = None


class TriggerSearch(TemplateTuner, kw_only=True):
    """Trigger tokens found by gradient for the ``{trigger:n}`` of a template.

    ``predictor_`` is a `PromptClassifier`.

    Args:
        template: Says by ``{trigger:n}`` where n tokens are looked for.
        answers: The words of each label, or a `Verbalizer`.
        model: A local model or its name; it stays as it is.
        method: *autoprompt* (Shin et al. 2020), *universal* (Wallace et al. 2019) or *gcg*
            (Zou et al. 2023).
        verbalizers: *own* are ``answers``; *search* finds ``label_words`` words of each label by
            a probe at the slot (Shin et al. 2020, section 3.2).
        label_words: So many words of each label are found.
        length: Replaces every n.
        steps: Steps of the search; further settings are those of
            `promptlab.tuning.triggers.config.TriggerSearchConfig`.
        dev_examples: At most so many examples of dev judge a trigger.
        calibration: *none*, *contextual*, *pmi* or *batch*.
        metric: By which dev judges.

    Raises:
        InputError: For a setting that is unknown or cannot be.

    Example:
        >>> search = TriggerSearch(
        ...     "{text} {trigger:3} {mask}.", {"bad": "terrible", "good": "great"}, "bert"
        ... )
        >>> search.method, search.steps
        ('autoprompt', 100)
    """

    kind: ClassVar[str] = "triggers"
    verbalizers: Literal["own", "search"] = "own"
    label_words: int = 3
    method: Method = "autoprompt"
    length: int | None = None
    seed: int = 13
    metric: str = "accuracy"
    start: Literal["auto", "mask", "random", "text"] = "auto"
    start_text: str = TriggerSearchConfig.start_text
    top: int = TriggerSearchConfig.top
    sample: int = TriggerSearchConfig.sample
    steps: int = TriggerSearchConfig.steps
    batch: int = TriggerSearchConfig.batch
    patience: int | None = TriggerSearchConfig.patience
    blocks: int = TriggerSearchConfig.blocks
    momentum: float = TriggerSearchConfig.momentum
    capitalised: bool = TriggerSearchConfig.capitalised
    whole_words: bool = TriggerSearchConfig.whole_words
    width: int = TriggerSearchConfig.width
    swaps: int = TriggerSearchConfig.swaps
    accumulate: int = TriggerSearchConfig.accumulate
    comparison: int | None = TriggerSearchConfig.comparison
    read_back: bool = TriggerSearchConfig.read_back
    dev_examples: int = 500


class FineTuner(TemplateTuner, GradientTuner, kw_only=True):
    """Prompt-based fine-tuning: the template with a private, trained copy of the model.

    Schick & Schütze 2021; Gao et al. 2021. ``predictor_`` is a `PromptClassifier`, for a `Parser`
    a `PromptGenerator`.

    Args:
        template: As for `SoftPromptTuner`.
        answers: The words of each label, a `Verbalizer`, or a `Parser` of generated replies.
        model: A local model or its name; it stays as it is, a copy is trained.
        mode: *model* trains the weights, *soft* the prompt's vectors on the frozen model,
            *soft_then_model* one after the other, *both* at once.
        weights: *full*, or *lora* for low-rank updates (Hu et al. 2022).
        learning_rate: Of the weights; ``None``: 2e-5, for LoRA 2e-4.
        soft_learning_rate: Of the prompt's vectors.
        rank: Of LoRA's updates.
        alpha: LoRA's scale; ``None``: twice the rank.
        targets: LoRA's layers: peft's *default* for the architecture, or *all-linear*.
        length, init, init_text, encoder, hidden, members: As for `SoftPromptTuner`.
        calibration: *none*, *contextual*, *pmi* or *batch*.
        metric: By which dev judges.

    Raises:
        InputError: For a setting that is unknown or cannot be.

    Example:
        >>> answers = {"bad": "terrible", "good": "great"}
        >>> FineTuner("{text} It was {mask}.", answers, "bert", weights="lora").rank
        8
    """

    kind: ClassVar[str] = "finetune"
    mode: Literal["soft", "model", "soft_then_model", "both"] = "model"
    weights: Literal["full", "lora"] = "full"
    learning_rate: float | None = None
    soft_learning_rate: float = 0.03
    rank: int = 8
    alpha: float | None = None
    targets: Literal["default", "all-linear"] = "default"
    length: int | None = None
    init: Literal["template"] | Init = "vocabulary"
    init_text: str | None = None
    encoder: EncoderName = "none"
    hidden: int | None = None
    members: int = 1


class HeadInput(Tuner):
    """The two parameters of a head that are given by place."""

    input: str
    model: LanguageModel | str  # type: ignore[assignment]  # a name is loaded by `fit`


class HeadTuner(HeadInput, GradientTuner, kw_only=True):
    """The baseline of prompts: a linear layer on the model's last hidden state of the text.

    ``predictor_`` is a `HeadClassifier`; its labels are those of the training examples.

    Args:
        input: Text with fields and without a slot (``"{premise} {hypothesis}"``).
        model: A local model or its name; it stays as it is, a copy is trained.
        weights: Those below the head are trained (*full*, *lora*) or *frozen*.
        learning_rate: Of the weights below the head; ``None``: 2e-5, for LoRA 2e-4.
        head_learning_rate: Of the head.
        rank, alpha, targets: LoRA's, as for `FineTuner`.
        metric: By which dev judges.

    Raises:
        InputError: For a setting that is unknown or cannot be.

    Example:
        >>> HeadTuner("{text}", "bert", weights="frozen").fields
        ('text',)
    """

    kind: ClassVar[str] = "head"
    weights: Literal["full", "lora", "frozen"] = "full"
    learning_rate: float | None = None
    head_learning_rate: float = 1e-3
    rank: int = 8
    alpha: float | None = None
    targets: Literal["default", "all-linear"] = "default"

    @property
    def fields(self) -> tuple[str, ...]:
        """The example fields that the input reads."""
        return template_without_slot(self._params["input"]).fields

    @property
    def _classifies(self) -> bool:
        return True
