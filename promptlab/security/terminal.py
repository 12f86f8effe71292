"""What this process writes to its terminal: texts from outside command nothing, secrets stay in."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from promptlab.security.redaction import hide_secrets
from promptlab.security.untrusted_text import make_printable

if TYPE_CHECKING:
    from rich.console import Console

_OWN_MOVES = re.compile(r"(?:\n|\x1b\[A)*")
"""How progress bars of libraries go to their line."""


class SanitizedStream:
    """A text stream that nothing from outside can command and that no secret leaves.

    It is the last of all places: tracebacks, what libraries log, and usage errors pass here, too.
    With ``plain`` control characters are written out; else the terminal obeys them.
    """

    def __init__(self, stream: TextIO, *, plain: bool = True) -> None:
        self.behind = stream
        self._plain = plain
        # A program that draws asks these at every piece.
        self.isatty, self.flush = stream.isatty, stream.flush
        self.encoding = getattr(stream, "encoding", None)

    def write(self, text: str) -> int:
        """Write a text; returns the length of what was given."""
        self.behind.write(self._cleaned(text))
        return len(text)

    def with_escapes(self) -> SanitizedStream:
        """The same stream for a program that draws: its own escapes are obeyed."""
        return SanitizedStream(self.behind, plain=False)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write every one of the texts."""
        for line in lines:
            self.write(line)

    def _cleaned(self, text: str) -> str:
        text = hide_secrets(text)
        if not self._plain or _OWN_MOVES.fullmatch(text):
            return _encodable(text)
        start = "\r" if text.startswith("\r") else ""  # a progress bar is drawn anew
        return start + make_printable(text[len(start) :])

    def __iter__(self) -> Iterator[str]:
        return iter(self.behind)

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":  # whoever writes there would pass by
            raise AttributeError(name)
        return getattr(self.behind, name)


@contextmanager
def sanitize_streams() -> Iterator[None]:
    """While inside, standard output and standard error are `SanitizedStream`."""
    before = sys.stdout, sys.stderr
    out, err = SanitizedStream(sys.stdout), SanitizedStream(sys.stderr)
    sys.stdout, sys.stderr = out, err
    try:
        yield
    finally:
        for name, clean, stream in zip(("stdout", "stderr"), (out, err), before, strict=True):
            if getattr(sys, name) is clean:
                setattr(sys, name, stream)


def data_output() -> TextIO:
    """Standard output for rows that a program reads: as they are, but without secrets.

    Where a terminal shows them they are printable, too.
    """
    return sys.stdout if sys.stdout.isatty() else escape_unencodable(sys.stdout)


def escape_unencodable(stream: Any) -> Any:
    """The stream to which escapes may be written; a `SanitizedStream` still takes secrets out."""
    made = getattr(stream, "with_escapes", None)
    return stream if made is None else made()


def open_console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """A Rich console that draws with colours, but whose texts mean nothing but themselves."""
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class CleanConsole(Console):
        """Its own escapes come of styles; a text that holds some has them written out."""

        def render(
            self, renderable: RenderableType, options: ConsoleOptions | None = None
        ) -> Iterable[Segment]:
            """Its pieces, each printable."""
            for piece in super().render(renderable, options):
                if piece.control:
                    yield piece
                else:
                    yield Segment(make_printable(hide_secrets(piece.text)), piece.style)

    stream = escape_unencodable(sys.stderr if stderr else sys.stdout)
    return CleanConsole(
        file=stream, stderr=stderr, markup=False, highlight=False, quiet=quiet, emoji=False
    )


def _encodable(text: str) -> str:
    """Halves of characters cannot be written at all."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode()
