"""The report of a study's folder: whole, escaped, free of outside requests."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest

from promptlab.errors import StudyError
from promptlab.study.report.leaderboard_rows import prompt_parts
from promptlab.study.report.report import write_report
from tests.helpers.report_fixtures import (
    HOSTILE,
    Page,
    render,
    sample_board,
    sample_failures,
    write_folder,
)


def test_the_sample_shows_every_part(tmp_path: Path) -> None:
    html, page = render(tmp_path, sample_board(), sample_failures())
    assert "81.2" in page.text
    assert "That is 30.3 points better than the majority baseline" in page.text
    assert "exact McNemar test, p < 0.001" in page.text
    for part in (
        "Leaderboard",
        "Spread between templates",
        "Optimisation history",
        "Controls",
        "Parameter importances",
        "Cost and worth",
        "Confusion matrix",
        "Failures",
        "Reproduce",
        "not distinguishable",
        "worse than the median",
        "shuffled-labels",
    ):
        assert part in page.text
    assert "templates: [sentiment/*]" in page.text
    assert '<mark class="slot">{mask}</mark>' in html
    assert page.tags.count("details") == 20 + 40
    assert len(html) < 200_000
    assert not list(tmp_path.glob("*.partial"))


def test_nothing_is_asked_of_the_network(tmp_path: Path) -> None:
    html, page = render(tmp_path, sample_board(), sample_failures())
    assert not re.search(r"https?:|url\(|@import|//[a-z]", html)
    assert not {"link", "img", "iframe", "object", "base"} & set(page.tags)
    assert all(name not in ("src", "style") for _, name, _ in page.attributes)
    links = [value for _, name, value in page.attributes if name == "href"]
    ids = {value for _, name, value in page.attributes if name == "id"}
    assert links
    assert all(link.startswith("#") and link[1:] in ids for link in links)
    policy = next(value for _, name, value in page.attributes if "default-src" in value)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_hostile_text_is_only_text(tmp_path: Path) -> None:
    board = sample_board()
    harmless = Page(write_report(write_folder(tmp_path, board, sample_failures(1))).read_text())
    board["study"] = board["objective"] = HOSTILE
    board["task"]["name"] = board["model"]["name"] = HOSTILE
    board["statements"] = [HOSTILE, HOSTILE]
    board["comparison"]["baseline"] = HOSTILE
    board["best"]["prompt"] = board["best"]["name"] = HOSTILE + "{mask}"
    board["confusion"]["labels"] = [HOSTILE, "b"]
    board["importances"] = {HOSTILE: 1.0, "b": 0.5, "c": 0.1}
    for trial in board["trials"]:
        trial["prompt"] = trial["name"] = HOSTILE + "{mask}"
        trial["candidate"] = {
            "template": HOSTILE + str(trial["number"] % 6),
            "calibration": HOSTILE + str(trial["number"] % 3),
        }
        trial["reason"] = trial["reason"] and HOSTILE
    for row in board["baselines"]:
        row["note"] = HOSTILE
    failure = {
        "example_id": HOSTILE,
        "fields": {HOSTILE: HOSTILE, "b": HOSTILE},
        "prompt": HOSTILE,
        "expected": HOSTILE,
        "actual": "x",
        "scores": {"x": -0.1},
    }
    html, page = render(tmp_path, board, [failure])
    assert page.tags.count("script") == harmless.tags.count("script") == 1
    assert page.tags.count("style") == harmless.tags.count("style") == 1
    assert set(page.tags) == set(harmless.tags)
    assert not any(name.startswith("on") for _, name, _ in page.attributes)
    assert html.count("</script>") == 1
    assert page.text.count(HOSTILE) > 20
    assert "49" not in re.sub(r"\d*\.\d+|\d{3,}", "", page.text.split("Leaderboard")[0])


def test_an_unfinished_study_has_a_report(tmp_path: Path) -> None:
    empty: dict[str, Any] = {"study": "s", "objective": "accuracy", "trials": [], "best": None}
    _, page = render(tmp_path, empty, [])
    assert "No trial has finished" in page.text
    board = sample_board()
    board["best"]["test"] = None
    board["comparison"] = None
    board["confusion"] = None
    board["baselines"] = []
    (tmp_path / "study.yaml").unlink()
    _, page = render(tmp_path, board, [])
    assert "The test split has not been touched yet" in page.text


def test_an_objective_other_than_accuracy_leads_where_there_is_no_accuracy(tmp_path: Path) -> None:
    board = sample_board()
    board["objective"] = "matthews"
    for row in [*board["trials"], board["best"], *board["baselines"]]:
        for split in ("dev", "test"):
            if row.get(split):
                row[split] = {"matthews": row[split]["accuracy"] - 0.55, "n": 218}
    _, page = render(tmp_path, board, [])
    assert "matthews 0.262 on the untouched test split" in page.text


def test_one_trial_and_values_that_are_not_numbers(tmp_path: Path) -> None:
    board = sample_board()
    board["trials"] = board["trials"][:1]
    board["trials"][0]["tokens_per_example"] = math.nan
    board["history"] = board["history"][:1]
    board["importances"] = {"template": math.nan}
    board["seconds"] = None
    _, page = render(tmp_path, board, [])
    assert "Optimisation history" in page.text


def test_a_great_many_failures_are_cut_and_said_so(tmp_path: Path) -> None:
    failures = sample_failures(520)
    failures[0]["fields"]["text"] = "x" * 100_000
    html, page = render(tmp_path, sample_board(), failures)
    assert "500 of 520 (the rest is in failures.jsonl)" in page.text
    assert "96,000 more characters" in page.text
    assert len(html) < 1_500_000


def test_slot_soft_and_trigger_are_marked() -> None:
    assert prompt_parts("a [MASK] b {soft:20} {trigger:5} ____") == [
        ("", "a "),
        ("slot", "[MASK]"),
        ("", " b "),
        ("soft", "{soft:20}"),
        ("", " "),
        ("trigger", "{trigger:5}"),
        ("", " "),
        ("slot", "____"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        ("{", "no JSON document"),
        ("[]", "no list of trials"),
        ('{"trials": [{"number": 1}], "objective": "accuracy"}', "not as this version writes it"),
    ],
)
def test_a_folder_that_holds_no_leaderboard(
    tmp_path: Path, content: str | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "leaderboard.json").write_text(content)
    with pytest.raises(StudyError, match=message):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_a_broken_failure_line_is_named(tmp_path: Path) -> None:
    write_folder(tmp_path, sample_board(), [])
    (tmp_path / "failures.jsonl").write_text('{"expected": "a"}\n{oops\n')
    with pytest.raises(StudyError, match="line 2"):
        write_report(tmp_path)
