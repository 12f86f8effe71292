"""Values written as YAML that people read and change: studies, templates, parts of them."""

from __future__ import annotations

import re
from typing import Any

import yaml

_WIDTH = 96
_LONGEST_LIST = 70
_NO_BLOCK = re.compile(r"[ \t]\n|[ \t]$|\n\n$")
"""Blanks at the end of a line, and empty lines at the end, would not be seen in a block."""


def dump_yaml(document: Any, *, text_blocks: bool = True, width: int = _WIDTH) -> str:
    r"""A document as YAML: keys in their order, short lists in a line, nothing as an alias.

    Args:
        document: Plain values: mappings, lists, texts, numbers, truth values, nothing.
        text_blocks: Whether texts of several lines are written as blocks of lines (``|``) where
            YAML allows it; otherwise they stand quoted in one line.
        width: The characters of a line after which long texts are folded.

    Returns:
        The text; `parse_yaml` reads the same values of it.

    Example:
        >>> print(dump_yaml({"study": "mine", "labels": ["no", "yes"], "note": "one\ntwo"}), end="")
        study: mine
        labels: ['no', 'yes']
        note: |-
          one
          two
    """
    dumper = _Dumper if text_blocks else _DumperWithoutBlocks
    text: str = yaml.dump(document, Dumper=dumper, sort_keys=False, allow_unicode=True, width=width)
    return text


class _Dumper(yaml.SafeDumper):
    """The safe dumper; lists are indented, and short ones of plain values stand in a line."""

    text_blocks = True

    def ignore_aliases(self, data: Any) -> bool:
        """Everything is written out, so that it can be read and changed where it stands."""
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Lists are indented below their keys."""
        super().increase_indent(flow, indentless=False)

    def represent_short_list(self, data: Any) -> yaml.Node:
        """A list, in a line where it is short and its values are plain."""
        short = all(isinstance(item, str | int | float | None) for item in data)
        short = short and len(str(data)) < _LONGEST_LIST
        short = short and not any("\n" in str(item).strip("\n") for item in data)
        return self.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=short)

    def represent_text(self, data: str) -> yaml.Node:
        """A text; one of several lines as a block, or quoted in one line."""
        style = None
        if "\n" in data:
            printable = all(line.isprintable() for line in data.split("\n"))
            block = printable and data[0] not in " \n\t" and not _NO_BLOCK.search(data)
            style = "|" if self.text_blocks and block and len(data) > 3 else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


class _DumperWithoutBlocks(_Dumper):
    text_blocks = False


_Dumper.add_representer(list, _Dumper.represent_short_list)
_Dumper.add_representer(tuple, _Dumper.represent_short_list)
_Dumper.add_representer(str, _Dumper.represent_text)
_DumperWithoutBlocks.yaml_representers = _Dumper.yaml_representers
