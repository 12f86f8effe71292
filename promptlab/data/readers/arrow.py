"""Parquet and Arrow files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptlab.data.readers.rows import Row, Rows, check_columns
from promptlab.errors import DataError

_ROW_INDEX = re.compile(r"__index_level_\d+__")
"""Columns in which pandas keeps its row index."""


def read_parquet(path: Path, data: bytes) -> Rows:
    """Parquet; class numbers become class names, and text that is kept as bytes becomes text."""
    import pyarrow as pa
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(pa.BufferReader(data)).read()
    except pa.ArrowException as error:
        raise DataError(f"{path} is no readable Parquet file: {error}") from error
    return _rows(path, table)


def read_arrow(path: Path, data: bytes) -> Rows:
    """Arrow in its file or stream form, values as those of `read_parquet`."""
    import pyarrow as pa

    try:
        return _rows(path, _arrow_table(data))
    except pa.ArrowException as error:
        raise DataError(f"{path} is no readable Arrow file: {error}") from error


def _rows(path: Path, table: Any) -> Rows:
    columns = tuple(table.schema.names)
    check_columns(path, columns, "")
    names = _class_names(table.schema.metadata or {})
    kept = tuple(name for name in columns if not _ROW_INDEX.fullmatch(name))
    records = table.select(list(kept)).to_pylist()
    for column, labels in names.items():
        for record in records:
            number = record.get(column)
            if isinstance(number, int):  # -1 hides a label
                record[column] = labels[number] if 0 <= number < len(labels) else None
    rows = tuple(Row(number, _as_text(record)) for number, record in enumerate(records, start=1))
    return Rows(path, kept, rows, unit="row")


def _as_text(record: dict[str, Any]) -> dict[str, Any]:
    """The record with bytes that are UTF-8 as text."""
    for column, value in record.items():
        if isinstance(value, bytes):
            try:
                record[column] = value.decode("utf-8")
            except UnicodeDecodeError:
                continue  # it stays bytes, which no field and no label may be
    return record


def _arrow_table(data: bytes) -> Any:
    import pyarrow as pa

    with pa.BufferReader(data) as source:
        try:
            return pa.ipc.open_file(source).read_all()
        except pa.ArrowInvalid:
            source.seek(0)
            return pa.ipc.open_stream(source).read_all()


def _class_names(metadata: Mapping[bytes, bytes]) -> dict[str, list[str]]:
    """Class names that the ``datasets`` library keeps in an Arrow schema, by column."""
    if b"huggingface" not in metadata:
        return {}
    features = json.loads(metadata[b"huggingface"]).get("info", {}).get("features", {})
    return {
        column: feature["names"]
        for column, feature in features.items()
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
    }
