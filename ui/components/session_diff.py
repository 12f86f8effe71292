"""What one window was sent, so that only news is sent, in its order, and what was lost again.

Several events of a window (a timer, a click, the opening of its page) look at the same things at
once, in threads of their own, and what they send may overtake each other on the way to the
browser. Three rules keep the page right:

- what a person chose is kept here, set by that person's input alone, never by an answer;
- looks are taken one after another, and what one found for an older choice is not sent;
- every sending has a number that the window shows back (its *receipt*): when the last one did not
  come, or did not come last, the next look sends everything again.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import gradio as gr

Found = TypeVar("Found")
Look = Callable[["SessionDiff", float | None], list[Any]]
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
        self._one_look = threading.Lock()
        self._choice = threading.Lock()
        self._chosen = 0
        self._news = False

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        kept = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return type(self)(**copy.deepcopy(kept, memo))

    def choose(self, **choices: Any) -> None:
        """Set what was chosen, at once; a look that is under way begins anew with it.

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
        """What ``tell`` makes of what ``find`` finds; behind it, the receipt's new number.

        ``find`` reads the choices and may be slow; ``tell`` asks `new` for every place. ``receipt``
        is the number that the window shows. What was found for older choices is never told.
        """
        with self._one_look:
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
        self._news = False
        told = tell(found)
        self.turn += self._news
        return [*told, self.turn if self._news else gr.skip()]

    @property
    def is_up_to_date(self) -> bool:
        """Whether the look that is being told has had nothing new so far.

        All that was sent before has arrived, then, so that nobody needs to look soon.
        """
        return not self._news

    def new(self, place: str, value: Any, update: Any = None) -> Any:
        """``update`` (or the value itself) if it is another one than was sent, else nothing."""
        if self.sent.get(place, self) == value:
            return gr.skip()
        self.sent[place] = value
        self._news = True
        return value if update is None else update

    def invalidate(self, place: str) -> None:
        """Send what stands at a place again: the page has changed it by itself."""
        with self._choice:
            self.sent.pop(place, None)


def receipt_box() -> gr.Number:
    """Where a window shows the number of the last sending that came; nobody sees it."""
    return gr.Number(0, visible=False)
