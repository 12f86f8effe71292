"""``promptlab probe``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptlab.data.example import Example
from promptlab.data.task import Task
from tests.helpers.command_line import Command, command, here, models

pytestmark = pytest.mark.usefixtures("here")
__all__ = ["command", "here", "models"]

FACTS = [("Poland", "Warsaw"), ("France", "Paris"), ("Paris film", "film")]


@pytest.fixture
def capital(here: Path) -> Path:
    file = here / "capital.csv"
    rows = "".join(f"{subject},{object}\n" for subject, object in FACTS)
    file.write_text(f"subject,object\n{rows}", encoding="utf-8")
    return file


def document(command: Command, *arguments: object) -> Any:
    found = command("probe", *arguments, "--dtype", "float32", "--json")
    assert found.code == 0, found.err
    return json.loads(found.out)


def test_one_relation_prompt_by_prompt(command: Command, models: Path, capital: Path) -> None:
    options = ("--model", models / "masked", "--answers", "closed", "--dtype", "float32")
    asked = ("--template", "The capital of [X] is [Y] .", "--template", "{x} : {mask}")
    found = command("probe", capital, *asked, *options)
    assert found.code == 0, found.err
    lines = found.out.splitlines()
    assert lines[0].split("  ")[0] == "prompt"
    for title in ("P@1", "P@10", "MRR", "P@1 random weights", "P@1 random embeddings"):
        assert title in lines[0]
    assert lines[1].startswith("The capital of {subject} is {mask} .")
    assert lines[3].startswith("mean of the prompts")
    assert "2 facts counted, each ranked among 3 answers, the relation's objects." in found.out
    assert "Not counted: 1 fact whose subject names the object" in found.out
    assert found.out.count("exact McNemar p = ") == 2


def test_json_says_all(command: Command, models: Path, capital: Path) -> None:
    prompt = ("--template", "The capital of [X] is [Y] .", "--answers", "closed")
    asked = (*prompt, "--model", models / "causal")
    found = document(command, capital, *asked, "--limit", "2", "--seed", "3")
    (relation,) = found["relations"]
    assert found["seed"] == 3 and relation["relation"] == "capital" and relation["answers"] == 3
    assert relation["n"] + relation["n_subject_names_object"] == 2
    assert list(found["overall"]) == ["model", "random_weights", "random_embeddings"]
    plain = document(command, capital, *asked, "--no-controls")
    assert list(plain["overall"]) == ["model"] and not plain["comparisons"]


def test_ranks_of_every_fact_in_a_file(
    command: Command, models: Path, capital: Path, here: Path
) -> None:
    asked = ("--template", "The capital of [X] is [Y] .", "--model", models / "masked")
    found = document(command, capital, *asked, "--out", "facts.jsonl")
    assert found["file"] == "facts.jsonl"
    rows = [json.loads(line) for line in (here / "facts.jsonl").read_text().splitlines()]
    assert len(rows) == 3 * len(FACTS)
    assert [row["subject"] for row in rows[:3]] == [subject for subject, _ in FACTS]
    assert [row["counted"] for row in rows[:3]] == [True, True, False]
    own = [row for row in rows if row["run"] == "model"]
    for row in own:
        assert (row["rank"] == 1) == (row["first"] == row["object"])
    first = [row["rank"] <= 1 for row in own if row["counted"]]
    assert found["overall"]["model"]["mean"]["facts"]["p_at_1"] == sum(first) / len(first)


def test_several_relations_a_line_each(command: Command, models: Path, here: Path) -> None:
    rows = [("P1", s, o) for s, o in FACTS[:2]] + [("P2", s, o) for s, o in FACTS[1:]]
    facts = [{"predicate_id": p, "sub_label": s, "obj_label": o} for p, s, o in rows]
    prompts = [{"relation": p, "template": f"{p} [X] is [Y] ."} for p in ("P1", "P2")]
    for name, lines in (("facts", facts), ("relations", prompts)):
        (here / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    options = ("--model", models / "masked", "--dtype", "float32")
    found = command("probe", "facts.jsonl", "relations.jsonl", *options)
    assert found.code == 0, found.err
    first = [line.split()[0] for line in found.out.splitlines()[:5]]
    assert first == ["relation", "P1", "P2", "all", "mean"]
    assert "the words of the vocabulary" in found.out


def test_a_common_vocabulary(command: Command, models: Path, capital: Path) -> None:
    asked = ("--template", "The capital of [X] is [Y] .", "--model", models / "masked")
    found = document(command, capital, *asked, "--common-vocabulary", models / "masked")
    assert found["common_vocabulary"] == [str(models / "masked")]
    whole = document(command, capital, *asked)
    assert found["relations"][0] == whole["relations"][0]


def test_capitals_without_a_file(
    command: Command, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = [Example(s, {"country": s}, o) for s, o in FACTS[:2]]
    task = Task("capitals", (examples[0],), (), (examples[1],), fields=("country",))
    monkeypatch.setattr("promptlab.data.load_task.load_task", lambda name, **_: task)
    found = document(command, "--model", models / "masked", "--no-controls")
    (relation,) = found["relations"]
    templates = [row["template"] for row in relation["runs"]["model"]["prompts"]]
    assert relation["relation"] == "capitals" and relation["n"] == 2
    assert "The capital of {country} is {mask}." in templates and len(templates) >= 8
    one = document(
        command, "--model", models / "masked", "--no-controls", "--template", "capitals/capital-of"
    )
    assert len(one["relations"][0]["runs"]["model"]["prompts"]) == 1


def test_what_is_refused(command: Command, models: Path, capital: Path, here: Path) -> None:
    model = ("--model", models / "masked")
    command("probe", capital, *model).refuses("no template asks for the relation 'capital'")
    command("probe", "absent.jsonl", *model).refuses("absent.jsonl", "no such file")
    asked = ("--template", "[X] is [Y]")
    command("probe", capital, *asked, *model, "--answers", "some").refuses("open or closed")
    command("probe", capital, *asked, *model, "--train", "1").refuses("below 1")
    command("probe", capital, "--template", "[X] is", *model).refuses("once")
    command("probe", capital, "--template", "no/such", *model).refuses("no/such")
    out = ("--template", "[X] is [Y]", "--out", here)
    command("probe", capital, *out, *model).refuses("is a folder")
    strange = here / "strange.csv"
    strange.write_text("a,b,c\n1,2,3\n")
    command("probe", strange, *asked, *model).refuses("the columns are 'a', 'b', 'c'")
