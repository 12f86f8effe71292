"""Earlier failures, tried again by the winner after the decision: a suite that chooses nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptlab.data.duplicates import text_key
from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.errors import DataError, StudyError
from promptlab.evaluation.failure_log import read_lines
from promptlab.evaluation.predictions import Predictions
from promptlab.events import Phase, Warned
from promptlab.predictors.base import Predictor
from promptlab.study.trials.blocks import predict_in_blocks, predict_missing
from promptlab.study.trials.context import StudyContext


@dataclass(frozen=True)
class RegressionSuite:
    """Earlier failures as examples, and the study that each comes from."""

    path: str
    examples: tuple[Example, ...]
    sources: tuple[str, ...]

    def overlaps(self, task: Task) -> dict[str, int]:
        """How many share their text or id with an example of each split."""
        found = {}
        for split, examples in task.splits.items():
            texts = {text_key(example) for example in examples}
            ids = {example.id for example in examples}
            found[split] = sum(e.id in ids or text_key(e) in texts for e in self.examples)
        return found


def read_regression_suite(path: str, task: Task) -> RegressionSuite:
    """A suite that `promptlab failures export --format suite` wrote, for this task.

    Raises `StudyError` naming file, line and what does not fit.
    """
    try:
        lines = read_lines(Path(path))
    except DataError as error:
        raise StudyError(f"regression: {error}") from error
    if not lines:
        raise StudyError(f"regression: {path} holds no earlier failures")
    examples, sources = [], []
    for place, record in lines:
        fields, label = record.get("fields"), record.get("label")
        if not isinstance(fields, dict) or not isinstance(label, str) or "id" not in record:
            raise StudyError(f"regression: {place}: needs id, fields and label; export it again")
        missing = [name for name in task.fields if name not in fields]
        if missing:
            raise StudyError(
                f"regression: {place} lacks the field {missing[0]!r}; the task reads "
                f"{', '.join(task.fields)}"
            )
        if task.labels and label not in task.labels:
            raise StudyError(
                f"regression: {place} expects {label!r}; the labels are {', '.join(task.labels)}"
            )
        examples.append(Example(str(record["id"]), {k: str(v) for k, v in fields.items()}, label))
        sources.append(str(record.get("source", "")))
    return RegressionSuite(path, tuple(examples), tuple(sources))


def run_regression_suite(
    context: StudyContext,
    suite: RegressionSuite,
    winner: Predictor,
    baseline: tuple[str, Predictor] | None,
) -> dict[str, Any]:
    """How many earlier failures the winner and the baseline have right now (JSON data)."""
    overlaps = suite.overlaps(context.task)
    if overlaps["test"]:
        context.events.emit(
            Warned(
                f"{overlaps['test']} of the {len(suite.examples)} earlier failures in {suite.path} "
                "are in the test split: whoever mended prompts by them has seen test"
            )
        )
    rows = _predicted(context, suite, "regression", winner)
    other = None
    if baseline is not None:
        other = _predicted(context, suite, "regression-baseline", baseline[1])
    return {
        "file": suite.path,
        "n": len(rows.answered),
        "n_missing": rows.n_missing,
        "right": sum(rows.correct),
        "baseline": None
        if baseline is None or other is None
        else {"name": baseline[0], "right": sum(other.correct)},
        "overlaps": overlaps,
        "rows": [
            {
                "id": row.example_id,
                "source": source,
                "expected": row.target,
                "predicted": row.label,
                "right": row.correct,
                "baseline_right": None if other is None else other[place].correct,
            }
            for place, (row, source) in enumerate(zip(rows, suite.sources, strict=True))
        ],
    }


def regression_sentence(result: dict[str, Any]) -> str:
    """The result as a sentence or two."""
    text = f"{result['right']} of {result['n']} earlier failures are right now"
    if result.get("n_missing"):
        text = f"{text}, {result['n_missing']} were not answered"
    if result["baseline"] is not None:
        text += f" (baseline {result['baseline']['name']}: {result['baseline']['right']})"
    shared = [f"{count} in {split}" for split, count in result["overlaps"].items() if count]
    text += "; they chose nothing."
    if shared:
        text += f" Some are among this study's own examples: {', '.join(shared)}."
    return text


def _predicted(
    context: StudyContext, suite: RegressionSuite, name: str, predictor: Predictor
) -> Predictions:
    path = context.folder.predictions_file(name)
    if path.exists():
        kept = Predictions.from_jsonl(path)
        if [(r.example_id, r.target) for r in kept] == [(e.id, e.label) for e in suite.examples]:
            if not kept.n_missing:
                return kept
            block = context.spec.block
            rows = predict_missing(predictor, kept, suite.examples, block, context.cancellation)
            rows.to_jsonl(path)
            return rows
    context.events.emit(Phase(name))
    rows, _ = predict_in_blocks(predictor, suite.examples, context.spec.block, context.cancellation)
    rows.to_jsonl(path)
    return rows
