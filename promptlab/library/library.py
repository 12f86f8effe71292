"""The user's own part of the library: saved, renamed, deleted, imported and given to others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from promptlab.errors import InputError
from promptlab.library.entry import LibraryTemplate, to_entry, user_folder
from promptlab.library.exchange import ImportResult, export_templates, import_templates
from promptlab.library.sources import find_template, load_library, templates
from promptlab.library.transaction import LibraryTransaction, library_transaction, split_name
from promptlab.library.yaml_edit import parse_entry

Entry = Mapping[str, Any] | str
"""A template as in the library's YAML: a mapping or its text."""


class TemplateLibrary:
    """Your own templates: a YAML file a task in ``folder``, part of what `templates` gives.

    The folder is ``$PROMPTLAB_TEMPLATES``, or ``templates`` in your configuration folder. Names
    are ``task/name``. Only your own templates can be changed; every change is checked as
    `promptlab template check` does and is made whole or not at all.

    Example:
        >>> answers = {"positive": "good", "negative": "bad"}
        >>> entry = {"text": "{text} It felt {mask}.", "answers": answers}
        >>> TemplateLibrary().check("sentiment/felt", entry).template.fields
        ('text',)
    """

    @property
    def folder(self) -> Path:
        """Where the files are; it may not be there yet."""
        return user_folder()

    def templates(self) -> list[LibraryTemplate]:
        """Your own templates, by full name."""
        return [item for item in templates() if item.is_own]

    def entry(self, name: str) -> dict[str, Any]:
        """Any template of the library as an entry of its YAML, with its example."""
        return to_entry(find_template(name))

    def save(
        self,
        name: str,
        entry: Entry,
        *,
        about: Mapping[str, Any] | None = None,
        replace: bool = False,
    ) -> LibraryTemplate:
        """Keep a template as ``task/name``.

        Args:
            name: The full name.
            entry: ``text`` or ``parts``, ``answers`` or ``parser``, and maybe ``source``,
                ``example`` and ``note``; a mapping or its YAML.
            about: Description, metric and labels of a task that is new.
            replace: Whether a template of yours with that name is replaced.

        Returns:
            The saved template.

        Raises:
            InputError: For what has faults, for a name that others have, and for one's own unless
                ``replace``.
        """
        with library_transaction() as change:
            _put(change, name, entry, about, replace)
        return find_template(name)

    def check(
        self,
        name: str,
        entry: Entry,
        *,
        about: Mapping[str, Any] | None = None,
        replace: bool = False,
    ) -> LibraryTemplate:
        """The template that `save` would save, or the `InputError` that it would raise."""
        return _put(LibraryTransaction(self.folder), name, entry, about, replace)

    def rename(self, name: str, new: str, entry: Entry | None = None) -> LibraryTemplate:
        """Give a template another name, in another task if that says so; ``entry`` changes it, too.

        Raises `InputError` when it is not one's own, or the new name is taken or no name.
        """
        task, short = split_name(new)
        with library_transaction() as change:
            item = _find_own(name)
            taken = _find_known(new)
            if taken is not None:
                raise InputError(f"there is a template {new} already, in {taken.path.name}")
            made = to_entry(item) | {"name": short} if entry is None else _named(short, entry)
            if task == item.task:
                change.put(task, made, None, replaced=item)
            else:
                change.put(task, made, None)
                change.remove(item)
        return find_template(new)

    def delete(self, name: str) -> None:
        """Take a template out of its file. Raises `InputError` when it is not one's own."""
        with library_transaction() as change:
            change.remove(_find_own(name))

    def import_file(self, path: str | Path, *, replace: bool = False) -> ImportResult:
        """Save every template of a YAML file, or none of them: see `import_templates`."""
        return import_templates(path, replace=replace)

    def export(self, names: Iterable[str]) -> str:
        """Templates of the library, one's own or not, as YAML that `import_file` takes."""
        return export_templates(names)


def _put(
    change: LibraryTransaction,
    name: str,
    entry: Entry,
    about: Mapping[str, Any] | None,
    replace: bool,
) -> LibraryTemplate:
    task, short = split_name(name)
    known = _find_known(name)
    if known is not None and not known.is_own:
        raise InputError(
            f"{name} is a template of {known.path.name}, which is not yours to change; "
            f"save it under another name, such as {name}-own"
        )
    if known is not None and not replace:
        raise InputError(
            f"you have a template {name} already, in {known.path}; replace it, or give this "
            "one another name"
        )
    return change.put(task, _named(short, entry), about, replaced=known)


def _named(short: str, entry: Entry) -> dict[str, Any]:
    """The entry under this name; what has no value is left out."""
    given = parse_entry(entry) if isinstance(entry, str) else entry
    return {"name": short, **{k: v for k, v in given.items() if k != "name" and v is not None}}


def _find_own(name: str) -> LibraryTemplate:
    """One of one's own. Raises `InputError` for a template of another source, or none."""
    item = find_template(name)
    if not item.is_own:
        raise InputError(f"{name} is a template of {item.path.name}, which is not yours to change")
    return item


def _find_known(name: str) -> LibraryTemplate | None:
    task, _, short = name.partition("/")
    group = load_library().get(task)
    return None if group is None else group.templates.get(short)
