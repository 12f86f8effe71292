"""The cache of replies on disk: one file a model behind an endpoint, one entry a request."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from promptlab.errors import DiskError
from promptlab.files.cache import atomic_write, file_lock, print_to_stderr
from promptlab.files.entries import EntryFile, Row
from promptlab.files.provenance import content_hash

_KIND = "replies"


class ResponseCache:
    """Replies as JSON data by content hash, in one file; used by threads and processes.

    Every reply is written by itself, so that a killed process loses none that has come. A damaged
    one is told and asked anew; those of a version without checksums are taken over, because they
    were paid for. Raises `DiskError` when the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries = EntryFile(
            path,
            (_KIND,),
            what="kept replies",
            remade="asked anew",
            earlier={"replies": _earlier_replies},
        )

    def find(self, keys: Sequence[bytes]) -> dict[bytes, dict[str, Any]]:
        """The replies that are known among ``keys``."""
        found = self._entries.find(_KIND, keys)
        return {key: json.loads(value) for key, value in found.items()}

    def keep(self, key: bytes, reply: dict[str, Any]) -> None:
        """Keep a reply. Raises `DiskError` when the disk is full."""
        value = json.dumps(reply, ensure_ascii=False).encode("utf-8", "surrogatepass")
        self._entries.keep({_KIND: [(key, value)]})

    def close(self) -> None:
        """Close the file."""
        self._entries.close()


def _earlier_replies(connection: sqlite3.Connection) -> Iterator[Row]:
    """What a version without checksums kept, as far as it can be a reply."""
    for key, value in connection.execute("SELECT key, value FROM replies"):
        try:
            record = json.loads(value)
        except (TypeError, ValueError):
            continue
        if type(key) is bytes and isinstance(record, dict):
            yield key, value


def response_cache_path(folder: Path, key: str, told: Mapping[str, str], name: str) -> Path:
    """The file of the replies of a model that an endpoint says ``told`` of.

    When it says something else than before, the model behind the name is another one: kept replies
    stay where they are, are not given as its own, and serve again if the endpoint returns to what
    it said. One that says nothing is taken to be what it was.
    """
    path = folder / f"{key}.json"
    known = _read(path)
    if not told:
        return folder / (known[-1]["file"] if known else f"{key}.db")
    if known and _agrees(known[-1]["told"], told):
        return folder / str(known[-1]["file"])
    same = [one for one in known if _agrees(one["told"], told)]
    entry = same[-1] if same else {"file": _new_name(key, told, known), "told": dict(told)}
    if known:
        print_to_stderr(
            f"{name}: the endpoint says something else of this model than before "
            f"({_listed(known[-1]['told'], told)}), so its earlier replies are not used for it"
        )
    _write(path, [one for one in known if one is not entry] + [entry])
    return folder / str(entry["file"])


def _new_name(key: str, told: Mapping[str, str], known: list[dict[str, Any]]) -> str:
    """The first model has the plain name, under which earlier versions kept its replies."""
    if not known:
        return f"{key}.db"
    return f"{key}-{content_hash(json.dumps(dict(told), sort_keys=True))}.db"


def _agrees(before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether two answers of an endpoint differ in nothing that both say."""
    return all(before[name] == now[name] for name in before.keys() & now.keys())


def _listed(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    return ", ".join(sorted(n for n in before.keys() & now.keys() if before[n] != now[n]))


def _read(path: Path) -> list[dict[str, Any]]:
    """What was said before, the latest last; none if there is nothing, or nothing readable."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError, RecursionError) as error:
        print_to_stderr(
            f"{path} cannot be read ({error}); what the endpoint said before is not known"
        )
        return []
    if isinstance(known, list) and all(_is_entry(one, path) for one in known):
        return known
    print_to_stderr(f"{path} is damaged; what the endpoint said before is not known")
    return []


def _is_entry(one: Any, path: Path) -> bool:
    """Whether it is an entry as written here, whose file lies in the same folder."""
    file = one.get("file") if isinstance(one, dict) else None
    told = one.get("told") if isinstance(one, dict) else None
    return (
        isinstance(file, str)
        and file.startswith(path.stem)
        and Path(file).name == file
        and isinstance(told, dict)
        and all(isinstance(value, str) for value in told.values())
    )


def _write(path: Path, known: list[dict[str, Any]]) -> None:
    try:
        with file_lock(path), atomic_write(path) as partial:
            partial.write_text(json.dumps(known, indent=1), encoding="utf-8")
    except (OSError, DiskError) as error:
        print_to_stderr(f"what the endpoint says cannot be kept in {path}: {error}")
