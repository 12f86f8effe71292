"""Every setting of every kind that names something outside of the study file is noted."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel

from promptlab.candidates.base import BUILT_IN, KindSettings, find_kind
from promptlab.data.task import Task
from promptlab.files.provenance import collect_inputs
from promptlab.study.spec.space import SearchSpace
from tests.helpers.provenance_fixtures import OWN, module  # noqa: F401 - a fixture

ALLOWED_CODE = ("my_problem", "my_program")
OUTSIDE = {
    "templates", "propose", "sample", "value", "vote", "answer", "template", "passages",
    "unlabelled", "problem", "program", "prompt_model", "corpus", "pairs", "pipeline", "writer",
    "filler", "forward", "backward",
}  # fmt: skip
"""Settings that may name a template of the library, a file, code or a model."""
WRITTEN = {
    "verbalizers", "without", "text", "outside", "field", "query", "column", "trigger",
    "extraction", "reasoning_field", "instructions", "init_text", "input", "of", "start_text",
    "name", "fields", "reasoning", "separator", "demonstration_separator", "parts", "answers",
    "stop", "label", "knowledge", "task", "parser", "map", "item", "ending", "given", "language",
    "other", "domain", "forward_prefix",
    "backward_prefix",
}  # fmt: skip
"""Settings whose texts are all there is to them: words, fields, groups, templates written out."""
OF_LIBRARIES = {"optimizer"}
"""Settings that name a part of a package, whose version is noted."""


def texts_of(settings: type[BaseModel], seen: set[type]) -> Iterator[str]:
    """The settings that can hold a text, those of nested sections too."""
    if settings in seen:
        return
    seen.add(settings)
    for name, field in settings.model_fields.items():
        if name != "kind":
            if holds_text(field.annotation):
                yield name
            for inner in nested(field.annotation):
                yield from texts_of(inner, seen)


def holds_text(annotation: Any) -> bool:
    if annotation is str:
        return True
    if get_origin(annotation) is Literal:
        return False
    inner = get_args(annotation)
    return any(map(holds_text, inner[1:] if get_origin(annotation) is dict else inner))


def nested(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation is not KindSettings:
            yield annotation
    else:
        for inner in get_args(annotation):
            yield from nested(inner)


@pytest.mark.parametrize("kind", BUILT_IN)
def test_every_text_of_a_kind_is_known_to_be_written_out_or_looked_up(kind: str) -> None:
    if kind == "dspy":
        pytest.importorskip("dspy")
    found = set(texts_of(find_kind(kind).Settings, set()))
    assert found <= OUTSIDE | WRITTEN | OF_LIBRARIES, (
        "a new setting that holds a text: if it names a file, a template, code or a model, it must "
        "be noted when it is looked up (promptlab.files.provenance), and tried below"
    )


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "templates"
    folder.mkdir()
    monkeypatch.setenv("PROMPTLAB_TEMPLATES", str(folder))
    entry = {"name": "one", "text": "{text} To me {mask}.", "answers": OWN, "source": "me"}
    said = {"name": "said", "text": "{text} {mask}", "parser": {"type": "text"}, "source": "me"}
    search = {
        "name": "search",
        "text": "{text} {trigger:2} {mask}.",
        "answers": OWN,
        "source": "me",
    }
    document = {"task": "mine", "templates": [entry, said, search]}
    (folder / "mine.yaml").write_text(yaml.safe_dump(document))
    return folder


PLAIN = {"kind": "template", "templates": ["mine/one"]}
TEMPLATES = {
    "templates": (
        "template", "demonstrations", "chain_of_thought", "soft_prompt", "p_tuning", "prefix",
        "finetune", "triggers", "answer_search", "instruction_search",
        "paraphrased_templates",
    )
}  # fmt: skip
MORE: dict[str, dict[str, Any]] = {
    "soft_prompt": {"length": [2]}, "p_tuning": {"length": [2]}, "prefix": {"length": [2]},
    "finetune": {"mode": ["model"]},
}  # fmt: skip


@pytest.mark.parametrize("kind", TEMPLATES["templates"])
def test_a_template_of_the_library_is_noted_in_every_kind(
    kind: str, library: Path, task: Task
) -> None:
    name = "mine/search" if kind == "triggers" else "mine/one"
    group = {"kind": kind, "templates": [name]} | MORE.get(kind, {})
    assert f"template {name}" in looked_up(group, task)


@pytest.mark.parametrize("kind", ["self_consistency", "retrieval", "knowledge"])
def test_and_inside_of_another_kind(kind: str, library: Path, task: Task) -> None:
    own: dict[str, Any] = {"inner": PLAIN}
    if kind == "self_consistency":
        own["inner"] = {"kind": "chain_of_thought", "templates": ["mine/one"], "temperature": [0.7]}
    if kind == "retrieval":
        own["passages"] = "train"
    if kind == "knowledge":
        own["templates"] = ["mine/said"]
    found = looked_up({"kind": kind} | own, task)
    assert "template mine/one" in found
    assert kind != "knowledge" or "template mine/said" in found


def test_and_in_the_steps_of_a_chain_and_of_a_tree(library: Path, task: Task) -> None:
    said = {"text": "{text} {mask}"}
    chain = {"kind": "chain", "steps": [{"name": "a", "templates": ["mine/said"]}]}
    tree = {"kind": "tree_of_thoughts", "propose": ["mine/said"], "thoughts": ["propose"],
            "value": [said | {"answers": OWN}]}  # fmt: skip
    answered = {"kind": "tree_of_thoughts", "propose": ["{text} {mask}"], "thoughts": ["propose"],
                "evaluation": ["random"], "answer": "mine/said"}  # fmt: skip
    for group in (chain, tree, answered):
        assert "template mine/said" in looked_up(group, task), group["kind"]


PROBLEM = """
from promptlab.strategies.tree_of_thoughts.problem import FreeProblem

class Mine(FreeProblem):
    fields = ("text",)
"""


def test_a_problem_of_ones_own_is_noted(
    library: Path, task: Task, module: Callable[[str, str], Path]
) -> None:
    module("my_problem", PROBLEM)
    tree = {"kind": "tree_of_thoughts", "problem": "my_problem:Mine", "propose": ["mine/said"],
            "thoughts": ["propose"], "evaluation": ["random"]}  # fmt: skip
    assert "code my_problem" in looked_up(tree, task)


def test_a_program_of_ones_own_and_dspy_are_noted(
    task: Task, module: Callable[[str, str], Path]
) -> None:
    pytest.importorskip("dspy")
    from promptlab.interop.dspy.programs import make_program

    module("my_program", "import dspy\n\nclass Mine(dspy.Predict):\n    pass\n")
    found: dict[str, str] = {}
    with collect_inputs(found):
        make_program("my_program:Mine", "text -> label")
    assert list(found) == ["code my_program"]
    noted = looked_up({"kind": "dspy", "program": ["predict"]}, task)
    assert "package dspy" in noted


def test_a_model_that_writes_instructions_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    from promptlab.files.provenance import Provenance
    from promptlab.models import pool

    class Other:
        def provenance(self) -> Provenance:
            return Provenance({"weights": "abc"})

    monkeypatch.setattr(pool, "load_model", lambda name: Other())
    found: dict[str, str] = {}
    with collect_inputs(found):
        pool.note_model("other", "writer")
    assert found == {"writer other, weights": "abc"}


def looked_up(group: dict[str, Any], task: Task) -> dict[str, str]:
    found: dict[str, str] = {}
    with collect_inputs(found):
        SearchSpace([find_kind(group["kind"]).Settings.model_validate(group)], task)
    return found


OPENED: list[str] = []
LISTENS = [False]


def hear(event: str, arguments: tuple[Any, ...]) -> None:
    if LISTENS[0] and event == "open" and isinstance(arguments[0], str | Path):
        OPENED.append(str(arguments[0]))


def test_no_file_is_opened_that_is_not_noted(tmp_path: Path, library: Path, task: Task) -> None:
    """An audit hook hears of every file: what a kind opens without noting it cannot hide."""
    (tmp_path / "passages.txt").write_text("one\n\ntwo")
    (tmp_path / "more.csv").write_text("text\nthe film was long .\n")
    (tmp_path / "corpus.txt").write_text("Rome lies in Italy.\n")
    (tmp_path / "pairs.csv").write_text("subject,object\nItaly,Rome\n")
    templates = [{"text": "{context} {text} It was {mask}.", "answers": OWN}]
    inner = {"kind": "template", "templates": templates}
    groups = [
        PLAIN,
        {"kind": "retrieval", "inner": inner, "passages": str(tmp_path / "passages.txt")},
        {"kind": "distillation", "unlabelled": str(tmp_path / "more.csv")},
        {
            "kind": "mined_templates",
            "corpus": str(tmp_path / "corpus.txt"),
            "pairs": str(tmp_path / "pairs.csv"),
        },
    ]
    sys.addaudithook(hear)
    OPENED.clear()
    found: dict[str, str] = {}
    LISTENS[0] = True
    try:
        for group in groups:
            found |= looked_up(group, task)
    finally:
        LISTENS[0] = False
    own = {Path(path) for path in OPENED if path.startswith(str(tmp_path))}
    named = {"passages.txt", "more.csv", "corpus.txt", "pairs.csv"}
    assert {path.name for path in own} == {*named, "mine.yaml"}
    assert {"template mine/one", *(f"file {name}" for name in named)} <= set(found)
