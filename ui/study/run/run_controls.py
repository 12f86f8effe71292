"""The buttons of a study: pause, resume, cancel; cancelling is asked about first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr

import promptlab as pl

from ...components.html import error, html_panel, note
from ...components.listeners import PRIVATE
from ...components.session_diff import Poll, SessionDiff
from ...context import AppContext

_PAUSED_BY = ("running",)
_RESUMED_BY = ("paused", "pausing", "interrupted", "stopped", "failed", "undecided")
_CANCELLED_BY = ("running", "pausing", "paused", "queued", "failed")
Progress = Mapping[str, Any]


class RunControls:
    """A row of buttons for the study that a window shows, and the question that *Cancel* asks.

    ``name`` begins the ids on the page. `outputs` are filled by `updates`, as a part of the page's
    own look; `connect` says which look that is.
    """

    def __init__(self, name: str = "study") -> None:
        with gr.Row(elem_classes=["pl-study-buttons", "pl-study-row"]):
            self.pause, self.resume, self.cancel = (
                gr.Button(
                    title, size="md", min_width=90, interactive=False, elem_id=f"{name}-{action}"
                )
                for action, title in (
                    ("pause", "Pause"), ("resume", "Resume"), ("cancel", "Cancel …"),
                )
            )  # fmt: skip
        self._told = html_panel(name=f"{name}-steering-told")
        with gr.Group(visible=False, elem_classes="pl-study-asked") as self._asked:
            self._question = html_panel()
            with gr.Row():
                self.yes = gr.Button(
                    "Yes, stop it", variant="stop", size="md", min_width=120,
                    elem_id=f"{name}-cancel-yes",
                )  # fmt: skip
                self.no = gr.Button(
                    "No, let it be", size="md", min_width=120, elem_id=f"{name}-cancel-no"
                )
        self.outputs: list[Any] = [
            self.pause, self.resume, self.cancel, self._told, self._asked, self._question,
        ]  # fmt: skip

    def updates(self, seen: SessionDiff, name: str | None, found: Progress | None) -> list[Any]:
        """For `outputs`: what is new about the study called ``name``, whose progress was found."""
        can = available_controls(found)
        asked = seen.asked and can[2]
        return [
            *(
                seen.changed(f"can {place}", able, gr.Button(interactive=able))
                for place, able in enumerate(can)
            ),
            seen.changed("refused", seen.refused),
            seen.changed("asked", asked, gr.Group(visible=asked)),
            seen.changed("question", cancel_question(str(name), found or {}) if asked else ""),
        ]

    def connect(
        self, context: AppContext, look: Poll, known: Sequence[Any], shown: Sequence[Any]
    ) -> None:
        """Let the buttons act on what the window shows, then ``look``.

        ``known`` are the component that shows the study's name, the `SessionDiff` and the receipt;
        ``shown`` is what ``look`` fills.
        """

        def act(action: Callable[[str], None]) -> Callable[..., list[Any]]:
            def acted(name: str | None, seen: SessionDiff, receipt: float | None) -> list[Any]:
                seen.choose(asked=False, refused=_refused(action, name))
                return look(seen, receipt)

            return acted

        def ask(asked: bool) -> Callable[..., list[Any]]:
            def answer(_: str | None, seen: SessionDiff, receipt: float | None) -> list[Any]:
                seen.choose(asked=asked)
                return look(seen, receipt)

            return answer

        for button, function in (
            (self.pause, act(context.queue.pause)),
            (self.resume, act(context.queue.resume)),
            (self.cancel, ask(True)),
            (self.yes, act(context.queue.cancel)),
            (self.no, ask(False)),
        ):
            button.click(function, list(known), list(shown), **PRIVATE)


def available_controls(found: Progress | None) -> tuple[bool, bool, bool]:
    """Whether a study can be paused, resumed and cancelled."""
    state = str(found["state"]) if found else ""
    begun = bool(found and "folder" in found)
    return (
        state in _PAUSED_BY,
        state in _RESUMED_BY,
        state in _CANCELLED_BY and not (state == "failed" and begun),
    )


def cancel_question(name: str, found: Progress) -> str:
    """What cancelling would mean for a study."""
    if found["state"] == "queued":
        return str(note(f"Take {name} out of the queue?"))
    if found["state"] == "failed":
        return str(note(f"Forget {name}, which has failed before it began?"))
    return str(
        note(
            f"Stop {name} at the end of its block? What is finished is kept "
            f"({found.get('finished', 0)} of {found.get('planned', 0)}), and Resume goes on with "
            "the rest at any time."
        )
    )


def _refused(action: Callable[[str], None], name: str | None) -> str:
    """Why an action could not be done, if so."""
    try:
        if name is not None:
            action(name)
    except pl.PromptlabError as problem:
        return str(error(problem))
    return ""
