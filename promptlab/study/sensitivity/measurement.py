"""The answers of all prompts of a design on the same dev examples, none of them asked twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from promptlab.cancellation import Cancellation
from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.evaluation.metrics import get_metric
from promptlab.evaluation.metrics.base import MeanMetric, Metric
from promptlab.evaluation.predictions import Predictions
from promptlab.events import BlockScored, Events, TrialAsked, TrialFinished
from promptlab.files.cache import disk_errors
from promptlab.models.base import LanguageModel
from promptlab.predictors.classifier import PromptClassifier
from promptlab.predictors.demonstrations.choice import DemonstrationConfig
from promptlab.predictors.generator import PromptGenerator
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.parsers.parsers import parser_from_settings
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.security.untrusted_text import json_text
from promptlab.study.sensitivity.alternatives import Answers, PromptAlternatives, Wording
from promptlab.study.sensitivity.decomposition import Cells
from promptlab.study.sensitivity.formats import PromptFormat
from promptlab.study.trials.blocks import check_answered

BLOCK = 50
"""Examples that are answered between two looks at whether to stop."""
KEPT = "answers.jsonl"
"""Where finished prompts' answers are kept, so that work that was stopped goes on."""

TemplatePrompt = PromptClassifier | PromptGenerator


@dataclass(frozen=True)
class PromptLevels:
    """The levels of all factors: what a combination of their numbers is made of."""

    wordings: tuple[Wording, ...]
    formats: tuple[PromptFormat, ...]
    answers: tuple[Answers, ...]
    demonstrations: tuple[tuple[DemonstrationConfig, ...], ...]
    """One configuration an order and seed."""
    alternatives: PromptAlternatives

    def predictor(self, cell: dict[str, int], model: LanguageModel) -> TemplatePrompt:
        """The predictor of one combination, not fitted. Raises `InputError` if there is none."""
        wording = self.wordings[cell["wording"]]
        template = self.formats[cell["format"]].apply(wording.template)
        config = self.demonstrations[cell["order"]][cell["seed"]]
        if wording.parser is not None and not self.answers:
            return PromptGenerator(
                template,
                parser_from_settings(wording.parser),
                model,
                decoding=Decoding.from_settings(wording.decoding) if wording.decoding else None,
                demonstrations=config,
            )
        verbalizer = Verbalizer(self.answers[cell["answers"]], **(self.alternatives.scoring or {}))
        return PromptClassifier(
            template,
            verbalizer,
            model,
            calibration=self.alternatives.calibration,
            demonstrations=config,
        )


@dataclass(frozen=True)
class Measured:
    """What was measured: ``values`` ``[cell, example]`` in [0, 1], NaN where nothing was answered.

    ``prompts`` are the cells' prompts for the first example; ``n_asked`` answers were asked for,
    ``n_reused`` were those of an equal prompt, ``n_kept`` were kept from before.
    """

    values: Cells
    prompts: tuple[str, ...]
    metric: str
    n_asked: int
    n_reused: int
    n_kept: int
    tokens: int


class CellAnswers:
    """Answers the cells of a design; equal prompts are asked once, finished cells are kept.

    Args:
        levels: What the cells are made of.
        task: Train and dev; test is not needed.
        examples: The dev examples, in order.
        model: Who answers.
        kept: A file in which finished cells are kept; none without it.
    """

    def __init__(
        self,
        levels: PromptLevels,
        task: Task,
        examples: Sequence[Example],
        model: LanguageModel,
        kept: Path | None = None,
    ) -> None:
        self.levels, self.task, self.examples, self.model = levels, task, list(examples), model
        self.metric, self.remark = mean_metric(task.metric)
        self._file = kept
        self._kept = {} if kept is None else _read_kept(kept)
        self._known: dict[Any, float] = {}
        self.n_asked = self.n_reused = self.n_kept = self.tokens = 0

    def measure(
        self, cells: Sequence[dict[str, int]], names: Sequence[str], events: Events,
        cancellation: Cancellation,
    ) -> Measured:  # fmt: skip
        """Answer all cells, in order. Raises `Cancelled` between two blocks when asked to."""
        values, prompts = [], []
        for number, (cell, name) in enumerate(zip(cells, names, strict=True)):
            cancellation.check()
            events.emit(TrialAsked(number, "prompt", name))
            started = cancellation.clock()
            predictor = self.levels.predictor(cell, self.model).fit(self.task.train)
            prompts.append(predictor.example_prompt(self.examples[0]))
            found = self._answer_cell(predictor, number, events, cancellation)
            values.append(found)
            mean = float(np.nanmean(found))
            seconds = cancellation.clock() - started
            events.emit(TrialFinished(number, name, "complete", mean, seconds))
        return Measured(
            np.array(values), tuple(prompts), self.metric.name,
            self.n_asked, self.n_reused, self.n_kept, self.tokens,
        )  # fmt: skip

    def _answer_cell(
        self, predictor: TemplatePrompt, number: int, events: Events, cancellation: Cancellation
    ) -> list[float]:
        settings = predictor.settings()
        key = self._cell_key(settings)
        if (before := self._kept.get(key)) is not None:
            self.n_kept += len(before)
            return before
        read = json.dumps(_reading(settings), sort_keys=True)
        found: list[float] = []
        for start in range(0, len(self.examples), BLOCK):
            cancellation.check()
            found += self._answer_block(predictor, self.examples[start : start + BLOCK], read)
            mean = float(np.nanmean(found)) if not np.isnan(found).all() else 0.0
            events.emit(BlockScored(number, len(found), len(self.examples), mean))
        self._keep(key, found)
        return found

    def _answer_block(
        self, predictor: TemplatePrompt, examples: Sequence[Example], read: str
    ) -> list[float]:
        """One value an example; what an equal prompt that is read alike has given is taken."""
        prompts = predictor.render_prompts(examples)
        keys = [(p, read, e.label) for p, e in zip(prompts, examples, strict=True)]
        new = {key: example for key, example in zip(keys, examples, strict=True)
               if key not in self._known}  # fmt: skip
        if new:
            rows = predictor.predict(list(new.values()))
            check_answered(rows)
            self._known |= zip(new, _row_values(self.metric, rows), strict=True)
            self.tokens += rows.tokens
        self.n_asked += len(new)
        self.n_reused += len(keys) - len(new)
        return [self._known[key] for key in keys]

    def _cell_key(self, settings: dict[str, Any]) -> str:
        """What a cell's values depend on: model, prompt, examples and metric."""
        examples = [[e.id, dict(e.fields), e.label] for e in self.examples]
        document = [self.model.key, self.metric.name, settings, examples]
        text = json.dumps(document, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    def _keep(self, key: str, values: list[float]) -> None:
        """Write a cell down, unless answers are missing: those are asked again."""
        if self._file is None or np.isnan(values).any():
            return
        with disk_errors(self._file.parent, f"Writing {self._file}"):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8") as stream:
                stream.write(json_text({"cell": key, "values": values}) + "\n")


def mean_metric(name: str) -> tuple[Metric, str | None]:
    """The task's metric if it is a mean over examples where more is better, else accuracy.

    With what is to be told of that: a variance over examples is that of a mean.
    """
    metric = get_metric(name)
    if isinstance(metric, MeanMetric) and metric.higher_is_better:
        return metric, None
    told = f"{name} is no mean over examples, or less of it is better: accuracy is measured instead"
    return get_metric("accuracy"), told


def _row_values(metric: Metric, rows: Predictions) -> list[float]:
    """A value a row, NaN where nothing was answered."""
    values = iter(metric.per_example(rows) or ())
    return [float("nan") if row.missing else float(next(values)) for row in rows]


def _reading(settings: dict[str, Any]) -> dict[str, Any]:
    """What becomes of a reply or of scores: all of a predictor but its prompt."""
    prompt = ("template", "choice", "demonstrations", "pool")
    return {key: value for key, value in settings.items() if key not in prompt}


def _read_kept(path: Path) -> dict[str, list[float]]:
    """Finished cells by key; a last line that was cut off, and any other than ours, is left out."""
    if not path.exists():
        return {}
    found: dict[str, list[float]] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
            found[str(record["cell"])] = [float(value) for value in record["values"]]
        except (ValueError, TypeError, KeyError):
            continue
    return found
