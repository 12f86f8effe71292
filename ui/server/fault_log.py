"""What nobody expected, logged with its traceback, but not once for every request."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

import promptlab

_OURS = Path(__file__).parent
_AROUND = frozenset(["faults.py", "guard.py", "page.py", "sent_values.py", "telling.py"])
"""What stands around every request, and fails only with what it is given."""
_LOG = logging.getLogger("promptlab.ui")
_MOST_PLACES = 200
_logged: set[str] = set()
"""Where faults have come from."""


def log_once(problem: BaseException) -> None:
    """Log a fault of promptlab's the first time that its place is met.

    So requests cannot fill the log, and what Gradio cannot read is no fault.
    """
    if not is_own(problem):
        return
    frames = traceback.extract_tb(problem.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    key = f"{type(problem).__name__} at {place}"
    if key not in _logged and len(_logged) < _MOST_PLACES:
        _logged.add(key)
        _LOG.error("a request was not answered", exc_info=problem)


def is_own(problem: BaseException) -> bool:
    """Whether something of promptlab's failed, not Gradio at a request that it cannot read."""
    frames = traceback.extract_tb(problem.__traceback__)
    return any(_is_ours(Path(frame.filename)) for frame in frames)


def _is_ours(file: Path) -> bool:
    if file.parent == _OURS and file.name in _AROUND:
        return False
    return file.is_relative_to(_OURS) or file.is_relative_to(Path(promptlab.__file__).parent)
