"""Imports point one way: every module imports from its own layer or one before it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import promptlab

LAYERS: tuple[tuple[str, ...], ...] = (
    # plain values
    (
        "build_once",
        "cache", "cache_parts", "calibration", "cancellation", "candidate", "catalog", "clusters",
        "checksums", "entries", "file_hash", "partial",
        "bag_of_words", "columns", "cuts", "distinct",
        "decoding", "errors", "evaluation", "events", "example", "expression", "extraction",
        "failure", "failure_tables", "failures", "fitting", "game24", "grammar", "hub",
        "label_column", "metric",
        "number", "own_code", "parser", "plain_file", "provenance", "reading",
        "parser_settings", "predictions", "prompt", "readers", "reasoning", "repeats", "seen_texts",
        "isolation", "jinja", "pattern", "rendering", "safe_yaml", "sandbox",
        "saved_folder", "saved_schema", "saved_settings",
        "settings", "outside_text", "redaction", "terminal",
        "compat", "hidden_reasoning", "inputs", "json_file", "label",
        "spans", "split", "spreadsheet", "statistics", "task", "template", "text", "trace",
        "verbalizer",
        "answer_cue", "choice", "choice_cue", "choice_mention", "numeral", "open_answer",
    ),
    # the only place that runs a network
    ("engine",),
    # loading, one file a family, pinned assets
    ("models",),
    # what needs a model or an asset: predictors, and the pinned data sets
    (
        "asks", "classifier", "datasets", "demonstrations", "driver", "generator", "grid",
        "head", "mixture", "pinned", "predictor", "replies", "rescoring", "retrieval",
        "saved_model", "selection", "strategy", "template_predictor", "window",
    ),
    # a saved predictor over whole files
    ("batch",),
    # reasoning over several asks, and several predictors together
    ("ensemble", "strategies"),
    # what is learned on a frozen model
    ("tuning",),
    ("kinds",),
    ("study",),
    ("interop",),
    ("cli",),
    ("__main__",),
)  # fmt: skip
ROOT = Path(promptlab.__file__).parent
SOURCES = sorted(ROOT.rglob("*.py"))
TOP = ROOT.parent


def layer(module: str) -> int | None:
    """The layer of ``promptlab.x.y``; ``None`` for the package itself."""
    name = module.removeprefix("promptlab").lstrip(".").partition(".")[0]
    return next((index for index, names in enumerate(LAYERS) if name in names), None)


def module_of(path: Path) -> str:
    parts = path.relative_to(TOP).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything of promptlab's that a file imports, wherever it does."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            base = node.module or ""
            names = [
                f"{base}.{alias.name}" if base == "promptlab" else base for alias in node.names
            ]
        else:
            continue
        yield from ((node.lineno, name) for name in names if name.split(".")[0] == "promptlab")


def test_every_module_has_its_layer() -> None:
    names = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in SOURCES}
    known = [name for names in LAYERS for name in names]
    assert len(known) == len(set(known))
    assert names - {"__init__"} == set(known)


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_imports_point_one_way(path: Path) -> None:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    relative = [n.lineno for n in nodes if isinstance(n, ast.ImportFrom) and n.level]
    assert not relative, f"{path}: relative imports in lines {relative}"
    own = layer(module_of(path))
    for line, name in imported(path):
        other = layer(name)
        if own is None or other is None:
            continue
        assert other <= own, f"{module_of(path)}:{line} imports {name} from a later layer"


@pytest.mark.parametrize("path", sorted((TOP / "ui").rglob("*.py")), ids=lambda path: path.name)
def test_the_app_uses_public_names_alone(path: Path) -> None:
    for line, name in imported(path):
        public = name == "promptlab" or name.startswith("promptlab.ui")
        public = public or name.removeprefix("promptlab.") in promptlab.__all__
        assert public, f"ui/{path.name}:{line} imports {name}"


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
