"""Every error promptlab raises on purpose.

::

    PromptlabError
    ├── InputError            what the user gave is wrong (exit code 2)
    │   ├── TemplateError     a template cannot be read or rendered (shows a caret)
    │   ├── VerbalizerError   answers do not fit the labels or the tokenizer
    │   ├── DataError         a data file or a task is wrong (names file and line)
    │   ├── StudyError        a study file or an existing study is wrong
    │   ├── CapabilityError   the model cannot do what was asked of it
    │   ├── EndpointError     an endpoint refuses every request: wrong key, unknown model
    │   └── NotFittedError    ``predict`` before ``fit``
    ├── WorkError             the work failed although the input was right (exit code 1)
    │   ├── Cancelled         the user asked to stop; what is finished stays
    │   ├── AskError          one example's request failed, others did not
    │   │   └── WordlessError the prompt gets no answer, however often
    │   ├── NotFiniteError    what a model computes is NaN or infinite (says where it begins)
    │   ├── ModelError        a model's own code fails on what it was given
    │   ├── UnansweredError   every request failed, so that nothing can be said
    │   ├── AssetError        a model or data set could not be fetched or verified (exit code 2)
    │   └── DiskError         the disk is full or a folder forbidden (exit code 2)
    └── Pruned                a learner gave a candidate up; the study goes on

`AssetError` and `DiskError` have the exit code of wrong input because it is the user's machine,
not promptlab, that must be mended before the same command can succeed. Messages say what was
found, where, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Self

from promptlab.security.untrusted_text import make_printable, sanitize

__all__ = [
    "AskError",
    "AssetError",
    "Cancelled",
    "CapabilityError",
    "DataError",
    "DataWarning",
    "DiskError",
    "EndpointError",
    "InputError",
    "Location",
    "ModelError",
    "NotFiniteError",
    "NotFittedError",
    "PromptlabError",
    "Pruned",
    "StudyError",
    "TemplateError",
    "UnansweredError",
    "ValidationIssue",
    "VerbalizerError",
    "WordlessError",
    "WorkError",
]

_SHOWN = 500
"""Characters of a template's line on either side of a fault."""


CHANGED = 0
"""The line of a value that does not stand in the file but was given by an option."""


@dataclass(frozen=True)
class Location:
    """A place in a file; its text is how messages begin.

    Args:
        source: The file's name or path; empty for no file.
        line: The line, counted from 1; ``None`` for the file as a whole, 0 for a value that does
            not stand in the file but was given on the command line.

    Example:
        >>> str(Location("study.yaml", 7))
        'study.yaml, line 7'
    """

    source: str = ""
    line: int | None = None

    def __str__(self) -> str:
        if self.line == CHANGED:
            return f"{self.source}, as changed on the command line"
        return f"{self.source}, line {self.line}" if self.line else self.source


@dataclass(frozen=True)
class ValidationIssue:
    """One thing that is wrong in a file, and where it stands.

    Args:
        text: What was found, and what to do about it.
        location: The file and the line; by default nowhere.

    Example:
        >>> issue = ValidationIssue("seed: found 'x', expected a number", Location("study.yaml", 7))
        >>> print(issue)
        study.yaml, line 7: seed: found 'x', expected a number
    """

    text: str
    location: Location = Location()

    @property
    def line(self) -> int | None:
        """The line in the file, counted from 1, if it stands in one."""
        return self.location.line

    def __str__(self) -> str:
        return f"{self.location}: {self.text}" if self.location.source else self.text


class PromptlabError(Exception):
    """Base of every error raised on purpose.

    Messages repeat what files, endpoints and libraries say: no secret stands in them, nothing that
    a terminal obeys, and they are cut where they are very long.
    """

    exit_code = 1

    def __init__(self, message: object = "") -> None:
        super().__init__(sanitize(str(message)))


class InputError(PromptlabError):
    """What the user gave is wrong; the message names the place and the mend.

    ``issues`` are the things that are wrong one by one, where a file was checked as a whole.
    """

    exit_code = 2
    issues: tuple[ValidationIssue, ...] = ()

    @classmethod
    def from_issues(cls, issues: Iterable[ValidationIssue]) -> Self:
        """An error about a file: every issue begins a line of the message."""
        found = tuple(issues)
        error = cls("\n".join(map(str, found)))
        error.issues = tuple(replace(issue, text=sanitize(issue.text)) for issue in found)
        return error

    @classmethod
    def at(cls, location: Location, text: str) -> Self:
        """An error about one place in a file."""
        return cls.from_issues([ValidationIssue(text, location)])


class TemplateError(InputError):
    """A template cannot be read or rendered.

    With ``text`` and ``position`` the message shows the template with a caret under the fault.
    """

    def __init__(self, message: str, *, text: str | None = None, position: int = 0) -> None:
        self.summary = sanitize(message)
        if text is not None:
            message = f"{message}\n{_caret(text, position)}"
        super().__init__(message)


class VerbalizerError(InputError):
    """Answers do not fit the labels or the tokenizer."""


class DataError(InputError):
    """A data file or a task is wrong; the message names file and line."""


class StudyError(InputError):
    """A study file, or a study that exists already, is wrong."""


class CapabilityError(InputError):
    """The model cannot do what was asked; the message names what could."""


class EndpointError(InputError):
    """An endpoint refuses every request: a wrong key, no credit, an unknown model or URL."""


class NotFittedError(InputError):
    """``predict`` was called before ``fit``."""


class WorkError(PromptlabError):
    """The work failed although the input was right."""


class Cancelled(WorkError):
    """The user asked to stop; what is finished stays."""


class AskError(WorkError):
    """What was asked of a model for one example failed; the other examples go on.

    ``reply`` is the `promptlab.prompts.decoding.Generation` that came all the same, with the tokens
    that it has cost, or ``None``.
    """

    def __init__(self, message: str, reply: Any = None) -> None:
        super().__init__(message)
        self.reply = reply


class WordlessError(AskError):
    """A prompt that gets no answer from the model, however often it is asked: it is unparsed.

    The model declined, wrote nothing, or cannot read so long a prompt. That is the prompt's fault:
    were it missing, a prompt that fails on hard examples would look better than it is.
    """


class NotFiniteError(WorkError):
    """What a model computes is NaN or infinite; the message says where that begins."""


class ModelError(WorkError):
    """A model's own code fails on what it was given; the message names both."""


class UnansweredError(WorkError):
    """Every request about some examples failed, so that nothing is known of them."""


class AssetError(WorkError):
    """A model or data set could not be fetched, or a pinned one did not match its hash."""

    exit_code = 2


class DiskError(WorkError):
    """The disk is full or a folder cannot be written; the message names it and the mend."""

    exit_code = 2


class Pruned(PromptlabError):
    """A learner gave a candidate up; the message is the reason.

    A study records the trial as pruned with that reason and goes on.
    """


class DataWarning(UserWarning):
    """Data was read, and a reader should know something of it: merged labels, repeated texts.

    The command line and studies tell the same in their own way.
    """


def _caret(text: str, position: int) -> str:
    """The line of ``text`` that holds ``position`` with a caret under it."""
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    line = text[start : end if end >= 0 else len(text)]
    before = make_printable(line[: position - start], lines=False)
    first = max(0, len(before) - _SHOWN)
    line = before[first:] + make_printable(line[position - start :][:_SHOWN], lines=False)
    return f"  {line}\n  {' ' * (len(before) - first)}^"
