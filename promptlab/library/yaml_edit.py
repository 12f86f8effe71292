"""Templates as YAML text: read within limits, written, changed without touching the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from promptlab.errors import InputError
from promptlab.files.safe_yaml import raising_yaml_errors, reject_duplicate_keys, yaml_loader
from promptlab.files.yaml_dump import dump_yaml

LONGEST = 1_000_000
"""Most characters of a text of templates that is read from elsewhere."""
_DEEPEST = 16
_TOO_DEEP = "nested too deeply"


@dataclass(frozen=True)
class YamlDocument:
    """One task's document, and the lines (from 1) at which its templates begin."""

    data: Any
    lines: tuple[int, ...] = ()


def read_documents(text: str, source: str) -> list[YamlDocument]:
    """The YAML documents of a text that may come from anywhere.

    Raises `InputError` naming the line: for what is no YAML, longer than a million characters,
    nested deeply, or has aliases, tags of its own, or a key that stands twice.
    """
    if len(text) > LONGEST:
        raise InputError(
            f"{source}: {len(text):,} characters are more than {LONGEST:,}; split it up"
        )
    with raising_yaml_errors(source):
        check_shape(text, source)
        return list(_documents(text, source))


def parse_entry(text: str, source: str = "entry") -> dict[str, Any]:
    """One YAML mapping, such as the keys of a template's entry; an empty text has none.

    Raises `InputError` as `read_documents` does, and for what is no mapping.
    """
    found = [one.data for one in read_documents(text, source) if one.data is not None]
    if not found:
        return {}
    if len(found) > 1 or not isinstance(found[0], dict):
        raise InputError(f"{source}: expected keys with values, such as answers: {{good: [fine]}}")
    made: dict[str, Any] = found[0]
    return made


def check_shape(text: str, source: str, *, aliases: bool = False) -> None:
    """Refuse what grows when it is read: nodes in nodes without end, and ``aliases``."""
    try:
        for event, depth in _events(text):
            if depth > _DEEPEST or (isinstance(event, yaml.AliasEvent) and not aliases):
                what = _TOO_DEEP if depth > _DEEPEST else "an alias (*name); write it out"
                raise InputError(f"{source}, line {event.start_mark.line + 1}: {what}")
    except yaml.MarkedYAMLError as error:
        # The parser looks ahead and has a limit of its own, which it may meet before we see ours.
        mark = error.problem_mark
        if mark is not None and _opened(text, mark.index) > _DEEPEST:
            raise InputError(f"{source}, line {mark.line + 1}: {_TOO_DEEP}") from error
        raise


def _events(text: str) -> Iterator[tuple[yaml.Event, int]]:
    """What the parser finds, each with the number of collections that it stands in."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml_loader()):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        yield event, depth


def _opened(text: str, index: int) -> int:
    """Brackets still open at ``index``, if one opens there; what is quoted counts as well."""
    if text[index : index + 1] not in ("[", "{"):
        return 0
    before = text[: index + 1]
    return sum(before.count(sign) for sign in "[{") - sum(before.count(sign) for sign in "]}")


def _documents(text: str, source: str) -> Iterator[YamlDocument]:
    loader = yaml_loader()(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            reject_duplicate_keys(node, source)
            entries = _templates_node(node)
            lines = [item.start_mark.line + 1 for item in entries.value] if entries else []
            yield YamlDocument(loader.construct_document(node), tuple(lines))
    finally:
        loader.dispose()


def _templates_node(node: yaml.Node | None) -> yaml.SequenceNode | None:
    """The list under ``templates``, if there is one."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    found = [value for key, value in pairs if key.value == "templates"]
    return found[0] if found and isinstance(found[0], yaml.SequenceNode) else None


def replace_entries(
    text: str, data: Mapping[str, Any], index: int, entries: Sequence[Any]
) -> tuple[str, Any]:
    """The text and document with ``entries`` in the place of the one at ``index``.

    An index past the end adds them. What else stands in the text, comments included, stays where
    the text's layout allows it; otherwise the document is written anew.
    """
    all_entries = list(data["templates"])
    all_entries[index : index + 1] = entries
    document = {**data, "templates": all_entries}
    spliced = _spliced(text, index, entries)
    if spliced is not None:
        try:
            again = read_documents(spliced, "")
        except InputError:
            again = []
        if [one.data for one in again] == [document]:
            return spliced, document
    return dump_yaml(document), document


def _spliced(text: str, index: int, entries: Sequence[Any]) -> str | None:
    """The text with the lines of one template replaced; ``None`` for a list in one line."""
    node = _templates_node(yaml.compose(text, Loader=yaml_loader()))
    if node is None or node.flow_style or not node.value:
        return None
    lines = text.splitlines(keepends=True)
    starts = [item.start_mark.line for item in node.value]
    if index < len(starts):
        begin = starts[index]
        after = starts[index + 1] if index + 1 < len(starts) else _end(node, lines)
        end = _without_remarks(lines, begin, after)
    else:
        begin = end = _without_remarks(lines, starts[-1], _end(node, lines))
    indent = " " * node.start_mark.column
    new = dump_yaml(list(entries)).splitlines(keepends=True) if entries else []
    before = lines[:begin]
    if before and not before[-1].endswith("\n"):
        before[-1] += "\n"
    return "".join([*before, *(indent + line if line.strip() else line for line in new),
                    *lines[end:]])  # fmt: skip


def _end(node: yaml.Node, lines: Sequence[str]) -> int:
    mark = node.end_mark
    return min(mark.line if mark.column == 0 else mark.line + 1, len(lines))


def _without_remarks(lines: Sequence[str], begin: int, end: int) -> int:
    """Where an entry ends: comments and blank lines after it belong to what follows."""
    while end > begin + 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip()[0] == "#"):
        end -= 1
    return end
