"""From a labelled file to a study that runs as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from study_material import write_reviews

from promptlab.errors import DataError, StudyError
from promptlab.models.local import LocalModel
from promptlab.study.label_words import are_stars, label_answers, match_labels, plain
from promptlab.study.proposal import propose, write_proposal
from promptlab.study.run import StudyRun
from promptlab.study.spec import read_spec


def relabelled(path: Path, labels: dict[str, str]) -> Path:
    text = write_reviews(path).read_text()
    for old, new in labels.items():
        text = text.replace(f",{old}", f",{new}")
    path.write_text(text)
    return path


def test_known_labels_get_the_library_templates(tmp_path: Path, masked: LocalModel) -> None:
    data = relabelled(tmp_path / "opinions.csv", {"positive": "POS", "negative": "NEG"})
    proposal = propose(data)
    first = proposal.document["candidates"][0]["templates"][0]
    assert first["name"].startswith("sentiment/")
    assert set(first["answers"]) == {"POS", "NEG"}
    target = tmp_path / "study.yaml"
    write_proposal(proposal, target)
    board = StudyRun(read_spec(target), out=tmp_path / "runs", model=masked).run()
    assert board["best"]["test"]["n"] >= 20


def test_unknown_labels_get_general_templates(tmp_path: Path, masked: LocalModel) -> None:
    data = relabelled(tmp_path / "x.csv", {"positive": "FilmArt", "negative": "soup_kitchen"})
    document = propose(data).document
    answers = document["candidates"][0]["templates"][0]["answers"]
    assert answers == {"FilmArt": "film art", "soup_kitchen": "soup kitchen"}
    write_proposal(propose(data), tmp_path / "study.yaml")
    board = StudyRun(read_spec(tmp_path / "study.yaml"), out=tmp_path, model=masked).run()
    assert board["best"]


def test_numbers_are_told(tmp_path: Path) -> None:
    data = relabelled(tmp_path / "x.csv", {"positive": "7", "negative": "8"})
    assert "bare numbers" in " ".join(propose(data).remarks)
    opinions = relabelled(tmp_path / "reviews.csv", {"positive": "1", "negative": "0"})
    assert "sentiment" in " ".join(propose(opinions).remarks)


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    proposal = propose(write_reviews(tmp_path / "reviews.csv"))
    target = tmp_path / "study.yaml"
    target.write_text("mine")
    with pytest.raises(StudyError, match="--force"):
        write_proposal(proposal, target)
    assert target.read_text() == "mine"
    write_proposal(proposal, target, overwrite=True)
    assert yaml.safe_load(target.read_text())["study"] == "reviews"


@pytest.mark.parametrize(
    ("task", "told"), [("no-such", "has no task"), ("spam", "do not fit the task 'spam'")]
)
def test_a_task_that_does_not_fit(tmp_path: Path, task: str, told: str) -> None:
    with pytest.raises(StudyError, match=told):
        propose(write_reviews(tmp_path / "reviews.csv"), task=task)


def test_too_few_rows(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="too few"):
        propose(write_reviews(tmp_path / "reviews.csv", rows=30))


def test_open_answers(tmp_path: Path) -> None:
    path = tmp_path / "qa.csv"
    path.write_text("text,label\n" + "".join(f"question {i},answer {i}\n" for i in range(60)))
    with pytest.raises(DataError, match="open answers"):
        propose(path)


def test_label_words() -> None:
    assert plain("Not_Spam") == "not spam"
    assert match_labels(["ham", "SPAM"], ["spam", "not_spam"]) == {
        "ham": "not_spam",
        "SPAM": "spam",
    }
    assert match_labels(["a", "b"], ["spam", "ham"]) is None
    assert are_stars(["5", "1", "3", "2", "4"])
    assert label_answers(["1", "2", "3", "4", "5"])["4"] == "good"
    assert label_answers(["false", "true"]) == {"false": "no", "true": "yes"}
