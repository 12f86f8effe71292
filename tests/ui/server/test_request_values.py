"""What a page or a program sends is what it is sent as, or a sentence says what is wrong."""

from __future__ import annotations

import pytest

pytest.importorskip("gradio")

from typing import Any

import gradio as gr

from promptlab.ui.server.request_values import check_arguments, check_value, is_sendable


@pytest.mark.parametrize(
    ("component", "sent", "taken"),
    [
        (gr.Textbox(), "a", "a"),
        (gr.Textbox(), None, ""),
        (gr.Checkbox(), None, False),
        (gr.Number(), None, None),
        (gr.Slider(0, 5), 3, 3),
        (gr.Dropdown(["a"]), None, None),
        (gr.Dropdown(["a"], multiselect=True), None, []),
        (gr.CheckboxGroup(["a"]), ["a"], ["a"]),
    ],
)
def test_what_a_page_sends_is_taken(component: Any, sent: Any, taken: Any) -> None:
    assert check_value(component, sent) == taken


@pytest.mark.parametrize(
    ("component", "sent"),
    [
        (gr.Textbox(label="Name"), 3),
        (gr.Textbox(), ["a"]),
        (gr.Textbox(), "\ud800"),
        (gr.Checkbox(), "yes"),
        (gr.Number(), True),
        (gr.Number(), float("nan")),
        (gr.Number(), 1e308),
        (gr.Number(), 10**40),
        (gr.Slider(0, 5), None),
        (gr.Dropdown(["a"]), {"a": 1}),
        (gr.Dropdown(["a"], multiselect=True), "a"),
        (gr.Radio(["a"]), ["a"]),
        (gr.CheckboxGroup(["a"]), [["a"]]),
    ],
)
def test_what_no_page_sends_is_refused_in_a_sentence(component: Any, sent: Any) -> None:
    with pytest.raises(gr.Error, match=r"is wanted, found") as told:
        check_value(component, sent)
    assert not told.value.print_exception


def repeat(text: str, times: int = 2, *, share: float = 0.5, rows: list[str] | None = None) -> str:
    return text * times + str(share) + "".join(rows or [])


def test_arguments_are_what_the_annotations_say() -> None:
    checked = check_arguments(repeat)
    assert checked("a", 3.0) == "aaa0.5"
    assert checked("a", share=0.25, rows=["b"]) == "aa0.25b"


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("text", {"text": None}),
        ("times", {"text": "a", "times": "2"}),
        ("times", {"text": "a", "times": 2.5}),
        ("times", {"text": "a", "times": float("nan")}),
        ("rows", {"text": "a", "rows": "b"}),
        ("rows", {"text": "a", "rows": [1]}),
    ],
)
def test_other_arguments_are_refused_by_name(name: str, given: dict[str, Any]) -> None:
    with pytest.raises(gr.Error, match=f"{name}: "):
        check_arguments(repeat)(**given)


def test_a_name_of_the_function_stays() -> None:
    assert check_arguments(repeat).__name__ == "repeat"


@pytest.mark.parametrize("value", ["\ud800", 2**64, {"a": [2**70]}])
def test_what_json_cannot_say(value: Any) -> None:
    assert not is_sendable(value)
    assert is_sendable({"a": [1, 2.5, None, "ü"]})
