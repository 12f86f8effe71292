"""``python -m tests.fuzz.run SURFACE``: attack a surface by hand; exit 1 when anything is found."""

from __future__ import annotations

import argparse
import sys


def main() -> int:
    from tests.fuzz.harness import PATIENCE, attack, replay, surfaces

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("surface", nargs="*", help=f"of {', '.join(surfaces())}; none: all")
    parser.add_argument("--attempts", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="for each surface")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--patience", type=float, default=PATIENCE)
    parser.add_argument("--replay", type=int, metavar="NUMBER", help="make this attempt alone")
    options = parser.parse_args()
    found = 0
    for surface in options.surface or surfaces():
        if options.replay is not None:
            label, (kind, detail) = replay(surface, options.replay, options.seed)
            print(f"{label}\n{kind}: {detail}")
            continue
        report = attack(
            surface,
            attempts=options.attempts,
            seed=options.seed,
            seconds=options.seconds,
            patience=options.patience,
            on_finding=lambda finding: print(finding, flush=True),
        )
        print(report, flush=True)
        found += len(report.findings)
    return min(found, 1)


if __name__ == "__main__":
    sys.exit(main())
