"""The study file of a learning curve: read, refused with file, line and key, written again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from promptlab.errors import StudyError
from promptlab.study.spec.curve_spec import CurveSpec
from promptlab.study.spec.load import load_spec
from promptlab.study.spec.spec import StudySpec
from tests.helpers.learning_curve_fixtures import LEARNED, curve_document, method

ALLOWED_CODE = ("tests",)

GOOD = """kind: learning_curve
study: curve
task: sst2
sizes: [0, 16]
seeds: [13, 21]
methods:
  - name: worded
    kind: template
    templates: [sentiment/it-was]
  - kind: demonstrations
    templates: [sentiment/it-was]
    count: [4]
baseline: worded
"""


def spec_of(tmp_path: Path, text: str) -> Any:
    path = tmp_path / "curve.yaml"
    path.write_text(text, encoding="utf-8")
    return load_spec(path)


def test_read(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, GOOD)
    assert isinstance(spec, CurveSpec)
    assert [m.name for m in spec.methods] == ["worded", "demonstrations"]
    assert (spec.sizes, spec.seeds, spec.block, spec.dev_per_class) == ([0, 16], [13, 21], 50, None)
    assert spec.model.name == "smollm2-135m"


def test_a_file_without_a_kind_is_a_search(tmp_path: Path) -> None:
    text = "study: s\ntask: sst2\ncandidates: [{kind: template, templates: [sentiment/it-was]}]\n"
    assert isinstance(spec_of(tmp_path, text), StudySpec)
    named = spec_of(tmp_path, "kind: search\n" + text)
    assert isinstance(named, StudySpec)
    assert named.fingerprint == spec_of(tmp_path, text).fingerprint


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("kind: learning_curve", "kind: learning_curv", ["line 1: kind", "'learning_curve'"]),
        ("sizes: [0, 16]", "sizes: [0, -16]", ["line 4", "sizes.1", "greater than or equal to 0"]),
        ("sizes: [0, 16]", "sizes: [16, 16]", ["line 4", "sizes", "16 stands twice"]),
        ("sizes: [0, 16]", "sizes: []", ["line 4", "sizes", "at least 1"]),
        ("sizes: [0, 16]\n", "", ["sizes: this key is missing"]),
        ("sizes: [0, 16]", "sizes: [few]", ["line 4", "sizes.0: must be a whole number"]),
        ("seeds: [13, 21]", "seeds: []", ["line 5", "seeds", "at least 1"]),
        ("seeds: [13, 21]\n", "", ["seeds: this key is missing"]),
        ("baseline: worded", "baseline: wrded", ["line 13", "baseline", "worded, demonstrations"]),
        ("kind: template", "kind: tempalte", ["line 8", "did you mean 'template'"]),
        ("name: worded", "name: 3", ["line 7", "methods.0.name: must be text (found 3)"]),
        ("  - kind: demon", "  - name: worded\n    kind: demon", ["line 10", "two methods"]),
        (
            "templates: [sentiment/it-was]\n  - kind",
            "template: [x]\n  - kind",
            ["line 9", "did you"],
        ),
        ("baseline:", "baselin:", ["line 13", "did you mean 'baseline'"]),
        ("  - name: worded\n    kind: template", "  - name: worded", ["line 7", "a method is"]),
    ],
)
def test_refused(tmp_path: Path, old: str, new: str, told: list[str]) -> None:
    assert old in GOOD
    with pytest.raises(StudyError) as caught:
        spec_of(tmp_path, GOOD.replace(old, new, 1))
    for part in ["curve.yaml", *told]:
        assert part in str(caught.value)


def test_what_is_written_is_the_same_study() -> None:
    document = curve_document(Path("reviews.csv"))
    spec = load_spec(document, source="test")
    again = load_spec(yaml.safe_load(yaml.safe_dump(spec.document())), source="test")
    assert isinstance(spec, CurveSpec) and isinstance(again, CurveSpec)
    assert again.fingerprint == spec.fingerprint
    seeds = [m.for_seed(21).model_dump().get("seed") for m in again.methods]
    assert seeds == [None, [21], None]


def test_a_seed_that_the_file_gives_stays() -> None:
    methods = [method(kind=LEARNED), method(name="b", kind=LEARNED, seed=7)]
    spec = load_spec(curve_document(Path("x.csv"), methods=methods, baseline=None), source="test")
    assert isinstance(spec, CurveSpec)
    assert [m.for_seed(42).model_dump()["seed"] for m in spec.methods] == [42, 7]


def test_every_method_has_file_names_of_its_own() -> None:
    names = ["A b", "a-b", "a b-2", "日本"]
    methods = [method(name=name) for name in names]
    spec = load_spec(curve_document(Path("x.csv"), methods=methods, baseline=None), source="test")
    assert isinstance(spec, CurveSpec)
    assert spec.slugs == {"A b": "a-b", "a-b": "a-b-2", "a b-2": "a-b-2-2", "日本": "method"}
