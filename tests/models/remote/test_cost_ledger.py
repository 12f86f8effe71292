"""The ledger: every entry counts once, whatever cut it, and none is lost on a full disk."""

from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from promptlab.errors import DiskError
from promptlab.models.remote.cost_ledger import COUNTS, CostLedger, CostLedgerReader

NOTHING = {**dict.fromkeys(COUNTS, 0), "dollars": 0.0}
PAID = {"requests": 1, "unheard": -1, "tokens_in": 10, "tokens_out": 2, "dollars": 0.5}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "study" / "cost.jsonl"


def request(ledger: CostLedger) -> None:
    ledger.add({"unheard": 1, "dollars": 0.0})
    ledger.add(PAID)


def test_sums_are_kept_from_run_to_run(path: Path) -> None:
    with CostLedger(path) as ledger:
        assert ledger.sums is None
        assert not path.exists()
        request(ledger)
        request(ledger)
    with CostLedger(path) as ledger:
        request(ledger)
        assert ledger.sums == NOTHING | {
            "requests": 3, "tokens_in": 30, "tokens_out": 6, "dollars": 1.5,
        }  # fmt: skip
        assert CostLedgerReader(path).sums() == ledger.sums
    assert [child.name for child in path.parent.iterdir()] == ["cost.jsonl"]


def test_an_entry_is_on_the_disk_before_anything_else_happens(path: Path) -> None:
    ledger = CostLedger(path)
    request(ledger)
    assert len(path.read_text().splitlines()) == 2  # and the file is still open
    ledger.close()


def test_a_line_that_was_cut_is_a_request_of_which_nothing_is_known(path: Path) -> None:
    with CostLedger(path) as ledger:
        request(ledger)
    with path.open("a") as stream:
        stream.write('{"requests": 1, "tok')
    with CostLedger(path) as ledger:
        request(ledger)
    with path.open("ab") as stream:
        stream.write(b'\n\x00\x00\xff\n[1]\n{"requests": "many"}\n{"requests": true}\n\n')
    for sums in (CostLedger(path).sums, CostLedgerReader(path).sums()):
        assert sums == NOTHING | {
            "requests": 2, "tokens_in": 20, "tokens_out": 4, "dollars": 1.0, "unheard": 5,
        }  # fmt: skip


def test_a_price_that_is_not_known_makes_the_sum_unknown(path: Path) -> None:
    with CostLedger(path) as ledger:
        request(ledger)
        ledger.add(PAID | {"dollars": None})
        request(ledger)
    sums = CostLedger(path).sums
    assert sums is not None
    assert (sums["requests"], sums["dollars"]) == (3, None)


def test_earlier_sums_come_first_and_once(path: Path) -> None:
    before = {"requests": 7, "tokens_in": 70, "tokens_out": 14, "dollars": 3.5}
    for count in (1, 2):
        with CostLedger(path, before) as ledger:
            request(ledger)
            sums = ledger.sums
        assert sums is not None
        assert (sums["requests"], sums["dollars"]) == (7 + count, 3.5 + 0.5 * count)


def test_threads_write_whole_lines(path: Path) -> None:
    with CostLedger(path) as ledger:

        def ask() -> None:
            for _ in range(50):
                request(ledger)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ledger.sums == CostLedger(path).sums == CostLedgerReader(path).sums()
    assert sum(json.loads(line).get("requests", 0) for line in path.open()) == 400


def test_a_reader_takes_what_was_added_since(path: Path) -> None:
    reader = CostLedgerReader(path)
    assert reader.sums() is None
    with CostLedger(path) as ledger:
        for count in (1, 2, 3):
            request(ledger)
            assert reader.sums() == ledger.sums
            assert (ledger.sums or {})["requests"] == count
    path.unlink()
    assert reader.sums() is None
    with CostLedger(path) as ledger:
        ledger.add({"cached": 1})
    assert (reader.sums() or {})["cached"] == 1


def test_a_full_disk_loses_nothing_that_was_under_way(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The room that was set aside is given up, the work stops, and the rest is still written."""
    ledger = CostLedger(path)
    request(ledger)
    reserve = path.with_name(".cost.jsonl.reserve")
    assert reserve.stat().st_size > 10_000
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if reserve.exists():
            if len(data) > 8:
                return write(descriptor, data[:8])  # a part of it has room
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(DiskError, match="the disk is full"):
        ledger.add({"unheard": 1})
    ledger.add(PAID)
    ledger.close()
    monkeypatch.undo()
    sums: dict[str, Any] = CostLedger(path).sums or {}
    assert (sums["requests"], sums["unheard"]) == (2, 0)
