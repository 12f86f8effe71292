"""A strategy's settings as plain data, and the boxes of a page in which they are set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

import promptlab as pl

Value = str | float | bool


@dataclass(frozen=True)
class StrategySetting:
    """One setting: its ``name`` for the API, its ``label`` for people, and what it may be.

    ``choices`` make it a choice of words, ``low`` and ``high`` a number in steps of ``step``,
    ``lines`` a text of so many lines; a boolean default makes it a switch.
    """

    name: str
    label: str
    default: Value
    info: str = ""
    choices: Sequence[str] = ()
    low: float = 0.0
    high: float = 0.0
    step: float = 1.0
    lines: int = 1

    def box(self, *, visible: bool = True) -> Any:
        """The component that shows it."""
        shared: dict[str, Any] = {
            "label": self.label,
            "value": self.default,
            "visible": visible,
            "min_width": 150,
        }
        info = self.info or None
        if isinstance(self.default, bool):
            return gr.Checkbox(info=info, **shared)
        if self.choices:
            return gr.Dropdown(list(self.choices), info=info, **shared)
        if isinstance(self.default, int | float):
            return gr.Slider(self.low, self.high, step=self.step, info=info, **shared)
        most = max(self.lines, 8 if self.lines > 1 else 3)
        return gr.Textbox(info=info, lines=self.lines, max_lines=most, **shared)

    def read(self, given: Any) -> Value:
        """A value as it came from a page or an API. Raises `InputError` for what it may not be."""
        if isinstance(self.default, bool):
            return given if isinstance(given, bool) else self._switch(str(given))
        if self.choices:
            if given not in self.choices:
                known = ", ".join(self.choices)
                raise pl.InputError(f"{self.name}: expected one of {known}; found {given!r}")
            return str(given)
        if isinstance(self.default, int | float):
            return self._number(given)
        return str(given)

    def _switch(self, given: str) -> bool:
        if given.lower() not in ("true", "false", "yes", "no"):
            raise pl.InputError(f"{self.name}: expected true or false; found {given!r}")
        return given.lower() in ("true", "yes")

    def _number(self, given: Any) -> float:
        try:
            number = float(given)
        except (TypeError, ValueError) as problem:
            raise pl.InputError(f"{self.name}: expected a number; found {given!r}") from problem
        if not self.low <= number <= self.high:
            raise pl.InputError(
                f"{self.name}: {number:g} is outside of {self.low:g} to {self.high:g}"
            )
        return int(number) if float(self.step).is_integer() else number


def read_settings(settings: Sequence[StrategySetting], given: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting's value, the default where none is given. Raises `InputError` for others."""
    known = {setting.name: setting for setting in settings}
    strange = [name for name in given if name not in known]
    if strange:
        raise pl.InputError(f"unknown setting {strange[0]!r}; there are {', '.join(known)}")
    return {name: setting.read(given.get(name, setting.default)) for name, setting in known.items()}
