"""What was learned is shown: the report, the study's steps, and ``promptlab explain``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptlab.study.folder.folder import read_leaderboard
from promptlab.study.folder.step_log import read_steps, step_files
from tests.helpers.command_line import OWN, Command, command, document, here, models, reviews, study  # noqa: F401

SOFT = {"text": "{text}{soft:3} It was {mask}", "answers": OWN}
TRIGGERS = {"text": "{text} {trigger:2} {mask}", "answers": OWN}
LEARNED: list[dict[str, Any]] = [
    {"kind": "template", "templates": [{"text": "{text} It was {mask}.", "answers": OWN}]},
    {"kind": "soft_prompt", "templates": [SOFT], "steps": 4, "evaluate_every": 2},
    {"kind": "triggers", "templates": [TRIGGERS], "steps": [3], "top": [4], "start": ["random"]},
    {"kind": "words"},
]


@pytest.fixture
def learned(study: Command, here: Path) -> Path:
    """The folder of a study that has learned."""
    outcome = study(study="learned", candidates=LEARNED, budget={"trials": 9})
    assert outcome.code == 0, outcome.err
    return here / "runs" / "learned"


def test_a_study_shows_what_was_learned(learned: Path, command: Command) -> None:
    board = read_leaderboard(learned)
    rows = {row["kind"]: row for row in board["trials"]}
    soft, triggers = rows["soft_prompt"]["number"], rows["triggers"]["number"]
    assert "{trigger" not in rows["triggers"]["prompt"]
    assert "{soft:3}" in rows["soft_prompt"]["prompt"]
    assert list(step_files(learned)) == sorted([soft, triggers])

    page = (learned / "report.html").read_text()
    assert page.count('<polyline class="trace') == 4  # loss and dev of two trials
    assert "Accepted steps of the trigger searches" in page
    steps = read_steps(step_files(learned)[triggers])
    assert all(row["notes"]["words"].split()[0] in page for row in steps)
    assert "Learned vectors in words" in page and "; in words accuracy" in page

    listed = json.loads(command("study", "show", "learned", "--steps", "--json").out)
    assert [row["trial"] for row in listed] == sorted([soft, triggers])
    assert listed[0]["steps"] == 4 and listed[0]["words"]
    out = command("study", "show", "learned", "--steps", soft, "--json").out
    assert json.loads(out) == read_steps(step_files(learned)[soft])
    followed = command("study", "show", "learned", soft, "--steps", "--follow", "--json").out
    assert [json.loads(line)["step"] for line in followed.splitlines()] == [1, 2, 3, 4]
    assert "step" in command("study", "show", "learned", "--steps", "--trial", triggers).out
    command("study", "show", "learned", "--steps", 99).refuses("has taken no steps", str(soft))
    command("study", "show", "learned", "--follow").refuses("--steps")
    command("study", "show", "nothing", "--steps").refuses("there is no study")


def test_the_reference_is_a_comparison_and_no_control(
    learned: Path,
    command: Command,
) -> None:
    board = read_leaderboard(learned)
    chosen = [row for row in board["comparisons"] if "why" in row]
    out = " ".join(command("study", "show", "learned").out.split())
    page = (learned / "report.html").read_text()
    assert "The winner against others" in page
    for row in chosen:
        assert f"compared with {row['baseline']}" in out
        assert f"control {row['baseline']}" not in out
    assert "control majority" in out


def test_a_search_is_watched_before_it_is_decided(
    learned: Path,
    command: Command,
) -> None:
    (learned / "leaderboard.json").unlink()
    rows = json.loads(command("study", "show", "learned", "--steps", "--json").out)
    assert rows and rows[0]["name"] is None
    command("study", "show", "learned").refuses("is not decided yet")


def test_explain_tells_the_prompt_its_words_and_their_worth(
    learned: Path,
    command: Command,
    reviews: Path,
) -> None:
    kinds = set()
    for folder in sorted((learned / "fitted").iterdir()):
        told = json.loads(command("explain", folder, reviews, "--limit", 30, "--json").out)
        assert told["kind"] == "PromptClassifier" and told["template"]
        assert told["data"]["n"] == told["reading"]["n"] == 30
        assert told["comparison"]["test"] == "mcnemar_exact"
        assert "{soft" not in told["words"] and "{trigger" not in told["words"]
        if told["learned"].get("vectors"):
            kinds.add("vectors")
            assert told["learned"]["vectors"] == len(told["nearest"]) == 3
            assert told["learned"]["start"]["init"] == "vocabulary"
            assert [len(row["tokens"]) for row in told["nearest"]] == [3, 3, 3]
        else:
            kinds.add("triggers")  # exactly those tokens, or the text that reads as them
            assert told["comparison"]["n_discordant"] == 0 or told["learned"]["triggers"]
    assert kinds == {"vectors", "triggers"}


def test_explain_of_what_has_no_words(models: Path, command: Command) -> None:
    told = json.loads(command("explain", models / "best", "--json").out)
    assert told["learned"] is None and told["words"] is None
    assert "nothing was learned" in told["no_words"]
    text = command("explain", models / "best").out
    assert "negative=terrible" in text and "in words: nothing was learned" in text


def test_explain_refuses(
    models: Path,
    command: Command,
    here: Path,
) -> None:
    (here / "odd.csv").write_text("text,label\na film,strange\n")
    (here / "bare.csv").write_text("text\na film\n")
    best = models / "best"
    command("explain", here).refuses("no saved predictor")
    command("explain", best, "odd.csv").refuses("'strange'", "'negative'")
    command("explain", best, "bare.csv").refuses("no labelled rows")
    command("explain", best, "rotten-tomatoes", "--split", "all").refuses("--split", "train")
    command("explain", best, "nothing").refuses("nothing")
