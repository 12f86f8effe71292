"""Forward tokens of learning, by the settings of what learns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.models.base import LanguageModel
from promptlab.predictors.candidate import Candidate
from promptlab.prompts.prompt import Prompt, Segment, Slot, Soft, Trigger
from promptlab.prompts.template import Template
from promptlab.tuning.answer_search.paraphrases import answer_request
from promptlab.tuning.hyperparameters import TrainingConfig
from promptlab.tuning.soft_prompt import with_soft

_POSITIONS = 5
"""Trigger tokens that a template has if nothing says how many."""


class LearningCost:
    """Counts for one task and model; ``examples`` give the mean prompt."""

    def __init__(self, task: Task, model: LanguageModel, examples: Sequence[Example]) -> None:
        self.task, self.model, self.examples = task, model, examples

    def of(self, candidate: Candidate) -> tuple[float, float, float]:
        """Fewest and most tokens of learning, and tokens of an example's prompt afterwards."""
        settings = candidate.settings
        example, after = self.prompt_tokens(settings)
        if "answer_search" in settings:
            return (*self._answer_search(settings, example), example)
        if "search" in settings:
            return (*self._hunt(settings, example), example)
        low, high = self._training(settings["training"], example, after)
        if settings.get("mode") == "soft_then_model":
            low, high = 2 * low, 2 * high
        members = int(settings.get("members") or 1)
        return low * members, high * members, example * members

    def writing(
        self, candidate: Candidate, writer: LanguageModel, share: float
    ) -> tuple[tuple[float, float], tuple[float, float]]:
        """Tokens that a writer of answers reads and writes: fewest and most.

        The fewest are one reply a label of a ``share`` of its most tokens.
        """
        search = candidate.settings.get("answer_search", {})
        if (asked := search.get("writing")) is None:
            return (0.0, 0.0), (0.0, 0.0)
        requests = [
            writer.count_tokens(answer_request(own, int(search["candidates"])))
            for own in search["given"].values()
        ]
        tries, most = int(asked["tries"]), int(asked["max_tokens"])
        once = float(sum(requests)), share * most * len(requests)
        return once, (once[0] * tries, float(most * len(requests) * tries))

    def student(self, candidates: Sequence[Candidate], low: Any, high: Any) -> tuple[Any, Any]:
        """A student of other candidates: ``low`` and ``high`` are their means, as sides."""
        costs = [self.of(candidate) for candidate in candidates]
        taught = sum(c.settings.get("top", 1) for c in candidates) / len(candidates)
        texts = len(self.task.train) * taught * (low.tokens_in + low.tokens_out)
        example = sum(c[2] for c in costs) / len(costs)
        plain = replace(low, tokens_in=example, tokens_out=0.0, fresh=example, read=0, written=0)
        # The teacher's texts are asked for once for all students of the same teacher.
        first = sum(c[0] for c in costs) / len(costs) + texts / len(costs)
        most = sum(c[1] for c in costs) / len(costs) + texts
        return replace(plain, learning=first), replace(plain, learning=most)

    def prompt_tokens(self, settings: Mapping[str, Any]) -> tuple[float, float]:
        """Mean tokens of a prompt, learned ones included, and those that every step computes.

        On a frozen causal model the states of what stands before all that is learned are kept.
        """
        template = trained_template(settings)
        prompts = [self._prompt(template, example) for example in self.examples]
        whole = sum(map(self.model.count_tokens, prompts)) / len(prompts)
        frozen = "mode" not in settings and "weights" not in settings
        if self.model.family != "causal" or not frozen or prompts[0].is_text_only:
            return whole, whole
        before = [Prompt((*_lead(prompt), Slot()), chat=prompt.chat) for prompt in prompts]
        lead = sum(map(self.model.count_tokens, before)) / len(before)
        return whole, max(whole - lead + 1, 1.0)

    def _prompt(self, template: Template, example: Example) -> Prompt:
        return template.render(dict.fromkeys(template.fields, "") | dict(example.fields))

    def _training(
        self, settings: Mapping[str, Any], example: float, after: float
    ) -> tuple[float, float]:
        training = TrainingConfig(**settings)
        train = len(self.task.train)
        most, period = training.most_steps(train), training.period(train)
        fewest = min(most, (1 + training.patience) * period)
        dev = min(len(self.task.dev), training.dev_examples)
        batch = min(training.batch_size, train) or 1

        def tokens(steps: int) -> float:
            looks = 1 + math.ceil(steps / period)
            return after * (steps * batch + looks * dev) + (example - after) * (train + dev)

        return tokens(fewest), tokens(most)

    def _answer_search(self, settings: Mapping[str, Any], example: float) -> tuple[float, float]:
        """Train is read once; a causal model reads what is behind the slot for every word, too."""
        search = settings["answer_search"]
        train = len(self.task.train)
        read = min(train, int(search.get("train_examples", train)))
        words = int(search.get("candidates") or search.get("words") or 0) * len(self.task.labels)
        behind = self._tokens_behind(settings) if words else 0.0
        if not behind:
            return read * example, read * example
        # A word and what is behind it, at the slots of train; on dev as many as train has kept.
        low = words * read + len(self.task.labels) * len(self.task.dev)
        high = words * (read + len(self.task.dev))
        return read * example + low * (1 + behind), read * example + high * (1 + behind)

    def _tokens_behind(self, settings: Mapping[str, Any]) -> float:
        """Mean tokens that a causal model reads behind the slot."""
        if self.model.family != "causal":
            return 0.0
        template = trained_template(settings)
        prompts = [self._prompt(template, example) for example in self.examples]
        bare = [prompt.continued_with("") for prompt in prompts]
        more = sum(map(self.model.count_tokens, prompts)) - sum(map(self.model.count_tokens, bare))
        return max(0.0, more / len(prompts))

    def _hunt(self, settings: Mapping[str, Any], example: float) -> tuple[float, float]:
        """A search for trigger tokens: a gradient and a race of candidates every step."""
        search = settings["search"]
        steps, blocks = int(search["steps"]), max(1, int(search.get("blocks") or 1))
        half = max(1, len(self.task.train) // 2)
        batch = min(int(search["batch"]), half)
        compared = int(search.get("comparison") or batch)
        tried = int(search["sample"]) if search["method"] == "gcg" else int(search["top"])
        if search["method"] == "universal":
            tried *= int(settings.get("length") or _POSITIONS) * int(search.get("width") or 1)
        fewest = min(steps, int(search["patience"])) if search.get("patience") else steps
        gradients = batch * int(search.get("accumulate") or 1)
        dev = min(len(self.task.dev), int(settings.get("dev_examples") or len(self.task.dev)))
        low = fewest * (gradients + (tried + 2) * compared / blocks) + dev
        high = steps * (gradients + (tried + 2) * compared + dev)
        return low * example, high * example


def _lead(prompt: Prompt) -> tuple[Segment, ...]:
    """What stands before all that is learned."""
    learned = [n for n, s in enumerate(prompt.segments) if isinstance(s, Soft | Trigger)]
    return prompt.segments[: learned[0]]


def trained_template(settings: Mapping[str, Any], *, words: bool = False) -> Template:
    """A candidate's template with its learned parts; with ``words`` without any of them."""
    if "template" not in settings:
        return Template(str(settings.get("input", "{text}")) + " {mask}")
    template = Template.from_settings(settings["template"])
    if "init" in settings and "mode" not in settings and not words and "search" not in settings:
        own = settings["init"] in ("template", "best")
        template = template if own else with_soft(template, settings.get("length"))
    return template
