"""Other answers and other calibrations for prompts that were scored once."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from promptlab.compat.earlier_names import earlier_names
from promptlab.data.example import Example
from promptlab.data.inputs import Inputs, as_examples
from promptlab.errors import CapabilityError, InputError
from promptlab.evaluation.predictions import Predictions
from promptlab.models.answer_score_cache import AnswerScoreCache
from promptlab.models.local import LocalModel
from promptlab.predictors.calibration import Calibration, check_calibration
from promptlab.predictors.classifier import PromptClassifier, max_answer_tokens
from promptlab.predictors.truncation import fits_without_counting
from promptlab.prompts.prompt import Prompt
from promptlab.prompts.verbalizer import Verbalizer

_MAX_WORDINGS = 4
"""Prompts in so many other wordings are kept beside the classifier's own."""
_EAGER_CALIBRATIONS: tuple[Calibration, ...] = ("none", "contextual", "pmi")
"""Calibrations that cost a few prompts: their priors are read from the start."""
_AMPLE_TOKENS = 64
"""Room for so many tokens is room enough for any answer."""


@dataclass(eq=False)
class _Wording:
    """The prompts of all examples in one wording, and those of every calibration's prior."""

    prompts: list[Prompt]
    scores: AnswerScoreCache
    priors: dict[str, AnswerScoreCache | None] = field(default_factory=dict)


@earlier_names(unread="needs_model")
class Rescorer:
    """The predictions of a fitted `PromptClassifier` with other answers or another calibration.

    The vectors at the slots of ``examples``, and of the content-free prompts, are computed once,
    here. Then `predict` gives the table that the classifier with the other answers would give:
    answers of one token are one small product; others go through the network once and are kept.
    Demonstrations stay the examples that were drawn; where their answer words change, so do the
    prompts, and the network is asked.

    Args:
        classifier: The classifier, fitted if it needs that.
        examples: What is predicted, at least one.
        train: The examples that *batch* calibration learns from.

    Raises:
        CapabilityError: For a model that shows no features.
        InputError: For no examples.

    Example:
        >>> words = {"negative": "terrible", "positive": "great"}
        >>> classifier = pl.PromptClassifier("{text} It was {mask}.", words, model)
        >>> rescorer = Rescorer(classifier, ["A dull plot.", "A fine film."])
        >>> others = {"negative": "bad", "positive": "good"}
        >>> rescorer.needs_model(others)
        ()
        >>> sorted(rescorer.predict(others)[0].scores)
        ['negative', 'positive']
    """

    def __init__(
        self,
        classifier: PromptClassifier,
        examples: Inputs,
        *,
        train: Sequence[Example] = (),
    ) -> None:
        classifier.model.require("features")
        if not isinstance(classifier.model, LocalModel):
            raise CapabilityError(
                f"{classifier.model.name} keeps nothing that other answers could be scored from; "
                "use a local model"
            )
        self.classifier = classifier
        self.examples = as_examples(examples, classifier.fields)
        if not self.examples:
            raise InputError("there are no examples to score again; give one at least")
        self.train = list(train)
        self._model = classifier.model
        self._lock = threading.RLock()
        first = self._wording_of(classifier)
        self._free_tokens = self._free_answer_tokens(first.prompts)
        self._wordings = {self._key(classifier.verbalizer): first}
        self.base = self.predict()
        for calibration in _EAGER_CALIBRATIONS:
            self._prior(*self._with(classifier.verbalizer, calibration))

    def predict(
        self,
        verbalizer: Verbalizer | Mapping[str, Any] | None = None,
        calibration: Calibration | None = None,
    ) -> Predictions:
        """One prediction an example; what is not given is the classifier's own.

        Raises `VerbalizerError` for answers that the model cannot score, and `InputError` for
        *batch* calibration without ``train``.
        """
        started = time.perf_counter()
        with self._lock:
            changed, wording = self._with(
                self._answers(verbalizer), self._calibration_or_own(calibration)
            )
            found = wording.scores.score(changed.verbalizer.answers)
            own = changed is self.classifier
            taken = changed.known_prior() if own else self._prior(changed, wording)
        found = replace(found, seconds=time.perf_counter() - started)
        return changed.predictions_from_scores(self.examples, wording.prompts, found, taken)

    def needs_model(
        self,
        verbalizer: Verbalizer | Mapping[str, Any] | None = None,
        calibration: Calibration | None = None,
    ) -> tuple[str, ...]:
        """Those of the answers for which `predict` would have to ask the network; mostly none.

        All of them where prompts change with the answers, or the calibration's were not read yet.
        """
        words, name = self._answers(verbalizer), self._calibration_or_own(calibration)
        own = words == self.classifier.verbalizer and name == self.classifier.calibration
        with self._lock:
            wording = self._wordings.get(self._key(words))
            if wording is None or not (own or name in wording.priors):
                return words.answers
            basis = None if own else wording.priors[name]
            found = {*wording.scores.uncached_answers(words.answers)}
            found |= {*basis.uncached_answers(words.answers)} if basis is not None else set()
        return tuple(answer for answer in words.answers if answer in found)

    def _answers(self, verbalizer: Verbalizer | Mapping[str, Any] | None) -> Verbalizer:
        if verbalizer is None:
            return self.classifier.verbalizer
        words = verbalizer if isinstance(verbalizer, Verbalizer) else Verbalizer(verbalizer)
        words.check_labels(self.classifier.labels)
        return words

    def _calibration_or_own(self, calibration: Calibration | None) -> Calibration:
        name = self.classifier.calibration if calibration is None else calibration
        check_calibration(name)
        return name

    def _with(
        self, words: Verbalizer, calibration: Calibration
    ) -> tuple[PromptClassifier, _Wording]:
        """The classifier with these answers, and the prompts that it gives."""
        key = self._key(words)
        changed = self._changed(words, calibration)
        if key not in self._wordings:
            if len(self._wordings) > _MAX_WORDINGS:  # the first, the classifier's own, stays
                del self._wordings[list(self._wordings)[1]]
            self._wordings[key] = self._wording_of(changed)
        return changed, self._wordings[key]

    def _prior(self, changed: PromptClassifier, wording: _Wording) -> Float[np.ndarray, " answer"]:
        answers = changed.verbalizer.answers
        if changed.calibration not in wording.priors:
            prompts = changed.prior_prompts(self.train)
            kept = AnswerScoreCache(self._model, prompts, answers) if prompts else None
            wording.priors[changed.calibration] = kept
        basis = wording.priors[changed.calibration]
        return (
            np.zeros(len(answers))
            if basis is None
            else changed.prior_from_scores(basis.score(answers))
        )

    def _wording_of(self, changed: PromptClassifier) -> _Wording:
        changed.prepare(self.examples)
        prompts = [changed.render_prompt(example) for example in self.examples]
        scores = AnswerScoreCache(self._model, prompts, changed.verbalizer.answers)
        return _Wording(prompts, scores)

    def _free_answer_tokens(self, prompts: Sequence[Prompt]) -> int:
        """How many tokens may be kept free for answers while every prompt stays as it is."""
        if any(prompt.shortened for prompt in prompts):
            return 0
        model = self._model
        long = [
            p
            for p in prompts
            if not fits_without_counting(p, model, model.max_tokens - _AMPLE_TOKENS)
        ]
        return min(
            [_AMPLE_TOKENS, *(model.max_tokens - model.count_tokens(prompt) for prompt in long)]
        )

    def _changed(self, words: Verbalizer, calibration: Calibration) -> PromptClassifier:
        """The fitted classifier with other answers, its demonstrations in their words."""
        own = self.classifier
        if words == own.verbalizer and calibration == own.calibration:
            return own
        settings = own.settings()
        settings.pop("notes", None)  # they tell of the answers that it has itself
        shown = settings["demonstrations"]
        if shown:
            label_of = {own.verbalizer.first_answer(label): label for label in own.labels}
            settings["demonstrations"] = [
                {**one, "answer": words.first_answer(label_of[one["answer"]])} for one in shown
            ]
        settings |= {
            "verbalizer": words.settings(), "calibration": calibration, "prior": None
        }  # fmt: skip
        changed = PromptClassifier.from_settings(settings, own.model)
        changed.check_answers()
        return changed

    def _key(self, words: Verbalizer) -> tuple[Any, ...]:
        """What the prompts depend on: demonstrations' words, and the room for answers."""
        own = self.classifier
        first = (
            tuple(words.first_answer(label) for label in own.labels)
            if own.has_demonstrations
            else ()
        )
        reserve = max_answer_tokens(words)
        return first, 0 if reserve <= self._free_tokens else reserve
