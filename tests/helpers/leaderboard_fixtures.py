"""A decided study and one whose learner is at work, as folders with hostile texts in them."""

from __future__ import annotations

import json
from pathlib import Path

HOSTILE = "<script>alert(1)</script>"
BOARD = {
    "study": "tiny",
    "objective": "accuracy",
    "task": {"name": HOSTILE, "n_dev": 12},
    "statements": [f"Trial 0 is best. {HOSTILE}"],
    "trials": [
        {
            "number": 0,
            "state": "complete",
            "kind": "template",
            "name": HOSTILE,
            "prompt": HOSTILE,
            "dev": {"accuracy": 0.75, "ci95": [0.5, 0.9], "n": 12},
            "tokens_per_example": 7.5,
        },
        {
            "number": 1,
            "state": "complete",
            "name": "worse",
            "dev": {"accuracy": 0.5, "ci95": [0.3, 0.7], "n": 12},
            "p_vs_best": 0.01,
            "distinguishable": True,
        },
        {"number": 2, "state": "failed", "name": "broken", "reason": "no slot"},
    ],
    "baselines": [{"name": "majority", "dev": {"accuracy": 0.5, "ci95": [0.3, 0.7]}}],
}

STEPS = [
    {"step": 0, "values": {"loss": 0.9, "dev": 0.5}, "notes": {"tokens": "1 2", "words": "a b"}},
    {"step": 1, "values": {"loss": None}, "notes": {}},
    {"step": 2, "values": {"loss": 0.7, "dev": 0.75}, "notes": {"words": f"a {HOSTILE}"}},
]


def write_runs(path: Path) -> Path:
    """The folders ``tiny``, decided, and ``begun``, whose trial 3 has taken steps."""
    for name in ("tiny", "begun"):
        (path / name).mkdir()
        (path / name / "study.yaml").write_text(
            "study: tiny\ntask: {data: sst2}\nmodel: {name: tiny}\n"
        )
    (path / "tiny" / "leaderboard.json").write_text(json.dumps(BOARD))
    (path.parent / "leaderboard.json").write_text("{}")
    steps = path / "begun" / "steps"
    steps.mkdir()
    (steps / "3.jsonl").write_text("".join(json.dumps(row) + "\n" for row in STEPS))
    return path
