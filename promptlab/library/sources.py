"""The template library: the shipped tasks, the user's own folder, and other packages' templates.

A source is a folder of YAML files, one a task. Shipped templates come first; then the folder
``$PROMPTLAB_TEMPLATES`` (default: ``templates`` in the user's configuration folder); then every
package with an entry point in the group ``promptlab.templates`` that names a package of YAML
files. A full name is ``task/name``; the same full name in two sources is an error that names
both files.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path

from promptlab.errors import InputError
from promptlab.files.provenance import content_hash, note_input
from promptlab.library.entry import (
    LibraryTask,
    LibraryTemplate,
    read_task_file,
    to_entry,
    user_folder,
)
from promptlab.prompts.template import Template

_REMARKS = ("name", "source", "example", "note")
"""What an entry says about a template to people alone."""


def load_library() -> Mapping[str, LibraryTask]:
    """All tasks by name. Raises `InputError` when two sources define one full name."""
    return _read_all(tuple((path, *_state(path)) for path in source_files()))


def tasks() -> list[LibraryTask]:
    """List all tasks of the template library.

    Returns:
        The tasks, sorted by name: shipped ones, the user's own, and those of other packages.

    Raises:
        InputError: A file of templates is wrong, or two of them define one full name.

    Example:
        >>> "sentiment" in [task.name for task in tasks()]
        True
    """
    return [task for _, task in sorted(load_library().items())]


def templates(task: str | None = None) -> list[LibraryTemplate]:
    """List the templates of the template library, or those of one task.

    Args:
        task: The task's name, such as ``sentiment``; by default all tasks.

    Returns:
        The templates with their answers and sources, sorted by task; those of one task are in the
        order of its files.

    Raises:
        InputError: The task is unknown (the message gives names that are like it), a file of
            templates is wrong, or two of them define one full name.

    Example:
        >>> "sentiment/it-was" in [item.full_name for item in templates("sentiment")]
        True
    """
    known = load_library()
    if task is not None and task not in known:
        raise InputError(f"the library has no task {task!r}; {_suggest(task, list(known))}")
    chosen = tasks() if task is None else [known[task]]
    return [item for group in chosen for item in group.templates.values()]


def find_template(name: str) -> LibraryTemplate:
    """The library's entry for a full name such as ``sentiment/it-was``."""
    task, _, short = name.partition("/")
    group = load_library().get(task)
    if group is not None and short in group.templates:
        record_template_use(group.templates[short])
        return group.templates[short]
    names = [item.full_name for item in templates()]
    raise InputError(f"the library has no template {name!r}; {_suggest(name, names)}")


def record_template_use(item: LibraryTemplate) -> None:
    """Note what a template of the library says: its name alone does not tell."""
    entry = to_entry(item)
    said = {key: value for key, value in entry.items() if key not in _REMARKS}
    note_input(
        f"template {item.full_name}",
        content_hash(json.dumps(said, sort_keys=True, ensure_ascii=False, default=str)),
    )


def load_template(name: str) -> Template:
    """Load a template of the template library by its full name.

    Args:
        name: ``task/name``, such as ``sentiment/it-was``; `templates` and
            ``promptlab template list`` give the names.

    Returns:
        The template alone; `templates` also gives its answers or its parser.

    Raises:
        InputError: The name is unknown (the message gives names that are like it), a file of
            templates is wrong, or two of them define one full name.

    Example:
        >>> load_template("sentiment/it-was").fields
        ('text',)
    """
    return find_template(name).template


def _suggest(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return "`promptlab template list` shows what there is"


def source_files() -> Iterator[Path]:
    """The YAML files of all sources: shipped, the user's, other packages'."""
    folders = [Path(str(files("promptlab.library.shipped")))]
    if user_folder().is_dir():
        folders.append(user_folder())
    for point in entry_points(group="promptlab.templates"):
        folders.append(Path(str(files(point.value))))
    for folder in folders:
        yield from sorted(folder.glob("*.yaml"))


def _state(path: Path) -> tuple[int, int, int]:
    """What changes when a file is written: two writes may fall into one tick of the clock."""
    status = path.stat()
    return status.st_mtime_ns, status.st_ino, status.st_size


@lru_cache(maxsize=4)
def _read_all(paths: tuple[tuple[Path, int, int, int], ...]) -> Mapping[str, LibraryTask]:
    found: dict[str, LibraryTask] = {}
    for path, *_ in paths:
        task = read_task_file(path)
        if task.name in found:
            task = _joined(found[task.name], task)
        found[task.name] = task
    return found


def _joined(first: LibraryTask, second: LibraryTask) -> LibraryTask:
    for name, item in second.templates.items():
        if name in first.templates:
            raise InputError(
                f"template {item.full_name} is defined twice: in {first.templates[name].path} and "
                f"in {item.path}; rename one of them"
            )
    return LibraryTask(
        first.name,
        first.description,
        first.metric,
        first.labels,
        (*first.examples, *second.examples),
        {**first.templates, **second.templates},
    )
