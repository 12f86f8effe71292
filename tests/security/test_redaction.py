"""Secrets are found however they are written, and words that only look like one stay."""

from __future__ import annotations

import base64
import html
import json
import time
from urllib.parse import quote

import pytest

from promptlab.security.redaction import MARK, has_secret, hide_credentials, hide_secrets, hide_word

KEY = "sk-Canary+/9f8e7d6c5b4a3210="
FORMS = {
    "bare": KEY,
    "bearer": f"Bearer {KEY}",
    "lower case": KEY.lower(),
    "URL": quote(KEY, safe=""),
    "URL twice": quote(quote(KEY, safe=""), safe=""),
    "URL, every letter": "".join(f"%{ord(c):02X}" for c in KEY),
    "HTML": "".join(f"&#{ord(c)};" for c in KEY),
    "HTML, hexadecimal": "".join(f"&#x{ord(c):X};" for c in KEY),
    "HTML escapes": html.escape(KEY),
    "JSON": json.dumps(KEY)[1:-1],
    "JSON, slashes": KEY.replace("/", "\\/"),
    "JSON, every letter": "".join(f"\\u{ord(c):04x}" for c in KEY),
    "Python": "".join(f"\\x{ord(c):02x}" for c in KEY),
    "hexadecimal": KEY.encode().hex(),
    "UTF-16": "\0".join(KEY),
    "invisible": "\u200b".join(KEY),
    "colours": KEY[:9] + "\x1b" + KEY[9:],
    "masked": "sk-Canar****3210=",
    "masked, dots": "sk-Can...10=",
    "masked, ellipsis": "sk-Canary\u2026",
    "end": "****3210=",
    "first half": KEY[:15],
    "last half": KEY[-15:],
} | {
    f"base64 {skipped}": base64.b64encode(b"u" * skipped + KEY.encode() + b"z").decode()
    for skipped in range(4)
}


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTLAB_API_KEY", KEY)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_is_hidden(form: str) -> None:
    told = hide_secrets(f"before {form} after")
    assert MARK in told.removeprefix("before ").removesuffix(" after")
    assert told.startswith("before ") and told.endswith(" after")
    for length in range(6, len(KEY) + 1):
        assert KEY[:length].lower() not in told.lower()
        assert KEY[-length:].lower() not in told.lower()


@pytest.mark.parametrize(
    "text",
    ["", "so... well", "wait ***", "a \u2026 b", "x xxxx y", "the key is masked", "s k - C", "= 1",
     "sk-", "300 ... 3210 ...", "____", "https://host/path?x=1", "me@example.org",
     "Basic training", "bearer of news"],
)  # fmt: skip
def test_other_texts_stay(text: str) -> None:
    assert hide_credentials(text) == text
    assert not has_secret(text)


@pytest.mark.parametrize("word", ["EMPTY", "ollama", "none", "lm-studio", "not-needed"])
def test_a_word_that_serves_as_a_key_stays_a_word(
    word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMPTLAB_API_KEY", word)
    assert hide_secrets(f"the {word} is {word}") == f"the {word} is {word}"
    assert hide_secrets(f"Authorization: Bearer {word}.") == "Authorization: Bearer ***."
    assert hide_word(f"wrong key: {word}, {word}s", word) == f"wrong key: ***, {word}s"


def test_other_secrets_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_0123456789abcdef")
    monkeypatch.setenv("MY_DATABASE_PASSWORD", "correct-horse-battery")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:p%40ssword-1234@proxy:80")
    told = hide_secrets("hf_0123456789abcdef correct-horse-battery p@ssword-1234 p%40ssword-1234")
    assert told == "*** *** *** ***"


def test_credentials_of_others_are_hidden_where_a_text_is_shown() -> None:
    told = hide_credentials(
        "postgresql://me:hush@host/db Bearer abc.def-gh1 sk-1234567890123456789"
    )
    assert told == "postgresql://***@host/db Bearer *** ***"
    assert hide_secrets("https://me:hush@host") == "https://me:hush@host"  # data stay data


@pytest.mark.parametrize("piece", ["s", "sk-a", "\0", "\\", "*", ".", "sk-Canary+/9f8", "http://",
                                   "bearer ", "://", "a@", "%25", "&#"])  # fmt: skip
def test_long_texts_take_time_in_proportion(piece: str) -> None:
    def seconds(length: int) -> float:
        text = piece * (length // len(piece))
        begun = time.process_time()
        hide_credentials(text)
        return time.process_time() - begun

    seconds(1000)
    assert seconds(160_000) < 40 * seconds(20_000) + 0.5
