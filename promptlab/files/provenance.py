"""What results rest on beside a study's own file: weights, files, templates, code, software.

Whatever is looked up by a name while a study is set up notes its content here (`note_file`,
`note_code`, `note_package`, `note_input`). Outside of `collect_inputs` nothing is kept.
"""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_SHOWN = 12
"""Characters of a content hash that are kept and shown."""
_MOST_SOURCES = 2_000
ENDPOINT_SAYS = "endpoint says "
"""How names of facts begin that an endpoint may leave out at times; then nothing is compared."""
_INSTALLED = ("site-packages", "dist-packages")

_inputs: ContextVar[dict[str, str] | None] = ContextVar("inputs", default=None)


@dataclass(frozen=True)
class Provenance:
    """What results rest on, as short values by name.

    ``fixed`` may not change while a study goes on; ``noted`` is told when it does, because it moves
    single examples at the most (which processor it was, how many threads).
    """

    fixed: Mapping[str, str] = field(default_factory=dict)
    noted: Mapping[str, str] = field(default_factory=dict)

    def __or__(self, other: Provenance) -> Provenance:
        """Both together."""
        return Provenance({**self.fixed, **other.fixed}, {**self.noted, **other.noted})

    @property
    def key(self) -> str:
        """Equal for equal ``fixed`` parts."""
        return content_hash(json.dumps(dict(self.fixed), sort_keys=True, ensure_ascii=False))

    def record(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {"key": self.key, "fixed": dict(self.fixed), "noted": dict(self.noted)}

    @classmethod
    def from_record(cls, record: Any) -> Provenance:
        """The inverse of `record`. Raises `ValueError` for anything else."""
        parts: list[Any] = [
            record.get(name) if isinstance(record, dict) else None for name in _PARTS
        ]
        for part in parts:
            if not isinstance(part, dict) or not all(
                isinstance(text, str) for pair in part.items() for text in pair
            ):
                raise ValueError(f"it holds no {' and '.join(_PARTS)} of texts by name")
        return cls(*parts)


_PARTS = ("fixed", "noted")


def content_hash(content: str | bytes) -> str:
    """A short hash of a text or of bytes."""
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()[:_SHOWN]


@contextmanager
def collect_inputs(found: dict[str, str]) -> Iterator[None]:
    """While inside, what is looked up by name is noted in ``found``, beside what it holds."""
    before = _inputs.set(found)
    try:
        yield
    finally:
        _inputs.reset(before)


def note_input(name: str, value: str) -> None:
    """Note a value by its name; a second one of the same name gets a number."""
    found = _inputs.get()
    if found is None:
        return
    number, free = 1, name
    while found.get(free, value) != value:
        number += 1
        free = f"{name} ({number})"
    found[free] = value


def note_file(path: str | Path) -> None:
    """Note the content of a file by the file's name: where it lies decides nothing."""
    if _inputs.get() is None or not Path(path).is_file():
        return
    try:
        with Path(path).open("rb") as stream:  # it may have gigabytes
            content = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return  # whoever is to read it says what is wrong with it
    note_input(f"file {Path(path).name}", content[:_SHOWN])


def note_package(*names: str) -> None:
    """Note the versions of installed packages."""
    for name in names if _inputs.get() is not None else ():
        note_input(f"package {name}", package_version(name))


def note_code(module: str) -> None:
    """Note the source of an imported module, and of what it imports from beside itself."""
    if _inputs.get() is not None:
        note_input(f"code {module}", code_hash(module))


def package_version(name: str) -> str:
    """An installed package's version, in words if there is none."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def package_versions(*names: str) -> dict[str, str]:
    """The versions of packages by the names under which they are noted."""
    return {f"package {name}": package_version(name) for name in names}


def code_hash(module: str) -> str:
    """A hash of the source of an imported module and of what it imports from its own folder.

    Of an installed package its own files are read and no others.
    """
    top = module.partition(".")[0]
    file = getattr(sys.modules.get(top), "__file__", None)
    if file is None:
        return "no source"
    if module == "__main__":
        return content_hash(Path(file).read_bytes())
    root = Path(file).parent.parent if Path(file).stem == "__init__" else Path(file).parent
    installed = any(part in _INSTALLED for part in root.parts)
    digest = hashlib.sha256()
    for name, path in sorted(_sources(module, root, top if installed else None).items()):
        digest.update(f"{name}\n".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:_SHOWN]


@cache
def own_source() -> str:
    """A hash of promptlab's own source: two checkouts may have one version."""
    root, digest = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:_SHOWN]


def _sources(module: str, root: Path, within: str | None) -> dict[str, Path]:
    """The files under ``root`` that importing a module reads, by module name."""
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting and len(found) < _MOST_SOURCES:
        name = waiting.pop()
        parts = name.split(".")
        if within is not None and parts[0] != within:
            continue
        for end in range(1, len(parts) + 1):
            inner = ".".join(parts[:end])
            if inner not in found and (path := _file_of(parts[:end], root)) is not None:
                found[inner] = path
                waiting += _imported(path, inner)
    return found


def _file_of(parts: list[str], root: Path) -> Path | None:
    stem = root.joinpath(*parts)
    for path in (stem / "__init__.py", stem.with_name(f"{stem.name}.py")):
        if path.is_file():
            return path
    return next(iter(sorted(stem.parent.glob(f"{stem.name}.*.so"))), None)


def _imported(path: Path, module: str) -> list[str]:
    """Full names of all that a source file imports, wherever it does."""
    if path.suffix != ".py":
        return []
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError):
        return []
    package = module.split(".") if path.stem == "__init__" else module.split(".")[:-1]
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return [name for name in found if name and not name.startswith(".")]
