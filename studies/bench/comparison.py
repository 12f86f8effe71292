"""Two sides of one piece of work, timed turn by turn, and what is told about them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

from promptlab.errors import PromptlabError, WorkError
from promptlab.studies.bench.roofline import Roofline

Side = Callable[[], float]
"""Does the work once and returns the seconds it took."""


@dataclass(frozen=True)
class Timing:
    """Seconds of the two sides, one figure a repeat, and the machine's peak meanwhile."""

    own: Sequence[float]
    peer: Sequence[float]
    roofline: Roofline


@dataclass(frozen=True)
class Comparison:
    """promptlab against one peer on the same tokens.

    ``own_flops`` are what the work needs, ``peer_flops`` what the peer spends; ``max_difference``
    is in nats.
    """

    peer: str
    timing: Timing
    own_flops: float
    peer_flops: float
    max_difference: float
    tolerance: float
    target: float
    details: Mapping[str, Any] = field(default_factory=dict)
    dtype: Literal["fp32", "bf16"] = "fp32"

    @property
    def own_seconds(self) -> float:
        """promptlab's median repeat."""
        return median(self.timing.own)

    @property
    def peer_seconds(self) -> float:
        """The peer's median repeat."""
        return median(self.timing.peer)

    @property
    def ratio(self) -> float:
        """How many times faster promptlab is: the quotient of the medians."""
        return self.peer_seconds / self.own_seconds

    @property
    def reached(self) -> bool:
        """Whether the target was reached with the same numbers."""
        return self.ratio >= self.target and self.max_difference <= self.tolerance

    @property
    def roofline_percent(self) -> float:
        """promptlab's needed FLOPs as a percentage of the matrix-product peak."""
        return self.timing.roofline.percent(self.own_flops, self.own_seconds, self.dtype)

    @property
    def peer_roofline_percent(self) -> float:
        """The peer's spent FLOPs as a percentage of the matrix-product peak."""
        return self.timing.roofline.percent(self.peer_flops, self.peer_seconds, self.dtype)

    def document(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            "peer": self.peer,
            "ratio": self.ratio,
            "target": self.target,
            "max_difference": self.max_difference,
            "tolerance": self.tolerance,
            "reached": self.reached,
            "roofline_percent": self.roofline_percent,
            "peer_roofline_percent": self.peer_roofline_percent,
            "flops_ratio": self.peer_flops / self.own_flops,
            "seconds": {
                "promptlab": self.own_seconds,
                "peer": self.peer_seconds,
                "promptlab_repeats": list(self.timing.own),
                "peer_repeats": list(self.timing.peer),
            },
            "dtype": self.dtype,
            "machine": self.timing.roofline.document(),
            **self.details,
        }


def alternate(own: Side, peer: Side, *, warm_up: int, repeats: int, device: str = "cpu") -> Timing:
    """Time both sides in turn, A B A B, after ``warm_up`` rounds that do not count.

    The matrix-product peak is measured before every round; the best counts.
    """
    for _ in range(warm_up):
        own()
        peer()
    roofline = Roofline.measure(device)
    rounds = []
    for _ in range(repeats):
        rounds.append((own(), peer()))
        roofline = roofline.best(Roofline.measure(device))
    first, second = zip(*rounds, strict=True)
    return Timing(first, second, roofline)


def largest_difference(left: Sequence[Sequence[float]], right: Sequence[Sequence[float]]) -> float:
    """The largest absolute difference between two tables of the same shape."""
    return max(
        abs(a - b)
        for first, second in zip(left, right, strict=True)
        for a, b in zip(first, second, strict=True)
    )


def require_same_ids(own: Sequence[Sequence[int]], peer: Sequence[Sequence[int]]) -> None:
    """Raise ``WorkError`` when the two sides would not read the same tokens."""
    for index, (first, second) in enumerate(zip(own, peer, strict=True)):
        if list(first) != list(second):
            raise WorkError(
                f"prompt {index} is not the same for both sides:\n{list(first)}\n{list(second)}"
            )


def report(
    name: str,
    comparisons: Mapping[str, Comparison],
    *,
    as_json: bool,
    more: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Print all comparisons; the first one's figures stand at the top of the document.

    ``more`` are findings of another form, some with a ``reached`` of their own.
    """
    main = next(iter(comparisons.values()))
    others = dict(more or {})
    if as_json:
        document = {
            "benchmark": name,
            "ratio": main.ratio,
            "max_difference": main.max_difference,
            "roofline_percent": main.roofline_percent,
            "reached": all(one.reached for one in comparisons.values())
            and all(one.get("reached", True) for one in others.values()),
            "comparisons": {key: one.document() for key, one in comparisons.items()},
            **others,
        }
        print(json.dumps(document, indent=2))
        return
    for key, one in comparisons.items():
        print(
            f"{key}: {one.ratio:.1f}x against {one.peer} (target {one.target:g}x), "
            f"{one.own_seconds:.3f} s and {one.peer_seconds:.3f} s, largest difference "
            f"{one.max_difference:.1e} nats, {one.roofline_percent:.0f} % and "
            f"{one.peer_roofline_percent:.0f} % of the roofline"
        )
        for label, value in one.details.items():
            print(f"  {label}: {value}")
    for key, found in others.items():
        print(f"{key}:")
        for label, value in found.items():
            print(f"  {label}: {value}")


def run(main: Callable[[], None]) -> None:
    """Call a benchmark's ``main``; an expected failure is one message and its exit code."""
    try:
        main()
    except PromptlabError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
