"""Records of failures with many labels, written sparsely: what they all share is written once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptlab.errors import DataError
from promptlab.files.provenance import content_hash

TABLES = "failure_answers.json"
"""Beside a failure log: the words by which labels are said, where there are many labels."""
MANY = 20
"""With more labels than this, records hold the likeliest ones alone."""
LIKELIEST = 10


class AnswerTables:
    """Mappings from labels to answers that many records share, by their content's hash."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, str]] = {}

    def sparse(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """A failure's record with its answers by their hash, and its likeliest labels.

        The expected and the actual label keep their scores, too. Records with few labels stay.
        """
        found = {**record, "answers": self._named(record["answers"])}
        found["members"] = [
            {**one, "answers": self._named(one["answers"])} for one in record["members"]
        ]
        scores = record["scores"]
        if scores is not None and len(scores) > MANY:
            best = sorted(scores, key=lambda label: -scores[label])[:LIKELIEST]
            kept = {*best, record["expected"], record["actual"]}
            found["scores"] = {label: value for label, value in scores.items() if label in kept}
        return found

    def _named(self, answers: dict[str, str]) -> dict[str, str] | str:
        if len(answers) <= MANY:
            return answers
        key = _key(answers)
        self.tables[key] = answers
        return key


def restore_record(
    record: Mapping[str, Any], tables: Mapping[str, Any], place: str
) -> dict[str, Any]:
    """The inverse of `AnswerTables.sparse`, but for scores that were left out.

    Raises `DataError` for a hash that stands for no table.
    """
    found = {**record}
    if "answers" in record:
        found["answers"] = _answers(record["answers"], tables, place)
    members = record.get("members")
    if isinstance(members, list):
        found["members"] = [
            {**one, "answers": _answers(one.get("answers", {}), tables, place)}
            if isinstance(one, dict)
            else one
            for one in members
        ]
    return found


def _answers(said: Any, tables: Mapping[str, Any], place: str) -> Any:
    if not isinstance(said, str):
        return said
    if said not in tables:
        raise DataError(
            f"{place}: names the answers {said!r:.40}, which are not in {TABLES} beside the file; "
            "copy both files"
        )
    return tables[said]


def read_tables(path: Path) -> dict[str, Any]:
    """The tables beside a failure log; none where there are few labels. Raises `DataError`."""
    file = path.with_name(TABLES)
    if not file.exists():
        return {}
    try:
        tables = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(tables, dict):
            raise ValueError("it holds no mapping")
        for key, table in tables.items():
            if not isinstance(table, dict) or key != _key(table):
                raise ValueError(f"the answers {key!r:.40} are not what was written")
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"{file} cannot be read ({error}); bring back the file that was there"
        ) from error
    return dict(tables)


def _key(answers: Mapping[str, Any]) -> str:
    return content_hash(json.dumps(answers, ensure_ascii=False))
