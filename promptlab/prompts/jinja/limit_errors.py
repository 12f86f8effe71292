"""What ends a rendering that does too much."""

from __future__ import annotations


class LimitExceeded(BaseException):
    """A limit of one rendering; the message says which.

    It is no `Exception`, since filters and the compiler go on after those; the sandbox
    makes a `TemplateError` of it.
    """
