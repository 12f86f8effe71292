"""Members of public classes as the version before called them; they work with a warning."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

_Class = TypeVar("_Class", bound=type[Any])


class _EarlierName:
    """Leads an old name to the member that took its place, and says so."""

    def __init__(self, owner: str, old: str, now: str) -> None:
        self._owner, self._old, self._now = owner, old, now

    def __get__(self, instance: Any, owner: type[Any]) -> Any:
        warnings.warn(
            f"{self._owner}.{self._old} is called {self._now} now; the old name goes in the next "
            "version",
            DeprecationWarning,
            stacklevel=2,
        )
        return getattr(owner if instance is None else instance, self._now)


def earlier_names(**renamed: str) -> Callable[[_Class], _Class]:
    """A class decorator that keeps the old names of renamed members for one version.

    Args:
        renamed: The new name of every old one.

    Returns:
        The decorator.

    Example:
        >>> import warnings
        >>> @earlier_names(spoken="reply")
        ... class Answer:
        ...     reply = "yes"
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     Answer().spoken
        'yes'
    """

    def decorate(owner: _Class) -> _Class:
        for old, now in renamed.items():
            setattr(owner, old, _EarlierName(owner.__name__, old, now))
        return owner

    return decorate
