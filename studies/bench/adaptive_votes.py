"""Self-consistency that stops early against the vote of all samples, on the same samples."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Any

from promptlab.decoding import Decoding, Generation
from promptlab.example import Example
from promptlab.models.language_model import Fill, LanguageModel, Scores
from promptlab.parser import NumberParser
from promptlab.prompt import Prompt
from promptlab.statistics import mcnemar_exact, wilson_interval
from promptlab.strategies.consistency import SelfConsistency
from promptlab.strategies.stopping import Rule
from promptlab.strategies.thought import ChainOfThought
from promptlab.strategies.worked import Worked
from promptlab.template import Template

RULES: tuple[tuple[Rule, float], ...] = (("beta", 0.9), ("beta", 0.95), ("certain", 0.95))
"""The first one is the benchmark's. Of 8 samples that all agree these take 3, 4 and 5."""
LEAST_SAVED = 0.5
QUESTION = Template("Question: What is {sum}?\nAnswer: {mask}", demonstration_separator="\n\n")


class Remembered(LanguageModel):
    """A model whose sampled texts are drawn once: every rule votes on the same ones."""

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self.name, self.key, self.family = model.name, model.key, model.family
        self.max_tokens, self.can = model.max_tokens, model.can
        self._known: dict[tuple[Prompt, Decoding, int], Generation] = {}

    def generate(
        self,
        prompts: Sequence[Prompt],
        decoding: Decoding,
        *,
        samples: Sequence[int] | None = None,
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

    def cut(self, text: str, tokens: int) -> str:
        """As the model."""
        return self.model.cut(text, tokens)


def adaptive_votes(
    model: LanguageModel, *, questions: int, samples: int, seed: int
) -> dict[str, Any]:
    """Accuracy and samples of the vote of all and of every rule, with paired tests.

    ``reached``: the first rule of `RULES` saves enough samples, and the paired test finds no
    difference between its answers and those of all samples.
    """
    rows = chain_sums(questions, seed)
    remembered = Remembered(model)
    started = time.perf_counter()
    right, _ = _voted(remembered, rows, samples, "none", 0.95)
    seconds = time.perf_counter() - started
    rules: dict[str, dict[str, Any]] = {}
    for rule, threshold in RULES:
        found, used = _voted(remembered, rows, samples, rule, threshold)
        test = mcnemar_exact(found, right)
        rules[f"{rule} {threshold:g}"] = {
            "saved": 1 - sum(used) / (samples * len(rows)),
            "accuracy": sum(found) / len(rows),
            "other_verdicts": test.n_discordant,
            "p_value": test.p_value,
            "difference": test.difference,
            "interval": list(test.ci95),
        }
    first = next(iter(rules.values()))
    return {
        "data": "sums and differences of two to four numbers, seeded",
        "questions": len(rows),
        "samples": samples,
        "accuracy_of_all": sum(right) / len(rows),
        "interval_of_all": list(wilson_interval(sum(right), len(rows))),
        "seconds_to_draw": seconds,
        "rules": rules,
        "reached": first["saved"] >= LEAST_SAVED and first["p_value"] > 0.05,
    }


def chain_sums(count: int, seed: int) -> list[Example]:
    """Sums and differences of two to four numbers below ten, as in reasoning-gym's chain sums."""
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        parts = [draw.randint(1, 9) for _ in range(draw.randint(2, 4))]
        signs = [draw.choice((1, -1)) for _ in parts[1:]]
        rows.append(
            Example(str(number), {"sum": _text(parts, signs)}, str(_totals(parts, signs)[-1]))
        )
    return rows


def demonstrations() -> list[Worked]:
    """Three worked sums, one step a number."""
    found = []
    for parts, signs in (((4, 3, 6), (1, -1)), ((9, 2), (-1,)), ((5, 8, 3, 7), (1, -1, 1))):
        totals = _totals(parts, signs)
        steps = [
            f"{before} {'+' if sign > 0 else '-'} {part} = {after}"
            for before, sign, part, after in zip(totals, signs, parts[1:], totals[1:], strict=False)
        ]
        text = {"sum": _text(parts, signs)}
        found.append(Worked(text, ", ".join(steps) + ".", str(totals[-1])))
    return found


def _voted(
    model: LanguageModel, rows: Sequence[Example], samples: int, rule: Rule, threshold: float
) -> tuple[list[bool], list[int]]:
    """Whether each answer is right, and how many samples it took."""
    inner = ChainOfThought(
        QUESTION,
        model,
        parser=NumberParser(),
        mode="manual",
        extract="reply",
        demonstrations=demonstrations(),
        decoding=Decoding(max_tokens=40, temperature=0.7),
    )
    voting = SelfConsistency(inner, samples=samples, adaptive=rule, threshold=threshold)
    found = list(voting.predict(rows))
    used = [int((one.trace or {})["samples"]) for one in found]
    return [one.label == row.label for one, row in zip(found, rows, strict=True)], used


def _text(parts: Sequence[int], signs: Sequence[int]) -> str:
    words = [str(parts[0])]
    for sign, part in zip(signs, parts[1:], strict=True):
        words += ["+" if sign > 0 else "-", str(part)]
    return " ".join(words)


def _totals(parts: Sequence[int], signs: Sequence[int]) -> list[int]:
    totals = [parts[0]]
    for sign, part in zip(signs, parts[1:], strict=True):
        totals.append(totals[-1] + sign * part)
    return totals
