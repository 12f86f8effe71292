"""Eight soft-prompt trials trained in one pack, against peft's eight runs one after the other.

``python studies/bench/packed_trials.py --json``

The trials differ in learning rate, number of vectors, first vectors and batches; both sides get
the same token ids, first vectors, batches and number format, AdamW without decay, and the
cross-entropy among the answers (``--space vocabulary``: over the vocabulary, as peft's users have
it). ``max_difference`` is the largest one of any trial's loss in any step. promptlab's own eight
runs one after the other are timed in the same rounds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from promptlab.data.example import Example
from promptlab.models.local import LocalModel
from promptlab.studies.bench.comparison import (
    Comparison,
    Timing,
    alternate,
    largest_difference,
    report,
    run,
)
from promptlab.studies.bench.material import sst2_examples
from promptlab.studies.bench.own_tuning import (
    Hyper,
    OwnTuning,
    Place,
    own_flops,
    padded_lengths,
    train,
)
from promptlab.studies.bench.peft_peer import Space, eight_runs
from promptlab.studies.bench.roofline import forward_cost
from promptlab.studies.bench.tuning_material import FORMATS, TOLERANCES, add_options, both_models

RATES = (0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.03, 0.05)
LENGTHS = (20, 10, 20, 5)
"""Learning rates and numbers of vectors, in turn."""
Losses = list[list[float]]
"""In nats, by trial and step."""
TARGETS = {"cpu": 2.2, "cuda": 5.0}


def main() -> None:
    """Read the arguments, compare, print."""
    options = _arguments()
    model, plain, _ = both_models(options)
    examples = sst2_examples(options.examples, options.seed)
    found = compare(model, plain, trials(model, examples, options), options)
    report("packed_trials", {"peft": found}, as_json=options.json)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_options(parser)
    parser.add_argument("--space", default="answers", choices=("answers", "vocabulary"))
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--batch", type=int, default=4, help="rows a trial and step")
    return parser.parse_args()


def trials(
    model: LocalModel, examples: Sequence[Example], options: argparse.Namespace
) -> list[OwnTuning]:
    """Tunings with learning rates, lengths, first vectors and batches of their own."""
    return [
        OwnTuning(
            model,
            examples,
            Place(LENGTHS[number % len(LENGTHS)]),
            Hyper(RATES[number % len(RATES)], options.batch, options.seed + number),
            steps=options.steps,
            space=options.space,
        )
        for number in range(options.trials)
    ]


@dataclass
class Rounds:
    """The pack, promptlab's separate runs and peft's; the losses are those of the last round."""

    model: LocalModel
    plain: Any
    tunings: Sequence[OwnTuning]
    space: Space
    packed: Losses = field(default_factory=list)
    separate: Losses = field(default_factory=list)
    peer: Losses = field(default_factory=list)
    separate_seconds: list[float] = field(default_factory=list)
    computed: int = 0

    def __post_init__(self) -> None:
        self._runs = [tuning.run() for tuning in self.tunings]

    def own_side(self) -> float:
        """Train the pack; its seconds."""
        found = train(self.model, self.tunings)
        self.packed, self.computed = found.losses, found.computed_tokens
        return found.seconds

    def peer_side(self) -> float:
        """Train promptlab's runs one after the other, then peft's; the seconds of these."""
        start = time.perf_counter()
        self.separate = [train(self.model, [tuning]).losses[0] for tuning in self.tunings]
        self.separate_seconds.append(time.perf_counter() - start)
        found = eight_runs(self.plain, self.tunings[0].rows, self._runs, space=self.space)
        self.peer = [list(one.losses) for one in found]
        return sum(one.seconds for one in found)


def compare(
    model: LocalModel, plain: Any, tunings: Sequence[OwnTuning], options: argparse.Namespace
) -> Comparison:
    """The pack, promptlab's separate runs and peft's, in turn."""
    rounds = Rounds(model, plain, tunings, options.space)
    timing = alternate(
        rounds.own_side,
        rounds.peer_side,
        warm_up=options.warm_up,
        repeats=options.repeats,
        device=options.device,
    )
    cost = forward_cost(plain.config, masked=False)
    padded = [length for tuning in tunings for length in padded_lengths(tuning)]
    vocabulary = options.space == "vocabulary"
    in_row = len(padded) if vocabulary else 0  # the answers stand in the rows
    return Comparison(
        peer=f"{len(tunings)} runs of peft prompt tuning",
        timing=timing,
        own_flops=own_flops(tunings, cost, rounds.computed),
        peer_flops=cost.training_flops(
            [length + vocabulary for length in padded], slots=sum(padded) + in_row
        ),
        max_difference=largest_difference(rounds.packed, rounds.peer),
        tolerance=TOLERANCES[options.dtype],
        target=TARGETS.get(options.device.split(":")[0], TARGETS["cpu"]),
        dtype=FORMATS[options.dtype],
        details=_details(rounds, timing, padded, options),
    )


def _details(
    rounds: Rounds, timing: Timing, padded: Sequence[int], options: argparse.Namespace
) -> dict[str, Any]:
    tunings, counted = rounds.tunings, rounds.separate_seconds[options.warm_up :]
    lengths = [length for tuning in tunings for length in tuning.lengths()]
    return {
        "model": options.model,
        "device": options.device,
        "loss_normalised_over": options.space,
        "trials": [
            {
                "learning_rate": tuning.training.learning_rate,
                "vectors": tuning.place.tokens,
                "seed": tuning.training.seed,
                "losses": {"promptlab": own, "peer": other},
            }
            for tuning, own, other in zip(tunings, rounds.packed, rounds.peer, strict=True)
        ],
        "batch": options.batch,
        "steps_a_repeat": options.steps,
        "mean_tokens": sum(lengths) / len(lengths),
        "peer_padded_tokens": sum(padded) / len(padded),
        "computed_tokens": {"promptlab": rounds.computed, "peer": sum(padded)},
        "own_separate": {
            "seconds": median(counted),
            "repeats": counted,
            "ratio": median(counted) / median(timing.own),
            "max_difference": largest_difference(rounds.packed, rounds.separate),
        },
    }


if __name__ == "__main__":
    run(main)
