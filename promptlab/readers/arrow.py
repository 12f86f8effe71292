"""Parquet and Arrow files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptlab.errors import DataError
from promptlab.readers.rows import Row, Rows, check_columns


def read_arrow(path: Path) -> Rows:
    """Parquet, or Arrow in its file or stream form; class numbers become class names."""
    import pyarrow as pa
    import pyarrow.parquet

    try:
        if path.suffix.lower() == ".parquet":
            table = pyarrow.parquet.ParquetFile(path).read()
        else:
            table = _arrow_table(path)
    except pa.ArrowException as error:
        kind = path.suffix.lower().lstrip(".").capitalize()
        raise DataError(f"{path} is no readable {kind} file: {error}") from error
    columns = tuple(table.schema.names)
    check_columns(path, columns, "")
    names = _class_names(table.schema.metadata or {})
    records = table.to_pylist()
    for column, labels in names.items():
        for record in records:
            number = record.get(column)
            if isinstance(number, int) and 0 <= number < len(labels):
                record[column] = labels[number]
    rows = tuple(Row(number, record) for number, record in enumerate(records, start=1))
    return Rows(path, columns, rows, unit="row")


def _arrow_table(path: Path) -> Any:
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
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
