"""Which levels are crossed."""

from __future__ import annotations

import pytest

from promptlab.errors import InputError
from promptlab.study.sensitivity.design import Factor, FactorialDesign, plan_levels

ALL = {"wording": 9, "format": 9, "answers": 9, "order": 4, "seed": 5}


def test_every_combination_stands_once() -> None:
    design = FactorialDesign((Factor("wording", ("a", "b")), Factor("format", ("x", "y", "z"))))
    cells = list(design.cells())
    assert len({tuple(cell.values()) for cell in cells}) == design.size == 6
    assert cells[:2] == [{"wording": 0, "format": 0}, {"wording": 0, "format": 1}]
    for name, count in (("wording", 2), ("format", 3)):  # balanced
        for number in range(count):
            assert sum(cell[name] == number for cell in cells) == 6 // count
    assert design.level_names([1, 2]) == {"wording": "b", "format": "z"}
    assert FactorialDesign((Factor("wording", ("a",)), *design.factors[1:])).varied == (1,)


def test_the_usual_numbers_until_they_fit() -> None:
    assert plan_levels(ALL, most=1000) == {
        "wording": 4, "format": 4, "answers": 3, "order": 2, "seed": 3,
    }  # fmt: skip
    # 288: format 4 -> 3, wording 4 -> 3, then the last of the threes: seed, then answers: 72
    assert plan_levels(ALL, most=96) == {
        "wording": 3, "format": 3, "answers": 2, "order": 2, "seed": 2,
    }  # fmt: skip
    assert plan_levels({"wording": 2, "format": 1}) == {"wording": 2, "format": 1}


def test_what_is_asked_for_stays() -> None:
    found = plan_levels(ALL, {"wording": 6, "seed": 1, "order": 1}, most=48)
    assert found == {"wording": 6, "format": 3, "answers": 2, "order": 1, "seed": 1}


@pytest.mark.parametrize(
    ("asked", "most", "parts"),
    [
        ({"colour": 2}, 96, ("colour", "wording")),
        ({"wording": 0}, 96, ("wording has 0",)),
        ({"wording": 9}, 20, ("20 prompts", "wording 9", "144 are the least")),
        ({}, 31, ("32 are the least",)),
    ],
)
def test_bad_numbers(asked: dict[str, int], most: int, parts: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as told:
        plan_levels(ALL, asked, most)
    for part in parts:
        assert part in str(told.value)
