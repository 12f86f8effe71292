"""The study file: what is accepted, and what is refused with file, line and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from promptlab.errors import StudyError
from promptlab.files.safe_yaml import line_of, parse_yaml
from promptlab.study.spec.load import find_study_file, load_spec, shipped_studies
from tests.helpers.study_fixtures import study_document, write_reviews, write_study

GOOD = """study: reviews
task:
  data: sst2
  dev: 100
candidates:
  - kind: template
    templates: [sentiment/it-was]
budget:
  trials: 3
"""


def spec_of(tmp_path: Path, text: str, changes: dict[str, Any] | None = None) -> Any:
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return load_spec(path, changes)


def test_defaults_and_short_forms(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, GOOD.replace("task:\n  data: sst2\n  dev: 100", "task: sst2"))
    assert spec.task.data == "sst2"
    assert spec.model.name == "smollm2-135m"
    assert spec.sampler == "auto"
    assert spec.objectives == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("trials: 3", "trails: 3", ["line 9", "budget.trails", "did you mean 'trials'"]),
        ("trials: 3", "trials: many", ["line 9", "budget.trials", "'many'"]),
        ("trials: 3", "trials: 0", ["line 9", "greater than or equal to 1"]),
        ("kind: template", "kind: tempalte", ["line 6", "did you mean 'template'"]),
        ("  - kind: template\n    templates", "  - templates", ["line 6", "'kind'"]),
        ("dev: 100", "dve: 100", ["line 4", "task.dve", "did you mean 'dev'"]),
        ("study: reviews", "study: ../up", ["line 1", "study", "letters"]),
        ("study: reviews\n", "", ["study: this key is missing"]),
        ("[sentiment/it-was]", "{task: sentiment, shap: cloze}", ["line 7", "unknown key"]),
        ("  trials: 3", "  trials: 3\n  trials: 4", ["line 10", "'trials' stands twice"]),
        ("budget:", "budget", ["line 9", "no valid YAML"]),
        ("candidates:\n", "candidates: 3\nother:\n", ["candidates", "found 3"]),
    ],
)
def test_refused(tmp_path: Path, old: str, new: str, told: list[str]) -> None:
    assert old in GOOD
    with pytest.raises(StudyError) as caught:
        spec_of(tmp_path, GOOD.replace(old, new))
    for part in ["study.yaml", *told]:
        assert part in str(caught.value)


def test_calibration_is_checked(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"calibration.*'contextaul'"):
        spec_of(tmp_path, GOOD.replace("it-was]", "it-was]\n    calibration: [contextaul]"))


def test_changes_reach_short_forms(tmp_path: Path) -> None:
    text = GOOD + "model: smollm2-135m\n"
    spec = spec_of(tmp_path, text, {"model.device": "cpu", "budget.trials": 7, "study": "other"})
    assert (spec.model.name, spec.model.device) == ("smollm2-135m", "cpu")
    assert (spec.budget.trials, spec.study) == (7, "other")


def test_fingerprint_ignores_the_description_alone(tmp_path: Path) -> None:
    plain = spec_of(tmp_path, GOOD)
    assert spec_of(tmp_path, GOOD + "description: hello\n").fingerprint == plain.fingerprint
    assert spec_of(tmp_path, GOOD + "seed: 14\n").fingerprint != plain.fingerprint


def test_data_is_found_beside_the_study_file(tmp_path: Path) -> None:
    data = write_reviews(tmp_path / "reviews.csv")
    document = study_document(data)
    document["task"]["data"] = "reviews.csv"
    spec = load_spec(write_study(tmp_path / "study.yaml", document))
    assert Path(spec.task.data) == data.resolve()


def test_python_objects_in_yaml_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no valid YAML"):
        spec_of(tmp_path, GOOD + "description: !!python/object/apply:os.getcwd []\n")


def test_shipped_studies_are_valid() -> None:
    shipped = shipped_studies()
    assert "quickstart" in shipped
    for name, path in shipped.items():
        assert load_spec(path).study == name


def test_unknown_study_names_what_there_is() -> None:
    with pytest.raises(StudyError, match="did you mean quickstart"):
        find_study_file("quikstart")


def test_lines_of_nested_values() -> None:
    _, lines = parse_yaml("a:\n  b:\n    - c: 1\n    - d: 2\n", "x")
    assert line_of(lines, ("a", "b", 1, "d")) == 4
    assert line_of(lines, ("a", "b", 1, "unknown")) == 4
