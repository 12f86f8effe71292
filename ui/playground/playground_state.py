"""What the sections of the playground share: the model's boxes and the current prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from ..components.latest_only import LatestOnly
from ..components.listeners import MODEL_QUEUE
from .prompt_state import FieldState, field_lines

SECTIONS = {"fill": "Fill", "labels": "Labels", "generate": "Generate", "strategy": "Strategy"}
"""The sections that a template can be carried to: id and title of their tabs."""


@dataclass(frozen=True)
class PlaygroundState:
    """Components; their values are one user's own, and no other state is kept.

    ``model`` are the boxes of the model bar, whose values are the arguments of
    `AppContext.load_model`. ``template`` holds the current template's text, ``chat`` whether it
    goes through the model's chat template, ``held`` what else is known of it (`FieldState`),
    ``boxes`` its fields' values in the order of ``held``'s names. ``tabs`` are the playground's
    own tabs, ``uses`` the buttons *Use in …* by the section's id.
    """

    model: Sequence[gr.Dropdown]
    template: gr.Textbox
    chat: gr.Checkbox
    held: gr.JSON
    boxes: Sequence[gr.Textbox]
    tabs: gr.Tabs
    uses: dict[str, gr.Button] = field(default_factory=dict)

    def carry(
        self,
        section: str,
        *,
        template: gr.Textbox,
        fields: gr.Textbox,
        chat: gr.Checkbox,
        answers: gr.Textbox | None = None,
        emptied: Sequence[gr.Textbox] = (),
        as_line: bool = False,
    ) -> None:
        """Let the button *Use in …* of ``section`` bring the current prompt into its boxes.

        The section's tab is opened, too. What stood in ``emptied`` belonged to another prompt; of
        a prompt without fields or answers the section keeps its own. ``as_line`` writes line
        breaks as ``\\n``.
        """

        def brought(text: str, through: bool, held: FieldState, *boxes: str) -> list[Any]:
            shown = text.replace("\n", "\\n") if as_line else text
            found = [shown, field_lines(text, held, boxes) or gr.skip(), through]
            found += [held["answers"] or gr.skip()] if answers is not None else []
            return [*found, *[""] * len(emptied), gr.Tabs(selected=section)]

        wanted = [template, fields, chat, *([answers] if answers is not None else []), *emptied]
        self.uses[section].click(
            brought,
            [self.template, self.chat, self.held, *self.boxes],
            [*wanted, self.tabs],
            api_visibility="private",
            queue=False,
        )

    def show(
        self,
        draw: Callable[..., str],
        boxes: Sequence[Any],
        result: gr.HTML,
        events: Sequence[Any],
    ) -> LatestOnly:
        """Show ``draw`` of the values of ``boxes`` at ``events``, computing with the model.

        A result that is there is shown anew when another model is chosen.
        """

        def again(before: str | None, *values: Any) -> Any:
            return draw(*values) if before else gr.skip()

        own: dict[str, Any] = {"api_visibility": "private", **MODEL_QUEUE}
        newest = LatestOnly(result)
        newest.on(events, draw, boxes, **own)
        newest.on([box.change for box in self.model], again, [result, *boxes], **own)
        return newest
