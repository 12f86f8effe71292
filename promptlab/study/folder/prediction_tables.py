"""Tables of predictions as they are read back: of exactly the examples that they should be of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from promptlab.data.example import Example
from promptlab.errors import StudyError
from promptlab.evaluation.predictions import Predictions


def read_table(path: Path, examples: Sequence[Example], labels: Sequence[str]) -> Predictions:
    """Predictions of exactly these examples, in their order, each once.

    Raises `InputError` naming the file and what is wrong with it.
    """
    rows = Predictions.from_jsonl(path)
    ids = [row.example_id for row in rows]
    wanted = [example.id for example in examples]
    if ids != wanted:
        raise StudyError(f"{path} {_difference(ids, wanted)}, so the file is damaged")
    for row, example in zip(rows, examples, strict=True):
        if row.target != example.label:
            raise StudyError(
                f"{path}: the example {row.example_id} is labelled {example.label!r} and not "
                f"{row.target!r}, so the file is damaged"
            )
        if labels and row.label is not None and row.label not in labels:
            raise StudyError(
                f"{path}: the example {row.example_id} has the prediction {row.label!r:.60}, which "
                "is no label of the task, so the file is damaged"
            )
    return rows


def _difference(ids: Sequence[str], wanted: Sequence[str]) -> str:
    """How the examples of a table differ from those that it should have."""
    twice = len(ids) - len(set(ids))
    missing, strange = set(wanted) - set(ids), set(ids) - set(wanted)
    told = [
        f"{count} {what}"
        for count, what in ((len(missing), "missing"), (len(strange), "strange"), (twice, "double"))
        if count
    ]
    rows = f"holds {len(ids)} predictions for {len(wanted)} examples"
    return f"{rows} ({', '.join(told)})" if told else f"{rows} in another order"
