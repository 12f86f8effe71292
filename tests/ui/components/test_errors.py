"""What went wrong is told in one way: as an error that a program gets, or in a drawing's place."""

from __future__ import annotations

import gradio as gr
import pytest

import promptlab as pl
from promptlab.ui.components.errors import html_or_error, raise_gradio_errors


def refuse(text: str = "<b>") -> str:
    raise pl.InputError(f"no {text}")


def test_a_program_is_told() -> None:
    with pytest.raises(gr.Error, match="no <b>") as told:
        raise_gradio_errors()(refuse)()
    assert not told.value.print_exception
    with pytest.raises(KeyError), raise_gradio_errors():
        raise KeyError


def test_a_drawing_gives_way_to_what_is_wrong() -> None:
    assert html_or_error(str.upper)("x") == "X"
    assert "no &lt;b&gt;" in html_or_error(refuse)() and 'role="alert"' in html_or_error(refuse)()
