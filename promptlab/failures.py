"""The failure log: every miss with its prompt, corrected by hand, exported for training."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

from promptlab.cache import locked, written_whole
from promptlab.errors import DataError
from promptlab.example import Example
from promptlab.predictions import Prediction
from promptlab.trace import Trace

FAILURES, CORRECTIONS = "failures.jsonl", "corrections.jsonl"
SLOT = "{mask}"
BLANK = "____"


@dataclass(frozen=True)
class Correction:
    """What a person says about a miss: another ``expected`` answer, or that the reply is fine."""

    example_id: str
    expected: str | None = None
    accept: bool = False
    note: str = ""


@dataclass(frozen=True)
class Asked:
    """A prompt as a model read it, and the words by which it says each label (if it has them)."""

    prompt: str
    answers: dict[str, str] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True)
class Failure:
    """A miss: what was asked, what came back, and what was expected.

    ``actual`` is the predicted label, or the reply where none could be read; ``reply`` the text
    itself. ``prompt`` is that of the last step of a strategy; ``members`` holds the prompts of an
    ensemble's members. ``trace`` is the prediction's.
    """

    example_id: str
    fields: dict[str, str]
    prompt: str
    expected: str | None
    actual: str | None
    split: str = ""
    unparsed: bool = False
    scores: dict[str, float] | None = None
    reply: str | None = None
    error: str | None = None
    answers: dict[str, str] = field(default_factory=dict)
    members: list[dict[str, Any]] = field(default_factory=list)
    trace: Any = None
    correction: Correction | None = None

    @classmethod
    def of(cls, row: Prediction, example: Example, asked: Sequence[Asked], split: str) -> Self:
        """A wrong prediction; ``asked`` is one prompt, or those of an ensemble's members."""
        last = _last_step(row.trace)
        alone = asked[0] if len(asked) == 1 else Asked("\n\n".join(a.prompt for a in asked))
        return cls(
            example_id=row.example_id,
            fields=dict(example.fields),
            prompt=last.get("prompt") or alone.prompt,
            expected=row.target,
            actual=row.text if row.unparsed else row.label,
            split=split,
            unparsed=row.unparsed,
            scores=row.scores,
            reply=row.text if row.text is not None else last.get("reply"),
            error=row.error,
            answers=alone.answers,
            members=[asdict(one) for one in asked] if len(asked) > 1 else [],
            trace=row.trace,
        )

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """The inverse of `record`; keys that are unknown here are ignored."""
        known = {name: record[name] for name in cls.__dataclass_fields__ if name in record}
        return cls(**known | {"correction": None})

    def record(self) -> dict[str, Any]:
        """Plain JSON data, the correction beside it."""
        found = asdict(self)
        return found if self.correction else {k: v for k, v in found.items() if k != "correction"}

    @property
    def kind(self) -> Literal["wrong", "unparsed", "error"]:
        """How it failed: a wrong answer, a reply that none could be read from, no reply."""
        if self.error is not None:
            return "error"
        return "unparsed" if self.unparsed else "wrong"

    @property
    def confusion(self) -> tuple[str, str]:
        """Expected and actual answer as words; what is no answer stands in brackets."""
        expected = "(none)" if self.expected is None else self.expected
        if self.kind == "wrong":
            return expected, "(none)" if self.actual is None else self.actual
        return expected, "(error)" if self.kind == "error" else "(unparsed)"

    @property
    def right(self) -> str | None:
        """The answer that is wanted: the corrected one, or the data's."""
        if self.correction is None:
            return self.expected
        return self.actual if self.correction.accept else self.correction.expected

    def dialogues(self) -> list[dict[str, Any]]:
        """Supervised fine-tuning records, one a prompt; none where nothing is wanted of it."""
        if self.right is None:
            return []
        asked = [Asked(**one) for one in self.members] or [Asked(self.prompt, self.answers)]
        return [
            {
                "messages": [
                    {"role": "user", "content": _question(one.prompt)},
                    {"role": "assistant", "content": one.answers.get(self.right, self.right)},
                ]
            }
            for one in asked
        ]

    def check(self, source: str) -> dict[str, Any] | None:
        """A regression suite's record; none where nothing is wanted of it."""
        if self.right is None:
            return None
        note = self.correction.note if self.correction else ""
        return {
            "id": self.example_id,
            "fields": self.fields,
            "label": self.right,
            "prompt": self.prompt,
            "source": source,
        } | ({"note": note} if note else {})


class FailureLog:
    """``failures.jsonl`` of a study's folder, or any such file, with ``corrections.jsonl`` beside.

    Raises `DataError` when there is none, or for a line that is none of its kind.
    """

    def __init__(self, path: str | Path) -> None:
        path = Path(path)
        self.path = path / FAILURES if path.is_dir() else path
        if not self.path.is_file():
            raise DataError(
                f"{path} holds no failure log; give a study that is decided, its folder, or a "
                f"{FAILURES}"
            )
        self.failures: list[Failure] = _read(self.path, Failure.from_record)
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
        note: str = "",
    ) -> Failure:
        """Keep a correction, in place of an earlier one; the failure with it.

        Raises `DataError` for an unknown id, or when there is not exactly one of ``expected`` and
        ``accept``.
        """
        if (expected is None) == (not accept):
            raise DataError(
                "a correction says which answer is expected, or accepts the actual one: give one "
                "of the two"
            )
        failure = self.find(example_id)
        if accept and failure.actual is None:
            raise DataError(
                f"{example_id} has no answer that could be accepted ({failure.error or 'none came'}"
                "); say which one is expected"
            )
        with locked(self.corrections_file):
            self._read_corrections()
            self.corrections[example_id] = Correction(example_id, expected, accept, note)
            self._write_corrections()
        return self.find(example_id)

    def withdraw(self, example_id: str) -> Failure:
        """Take a correction back; the failure as it was. Raises `DataError` if it has none."""
        self.find(example_id)
        with locked(self.corrections_file):
            self._read_corrections()
            if self.corrections.pop(example_id, None) is None:
                raise DataError(f"{example_id} has no correction that could be taken back")
            self._write_corrections()
        return self.find(example_id)

    def find(self, example_id: str) -> Failure:
        """The failure of an example. Raises `DataError` for an unknown id."""
        for one in self.failures:
            if one.example_id == example_id:
                return one
        some = ", ".join(one.example_id for one in self.failures[:5])
        raise DataError(f"{self.path} has no failure {example_id!r}; there are {some}, ...")

    def _read_corrections(self) -> None:
        """Those in the file right now: another process may have added some."""
        read = _read(self.corrections_file, lambda record: Correction(**record))
        self.corrections: dict[str, Correction] = {one.example_id: one for one in read}
        self._place_corrections()

    def _write_corrections(self) -> None:
        write_lines(self.corrections_file, map(asdict, self.corrections.values()))
        self._place_corrections()

    def _place_corrections(self) -> None:
        self.failures = [
            replace(one, correction=self.corrections.get(one.example_id)) for one in self.failures
        ]

    def fine_tuning(self) -> list[dict[str, Any]]:
        """Dialogues for supervised fine-tuning: the prompt, and the answer that is wanted."""
        return [record for one in self.failures for record in one.dialogues()]

    def suite(self) -> list[dict[str, Any]]:
        """A regression suite for the next study's ``regression``."""
        records = [one.check(self.source) for one in self.failures]
        return [record for record in records if record is not None]


def write_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> Path:
    """Write JSON Lines; the file appears whole or not at all."""
    with written_whole(path) as partial, partial.open("w", encoding="utf-8") as stream:
        for record in records:
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")
    return path


def read_lines(path: Path) -> list[tuple[str, Any]]:
    """Every JSON object of a file with its place. Raises `DataError` naming the line."""
    found = []
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        try:
            record = json.loads(line)
        except ValueError as error:
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
        except (TypeError, KeyError) as error:
            raise DataError(f"{place}: not a record of this file ({error})") from error
    return made


def _last_step(trace: Any) -> dict[str, str]:
    """Prompt and reply of the last step that has a prompt."""
    if not isinstance(trace, Mapping) or "steps" not in trace:
        return {}
    for step in reversed(Trace.from_record(trace).steps):
        if step.prompt:
            return {"prompt": step.prompt, "reply": step.reply}
    return {}


def _question(prompt: str) -> str:
    """The prompt as a user says it: without its slot at the end, with a blank for one inside."""
    return prompt.rstrip().removesuffix(SLOT).rstrip().replace(SLOT, BLANK)
