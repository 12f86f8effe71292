"""Parsers in study files: their settings are checked where they stand, and against the labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator

from promptlab.errors import InputError
from promptlab.prompts.parsers.parsers import (
    ChoiceParser,
    NumberParser,
    Parser,
    parser_from_settings,
)


def _checked(settings: dict[str, Any]) -> dict[str, Any]:
    try:
        parser_from_settings(settings)
    except InputError as error:
        raise ValueError(str(error)) from error  # pydantic knows the place in the file
    return settings


ParserSettings = Annotated[dict[str, Any], AfterValidator(_checked)]
"""Plain data that `parser_from_settings` reads; pydantic complains about anything else."""


def check_parser_labels(settings: Mapping[str, Any], labels: Sequence[str]) -> None:
    """Refuse a parser that can never read one of the labels: its examples would all be wrong.

    Args:
        settings: The parser's.
        labels: The labels of the task; none for open answers, which fit every parser.

    Raises:
        InputError: Naming the labels that no reply can give.
    """
    parser = parser_from_settings(settings)
    lost = [label for label in labels if not _can_read(parser, label)]
    if lost:
        told = ", ".join(map(repr, lost[:5]))
        mend = "a choice parser has to list every label of the data"
        if not isinstance(parser, ChoiceParser):
            mend = "use a choice parser that lists the labels"
        raise InputError(f"parser {parser.type}: no reply can give the label {told}; {mend}")


def _can_read(parser: Parser, label: str) -> bool:
    """Whether some reply gives the label; of a pattern or a JSON key that cannot be told."""
    if isinstance(parser, ChoiceParser):
        return label in {known for known, _ in parser.choices}
    if isinstance(parser, NumberParser):
        return parser.parse(label) == label
    return True
