"""Every number that a command takes, of every command: a sentence, and never a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

import promptlab as pl
from promptlab.cli.app import app
from promptlab.errors import PromptlabError
from promptlab.study import StudyRun
from tests.helpers.scripted_model import ScriptedModel
from tests.helpers.study_fixtures import study_document, write_reviews

STRANGE = ("-1", "0", str(2**32), str(10**30), "nan", "9" * 5000, "1e400", "")
_PARSER = {"type": "choice", "choices": {"negative": ["bad"], "positive": ["good"]}}


def _leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, part in getattr(command, "commands", {}).items():
        yield from _leaves(part, (*path, name))
    if not hasattr(command, "commands"):
        yield path, command


def _is_number(parameter: Any) -> bool:
    return parameter.type_descriptor.annotation in (int, float)


NUMBERS = [
    (path, parameter.opts[0])
    for path, command in _leaves(get_command(app))
    for parameter in command.params
    if _is_number(parameter)
]


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data file, a study file, and a decided study."""
    folder = tmp_path_factory.mktemp("material")
    data = write_reviews(folder / "reviews.csv")
    group = {"kind": "template", "templates": [{"text": "{text} {mask}", "parser": _PARSER}]}
    document = study_document(
        data,
        task={"data": str(data), "train": 10, "dev": 10, "test": 10},
        candidates=[group],
        budget={"trials": 1},
        study="kept",
    )
    model = ScriptedModel(lambda prompt, sample: "good")
    StudyRun(pl.load_spec(document, source="test"), out=folder / "runs", model=model).run()
    return folder


def _given(path: tuple[str, ...], folder: Path) -> list[str]:
    """What else a command needs; nothing has a model, so that none is computed with."""
    study = [str(folder / "runs" / "kept")]
    record, data = str(folder / "runs" / "kept" / "study.yaml"), str(folder / "reviews.csv")
    absent = ["--model", str(folder / "absent")]
    needed = {
        ("predict",): [str(folder / "absent"), data],
        ("explain",): [str(folder / "runs" / "kept" / "best"), *absent],
        ("improve",): ["sentiment/it-was", data, *absent, "--runs", str(folder / "better")],
        ("sensitivity",): [*study, *absent],
        ("fill",): ["{text} {mask}", "--field", "text=a", *absent],
        ("probe",): [
            data,
            "--template",
            "[X] is [Y]",
            "--subject",
            "text",
            "--object",
            "label",
            *absent,
        ],
        ("ui",): ["--host", "no host of that name"],
        ("study", "run"): [record, *absent, "--runs", str(folder / "new")],
        ("study", "new"): [data, "--out", str(folder / "made.yaml"), "--force", *absent],
        ("study", "estimate"): [record, *absent],
        ("study", "export"): [*study, str(folder / "a.jsonl")],
        ("template", "render"): ["{text} {mask}", "--field", "text=a"],
        ("data", "show"): [data],
    }
    return needed.get(path, study)


def test_the_walk_finds_the_numbers() -> None:
    assert {(("data", "show"), "--seed"), (("fill",), "--top")} <= set(NUMBERS)
    assert len(NUMBERS) >= 20


@pytest.mark.parametrize(
    ("path", "option"), NUMBERS, ids=lambda one: one if isinstance(one, str) else " ".join(one)
)
def test_a_strange_number(path: tuple[str, ...], option: str, material: Path) -> None:
    for value in STRANGE:
        own = [f"{option}={value}"] if option.startswith("-") else ["--", value]
        result = CliRunner().invoke(app, [*path, *_given(path, material), *own])
        raised = (PromptlabError, SystemExit, type(None))
        assert isinstance(result.exception, raised), (value, result.exception)
        if value == "nan":
            assert result.exit_code == 2, value
        if option == "--seed" and value in ("-1", str(2**32), str(10**30)):
            assert result.exit_code == 2, value
