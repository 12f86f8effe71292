"""Searches for instructions beside each other: same worker, same writer, same number of calls.

``python studies/bench/instruction_search.py --seeds 5 --calls 1500 --out runs/search.jsonl``

Ours (``promptlab improve``), gepa, promptolution's CAPO, DSPy's MIPROv2 and dspy.GEPA improve one
prompt of the library on two data sets. A call is an example that is answered or a reply that is
written, counted before any cache; nobody has more of them than ``--calls``, and ours pays the rows
out of the same budget on which it tests its own winner. Afterwards rows that nobody saw tell how
good winner and given prompt are: told are test accuracy with its 95 % interval, the gain over the
given prompt, calls, tokens and seconds, how often a gain is claimed, and how often such a claim is
not confirmed by an exact McNemar test on those rows. Ours returns what it was given unless its own
fresh rows show a gain; told is, too, how good its best on dev is. Runs that are in the file already
are not made again, unless they failed.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

import promptlab as pl
from promptlab.data.example import Example
from promptlab.errors import InputError
from promptlab.evaluation.statistics import mcnemar_exact
from promptlab.events import Events
from promptlab.library.sources import find_template
from promptlab.models.pool import POOL
from promptlab.studies.bench.search_peers import PEERS, Found, run_peer
from promptlab.studies.bench.search_worker import (
    BudgetSpent,
    CallMeter,
    MeteredModel,
    SearchProblem,
)
from promptlab.study.improvement import optimize_prompt

OURS = "promptlab"
TASKS = {
    "sst2": "sentiment/instruct-critic",
    "rotten-tomatoes": "sentiment/instruct-critic",
}
"""The prompt that is improved on each data set."""
_TRAIN, _DEV = 64, 200
_CALLS_A_PROPOSAL = 85
"""Of ours, the race and the writer's tries counted in; measured."""


def optimise_ours(problem: SearchProblem, meter: CallMeter) -> Found:
    """``promptlab improve`` with as many proposals as the calls allow.

    Half of the rows beside train judge, and the others test the winner against what was given.
    """
    rows = problem.rows
    half = (len(rows) - problem.train) // 2
    proposals = max(2, (meter.limit - 5 * half) // _CALLS_A_PROPOSAL)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "rows.csv"
        with data.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow([problem.text_field, "label"])
            writer.writerows([row.fields[problem.text_field], row.label] for row in rows)
        POOL.put(problem.writer)
        found = optimize_prompt(
            find_name(problem), data, model=problem.worker, writer=problem.writer.name,
            proposals=proposals, demonstrations=4, train=problem.train, dev=half, test=half,
            seed=problem.seed, out=Path(folder) / "runs", events=Events(),
        )  # fmt: skip
        instruction = _instruction_of(Path(found.folder), found.after, problem)
    kept = instruction if found.is_better else problem.instruction
    return Found(kept, found.is_better, f"{proposals} proposals; {found.sentence}", instruction)


def find_name(problem: SearchProblem) -> str:
    """The library's name of the problem's prompt."""
    return TASKS[problem.name]


def _instruction_of(folder: Path, source: str, problem: SearchProblem) -> str:
    """What stands in front of the input in the winner's prompt: instruction and demonstrations."""
    if source == problem.template.source:
        return problem.instruction
    winner = pl.load(folder / "best", problem.worker)
    probe = Example("probe", {problem.text_field: "@@probe@@"})
    prompt = winner.example_prompt(probe)
    before = prompt.split("@@probe@@")[0]
    opening = str((problem.template.parts or {})["input"]).split("{")[0]
    return before.removesuffix(opening).strip()


def make_problem(
    name: str, worker: pl.LanguageModel, writer: pl.LanguageModel, meter: CallMeter, seed: int,
    test: int,
) -> SearchProblem:  # fmt: skip
    """The rows of one run, drawn by its seed, and both models behind one meter."""
    task = pl.load_task(name, train=_TRAIN, dev=_DEV, test=test, seed=seed)
    entry = find_template(TASKS[name])
    metered = MeteredModel(worker, meter)
    return SearchProblem(
        name, entry.template, pl.Verbalizer(entry.answers or {}), [*task.train, *task.dev], _TRAIN,
        task.test, metered, metered if writer is worker else MeteredModel(writer, meter), seed,
    )  # fmt: skip


def measure(name: str, problem: SearchProblem, meter: CallMeter) -> dict[str, Any]:
    """One run of one optimiser: what it costs, what it claims, and what fresh rows say."""
    record: dict[str, Any] = {"optimiser": name, "task": problem.name, "seed": problem.seed}
    try:
        found = optimise_ours(problem, meter) if name == OURS else run_peer(name, problem, meter)
    except BudgetSpent as stopped:
        found = Found(problem.instruction, claims_gain=False, note=f"stopped: {stopped}")
    except Exception as error:  # one failure is no reason to lose the others
        last = traceback.extract_tb(error.__traceback__)[-1]
        told = f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"
        return record | {"failed": told} | meter.record()
    cost = meter.record()
    texts = [row.fields[problem.text_field] for row in problem.test]
    targets = [str(row.label) for row in problem.test]
    inner = problem.worker.inner if isinstance(problem.worker, MeteredModel) else problem.worker
    right = {
        key: [a == b for a, b in zip(problem.answer(text, texts, inner), targets, strict=True)]
        for key, text in (
            ("given", problem.instruction),
            ("winner", found.instruction),
            ("best", found.best or found.instruction),
        )
    }
    comparison = mcnemar_exact(right["winner"], right["given"])
    is_confirmed = comparison.difference > 0 and comparison.p_value < 0.05
    return record | cost | {
        "instruction": found.instruction, "note": found.note, "claims_gain": found.claims_gain,
        "is_confirmed": is_confirmed, "p_value": comparison.p_value,
        "given": float(np.mean(right["given"])), "winner": float(np.mean(right["winner"])),
        "best": float(np.mean(right["best"])),
        "best_right": "".join("01"[mark] for mark in right["best"]),
        "right": "".join("01"[mark] for mark in right["winner"]),
        "given_right": "".join("01"[mark] for mark in right["given"]),
    }  # fmt: skip


def summarise(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for every task and optimiser.

    Intervals are those of a bootstrap over seeds and, within each, over test rows. Ours and a peer
    are compared on the same rows of the same seeds: better, worse, or not distinguishable.
    """
    found = []
    for task in dict.fromkeys(run["task"] for run in runs):
        own = {
            r["seed"]: r
            for r in runs
            if (r["optimiser"], r["task"]) == (OURS, task) and "failed" not in r
        }
        for name in dict.fromkeys(run["optimiser"] for run in runs):
            rows = [r for r in runs if (r["optimiser"], r["task"]) == (name, task)]
            good = [r for r in rows if "failed" not in r]
            row: dict[str, Any] = {
                "task": task, "optimiser": name, "runs": len(good), "failed": len(rows) - len(good)
            }  # fmt: skip
            if good:
                row |= _figures(good, own if name != OURS else {})
            found.append(row)
    return found


def _figures(
    rows: Sequence[Mapping[str, Any]], own: Mapping[int, Mapping[str, Any]]
) -> dict[str, Any]:
    claims = [row for row in rows if row["claims_gain"]]
    gains = [_marks(row["right"]) - _marks(row["given_right"]) for row in rows]
    pairs = [
        _marks(own[row["seed"]]["right"]) - _marks(row["right"])
        for row in rows
        if row["seed"] in own
    ]
    less = bootstrap(pairs) if pairs else None
    unproven = [
        _marks(own[row["seed"]]["best_right"]) - _marks(row["best_right"])
        for row in rows
        if row["seed"] in own
    ]
    best_less = bootstrap(unproven) if unproven else None
    return {
        "winner": float(np.mean([row["winner"] for row in rows])),
        "ci95": bootstrap([_marks(row["right"]) for row in rows]),
        "gain": float(np.mean([row["winner"] - row["given"] for row in rows])),
        "gain_ci95": bootstrap(gains),
        "claims": len(claims),
        "unconfirmed": sum(not row["is_confirmed"] for row in claims),
        "calls": float(np.mean([row["calls"] for row in rows])),
        "writer_calls": float(np.mean([row["writer_calls"] for row in rows])),
        "tokens": float(np.mean([row["tokens"] for row in rows])),
        "seconds": float(np.mean([row["seconds"] for row in rows])),
        "ours_less_it": float(np.mean([pair.mean() for pair in pairs])) if pairs else None,
        "ours_less_it_ci95": less,
        "ours_is": None if less is None else _verdict(less),
        "best": float(np.mean([row["best"] for row in rows])),
        "our_best_less_it": float(np.mean([p.mean() for p in unproven])) if unproven else None,
        "our_best_less_it_ci95": best_less,
        "our_best_is": None if best_less is None else _verdict(best_less),
    }


def _verdict(interval: Sequence[float]) -> str:
    low, high = interval
    return "better" if low > 0 else "worse" if high < 0 else "not distinguishable"


def _marks(text: str) -> Float[np.ndarray, " row"]:
    return np.array([float(mark) for mark in text])


def bootstrap(seeds: Sequence[Float[np.ndarray, " row"]], resamples: int = 2_000) -> list[float]:
    """The 95 % interval of the mean, with seeds drawn anew and within each its rows.

    Args:
        seeds: The values of every seed's rows.
        resamples: How often.

    Returns:
        Its low and its high end.
    """
    random = np.random.default_rng(13)
    means = []
    for _ in range(resamples):
        drawn = random.integers(0, len(seeds), len(seeds))
        means.append(np.mean([random.choice(seeds[n], len(seeds[n])).mean() for n in drawn]))
    return [float(end) for end in np.quantile(means, [0.025, 0.975])]


def print_summary(rows: Sequence[Mapping[str, Any]]) -> None:
    """The table for people."""
    for row in rows:
        head = f"{row['task']:16} {row['optimiser']:10}"
        if not row["runs"]:
            print(f"{head} {row['failed']} runs failed")
            continue
        spread = f" ({row['ci95'][0]:.3f} to {row['ci95'][1]:.3f})"
        less = ""
        if row["ours_less_it"] is not None:
            low, high = row["ours_less_it_ci95"]
            less = f"; ours less it {row['ours_less_it']:+.3f} ({low:+.3f} to {high:+.3f})"
            less += f": {row['ours_is']}; our best on dev {row['our_best_less_it']:+.3f}: "
            less += row["our_best_is"]
        print(
            f"{head} test {row['winner']:.3f}{spread} (best on dev {row['best']:.3f}), "
            f"gain {row['gain']:+.3f}, claims "
            f"{row['claims']} of {row['runs']}, not confirmed {row['unconfirmed']}; "
            f"{row['calls']:.0f} calls ({row['writer_calls']:.0f} of the writer), "
            f"{row['tokens']:,.0f} tokens, {row['seconds']:.0f} s{less}"
            + (f"; {row['failed']} failed" if row["failed"] else "")
        )


def _read_runs(
    lines: Sequence[str], settings: Mapping[str, Any], file: Path
) -> list[dict[str, Any]]:
    """The runs of a file; those that failed are made again. Raises for runs of other settings."""
    runs = [json.loads(line) for line in lines]
    other = next((run["settings"] for run in runs if run["settings"] != settings), None)
    if other is not None:
        raise InputError(f"{file} holds runs of {other}, and these are of {settings}: name another")
    return [run for run in runs if "failed" not in run]


def main() -> None:
    """Read the arguments, run what is missing, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--optimisers", nargs="+", choices=[OURS, *PEERS], default=[OURS, *PEERS])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=1500)
    parser.add_argument("--test", type=int, default=500, help="rows that no optimiser sees")
    parser.add_argument("--worker", default="smollm2-135m")
    parser.add_argument("--writer", default=None, help="the worker, by default")
    parser.add_argument("--out", type=Path, default=Path("runs/instruction-search.jsonl"))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    worker = pl.load_model(given.worker)
    writer = worker if given.writer in (None, given.worker) else pl.load_model(given.writer)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    lines = given.out.read_text(encoding="utf-8").splitlines() if given.out.exists() else []
    settings = {
        "calls": given.calls, "test": given.test, "worker": given.worker, "writer": writer.name
    }  # fmt: skip
    runs = _read_runs(lines, settings, given.out)
    done = {(r["optimiser"], r["task"], r["seed"]) for r in runs}
    for seed in range(1, given.seeds + 1):
        for task in given.tasks:
            for name in given.optimisers:
                if (name, task, seed) in done:
                    continue
                meter = CallMeter(given.calls)
                problem = make_problem(task, worker, writer, meter, seed, given.test)
                run = measure(name, problem, meter) | {"settings": settings}
                runs.append(run)
                with given.out.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(run) + "\n")
                if not given.json:
                    told = run.get("failed") or f"{run['given']:.3f} -> {run['winner']:.3f}"
                    print(
                        f"seed {seed}, {task}, {name}: {told} in {run['seconds']:.0f} s", flush=True
                    )
    rows = summarise(runs)
    if given.json:
        print(json.dumps(rows, indent=2))
    else:
        print_summary(rows)


if __name__ == "__main__":
    main()
