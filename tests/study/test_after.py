"""Kinds that build on others, killed when all of a batch is asked for, or part of it is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from promptlab.events import Event, TrialAsked, TrialFinished
from promptlab.models.local import LocalModel
from tests.helpers.interrupted_studies import Killed, Place, Switch, differences, whole
from tests.helpers.study_fixtures import study_document, write_reviews

TEMPLATES: dict[str, Any] = study_document(Path())["candidates"][0] | {"calibration": ["none"]}
ENSEMBLE: dict[str, Any] = {"kind": "ensemble", "top": [2, 3], "method": ["majority"]}
SOFT: dict[str, Any] = {
    "kind": "soft_prompt",
    "templates": TEMPLATES["templates"][:1],
    "length": [1, 2],
    "steps": 2,
    "batch_size": [4],
    "evaluate_every": 2,
}
STUDENT: dict[str, Any] = {
    "kind": "distillation",
    "top": [2],
    "temperature": [1.0, 2.0],
    "epochs": 1,
}
AFTER: dict[str, list[dict[str, Any]]] = {
    "ensembles": [TEMPLATES, ENSEMBLE],
    "words": [SOFT, {"kind": "words", "rank": [1, 2]}],
    "students and ensembles of them": [
        TEMPLATES,
        STUDENT,
        ENSEMBLE | {"of": ["distillation", "template"]},
    ],
}
KILLS: dict[str, list[tuple[type[Event], int]]] = {
    "ensembles": [(TrialAsked, 5), (TrialFinished, 1)],
    "words": [(TrialAsked, 4), (TrialFinished, 1)],
    "students and ensembles of them": [
        (TrialFinished, 4),
        (TrialAsked, 2),
        (TrialFinished, 1),
    ],
}
"""The event of a run at which it is killed, counted from 1, run after run."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reviews(tmp_path_factory.mktemp("data") / "reviews.csv")


class Ending(Switch):
    """Kills at the ``count``-th event of a type."""

    def __init__(self, what: type[Event], count: int) -> None:
        super().__init__()
        self._what, self._left = what, count

    def __call__(self, event: Event) -> None:
        self._left -= isinstance(event, self._what)
        if not self._left:
            raise Killed


@pytest.mark.parametrize("case", AFTER)
def test_what_builds_on_others_goes_on_as_without_a_kill(
    case: str, data: Path, tmp_path: Path, masked: LocalModel
) -> None:
    """Its kind knows what was complete, though the killed run has asked for all of it."""
    changes: dict[str, Any] = {"candidates": AFTER[case], "block": 12}
    undisturbed = Place(data, tmp_path / "undisturbed", model=masked, **changes)
    board = undisturbed.run()
    place = Place(data, tmp_path / "killed", model=masked, **changes)
    for what, count in KILLS[case]:
        with pytest.raises(Killed):
            place.run(Ending(what, count))
    again = place.run()
    assert {row["state"] for row in place.rows()} == {"COMPLETE"}
    assert not (found := differences(place.rows(), undisturbed.rows())), found
    assert whole(again) == whole(board)
