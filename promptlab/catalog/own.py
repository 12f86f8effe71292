"""The user's own templates: saved, renamed and deleted in the user's folder, a file a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptlab.catalog.edits import Edits, edits, split_name
from promptlab.catalog.entry import LibraryTemplate, entry_of
from promptlab.catalog.folder import user_folder
from promptlab.catalog.sources import find, library
from promptlab.catalog.text import parse_entry
from promptlab.errors import InputError


def save_template(
    name: str,
    entry: Mapping[str, Any] | str,
    *,
    about: Mapping[str, Any] | None = None,
    replace: bool = False,
) -> LibraryTemplate:
    """Keep a template of one's own as ``task/name`` in `user_folder`.

    ``entry`` is as in the library's YAML, a mapping or its text: ``text`` or ``parts``,
    ``answers`` or ``parser``, ``source``, ``example``, ``note``. A task that is new takes its
    description, metric and labels from ``about``. Raises `InputError` for what `promptlab
    template check` would refuse, for a name that others have, and for one's own unless
    ``replace``.
    """
    with edits() as change:
        _put(change, name, entry, about, replace)
    return find(name)


def check_template(
    name: str,
    entry: Mapping[str, Any] | str,
    *,
    about: Mapping[str, Any] | None = None,
    replace: bool = False,
) -> LibraryTemplate:
    """The template that `save_template` would save, or the `InputError` that it would raise."""
    return _put(Edits(user_folder()), name, entry, about, replace)


def _put(
    change: Edits,
    name: str,
    entry: Mapping[str, Any] | str,
    about: Mapping[str, Any] | None,
    replace: bool,
) -> LibraryTemplate:
    task, short = split_name(name)
    given = parse_entry(entry) if isinstance(entry, str) else entry
    made = {"name": short, **{k: v for k, v in given.items() if k != "name" and v is not None}}
    known = _known(name)
    if known is not None and not known.own:
        raise InputError(
            f"{name} is a template of {known.path.name}, which is not yours to change; "
            f"save it under another name, such as {name}-own"
        )
    if known is not None and not replace:
        raise InputError(
            f"you have a template {name} already, in {known.path}; replace it, or give this "
            "one another name"
        )
    return change.put(task, made, about, replaced=known)


def delete_template(name: str) -> None:
    """Take one of one's own templates out of its file. Raises `InputError` for any other."""
    with edits() as change:
        change.drop(own_template(name))


def rename_template(name: str, new: str) -> LibraryTemplate:
    """Give one of one's own templates another name, in another task if that says so.

    Raises `InputError` when it is not one's own, or the new name is taken or no name.
    """
    task, short = split_name(new)
    with edits() as change:
        item = own_template(name)
        taken = _known(new)
        if taken is not None:
            raise InputError(f"there is a template {new} already, in {taken.path.name}")
        entry = entry_of(item) | {"name": short}
        if task == item.task:
            change.put(task, entry, None, replaced=item)
        else:
            change.put(task, entry, None)
            change.drop(item)
    return find(new)


def own_template(name: str) -> LibraryTemplate:
    """One of one's own. Raises `InputError` for a template of another source, or none."""
    item = find(name)
    if not item.own:
        raise InputError(f"{name} is a template of {item.path.name}, which is not yours to change")
    return item


def _known(name: str) -> LibraryTemplate | None:
    task, _, short = name.partition("/")
    group = library().get(task)
    return None if group is None else group.templates.get(short)
