"""A verbalizer maps answers in the slot to labels."""

from __future__ import annotations

import numbers
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float

from promptlab.data.label import canonical_label, canonical_labels
from promptlab.errors import InputError, VerbalizerError
from promptlab.security.html import html_table

Aggregation = Literal["sum", "mean", "max"]


@dataclass(frozen=True, init=False, repr=False)
class Verbalizer:
    """The answers that stand for each label; a label may have several.

    Args:
        answers: Every label with an answer, a list of answers, or a mapping from answers to
            weights. A label that is no text (1, True, an Enum) is kept as its `canonical_label`.
        aggregation: How a label's answers are joined: *sum* of probabilities (AutoPrompt; Shin et
            al. 2020), weighted *mean* of log-probabilities, or *max*.
        length_normalise: Whether an answer's log-likelihood is divided by its number of tokens.

    Raises:
        VerbalizerError: For fewer than two labels, a label without answers, or an answer that
            stands for two labels.

    Example:
        >>> verbalizer = Verbalizer({"positive": ["great", "good"], "negative": "bad"})
        >>> verbalizer.answers
        ('great', 'good', 'bad')
        >>> scores = verbalizer.label_scores(np.log([[0.3, 0.3, 0.2]]))
        >>> np.exp(scores).round(2).tolist()
        [[0.75, 0.25]]
    """

    labels: tuple[str, ...]
    answers: tuple[str, ...]
    label_of: tuple[int, ...]
    weights: tuple[float, ...]
    aggregation: Aggregation
    length_normalise: bool

    def __init__(
        self,
        answers: Mapping[Any, str | Sequence[str] | Mapping[str, float]],
        *,
        aggregation: Aggregation = "sum",
        length_normalise: bool = False,
    ) -> None:
        if aggregation not in get_args(Aggregation):
            raise VerbalizerError(
                f"unknown aggregation {aggregation!r}; "
                f"it is one of {', '.join(get_args(Aggregation))}"
            )
        if not isinstance(answers, Mapping):
            raise VerbalizerError(f"answers map each label to its words, found {answers!r}")
        if len(answers) < 2:
            raise VerbalizerError(f"a verbalizer needs two labels or more, found {len(answers)}")
        try:
            labels = canonical_labels(answers, "the verbalizer")
        except InputError as error:
            raise VerbalizerError(str(error)) from error
        words: list[str] = []
        label_of: list[int] = []
        weights: list[float] = []
        for index, (label, value) in enumerate(zip(labels, answers.values(), strict=True)):
            for word, weight in _weighted(label, value).items():
                words.append(word)
                label_of.append(index)
                weights.append(weight)
        _check_distinct(words, label_of, labels)
        for name, item in (
            ("labels", labels),
            ("answers", tuple(words)),
            ("label_of", tuple(label_of)),
            ("weights", tuple(weights)),
            ("aggregation", aggregation),
            ("length_normalise", length_normalise),
        ):
            object.__setattr__(self, name, item)

    def label_scores(
        self, logprobs: Float[np.ndarray, "example answer"]
    ) -> Float[np.ndarray, "example label"]:
        """Log-probabilities of the labels, normalised over the labels.

        Args:
            logprobs: Log-likelihoods ``[example, answer]`` in nats, columns as in ``answers``.

        Returns:
            Log-probabilities ``[example, label]`` in nats: s(label) - log Σ exp s(label'), where s
            joins the label's answers by ``aggregation``.
        """
        columns = [
            self._aggregate(
                logprobs[:, [i for i, of in enumerate(self.label_of) if of == label]], label
            )
            for label in range(len(self.labels))
        ]
        scores = np.stack(columns, axis=1)
        return scores - _logsumexp(scores)

    def _aggregate(self, logprobs: Float[np.ndarray, "example part"], label: int) -> Any:
        weights = np.array(
            [w for w, of in zip(self.weights, self.label_of, strict=True) if of == label]
        )
        if self.aggregation == "sum":
            return _logsumexp(logprobs + np.log(weights))[:, 0]
        if self.aggregation == "mean":
            return logprobs @ (weights / weights.sum())
        return (logprobs + np.log(weights)).max(axis=1)

    def check_labels(self, labels: Sequence[Hashable]) -> None:
        """Refuse a verbalizer that lacks one of ``labels`` or knows one that the task lacks."""
        known = [canonical_label(label) for label in labels]
        missing = [label for label in known if label not in self.labels]
        extra = [label for label in self.labels if label not in known]
        if missing or extra:
            problems = [
                f"no answer for the label {', '.join(map(repr, missing))}" if missing else "",
                f"answers for {', '.join(map(repr, extra))}, which the task does not have"
                if extra
                else "",
            ]
            raise VerbalizerError(
                f"the verbalizer has {' and '.join(filter(None, problems))}; "
                f"the task's labels are {', '.join(map(repr, known))}; give each of them answers, "
                f"and no other{_truth_values(missing, extra)}"
            )

    def first_answer(self, label: Hashable) -> str:
        """The answer that stands for ``label`` in a demonstration."""
        index = self.labels.index(canonical_label(label))
        return self.answers[self.label_of.index(index)]

    def mapping(self) -> dict[str, dict[str, float]]:
        """label → {answer: weight}."""
        return {
            label: {
                answer: weight
                for answer, of, weight in zip(
                    self.answers, self.label_of, self.weights, strict=True
                )
                if of == index
            }
            for index, label in enumerate(self.labels)
        }

    def settings(self) -> dict[str, Any]:
        """Plain JSON data from which `from_settings` makes the same verbalizer."""
        return {
            "answers": self.mapping(),
            "aggregation": self.aggregation,
            "length_normalise": self.length_normalise,
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Verbalizer:
        """The inverse of `settings`."""
        return cls(**settings)

    def __repr__(self) -> str:
        more = "" if self.aggregation == "sum" else f", aggregation={self.aggregation!r}"
        more += ", length_normalise=True" if self.length_normalise else ""
        return f"Verbalizer({self._short_mapping()!r}{more})"

    def _short_mapping(self) -> dict[str, Any]:
        """`mapping`, weights left out where all are 1, and the list where there is one answer."""
        short: dict[str, Any] = {}
        for label, weighted in self.mapping().items():
            plain = all(weight == 1 for weight in weighted.values())
            words = list(weighted) if plain else weighted
            short[label] = words[0] if isinstance(words, list) and len(words) == 1 else words
        return short

    def _repr_html_(self) -> str:
        rows = [(label, ", ".join(words)) for label, words in self.mapping().items()]
        return html_table("Verbalizer", ("label", "answers"), rows)

    def __str__(self) -> str:
        return ", ".join(f"{label}={'/'.join(words)}" for label, words in self.mapping().items())


def _weighted(label: str, value: Any) -> dict[str, float]:
    """The answers of one label with their weights; one that stands twice counts once."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, Mapping | Sequence) or isinstance(value, bytes):
        raise VerbalizerError(
            f"label {label!r} has the answer {value!r}; give a word, a list of words, or words "
            "with weights (in YAML, quote words such as yes, no, on, off and numbers)"
        )
    for word in value:
        if not isinstance(word, str):
            raise VerbalizerError(
                f"label {label!r} has the answer {word!r}, and an answer is text; quote it (in "
                "YAML, quote words such as yes, no, on, off and numbers)"
            )
    weighted = dict(value) if isinstance(value, Mapping) else dict.fromkeys(value, 1.0)
    if not weighted:
        raise VerbalizerError(f"label {label!r} has no answer; give it at least one word")
    for word, weight in weighted.items():
        if not word.strip():
            raise VerbalizerError(
                f"label {label!r} has the answer {word!r}, which has no tokens; give it a word"
            )
        if isinstance(weight, bool) or not isinstance(weight, numbers.Real):
            raise VerbalizerError(
                f"answer {word!r} of label {label!r} has the weight {weight!r}; give a number"
            )
        if not 0 < float(weight) < float("inf"):
            raise VerbalizerError(
                f"answer {word!r} of label {label!r} has weight {weight}; use > 0"
            )
    return weighted


def _truth_values(missing: Sequence[str], extra: Sequence[str]) -> str:
    """What to say where YAML has made truth values of words."""
    words = {"yes", "no", "on", "off"} & {label.lower() for label in missing}
    if not words or not {"true", "false"} & set(extra):
        return ""
    return " (YAML reads yes, no, on and off without quotes as true or false: quote them)"


def _check_distinct(words: list[str], label_of: list[int], labels: tuple[str, ...]) -> None:
    seen: dict[str, int] = {}
    for word, label in zip(words, label_of, strict=True):
        if word in seen:
            raise VerbalizerError(
                f"answer {word!r} stands for both {labels[seen[word]]!r} and {labels[label]!r}; "
                "every answer maps to one label"
            )
        seen[word] = label


def _logsumexp(values: Float[np.ndarray, "row column"]) -> Float[np.ndarray, "row 1"]:
    top = values.max(axis=1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    return top + np.log(np.exp(values - top).sum(axis=1, keepdims=True))
