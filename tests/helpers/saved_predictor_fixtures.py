"""A runs folder with saved prompts over a tiny model, as studies leave them."""

from __future__ import annotations

import json
from pathlib import Path

import promptlab as pl

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"
TEMPLATE = "{text} It was {mask}"
ANSWERS = {"negative": ["bad"], "positive": ["good"]}


def save_prompt(
    runs: Path,
    name: str,
    model: pl.LanguageModel,
    template: str = TEMPLATE,
    answers: dict[str, list[str]] | None = None,
) -> Path:
    """A decided study with this prompt for its winner; returns the winner's folder."""
    folder = runs / name
    folder.mkdir(parents=True)
    made = pl.PromptClassifier(template, answers or ANSWERS, model)
    best = made.save(folder / "best")
    (folder / "study.yaml").write_text(f"study: {name}\n")
    board = {
        "study": name,
        "objective": "accuracy",
        "task": {"name": "tiny"},
        "best": {
            "kind": "template",
            "prompt": template,
            "dev": {"accuracy": 0.75, "ci95": [0.5, 0.9], "n": 12},
            "test": {"accuracy": 0.7, "ci95": [0.45, 0.85], "n": 12},
        },
        "statements": [],
        "trials": [],
    }
    (folder / "leaderboard.json").write_text(json.dumps(board))
    return best


def save_model(pair: tuple[object, object], folder: Path) -> Path:
    """A model's folder."""
    for part in pair:
        part.save_pretrained(folder)  # type: ignore[attr-defined]
    return folder
