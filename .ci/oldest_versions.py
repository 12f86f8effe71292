"""Prints pip constraints: the oldest version that pyproject.toml admits of every dependency.

    python .ci/oldest_versions.py > oldest.txt && pip install -c oldest.txt -e ".[test]"

torch is left out: its newest admitted release is the one whose CPU build is at hand.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

LEFT_OUT = ("torch",)


def oldest(project: dict[str, object]) -> list[str]:
    """``name==version`` for every requirement with a lower bound, in order of names."""
    requirements = list(project["dependencies"])  # type: ignore[call-overload]
    extras: dict[str, list[str]] = project["optional-dependencies"]  # type: ignore[assignment]
    requirements += [line for name in ("test", *named(extras["test"])) for line in extras[name]]
    found = {}
    for line in requirements:
        match = re.match(r"([\w.-]+)(?:\[[^]]*\])?\s*(?:>=|==)\s*([\w.]+)", line)
        if match and match[1] not in LEFT_OUT:
            found[match[1]] = match[2]
    return [f"{name}=={version}" for name, version in sorted(found.items())]


def named(lines: list[str]) -> list[str]:
    """The extras that a list of requirements takes in by the project's own name."""
    found = [re.match(r"promptlab-workbench\[(.*)\]", line) for line in lines]
    return [extra.strip() for match in found if match for extra in match[1].split(",")]


if __name__ == "__main__":
    text = (Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8")
    print("\n".join(oldest(tomllib.loads(text)["project"])))
