"""The exception tree: exit codes, and the caret under a fault."""

from __future__ import annotations

import pytest

from promptlab import errors


def test_every_error_says_whose_fault_it_is() -> None:
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.PromptlabError)
    ]
    assert {errors.TemplateError, errors.Cancelled} <= set(kinds)
    for kind in kinds:
        mended_by_the_user = (errors.InputError, errors.AssetError, errors.DiskError)
        assert kind.exit_code == (2 if issubclass(kind, mended_by_the_user) else 1)
        assert kind.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize(
    ("text", "position", "line", "column"),
    [("ab{c", 2, "ab{c", 2), ("one\ntwo {\nthree", 8, "two {", 4), ("", 0, "", 0)],
)
def test_the_caret_stands_under_the_fault(text: str, position: int, line: str, column: int) -> None:
    error = errors.TemplateError("wrong", text=text, position=position)
    assert str(error) == f"wrong\n  {line}\n  {' ' * column}^"
    assert error.summary == "wrong"
