"""A study's finished trials as rows, while it runs: only what is new is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from promptlab.errors import StudyError
from promptlab.study.folder.folder import StudyFolder
from promptlab.study.learning_curve.cells import read_cell_result


class StoredTrials:
    """Rows of the trials in the storage of a study's folder; reads, and never writes."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = StudyFolder(folder)
        self._name = name
        self._study: Any = None
        self._inode = -1
        self.planned: int | None = None
        self.cost: dict[str, Any] | None = None
        self.seconds = 0.0

    def rows(self) -> tuple[list[dict[str, Any]], int]:
        """A row for every different candidate that was judged, and how many trials are finished."""
        from promptlab.study.decision.trial_row import trial_row
        from promptlab.study.folder.storage import storage_errors
        from promptlab.study.trials.trials import finished_trials, trial_record

        with storage_errors(self._folder.storage_url):
            study = self._opened()
            if study is None:
                return [], 0
            attributes = study.user_attrs
            self.planned = attributes.get("queued")
            self.cost = attributes.get("cost")
            self.seconds = float(attributes.get("seconds", 0.0))
            done = finished_trials(study)
        rows = [trial_row(trial) for trial in done if "repeats" not in trial_record(trial)]
        return rows, len(done)

    def close(self) -> None:
        """Let go of the storage."""
        if self._study is not None:
            self._study = None
            self._storage.engine.dispose()

    def _opened(self) -> Any:
        """The study, opened again when its file is another one; ``None``: it is not there yet."""
        path = self._folder.path / "study.db"
        inode = path.stat().st_ino if path.exists() else -1
        if inode != self._inode:
            self.close()
            self._inode = inode
        if self._study is None and inode != -1:
            self._study = self._open()
        return self._study

    def _open(self) -> Any:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            self._storage = optuna.storages.RDBStorage(
                self._folder.storage_url,
                engine_kwargs={"connect_args": {"timeout": 10}},
                skip_table_creation=True,
                skip_compatibility_check=True,
            )
            return optuna.load_study(study_name=self._name, storage=self._storage)
        except Exception as error:
            if _is_being_made(error):
                return None
            raise


def _is_being_made(error: Exception) -> bool:
    """Whether the storage's tables, or the study in them, are not there yet."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    return isinstance(error, KeyError | StorageInternalError | SQLAlchemyError)


class CellRows:
    """Rows of a learning curve's finished cells."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "cells"
        self._known: dict[str, dict[str, Any]] = {}

    def rows(self, objective: str) -> list[dict[str, Any]]:
        """A row for every cell, in the order of sizes, seeds and methods."""
        self._read()
        order = sorted(self._known.values(), key=lambda c: (c["size"], c["seed"], c["method"]))
        return [_cell_row(number, cell, objective) for number, cell in enumerate(order)]

    def curves(self) -> list[dict[str, Any]]:
        """Mean and interval by method and size, of the cells that have a value so far."""
        from promptlab.study.learning_curve.cells import CellResult
        from promptlab.study.learning_curve.result import curve_rows

        self._read()
        found = [CellResult(**cell) for cell in self._known.values()]
        methods = sorted({cell.method for cell in found})
        return curve_rows(methods, sorted({cell.size for cell in found}), found)

    def _read(self) -> None:
        """Take in the cells that are new."""
        for path in self._folder.glob("*.json"):
            if path.name not in self._known:
                try:
                    self._known[path.name] = asdict(read_cell_result(path))
                except StudyError:
                    continue  # a damaged cell, which the next run computes again


def _cell_row(number: int, cell: Mapping[str, Any], objective: str) -> dict[str, Any]:
    n, value = cell.get("n"), cell.get("value")
    return {
        "number": number,
        "state": cell["state"],
        "kind": None,
        "name": f"{cell['method']} · {cell['size']} · seed {cell['seed']}",
        "method": cell["method"],
        "size": cell["size"],
        "seed": cell["seed"],
        "dev": None if value is None else {objective: value, "n": n},
        "tokens_per_example": cell["tokens"] / n if n and cell.get("tokens") else None,
        "seconds": cell.get("seconds"),
        "reason": cell.get("reason"),
    }


class LoggedRows:
    """Rows of the trials that a log tells of, for a study whose storage is not in its folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = StudyFolder(folder)
        self._known: dict[int, dict[str, Any]] = {}

    def rows(
        self, finished: Mapping[int, Mapping[str, Any]], objective: str
    ) -> list[dict[str, Any]]:
        """A row for every different candidate that was judged; its predictions are read once."""
        for number, row in finished.items():
            if row.get("repeated") is None and number not in self._known:
                self._known[number] = self._row(number, row, objective)
        return list(self._known.values())

    def _row(self, number: int, row: Mapping[str, Any], objective: str) -> dict[str, Any]:
        from promptlab.study.spec.objective import make_objective, summarize_predictions

        found: dict[str, Any] = {
            "number": number,
            "state": row["state"],
            "kind": row.get("kind"),
            "name": row["name"],
            "params": {},
            "prompt": None,
            "dev": None,
            "tokens_per_example": None,
            "seconds": row["seconds"],
            "reason": row["reason"],
        }
        if self._folder.predictions_file(number).exists():
            table = self._folder.predictions(number)
            found["dev"] = summarize_predictions(table, [make_objective(objective)])
            found["tokens_per_example"] = table.tokens_per_example
        return found
