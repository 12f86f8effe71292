"""A few cycles of the soak in the suite: one study searched, one learned, one asked for."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from .cycles import Soaking
from .faulty import Faulty, faulty_endpoint
from .forks import Moment
from .kill_studies import table
from .studies import save_models, soaked_studies


@pytest.fixture
def served() -> Iterator[tuple[str, Faulty]]:
    with faulty_endpoint() as (endpoint, faulty):
        yield endpoint.url, faulty


@pytest.mark.parametrize(
    ("name", "share"), [("moved-tpe", 0.6), ("soft-halving", 0.7), ("thought", 0.5)]
)
def test_a_killed_study_ends_as_an_undisturbed_one(
    served: tuple[str, Faulty], tmp_path: Path, name: str, share: float
) -> None:
    """Killed before a file is touched, at a share of all that it touches."""
    url, faulty = served
    save_models(tmp_path)
    soaking = Soaking(name, soaked_studies(tmp_path, url)[name], tmp_path, faulty)
    touch = round(share * soaking.undisturbed.touches)
    cycle = soaking.cycle(1, most=1, moment=Moment(touch=touch, number=signal.SIGKILL))
    assert cycle.kills == 1
    assert cycle.is_equal, (cycle.failed, cycle.differences)
    assert name in table([cycle.record()])
