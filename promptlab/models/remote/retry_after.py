"""How long an endpoint asks to be left alone, in all the ways in which endpoints say it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

_UNITS = {
    "ms": 1e-3, "msec": 1e-3, "msecs": 1e-3, "millisecond": 1e-3, "milliseconds": 1e-3,
    "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0,
    "m": 60.0, "min": 60.0, "mins": 60.0, "minute": 60.0, "minutes": 60.0,
    "h": 3600.0, "hr": 3600.0, "hrs": 3600.0, "hour": 3600.0, "hours": 3600.0,
    "d": 86400.0, "day": 86400.0, "days": 86400.0,
    "us": 1e-6, "µs": 1e-6, "ns": 1e-9,
}  # fmt: skip
_PART = re.compile(
    r"(\d+(?:[.,]\d+)?)\s*(" + "|".join(sorted(_UNITS, key=len, reverse=True)) + r")(?![^\W\d_])",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_JOINTS = re.compile(r"(?:\s|,|\band\b)*", re.IGNORECASE)
_ASKED = re.compile(
    r"(?:(?:re)?try(?:ing)?(?: \w+){0,3}? (?:again )?(?:in|after)|try again (?:in|after)"
    r"|retry[-_ ]?after|(?:please )?wait(?: for)?|back ?off(?: for)?|available (?:again )?in"
    r"|resets? (?:in|after)|retryDelay)"
    r"\W{0,4}(?:about |approximately |at least |another |around )?",
    re.IGNORECASE,
)
_BARE = re.compile(r"(\d+(?:\.\d+)?)(?=[.,;!\"'})\]]|\s*$)")
_AT = re.compile(r"(?:try again|retry|resets?|available)(?: again)?(?: at| after| on)?:? ", re.I)
_DATE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z| ?UTC|[+-]\d\d:?\d\d)?")
_LATEST = 1e15
"""No moment and no span is larger."""
_READ = 20_000
"""Characters of a body that are looked at."""
_EPOCH = 1e8
"""Numbers from here on are moments, not spans: seconds, or from 1e11 on milliseconds."""
_KEYS = ("retry_after", "retryafter", "retrydelay", "retry_delay", "estimated_time", "wait_seconds")
_KEYS_MS = ("retry_after_ms", "retryafterms")


def requested_wait(
    headers: Mapping[str, str], body: str = "", now: float | None = None
) -> float | None:
    """Seconds that the endpoint asks to wait; ``None`` when it does not say.

    What names the wait itself comes first: ``retry-after-ms``, else the longest of
    ``retry-after`` (seconds or a date), a field of the JSON body, and words such as "try again in
    1m30s". Else the reset of a
    rate limit that is used up; of limits that do not say how much is left, the first to be reset.
    ``now`` is the Unix time, by default the endpoint's own (``date``) where it tells it: then a
    clock that is wrong here harms nothing.
    """
    body = body[:_READ]
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    now = _now(lower) if now is None else now
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        found = _number(lower.get(name, ""))
        if found is not None:
            return found / 1000
    asked = (
        parse_wait(lower.get("retry-after", ""), now),
        _in_document(body, now),
        _in_words(body, now),
    )
    longest = max((seconds for seconds in asked if seconds is not None), default=None)
    return _reset(lower, now) if longest is None else longest


def parse_wait(text: str, now: float) -> float | None:
    """Seconds: "20", "1.2s", "350ms", "6m0s", "00:01:30", a Unix time, or a date."""
    text = text.strip()
    number = _number(text)
    if number is not None:
        return _from_now(number, now)
    if re.fullmatch(r"(?:\d+:)?\d+:\d+(?:\.\d+)?", text):
        seconds = 0.0
        for part in text.split(":"):
            seconds = seconds * 60 + float(part)
        return seconds
    if re.fullmatch(r"[\d.]+(?:\s*,\s*[\d.]+)+", text):  # the header came more than once
        return max(parse_wait(part, now) or 0.0 for part in text.split(","))
    span, end = _span_at(text, 0)
    if span is not None and end == len(text):
        return span
    return _date(text, now)


def _now(headers: Mapping[str, str]) -> float:
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError, IndexError, TypeError, OverflowError):
        return time.time()


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


def _from_now(number: float, now: float) -> float:
    if number >= _EPOCH:
        return max(0.0, (number / 1000 if number >= 1e11 else number) - now)
    return number


def _date(text: str, now: float) -> float | None:
    try:
        then = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError, OverflowError):
        try:
            then = datetime.fromisoformat(text.replace(" UTC", "Z").replace("Z", "+00:00"))
        except ValueError:
            return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    try:
        return max(0.0, then.timestamp() - now)
    except (OverflowError, ValueError):
        return None


def _span_at(text: str, start: int) -> tuple[float | None, int]:
    """The span that begins there, such as "1m30s" or "1 minute and 30 seconds", and its end."""
    seconds: float | None = None
    place = start
    while True:
        joint = _JOINTS.match(text, place)
        begin = place if joint is None or seconds is None else joint.end()
        part = _PART.match(text, begin)
        if part is None:
            return seconds, place
        value = float(part[1].replace(",", "."))
        seconds = (seconds or 0.0) + value * _UNITS[part[2].lower()]
        place = part.end()


def _in_document(body: str, now: float) -> float | None:
    """A field of the body that names a wait, wherever it stands (Google: ``retryDelay``)."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    for name, value in _fields(document):
        plain = name.lower().replace("-", "_")
        if plain in _KEYS_MS:
            found = _value(value, now)
            return None if found is None else found / 1000
        if plain in _KEYS:
            found = _value(value, now)
            if found is not None:
                return found
    return None


def _value(value: Any, now: float) -> float | None:
    if isinstance(value, str):
        return parse_wait(value, now)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return _from_now(float(value), now) if 0 <= value <= _LATEST else None  # also for NaN


def _fields(document: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    if depth > 8:
        return
    if isinstance(document, dict):
        for name, value in document.items():
            yield name, value
            yield from _fields(value, depth + 1)
    elif isinstance(document, list):
        for value in document:
            yield from _fields(value, depth + 1)


def _in_words(text: str, now: float) -> float | None:
    """Of all that a text asks, the longest: one that names several limits means all of them."""
    found: list[float] = []
    for asked in _ASKED.finditer(text):
        span, _ = _span_at(text, asked.end())
        if span is None:
            number = _BARE.match(text, asked.end())
            before = text[asked.start() : asked.end()].lower()
            if number is None or "wait" in before:
                continue
            span = _from_now(float(number[1]), now)
        found.append(span)
    for asked in _AT.finditer(text):
        date = _DATE.match(text, asked.end())
        moment = None if date is None else _date(date[0], now)
        if moment is not None:
            found.append(moment)
    return max(found, default=None)


def _reset(headers: Mapping[str, str], now: float) -> float | None:
    """When a rate limit is set back, by the headers that tell of it."""
    empty: list[float] = []
    unsure: list[float] = []
    for name, value in headers.items():
        if name == "ratelimit":  # one header for all: "default";r=0;t=30
            unsure += [float(seconds) for seconds in re.findall(r";\s*t=(\d+)", value)]
        if "ratelimit" not in name.replace("-", "") or "reset" not in name:
            continue
        found = parse_wait(value, now)
        if not found:
            continue
        left = _number(headers.get(name.replace("reset", "remaining"), ""))
        (empty if left == 0 else unsure).append(found)
    return max(empty) if empty else min(unsure, default=None)
