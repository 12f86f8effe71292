"""What the report says of groups beside the cheap baseline group."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from promptlab.models.local import LocalModel
from promptlab.study.decision.gains import GroupGain
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from tests.helpers.study_fixtures import study_document, write_reviews


def board_of(tmp_path: Path, model: LocalModel, baseline: str) -> dict[str, Any]:
    document = study_document(write_reviews(tmp_path / "r.csv"), baseline=baseline)
    found = StudyRun(load_spec(document, source="test"), out=tmp_path / baseline, model=model).run()
    return dict(found)


@pytest.mark.parametrize("baseline", ["template", "demonstrations"])
def test_groups_are_told_beside_the_baseline(
    tmp_path: Path, masked: LocalModel, baseline: str
) -> None:
    board = board_of(tmp_path, masked, baseline)
    other = {"template": "demonstrations", "demonstrations": "template"}[baseline]
    (gain,) = board["gains"]
    best = {row["kind"]: row for row in reversed(board["trials"])}
    assert (gain["group"], gain["trial"]) == (other, best[other]["number"])
    assert gain["value"] == best[other]["dev"]["accuracy"]
    assert gain["baseline_value"] == best[baseline]["dev"]["accuracy"]
    assert gain["difference"] == pytest.approx(gain["value"] - gain["baseline_value"])
    assert gain["tokens_ratio"] == pytest.approx(
        best[other]["tokens_per_example"] / best[baseline]["tokens_per_example"]
    )
    told = [text for text in board["statements"] if f"the baseline group {baseline!r}" in text]
    assert any(gain["verdict"] in text for text in told)
    page = (tmp_path / baseline / "reviews" / "report.html").read_text(encoding="utf-8")
    assert "Is the dearer way worth it?" in page
    assert f"{gain['tokens_ratio']:.1f} times" in page
    # The winner is compared on test with the best of the other side, whichever side it is on.
    winner = board["best"]["kind"]
    compared = board["comparisons"][1]["trial"]
    assert compared == best[baseline if winner == other else other]["number"]


@pytest.mark.parametrize(
    ("difference", "p", "said"),
    [
        (0.1, 0.2, "no measurable gain over"),
        (0.1, 0.01, "measurably better than"),
        (-0.1, 0.01, "measurably worse than"),
    ],
)
def test_the_verdict_in_words(difference: float, p: float, said: str) -> None:
    gain = GroupGain("tree", 4, "a tree", 0.4, 0.4 - difference, difference, p, 12.5)
    assert gain.verdict == said
    assert f"{said} X" in gain.sentence("X")
    assert "12.5 times the tokens" in gain.sentence("X")


def test_a_baseline_without_a_model_has_no_tokens_to_compare_with() -> None:
    gain = GroupGain("tree", 4, "a tree", 0.4, 0.3, 0.1, 0.5, None)
    assert gain.sentence("X").endswith("and the baseline asks no model.")
