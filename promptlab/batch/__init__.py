"""Saved predictors over whole files: what goes in, block by block, and what comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptlab import lazy_getattr

if TYPE_CHECKING:
    from promptlab.batch.file_prediction import predict_file, write_rows
    from promptlab.batch.input import guess_columns
    from promptlab.batch.prediction import BatchPrediction
    from promptlab.files.spreadsheet import csv_text, spreadsheet_safe

__all__ = [
    "BatchPrediction",
    "csv_text",
    "guess_columns",
    "predict_file",
    "spreadsheet_safe",
    "write_rows",
]

_HOMES = {
    "BatchPrediction": "promptlab.batch.prediction",
    "csv_text": "promptlab.files.spreadsheet",
    "guess_columns": "promptlab.batch.input",
    "predict_file": "promptlab.batch.file_prediction",
    "spreadsheet_safe": "promptlab.files.spreadsheet",
    "write_rows": "promptlab.batch.file_prediction",
}

if not TYPE_CHECKING:
    __getattr__ = lazy_getattr(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
