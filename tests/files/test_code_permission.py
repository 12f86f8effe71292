"""No file runs code that the user has not allowed: looked at by an audit hook of every import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import promptlab as pl
from promptlab.candidates.base import find_kind
from promptlab.errors import InputError, StudyError
from promptlab.evaluation.metrics import Accuracy, get_metric
from promptlab.files import code_permission
from promptlab.security import allow_code
from promptlab.strategies import StateEvaluator, ThoughtGenerator
from promptlab.strategies.tree_of_thoughts.problem import find_problem
from promptlab.study import validate_study
from tests.helpers.study_fixtures import study_document, write_reviews, write_study

_heard: list[str] | None = None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "import" and _heard is not None:
        _heard.append(str(arguments[0]))


sys.addaudithook(_hook)
NAMES = (
    "this:Zen", "antigravity:Kind", "mine:Kind", "mine.inner:Kind", "os:system", "builtins:eval",
    "promptlab.cli.app:app", "promptlab.candidates.base:Kind", "promptlab.ui.app:serve",
    "..up:Kind",
    ".here:Kind", "mine:", ":Kind", "mine:Kind:More", "mine:__class__.__base__", "mi ne:Kind",
    "/etc/passwd:Kind", "mine\n:Kind", "a" * 300 + ":Kind", "mine:\ud800", "\0:Kind", "dspy:ReAct",
)  # fmt: skip


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """The names of all modules that are looked for meanwhile."""
    global _heard
    _heard = []
    yield _heard
    _heard = None


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package of the user's with a metric, which notes that it has been run."""
    folder = tmp_path / "site" / "mine"
    folder.mkdir(parents=True)
    text = (
        "import pathlib\n"
        f"pathlib.Path({str(tmp_path / 'ran')!r}).touch()\n"
        "from promptlab.evaluation.metrics import Accuracy\n"
        "from promptlab.strategies.tree_of_thoughts.problem import FreeProblem\n"
        "class Kind(Accuracy): pass\n"
        "class Rules(FreeProblem): pass\n"
        "class Broken(Accuracy):\n"
        "    def __init__(self): raise RuntimeError('no')\n"
    )
    (folder / "__init__.py").write_text(text)
    monkeypatch.syspath_prepend(str(folder.parent))
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    code_permission._allowed.clear()
    return "mine"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("find", [find_kind, get_metric, find_problem])
def test_a_name_in_a_file_imports_nothing(find: Any, name: str, heard: list[str]) -> None:
    code_permission._allowed.clear()
    with pytest.raises(InputError):
        find(name)
    assert heard == []


def test_what_is_allowed_is_imported_and_told(package: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="allow it by --allow-code mine"):
        get_metric("mine:Kind")
    assert not (tmp_path / "ran").exists()
    allow_code("mineral", "min", "mine.inner", "other")
    with pytest.raises(InputError, match="--allow-code mine"):
        get_metric("mine:Kind")
    allow_code("mine")
    assert isinstance(get_metric("mine:Kind"), Accuracy)
    assert (tmp_path / "ran").exists()
    with pytest.raises(InputError, match=r"'mine:Broken' cannot be made: RuntimeError: no"):
        get_metric("mine:Broken")
    with pytest.raises(
        InputError, match=r"no subclass of promptlab.strategies.tree_of_thoughts.problem:Problem"
    ):
        find_problem("mine:Kind")


@pytest.mark.parametrize("name", ["", ".", "..", "*", "mine.", "a-b", "../mine", "mine:Kind", "\0"])
def test_only_packages_can_be_allowed(name: str) -> None:
    with pytest.raises(InputError, match="no name of a package"):
        allow_code(name)


def test_shipped_classes_need_no_permission() -> None:
    assert isinstance(get_metric("promptlab.evaluation.metrics.classification:Accuracy"), Accuracy)
    assert find_kind("promptlab.candidates.template:TemplateKind") is find_kind("template")


CHANGES: tuple[dict[str, Any], ...] = (
    {"candidates": [{"kind": "this:Zen"}]},
    {"objectives": ["this:Zen"]},
    {"candidates": [{"kind": "self_consistency", "inner": {"kind": "this:Zen"}}]},
    {"candidates": [{"kind": "tree_of_thoughts", "problem": "this:Zen", "thoughts": ["moves"]}]},
    {"kind": "learning_curve", "sizes": [1], "seeds": [1], "methods": [{"kind": "this:Zen"}]},
)


@pytest.mark.parametrize("changes", CHANGES)
def test_no_study_file_imports_code(
    changes: dict[str, Any], tmp_path: Path, heard: list[str]
) -> None:
    code_permission._allowed.clear()
    data = write_reviews(tmp_path / "reviews.csv")
    document = study_document(data) | changes
    if "methods" in changes:
        document = {k: v for k, v in document.items() if k not in ("candidates", "budget")}
    text = yaml.safe_dump(document)
    with pytest.raises(StudyError, match="--allow-code this"):
        validate_study(text)
        from promptlab.study.spec.check import check_study
        from promptlab.study.spec.load import load_spec

        check_study(load_spec(text, source="study.yaml"))
    assert "this" not in heard


def test_the_metric_of_a_task_imports_nothing(tmp_path: Path, heard: list[str]) -> None:
    code_permission._allowed.clear()
    data = write_reviews(tmp_path / "reviews.csv")
    task = {"data": str(data), "metric": "this:Zen"}
    found = validate_study(yaml.safe_dump(study_document(data, task=task)))
    assert any("--allow-code this" in one.text for one in found)
    assert "this" not in heard


def run(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "promptlab", *arguments],
        cwd=cwd, env=os.environ | environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_the_command_line(tmp_path: Path, package: str) -> None:
    """Neither a file beside the study nor one in a library's place is run; what is allowed is."""
    data = write_reviews(tmp_path / "reviews.csv")
    noisy = f"import pathlib\npathlib.Path({str(tmp_path / 'beside')!r}).touch()\n"
    for name in ("this", "yaml", "optuna", "beside"):
        (tmp_path / f"{name}.py").write_text(noisy)
    study = write_study(tmp_path / "study.yaml", study_document(data, objectives=["mine:Kind"]))
    command = ("study", "estimate", str(study), "--json")
    refused = run(*command, cwd=tmp_path)
    assert refused.returncode == 2 and "--allow-code mine" in refused.stderr, refused.stderr
    wrong = run(*command, "--allow-code", "..", cwd=tmp_path)
    assert wrong.returncode == 2 and "no name of a package" in wrong.stderr
    absent = run(*command, "--allow-code", "mine", cwd=tmp_path)
    assert absent.returncode == 2 and "PYTHONPATH" in absent.stderr, absent.stderr
    assert not (tmp_path / "ran").exists()
    site = str(tmp_path / "site")
    allowed = run(*command, "--allow-code", "mine", cwd=tmp_path, PYTHONPATH=site)
    assert "--allow-code" not in allowed.stderr and (tmp_path / "ran").exists()
    study.write_text(study.read_text().replace("mine:Kind", "beside:Kind"))
    beside = run(*command, "--allow-code", "beside", cwd=tmp_path)
    assert beside.returncode == 2 and "PYTHONPATH" in beside.stderr
    assert not (tmp_path / "beside").exists()


def test_a_saved_predictor_imports_nothing(tmp_path: Path, heard: list[str]) -> None:
    from tests.helpers.scripted_model import ScriptedModel

    code_permission._allowed.clear()
    tree = pl.TreeOfThoughts(
        ThoughtGenerator(pl.Template("{state}: {mask}")),
        StateEvaluator(method="random"),
        ScriptedModel(lambda p, s: "1"),
    )
    tree.save(tmp_path / "tree")
    path = tmp_path / "tree" / "predictor.json"
    document = json.loads(path.read_text())
    document["settings"]["problem"] = "this:Zen"
    path.write_text(json.dumps(document))
    heard.clear()
    with pytest.raises(InputError, match="--allow-code this"):
        pl.load(tmp_path / "tree", ScriptedModel(lambda p, s: "1"))
    assert "this" not in heard
