"""What is in a study's files decides; where they lie does not."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from promptlab.models.local import LocalModel
from promptlab.study.folder.named_files import (
    absolute_files,
    find_again,
    resolve_beside,
    seen_from,
    without_folders,
)
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from tests.helpers.study_fixtures import study_document, write_reviews, write_study

NAMED: dict[str, Any] = {
    "task": {"data": "/here/rows.csv"},
    "model": {"name": "/here/model"},
    "regression": "/here/suite.jsonl",
    "candidates": [
        {"kind": "template", "templates": [{"text": "/{text} {mask}"}]},
        {
            "kind": "retrieval",
            "passages": "/here/texts.txt",
            "inner": {"unlabelled": "/here/u.csv"},
        },
        {"kind": "retrieval", "passages": ["/no/file"]},
    ],
}


def test_files_are_named_wherever_they_stand() -> None:
    assert absolute_files(NAMED) == {
        "task.data": "/here/rows.csv",
        "model.name": "/here/model",
        "regression": "/here/suite.jsonl",
        "candidates.1.passages": "/here/texts.txt",
        "candidates.1.inner.unlabelled": "/here/u.csv",
    }


def test_without_folders_only_names_are_left_and_texts_stay() -> None:
    before = copy.deepcopy(NAMED)
    found = without_folders(NAMED)
    assert before == NAMED
    assert not absolute_files(found)
    assert found["task"]["data"] == "rows.csv"
    assert found["candidates"][0] == NAMED["candidates"][0]
    assert found["candidates"][2] == NAMED["candidates"][2]
    relative = {"task": {"data": "sst2"}, "model": {"name": "org/model"}}
    assert without_folders(relative) == relative


def test_what_was_moved_together_is_found_again(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "runs" / "one"
    folder.mkdir(parents=True)
    (tmp_path / "a" / "rows.csv").write_text("text\n")
    document = {"task": {"data": str(tmp_path / "a" / "rows.csv")}, "model": {"name": "/x"}}
    document["resolved"] = {"beside": seen_from(folder, document)}
    assert document["resolved"]["beside"] == {"task.data": "../../rows.csv"}
    (tmp_path / "a").rename(tmp_path / "b")
    find_again(document, tmp_path / "b" / "runs" / "one")
    assert document["task"]["data"] == str(tmp_path / "b" / "rows.csv")
    assert document["model"]["name"] == "/x"
    find_again({"task": {"data": "/x"}, "resolved": {"beside": {"task.data": 3}}}, tmp_path)


def test_paths_beside_the_study_file_become_absolute(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text\n")
    document: dict[str, Any] = {
        "task": "rows.csv",
        "candidates": [{"inner": {"passages": "rows.csv"}}, {"passages": "train"}],
    }
    resolve_beside(document, tmp_path)
    assert document == {
        "task": {"data": str(tmp_path / "rows.csv")},
        "candidates": [{"inner": {"passages": str(tmp_path / "rows.csv")}}, {"passages": "train"}],
    }


def test_a_study_moved_with_its_files_goes_on(tmp_path: Path, masked: LocalModel) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    write_reviews(first / "reviews.csv")
    document = study_document(Path("reviews.csv"), budget={"trials": 3}, sampler="random")
    spec = load_spec(write_study(first / "study.yaml", document))
    before = StudyRun(spec, out=first / "runs", model=masked).run()
    (first / "runs" / "reviews" / "leaderboard.json").unlink()  # as if it had been killed
    first.rename(second)
    recorded = load_spec(second / "runs" / "reviews" / "study.yaml")
    assert recorded.task.data == str(second / "reviews.csv")
    assert recorded.fingerprint == spec.fingerprint
    moved = load_spec(second / "study.yaml")
    board = StudyRun(moved, out=second / "runs", model=masked).run()
    assert board["trials"] == before["trials"]
    kept = yaml.safe_load((second / "runs" / "reviews" / "study.yaml").read_text())
    assert kept["task"]["data"] == str(second / "reviews.csv")
