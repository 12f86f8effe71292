"""Parsers of study files: refused with their line, and where they could never be right."""

from __future__ import annotations

from typing import Any

import pytest

from promptlab.candidates.parsers import check_parser_labels
from promptlab.errors import InputError
from tests.helpers.command_line import (  # noqa: F401
    Command,
    command,
    document,
    group,
    here,
    models,
    reviews,
    study,
)

CHOICES = {"type": "choice", "choices": {"no": ["no"], "yes": ["yes"]}}


def written(parser: Any) -> list[dict[str, Any]]:
    return [group(templates=[{"text": "{text} {mask}", "parser": parser}])]


@pytest.mark.parametrize(
    ("parser", "told"),
    [
        ({"type": "nonsense"}, "'type' must be one of"),
        ({"type": "regex", "pattern": "("}, "no regular expression"),
        ({"type": "json"}, "the key 'key' is missing"),
        (CHOICES, "no reply can give the label 'negative', 'positive'"),
        ({"type": "number"}, "no reply can give the label 'negative', 'positive'"),
    ],
)
def test_a_parser_that_cannot_be(parser: Any, told: str, study: Command) -> None:
    study(candidates=written(parser)).refuses("study.yaml, line", told)


def test_a_parser_that_cannot_be_is_no_estimate(study: Command, command: Command) -> None:
    study(candidates=written({"type": "nonsense"}))
    command("study", "estimate", "study.yaml").refuses("study.yaml, line", "'type' must be one of")


@pytest.mark.parametrize("key", ["parser", "answers"])
def test_keys_of_a_template_beside_templates(key: str, study: Command) -> None:
    study(candidates=[group(**{key: {"type": "number"}})]).refuses(
        f"{key}: unknown key", "a template that is written out", f"{key}: {{"
    )


def test_which_labels_a_parser_can_read() -> None:
    check_parser_labels(CHOICES, ["no", "yes"])
    check_parser_labels({"type": "number"}, ["1", "2.5"])
    check_parser_labels({"type": "number"}, [])
    check_parser_labels({"type": "text"}, ["anything"])
    with pytest.raises(InputError, match="the label 'maybe'; a choice parser has to list"):
        check_parser_labels(CHOICES, ["no", "yes", "maybe"])
    with pytest.raises(InputError, match="the label '5 stars'; use a choice parser"):
        check_parser_labels({"type": "number"}, ["5 stars"])
