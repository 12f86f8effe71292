"""Where a trigger search stands: all that is needed to go on as if it had never stopped."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from promptlab.errors import InputError
from promptlab.files.cache import atomic_write
from promptlab.files.json_file import read_json
from promptlab.tuning.triggers.losses import Tokens


@dataclass(frozen=True)
class AcceptedTrigger:
    """A trigger that the search took on, at ``step`` (0: the one that it started from).

    ``loss`` is its mean loss in nats on that step's examples, ``score`` its dev score, and
    ``words`` its text.
    """

    step: int
    tokens: Tokens
    words: str
    loss: float
    score: float


@dataclass(frozen=True)
class SearchState:
    """``step`` steps are done, ``tokens`` is the trigger now, ``best`` the best on dev so far.

    ``recent`` are the steps (and their triggers) whose gradients the momentum still remembers.
    Random draws depend on the step's number alone, so nothing else has to be kept.
    """

    step: int
    tokens: Tokens
    best: AcceptedTrigger
    recent: tuple[tuple[int, Tokens], ...] = ()

    def record(self) -> dict[str, Any]:
        """Plain JSON data from which `of` makes the same state."""
        return asdict(self)

    @classmethod
    def of(cls, record: Any) -> SearchState:
        """The inverse of `record`; raises `InputError` for anything else."""
        try:
            best = record["best"]
            return cls(
                int(record["step"]),
                tuple(record["tokens"]),
                AcceptedTrigger(**(best | {"tokens": tuple(best["tokens"])})),
                tuple((int(step), tuple(tokens)) for step, tokens in record["recent"]),
            )
        except (LookupError, OverflowError, TypeError, ValueError) as error:
            raise InputError(f"this is not the state of a trigger search: {error!r}") from error

    def save(self, path: Path) -> None:
        """Write the state and its hash to a file, whole or not at all."""
        record = self.record()
        with atomic_write(path) as partial:
            text = json.dumps(record | {"hash": _hash(record)})
            partial.write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> SearchState:
        """Read what `save` wrote; raises `InputError` if the file holds something else."""
        try:
            record = read_json(path)
            # Earlier versions wrote no hash; a key that none wrote is damage, too.
            wanted = record.pop("hash", None) if isinstance(record, dict) else None
            if isinstance(record, dict) and record.keys() - cls.__dataclass_fields__.keys():
                raise InputError("it holds what no search has written")
            if wanted is not None and wanted != _hash(record):
                raise InputError("its hash is another one, so the file is damaged")
            return cls.of(record)
        except InputError as error:
            raise InputError(f"{path} is not the state of a trigger search ({error})") from error


def _hash(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
