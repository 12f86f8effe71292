"""The benchmark of infilling: by the published rule both procedures find the same."""

from __future__ import annotations

import argparse

from promptlab.studies.bench.infilling import measure


def test_both_procedures_find_the_same_by_the_same_rule() -> None:
    given = argparse.Namespace(
        shape="tiny", examples=4, length=8, beams=5, tokens=3, repeats=1, seed=3
    )
    found = measure(given)
    assert found["same_rule_same_texts"] and found["same_rule_largest_difference"] < 1e-4
    assert found["ratio"] > 0 and 0 <= found["top_ten_in_common"] <= 5
