"""Weights of an ensemble's members, learned on labelled examples."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from promptlab.predictors.ensemble.combination import CombinationRule, Method
from promptlab.predictors.ensemble.votes import MIN_PROBABILITY, VoteMatrix

_SMALL = 1e-4
"""A convex weight below this is none: its member need not be asked."""


def learn_rule(
    method: Method, stack: VoteMatrix, select: int | None = None, given: tuple[float, ...] = ()
) -> CombinationRule:
    """The rule that a method learns from a stack of ballots with known labels.

    With ``select`` members are first chosen by `select_greedily`; how often each was chosen
    multiplies the weights of methods whose weights are not learned by likelihood.
    """
    members = stack.votes.shape[1]
    counts = np.ones(members) if select is None else select_greedily(stack, select)
    chosen = counts > 0
    if method == "stacking":
        return fit_stacking(stack, chosen)
    if method == "learned":
        return CombinationRule(_tuple(fit_convex_weights(stack, chosen)))
    weights = np.array(given) if method == "weighted" else np.ones(members)
    if method == "dev_accuracy":
        weights = stack.correct.mean(axis=0) if len(stack) else weights
    weights = weights * counts
    return CombinationRule(_tuple(weights if weights.any() else counts))


def fit_convex_weights(
    stack: VoteMatrix, chosen: Bool[np.ndarray, " member"]
) -> Float[np.ndarray, " member"]:
    """Convex weights that maximise the mean log-likelihood of the true labels, by scipy.

    The mixture is that of the members that have not abstained, its weights divided by theirs.
    Examples whose true label nobody holds possible say nothing and are left out.
    """
    right, spoke = stack.of_right[:, chosen], stack.voted[:, chosen].astype(float)
    useful = (right.sum(axis=1) > 0) & (spoke.sum(axis=1) > 0)
    weights = np.zeros(len(chosen))
    weights[chosen] = mixture_weights(right[useful], spoke[useful])
    return weights


def mixture_weights(
    right: Float[np.ndarray, "example member"], spoke: Float[np.ndarray, "example member"]
) -> Float[np.ndarray, " member"]:
    """Convex weights that maximise the mean log of Σ w(m) right / Σ w(m) spoke, by scipy.

    ``right`` are the members' probabilities of the true answer, ``spoke`` is 1 where a member has
    answered at all. Without examples the weights are equal.
    """
    from scipy.optimize import minimize

    count = right.shape[1]
    start = np.full(count, 1 / count)
    if count == 1 or not len(right):
        return start

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        above = np.maximum(right @ weights, MIN_PROBABILITY)
        below = np.maximum(spoke @ weights, MIN_PROBABILITY)
        slope = (right / above[:, None] - spoke / below[:, None]).mean(axis=0)
        return -float(np.mean(np.log(above) - np.log(below))), -slope

    found = minimize(
        loss,
        start,
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * count,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"maxiter": 500, "ftol": 1e-10},
    )
    kept = np.where(found.x < _SMALL, 0.0, found.x)
    return np.asarray(kept / kept.sum())


def fit_stacking(stack: VoteMatrix, chosen: Bool[np.ndarray, " member"]) -> CombinationRule:
    """Logistic stacking (Wolpert 1992): a softmax of Σ a(m) log p(m, label) + b(label), by scipy.

    The penalised log-likelihood has a standard normal prior on every bias and on every weight's
    difference from 1/members: without data it is the geometric mean. An abstaining member adds
    nothing.
    """
    from scipy.optimize import minimize

    known = stack[stack.right >= 0]
    logs = np.log(np.maximum(known.probabilities[:, chosen], MIN_PROBABILITY))
    logs *= known.voted[:, chosen, None]
    count, labels = int(chosen.sum()), known.probabilities.shape[2]
    rows = np.arange(len(known))
    prior = np.concatenate([np.full(count, 1 / count), np.zeros(labels)])

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        logits = np.einsum("m,nml->nl", values[:count], logs) + values[count:]
        logits = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        error = np.exp(logits)
        error[rows, known.right] -= 1
        away = values - prior
        slope = np.concatenate([np.einsum("nl,nml->m", error, logs), error.sum(axis=0)])
        return float(-logits[rows, known.right].sum() + away @ away / 2), slope + away

    found = minimize(loss, prior, jac=True, method="L-BFGS-B", options={"maxiter": 1000}).x
    weights = np.zeros(len(chosen))
    weights[chosen] = found[:count]
    return CombinationRule(_tuple(weights), _tuple(found[count:]))


def select_greedily(stack: VoteMatrix, size: int) -> Float[np.ndarray, " member"]:
    """How often greedy forward selection takes each member in ``size`` turns.

    Every turn adds the member, one that is in already or not, with which the mean probability of
    all taken has the best accuracy, among equals the best log-likelihood (Caruana et al. 2004).
    """
    counts = np.zeros(stack.votes.shape[1])
    total = np.zeros((len(stack), stack.probabilities.shape[2]))
    speakers = np.zeros(len(stack))
    for _ in range(size):
        best: tuple[float, float] | None = None
        taken = 0
        for member in range(len(counts)):
            spoke = speakers + stack.voted[:, member]
            mean = (total + stack.probabilities[:, member]) / np.maximum(spoke, 1)[:, None]
            value = _quality(mean, spoke, stack)
            if best is None or value > best:
                best, taken = value, member
        counts[taken] += 1
        total += stack.probabilities[:, taken]
        speakers += stack.voted[:, taken]
    return counts


def _quality(
    mean: Float[np.ndarray, "example label"],
    spoke: Float[np.ndarray, " example"],
    stack: VoteMatrix,
) -> tuple[float, float]:
    """Accuracy and mean log-likelihood; who abstains is wrong and says nothing."""
    known = stack.right >= 0
    correct = (mean.argmax(axis=1) == stack.right) & (spoke > 0) & known
    likely = mean[np.arange(len(stack)), np.maximum(stack.right, 0)] * known
    likelihood = np.log(np.maximum(likely, MIN_PROBABILITY)).mean()
    # rounded: the order of additions must not decide between equal members
    return float(correct.mean()), round(float(likelihood), 9)


def _tuple(values: Float[np.ndarray, " _"]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
