"""Every surface under attack, bounded; `tests/fuzz/run.py` does it at length."""

from __future__ import annotations

import pytest

from tests.fuzz.harness import attack, surfaces

_SECONDS = 5.0
"""For each surface, its material not counted."""
_PATIENCE = 20.0
"""More than by hand: other tests share the machine."""


@pytest.mark.parametrize("surface", surfaces())
def test_no_attempt_hangs_grows_fails_raw_or_runs_code(surface: str) -> None:
    report = attack(surface, attempts=300, seconds=_SECONDS, patience=_PATIENCE)
    assert report.attempts > 0
    assert not report.findings, "\n".join(str(finding) for finding in report.findings)
