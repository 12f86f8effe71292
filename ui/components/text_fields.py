"""Text boxes read as values: one entry a line, with errors that name the line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import promptlab as pl

LONGEST = 50_000
"""Most characters that a box may hold."""
_MOST_TEMPLATES = 8


def read_templates(text: str) -> list[str]:
    """One template a line; ``\\n`` stands for a line break inside a template."""
    lines = [_unescaped(line) for _, line in _lines(text, "templates")]
    if not lines:
        raise pl.InputError("write at least one template, for example: {text} It was {mask}.")
    if len(lines) > _MOST_TEMPLATES:
        raise pl.InputError(
            f"there are {len(lines)} templates and room for {_MOST_TEMPLATES} side by side; "
            "leave some out"
        )
    return lines


def read_fields(text: str) -> dict[str, str]:
    """``name = value`` a line; ``\\n`` stands for a line break inside a value."""
    fields: dict[str, str] = {}
    for number, line in _lines(text, "fields"):
        name, equals, value = line.partition("=")
        if not equals or not name.strip().isidentifier():
            raise pl.InputError(
                f"fields, line {number}: expected name = value, found {line.strip()!r}"
            )
        fields[name.strip()] = _unescaped(value.strip())
    return fields


def read_answers(text: str) -> dict[str, list[str]]:
    """``label: answer, answer`` a line. Raises `InputError` for a label that stands twice."""
    answers: dict[str, list[str]] = {}
    for number, line in _lines(text, "answers"):
        label, colon, words = line.partition(":")
        label = label.strip()
        if not colon or not label:
            raise pl.InputError(
                f"answers, line {number}: expected label: answer, answer; found {line.strip()!r}"
            )
        if label in answers:
            raise pl.InputError(f"answers, line {number}: the label {label!r} stands twice")
        answers[label] = [word.strip() for word in words.split(",") if word.strip()]
    return answers


def format_fields(template: pl.Template, example: Mapping[str, str]) -> str:
    """The inverse of `read_fields`, for the fields that a template reads."""
    lines = [f"{name} = {_escaped(str(example.get(name, '')))}" for name in template.fields]
    return "\n".join(lines)


def format_answers(verbalizer: pl.Verbalizer) -> str:
    """The inverse of `read_answers` (weights are left out)."""
    return "\n".join(f"{label}: {', '.join(w)}" for label, w in verbalizer.mapping().items())


def _lines(text: str, what: str) -> Iterator[tuple[int, str]]:
    """Numbered lines that are not blank."""
    if len(text) > LONGEST:
        raise pl.InputError(
            f"{what}: {len(text):,} characters are too many for this page; at most {LONGEST:,} "
            "(the command line takes longer texts)"
        )
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield number, line


def _escaped(text: str) -> str:
    return text.replace("\n", "\\n")


def _unescaped(text: str) -> str:
    return text.replace("\\n", "\n")
