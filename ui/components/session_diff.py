"""What one browser window was sent: only changes are sent, in order, and again if they were lost.

Several events of a window (a timer, a click, the opening of its page) poll the same state at once,
in threads of their own, and their answers may overtake each other on the way to the browser.
Three rules keep the page right:

- what a person chose is kept here, set by that person's input alone, never by an answer;
- polls are answered one after another, and what one found for an older choice is not sent;
- every answer has a number that the window sends back (its *receipt*): when the last answer did not
  arrive, or did not arrive last, the next poll sends everything again.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import gradio as gr

Found = TypeVar("Found")
Poll = Callable[["SessionDiff", float | None], list[Any]]
"""What has to be sent to a window (`SessionDiff`) that shows this receipt, place by place."""


@dataclass
class SessionDiff:
    """What was sent last, by the name of its place on the page; one for every window.

    The choices are the ``study``, whether its report is ``read``, whether stopping it was
    ``asked`` for and is to be confirmed, and why the last action on it was ``refused``. Subclasses
    add others as fields; all are set by `choose`. A `gr.State` is copied for every session, with
    locks of the copy's own.
    """

    sent: dict[str, Any] = field(default_factory=dict)
    study: str | None = None
    read: bool = False
    asked: bool = False
    refused: str = ""
    turn: int = 0

    def __post_init__(self) -> None:
        self._poll_lock = threading.Lock()
        self._choice = threading.Lock()
        self._chosen = 0
        self._has_changes = False

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        kept = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return type(self)(**copy.deepcopy(kept, memo))

    def choose(self, **choices: Any) -> None:
        """Set what was chosen, at once; a poll that is under way begins anew with it.

        Another study comes with nothing read, asked or refused.
        """
        if "study" in choices:
            choices = {"read": False, "asked": False, "refused": ""} | choices
        with self._choice:
            for name, value in choices.items():
                setattr(self, name, value)
            self._chosen += 1

    def poll(
        self, find: Callable[[], Found], tell: Callable[[Found], list[Any]], receipt: float | None
    ) -> list[Any]:
        """The window's next updates, and the number of this answer.

        Args:
            find: Reads the state for the present choices; may be slow.
            tell: Makes an update for every place of what was found, by `changed`.
            receipt: The number of the last answer that the window has got.
        """
        with self._poll_lock:
            while True:
                chosen = self._chosen
                found = find()
                with self._choice:
                    if chosen == self._chosen:
                        return self._told(tell, found, receipt)

    def _told(
        self, tell: Callable[[Found], list[Any]], found: Found, receipt: float | None
    ) -> list[Any]:
        if receipt != self.turn:
            self.sent.clear()
        self._has_changes = False
        told = tell(found)
        self.turn += self._has_changes
        return [*told, self.turn if self._has_changes else gr.skip()]

    @property
    def is_up_to_date(self) -> bool:
        """Whether the poll that is being answered has found no change so far.

        All that was sent before has arrived, then, so that the next poll may wait.
        """
        return not self._has_changes

    def changed(self, place: str, value: Any, update: Any = None) -> Any:
        """``update`` (or the value itself) if it is another one than was sent, else nothing."""
        if self.sent.get(place, self) == value:
            return gr.skip()
        self.sent[place] = value
        self._has_changes = True
        return value if update is None else update

    def invalidate(self, place: str) -> None:
        """Send what stands at a place again: the page has changed it by itself."""
        with self._choice:
            self.sent.pop(place, None)


def receipt_box() -> gr.Number:
    """Where a window shows the number of the last sending that came; nobody sees it."""
    return gr.Number(0, visible=False)
