"""Label words found by a probe at the answer slot (AutoPrompt; Shin et al. 2020, section 2.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from promptlab.errors import InputError


@dataclass(frozen=True)
class LabelWord:
    """A vocabulary entry and the log-odds in nats, by the probe, that it stands for its label."""

    token: int
    score: float


@dataclass(frozen=True)
class LabelWords:
    """For every label its words, best first; ``accuracy`` is the probe's on what it learned from.

    An accuracy near that of the largest class says that the slot tells little about the labels.
    """

    words: tuple[tuple[LabelWord, ...], ...]
    accuracy: float


def find_label_words(
    features: Float[np.ndarray, "example dim"],
    labels: Int[np.ndarray, " example"],
    rows: Float[np.ndarray, "vocab dim"],
    *,
    classes: int,
    allowed: Bool[np.ndarray, " vocab"],
    top: int = 3,
    strength: float = 1.0,
) -> LabelWords:
    """The ``top`` words of each class that a linear probe on the slot's features knows best.

    A softmax regression learns the class from the features; the output embedding's rows live in
    the same space, so the probe reads them too, and the words with the highest probability of a
    class (compared as log-odds, which never saturate) are its label words, each for one class.
    Features and rows are centred, since both have a large part in common that says nothing.
    ``strength`` is the inverse of the L2 penalty. Raises `InputError` when a class has no example
    or there are too few words.
    """
    _check(labels, classes, allowed, top)
    scores, accuracy = _probe(features, labels, rows, allowed, strength)
    chosen: list[list[LabelWord]] = [[] for _ in range(classes)]
    own = np.where(allowed, scores.argmax(axis=1), -1)
    for label, words in enumerate(chosen):
        column = np.where(own == label, scores[:, label], -np.inf)
        for token in np.argsort(-column, kind="stable")[:top].tolist():
            if own[token] == label:
                words.append(LabelWord(token, float(column[token])))
        if len(words) < top:
            raise InputError(
                f"only {len(words)} of {int(allowed.sum())} allowed words suit the label "
                f"number {label}, and {top} are wanted; ask for fewer or allow more words"
            )
    return LabelWords(tuple(map(tuple, chosen)), accuracy)


def _probe(
    features: Float[np.ndarray, "example dim"],
    labels: Int[np.ndarray, " example"],
    rows: Float[np.ndarray, "vocab dim"],
    allowed: Bool[np.ndarray, " vocab"],
    strength: float,
) -> tuple[Float[np.ndarray, "vocab label"], float]:
    """Log-odds of every class for every vocabulary row, and the probe's accuracy."""
    from sklearn.linear_model import LogisticRegression

    centred = _centred(features, slice(None))
    probe = LogisticRegression(C=strength, max_iter=2000).fit(centred, labels)
    weights, bias = probe.coef_, probe.intercept_
    if len(weights) == 1:  # two classes: scikit-learn keeps the second one's margin alone
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    logits = _centred(rows, allowed) @ weights.T + bias
    others = [np.delete(logits, label, axis=1) for label in range(logits.shape[1])]
    scores = logits - np.stack([np.logaddexp.reduce(part, axis=1) for part in others], axis=1)
    return scores, float(probe.score(centred, labels))


def _centred(
    values: Float[np.ndarray, "row dim"], counted: Bool[np.ndarray, " row"] | slice
) -> Float[np.ndarray, "row dim"]:
    """Rows minus the mean of the counted ones, in units of their root mean square."""
    values = np.asarray(values, dtype=np.float64)
    values = values - values[counted].mean(axis=0)
    scale = float(np.sqrt((values[counted] ** 2).mean()))
    return values / scale if scale else values


def _check(
    labels: Sequence[int] | Int[np.ndarray, " example"],
    classes: int,
    allowed: Bool[np.ndarray, " vocab"],
    top: int,
) -> None:
    if top < 1:
        raise InputError(f"{top} label words a label are wanted; ask for at least one")
    if classes < 2:
        raise InputError(f"label words tell labels apart, and there are {classes}")
    missing = sorted(set(range(classes)) - set(np.asarray(labels).tolist()))
    if missing:
        raise InputError(
            f"no example has the label number {', '.join(map(str, missing))}, so no words can be "
            "found for it; give at least one example of every label"
        )
    if not allowed.any():
        raise InputError("no word is allowed as a label word; allow more words")
