"""Whether what a page or a program sends can be what it is sent as."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from functools import wraps
from typing import Any, get_type_hints

import gradio as gr
import orjson
from pydantic import TypeAdapter, ValidationError

_MOST_SHOWN = 60
_LARGEST = 2**53
"""Up to here a browser tells whole numbers apart."""


def check_value(component: Any, value: Any) -> Any:
    """A value as a component may have it; an empty text or box for one that was not filled.

    Raises `gr.Error` for a value that no page sends. Of components that check their values
    themselves (choices, files) only the type is looked at.
    """
    if not is_sendable(value):
        _checked(component, value, False, "what JSON can say, in whole characters,")
    match component:
        case gr.Textbox() | gr.Code() | gr.HTML() | gr.Markdown():
            value = "" if value is None else value
            return _checked(component, value, isinstance(value, str), "a text")
        case gr.Checkbox():
            value = False if value is None else value
            return _checked(component, value, isinstance(value, bool), "true or false")
        case gr.Number() | gr.Slider():
            may_be_empty = value is None and isinstance(component, gr.Number)
            return _checked(component, value, may_be_empty or _is_number(value), "a number")
        case gr.CheckboxGroup():
            value = [] if value is None else value
            return _checked(component, value, _are_choices(value), "a list of choices")
        case gr.Dropdown() if component.multiselect:
            value = [] if value is None else value
            return _checked(component, value, _are_choices(value), "a list of choices")
        case gr.Dropdown() | gr.Radio():
            return _checked(component, value, value is None or _is_choice(value), "a choice")
    return value


def is_sendable(value: Any) -> bool:
    """Whether a value goes over the wire: no half characters, no number of over 64 bits."""
    try:
        orjson.dumps(value, default=str)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def check_arguments(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: arguments are what the function's annotations say, or `gr.Error` names the one.

    A number without a fraction may be sent as a whole one, and the other way round.
    """
    hints = get_type_hints(function)
    names = list(inspect.signature(function).parameters)
    adapters = {
        name: TypeAdapter(hints[name])
        for name in names
        if name in hints and not _is_gradio(hints[name])
    }

    @wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        sent = [_argument(adapters, name, value) for name, value in zip(names, args, strict=False)]
        named = {name: _argument(adapters, name, value) for name, value in kwargs.items()}
        return function(*sent, **named)

    return checked


def _argument(adapters: dict[str, TypeAdapter[Any]], name: str, value: Any) -> Any:
    if name not in adapters:
        return value
    if not is_sendable(value):
        raise gr.Error(f"{name}: JSON cannot say this", print_exception=False)
    if isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST:
        value = int(value)
    try:
        return adapters[name].validate_python(value, strict=True)
    except (ValidationError, RecursionError) as error:
        wanted = error.errors()[0]["msg"] if isinstance(error, ValidationError) else "too deep"
        raise gr.Error(f"{name}: {wanted}, found {_shown(value)}", print_exception=False) from None


def _is_gradio(hint: Any) -> bool:
    """Whether Gradio fills a parameter of this type itself."""
    return inspect.isclass(hint) and hint.__module__.startswith("gradio")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and _is_finite(value)


def _is_finite(value: float) -> bool:
    return math.isfinite(value) and abs(value) <= _LARGEST


def _is_choice(value: Any) -> bool:
    return isinstance(value, str | int | float) and (isinstance(value, str) or _is_finite(value))


def _are_choices(value: Any) -> bool:
    return isinstance(value, list) and all(_is_choice(one) for one in value)


def _checked(component: Any, value: Any, fits: bool, wanted: str) -> Any:
    if not fits:
        what = getattr(component, "label", None) or type(component).__name__.lower()
        raise gr.Error(f"{what}: {wanted} is wanted, found {_shown(value)}", print_exception=False)
    return value


def _shown(value: Any) -> str:
    """The beginning of a value, as JSON's readers know its type."""
    if isinstance(value, int) and abs(value) >= 10**20:
        return "a number of many digits"
    shown = repr(value)
    return shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}…"
