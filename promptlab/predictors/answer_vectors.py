"""A learned vector for every label in the place of its answer words (WARP, a soft verbalizer)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float

from promptlab.data.example import Example
from promptlab.data.folds import text_folds
from promptlab.errors import CapabilityError, InputError
from promptlab.models.base import LanguageModel
from promptlab.models.learned_parts import LearnedParts
from promptlab.models.local import LocalModel
from promptlab.predictors.answer_vector_fit import VectorFit, fit_vectors
from promptlab.predictors.base import not_fitted_error
from promptlab.predictors.knowledge_probe.answer_space import word_tokens
from promptlab.predictors.knowledge_probe.answer_tokens import answer_tokens
from promptlab.predictors.slot_classifier import SlotClassifier, SlotScorer
from promptlab.prompts.prompt import Prompt
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer

NOTES = "answer_vectors"
"""The notes of `AnswerVectorClassifier` among the facts of the learned parts."""
_NEAREST = 3
_MIN_LETTERS = 2


@dataclass(frozen=True, eq=False)
class AnswerVectors(SlotScorer):
    """A vector and a bias for every label; a label's logit is their product with the feature.

    Args:
        vectors: ``[label, dim]``.
        bias: ``[label]``, that of the words which the vectors began at; it is not learned.
    """

    vectors: Float[np.ndarray, "label dim"]
    bias: Float[np.ndarray, " label"]

    @property
    def width(self) -> int:
        """How many numbers a feature has."""
        return int(self.vectors.shape[1])

    def log_probabilities(
        self, features: Float[np.ndarray, "example dim"]
    ) -> Float[np.ndarray, "example label"]:
        """Log-probabilities of the labels in nats, normalised over them."""
        logits = features.astype(np.float64) @ self.vectors.T.astype(np.float64) + self.bias
        found: Float[np.ndarray, "example label"] = logits - np.logaddexp.reduce(
            logits, axis=1, keepdims=True
        )
        return found


class AnswerVectorClassifier(SlotClassifier):
    """A learned answer vector for every label; the model and the template stay as they are.

    The verbalizer of WARP (Hambardzumyan et al. 2021): p(label | x) is the softmax of f(x) · v,
    f(x) the feature of the answer slot. The prompts are read once; the vectors are learned from
    their features alone. They begin at the rows of the vocabulary head of the ``answers`` (the
    mean of a label's words), or at zero, and are drawn back there: of several strengths the one is
    taken under which examples of left-out folds are likeliest. An infinite one keeps the words.

    Args:
        template: A template, or its text with fields and the slot ``{mask}``.
        model: A local model, or its name.
        answers: The words of every label that the vectors begin at; without them they begin at 0.
        folds: In how many parts train is cut to choose the strength.
        seed: For the folds.

    Raises:
        CapabilityError: For a model that shows no vectors of its words.

    Example:
        >>> from promptlab.predictors import AnswerVectorClassifier
        >>> texts = ["A dull plot.", "A fine film.", "An awful bore.", "Great fun."]
        >>> words = {"bad": "terrible", "good": "great"}
        >>> classifier = AnswerVectorClassifier("{text} It was {mask}.", model, words)
        >>> fitted = classifier.fit(texts, ["bad", "good"] * 2)
        >>> {row.label for row in fitted.predict(texts)} <= {"bad", "good"}
        True
        >>> fitted.facts()["answer_search"]["start"]
        'bad=terrible, good=great'
    """

    def __init__(
        self,
        template: Template | str,
        model: LanguageModel | str,
        answers: Verbalizer | Mapping[str, Any] | None = None,
        *,
        folds: int = 5,
        seed: int = 13,
    ) -> None:
        super().__init__(template, model)
        self.answers = Verbalizer(answers) if isinstance(answers, Mapping) else answers
        self.folds, self.seed = folds, seed
        if not isinstance(self.model, LocalModel):
            raise CapabilityError(
                f"{self.model.name} does not show the vectors of its words; use a local model"
            )

    def fit_examples(self, train: Sequence[Example], dev: Sequence[Example]) -> None:
        """Learn the labels' vectors. Raises `InputError` for fewer than two labels."""
        labelled, labels, targets = self._labelled(train)
        if self.answers is not None:
            self.answers.check_labels(labels)
        model = self._local()
        prompts = self._prompts(labelled)
        features = model.features(prompts)
        start = self._start(labels, features.shape[1], prompts[0])
        found = fit_vectors(
            features,
            targets,
            start.vectors,
            start.bias,
            text_folds(labelled, targets, self.folds, self.seed),
            keeps_start=self.answers is not None,
        )
        notes = self._notes(found, labels)
        parts = replace(
            model.learned or LearnedParts(),
            head=torch.from_numpy(found.vectors.astype(np.float32)),
            head_bias=torch.from_numpy(start.bias.astype(np.float32)),
        )
        learned = replace(parts, facts=parts.facts | {NOTES: notes})
        self.model, self.labels = model.with_learned_parts(learned), labels

    def _scorer(self) -> AnswerVectors:
        learned = self._local().learned
        if not self.labels or learned is None or learned.head is None or learned.head_bias is None:
            raise not_fitted_error("the labels' vectors are learned from examples")
        if len(learned.head) != len(self.labels):
            raise InputError(
                f"there are {len(learned.head)} vectors for {len(self.labels)} labels; load the "
                "whole folder that save() wrote"
            )
        return AnswerVectors(learned.head.numpy(), learned.head_bias.numpy())

    @property
    def notes(self) -> dict[str, Any]:
        """What a study tells of a trial with it: how it was learned."""
        return self.facts()

    def facts(self) -> dict[str, Any]:
        """How the vectors were learned, and the words that are nearest to each."""
        learned = self._local().learned
        notes = None if learned is None else learned.facts.get(NOTES)
        return {} if notes is None else {"answer_search": notes}

    def settings(self) -> dict[str, Any]:
        """Plain JSON data; the vectors are among the model's learned parts."""
        return {
            "template": self.template.settings(),
            "labels": list(self.labels),
            "answers": None if self.answers is None else self.answers.settings(),
            "folds": self.folds,
            "seed": self.seed,
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], model: LanguageModel) -> Self:
        """The inverse of `settings`."""
        given = settings["answers"]
        made = cls(
            Template.from_settings(settings["template"]),
            model,
            None if given is None else Verbalizer.from_settings(given),
            folds=settings["folds"],
            seed=settings["seed"],
        )
        made.labels = tuple(settings["labels"])
        return made

    def _local(self) -> LocalModel:
        assert isinstance(self.model, LocalModel)
        return self.model

    def _start(self, labels: Sequence[str], width: int, prompt: Prompt) -> AnswerVectors:
        """Where the vectors begin: the means of the rows of the labels' words, or zeros."""
        vectors, bias = np.zeros((len(labels), width)), np.zeros(len(labels))
        if self.answers is None:
            return AnswerVectors(vectors, bias)
        model = self._local()
        head = model.engine.network.vocabulary_head
        words = {label: list(own) for label, own in self.answers.mapping().items()}
        for place, label in enumerate(labels):
            cut = answer_tokens(model, prompt, words[label])
            known = [ids for ids in cut if ids]
            if not known:
                raise InputError(
                    f"{model.name} can write none of the answers of the label {label!r} "
                    f"({', '.join(words[label])}); give it other ones"
                )
            rows = [torch.tensor(ids, device=model.engine.network.device) for ids in known]
            vectors[place] = np.mean([head.rows(ids).mean(0).cpu().numpy() for ids in rows], axis=0)
            bias[place] = np.mean([float(head.bias(ids).mean()) for ids in rows])
        return AnswerVectors(vectors, bias)

    def _notes(self, found: VectorFit, labels: Sequence[str]) -> dict[str, Any]:
        """What a report tells: the strengths that were tried, and what the vectors are near to."""
        near = nearest_words(self._local(), found.vectors, _NEAREST)
        words = [
            f"{label} near {', '.join(word for word, _ in own)}"
            for label, own in zip(labels, near, strict=True)
        ]
        return {
            "method": "answer_vectors",
            "answers": "; ".join(words),
            "nearest": {
                label: [[word, round(cosine, 4)] for word, cosine in own]
                for label, own in zip(labels, near, strict=True)
            },
            "start": None if self.answers is None else str(self.answers),
            "strength": None if np.isinf(found.strength) else found.strength,
            "searched": "strengths of the pull back to where the vectors begin",
            "tried": found.tried,
            "kept": 0,
            "chosen_on": "train",
            "value": found.accuracy,
            "corrected": found.corrected,
            "folds": found.folds,
        }


def nearest_words(
    model: LocalModel, vectors: Float[np.ndarray, "label dim"], top: int
) -> list[list[tuple[str, float]]]:
    """For every vector the words whose rows of the vocabulary head are nearest, with the cosines.

    The same vector added to all labels' changes no probability, so that vectors are compared as
    they differ from their mean, and so are the rows. Words are of letters and begin a word.
    """
    table = {
        word: ids[0]
        for word, ids in word_tokens(model, pieces=False).items()
        if word.isalpha() and len(word) >= _MIN_LETTERS
    }
    network = model.engine.network
    ids = torch.tensor(list(table.values()), device=network.device)
    rows = network.vocabulary_head.rows(ids).cpu().numpy().astype(np.float64)
    cosines = _units(vectors - vectors.mean(axis=0)) @ _units(rows - rows.mean(axis=0)).T
    words = list(table)
    return [
        [(words[place], float(row[place])) for place in np.argsort(-row, kind="stable")[:top]]
        for row in cosines
    ]


def _units(rows: Float[np.ndarray, "row dim"]) -> Float[np.ndarray, "row dim"]:
    found: Float[np.ndarray, "row dim"] = rows / np.maximum(
        np.linalg.norm(rows, axis=1, keepdims=True), 1e-12
    )
    return found
