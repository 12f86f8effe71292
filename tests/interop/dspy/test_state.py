"""DSPy's program state JSON, read into a classifier and written from one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest

import promptlab as pl
from promptlab.errors import InputError
from promptlab.interop.dspy import DspyProgram, Optimizer, export_program, import_program
from promptlab.interop.dspy.fit import FitPlan
from tests.helpers.dspy_fixtures import FORM, LABELS, ROWS, TASK, dspy, model

ALLOWED_CODE = ("tests.helpers.dspy_fixtures",)

PARTS = {
    "description": "Judge {braces\\}.\nIs it is one of: negative, positive.",
    "input": "Review: {text}\nIs it: {mask}",
}


def classifier(parts: dict[str, str] | None = None, **options: Any) -> pl.PromptClassifier:
    given = PARTS | {"description": PARTS["description"].replace("{", "\\{", 1)}
    template = pl.Template(parts=parts or given)
    return pl.PromptClassifier(template, {name: name for name in LABELS}, model(), **options)


def saved(tmp_path: Path, program: str = "predict", optimizer: str = "labeled_few_shot") -> Path:
    made = DspyProgram(FORM, model(), program=program, plan=FitPlan(Optimizer(optimizer)))
    made.fit(TASK.train).save(tmp_path)
    return tmp_path / "program.json"


def test_a_saved_program_is_read_and_shows_the_same_prompts(tmp_path: Path) -> None:
    made = DspyProgram(FORM, model(), plan=FitPlan(Optimizer("bootstrap_few_shot")))
    made.fit(TASK.train).save(tmp_path)
    read = import_program(tmp_path / "program.json", FORM.signature(), model())
    assert len(read.demonstrations or []) == 4
    for row in ROWS:
        assert read.example_prompt(row).removesuffix("{mask}") == made.example_prompt(row)
    assert read.predict(ROWS).labels == made.predict(ROWS).labels


def test_a_classifier_is_written_and_read_again(tmp_path: Path) -> None:
    made = classifier(demonstrations=2).fit(TASK.train)
    signature = export_program(made, tmp_path / "state.json")
    document = json.loads((tmp_path / "state.json").read_text())
    assert document["signature"]["instructions"] == "Judge {braces}."
    assert [f["prefix"] for f in document["signature"]["fields"]] == ["Review:", "Is it:"]
    assert len(document["demos"]) == 2 and "dependency_versions" in document["metadata"]
    dspy.Predict(signature).load(str(tmp_path / "state.json"))
    again = import_program(tmp_path / "state.json", signature, model())
    assert [again.example_prompt(row) for row in ROWS] == [made.example_prompt(r) for r in ROWS]


def test_what_a_classifier_cannot_say_is_refused(tmp_path: Path) -> None:
    thoughtful = saved(tmp_path / "a", "chain_of_thought")
    with pytest.raises(InputError, match="3 fields"):
        import_program(thoughtful, FORM.signature(), model())
    path = saved(tmp_path / "b")
    with pytest.raises(InputError, match="a choice"):
        import_program(path, "text -> label", model())
    two = dspy.Signature({"text": (str, dspy.InputField()), **_outputs("one", "two")})
    with pytest.raises(InputError, match="fields"):
        import_program(path, two, model())
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(InputError, match="no JSON"):
        import_program(tmp_path / "broken.json", FORM.signature(), model())
    with pytest.raises(InputError, match="cannot be read"):
        import_program(tmp_path / "missing.json", FORM.signature(), model())
    own = saved(tmp_path / "c", "tests.helpers.dspy_fixtures:TwoSteps")
    with pytest.raises(InputError, match="summary, choice; name one"):
        import_program(own, FORM.signature(), model())
    assert import_program(own, FORM.signature(), model(), predictor="choice").fields == ("text",)


def _outputs(*names: str) -> dict[str, Any]:
    return {name: (Literal["a", "b"], dspy.OutputField()) for name in names}


def test_what_a_state_has_no_place_for_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    for made, told in (
        (classifier(calibration="contextual"), "contextual calibration"),
        (classifier(demonstrations=2), "not drawn yet"),
        (classifier({"input": "{text} It was {mask}."}), "a template of a description"),
        (classifier({"input": "Text: {text}\nLabel: {mask}"}), "ends its instructions"),
        (
            pl.PromptClassifier("Text: {text}\nLabel: {mask}", {"a": "b", "c": "d"}, model()),
            "a template of a description",
        ),
        (
            pl.PromptClassifier(
                pl.Template(parts=PARTS | {"description": "x"}),
                {"a": ["b", "e"], "c": "d"},
                model(),
            ),
            "several answers",
        ),
    ):
        with pytest.raises(InputError, match=told):
            export_program(made, path)
    assert not path.exists()
