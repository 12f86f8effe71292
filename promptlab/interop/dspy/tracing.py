"""What a DSPy program asked of promptlab's models, as a trace."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from promptlab.evaluation.trace import Trace, TraceCursor
from promptlab.interop.dspy.silence import dspy_package

SETTING = "promptlab_trace"
"""Where DSPy's context keeps the trace; its own worker threads see it, too."""

_LOCK = threading.Lock()


@contextmanager
def trace_steps() -> Iterator[Trace]:
    """Keep every prompt, reply and scored field of what runs inside, in DSPy's threads, too.

    A scored field's step has its ``value`` and the ``probabilities`` of all values in its notes.
    """
    trace = Trace()
    with dspy_package().context(**{SETTING: trace}):
        yield trace


def note_step(name: str, **facts: Any) -> None:
    """Add a step after the last one of the running trace, if there is one."""
    trace = dspy_package().settings.get(SETTING)
    if trace is None:
        return
    with _LOCK:
        TraceCursor(trace, len(trace) - 1 if len(trace) else None).step(name, **facts)
