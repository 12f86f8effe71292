"""Numbers and verdicts in words."""

from __future__ import annotations

import math

import pytest

from promptlab.study import formatting


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (formatting.format_percent(0.8431), "84.3\u00a0%"),
        (formatting.format_metric("accuracy", 1.0), "100.0\u00a0%"),
        (formatting.format_metric("matthews", 0.5), "0.500"),
        (formatting.format_metric("accuracy", -0.1), "-0.100"),
        (formatting.format_interval("accuracy", 0.773, 0.846), "77.3\u201384.6\u00a0%"),
        (formatting.format_interval("matthews", 0.1, 0.2), "0.100\u20130.200"),
        (formatting.format_p_value(0.00099), "p < 0.001"),
        (formatting.format_p_value(0.0421), "p = 0.042"),
        (formatting.format_p_value(0.41), "p = 0.41"),
        (formatting.format_duration(6.13), "6.1 s"),
        (formatting.format_duration(59.7), "1 min 0 s"),
        (formatting.format_duration(252.3), "4 min 12 s"),
        (formatting.format_duration(725), "12 min 5 s"),
        (formatting.format_duration(7500), "2 h 5 min"),
        (formatting.format_count(33.5), "33.5"),
        (formatting.format_count(1319), "1,319"),
        (formatting.format_count(412_345), "412\u00a0k"),
        (formatting.format_count(2_340_000), "2.34\u00a0M"),
    ],
)
def test_numbers(text: str, expected: str) -> None:
    assert text == expected


def test_what_is_no_number() -> None:
    assert formatting.as_number(math.nan) is None
    assert formatting.as_number(True) is None
    assert formatting.as_number("1") is None
    assert formatting.read_interval([0.1]) is None
    assert formatting.read_interval([0.1, None]) is None
