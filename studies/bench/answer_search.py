"""The search for answer words on slots that were read once, against scoring one after the other.

``python studies/bench/answer_search.py --json``

``search_seconds`` is one search of ``--assignments`` combinations or more: statistics of the whole
vocabulary, candidates, assignments on train, the kept ones on dev with the cross-fitted correction.
``read_seconds`` is what went before, the only forward pass. The peer scores the same combinations
one by one, each through a `Verbalizer` over the same log-probabilities.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from typing import Any

import numpy as np

from promptlab.evaluation.predictions import Predictions
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.studies.bench.comparison import run
from promptlab.studies.bench.material import own_model, sst2_examples
from promptlab.tuning.answer_search import AnswerSearch, AnswerSearchConfig, AnswerSlots
from promptlab.tuning.answer_search.candidates import assignments, candidate_words
from promptlab.tuning.answer_search.scorer import AnswerScorer
from promptlab.tuning.triggers.vocabulary_filter import TokenFilter

LABELS = ("negative", "positive")
TARGET_SECONDS = 10.0


def main() -> None:
    """Read the arguments, search, score one by one, print."""
    import torch

    options = _arguments()
    torch.set_num_threads(options.threads or torch.get_num_threads())
    found = _measure(options)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        print(f"{name}: {value:.3f}" if isinstance(value, float) else f"{name}: {value}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--model", default="bert-tiny", help="a local model: name or folder")
    parser.add_argument("--template", default="{text} It was {mask}")
    parser.add_argument("--assignments", type=int, default=5000)
    parser.add_argument("--train", type=int, default=128)
    parser.add_argument("--dev", type=int, default=200)
    parser.add_argument("--slow", type=int, default=500, help="so many are scored one by one")
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    parser.add_argument("--seed", type=int, default=13)
    return parser.parse_args()


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    model = own_model(options.model)
    examples = sst2_examples(options.train + options.dev, options.seed)
    train, dev = examples[: options.train], examples[options.train :]
    tokens = TokenFilter(model.encoding, model.engine.network.virtual_tokens.first_id)
    start = time.perf_counter()
    slots = AnswerSlots(model, Template(options.template), LABELS, train, dev, tokens)
    read_seconds = time.perf_counter() - start
    computed = model.usage.computed_tokens
    count = math.ceil(options.assignments**0.5)
    config = AnswerSearchConfig(candidates=count, max_assignments=count**2)
    start = time.perf_counter()
    found = AnswerSearch(slots, config, _accuracy).run()
    search_seconds = time.perf_counter() - start
    fast, slow, difference = _one_by_one(slots, count, options.slow)
    return {
        "model": model.name,
        "vocabulary": len(slots.vocabulary),
        "train": len(train),
        "dev": len(dev),
        "assignments": found.tried,
        "read_seconds": read_seconds,
        "search_seconds": search_seconds,
        "target_seconds": TARGET_SECONDS,
        "reached": search_seconds < TARGET_SECONDS,
        "forward_tokens_of_the_search": model.usage.computed_tokens - computed,
        "seconds_an_assignment": fast,
        "seconds_an_assignment_one_by_one": slow,
        "ratio": slow / fast,
        "largest_difference_nats": difference,
        "answers": str(found.verbalizer),
        "dev_as_chosen": found.value,
        "dev_cross_fitted": found.corrected,
    }


def _one_by_one(slots: AnswerSlots, count: int, most: int) -> tuple[float, float, float]:
    """Seconds an assignment all at once and one by one, and how far their scores are apart."""
    columns = candidate_words(slots.statistics(), LABELS, top=count, ranking="likelihood")
    words = sorted({word for own in columns for word in own})
    places = {word: place for place, word in enumerate(words)}
    picks = assignments(
        [[places[word] for word in own] for own in columns],
        np.zeros((len(LABELS), len(words))),
        count**2,
    )
    table = slots.train_scores(words)
    scorer = AnswerScorer(table)
    start = time.perf_counter()
    scorer.quality(picks[:, :, None], slots.targets)
    fast = (time.perf_counter() - start) / len(picks)
    few = picks[:most]
    start = time.perf_counter()
    slow = [
        Verbalizer({label: f"w{word}" for label, word in zip(LABELS, pick, strict=True)})
        .label_scores(table[:, pick])
        for pick in few
    ]  # fmt: skip
    seconds = (time.perf_counter() - start) / len(few)
    together = scorer.label_logprobs(few[:, :, None])
    return fast, seconds, float(np.abs(together - np.stack(slow)).max())


def _accuracy(rows: Predictions) -> float:
    return sum(rows.correct) / len(rows)


if __name__ == "__main__":
    run(main)
