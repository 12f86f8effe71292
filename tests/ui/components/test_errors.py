"""What went wrong is told in one way: as an error that a program gets, or in a drawing's place."""

from __future__ import annotations

import gradio as gr
import pytest

import promptlab as pl
from promptlab.ui.components.errors import drawn_or_told, telling


def refuse(text: str = "<b>") -> str:
    raise pl.InputError(f"no {text}")


def test_a_program_is_told() -> None:
    with pytest.raises(gr.Error, match="no <b>") as told:
        telling()(refuse)()
    assert not told.value.print_exception
    with pytest.raises(KeyError), telling():
        raise KeyError


def test_a_drawing_gives_way_to_what_is_wrong() -> None:
    assert drawn_or_told(str.upper)("x") == "X"
    assert "no &lt;b&gt;" in drawn_or_told(refuse)() and 'role="alert"' in drawn_or_told(refuse)()
