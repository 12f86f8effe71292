"""Nothing from outside commands the terminal, and no secret gets to it."""

from __future__ import annotations

import io
import logging
import sys
import warnings

import pytest

from promptlab.security.terminal import SanitizedStream, data_output, open_console, sanitize_streams

KEY = "sk-canary-0123456789"
HOSTILE = f"a\x1b[2J\u202e\x9b{KEY}"
SHOWN = "a\\x1b[2J\\u202e\\x9b***"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTLAB_API_KEY", KEY)


def test_a_clean_stream() -> None:
    clean = SanitizedStream(behind := io.StringIO())
    assert clean.write(f"{HOSTILE}\n") == len(HOSTILE) + 1
    clean.writelines(["x\x07", "y\ud800"])
    print("z\x1b", file=clean, flush=True)
    assert behind.getvalue() == f"{SHOWN}\nx\\x07y\\ud800z\\x1b\n"
    assert not hasattr(clean, "buffer")


def test_a_library_s_progress_bar_moves() -> None:
    clean = SanitizedStream(behind := io.StringIO())
    for text in ("\r 50%|##\x1b", "\n\n", "\x1b[A\x1b[A"):
        clean.write(text)
    assert behind.getvalue() == "\r 50%|##\\x1b\n\n\x1b[A\x1b[A"


def test_streams_are_clean_for_a_while(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout, sys.stderr
    with sanitize_streams():
        print(HOSTILE)
        logging.lastResort.handle(logging.makeLogRecord({"msg": HOSTILE, "levelno": 40}))
        warnings._showwarnmsg_impl(warnings.WarningMessage(HOSTILE, UserWarning, "x.py", 1))
    assert (sys.stdout, sys.stderr) == before
    told = capsys.readouterr()
    assert told.out == f"{SHOWN}\n"
    assert SHOWN in told.err
    assert "\x1b" not in told.err and KEY not in told.err and "\u202e" not in told.err


def test_rows_for_programs_are_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    with sanitize_streams():
        data_output().write(HOSTILE)
    assert capsys.readouterr().out == HOSTILE.replace(KEY, "***")


def test_a_console_draws_and_texts_mean_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.table import Table
    from rich.text import Text

    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", SanitizedStream(behind := io.StringIO()))
    console = open_console()
    table = Table("name")
    table.add_row(HOSTILE)
    for thing in (HOSTILE, f"[red]x[/red] [link=http://x]y[/link] :bomb: {HOSTILE}", table):
        console.print(thing, soft_wrap=True)
    console.print(Text(HOSTILE, style="bold"))
    with console.status(HOSTILE):
        pass
    told = behind.getvalue()
    assert "\x1b[1m" in told  # its own styles
    assert "\x1b[2J" not in told and "\u202e" not in told and "\x9b" not in told
    assert KEY not in told
    assert "[red]x[/red] [link=http://x]y[/link] :bomb: a\\x1b[2J" in told
