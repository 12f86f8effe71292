"""Good files and values made wrong in one place or several."""

from __future__ import annotations

import copy
import random
from typing import Any

ODD_VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**40, 0.5, -0.0, 1e308, float("nan"), float("inf"),
    "", " ", "x", "NaN", "\x00", "\ud800", "\u202e", "a" * 300, "../../etc/passwd", "{mask}",
    "{{ mask }}", "{text} {mask}", [], {}, [[]], [None], {"": None}, {"a": {"a": {}}}, ["x"] * 50,
]  # fmt: skip
_ODD_BYTES = [
    b"", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"null", b"NaN", b"1e999", b"{",
    b"}", b"[", b"]", b'"', b"'", b"\n", b"\r\n", b"\t", b"- ", b": ", b"&a ", b"*a",
    b"!!python/name:os.system ", b"!!binary ", b"<<: ", b"? ", b"|\n",
    b"%YAML 9\n---\n", b"[" * 3000, b"{a: " * 500, b"9" * 400,
    "\u2028\u202e".encode(),
]  # fmt: skip


def mutated_bytes(rng: random.Random, data: bytes) -> bytes:
    """The file with pieces put in, cut out, doubled or flipped at one to three places."""
    for _ in range(rng.randrange(1, 4)):
        place = rng.randrange(len(data) + 1)
        end = min(len(data), place + rng.choice([1, 1, 4, 40, 400]))
        match rng.randrange(6):
            case 0:
                data = data[:place] + rng.choice(_ODD_BYTES) + data[place:]
            case 1:
                data = data[:place] + data[end:]
            case 2:
                data = data[:end] + data[place:end] + data[end:]
            case 3:
                data = data[:place]
            case 4 if data:
                place = rng.randrange(len(data))
                data = (
                    data[:place]
                    + bytes([data[place] ^ (1 << rng.randrange(8))])
                    + data[place + 1 :]
                )
            case _:
                data = data[:place] + rng.choice(_ODD_BYTES) + data[end:]
    return data


def mutated_value(rng: random.Random, value: Any) -> Any:
    """A copy with a value of another kind, a key less, a key more or a twin, at one place."""
    value = copy.deepcopy(value)
    places = list(_places(value))
    if not places:
        return rng.choice(ODD_VALUES)
    holder, key = rng.choice(places)
    match rng.randrange(5):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[rng.choice(["x", "", "text", "name", "__class__", "a" * 300])] = holder[key]
        case 1:
            holder.insert(key, copy.deepcopy(holder[key]))
        case 2 if isinstance(holder[key], str):
            text = holder[key]
            place = rng.randrange(len(text) + 1)
            holder[key] = text[:place] + str(rng.choice(ODD_VALUES)) + text[place:]
        case _:
            holder[key] = copy.deepcopy(rng.choice(ODD_VALUES))
    return value


def _places(value: Any) -> Any:
    """Every place in a document as (holder, key)."""
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        keys = holder if isinstance(holder, dict) else range(len(holder))
        for key in keys:
            yield holder, key
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])
