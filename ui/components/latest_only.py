"""Results that follow what is typed and chosen: only the answer to the newest request is shown.

Gradio runs a listener once at a time for a window (``always_last``), but two listeners, or one
with several boxes, have requests under way together, and their answers may overtake each other.
So every request gets a number in the browser, and an answer is shown only while no newer request
has been made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from .listeners import DEFAULT_CONCURRENCY, on_latest

_NUMBERED = """(before, ...values) => {
  window.promptlabNumber = (window.promptlabNumber ?? 0) + 1;
  return [window.promptlabNumber, ...values];
}"""


class RequestCounter:
    """The number of the newest question of one window; a `gr.State`, copied for every session."""

    def __init__(self) -> None:
        self._newest = 0.0
        self._lock = threading.Lock()

    def __deepcopy__(self, memo: dict[int, Any]) -> RequestCounter:
        return RequestCounter()

    def take(self, number: float) -> bool:
        """Whether this question is the newest so far; all others are outdated by it."""
        with self._lock:
            self._newest = max(self._newest, number)
            return number == self._newest


class LatestOnly:
    """Listeners that write the same ``outputs``, and of whose answers only the newest counts."""

    def __init__(self, *outputs: Any) -> None:
        self._outputs = list(outputs)
        self._number = gr.Number(0, visible=False)
        self._turn = gr.State(RequestCounter())

    def on(
        self,
        events: Sequence[Any],
        answer: Callable[..., Any],
        inputs: Sequence[Any],
        **options: Any,
    ) -> Any:
        """Write ``answer`` of the values of ``inputs`` at any of ``events``.

        ``answer`` must not raise: Gradio would forget the question that waits behind it.
        """

        def newest(number: float | None, turn: RequestCounter, *values: Any) -> Any:
            if not turn.take(number or 0):
                return gr.skip()
            found = answer(*values)
            return found if turn.take(number or 0) else gr.skip()

        wanted = [self._number, self._turn, *inputs]
        own: dict[str, Any] = {"js": _NUMBERED} | DEFAULT_CONCURRENCY
        return on_latest(events, newest, wanted, self._outputs, **(own | options))
