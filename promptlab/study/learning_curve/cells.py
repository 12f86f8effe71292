"""The cells of a learning curve: one method on one draw, its predictions on test kept whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from promptlab.data.example import Example
from promptlab.errors import StudyError
from promptlab.evaluation.predictions import Predictions
from promptlab.files.cache import remove
from promptlab.files.text_file import is_there
from promptlab.security.untrusted_text import json_text
from promptlab.study.folder.documents import file_checksum, read_json_file
from promptlab.study.folder.folder import write_text
from promptlab.study.folder.prediction_tables import read_table
from promptlab.study.spec.curve_spec import CurveSpec

CellState = Literal["complete", "needs examples", "failed"]


@dataclass(frozen=True)
class CurveCell:
    """``method`` fitted on ``size`` examples a class drawn with ``seed``; ``number`` from 0."""

    number: int
    method: str
    size: int
    seed: int

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.method} · {self.size} · seed {self.seed}"


@dataclass(frozen=True)
class CellResult:
    """What came of a cell: ``value`` over the ``n`` answered examples and costs, or the ``reason``.

    ``n_missing`` examples of the test split were not answered. ``tokens`` are those of the
    predictions, ``seconds`` fitting and predicting. ``repeats`` names the seed whose cell was the
    same work, so that it was not done again. ``rests_on`` is the key of what it rests on.
    """

    method: str
    size: int
    seed: int
    state: CellState
    n: int | None = None
    value: float | None = None
    unparsed_rate: float | None = None
    tokens: int = 0
    seconds: float = 0.0
    reason: str | None = None
    repeats: int | None = None
    n_missing: int = 0
    rests_on: str | None = None
    checksum: str | None = None

    @property
    def complete(self) -> bool:
        """Whether there is a value."""
        return self.state == "complete"

    def row(self) -> dict[str, Any]:
        """As JSON data of the result."""
        return {key: value for key, value in asdict(self).items() if key != CHECKSUM}


CHECKSUM = "checksum"
"""What a cell's file says beside its result: the hash of its predictions."""
_CLOSE = 1e-9
AGAIN = "remove it, and `promptlab study run` computes the cell again"
_TYPES: dict[str, tuple[type, ...]] = {
    "method": (str,), "size": (int,), "seed": (int,), "state": (str,),
    "n": (int, type(None)), "value": (int, float, type(None)),
    "unparsed_rate": (int, float, type(None)), "tokens": (int,), "seconds": (int, float),
    "reason": (str, type(None)), "repeats": (int, type(None)), "n_missing": (int,),
    "checksum": (str, type(None)), "rests_on": (str, type(None)),
}  # fmt: skip


def read_cell_result(path: Path) -> CellResult:
    """What a cell's file says. Raises `StudyError` naming the file when it is damaged."""
    record = read_json_file(path, AGAIN)
    if not isinstance(record, dict) or not set(record) >= {"method", "size", "seed", "state"}:
        raise StudyError(f"{path} does not tell what came of a cell; {AGAIN}")
    for key, value in record.items():
        if key not in _TYPES or not isinstance(value, _TYPES[key]) or isinstance(value, bool):
            raise StudyError(f"{path}: {key} is {value!r:.60}, which no cell has; {AGAIN}")
    if record["state"] not in get_args(CellState):
        raise StudyError(f"{path}: state is {record['state']!r:.60}, which no cell has; {AGAIN}")
    return CellResult(**record)


def curve_cells(spec: CurveSpec) -> list[CurveCell]:
    """Every cell, the small sizes first."""
    cells = [
        (method.name, size, seed)
        for size in sorted(spec.sizes)
        for seed in spec.seeds
        for method in spec.methods
    ]
    return [CurveCell(number, *cell) for number, cell in enumerate(cells)]


class CellFiles:
    """``cells/<method>-<size>-<seed>``: ``.jsonl`` predictions on test, ``.json`` what came of it.

    The second is written last, so that a cell that has it is finished and kept.
    """

    def __init__(self, folder: Path, slugs: dict[str, str]) -> None:
        self.folder = folder / "cells"
        self._slugs = slugs

    def stem(self, cell: CurveCell | CellResult) -> str:
        """The name of the cell's files, without an ending."""
        return f"{self._slugs[cell.method]}-{cell.size}-{cell.seed}"

    def learner_folder(self, cell: CurveCell | CellResult) -> Path:
        """Where the cell's learner keeps how far it is, until the cell is finished."""
        return self.folder / self.stem(cell)

    def read(self, cell: CurveCell) -> CellResult | None:
        """What came of a finished cell, ``None`` if it is still to be computed."""
        path = self.folder / f"{self.stem(cell)}.json"
        if not is_there(path):
            return None
        found = read_cell_result(path)
        if (found.method, found.size, found.seed) != (cell.method, cell.size, cell.seed):
            raise StudyError(f"{path} tells of another cell; {AGAIN}")
        if found.complete and not is_there(self._rows_file(found)):
            return None
        return found

    def predictions(self, cell: CurveCell | CellResult) -> Predictions:
        """The test predictions of a complete cell."""
        return Predictions.from_jsonl(self._rows_file(cell))

    def check(
        self,
        found: CellResult,
        examples: Sequence[Example],
        labels: Sequence[str],
        compute: Callable[[Predictions], float],
    ) -> None:
        """Raise `InputError` naming the file when a cell is not what its predictions come to."""
        if not found.complete:
            return
        path = self._rows_file(found)
        rows = read_table(path, examples, labels)
        tokens = rows.tokens if found.repeats is None else 0
        counts = (len(rows.answered), rows.n_missing, tokens, rows.unparsed_rate)
        if (found.n, found.n_missing, found.tokens, found.unparsed_rate) != counts:
            raise StudyError(f"{path} holds other predictions than the cell was measured by")
        if found.value is None or abs(float(compute(rows)) - found.value) > _CLOSE:
            raise StudyError(f"{path} gives another value than the {found.value} of its cell")
        if found.checksum is not None and file_checksum(path) != found.checksum:
            raise StudyError(f"{path} is not as it was written (its checksum is another one)")

    def write(self, found: CellResult, rows: Predictions | None = None) -> None:
        """Write a finished cell; what its learner kept to continue from is removed."""
        if rows is not None:
            rows.to_jsonl(self._rows_file(found))
            found = replace(found, checksum=file_checksum(self._rows_file(found)))
        text = json_text(asdict(found), indent=2) + "\n"
        write_text(self.folder / f"{self.stem(found)}.json", text)
        remove(self.learner_folder(found))

    def remove(self, cell: CurveCell) -> None:
        """Remove what is kept of a cell."""
        remove(self.folder / f"{self.stem(cell)}.json")
        remove(self._rows_file(cell))

    def _rows_file(self, cell: CurveCell | CellResult) -> Path:
        return self.folder / f"{self.stem(cell)}.jsonl"
