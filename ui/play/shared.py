"""What the sections of the playground share: the model's boxes and the current template."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from ..listening import AT_MODEL

SECTIONS = {"fill": "Fill", "labels": "Labels", "generate": "Generate", "strategy": "Strategy"}
"""The sections that a template can be carried to: id and title of their tabs."""
_COPY = """(...values) => {
  const half = values.length / 2;
  const kept = (value, at) => (value === "" ? values[half + at] : value);
  return [...values.slice(0, half).map(kept), ...Array(EMPTIED).fill("")];
}"""
"""Run in the browser; what is empty (a prompt without answers) leaves the section's own value."""
_AS_LINE = "values[0] = values[0].replaceAll('\\n', '\\\\n');\n  const half"


@dataclass(frozen=True)
class Shared:
    """Components; their values are one user's own, and no other state is kept.

    ``model`` are the boxes of the model bar, whose values are the arguments of `Workbench.load`.
    ``template`` holds the current template's text, ``fields`` its example (``name = value`` a
    line, for `forms.read_fields`), ``chat`` whether it goes through the model's chat template,
    ``answers`` the answers of a template from the library (``label: answer, answer`` a line,
    empty without any). ``tabs`` are the playground's own tabs, ``uses`` the buttons
    *Use in …* by the section's id.
    """

    model: Sequence[gr.Dropdown]
    template: gr.Textbox
    fields: gr.Textbox
    chat: gr.Checkbox
    answers: gr.Textbox
    tabs: gr.Tabs
    uses: dict[str, gr.Button] = field(default_factory=dict)

    def carry(
        self,
        section: str,
        *,
        template: gr.Textbox,
        fields: gr.Textbox | None = None,
        chat: gr.Checkbox | None = None,
        answers: gr.Textbox | None = None,
        emptied: Sequence[gr.Textbox] = (),
        as_line: bool = False,
    ) -> Any:
        """Let the button *Use in …* of ``section`` copy the current values into its boxes.

        The section's tab is opened, too. What stood in ``emptied`` belonged to another prompt.
        ``as_line`` writes line breaks as ``\\n``. The event's dependency comes back, for a
        ``.then``.
        """
        pairs = [
            (self.template, template),
            (self.fields, fields),
            (self.chat, chat),
            (self.answers, answers),
        ]
        wanted = [(own, box) for own, box in pairs if box is not None]
        button = self.uses[section]
        button.click(
            lambda: gr.Tabs(selected=section),
            None,
            self.tabs,
            api_visibility="private",
            queue=False,
        )
        script = _COPY.replace("EMPTIED", str(len(emptied)))
        script = script.replace("const half", _AS_LINE, 1) if as_line else script
        return button.click(
            None,
            [*(own for own, _ in wanted), *(box for _, box in wanted)],
            [*(box for _, box in wanted), *emptied],
            js=script,
            api_visibility="private",
        )

    def show(
        self,
        draw: Callable[..., str],
        boxes: Sequence[Any],
        result: gr.HTML,
        events: Sequence[Any],
    ) -> None:
        """Show ``draw`` of the values of ``boxes`` at ``events``, computing with the model.

        A result that is there is shown anew when another model is chosen.
        """

        def again(before: str | None, *values: Any) -> Any:
            return draw(*values) if before else gr.skip()

        own: dict[str, Any] = {"api_visibility": "private", **AT_MODEL}
        gr.on(list(events), draw, boxes, result, **own)
        gr.on([box.change for box in self.model], again, [result, *boxes], result, **own)
