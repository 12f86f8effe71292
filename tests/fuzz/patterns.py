"""Regular expressions of somebody who wants to freeze the process, on replies made for them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from promptlab.prompts.jinja import patterns
from promptlab.prompts.jinja.isolated import isolate_rendering
from promptlab.prompts.parsers.parsers import RegexParser, parser_from_settings
from tests.fuzz.harness import Attempt

_ATOMS = [
    "a", "b", ".", r"\d", r"\w", r"\s", r"\b", r"[ab]", r"[^a]", "(a)", "(a|a)", "(a|aa)",
    "(?:a|ab|abc)", "^", "$",
    "(?=a)", "(?!b)", "(?<=a)", "(?<!b)", r"\1", r"\2", "(?P<n>a)", "(?P=n)", "(?(1)a|b)",
    "[[:alpha:]]", r"\p{L}",
    "(?i)", "(?a)(?u)", "(?s:.)", "(?#x)", r"\Z", r"\x", r"\N{DIGIT ONE}", "(?R)",
    "(?1)", r"\L<x>", "😀", "\ud800",
    "(?>a+)", "a++", "(?e)", "{", "}", "(", ")", "[", "]", "|", "\\", "\x00", "(?x) ",
    "(?|a|b)", r"\K", r"\G", r"\X",
]  # fmt: skip
_REPEATS = [
    "*", "+", "?", "*?", "+?", "{2}", "{1,3}", "{0,99}", "{1000}", "{1,1000}", "{65535}",
    "{99999999}",
    "{4294967295}", "{,5}", "{3,}", "{9,3}", "{-1}", "**", "",
]  # fmt: skip
_REPLIES = [
    "a" * 30, "a" * 5000, "ab" * 3000 + "c", "a" * 60_000 + "!", "", "answer: 42",
    "\n" * 3000, "😀" * 999, "((((",
    "{" * 4000, '{"a":' * 2000, "#" * 9000, "1," * 9000, "**" * 4000, "\\boxed{" * 2000,
    "<answer>" * 3000,
    "A -> B\n" * 3000, "the answer is " * 500, "9" * 9000, " " * 30_000 + "x",
    "1/" * 5000, "not " * 5000,
]  # fmt: skip
_OTHERS = [
    {"type": "json", "key": "a"}, {"type": "number"}, {"type": "number", "decimal": "comma"},
    {"type": "text"},
    {"type": "text", "stop": [".", "\n"]}, {"type": "spans"}, {"type": "spans", "types": ["B"]},
    {"type": "choice", "choices": {"A": ["A", "yes"], "B": ["B", "no", "answer"]}},
]  # fmt: skip


def attempts(rng: random.Random, folder: Path) -> Iterator[Attempt]:
    """Random patterns on hostile replies, some in a process of its own; and the other parsers."""
    isolate_rendering()
    RegexParser("(a)").read("a")
    while True:
        reply = rng.choice(_REPLIES)
        if rng.random() < 0.3:
            reply = "".join(rng.choice(_REPLIES)[: rng.randrange(2000)] for _ in range(4))
        if rng.random() < 0.15:
            settings = rng.choice(_OTHERS)
            yield f"{settings} on {reply[:40]!r}", _parsing(settings, reply)
            continue
        pattern = _pattern(rng, rng.randrange(1, 5))
        if rng.random() < 0.3:
            settings = {"type": "regex", "pattern": pattern}
            yield f"apart {pattern!r} on {reply[:40]!r}", _parsing(settings, reply)
        else:
            yield f"{pattern!r} on {reply[:40]!r}", _searching(pattern, reply)


def _parsing(settings: dict[str, Any], reply: str) -> Callable[[], object]:
    return lambda: parser_from_settings(settings).parse(reply)


def _searching(pattern: str, reply: str) -> Callable[[], object]:
    def attempt() -> object:
        patterns.check_pattern(pattern)
        return patterns.search_pattern(pattern, reply)

    return attempt


def _pattern(rng: random.Random, depth: int) -> str:
    if depth <= 0:
        return rng.choice(_ATOMS) + rng.choice(_REPEATS)
    inner = "".join(_pattern(rng, depth - 1) for _ in range(rng.randrange(1, 4)))
    repeat = rng.choice(_REPEATS)
    made = rng.choice(
        [
            f"({inner}){repeat}", f"({inner}|{inner}){repeat}", f"(?:{inner}){repeat}",
            f"(?={inner})", f"(?<!{inner})", f"{inner}|{inner}", inner,
        ]
    )  # fmt: skip
    if rng.random() < 0.02:
        made = rng.choice(["(", "a?", "(a|", "(a*)", "[a"]) * rng.choice([50, 500, 3000]) + made
    return made
