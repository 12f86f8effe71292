"""The lineage of written instructions: a tree by hand, and those of studies that ran."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
from typer.testing import CliRunner

import promptlab as pl
from promptlab.cli.app import app
from promptlab.errors import StudyError
from promptlab.evaluation.predictions import Prediction, Predictions
from promptlab.studies.bench.simulated_search import SimulatedModel
from promptlab.study.lineage import LineageNode, group_by_parent, read_lineage
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from promptlab.study.spec.spec import StudySpec

TEMPLATE = {"name": "mood", "parts": {"description": "Name the mood.", "input": "{text} {mask}"}}


def row(number: int, state: str = "complete", reason: str = "", **made: Any) -> dict[str, Any]:
    kind = "instruction_search" if "proposal" in made else "template"
    return {
        "number": number,
        "kind": kind,
        "state": state,
        "reason": reason,
        "dev": {"accuracy": 0.9, "macro_f1": 0.5},
        "candidate": {"template": TEMPLATE, "option": "mood", **made},
    }


class HandMade:
    """A study of seven trials by macro-F1, as a reader of its folder sees it."""

    decided = True
    rows = (
        row(0),
        row(1, proposal=1, method="induction"),
        row(2, proposal=2, method="reflection", parents=[{"trial": 1}], instead_of="merge",
            because="nothing to merge"),
        row(3, "pruned", "pruned after 50 examples", proposal=3, method="crossover",
            parents=[{"trial": 1}, {"trial": 0}]),
        row(4, "pruned", "the writer wrote no new instruction (2 dropped: it is empty)", proposal=4,
            method="trajectory"),
        row(5, "failed", "out of memory", proposal=5, method="induction"),
        row(6, proposal=6, method="merge", parents=[{"trial": 2}], instruction="Merged.",
            examples=["a"]),
    )  # fmt: skip
    texts: ClassVar[dict[int, str]] = {
        1: "Name the mood well.",
        2: "Name the mood of it well.",
        3: "Say no.",
    }
    right: ClassVar[dict[int, str]] = {
        0: "0" * 40,
        1: "1" * 40,
        2: "1" * 39 + "0",
        3: "0" * 20,
        6: "1" * 40,
    }

    def leaderboard(self) -> dict[str, Any]:
        return {"trials": list(self.rows), "best": {"number": 2}, "objective": "macro_f1"}

    def steps(self, trial: int) -> list[dict[str, Any]]:
        if trial not in self.texts:
            raise StudyError("no steps")
        return [{"notes": {"instruction": self.texts[trial]}}]

    def predictions(self, trial: int) -> Predictions:
        if trial not in self.right:
            raise StudyError("no predictions")
        marks = enumerate(self.right[trial])
        return Predictions(Prediction(str(n), "yes" if m == "1" else "no", "yes") for n, m in marks)


@pytest.fixture(scope="module")
def nodes() -> dict[int, LineageNode]:
    found = read_lineage(HandMade())
    return {node.trial: node for node in found}


def test_every_status_in_words(nodes: dict[int, LineageNode]) -> None:
    assert nodes[0].status == "given" and nodes[0].method == "given"
    assert all(node.value == 0.5 for node in nodes.values())  # by what decides
    assert nodes[1].status.startswith("kept: shown to be better than trial 0 (+1.000 on 40, p = ")
    assert nodes[2].status.startswith("kept: not told apart from trial 1 (-0.025 on 40, p = ")
    assert nodes[3].status == (
        "given up (pruned after 50 examples): shown to be worse than trial 1 (-1.000 on 20)"
    )
    assert nodes[4].status.startswith("dropped: the writer wrote no new instruction")
    assert nodes[5].status == "failed: out of memory"
    assert nodes[2].is_winner and not nodes[1].is_winner
    assert nodes[2].instead_of == "merge: nothing to merge"


def test_words_are_compared_with_the_first_parent(nodes: dict[int, LineageNode]) -> None:
    changes = [(one.kind, one.text) for one in nodes[2].changes]
    assert changes == [("kept", "Name the mood"), ("added", "of it"), ("kept", "well.")]
    assert nodes[1].changes == () and nodes[1].instruction == "Name the mood well."
    assert [one.kind for one in nodes[3].changes] == ["removed", "added"]  # little in common
    assert nodes[6].instruction == "Merged." and nodes[6].demonstrations == ("a",)


def test_the_tree(nodes: dict[int, LineageNode]) -> None:
    tree = group_by_parent(list(nodes.values()))
    found = {parent: [one.trial for one in children] for parent, children in tree.items()}
    assert found == {None: [0], 0: [1, 4, 5], 1: [2, 3], 2: [6]}
    json.dumps([node.row() for node in nodes.values()])


def run_study(folder: Path) -> Path:
    model = SimulatedModel(4, gain=0.2, better_proposal=2)
    data = model.write_examples(folder / "questions.csv", 160)
    template = {
        "name": "mood",
        "text": "{text} Answer: {mask}",
        "answers": {"no": "no", "yes": "yes"},
    }
    document = {
        "study": "written",
        "task": {"data": str(data), "train": 30, "dev": 60, "test": 60},
        "candidates": [
            {"kind": "template", "templates": [template]},
            {"kind": "instruction_search", "templates": [template], "proposals": 6},
        ],
        "baseline": "template", "budget": {"trials": 8}, "batch": 1, "pruner": "sequential",
    }  # fmt: skip
    spec = load_spec(document, source="a test")
    assert isinstance(spec, StudySpec)
    StudyRun(spec, out=folder, model=model).run()
    return folder / "written"


def test_a_study_that_ran(tmp_path: Path) -> None:
    folder = run_study(tmp_path)
    found = pl.Study(folder).lineage()
    assert [node.method for node in found][:2] == ["given", "induction"]
    assert len(found) == 7 and sum(node.is_winner for node in found) == 1
    assert all(node.instruction.startswith("Please ") for node in found[1:])
    assert all(node.comparison is not None for node in found[1:] if node.value is not None)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert 'id="lineage"' in page and found[1].instruction.split()[1] in page
    assert "<ins>" in page
    shown = CliRunner().invoke(app, ["study", "lineage", str(folder), "--json"])
    assert shown.exit_code == 0, shown.output
    assert [one["trial"] for one in json.loads(shown.stdout)] == [node.trial for node in found]
    tree = CliRunner().invoke(app, ["study", "lineage", str(folder)])
    assert tree.exit_code == 0 and "winner" in tree.stdout and "reflection" in tree.stdout


def test_a_study_without_written_instructions(tmp_path: Path) -> None:
    folder = run_study(tmp_path)
    board = json.loads((folder / "leaderboard.json").read_text(encoding="utf-8"))
    board["trials"] = [one for one in board["trials"] if one["kind"] == "template"]
    bare = HandMade()
    bare.leaderboard = lambda: board  # type: ignore[method-assign]
    assert read_lineage(bare) == ()  # type: ignore[arg-type]
