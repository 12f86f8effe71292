"""Self-consistency that stops early against the vote of all samples, on the same samples.

The default model solves next to no word problem, with or without reasoning, so that its samples
agree on nothing there. It votes on what it can do: the sentiment of reviews, and sums.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Any

from promptlab.data.example import Example
from promptlab.evaluation.statistics import mcnemar_exact, wilson_interval
from promptlab.models.base import Fill, LanguageModel, Scores
from promptlab.predictors.generator import PromptGenerator
from promptlab.prompts.decoding import Decoding, Generation, OnText
from promptlab.prompts.parsers.parsers import ChoiceParser, NumberParser, Parser
from promptlab.prompts.prompt import Prompt
from promptlab.prompts.template import Template
from promptlab.strategies.self_consistency.stopping import StoppingRule
from promptlab.strategies.self_consistency.strategy import SelfConsistency
from promptlab.studies.bench.material import sst2_examples

RULES: tuple[tuple[StoppingRule, float], ...] = (
    ("beta", 0.85), ("beta", 0.9), ("beta", 0.95), ("certain", 0.95)
)  # fmt: skip
"""The first one is the benchmark's. Of 8 samples that all agree these take 2, 3, 4 and 5."""
LEAST_SAVED, MOST_LOST = 0.5, 0.02
"""Shares of samples and of right answers."""
SHOWN = 4
REVIEW = Template("Review: {text}\nSentiment: {mask}", demonstration_separator="\n\n")
SUM = Template("{sum} = {mask}", demonstration_separator="\n")


class Remembered(LanguageModel):
    """A model whose sampled texts are drawn once: every rule votes on the same ones."""

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self.name, self.key, self.family = model.name, model.key, model.family
        self.max_tokens, self.capabilities = model.max_tokens, model.capabilities
        self._known: dict[tuple[Prompt, Decoding, int], Generation] = {}

    def generate(
        self,
        prompts: Sequence[Prompt],
        decoding: Decoding,
        *,
        samples: Sequence[int] | None = None,
        on_text: OnText | None = None,
    ) -> list[Generation]:
        """The model's text for each prompt and number, drawn when it is first asked for."""
        numbers = [0] * len(prompts) if samples is None else samples
        wanted = [(p, decoding, number) for p, number in zip(prompts, numbers, strict=True)]
        new = [key for key in dict.fromkeys(wanted) if key not in self._known]
        found = self.model.generate([p for p, _, _ in new], decoding, samples=[n for *_, n in new])
        self._known.update(zip(new, found, strict=True))
        return [self._known[key] for key in wanted]

    def check(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> None:
        """As the model."""
        self.model.check(prompts, answers)

    def score(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> Scores:
        """As the model."""
        return self.model.score(prompts, answers)

    def fill(self, prompts: Sequence[Prompt], top: int = 5) -> list[list[Fill]]:
        """As the model."""
        return self.model.fill(prompts, top)

    def count_tokens(self, prompt: Prompt) -> int:
        """As the model."""
        return self.model.count_tokens(prompt)

    def truncate(self, text: str, tokens: int) -> str:
        """As the model."""
        return self.model.truncate(text, tokens)


def review_votes(
    model: LanguageModel, *, questions: int, samples: int, seed: int
) -> dict[str, Any]:
    """Accuracy and samples for SST-2, by every rule, with paired tests.

    ``reached``: the first rule of `RULES` saves enough samples, loses next to no right answer,
    and the paired test finds no difference.
    """
    rows = sst2_examples(questions + 2 * SHOWN, seed)
    parser = ChoiceParser((("positive", ("positive",)), ("negative", ("negative",))))
    inner = _short_replies(REVIEW, parser, Remembered(model), tokens=2)
    found = _compared(inner, rows[:questions], rows[questions:], samples)
    first = next(iter(found["rules"].values()))
    equal = first["p_value"] > 0.05 and first["difference"] >= -MOST_LOST
    return {"data": "sst2", **found, "reached": first["saved"] >= LEAST_SAVED and equal}


def sum_votes(model: LanguageModel, *, questions: int, samples: int, seed: int) -> dict[str, Any]:
    """The same for sums of two numbers: many answers are possible, and samples agree less."""
    rows = sums(questions + 2 * SHOWN, seed)
    inner = _short_replies(SUM, NumberParser(), Remembered(model), tokens=4)
    found = _compared(inner, rows[:questions], rows[questions:], samples)
    return {"data": "sums of two numbers up to 20", **found}


def sums(count: int, seed: int) -> list[Example]:
    """Sums of two numbers from 1 to 20."""
    draw = random.Random(seed)
    pairs = [(draw.randint(1, 20), draw.randint(1, 20)) for _ in range(count)]
    return [
        Example(str(number), {"sum": f"{a} + {b}"}, str(a + b))
        for number, (a, b) in enumerate(pairs)
    ]


def _short_replies(
    template: Template, parser: Parser, model: LanguageModel, *, tokens: int
) -> PromptGenerator:
    decoding = Decoding(max_tokens=tokens, temperature=0.7, stop=("\n",))
    return PromptGenerator(template, parser, model, decoding=decoding, demonstrations=SHOWN)


def _compared(
    inner: PromptGenerator, rows: Sequence[Example], train: Sequence[Example], samples: int
) -> dict[str, Any]:
    """The vote of all samples, then every rule's on the same ones."""
    inner.fit(train)
    started = time.perf_counter()
    right, _ = _voted(SelfConsistency(inner, samples=samples), rows)
    seconds = time.perf_counter() - started
    rules: dict[str, dict[str, Any]] = {}
    for rule, threshold in RULES:
        voting = SelfConsistency(inner, samples=samples, adaptive=rule, threshold=threshold)
        found, used = _voted(voting, rows)
        test = mcnemar_exact(found, right)
        rules[f"{rule} {threshold:g}"] = {
            "saved": 1 - sum(used) / (samples * len(rows)),
            "accuracy": sum(found) / len(rows),
            "other_verdicts": test.n_discordant,
            "p_value": test.p_value,
            "difference": test.difference,
            "interval": list(test.ci95),
        }
    return {
        "questions": len(rows),
        "samples": samples,
        "accuracy_of_all": sum(right) / len(rows),
        "interval_of_all": list(wilson_interval(sum(right), len(rows))),
        "seconds_to_draw": seconds,
        "rules": rules,
    }


def _voted(voting: SelfConsistency, rows: Sequence[Example]) -> tuple[list[bool], list[int]]:
    """Whether each answer is right, and how many samples it took."""
    found = list(voting.predict(rows))
    used = [int((one.trace or {})["samples"]) for one in found]
    return [one.label == row.label for one, row in zip(found, rows, strict=True)], used
