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
from statistics import median
from typing import Any, Literal

from promptlab.example import Example
from promptlab.models.local import LocalModel
from promptlab.studies.bench.comparison import (
    Comparison,
    alternate,
    largest_difference,
    report,
    run,
)
from promptlab.studies.bench.material import own_model, plain_model, sst2_examples
from promptlab.studies.bench.own_tuning import (
    Hyper,
    OwnTuning,
    Place,
    own_flops,
    padded_lengths,
    train,
)
from promptlab.studies.bench.peft_peer import eight_runs
from promptlab.studies.bench.roofline import forward_cost

RATES = (0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.03, 0.05)
LENGTHS = (20, 10, 20, 5)
"""Learning rates and numbers of vectors, in turn."""
TARGETS = {"cpu": 2.2, "cuda": 5.0}
TOLERANCES = {"float32": 1e-3, "bfloat16": 0.1}
FORMATS: dict[str, Literal["fp32", "bf16"]] = {"float32": "fp32", "bfloat16": "bf16"}


def main() -> None:
    """Read the arguments, compare, print."""
    import torch

    options = _arguments()
    torch.set_num_threads(options.threads or torch.get_num_threads())
    model = own_model(options.model, dtype=options.dtype, device=options.device)
    plain, _ = plain_model(options.model, masked=False, dtype=options.dtype, device=options.device)
    examples = sst2_examples(options.examples, options.seed)
    found = compare(model, plain, trials(model, examples, options), options)
    report("packed_trials", {"peft": found}, as_json=options.json)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--model", default="smollm2-135m", help="causal model: name or folder")
    parser.add_argument("--dtype", default="float32", choices=TOLERANCES, help="of both sides")
    parser.add_argument("--device", default="cpu", help="of both sides: cpu or cuda")
    parser.add_argument("--space", default="answers", choices=("answers", "vocabulary"))
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--examples", type=int, default=48, help="training sentences")
    parser.add_argument("--batch", type=int, default=4, help="rows a trial and step")
    parser.add_argument("--steps", type=int, default=2, help="steps a repeat")
    parser.add_argument("--repeats", type=int, default=5, help="rounds that count")
    parser.add_argument("--warm-up", type=int, default=1, help="rounds that do not")
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    parser.add_argument("--seed", type=int, default=13)
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


def compare(
    model: LocalModel, plain: Any, tunings: Sequence[OwnTuning], options: argparse.Namespace
) -> Comparison:
    """The pack, promptlab's separate runs and peft's, in turn."""
    packed: list[list[float]] = []
    separate: list[list[float]] = []
    peer: list[list[float]] = []
    separate_seconds: list[float] = []
    computed: list[int] = []
    runs = [tuning.run() for tuning in tunings]

    def own_side() -> float:
        found = train(model, tunings)
        packed[:] = found.losses
        computed.append(found.computed_tokens)
        return found.seconds

    def peer_side() -> float:
        start = time.perf_counter()
        separate[:] = [train(model, [tuning]).losses[0] for tuning in tunings]
        separate_seconds.append(time.perf_counter() - start)
        found = eight_runs(plain, tunings[0].rows, runs, space=options.space)
        peer[:] = [list(one.losses) for one in found]
        return sum(one.seconds for one in found)

    timing = alternate(
        own_side,
        peer_side,
        warm_up=options.warm_up,
        repeats=options.repeats,
        device=options.device,
    )
    counted = separate_seconds[options.warm_up :]
    cost = forward_cost(plain.config, masked=False)
    lengths = [length for tuning in tunings for length in tuning.lengths()]
    padded = [length for tuning in tunings for length in padded_lengths(tuning)]
    vocabulary = options.space == "vocabulary"
    in_row = len(padded) if vocabulary else 0  # the answers stand in the rows
    return Comparison(
        peer=f"{len(tunings)} runs of peft prompt tuning",
        timing=timing,
        own_flops=own_flops(tunings, cost, computed[-1]),
        peer_flops=cost.training_flops(
            [length + vocabulary for length in padded], slots=sum(padded) + in_row
        ),
        max_difference=largest_difference(packed, peer),
        tolerance=TOLERANCES[options.dtype],
        target=TARGETS.get(options.device.split(":")[0], TARGETS["cpu"]),
        dtype=FORMATS[options.dtype],
        details={
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
                for tuning, own, other in zip(tunings, packed, peer, strict=True)
            ],
            "batch": options.batch,
            "steps_a_repeat": options.steps,
            "mean_tokens": sum(lengths) / len(lengths),
            "peer_padded_tokens": sum(padded) / len(padded),
            "computed_tokens": {"promptlab": computed[-1], "peer": sum(padded)},
            "own_separate": {
                "seconds": median(counted),
                "repeats": counted,
                "ratio": median(counted) / median(timing.own),
                "max_difference": largest_difference(packed, separate),
            },
        },
    )


if __name__ == "__main__":
    run(main)
