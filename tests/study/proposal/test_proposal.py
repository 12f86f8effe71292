"""From a labelled file to a study that runs as it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from promptlab.cli.app import app
from promptlab.errors import DataError, StudyError
from promptlab.models.local import LocalModel
from promptlab.study.proposal.label_words import (
    are_ordered,
    are_stars,
    label_answers,
    label_synonyms,
    match_labels,
    normalize_label,
)
from promptlab.study.proposal.proposal import propose_study
from promptlab.study.proposal.study_text import proposal_text, write_proposal
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from promptlab.study.spec.spec import StudySpec
from tests.helpers.fake_endpoint import Answer, Call, said, serving
from tests.helpers.proposal_fixtures import (
    CAPITALS,
    FACTS,
    OPINIONS,
    TICKETS,
    write_open,
    write_stars,
    write_tickets,
    write_yes_no,
)
from tests.helpers.study_fixtures import write_reviews


def relabelled(path: Path, labels: dict[str, str]) -> Path:
    text = write_reviews(path).read_text()
    for old, new in labels.items():
        text = text.replace(f",{old}", f",{new}")
    path.write_text(text)
    return path


def words(document: dict[str, Any]) -> str:
    """All that the proposed prompts say."""
    return yaml.safe_dump(document["candidates"], width=10_000)


def test_films_get_the_library_templates(tmp_path: Path, masked: LocalModel) -> None:
    data = relabelled(tmp_path / "film-opinions.csv", {"positive": "POS", "negative": "NEG"})
    proposal = propose_study(data)
    first = proposal.document["candidates"][0]["templates"][0]
    assert first["name"].startswith("sentiment/")
    assert set(first["answers"]) == {"POS", "NEG"}
    proposal.document["candidates"] = proposal.document["candidates"][:1]
    target = tmp_path / "study.yaml"
    write_proposal(proposal, target)
    spec = load_spec(target)
    assert isinstance(spec, StudySpec)
    board = StudyRun(spec, out=tmp_path / "runs", model=masked).run()
    assert board["best"]["test"]["n"] >= 20


def test_unknown_labels_get_general_templates(tmp_path: Path) -> None:
    data = relabelled(tmp_path / "x.csv", {"positive": "FilmArt", "negative": "soup_kitchen"})
    document = propose_study(data).document
    (answers,) = document["candidates"][0]["verbalizers"]
    assert answers == {"FilmArt": ["film art"], "soup_kitchen": ["soup kitchen"]}


def test_numbers_are_told(tmp_path: Path) -> None:
    data = relabelled(tmp_path / "x.csv", {"positive": "7", "negative": "8"})
    assert "bare numbers" in " ".join(propose_study(data).remarks)
    opinions = relabelled(tmp_path / "reviews.csv", {"positive": "1", "negative": "0"})
    assert "sentiment" in " ".join(propose_study(opinions).remarks)


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    proposal = propose_study(write_reviews(tmp_path / "reviews.csv"))
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
        propose_study(write_reviews(tmp_path / "reviews.csv"), task=task)


def test_too_few_rows(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="too few"):
        propose_study(write_reviews(tmp_path / "reviews.csv", rows=30))


def test_tickets(tmp_path: Path) -> None:
    proposal = propose_study(write_tickets(tmp_path))
    task = proposal.document["task"]
    assert (task["label"], task["fields"]) == ("queue", ["subject", "body"])
    said = words(proposal.document)
    assert "This support ticket is about" in said and "film" not in said
    assert "Which queue does this support ticket belong to: account, billing, shipping or" in said
    synonyms, names = proposal.document["candidates"][0]["verbalizers"]
    assert synonyms["billing"] == ["billing", "payment", "invoice"]
    assert names["billing"] == ["billing"]
    kinds = [group["kind"] for group in proposal.document["candidates"]]
    assert kinds == ["template", "template", "demonstrations"]
    assert proposal.document["candidates"][1]["chat"] == [False, True]
    assert (
        "chat" not in propose_study(tmp_path / "tickets.csv", chat=False).document["candidates"][1]
    )
    assert proposal.document["budget"]["trials"] == 6 * 2 * 3 + 4 + 2


@pytest.mark.parametrize("thing", ["hotel", "blender"])
def test_stars(tmp_path: Path, thing: str) -> None:
    proposal = propose_study(write_stars(tmp_path, thing))
    assert proposal.document["task"]["metric"] == "quadratic_kappa"
    said = words(proposal.document)
    assert f"Overall, the {thing} was" in said
    assert f"How many stars, from 1 (worst) to 5 (best), does this {thing} review give?" in said
    assert not re.search("film|movie", said)
    answers = proposal.document["candidates"][0]["verbalizers"][0]
    assert answers["1"][0] == "terrible" and "excellent" in answers["5"]
    digits = proposal.document["candidates"][1]["verbalizers"]
    assert digits == [{n: [n] for n in "12345"}]


def test_yes_and_no_over_a_passage(tmp_path: Path) -> None:
    proposal = propose_study(write_yes_no(tmp_path))
    task = proposal.document["task"]
    assert (task["label"], task["fields"]) == ("answer", ["passage", "question"])
    said = words(proposal.document)
    assert "{question}?" not in said
    assert "Answer the question with yes or no, from the passage alone." in said
    own = [set(answers) for answers in proposal.document["candidates"][0]["verbalizers"]]
    assert own == [{"no", "yes"}] * 2


def test_open_answers(tmp_path: Path) -> None:
    proposal = propose_study(write_open(tmp_path))
    task = proposal.document["task"]
    assert (task["label"], task["fields"], task["labels"]) == ("answer", ["question"], [])
    first, solved = proposal.document["candidates"]
    assert first["templates"][0]["text"] == "Question: {question}\nAnswer: {mask}"
    assert first["templates"][0]["parser"]["type"] == "text"
    assert (solved["kind"], solved["count"]) == ("demonstrations", [2, 4])
    path = tmp_path / "sums.csv"
    lines = [f"What is {n} plus {n * 7}?,{n * 8}" for n in range(60)]
    path.write_text("\n".join(["question,result_answer", *lines]))
    sums = propose_study(path).document
    assert sums["task"]["metric"] == "numeric_match"
    assert sums["candidates"][0]["templates"][0]["parser"] == {"type": "number"}


def test_several_labels_are_written_as_one_text(tmp_path: Path) -> None:
    path = tmp_path / "news.jsonl"
    lines = [
        f'{{"headline": "story number {n} on things", "topics": {topics}}}'
        for n, topics in enumerate(['["art"]', '["art", "law"]', '["sea", "law"]'] * 20)
    ]
    path.write_text("\n".join(lines))
    proposal = propose_study(path)
    assert proposal.document["task"]["join"] == ", "
    assert proposal.document["candidates"][0]["templates"][0]["parser"]["type"] == "text"
    assert any("one row a label and a yes-or-no column" in line for line in proposal.remarks)


def test_columns_that_cannot_be_guessed(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "".join(f"{n},{n * n}\n" for n in range(60)))
    with pytest.raises(DataError, match=r"which column is the label .*Name it: --label COLUMN"):
        propose_study(path)
    with pytest.raises(DataError, match=r"no column 'c'; its columns are 'a', 'b'"):
        propose_study(path, label="c")


def test_the_file_is_for_people(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "studies").mkdir()
    proposal = propose_study(write_tickets(tmp_path / "data"))
    target = tmp_path / "studies" / "tickets.yaml"
    write_proposal(proposal, target)
    text = target.read_text()
    assert "data: ../data/tickets.csv" in text and str(tmp_path) not in text
    assert "# train fits and lends demonstrations" in text
    assert "  # An instruction that lists the labels" in text
    assert r'text: "Subject: {subject}\nBody: {body}\nQueue: {mask}"' in text
    spec = load_spec(target)
    assert Path(spec.task.data) == tmp_path / "data" / "tickets.csv"
    assert "data: tickets.csv" in proposal_text(proposal, tmp_path / "data")


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    data = str(write_tickets(tmp_path))
    for name, told in (
        ("smolm2-135m", "did you mean smollm2-135m?"),
        ("./nowhere", "the model folder ./nowhere does not exist"),
        (str(tmp_path), "has no config.json"),
        ("remote:m@http://127.0.0.1:9/v1", "nothing answers at http://127.0.0.1:9/v1"),
        ("remote:m", "has no URL that can be read"),
    ):
        result = CliRunner().invoke(app, ["study", "new", data, "--model", name])
        assert told in str(result.exception), name
    assert not (tmp_path / "tickets.yaml").exists()


def knowing(call: Call, number: int) -> Answer:
    """A careful reader: it knows the answer to whatever stands last in the prompt."""
    known = [(body, queue) for queue, tickets in TICKETS.items() for _, body in tickets]
    known += [pair for _, questions in FACTS for pair in questions]
    known += [(country, capital) for country, capital in CAPITALS.items()]
    known += [(opinion, str(stars)) for stars, said in OPINIONS.items() for opinion in said]
    _, answer = max((call.words.rfind(text), answer) for text, answer in known)
    return said(f"That is plain. Answer: {answer}" if "Think" in call.words else answer)


@pytest.mark.parametrize("kind", ["tickets", "stars", "yes_no", "open"])
def test_a_study_through_an_endpoint(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMPTLAB_CACHE", str(tmp_path / "cache"))
    data = {
        "tickets": write_tickets,
        "stars": lambda folder: write_stars(folder, "hotel"),
        "yes_no": write_yes_no,
        "open": write_open,
    }[kind](tmp_path)
    with serving(knowing) as endpoint:
        endpoint.models = [{"id": "m", "max_model_len": 8192}]
        target = tmp_path / "study.yaml"
        arguments = ["study", "new", str(data), "--model", f"remote:m@{endpoint.url}"]
        made = CliRunner().invoke(app, [*arguments, "--out", str(target)])
        assert made.exit_code == 0, made.exception
        spec = load_spec(target)
        assert isinstance(spec, StudySpec)
        board = StudyRun(spec, out=tmp_path / "runs").run()
    assert len(board["trials"]) == spec.budget.trials
    assert board["best"]["dev"]["accuracy"] == 1.0
    assert board["best"]["test"]["accuracy"] == 1.0
    assert all(row["unparsed_rate"] == 0 for row in board["trials"])
    if kind != "open":
        assert "choices" in target.read_text() and "nothing else" in target.read_text()


def test_label_words() -> None:
    assert normalize_label("Not_Spam") == "not spam"
    assert match_labels(["ham", "SPAM"], ["spam", "not_spam"]) == {
        "ham": "not_spam",
        "SPAM": "spam",
    }
    assert match_labels(["a", "b"], ["spam", "ham"]) is None
    assert are_stars(["5", "1", "3", "2", "4"])
    assert label_answers(["1", "2", "3", "4", "5"])["4"] == "good"
    assert label_answers(["false", "true"]) == {"false": "no", "true": "yes"}
    assert are_ordered(["0", "2", "1"]) and not are_ordered(["1", "2"])
    assert not are_ordered(["1", "2", "4"])
    found = label_synonyms(["billing", "payment", "Sales"])
    assert found["billing"][0] == "billing" and found["payment"][0] == "payment"
    every = [word.lower() for words in found.values() for word in words]
    assert len(every) == len(set(every))
