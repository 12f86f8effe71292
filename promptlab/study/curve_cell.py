"""The cells of a learning curve: one method on one draw, its predictions on test kept whole."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from promptlab.cache import remove
from promptlab.predictions import Predictions
from promptlab.study.curve_spec import CurveSpec
from promptlab.study.folder import write_whole

State = Literal["complete", "needs examples", "failed"]


@dataclass(frozen=True)
class Cell:
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
class Found:
    """What came of a cell: ``value`` over the ``n`` answered examples and costs, or the ``reason``.

    ``n_missing`` examples of the test split were not answered. ``tokens`` are those of the
    predictions, ``seconds`` fitting and predicting. ``repeats`` names the seed whose cell was the
    same work, so that it was not done again. ``rests_on`` is the key of what it rests on.
    """

    method: str
    size: int
    seed: int
    state: State
    n: int | None = None
    value: float | None = None
    unparsed_rate: float | None = None
    tokens: int = 0
    seconds: float = 0.0
    reason: str | None = None
    repeats: int | None = None
    n_missing: int = 0
    rests_on: str | None = None

    @property
    def complete(self) -> bool:
        """Whether there is a value."""
        return self.state == "complete"

    def row(self) -> dict[str, Any]:
        """As JSON data."""
        return asdict(self)


def cells_of(spec: CurveSpec) -> list[Cell]:
    """Every cell, the small sizes first."""
    cells = [
        (method.name, size, seed)
        for size in sorted(spec.sizes)
        for seed in spec.seeds
        for method in spec.methods
    ]
    return [Cell(number, *cell) for number, cell in enumerate(cells)]


class CellFiles:
    """``cells/<method>-<size>-<seed>``: ``.jsonl`` predictions on test, ``.json`` what came of it.

    The second is written last, so that a cell that has it is finished and kept.
    """

    def __init__(self, folder: Path, slugs: dict[str, str]) -> None:
        self.folder = folder / "cells"
        self._slugs = slugs

    def stem(self, cell: Cell | Found) -> str:
        """The name of the cell's files, without an ending."""
        return f"{self._slugs[cell.method]}-{cell.size}-{cell.seed}"

    def work(self, cell: Cell | Found) -> Path:
        """Where the cell's learner keeps how far it is, until the cell is finished."""
        return self.folder / self.stem(cell)

    def found(self, cell: Cell) -> Found | None:
        """What came of a finished cell, ``None`` if it is still to be computed."""
        path = self.folder / f"{self.stem(cell)}.json"
        if not path.exists():
            return None
        found = Found(**json.loads(path.read_text(encoding="utf-8")))
        if found.complete and not self._rows_file(found).exists():
            return None
        return found

    def predictions(self, cell: Cell | Found) -> Predictions:
        """The test predictions of a complete cell."""
        return Predictions.from_jsonl(self._rows_file(cell))

    def keep(self, found: Found, rows: Predictions | None = None) -> None:
        """Write a finished cell; what its learner kept to continue from is removed."""
        if rows is not None:
            rows.to_jsonl(self._rows_file(found))
        text = json.dumps(found.row(), indent=2, ensure_ascii=False) + "\n"
        write_whole(self.folder / f"{self.stem(found)}.json", text)
        remove(self.work(found))

    def _rows_file(self, cell: Cell | Found) -> Path:
        return self.folder / f"{self.stem(cell)}.jsonl"
