"""The order in which a study tries all candidates of its space."""

from __future__ import annotations

from pathlib import Path

from promptlab.studies.bench.simulated_search import SimulatedModel
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from promptlab.study.spec.spec import StudySpec


def test_proposals_come_one_after_the_other_behind_what_is_given(tmp_path: Path) -> None:
    model = SimulatedModel(5)
    template = {"text": "{text} Answer: {mask}", "answers": {"no": "no", "yes": "yes"}}
    data = model.write_examples(tmp_path / "questions.csv", 100)
    document = {
        "study": "order",
        "task": {"data": str(data), "train": 20, "dev": 40, "test": 40},
        "candidates": [
            {"kind": "instruction_search", "templates": [template], "proposals": 6},
            {"kind": "template", "templates": [template], "calibration": ["none", "pmi"]},
        ],
        "budget": {"trials": 9},
        "batch": 1,
    }
    spec = load_spec(document, source="a test")
    assert isinstance(spec, StudySpec)
    run = StudyRun(spec, out=tmp_path, model=model)
    run.run()
    asked = [trial.user_attrs["asked"] for trial in run.context.study.trials]
    assert [one["group"] for one in asked[:2]] == ["template", "template"]
    proposals = [one["candidate"].get("proposal") for one in asked]
    assert proposals == [None, None, 1, 2, 3, 4, 5, 6]
    methods = [one["candidate"].get("method") for one in asked]
    assert methods[2:] == [
        "induction", "reflection", "crossover", "trajectory", "induction", "reflection"
    ]  # fmt: skip
