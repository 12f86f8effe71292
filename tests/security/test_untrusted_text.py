"""Texts from outside: what a terminal obeys or nobody sees is written out, all else stays."""

from __future__ import annotations

import json

import pytest

from promptlab.errors import InputError, TemplateError
from promptlab.security.untrusted_text import json_text, make_printable, sanitize

HOSTILE = {
    "clear screen": ("\x1b[2J", "\\x1b[2J"),
    "title": ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
    "link": ("\x1b]8;;http://x\x1b\\", "\\x1b]8;;http://x\\x1b\\"),
    "C1": ("\x9b2J", "\\x9b2J"),
    "back": ("safe\x08\x08", "safe\\x08\\x08"),
    "return": ("bad\rgood", "bad\\rgood"),
    "override": ("\u202etxt.exe", "\\u202etxt.exe"),
    "isolate": ("\u2066a\u2069", "\\u2066a\\u2069"),
    "marks": ("\u200ea\u200f\u061c", "\\u200ea\\u200f\\u061c"),
    "no width": ("a\u200bb\u2060\ufeff", "a\\u200bb\\u2060\\ufeff"),
    "joiners in Latin": ("a\u200db\u200c", "a\\u200db\\u200c"),
    "tags": ("a\U000e0041\U000e007f", "a\\U000e0041\\U000e007f"),
    "selectors": ("a\U000e0100", "a\\U000e0100"),
    "soft hyphen": ("pay\u00adpal", "pay\\xadpal"),
    "filler": ("\u3164\uffa0\u115f", "\\u3164\\uffa0\\u115f"),
    "separators": ("a\u2028b\u2029", "a\\u2028b\\u2029"),
    "surrogate": ("a\ud800", "a\\ud800"),
    "no character": ("a\ufffe\uffff\ufdd0\U0001ffff", "a\\ufffe\\uffff\\ufdd0\\U0001ffff"),
    "private": ("\ue000\U000f0000", "\\ue000\\U000f0000"),
    "NUL": ("a\0b", "a\\x00b"),
    "delete": ("a\x7f", "a\\x7f"),
}


@pytest.mark.parametrize(("text", "shown"), HOSTILE.values(), ids=HOSTILE)
def test_what_is_written_out(text: str, shown: str) -> None:
    assert make_printable(text) == shown
    assert make_printable(shown) == shown
    assert str(InputError(text)) == shown


@pytest.mark.parametrize(
    "text",
    ["", "plain\ttext\n", "Grüße", "日本語",
     "نمی\u200cخواهم", "क्\u200dष", "👨\u200d👩\u200d👧", "❤\ufe0f",
     "שלום", "a\u0301", "\u00a0", "x\u00b2 – “q” …"],
)  # fmt: skip
def test_what_stays(text: str) -> None:
    assert make_printable(text) == text


def test_a_line() -> None:
    assert make_printable("a\r\nb\tc\nd", lines=False) == "a⏎b c⏎d"
    assert make_printable("e" + "\u0301" * 10).count("\\u0301") == 2


@pytest.mark.parametrize("text", [pair[0] for pair in HOSTILE.values()], ids=HOSTILE)
def test_json_reads_back_and_is_harmless(text: str) -> None:
    written = json_text({text: [text, 1.5, None]}, indent=1)
    assert json.loads(written) == {text: [text, 1.5, None]}
    assert make_printable(written) == written
    written.encode()


def test_json_keeps_letters() -> None:
    assert json_text("é 日 👨\u200d👩") == '"é 日 👨\u200d👩"'


def test_what_is_long_is_cut_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sanitize("x" * 100, longest=10) == "xxxxxxxxxx… (90 more characters)"
    told = str(InputError("y" * 10_000_000))
    assert len(told) < 10_000 and told.endswith("more characters)")
    monkeypatch.setenv("PROMPTLAB_API_KEY", key := "sk-canary-" + "0123456789" * 10)
    for place in range(4010, 4130, 7):  # where the reading of the text ends
        assert "canary" not in sanitize("x" * (place - 100) + key + "z" * 9000, longest=10)
    assert "canary" not in sanitize(key * 1000, longest=100)


def test_errors_hold_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-0123456789")
    assert str(InputError("it said sk-canary-0123456789.")) == "it said ***."
    assert "canary" not in repr(InputError("sk-canary-0123456789"))


def test_a_caret_keeps_its_place() -> None:
    text = "\x1b[2J{text} {mask"
    shown = str(TemplateError("wrong", text=text, position=text.index("{mask"))).split("\n")
    assert shown[1] == "  \\x1b[2J{text} {mask"
    assert shown[2].index("^") == shown[1].index("{mask")
    long = str(TemplateError("wrong", text="a" * 100_000, position=50_000)).split("\n")
    assert len(long[1]) < 2000 and len(long[2]) < 1000
