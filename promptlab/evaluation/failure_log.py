"""The failure log: every failure with its prompt, corrected by hand, exported for training."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from promptlab.compat.earlier_names import earlier_names
from promptlab.errors import DataError
from promptlab.evaluation.failure import Correction, Failure
from promptlab.evaluation.failure_records import read_tables, restore_record
from promptlab.files.cache import atomic_write, file_lock
from promptlab.files.json_file import read_object
from promptlab.files.provenance import note_file
from promptlab.files.text_file import read_text_file
from promptlab.security.untrusted_text import json_lines

FAILURES, CORRECTIONS = "failures.jsonl", "corrections.jsonl"


@earlier_names(fine_tuning="fine_tuning_records", suite="regression_records")
class FailureLog:
    """``failures.jsonl`` of a study's folder, or any such file, with ``corrections.jsonl`` beside.

    Args:
        path: A decided study's folder, or the file.

    Attributes:
        failures: Every failure, its correction with it.
        corrections: The corrections by example id.

    Raises:
        DataError: When there is no such file, or for a line that is none of its kind.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> lost = Failure("1", {"text": "A bore."}, "A bore. It was {mask}", "bad", "good")
        >>> _ = write_lines(folder / "failures.jsonl", [lost.record()])
        >>> log = FailureLog(folder)
        >>> log.correct("1", expected="bad", any_answer=True).wanted_answer
        'bad'
        >>> log.fine_tuning_records()[0]["messages"][1]
        {'role': 'assistant', 'content': 'bad'}
    """

    def __init__(self, path: str | Path) -> None:
        path = Path(path)
        self.path = path / FAILURES if path.is_dir() else path
        if not self.path.is_file():
            raise DataError(
                f"{path} holds no failure log; give a study that is decided, its folder, or a "
                f"{FAILURES}"
            )
        about = self.path.stat()
        written = about.st_mtime_ns, about.st_ino, about.st_size
        self.failures: list[Failure] = list(_failures(self.path, written))
        self._read_corrections()

    @property
    def corrections_file(self) -> Path:
        """Where corrections are kept; a study that runs again leaves it alone."""
        return self.path.with_name(CORRECTIONS)

    @property
    def source(self) -> str:
        """What a regression suite calls the study: its folder's name."""
        return self.path.absolute().parent.name

    def correct(
        self,
        example_id: str,
        *,
        expected: str | None = None,
        accept: bool = False,
        note: str | None = None,
        any_answer: bool = False,
    ) -> Failure:
        """Keep a correction, in place of an earlier one; the failure with it.

        Args:
            example_id: The failure's example.
            expected: The right answer; where answers are labels, one of them.
            accept: The actual answer is acceptable.
            note: Why; ``None`` keeps the note of an earlier correction.
            any_answer: ``expected`` need not be a label of the task.

        Raises:
            DataError: For an unknown id, an answer that is no label of the task, or when there is
                not exactly one of ``expected`` and ``accept``.
        """
        if (expected is None) == (not accept):
            raise DataError(
                "a correction says which answer is expected, or accepts the actual one: give one "
                "of the two"
            )
        failure = self.find(example_id)
        if expected is not None and not any_answer and expected not in (self.labels or [expected]):
            raise DataError(
                f"{expected!r} is no label of this task; its labels are "
                f"{', '.join(map(repr, self.labels))} (to keep it all the same: any_answer)"
            )
        if accept and failure.actual is None:
            raise DataError(
                f"{example_id} has no answer that could be accepted ({failure.error or 'none came'}"
                "); say which one is expected"
            )
        with file_lock(self.corrections_file):
            self._read_corrections()
            earlier = self.corrections.get(example_id)
            kept = note if note is not None else earlier.note if earlier else ""
            self.corrections[example_id] = Correction(example_id, expected, accept, kept)
            self._write_corrections()
        return self.find(example_id)

    def withdraw(self, example_id: str) -> Failure:
        """Take a correction back; the failure as it was. Raises `DataError` if it has none."""
        self.find(example_id)
        with file_lock(self.corrections_file):
            self._read_corrections()
            if self.corrections.pop(example_id, None) is None:
                raise DataError(f"{example_id} has no correction that could be taken back")
            self._write_corrections()
        return self.find(example_id)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that answers are chosen among; none where they are open."""
        scored = [failure.scores for failure in self.failures if failure.scores]
        said = [failure.answers for failure in self.failures if failure.answers]
        decided = self.path.with_name("leaderboard.json")
        groups = (_labels_of(decided) if decided.exists() else (), *scored, *said)
        return tuple(dict.fromkeys(label for group in groups for label in group))

    def find(self, example_id: str) -> Failure:
        """The failure of an example. Raises `DataError` for an unknown id."""
        for one in self.failures:
            if one.example_id == example_id:
                return one
        some = ", ".join(one.example_id for one in self.failures[:5])
        raise DataError(f"{self.path} has no failure {example_id!r}; there are {some}, ...")

    def _read_corrections(self) -> None:
        """Those in the file right now: another process may have added some."""
        read = _read(self.corrections_file, _correction_from_record)
        self.corrections: dict[str, Correction] = {one.example_id: one for one in read}
        self._place_corrections()

    def _write_corrections(self) -> None:
        write_lines(self.corrections_file, map(asdict, self.corrections.values()))
        self._place_corrections()

    def _place_corrections(self) -> None:
        for place, one in enumerate(self.failures):
            said = self.corrections.get(one.example_id)
            if said != one.correction:
                self.failures[place] = replace(one, correction=said)

    def fine_tuning_records(self) -> list[dict[str, Any]]:
        """Dialogues for supervised fine-tuning: the prompt, and the answer that is wanted."""
        return [record for one in self.failures for record in one.fine_tuning_records()]

    def regression_records(self) -> list[dict[str, Any]]:
        """A regression suite for the next study's ``regression``."""
        records = [one.regression_record(self.source) for one in self.failures]
        return [record for record in records if record is not None]


@lru_cache(maxsize=4)
def _failures(path: Path, written: tuple[int, ...]) -> tuple[Failure, ...]:
    """A log as it was ``written`` at that time: it is asked again and again, and seldom changes."""
    tables, place = read_tables(path), str(path)
    return tuple(
        _read(path, lambda record: Failure.from_record(restore_record(record, tables, place)))
    )


def write_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> Path:
    """Write JSON Lines; the file appears whole or not at all."""
    with atomic_write(path) as partial:
        partial.write_text(json_lines(records), encoding="utf-8")
    return path


def read_lines(path: Path) -> list[tuple[str, Any]]:
    """Every JSON object of a file with its place. Raises `DataError` naming the line."""
    note_file(path)
    found = []
    lines = read_text_file(path, "bring a copy of it back", fault=DataError).split("\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        try:
            record = json.loads(line)
            json.dumps(record, ensure_ascii=False).encode()  # half characters cannot be written
        except (ValueError, RecursionError) as error:
            raise DataError(f"{place}: no JSON object ({error})") from error
        if not isinstance(record, dict):
            raise DataError(f"{place}: expected a JSON object, found {line[:40]!r}")
        found.append((place, record))
    return found


def _read(path: Path, make: Any) -> list[Any]:
    if not path.exists():
        return []
    made = []
    for place, record in read_lines(path):
        try:
            made.append(make(record))
        except ValidationError as error:
            raise DataError(f"{place}: not a record of this file ({_fault(error)})") from error
    return made


def _correction_from_record(record: Mapping[str, Any]) -> Correction:
    return TypeAdapter(Correction).validate_python(record)


def _fault(error: ValidationError) -> str:
    """The first thing that is wrong with a record, and where."""
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else str(first["msg"])


def _labels_of(board: Path) -> Iterable[str]:
    """The labels of the task that a study's result names."""
    mend = "remove it, and `promptlab study run` decides the study again"
    task = read_object(board, mend=mend, allow_nan=True).get("task") or {}
    labels = task.get("labels") if isinstance(task, dict) else None
    if not isinstance(labels or [], list) or not all(isinstance(one, str) for one in labels or []):
        raise DataError(f"{board}: task.labels is no list of labels; {mend}")
    return labels or []
