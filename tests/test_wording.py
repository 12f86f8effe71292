"""Numbers and verdicts in words."""

from __future__ import annotations

import math

import pytest

from promptlab.study import wording


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (wording.percent(0.8431), "84.3\u00a0%"),
        (wording.metric_value("accuracy", 1.0), "100.0\u00a0%"),
        (wording.metric_value("matthews", 0.5), "0.500"),
        (wording.metric_value("accuracy", -0.1), "-0.100"),
        (wording.limits("accuracy", 0.773, 0.846), "77.3\u201384.6\u00a0%"),
        (wording.limits("matthews", 0.1, 0.2), "0.100\u20130.200"),
        (wording.p_value(0.00099), "p < 0.001"),
        (wording.p_value(0.0421), "p = 0.042"),
        (wording.p_value(0.41), "p = 0.41"),
        (wording.duration(6.13), "6.1 s"),
        (wording.duration(59.7), "1 min 0 s"),
        (wording.duration(252.3), "4 min 12 s"),
        (wording.duration(7500), "2 h 5 min"),
        (wording.count(33.5), "33.5"),
        (wording.count(1319), "1,319"),
        (wording.count(412_345), "412\u00a0k"),
        (wording.count(2_340_000), "2.34\u00a0M"),
    ],
)
def test_numbers(text: str, expected: str) -> None:
    assert text == expected


def test_what_is_no_number() -> None:
    assert wording.number(math.nan) is None
    assert wording.number(True) is None
    assert wording.number("1") is None
    assert wording.interval([0.1]) is None
    assert wording.interval([0.1, None]) is None
