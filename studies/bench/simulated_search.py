"""How often a search for a better prompt claims one that is none, and finds one that is there.

``python studies/bench/simulated_search.py --runs 1000 --methods reflection --json``

Whole runs of ``promptlab improve`` on simulated models, whose accuracy with every prompt is known:
either all prompts are equally good, or the one of a single proposal is better by ``--gain``. All is
as in use (study, race, test, verdict) but for the network. Told are how many of the runs end with
"better", with the 95 % interval of that share, and for what is announced before such a search.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import random
import re
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np

from promptlab.evaluation.search_budget import SearchBudget
from promptlab.events import Events
from promptlab.models.base import Capability, Family, Fill, LanguageModel, Scores
from promptlab.prompts.decoding import Decoding, Generation, OnText
from promptlab.prompts.prompt import Prompt
from promptlab.study.improvement import optimize_prompt
from promptlab.tuning.instruction_search.requests import Method

METHODS: tuple[Method, ...] = get_args(Method)
_TRAIN = 64
_ACCURACY = 0.75
_DISCORDANCE = 0.25
_BETTER = "notwithstanding"
"""The word that makes an instruction better, if any is."""
_WORDS = re.findall(
    r"\w+",
    "answer carefully consider every part of the question before you decide which reply fits "
    "short plain honest words think about facts not opinions read twice weigh both sides name "
    "the reason first then choose avoid guesses keep calm look for hints",
)


@dataclass
class SimulatedModel(LanguageModel):
    """Answers by chance, but the same question under the same prompt always alike.

    The given prompt is right on `_ACCURACY` of the examples; any other one differs from it on
    `_DISCORDANCE` of them, to both sides alike unless it is the better one.

    Args:
        seed: Of this world: examples, answers and what is written.
        gain: By how much the better instruction is right more often; 0: there is none.
        better_proposal: The number of the proposal that is better.
    """

    seed: int
    gain: float = 0.0
    better_proposal: int = 5
    name: str = "simulated"
    key: str = "simulated"
    family: Family = "causal"
    max_tokens: int = 4096
    capabilities: frozenset[Capability] = frozenset({"score", "generate"})
    labels: dict[str, str] = field(default_factory=dict)

    def write_examples(self, path: Path, count: int) -> Path:
        """A file of ``count`` labelled questions."""
        chance = random.Random(f"{self.seed} labels")
        self.labels = {f"case {n}": chance.choice(["no", "yes"]) for n in range(count)}
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["text", "label"])
            writer.writerows(self.labels.items())
        return path

    def check(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> None:
        """Everything can be said."""

    def score(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> Scores:
        """Log-likelihoods that put the label or the other one first."""
        values = [[self._rate(str(prompt), answer) for answer in answers] for prompt in prompts]
        ones = np.ones((len(prompts), len(answers)), dtype=int)
        lengths = np.array([self.count_tokens(prompt) for prompt in prompts])
        return Scores(np.array(values), ones, lengths, 0.0)

    def _rate(self, prompt: str, answer: str) -> float:
        questions = list(re.finditer(r"case \d+", prompt))
        if not questions:  # a control without content
            return float(np.log(0.5))
        question = questions[-1]
        label, before = self.labels[question[0]], prompt[: question.start()]
        is_right = _uniform(self.seed, question[0]) < _ACCURACY
        if before:
            gain = self.gain if _BETTER in before else 0.0
            losses, wins = (_DISCORDANCE - gain) / 2, (_DISCORDANCE + gain) / 2
            changes = losses / _ACCURACY if is_right else wins / (1 - _ACCURACY)
            is_right ^= _uniform(self.seed, question[0], before) < changes
        sure = 0.6 + 0.3 * _uniform(self.seed, question[0], before, "sure")
        return float(np.log(sure if (answer == label) == is_right else 1 - sure))

    def fill(self, prompts: Sequence[Prompt], top: int = 5) -> list[list[Fill]]:
        """No single words are simulated."""
        raise NotImplementedError

    def generate(
        self, prompts: Sequence[Prompt], decoding: Decoding, *,
        samples: Sequence[int] | None = None, on_text: OnText | None = None,
    ) -> list[Generation]:  # fmt: skip
        """An instruction of words by chance; of three tries for a proposal the first is kept."""
        numbers = samples or [0] * len(prompts)
        return [self._write(p, n) for p, n in zip(prompts, numbers, strict=True)]

    def _write(self, prompt: Prompt, sample: int) -> Generation:
        chance = random.Random(f"{self.seed} {sample}")
        words = [chance.choice(_WORDS) for _ in range(9)]
        if self.gain and sample // 3 == self.better_proposal:
            words.append(_BETTER)
        text = f"Please {' '.join(words)}."
        return Generation(text, self.count_tokens(prompt), len(words), 0.0)

    def count_tokens(self, prompt: Prompt) -> int:
        """Words."""
        return len(str(prompt).split())

    def truncate(self, text: str, tokens: int) -> str:
        """So many words."""
        return " ".join(text.split()[:tokens])


def _uniform(*of: object) -> float:
    """A number in [0, 1) that follows from what it is of."""
    digest = hashlib.sha256("|".join(map(str, of)).encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64


def simulate_search(
    seed: int, *, gain: float, plan: SearchBudget, methods: Sequence[Method] | None = None
) -> bool:
    """Whether one whole search calls a prompt better than the given one.

    Args:
        seed: Of everything.
        gain: What the better prompt is better by; 0: all are equal.
        plan: Proposals and the sizes of dev and test.
        methods: Those of the search; its default ones if ``None``.
    """
    better = 1 + random.Random(f"{seed} better").randrange(plan.proposals)
    model = SimulatedModel(seed, gain, better)
    with tempfile.TemporaryDirectory() as folder:
        rows = _TRAIN + plan.dev + plan.test
        data = model.write_examples(Path(folder) / "questions.csv", rows)
        found = optimize_prompt(
            "{text} Answer: {mask}", data, model=model, answers={"no": "no", "yes": "yes"},
            proposals=plan.proposals, methods=methods, seed=seed, out=Path(folder) / "runs",
            train=_TRAIN, dev=plan.dev, test=plan.test, events=Events(),
        )  # fmt: skip
    return found.is_better


def count_claims(
    runs: int, *, gain: float, plan: SearchBudget, methods: Sequence[Method] | None = None,
    first_seed: int = 1, processes: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """How many of ``runs`` searches end with "better", and the interval of that share."""
    from statsmodels.stats.proportion import proportion_confint

    one = partial(simulate_search, gain=gain, plan=plan, methods=methods)
    with ProcessPoolExecutor(processes or os.cpu_count()) as pool:
        found = list(pool.map(one, range(first_seed, first_seed + runs), chunksize=5))
    low, high = proportion_confint(sum(found), runs, method="wilson")
    return {
        "methods": list(methods) if methods else "default",
        "gain": gain,
        "runs": runs,
        "better": sum(found),
        "share": sum(found) / runs,
        "ci95": [float(low), float(high)],
    }


def main() -> None:
    """Read the arguments, simulate, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--methods", nargs="+", choices=[*METHODS, "default"], default=["default"])
    parser.add_argument("--gain", type=float, nargs="+", default=[0.0, 0.1])
    parser.add_argument("--proposals", type=int, default=12)
    parser.add_argument("--dev", type=int, default=200)
    parser.add_argument("--test", type=int, default=250)
    parser.add_argument("--processes", type=int, default=None)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    plan = SearchBudget(given.proposals, given.dev, given.test)
    rows = []
    for method in given.methods:
        for gain in given.gain:
            chosen = None if method == "default" else [method]
            row = count_claims(
                given.runs, gain=gain, plan=plan, methods=chosen, processes=given.processes
            )
            rows.append(row)
            if not given.json:
                low, high = row["ci95"]
                print(
                    f"{method:12} gain {100 * gain:4.0f} points: better in {row['better']} of "
                    f"{row['runs']} ({row['share']:.3f}, {low:.3f} to {high:.3f})",
                    flush=True,
                )
    announced = plan.detectable_gain()
    if given.json:
        print(json.dumps({"announced_gain": announced, "rows": rows}, indent=2))
    else:
        print(f"announced: a gain of {announced} is found in four of five searches")


if __name__ == "__main__":
    main()
