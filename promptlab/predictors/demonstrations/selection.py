"""Demonstrations that are chosen with the help of the model."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from jaxtyping import Float

from promptlab.data.example import Example
from promptlab.errors import InputError
from promptlab.evaluation.predictions import Predictions
from promptlab.models.base import LanguageModel
from promptlab.predictors.demonstrations.choice import (
    MODEL_SCORED_ORDERS,
    order_examples,
    sample_orders,
)
from promptlab.predictors.demonstrations.nearest import cap_pool, example_text
from promptlab.predictors.demonstrations.sampling import (
    evenly_spaced,
    group_by_label,
    require_labelled,
    round_robin,
    sample_examples,
)
from promptlab.predictors.retrieval import make_index

if TYPE_CHECKING:
    from promptlab.predictors.demonstrations.choice import DemonstrationConfig


def facility_location(
    similarity: Float[np.ndarray, "query text"], count: int, groups: Sequence[str] | None = None
) -> list[int]:
    """``count`` texts that cover all queries best, in the order in which they were taken.

    Greedy facility location: each step takes the text that adds most to the sum over the queries
    of how like the query its most similar chosen text is (negative likeness counts as none), which
    is at least 1 - 1/e of the best possible (Nemhauser et al. 1978). With ``groups``, one a text,
    the groups take turns in alphabetical order. Of equally good texts the first is taken.
    """
    covered = np.zeros(len(similarity))
    left = np.ones(similarity.shape[1], dtype=bool)
    names = sorted(set(groups)) if groups is not None else [""]
    of_group = {
        name: left.copy() if groups is None else np.array([g == name for g in groups])
        for name in names
    }
    chosen: list[int] = []
    turn = 0
    while len(chosen) < min(count, len(left)):
        allowed = left & of_group[names[turn % len(names)]]
        turn += 1
        if not allowed.any():
            continue
        gains = np.maximum(similarity - covered[:, None], 0.0).sum(axis=0)
        best = int(np.argmax(np.where(allowed, gains, -1.0)))
        chosen.append(best)
        left[best] = False
        covered = np.maximum(covered, similarity[:, best])
    return chosen


def scale_by_self(similarity: Float[np.ndarray, "text text"]) -> Float[np.ndarray, "text text"]:
    """Each row in units of how like itself its text is, so that every text counts the same."""
    own = np.diagonal(similarity)
    scaled: Float[np.ndarray, "text text"] = similarity / np.where(own > 0, own, 1.0)[:, None]
    return scaled


def global_entropy(logprobs: Float[np.ndarray, "example label"]) -> float:
    """Entropy in nats of the labels that are predicted (Lu et al. 2022, GlobalE).

    It is small when the order makes the model say the same of everything.
    """
    predicted = np.bincount(logprobs.argmax(axis=1), minlength=logprobs.shape[1])
    return _entropy(predicted / len(logprobs))


def local_entropy(logprobs: Float[np.ndarray, "example label"]) -> float:
    """Mean entropy in nats of the label distributions of the examples (Lu et al. 2022, LocalE).

    It is small when the order makes the model overconfident.
    """
    return float(np.mean([_entropy(np.exp(row)) for row in logprobs]))


def mean_log_likelihood(
    logprobs: Float[np.ndarray, "example label"], right: Sequence[int]
) -> float:
    """Mean log-likelihood in nats of the examples' right labels (their columns)."""
    return float(logprobs[np.arange(len(logprobs)), list(right)].mean())


def _entropy(probabilities: Float[np.ndarray, " label"]) -> float:
    positive = probabilities[probabilities > 0]
    return float(-(positive * np.log(positive)).sum())


MAX_ANSWERED_EXAMPLES = 256
"""So many training examples at most are put to the model to see which it answers rightly."""


class DemonstrationScorer(Protocol):
    """What the choice needs of the predictor whose prompts the demonstrations are for."""

    model: LanguageModel

    @property
    def fields(self) -> tuple[str, ...]:
        """The example fields that are read."""

    def predict_zero_shot(
        self, train: Sequence[Example], examples: Sequence[Example]
    ) -> Predictions:
        """What is predicted for ``examples`` without any demonstration."""

    def label_scores(
        self, shown: Sequence[Sequence[Example]], examples: Sequence[Example]
    ) -> Float[np.ndarray, "shown example label"]:
        """Label log-probabilities in nats after each of several rows of demonstrations."""

    def label_columns(self, examples: Sequence[Example]) -> list[int]:
        """The columns of the examples' own labels in `label_scores`."""


def needs_label_scores(name: str) -> bool:
    """Whether the selection or order of this name goes by the probabilities of labels."""
    return name in ("confident", *MODEL_SCORED_ORDERS)


def select_demonstrations(
    choice: DemonstrationConfig, train: Sequence[Example], shower: DemonstrationScorer
) -> list[Example]:
    """The demonstrations that every input shares, in order. Raises `InputError` for too few."""
    if not choice.count:
        return []
    labelled = require_labelled(train, choice.count)
    source: random.Random | int = choice.seed
    if choice.selection == "random":
        chosen, source = sample_examples(
            labelled, choice.count, choice.seed, balanced=bool(choice.balanced)
        )
    elif choice.selection == "first":
        chosen = labelled[: choice.count]
    elif choice.selection == "diverse":
        chosen = select_diverse(choice, labelled, shower)
    else:
        chosen = select_answered(choice, labelled, shower)
    if choice.order in MODEL_SCORED_ORDERS:
        return find_best_order(choice, chosen, labelled, shower)
    return order_examples(chosen, str(choice.order), source, labelled)


def select_diverse(
    choice: DemonstrationConfig, labelled: Sequence[Example], shower: DemonstrationScorer
) -> list[Example]:
    """Those that cover the training examples best, most useful first."""
    pool = cap_pool(labelled, choice.seed)
    texts = [example_text(example, shower.fields) for example in pool]
    index = make_index(choice.similarity, texts, shower.model)
    labels = [str(example.label) for example in pool] if choice.balanced else None
    return [
        pool[place]
        for place in facility_location(scale_by_self(index.scores(texts)), choice.count, labels)
    ]


def select_answered(
    choice: DemonstrationConfig, labelled: Sequence[Example], shower: DemonstrationScorer
) -> list[Example]:
    """Those that the model answers rightly by itself: drawn, or the most confident first.

    At most `MAX_ANSWERED_EXAMPLES` training examples are put to it. A class of which it answers
    none rightly has no demonstration. Raises `InputError` when fewer than asked for are answered
    rightly.
    """
    pool = evenly_spaced(labelled, MAX_ANSWERED_EXAMPLES)
    rows = list(shower.predict_zero_shot(labelled, pool))
    right = [
        (example, row)
        for example, row in zip(pool, rows, strict=True)
        if row.label is not None and row.label == example.label
    ]
    if len(right) < choice.count:
        raise InputError(
            f"{choice.count} demonstrations are asked for and the model by itself answers "
            f"{len(right)} of {len(pool)} training examples rightly; ask for fewer, give a better "
            "template or calibration, or use another selection"
        )
    examples = [example for example, _ in right]
    if choice.selection == "bootstrapped":
        return sample_examples(examples, choice.count, choice.seed, balanced=bool(choice.balanced))[
            0
        ]
    surest = {e.id: (row.scores or {}).get(str(e.label)) for e, row in right}
    if any(value is None for value in surest.values()):
        raise InputError(
            "selection confident needs a predictor that scores labels; use bootstrapped for one "
            "that writes its answers"
        )
    examples.sort(key=lambda example: -(surest[example.id] or 0.0))
    return round_robin(group_by_label(examples) if choice.balanced else [examples], choice.count)


def find_best_order(
    choice: DemonstrationConfig,
    chosen: Sequence[Example],
    labelled: Sequence[Example],
    shower: DemonstrationScorer,
) -> list[Example]:
    """The order after which the model does best on ``probes`` other training examples.

    The labels of these are used by *searched* alone. All orders are scored in one call. Of equally
    good ones the first tried stays.
    """
    orders = sample_orders(len(chosen), choice.permutations, choice.seed)
    if len(orders) == 1:
        return list(chosen)
    demonstrating = {id(example) for example in chosen}
    others = [example for example in labelled if id(example) not in demonstrating]
    if not others:
        raise InputError(
            f"the order {choice.order} is tried on training examples that do not demonstrate, and "
            f"all {len(labelled)} do; ask for fewer demonstrations, or another order"
        )
    probes = evenly_spaced(others, choice.probes)
    shown = [[chosen[place] for place in order] for order in orders]
    scores = shower.label_scores(shown, probes)
    if choice.order == "searched":
        right = shower.label_columns(probes)
        values = [mean_log_likelihood(found, right) for found in scores]
    else:
        measure = global_entropy if choice.order == "global_entropy" else local_entropy
        values = [measure(found) for found in scores]
    return shown[int(np.argmax(values))]
