"""A prompt as a classifier: template, verbalizer, calibration and demonstrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self, cast

import numpy as np
from jaxtyping import Float

from promptlab.compat.earlier_names import earlier_names
from promptlab.data.example import Example
from promptlab.data.inputs import Inputs, as_examples
from promptlab.errors import InputError, TemplateError
from promptlab.evaluation.predictions import Prediction, Predictions
from promptlab.evaluation.trace import TraceCursor
from promptlab.models.base import LanguageModel, Scores
from promptlab.predictors.base import not_fitted_error
from promptlab.predictors.calibration import (
    Calibration,
    calibration_prior,
    calibration_prompts,
    check_calibration,
)
from promptlab.predictors.demonstrations.choice import DemonstrationConfig
from promptlab.predictors.demonstrations.sampling import evenly_spaced
from promptlab.predictors.label_choice import choose_label
from promptlab.predictors.model_calls import StrategyResult, StrategyRun
from promptlab.predictors.template_predictor import TemplatePredictor
from promptlab.predictors.truncation import truncation_record
from promptlab.prompts.prompt import Prompt, Slot, Text
from promptlab.prompts.template import Demonstration, Template
from promptlab.prompts.verbalizer import Verbalizer

_MAX_BATCH_PRIOR_EXAMPLES = 256
"""At most this many training examples make the prior of batch calibration."""
_MAX_NEIGHBOUR_PRIOR_EXAMPLES = 16
"""The neighbours of so many training examples stand before the content-free inputs."""


@earlier_names(prior_of="prior_from_scores", read="predictions_from_scores")
class PromptClassifier(TemplatePredictor):
    """Answers in the slot are scored, mapped to labels, and the best label is predicted.

    ``model`` is a `LanguageModel` or a name for `load_model`. Nothing but *batch* calibration
    and demonstrations needs ``fit``.

    Args:
        template: A template, or its text with fields and the slot ``{mask}``.
        verbalizer: The answers of every label, as a `Verbalizer` or a mapping.
        model: A model that scores, or its name.
        calibration: *none*, *contextual*, *pmi* or *batch*: which prior is taken off.
        demonstrations: How solved examples are chosen, or their number.

    Attributes:
        notes: How its answers were found (JSON data), saved with it; mostly nothing.

    Raises:
        VerbalizerError: For answers that the model cannot tell apart or does not know, and for
            those that are not written as text.

    Example:
        >>> words = {"negative": "terrible", "positive": "great"}
        >>> classifier = PromptClassifier("{text} It was {mask}.", words, model)
        >>> classifier.predict(["A dull plot."]).labels
        ['positive']
        >>> classifier.example_prompt("A dull plot.")
        'A dull plot. It was {mask}.'
    """

    def __init__(
        self,
        template: Template | str,
        verbalizer: Verbalizer | Mapping[str, Any],
        model: LanguageModel | str,
        *,
        calibration: Calibration = "none",
        demonstrations: DemonstrationConfig | int = 0,
    ) -> None:
        self._set_up(template, verbalizer, model, calibration, demonstrations)
        self.check_answers()

    def _set_up(
        self,
        template: Template | str,
        verbalizer: Verbalizer | Mapping[str, Any],
        model: LanguageModel | str,
        calibration: Calibration,
        demonstrations: DemonstrationConfig | int,
    ) -> None:
        check_calibration(calibration)
        self.verbalizer = (
            verbalizer if isinstance(verbalizer, Verbalizer) else Verbalizer(verbalizer)
        )
        super().__init__(template, model, demonstrations, needs="score")
        self.calibration = calibration
        self.notes: dict[str, Any] = {}
        self._prior: Float[np.ndarray, " answer"] | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of `predict_proba`'s columns."""
        return self.verbalizer.labels

    def fit_examples(self, train: Sequence[Example], dev: Sequence[Example]) -> None:
        """Draw the demonstrations and find the calibration's prior."""
        if found := sorted({e.label for e in train if e.label is not None}):
            self._check_labels(found)
        self._select_demonstrations(train)
        self._prior = self._find_prior(train)

    def predict(self, examples: Inputs) -> Predictions:
        """One prediction an example, with label log-probabilities in nats."""
        rows = as_examples(examples, self.fields)
        if not rows:
            return Predictions()
        self.prepare(rows)
        prior = self.known_prior()
        prompts = self.render_prompts(rows)
        return self.predictions_from_scores(
            rows, prompts, self.model.score(prompts, self.verbalizer.answers), prior
        )

    def predictions_from_scores(
        self,
        rows: Sequence[Example],
        prompts: Sequence[Prompt],
        found: Scores,
        prior: Float[np.ndarray, " answer"],
    ) -> Predictions:
        """The table that scored answers make: what `predict` gives for these prompts' scores."""
        labels = self.verbalizer.label_scores(self._length_normalised(found) - prior)
        weights = found.prompt_tokens + found.answer_tokens.sum(axis=1)
        seconds = found.seconds * weights / weights.sum()
        return Predictions(
            Prediction(
                example_id=row.id,
                label=self.labels[int(np.argmax(scores))],
                target=row.label,
                scores={k: float(v) for k, v in zip(self.labels, scores, strict=True)},
                tokens_in=int(found.prompt_tokens[i]),
                tokens_out=int(found.answer_tokens[i].sum()),
                seconds=float(seconds[i]),
                trace=truncation_record(prompts[i]),
            )
            for i, (row, scores) in enumerate(zip(rows, labels, strict=True))
        )

    def solve(
        self, example: Example, branch: TraceCursor, sample: int = 0
    ) -> StrategyRun[StrategyResult]:
        """The best label, as a step of a strategy; `predict` does the same for a whole batch."""
        prompt = self.render_prompt(example)
        found, _ = yield from choose_label(
            self.model, prompt, self.verbalizer, branch, "label", self.known_prior()
        )
        return replace(found, facts=truncation_record(prompt) or {})

    def facts(self) -> dict[str, Any]:
        """How its answers were found, if they were searched."""
        return dict(self.notes)

    def settings(self) -> dict[str, Any]:
        """Plain JSON data; demonstrations and prior are included once fitted."""
        found = super().settings() | {
            "verbalizer": self.verbalizer.settings(),
            "calibration": self.calibration,
            "prior": None if self._prior is None else self._prior.tolist(),
        }
        return found | {"notes": self.notes} if self.notes else found

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], model: LanguageModel) -> Self:
        """The inverse of `settings`."""
        template = Template.from_settings(settings["template"])
        verbalizer = Verbalizer.from_settings(settings["verbalizer"])
        options: dict[str, Any] = {
            "calibration": settings["calibration"],
            "demonstrations": DemonstrationConfig(**settings["choice"]),
        }
        # Without the constructor: what was saved is loaded, however its answers are written.
        made = cls.__new__(cls, template, verbalizer, model, **options)
        made._set_up(template, verbalizer, model, **options)
        made._restore(settings)
        if made.nearest_demonstrations is not None:
            made._check_labels([str(example.label) for example in made.nearest_demonstrations.pool])
        if settings["prior"] is not None:
            made._prior = np.array(settings["prior"])
        made.notes = dict(settings.get("notes") or {})
        return made

    def _answer(self, label: str) -> str:
        return self.verbalizer.first_answer(label)

    def _check_labels(self, found: Sequence[str]) -> None:
        unknown = [label for label in found if label not in self.labels]
        if unknown:
            self.verbalizer.check_labels([*self.labels, *unknown])

    def check_answers(self) -> None:
        """Refuse answers that the model would misread after a short text in every field."""
        try:
            shown = self.template.render(dict.fromkeys(self.fields, "x"))
        except TemplateError:  # its logic wants other texts: the first prompt will tell
            return
        words = tuple(s for s in shown.segments if isinstance(s, Text | Slot))
        self.model.check([replace(shown, segments=words)], self.verbalizer.answers)

    def _reserve(self) -> int:
        return max_answer_tokens(self.verbalizer)

    def _length_normalised(self, found: Scores) -> Float[np.ndarray, "example answer"]:
        if not self.verbalizer.length_normalise:
            return found.logprobs
        return cast(Any, found.logprobs / found.answer_tokens)

    def known_prior(self) -> Float[np.ndarray, " answer"]:
        """What is taken off the answers' log-likelihoods, in nats.

        Raises `NotFittedError` where it is learned from examples and none were shown.
        """
        if self._prior is None:
            if self.calibration == "batch":
                raise not_fitted_error("batch calibration learns its prior from examples")
            self._prior = self._find_prior([])
        return self._prior

    def _find_prior(self, train: Sequence[Example]) -> Float[np.ndarray, " answer"]:
        prompts = self.prior_prompts(train)
        if not prompts:
            return np.zeros(len(self.verbalizer.answers))
        return self.prior_from_scores(self.model.score(prompts, self.verbalizer.answers))

    def prior_prompts(self, train: Sequence[Example]) -> list[Prompt]:
        """The prompts whose scores make the calibration's prior; none for *none*.

        *batch* takes those of training examples. Raises `InputError` when it is given none.
        """
        if self.calibration != "batch":
            return [
                p for shown in self._prior_demonstrations(train) for p in self._content_free(shown)
            ]
        if not train:
            raise InputError("batch calibration needs training examples (labels are not used)")
        asked = list(train[:_MAX_BATCH_PRIOR_EXAMPLES])
        self.prepare(asked)
        return self.render_prompts(asked)

    def prior_from_scores(self, found: Scores) -> Float[np.ndarray, " answer"]:
        """The prior that the scores of `prior_prompts` make, in nats."""
        return calibration_prior(self.calibration, self._length_normalised(found))

    def _prior_demonstrations(self, train: Sequence[Example]) -> list[list[Demonstration]]:
        """What content-free inputs are put after: the demonstrations.

        Where every input has its own: those of some training examples, so that one prior is found
        for all, and not one an input at several times its cost.
        """
        if self.nearest_demonstrations is None:
            return [self.demonstrations or []]
        asked = evenly_spaced(train, _MAX_NEIGHBOUR_PRIOR_EXAMPLES)
        self.prepare(asked)
        return [self.demonstrations_of(example) for example in asked]

    def _content_free(self, shown: Sequence[Demonstration]) -> list[Prompt]:
        return calibration_prompts(
            self.calibration, self.template, shown, self.demonstration_config.placement
        )

    def label_scores(
        self, shown: Sequence[Sequence[Example]], examples: Sequence[Example]
    ) -> Float[np.ndarray, "shown example label"]:
        """Calibrated label log-probabilities in nats after each row of demonstrations.

        One call of the model for all of them.
        """
        rows = [self._render_demonstrations(row) for row in shown]
        asked = [self._render(examples, [row] * len(examples)) for row in rows]
        free = [self._content_free(row) for row in rows]
        prompts = [
            p for own, content_free in zip(asked, free, strict=True) for p in own + content_free
        ]
        found = self._length_normalised(self.model.score(prompts, self.verbalizer.answers))
        each = found.reshape(len(rows), -1, found.shape[1])
        scores = []
        for values in each:
            own, content_free = values[: len(examples)], values[len(examples) :]
            basis = own if self.calibration == "batch" else content_free
            taken = (
                calibration_prior(self.calibration, basis) if len(basis) else np.zeros(own.shape[1])
            )
            scores.append(self.verbalizer.label_scores(own - taken))
        return np.stack(scores)

    def label_columns(self, examples: Sequence[Example]) -> list[int]:
        """The columns of the examples' own labels in `label_scores`."""
        return [self.labels.index(str(example.label)) for example in examples]


def max_answer_tokens(verbalizer: Verbalizer) -> int:
    """Tokens kept free for the longest answer; a byte makes at most one token."""
    return max(len(answer.encode()) for answer in verbalizer.answers) + 1
