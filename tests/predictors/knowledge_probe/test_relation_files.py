"""LAMA's and LPAQA's files, and plain pairs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptlab.errors import DataError, TemplateError
from promptlab.predictors.knowledge_probe.relation_files import read_relations


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def fact(subject: str, object: str, relation: str | None = None) -> dict[str, Any]:
    """A row of LAMA's T-REx, with what is not read."""
    row = {"uuid": "1", "sub_label": subject, "obj_label": object, "evidences": [{"a": 1}]}
    return row if relation is None else row | {"predicate_id": relation}


def test_lama(tmp_path: Path) -> None:
    facts = write(
        tmp_path / "all.jsonl", [fact("Peru", "Lima", "P36"), fact("Dante", "Florence", "P19")]
    )
    prompts = write(
        tmp_path / "relations.jsonl",
        [
            {"relation": "P19", "template": "[X] was born in [Y] .", "type": "N-1"},
            {"relation": "P36", "template": "The capital of [X] is [Y] .", "type": "1-1"},
            {"relation": "P1376", "template": "[X] is the capital of [Y] .", "type": "1-1"},
        ],
    )
    capital, birth = read_relations([facts, prompts])
    assert (capital.name, birth.name) == ("P36", "P19")
    assert capital.facts == (("Peru", "Lima"),) and capital.weights is None
    assert [one.source for one in birth.templates] == ["{subject} was born in {mask} ."]


def test_google_re_and_concept_net(tmp_path: Path) -> None:
    google = {"pred": "/people/person/place_of_birth", "sub": "/m/1", "obj": "/m/2"}
    birth = write(
        tmp_path / "test.jsonl", [google | {"sub_label": "Dante", "obj_label": "Florence"}]
    )
    net = write(tmp_path / "net.jsonl", [{"sub": "alive", "obj": "think", "pred": "HasSubevent"}])
    found = read_relations([birth, net], templates=["[X] : [Y]"])
    assert [one.name for one in found] == ["place_of_birth", "HasSubevent"]
    assert found[0].facts == (("Dante", "Florence"),)


def test_lpaqa(tmp_path: Path) -> None:
    """Prompts with weights in a file a relation, paraphrases line by line."""
    facts = write(tmp_path / "P36" / "test.jsonl", [fact("Peru", "Lima")])
    mined = write(
        tmp_path / "mine" / "P36.jsonl",
        [
            {"template": "[X] capital , [Y] .", "weight": 0.25},
            {"template": "[Y] is the capital of [X] .", "weight": 0.75},
        ],
    )
    (found,) = read_relations([facts, mined])
    assert found.name == "P36" and found.weights == (0.25, 0.75)
    lines = tmp_path / "P36.txt"
    lines.write_text("[X] capital , [Y] .\n\n[X] is [Y]\n", encoding="utf-8")
    (found,) = read_relations([facts, mined, lines])
    assert len(found.templates) == 3 and found.weights is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("capital.csv", 'subject,object\nPeru,Lima\nChad,"N\'Djamena"\n'),
        ("capital.tsv", "country\tcity\nPeru\tLima\nChad\tN'Djamena\n"),
        ("capital.jsonl", '{"sub": "Peru", "obj": "Lima"}\n{"sub": "Chad", "obj": "N\'Djamena"}\n'),
    ],
)
def test_pairs(tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    (found,) = read_relations([file], templates=["[X] : [Y]"])
    assert found.name == "capital"
    assert found.facts == (("Peru", "Lima"), ("Chad", "N'Djamena"))


def test_named_columns(tmp_path: Path) -> None:
    file = tmp_path / "lands.csv"
    file.write_text("code,land,seat,subject\nPE,Peru,Lima,no\n", encoding="utf-8")
    (found,) = read_relations([file], subject="land", object="seat", templates=["[X] : [Y]"])
    assert found.facts == (("Peru", "Lima"),)


def test_given_templates_stand_in_place_of_those_in_files(tmp_path: Path) -> None:
    facts = write(tmp_path / "P36.jsonl", [fact("Peru", "Lima", "P36")])
    prompts = write(tmp_path / "r.jsonl", [{"relation": "P36", "template": "[X] capital [Y]"}])
    (found,) = read_relations([facts, prompts], templates=["Seat of [X]: [Y]"])
    assert [one.source for one in found.templates] == ["Seat of {subject}: {mask}"]


def refused(*paths: Path, **options: Any) -> str:
    with pytest.raises(DataError) as error:
        read_relations(paths, **options)
    return str(error.value)


def test_what_is_refused(tmp_path: Path) -> None:
    facts = write(tmp_path / "P36.jsonl", [fact("Peru", "Lima", "P36")])
    other = write(tmp_path / "other.jsonl", [{"relation": "P19", "template": "[X] from [Y]"}])
    assert "no template asks for the relation 'P36'" in refused(facts, other)
    assert "no facts" in refused(other)
    strange = write(tmp_path / "s.jsonl", [{"a": 1, "b": 2, "c": 3}])
    assert "the columns are 'a', 'b', 'c'" in refused(strange)
    squad = write(tmp_path / "squad.jsonl", [{"masked_sentences": ["a [MASK]"], "obj_label": "b"}])
    assert "sentences with a gap" in refused(squad)
    wrong = write(tmp_path / "w.jsonl", [{"template": "[X] is [Y]"}, {"template": "[X] is"}])
    assert f"{wrong}, line 2" in refused(facts, wrong)
    empty = write(tmp_path / "e.jsonl", [{"relation": "P36", "template": " "}])
    assert f"{empty}, line 1: the template is empty" in refused(facts, empty)
    lists = write(tmp_path / "l.jsonl", [{"subject": ["Peru"], "object": "Lima"}])
    assert "holds a list" in refused(lists, templates=["[X] : [Y]"])
    assert "no such file" in refused(tmp_path / "absent.jsonl")
    assert "absent.txt: cannot be read" in refused(tmp_path / "absent.txt")
    with pytest.raises(TemplateError):
        read_relations([facts], templates=["no gap"])
