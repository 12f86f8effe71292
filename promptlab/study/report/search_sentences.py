"""What a search did not try, in words: the first thing to know of its result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def search_sentence(board: Mapping[str, Any]) -> str:
    """How many candidates were tried, if not all were, and why; empty where all were.

    Example:
        >>> search_sentence({"search": {"done": 8, "planned": 26, "space": 26, "different": 8,
        ...                         "cut": True, "seconds": 240.0, "trials": 50}})
        '8 of 26 candidates tried; the budget of 240 s was spent. A larger budget continues.'
    """
    search = board.get("search")
    if not search:
        return ""
    done, planned, space = search["done"], search["planned"], search["space"]
    more = "A larger budget continues."
    if search["cut"]:
        whole = space is not None and space >= planned
        what = f"of {space:,} candidates tried" if whole else f"of {planned:,} trials made"
        limits = [("{:g} s", search["seconds"]), ("${:,g}", search.get("dollars"))]
        given = [text.format(limit) for text, limit in limits if limit is not None]
        spent = f"the budget of {' or '.join(given)}" if given else "the time"
        return f"{done:,} {what}; {spent} was spent. {more}"
    tried = done if planned == space else search["different"]
    if space is not None and tried < space and planned < space:
        return (
            f"{tried:,} of {space:,} candidates tried; the budget of {search['trials']:,} trials "
            f"was spent. {more}"
        )
    return ""
