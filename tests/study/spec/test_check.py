"""A study from its text: complaints by line, limits, and what a stranger's study may not name."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from promptlab.errors import StudyError
from promptlab.study import parse_yaml
from promptlab.study.spec.check import check_study, validate_study
from promptlab.study.spec.document import StudyDocument
from promptlab.study.spec.load import load_spec, shipped_studies
from promptlab.study.spec.policy import StudyPolicy
from promptlab.study.spec.spec import StudySpec
from promptlab.study.spec.validation import validate_document
from tests.helpers.study_fixtures import study_document, write_reviews

FAULTY = """\
study: two words
task:
  data: sst2
candidates:
  - kind: templat
  - kind: template
    tmeplates: []
objectivs: [accuracy]
"""
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(12)
)
MERGED = "a: &a {x: 1}\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} {{<<: [{', '.join(['*' + chr(97 + n)] * 9)}]}}\n"
    for n in range(12)
)
POLICY = StudyPolicy(models=["tiny"])


def text_of(tmp_path: Path, **changes: Any) -> str:
    document = study_document(write_reviews(tmp_path / "reviews.csv"), **changes)
    return yaml.safe_dump(document, sort_keys=False)


@pytest.fixture
def policy(tmp_path: Path) -> StudyPolicy:
    return StudyPolicy(models=["tiny"], folders=[tmp_path])


@pytest.mark.parametrize("name", sorted(shipped_studies()))
def test_every_shipped_study_is_read_from_its_text(name: str) -> None:
    writer = "Qwen/Qwen2.5-Coder-0.5B-Instruct"  # has to be put on offer for the studies of sources
    policy = StudyPolicy(models=["smollm2-135m", "bert-tiny", writer])
    text = shipped_studies()[name].read_text(encoding="utf-8")
    assert load_spec(text, source=name, policy=policy).study == name


def test_every_complaint_has_its_line() -> None:
    found = validate_study(FAULTY)
    assert sorted(one.line or 0 for one in found) == [1, 5, 6, 7, 8]
    by_line = {one.line: one.text for one in found}
    assert "did you mean 'template'?" in by_line[5]
    assert "did you mean 'objectives'?" in by_line[8]


def test_what_the_data_says_is_told_by_line(tmp_path: Path) -> None:
    text = text_of(tmp_path)
    assert validate_study(text) == []
    wrong = validate_study(text.replace("{text} A {mask} one.", "{body} A {mask} one."))
    assert wrong[0].line == text.splitlines().index("- kind: template") + 1
    assert "'body'" in wrong[0].text
    lost = validate_study(text.replace("reviews.csv", "lost.csv"))
    assert lost[0].line == text.splitlines().index("task:") + 1


def test_the_checked_study_gives_its_task_and_space(tmp_path: Path) -> None:
    spec = load_spec(text_of(tmp_path), source="study.yaml")
    assert isinstance(spec, StudySpec)
    task, space = check_study(spec)
    assert len(task.dev) == 30 and space is not None
    assert list(space.kinds) == ["template", "demonstrations"]


def test_an_issue_of_several_lines_is_one(tmp_path: Path) -> None:
    text = text_of(tmp_path)
    (issue,) = validate_study(text.replace("{text} A {mask} one.", "{text} A {mask one."))
    assert issue.line == text.splitlines().index("- kind: template") + 1
    assert len(issue.text.splitlines()) == 3  # the template, and a caret under the fault


def test_an_error_about_another_file_is_no_place_in_the_study(tmp_path: Path) -> None:
    text = text_of(tmp_path)
    (tmp_path / "reviews.csv").write_text("text,label\ngood,positive\nbad\n", encoding="utf-8")
    (issue,) = validate_study(text)
    assert issue.line == text.splitlines().index("task:") + 1
    assert "reviews.csv" in issue.text


def test_issues_are_the_lines_of_the_message() -> None:
    with pytest.raises(StudyError) as caught:
        load_spec(FAULTY, source="x.yaml")
    told = [f"x.yaml, line {issue.line}: {issue.text}" for issue in caught.value.issues]
    assert str(caught.value) == "\n".join(told)


def test_a_study_is_loaded_from_whatever_holds_it(tmp_path: Path) -> None:
    text = text_of(tmp_path)
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    given = (text, path, str(path), yaml.safe_load(text))
    first, *others = [load_spec(study).document() for study in given]
    assert all(other == first for other in others)
    assert load_spec("quickstart").study == "quickstart"
    changes = {"study": "other", "budget.trials": 3, "model.device": "cpu"}
    for study in given:
        spec = load_spec(study, changes)
        assert isinstance(spec, StudySpec)
        assert (spec.study, spec.budget.trials, spec.model.device) == ("other", 3, "cpu")


def test_changing_a_mapping_leaves_it_as_it_was(tmp_path: Path) -> None:
    document = yaml.safe_load(text_of(tmp_path))
    before = yaml.safe_dump(document)
    load_spec(document, {"task.dev": 7})
    assert yaml.safe_dump(document) == before


def test_a_strangers_text_is_never_taken_for_a_path(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(text_of(tmp_path), encoding="utf-8")
    with pytest.raises(StudyError, match="a study file is a mapping"):
        load_spec(str(path), policy=POLICY)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (BOMB, "more than 50,000 values"),
        (MERGED, "more than 50,000 values"),
        ("[" * 100_000, "nested too deep"),
        ("- " * 100 + "x", "nested deeper"),
        ("a: &a [*a]", "holds itself"),
        ("study: " + "9" * 5000, "a number of 5,000 characters is no setting"),
        ("study: 2001-99-99", "this key is missing"),  # a name, and no date
        ("x" * 200_001, "too many for a study"),
        ("study: !!python/object/apply:os.system [ls]", "no valid YAML"),
        ("? [a, b]\n: c", "line 1"),
        ("a: 1\na: 2", "stands twice"),
        ("", "mapping"),
        ("study: \x00", "YAML"),
    ],
)
def test_hostile_documents_are_refused_quickly(text: str, told: str) -> None:
    started = time.process_time()
    with pytest.raises(StudyError, match=told):
        load_spec(text, source="study.yaml")
    assert time.process_time() - started < 5


def group(**settings: Any) -> dict[str, Any]:
    return {"candidates": [{"kind": "template", "templates": ["sentiment/it-was"]} | settings]}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"task": {"data": "/etc/passwd"}}, "no data set that is on offer"),
        ({"task": "../reviews.csv"}, "no data set that is on offer"),
        ({"task": {"data": "someone/dataset"}}, "no data set that is on offer"),
        ({"task": {"data": "reasoning-gym:chain_sum?max_digits=99999"}}, "up to 999"),
        ({"task": {"data": "reasoning-gym:gcd", "dev": 10**7}}, "puzzles a split"),
        ({"task": {"data": "sst2", "metric": "os.path:join"}}, "no metric by name"),
        ({"objectives": ["subprocess:Popen"]}, "no metric by name"),
        ({"regression": "/etc/passwd"}, "no file that was uploaded"),
        ({"model": "/root/model"}, "not on offer"),
        ({"model": {"name": "tiny", "endpoint": "http://169.254.0.1/v1"}}, "leave this key out"),
        ({"model": {"name": "tiny", "key_env": "HOME"}}, "leave this key out"),
        ({"model": {"name": "tiny", "device": "cuda:7"}}, "none of this machine's"),
        ({"model": "remote:x@http://localhost:1/v1"}, "not on offer"),
        ({"candidates": [{"kind": "antigravity:Kind"}]}, "no shipped kind"),
        (
            {"candidates": [{"kind": "self_consistency", "inner": {"kind": "this:Kind"}}]},
            "inner.kind: 'this:Kind' is no shipped kind",
        ),
        (group(kind="retrieval", passages="/etc/passwd"), "no file that was uploaded"),
        (group(kind="distillation", unlabelled="/etc/passwd"), "no file that was uploaded"),
        (group(kind="tree_of_thoughts", problem="os:path"), "code is not imported"),
        (group(kind="dspy", program=["os:path"]), "code is not imported"),
        (group(kind="dspy", prompt_model="gpt"), "not on offer"),
        (group(kind="instruction_search", writer="/etc/model"), "not on offer"),
        (group(templates=[{"text": "{mask}", "parser": {"type": "regex", "pattern": "(a+)+b"}}]),
         "take forever"),
        (group(templates=["{soft:100000000} {mask}"]), "learned tokens"),
        (group(decoding={"max_tokens": 10**9}), "too large"),
        ({"budget": {"trials": 10**9}}, "too many"),
    ],
)  # fmt: skip
def test_a_stranger_reaches_nothing(changes: dict[str, Any], told: str) -> None:
    base = {"study": "x", "task": "sst2", "model": "tiny"} | group()
    lines = yaml.safe_dump(base | changes, sort_keys=False)
    with pytest.raises(StudyError, match=told) as caught:
        load_spec(lines, policy=POLICY)
    assert "line " in str(caught.value)


def test_no_code_is_imported_before_the_policy_has_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    from promptlab.files import code_permission

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} was imported")

    monkeypatch.setattr(code_permission, "import_module", refuse)
    monkeypatch.setattr(code_permission, "_allowed", {"this"})
    text = yaml.safe_dump({"study": "x", "task": "sst2", "candidates": [{"kind": "this:Kind"}]})
    with pytest.raises(StudyError, match="no shipped kind"):
        load_spec(text, policy=POLICY)


def test_files_of_the_folder_are_found_and_links_out_of_it_are_not(
    tmp_path: Path, policy: StudyPolicy
) -> None:
    text = text_of(tmp_path).replace(str(tmp_path / "reviews.csv"), "reviews.csv")
    spec = load_spec(text, policy=policy)
    assert spec.task.data == str((tmp_path / "reviews.csv").resolve())
    assert validate_study(text, policy=policy) == []
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "link.csv").symlink_to(tmp_path / "reviews.csv")
    outside = StudyPolicy(models=["tiny"], folders=[inner])
    assert outside.find_file("link.csv") is None
    assert outside.find_file("../reviews.csv") is None
    assert outside.find_file("a\0b") is None


BASE = "study: a\ntask: sst2\n"
GROUP = (
    "candidates:\n- {kind: template, templates: ['{text} {mask}'], verbalizers: [{a: b, c: d}]}\n"
)
LONG = (
    (BASE + GROUP + "".join(f"key{n}: 1\n" for n in range(8000)), "and 7,990 more complaints"),
    (BASE + "candidates:\n" + "- {kind: template}\n" * 10_000, "and 9,990 more complaints"),
    (BASE + "candidates:\n" + "- 1\n" * 40_000, "and 39,990 more complaints"),
    (BASE + GROUP + f"objectives: [{'1,' * 40_000}]\n", "objectives.0: must be text"),
    (BASE + GROUP + "seed: 1" + ":59" * 300_000, "seed: must be a whole number"),
    (BASE + GROUP + "seed: 0x" + "f" * 900_000, "seed: must be a whole number"),
    (BASE + GROUP + "seed: " + "9" * 900_000, "a number of 900,000 characters"),
    (BASE + "candidates:\n- kind: " + "t" * 900_000, "unknown kind"),
    ("- " * 450_000, "nested deeper"),
    ("!" * 900_000, "no valid YAML"),
    ("---\n" * 200_000, "more than 50,000 values"),
    ("a: \ud800\n", "line 1: holds half a character"),
)


@pytest.mark.parametrize(("text", "told"), LONG)
def test_a_long_study_file_is_read_in_linear_time(text: str, told: str) -> None:
    started = time.process_time()
    with pytest.raises(StudyError) as caught:
        validate_document(StudyDocument.parse(text, "study.yaml"))
    assert time.process_time() - started < 4  # a second where nothing else computes
    assert told in str(caught.value)
    assert len(str(caught.value)) < 20_000


def test_only_plain_values_are_made_of_yaml() -> None:
    """A time of day is no number of minutes, a date is text, and octal numbers are not guessed."""
    text = "{a: 12:30, b: 010, c: 2001-01-01, d: 1e3, e: 1.5, f: -7, g: ~, h: 0x10, i: no}"
    document, _ = parse_yaml(text, "x")
    assert document == {
        "a": "12:30", "b": "010", "c": "2001-01-01", "d": "1e3", "e": 1.5, "f": -7, "g": None,
        "h": "0x10", "i": "no",
    }  # fmt: skip
    for tag in ("!!binary aGk=", "!!set {a}", "!!timestamp 2001-01-01", "!!omap []", "!mine x"):
        with pytest.raises(StudyError, match="no valid YAML"):
            parse_yaml(f"a: {tag}", "x")
