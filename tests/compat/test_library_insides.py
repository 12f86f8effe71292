"""Other libraries' insides are looked at in one place each, and a change in one is told."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import promptlab
from promptlab import compat
from promptlab.compat import library_internal
from promptlab.engine.kv_cache import compatibility
from promptlab.engine.kv_cache.state import PrefixCacheLayer
from promptlab.errors import WorkError

ROOT = Path(promptlab.__file__).parent.parent
SOURCES = sorted(p for top in ("promptlab", "ui") for p in (ROOT / top).rglob("*.py"))
PLACES = (
    "promptlab/compat/",
    "ui/components/gradio_internals.py",
    "promptlab/interop/openprompt_import.py",
    "promptlab/prompts/jinja/",
)
"""The last two: what OpenPrompt's import lends to transformers, Jinja's compiler subclassed."""
INNER = (
    "transformers.cache_utils", "transformers.modeling_outputs", "transformers.pytorch_utils",
    "transformers.models", "transformers.masking_utils", "transformers.utils.import_utils",
    "transformers.tokenization_utils", "transformers.generation.", "transformers.integrations",
    "peft.utils", "peft.tuners", "dspy.adapters", "dspy.utils", "dspy.clients.", "gradio.events",
    "gradio.components.", "gradio.blocks", "gradio.routes", "gradio.utils", "gradio_client",
    "optuna.storages._", "optuna.samplers._", "optuna._", "litellm.", "jinja2.compiler",
    "tokenizers.implementations",
)  # fmt: skip
"""Modules whose names their documentation does not promise."""
OWN_SIGNATURES = (
    "promptlab/interop/dspy/programs.py", "promptlab/cli/common_options.py",
    "promptlab/predictors/sklearn_interface.py",
    "ui/server/request_values.py",
)  # fmt: skip
"""Look at the user's own module, at our own commands, endpoints and classes, not at a library's."""
DOCUMENTED = ("os._exit",)


def outside() -> list[Path]:
    found = [p for p in SOURCES if not p.relative_to(ROOT).as_posix().startswith(PLACES)]
    assert len(found) > 300
    return found


def names_of_ours() -> set[str]:
    """Every private name that our own code defines."""
    found: set[str] = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                found |= {node.attr} if isinstance(node.value, ast.Name) else set()
    return {name for name in found if name.startswith("_")}


def foreign(path: Path, ours: set[str]) -> Iterator[str]:
    """What a file takes from the inside of another library."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        place = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
        named = []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            named = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        elif isinstance(node, ast.Attribute):
            private = node.attr.startswith("_") and not node.attr.startswith("__")
            if private and node.attr not in ours and ast.unparse(node) not in DOCUMENTED:
                yield f"{place} uses {ast.unparse(node)}"
        elif isinstance(node, ast.keyword) and node.arg and node.arg.startswith("_"):
            yield f"{path.relative_to(ROOT)}:{node.value.lineno} gives {node.arg}="
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr"):
            name = node.args[1].value if isinstance(node.args[1], ast.Constant) else ""
            private = isinstance(name, str) and name.startswith("_") and name[:2] != "__"
            if private and name not in ours:
                yield f"{place} asks for {name}"
        for name in named:
            if name.split(".")[0] in ("promptlab", "__future__"):
                continue
            private = any(part.startswith("_") for part in name.split("."))
            if private or f"{name}.".startswith(INNER):
                yield f"{place} imports {name}"


def test_the_inside_of_other_libraries_is_used_in_one_place_each() -> None:
    ours = names_of_ours()
    assert [told for path in outside() for told in foreign(path, ours)] == []


def test_signatures_of_other_libraries_are_read_in_one_place_each() -> None:
    for path in outside():
        if path.relative_to(ROOT).as_posix() in OWN_SIGNATURES:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            read = isinstance(node, ast.Attribute) and ast.unparse(node) == "inspect.signature"
            assert not read, f"{path}:{node.lineno}"


def test_the_search_finds_what_it_looks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    file = tmp_path / "file.py"
    file.write_text(
        "from transformers.cache_utils import Cache\nimport optuna._x\nmodel._hooks\n"
        "launch(_frontend=False)\ngetattr(storage, '_backend', None)\nself._own\n__file__\n"
    )
    assert {told.partition(" ")[2] for told in foreign(file, {"_own"})} == {
        "imports transformers.cache_utils.Cache",
        "imports optuna._x",
        "uses model._hooks",
        "gives _frontend=",
        "asks for _backend",
    }


def test_what_a_library_no_longer_has_is_told_with_the_tested_versions() -> None:
    assert library_internal("transformers.cache_utils", "Cache").__name__ == "Cache"
    with pytest.raises(WorkError, match=r"^the installed transformers 5\.\S+ has no .*\.Till as "):
        library_internal("transformers.cache_utils", "Till")
    with pytest.raises(WorkError, match=r'pip install "transformers\S*>=5\.23\S*"$'):
        library_internal("transformers.cache_utilities", "Cache")
    with pytest.raises(ModuleNotFoundError):
        library_internal("not_installed_anywhere.at_all", "name")
    assert compat.tested_versions("unknown") == "unknown"


def test_cache_layers_that_a_library_takes_no_longer_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compatibility.check_cache_layers.cache_clear()
    compatibility.check_cache_layers()
    told = r"^the installed transformers \S+ has no cache layers"
    for name in ("get_mask_sizes", "update"):
        compatibility.check_cache_layers.cache_clear()
        with monkeypatch.context() as patched, pytest.raises(WorkError, match=told):
            patched.setattr(PrefixCacheLayer, name, lambda self: None)
            compatibility.check_cache_layers()
    compatibility.check_cache_layers.cache_clear()
    with monkeypatch.context() as patched, pytest.raises(WorkError, match=told):
        patched.setattr(
            PrefixCacheLayer, "update", lambda self, keys, values, *a, **k: (keys, values)
        )
        compatibility.check_cache_layers()
    compatibility.check_cache_layers.cache_clear()


def test_every_library_whose_inside_is_used_has_an_upper_bound() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    every = [*project["dependencies"], *(line for extra in extras for line in extra)]
    for library in (
        "torch", "transformers", "tokenizers", "peft", "optuna", "dspy", "gradio", "jinja2",
    ):  # fmt: skip
        (line,) = [line for line in every if re.match(rf"{library}[<>=]", line)]
        assert ",<" in line, line
