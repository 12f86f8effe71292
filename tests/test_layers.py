"""Imports point one way: every module imports from its own layer or one before it, in no circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

import promptlab

LAYERS = (
    # texts from outside made harmless, and errors that hold such texts
    "security", "errors", "events", "cancellation",
    # what is on disk, other libraries' insides, pinned wheels
    "compat", "files", "assets",
    # text without a model: examples, prompts, templates to choose from, figures
    "data", "prompts", "evaluation", "library",
    # the only place that runs a network, and models by name
    "engine", "models",
    # what answers examples
    "predictors", "batch", "strategies",
    # what is learned, and what a study tries
    "tuning", "candidates", "estimators", "study",
    # the ways in and out
    "interop", "cli", "__main__",
)  # fmt: skip
"""Folders and files of ``promptlab/``; each imports from itself and from those before it."""
ROOT = Path(promptlab.__file__).parent
SOURCES = sorted(ROOT.rglob("*.py"))
TOP = ROOT.parent
APP = sorted((TOP / "ui").rglob("*.py"))


def module_of(path: Path) -> str:
    """``promptlab.x.y`` of a file of the library or the app."""
    parts = path.relative_to(TOP).with_suffix("").parts
    parts = parts if parts[0] == "promptlab" else ("promptlab", *parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in (*SOURCES, *APP)}


def layer(module: str) -> int | None:
    """The place of ``promptlab.x.y`` in `LAYERS`; ``None`` for the package itself."""
    name = module.removeprefix("promptlab").lstrip(".").partition(".")[0]
    return LAYERS.index(name) if name in LAYERS else None


def for_types_alone(tree: ast.Module) -> set[ast.AST]:
    """What stands under ``if TYPE_CHECKING``: no import at run time."""
    return {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }


def imported(path: Path, *, types: bool = True) -> Iterator[tuple[int, str]]:
    """Line and module of everything of promptlab's that a file imports, also inside functions.

    With ``types`` false, what only a type checker imports is left out.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    left_out = set() if types else for_types_alone(tree)
    for node in ast.walk(tree):
        if node in left_out:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            base = node.module or ""
            full = [f"{base}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else base for name in full]
            if base == "promptlab":
                names = full
        else:
            continue
        yield from ((node.lineno, name) for name in names if name.split(".")[0] == "promptlab")


def test_every_module_has_its_layer() -> None:
    names = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in SOURCES}
    assert names - {"__init__"} == set(LAYERS)


def test_the_top_level_can_be_read_at_once() -> None:
    entries = [path for path in ROOT.iterdir() if path.name != "__pycache__"]
    assert len(entries) <= 25, sorted(path.name for path in entries)


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_imports_point_one_way(path: Path) -> None:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    relative = [n.lineno for n in nodes if isinstance(n, ast.ImportFrom) and n.level]
    assert not relative, f"{path}: relative imports in lines {relative}"
    own = layer(module_of(path))
    for line, name in imported(path, types=False):
        other = layer(name)
        if own is None or other is None:
            continue
        assert other <= own, f"{module_of(path)}:{line} imports {name} from a later layer"


def test_no_circle_between_files() -> None:
    graph = {
        module: {name for _, name in imported(path, types=False) if name in MODULES} - {module}
        for module, path in MODULES.items()
    }
    graph["promptlab"] = set()  # its names are looked up when they are first used
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


@pytest.mark.parametrize("path", APP, ids=lambda path: path.name)
def test_the_app_uses_public_names_alone(path: Path) -> None:
    """From ``promptlab`` or a public subpackage, and only what it says that it gives."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("promptlab")]
            assert set(names) <= {"promptlab"}, f"{path}:{node.lineno}"
        elif isinstance(node, ast.ImportFrom) and not node.level:
            module = str(node.module)
            if module.partition(".")[0] != "promptlab":
                continue
            assert module.count(".") <= 1, f"{path}:{node.lineno} imports from {module}"
            public = set(import_module(module).__all__)
            names = {alias.name for alias in node.names}
            assert names <= public, f"{path}:{node.lineno} imports {names - public}"


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_what_no_file_does(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("eval", "exec"), f"{path}:{node.lineno}"
        if isinstance(node, ast.Import):
            assert not {"pickle", "dill", "marshal"} & {a.name for a in node.names}, path
        if isinstance(node, ast.keyword) and node.arg == "trust_remote_code":
            assert isinstance(node.value, ast.Constant), path
            assert node.value.value is False, path
        if isinstance(node, ast.keyword) and node.arg == "shell":
            assert isinstance(node.value, ast.Constant), path
            assert node.value.value is False, path


def test_no_class_name_is_used_twice() -> None:
    """Public classes alone: what two files call the same is one thing, or one of them is wrong."""
    homes: dict[str, list[str]] = {}
    for path in SOURCES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(module_of(path))
    twice = {name: modules for name, modules in homes.items() if len(modules) > 1}
    assert not twice, twice
