"""Demonstrations that are chosen with the help of the model."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from jaxtyping import Float

from promptlab.errors import InputError
from promptlab.example import Example
from promptlab.models.language_model import LanguageModel
from promptlab.predictions import Predictions
from promptlab.retrieval.index import make_index
from promptlab.selection.coverage import covering, own_scale
from promptlab.selection.entropy import global_entropy, likelihood, local_entropy
from promptlab.selection.nearest import capped, example_text
from promptlab.selection.order import arranged, permutations
from promptlab.selection.turns import by_label, drawn, enough, spread, turns

if TYPE_CHECKING:
    from promptlab.demonstrations import DemonstrationChoice

ANSWERED = 256
"""So many training examples at most are put to the model to see which it answers rightly."""

MEASURED = ("global_entropy", "local_entropy", "searched")
"""Orders for which several are tried with the model when the predictor is fitted."""


class Shower(Protocol):
    """What the choice needs of the predictor whose prompts the demonstrations are for."""

    model: LanguageModel

    @property
    def fields(self) -> tuple[str, ...]:
        """The example fields that are read."""

    def alone(self, train: Sequence[Example], examples: Sequence[Example]) -> Predictions:
        """What is predicted for ``examples`` without any demonstration."""

    def label_scores(
        self, shown: Sequence[Sequence[Example]], examples: Sequence[Example]
    ) -> Float[np.ndarray, "shown example label"]:
        """Label log-probabilities in nats after each of several rows of demonstrations."""

    def columns(self, examples: Sequence[Example]) -> list[int]:
        """The columns of the examples' own labels in `label_scores`."""


def needs_label_scores(name: str) -> bool:
    """Whether the selection or order of this name goes by the probabilities of labels."""
    return name in ("confident", *MEASURED)


def select(choice: DemonstrationChoice, train: Sequence[Example], shower: Shower) -> list[Example]:
    """The demonstrations that every input shares, in order. Raises `InputError` for too few."""
    if not choice.count:
        return []
    labelled = enough(train, choice.count)
    source: random.Random | int = choice.seed
    if choice.selection == "random":
        chosen, source = drawn(labelled, choice.count, choice.seed, balanced=bool(choice.balanced))
    elif choice.selection == "first":
        chosen = labelled[: choice.count]
    elif choice.selection == "diverse":
        chosen = diverse(choice, labelled, shower)
    else:
        chosen = answered(choice, labelled, shower)
    if choice.order in MEASURED:
        return best_order(choice, chosen, labelled, shower)
    return arranged(chosen, str(choice.order), source, labelled)


def diverse(
    choice: DemonstrationChoice, labelled: Sequence[Example], shower: Shower
) -> list[Example]:
    """Those that cover the training examples best, most useful first."""
    pool = capped(labelled, choice.seed)
    texts = [example_text(example, shower.fields) for example in pool]
    index = make_index(choice.similarity, texts, shower.model)
    labels = [str(example.label) for example in pool] if choice.balanced else None
    return [pool[place] for place in covering(own_scale(index.scores(texts)), choice.count, labels)]


def answered(
    choice: DemonstrationChoice, labelled: Sequence[Example], shower: Shower
) -> list[Example]:
    """Those that the model answers rightly by itself: drawn, or the most confident first.

    At most `ANSWERED` training examples are put to it. A class of which it answers none rightly
    has no demonstration. Raises `InputError` when fewer than asked for are answered rightly.
    """
    pool = spread(labelled, ANSWERED)
    rows = list(shower.alone(labelled, pool))
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
        return drawn(examples, choice.count, choice.seed, balanced=bool(choice.balanced))[0]
    surest = {e.id: (row.scores or {}).get(str(e.label)) for e, row in right}
    if any(value is None for value in surest.values()):
        raise InputError(
            "selection confident needs a predictor that scores labels; use bootstrapped for one "
            "that writes its answers"
        )
    examples.sort(key=lambda example: -(surest[example.id] or 0.0))
    return turns(by_label(examples) if choice.balanced else [examples], choice.count)


def best_order(
    choice: DemonstrationChoice,
    chosen: Sequence[Example],
    labelled: Sequence[Example],
    shower: Shower,
) -> list[Example]:
    """The order after which the model does best on ``probes`` other training examples.

    The labels of these are used by *searched* alone. All orders are scored in one call. Of equally
    good ones the first tried stays.
    """
    orders = permutations(len(chosen), choice.permutations, choice.seed)
    if len(orders) == 1:
        return list(chosen)
    demonstrating = {id(example) for example in chosen}
    others = [example for example in labelled if id(example) not in demonstrating]
    if not others:
        raise InputError(
            f"the order {choice.order} is tried on training examples that do not demonstrate, and "
            f"all {len(labelled)} do; ask for fewer demonstrations, or another order"
        )
    probes = spread(others, choice.probes)
    shown = [[chosen[place] for place in order] for order in orders]
    scores = shower.label_scores(shown, probes)
    if choice.order == "searched":
        right = shower.columns(probes)
        values = [likelihood(found, right) for found in scores]
    else:
        measure = global_entropy if choice.order == "global_entropy" else local_entropy
        values = [measure(found) for found in scores]
    return shown[int(np.argmax(values))]
