"""Soft-prompt training, side by side with peft's prompt tuning and with a plain loop.

``python studies/bench/soft_prompt.py --json``

*answers* and *vocabulary*: vectors before everything, one trial, against peft's
``PromptTuningConfig``: same token ids, first vectors, batches and number format, AdamW with the
same learning rate and no decay. With *answers* both sides take the cross-entropy among the
answers, with *vocabulary* both take that over the whole vocabulary, as peft's users do. *after*:
vectors between the example and the cue, several epochs over the same longer examples, against a
loop that computes the whole rows anew; what promptlab keeps is computed anew in every repeat.
``max_difference`` is that of the losses step by step. Masked models are left out: peft tunes
prompts of masked models for its sequence classification alone, which trains a new head as well.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from promptlab.data.example import Example
from promptlab.errors import InputError
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
from promptlab.studies.bench.peft_peer import (
    TuningResult,
    prompt_tuning,
    soft_after_example,
)
from promptlab.studies.bench.roofline import ForwardCost, forward_cost
from promptlab.studies.bench.tuning_material import FORMATS, TOLERANCES, add_options, both_models

KINDS = ("answers", "vocabulary", "after")
PEERS = {"after": "a loop that recomputes the example"}
TARGETS = {"after": 4.0}


def main() -> None:
    """Read the arguments, compare, print."""
    options = _arguments()
    model, plain, tokenizer = both_models(options)
    comparisons = {
        kind: compare(kind, model, plain, tokenizer, options) for kind in options.only or KINDS
    }
    report("soft_prompt", comparisons, as_json=options.json)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_options(parser)
    parser.add_argument("--only", action="append", choices=KINDS, help="one row (repeatable)")
    parser.add_argument("--vectors", type=int, default=20)
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--after-examples", type=int, default=4, help="*after*: in one batch")
    parser.add_argument("--after-tokens", type=int, default=128, help="*after*: tokens an example")
    parser.add_argument("--after-epochs", type=int, default=8, help="*after*: epochs a repeat")
    return parser.parse_args()


@dataclass
class Rounds:
    """One tuning on both sides; the losses, in nats by step, are those of the last round."""

    model: Any
    plain: Any
    tuning: OwnTuning
    own: Sequence[float] = ()
    peer: Sequence[float] = ()
    computed: int = 0

    def __post_init__(self) -> None:
        self._tuned = self.tuning.run()

    def own_side(self) -> float:
        """Train promptlab's vectors; the seconds."""
        found = train(self.model, [self.tuning])
        (self.own,) = found.losses
        self.computed = found.computed_tokens
        return found.seconds

    def peer_side(self) -> float:
        """Train the peer's; the seconds."""
        tuning = self.tuning
        found = _peer(tuning.place.after)(self.plain, tuning.rows, self._tuned, space=tuning.space)
        self.peer = list(found.losses)
        return found.seconds


def compare(
    kind: str, model: Any, plain: Any, tokenizer: Any, options: argparse.Namespace
) -> Comparison:
    """One row: both sides in turn on a tuning of their own kind."""
    tuning = _tuning(kind, model, tokenizer, options)
    rounds = Rounds(model, plain, tuning)
    timing = alternate(
        rounds.own_side,
        rounds.peer_side,
        warm_up=options.warm_up,
        repeats=options.repeats,
        device=options.device,
    )
    cost = forward_cost(plain.config, masked=False)
    return Comparison(
        peer=PEERS.get(kind, "peft prompt tuning"),
        timing=timing,
        own_flops=own_flops([tuning], cost, rounds.computed),
        peer_flops=_peer_flops(tuning, cost),
        max_difference=largest_difference([rounds.own], [rounds.peer]),
        tolerance=TOLERANCES[options.dtype],
        target=TARGETS.get(kind, 2.0),
        dtype=FORMATS[options.dtype],
        details=_details(rounds, timing, options),
    )


def _tuning(kind: str, model: Any, tokenizer: Any, options: argparse.Namespace) -> OwnTuning:
    after = kind == "after"
    examples = (
        reviews(options.after_examples, options.after_tokens, options.seed, tokenizer)
        if after
        else sst2_examples(options.examples, options.seed)
    )
    return OwnTuning(
        model,
        examples,
        Place(options.vectors, after),
        Hyper(options.learning_rate, len(examples) if after else options.batch, options.seed),
        steps=options.after_epochs if after else options.steps,
        space="vocabulary" if kind == "vocabulary" else "answers",
    )


def _details(rounds: Rounds, timing: Timing, options: argparse.Namespace) -> dict[str, Any]:
    tuning = rounds.tuning
    rows, padded = len(tuning.lengths()), sum(padded_lengths(tuning))
    return {
        "model": options.model,
        "device": options.device,
        "loss_normalised_over": tuning.space,
        "vectors": options.vectors,
        "batch": tuning.training.batch_size,
        "examples": len(tuning.rows),
        "steps_a_repeat": tuning.steps,
        "step_seconds": {
            "promptlab": sorted(timing.own)[len(timing.own) // 2] / tuning.steps,
            "peer": sorted(timing.peer)[len(timing.peer) // 2] / tuning.steps,
        },
        "mean_tokens": sum(tuning.lengths()) / rows,
        "peer_padded_tokens": padded / rows,
        "computed_tokens": {"promptlab": rounds.computed, "peer": padded},
        "kept_tokens": sum(tuning.known()) / rows,
        "losses": {"promptlab": list(rounds.own), "peer": list(rounds.peer)},
    }


def reviews(count: int, tokens: int, seed: int, tokenizer: Any) -> list[Example]:
    """Longer examples: SST-2 sentences of one label in a row, at most ``tokens`` tokens each.

    Raises `InputError` when there are too few sentences.
    """

    def length(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    found: list[Example] = []
    begun: dict[str, Example] = {}
    for sentence in sst2_examples(count * (tokens // 8 + 2), seed):
        label = str(sentence.label)
        before = begun.get(label)
        if before is None:
            begun[label] = sentence
            continue
        text = f"{before.fields['text']} {sentence.fields['text']}"
        if length(text) <= tokens:
            begun[label] = replace(before, fields={"text": text})
            continue
        found.append(before)
        begun[label] = sentence
        if len(found) == count:
            return found
    raise InputError(f"{count} examples of {tokens} tokens are asked for and SST-2 has fewer")


def _peer(after: bool) -> Callable[..., TuningResult]:
    return soft_after_example if after else prompt_tuning


def _peer_flops(tuning: OwnTuning, cost: ForwardCost) -> float:
    """What the peer spends: padding, and with peft the head everywhere."""
    padded = padded_lengths(tuning)
    if tuning.place.after:
        return cost.training_flops(padded, slots=len(padded))
    if tuning.space == "vocabulary":
        padded = [length + 1 for length in padded]  # the answer stands in the row
    return cost.training_flops(padded, slots=sum(padded))


if __name__ == "__main__":
    run(main)
