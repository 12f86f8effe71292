"""Kill studies at random moments, continue them, and compare them with undisturbed ones.

Run by hand in the repository: ``python -m tests.soak.kill_studies --kills 300 --seed 1``. Figures
are added to a file after every cycle, so that the work may be done in pieces (``--seconds``).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from .cycles import Soaking, can_mount
from .faulty import faulty_endpoint
from .studies import save_models, soaked_studies


def main() -> None:
    """Cycles until there were enough kills in all, or the seconds are over; then the table."""
    options = _options()
    folder = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    figures = folder / "figures.jsonl"
    rows = _read(figures)
    save_models(folder)
    deadline = time.monotonic() + options.seconds
    with faulty_endpoint() as (endpoint, faulty):
        studies = soaked_studies(folder, endpoint.url)
        if not can_mount(folder / "disk"):
            studies = {name: one for name, one in studies.items() if not one.fills}
        chosen = [name for name in studies if not options.only or name in options.only]
        soaking = {name: Soaking(name, studies[name], folder, faulty) for name in chosen}
        while sum(row["kills"] for row in rows) < options.kills and time.monotonic() < deadline:
            name = min(chosen, key=lambda name: sum(r["kills"] for r in rows if r["study"] == name))
            seed = options.seed * 10_000 + sum(row["study"] == name for row in rows)
            cycle = soaking[name].cycle(seed)
            rows.append(cycle.record())
            with figures.open("a") as stream:
                stream.write(json.dumps(cycle.record()) + "\n")
            _tell(rows[-1])
    print(table(rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300, help="in all, those of before included")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME")
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "promptlab-soak"
    )
    return parser.parse_args()


def _read(figures: Path) -> list[dict[str, Any]]:
    if not figures.exists():
        return []
    return [json.loads(line) for line in figures.read_text().splitlines()]


def _tell(row: dict[str, Any]) -> None:
    good = not row["differences"] and not row["failed"]
    told = "equal" if good else row["failed"] or "; ".join(row["differences"][:4])
    print(f"{row['study']} {row['seed']} {', '.join(row['moments'])}: {told}", flush=True)


def table(rows: list[dict[str, Any]]) -> str:
    """A line a study: cycles, kills, how many ended as undisturbed, and what was not told."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row["study"]].append(row)
    lines = [f"{'study':<16} cycles  kills  equal  failed  requests answered / told + under way"]
    for name, each in [*found.items(), ("all", rows)]:
        equal = sum(not row["differences"] and not row["failed"] for row in each)
        paid = ""
        if answered := sum(row["answered"] for row in each):
            told, unheard = (sum(row[key] for row in each) for key in ("told", "unheard"))
            paid = f"{answered:,} / {told:,} + {unheard:,}"
        kills, failed = sum(row["kills"] for row in each), sum(bool(row["failed"]) for row in each)
        lines.append(f"{name:<16} {len(each):>6} {kills:>6} {equal:>6} {failed:>7}  {paid}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
