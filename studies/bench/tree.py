"""Tree of thoughts with keys and values kept between calls, and the same search without.

``python studies/bench/tree.py --json``

The game of 24: thoughts are proposed in text, states valued by the likelihood of a word, as in
``TreeSearch``'s breadth-first and depth-first order. The same search runs three times: *kept*
starts every prompt from what earlier calls have left; *call* shares beginnings within a call alone;
*whole* computes every prompt from its first token. Counted are prompt tokens that went through
the network; written tokens cost the same in all three and are left out. ``max_difference`` is
the largest one between the values of equal states, and trees that differ are reported.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any
from unittest import mock

from promptlab.data.example import Example
from promptlab.engine.generation import prefill
from promptlab.engine.kv_cache.prefix_tree import PrefixNode
from promptlab.engine.scoring import causal
from promptlab.errors import AskError
from promptlab.evaluation.trace import Trace
from promptlab.models.local import LocalModel
from promptlab.predictors.model_calls import StrategyResult
from promptlab.predictors.scheduler import run_concurrently
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.template import Template
from promptlab.strategies.tree_of_thoughts.evaluation import StateEvaluator
from promptlab.strategies.tree_of_thoughts.search import SearchMethod, TreeSearch
from promptlab.strategies.tree_of_thoughts.strategy import TreeOfThoughts
from promptlab.strategies.tree_of_thoughts.thoughts import ThoughtGenerator
from promptlab.studies.bench.comparison import run
from promptlab.studies.bench.material import forget, own_model
from promptlab.studies.bench.roofline import Roofline, forward_cost

WAYS = ("kept", "call", "whole")
SEARCHES: tuple[SearchMethod, ...] = ("breadth", "depth")
LARGEST_SHARE = 1 / 3
"""Of the prompt tokens that the search computes without shared keys and values."""
TOLERANCE = 1e-3
"""In the values, of which the largest is 20."""
PUZZLES = ("4 5 6 10", "1 4 8 8", "3 3 8 9", "2 6 7 9", "1 2 6 7", "4 9 10 13")
PROPOSE = Template(
    "Use two of the numbers and write possible next steps, one a line.\n\n"
    "Numbers: 2 8 8 14\nPossible next steps:\n"
    "2 + 8 = 10 (left: 8 10 14)\n8 / 2 = 4 (left: 4 8 14)\n14 + 2 = 16 (left: 8 8 16)\n"
    "2 * 8 = 16 (left: 8 14 16)\n8 - 2 = 6 (left: 6 8 14)\n14 - 8 = 6 (left: 2 6 8)\n\n"
    "Numbers: 4 6 10\nPossible next steps:\n"
    "4 + 6 = 10 (left: 10 10)\n10 - 4 = 6 (left: 6 6)\n4 * 6 = 24 (left: 10 24)\n"
    "10 - 6 = 4 (left: 4 4)\n6 - 4 = 2 (left: 2 10)\n\n"
    "Numbers: {state}\nPossible next steps:\n{mask}"
)
VALUE = Template(
    "Judge whether the numbers can reach 24: sure, likely or impossible.\n\n"
    "Numbers: 10 14\n10 + 14 = 24\nJudgement: sure\n\n"
    "Numbers: 11 12\n11 + 12 = 23, 12 - 11 = 1, 11 * 12 = 132\nJudgement: impossible\n\n"
    "Numbers: 4 4 10\n4 + 4 + 10 = 18, 4 * 10 - 4 = 36, (10 - 4) * 4 = 24\nJudgement: sure\n\n"
    "Numbers: 5 7 8\n5 + 7 + 8 = 20, (8 - 5) * 7 = 21\nJudgement: likely\n\n"
    "Numbers: 10 10 11\n10 + 10 + 11 = 31, (11 - 10) * 10 = 10\nJudgement: impossible\n\n"
    "The puzzle was {numbers}. Steps so far:\n{steps}"
    "Numbers: {state}\nJudgement: {mask}"
)


@dataclass(frozen=True)
class Searched:
    """What one search came to: its traces, the prompt tokens it computed and asked for, seconds."""

    traces: Sequence[Trace]
    outcomes: Sequence[StrategyResult | AskError]
    computed: int
    asked: int
    seconds: float

    @property
    def tree(self) -> list[list[tuple[Any, ...]]]:
        """What was thought, in order, without values."""
        return [[(s.parent, s.name, s.reply) for s in trace] for trace in self.traces]

    @property
    def values(self) -> list[float]:
        """The values of all states in order."""
        return [s.notes["value"] for t in self.traces for s in t if "value" in s.notes]


def main() -> None:
    """Read the arguments, search, print."""
    import torch

    options = _arguments()
    torch.set_num_threads(options.threads or torch.get_num_threads())
    model = own_model(options.model)
    rows = {search: _row(model, search, options) for search in options.only or SEARCHES}
    _print(rows, as_json=options.json)


def _row(model: LocalModel, search: SearchMethod, options: argparse.Namespace) -> dict[str, Any]:
    """The search in all ways, turn by turn."""
    strategy = TreeOfThoughts(
        ThoughtGenerator(PROPOSE, count=options.thoughts, decoding=Decoding(options.tokens, 0.7)),
        StateEvaluator(VALUE),
        model,
        search=TreeSearch(search, depth=3, beam=options.beam),
        problem="game24",
    )
    puzzles = [Example(text, {"numbers": text}) for text in PUZZLES[: options.puzzles]]
    found: dict[str, list[Searched]] = {way: [] for way in WAYS}
    roofline = Roofline.measure()
    for _ in range(options.repeats):
        for way in WAYS:
            found[way].append(_searched(strategy, model, puzzles, way))
            roofline = roofline.best(Roofline.measure())
    first = {way: runs[0] for way, runs in found.items()}
    kept = first["kept"]
    seconds = {way: median(one.seconds for one in runs) for way, runs in found.items()}
    weights = 2.0 * forward_cost(model.engine.network.model.config, masked=False).body
    written = sum(_written(trace) for trace in kept.traces)
    share = kept.computed / first["whole"].computed
    same = all(one.tree == kept.tree for one in first.values())
    difference = max(map(abs, _differences(kept, first))) if same else None
    return {
        "ratio": 1 / share,
        "share_of_whole": share,
        "share_of_call": kept.computed / first["call"].computed,
        "target": 1 / LARGEST_SHARE,
        "prompt_tokens": {way: one.computed for way, one in first.items()},
        "prompt_tokens_asked": kept.asked,
        "written_tokens": written,
        "seconds": seconds,
        "same_trees": same,
        "max_difference": difference,
        "tolerance": TOLERANCE,
        "reached": share <= LARGEST_SHARE and difference is not None and difference <= TOLERANCE,
        "roofline_percent": roofline.percent(
            weights * (kept.computed + written), seconds["kept"], "fp32"
        ),
        "asks": sum(1 for trace in kept.traces for step in trace if step.tokens_in),
        "solved": sum(_solved(outcome) for outcome in kept.outcomes),
        "puzzles": len(puzzles),
        "model": options.model,
        "machine": roofline.document(),
    }


def _searched(
    strategy: TreeOfThoughts, model: LocalModel, puzzles: Sequence[Example], way: str
) -> Searched:
    """One search with nothing known beforehand."""
    forget(model)
    traces = [Trace() for _ in puzzles]
    with _sharing(model, way):
        before, start = model.usage.computed_tokens, time.perf_counter()
        outcomes = run_concurrently(
            [
                strategy.solve(puzzle, trace.root)
                for puzzle, trace in zip(puzzles, traces, strict=True)
            ]
        )
        seconds = time.perf_counter() - start
    computed = model.usage.computed_tokens - before - sum(map(_written, traces))
    return Searched(traces, outcomes, computed, sum(t.tokens_in for t in traces), seconds)


@contextmanager
def _sharing(model: LocalModel, way: str) -> Iterator[None]:
    """While inside, the engine shares as much as ``way`` says."""
    engine, runner = model.engine, model.engine.runner
    try:
        if way != "kept":
            engine.runner = runner.with_kv_cache(None)
        if way != "whole":
            yield
            return
        with (
            mock.patch.object(causal, "prefix_tree", _nothing_shared),
            mock.patch.object(prefill, "prefix_tree", _nothing_shared),
        ):
            yield
    finally:
        engine.runner = runner


def _nothing_shared(sequences: Sequence[tuple[int, ...]], **options: Any) -> PrefixNode:
    """Every sequence for itself."""
    return PrefixNode((), list(range(len(sequences))))


def _written(trace: Trace) -> int:
    """Tokens that went through the network after a prompt: all of a reply but its last one."""
    return sum(max(0, step.tokens_out - 1) for step in trace if step.name == "propose")


def _differences(kept: Searched, others: dict[str, Searched]) -> list[float]:
    """The differences of all values, at least one number."""
    return [0.0] + [
        a - b for one in others.values() for a, b in zip(kept.values, one.values, strict=True)
    ]


def _solved(outcome: StrategyResult | AskError) -> bool:
    return isinstance(outcome, StrategyResult) and bool(outcome.facts["tree"]["solved"])


def _print(rows: dict[str, dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        first = next(iter(rows.values()))
        top = {key: first[key] for key in ("ratio", "max_difference", "roofline_percent")}
        reached = all(row["reached"] for row in rows.values())
        print(
            json.dumps(
                {"benchmark": "tree", **top, "reached": reached, "comparisons": rows}, indent=2
            )
        )
        return
    for name, row in rows.items():
        tokens, seconds = row["prompt_tokens"], row["seconds"]
        print(
            f"{name}: {tokens['kept']} prompt tokens computed, {tokens['call']} when calls share "
            f"nothing, {tokens['whole']} when no prompts do: {row['share_of_whole']:.2f} of all "
            f"(target {LARGEST_SHARE:.2f}), {row['share_of_call']:.2f} of the calls'"
        )
        print("  seconds: " + ", ".join(f"{way} {value:.1f}" for way, value in seconds.items()))
        for key in (
            "same_trees", "max_difference", "written_tokens", "asks", "solved", "puzzles",
            "roofline_percent",
        ):  # fmt: skip
            print(f"  {key}: {row[key]}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--only", action="append", choices=SEARCHES, help="one order (repeatable)")
    parser.add_argument("--model", default="smollm2-135m", help="causal model: name or folder")
    parser.add_argument("--puzzles", type=int, default=2, choices=range(1, len(PUZZLES) + 1))
    parser.add_argument("--thoughts", type=int, default=5, help="at most so many a state")
    parser.add_argument("--tokens", type=int, default=48, help="of a proposal")
    parser.add_argument("--beam", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=1, help="rounds; tokens are the same in all")
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
