"""Texts that a page must show as they are, and a runs folder that is full of them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec

SCRIPT = '<script>window.pwned=1</script><img src=x onerror="window.pwned=1">'
LIVE = "${window.pwned=1} {{ 7*7 }}"
LINK = "[a](javascript:window.pwned=1) ![b](http://evil.example/b.png)"
HOSTILE = f'=HYPERLINK("http://evil.example") {SCRIPT} {LIVE} {LINK}'
TEMPLATE = f"{{text}} {SCRIPT} $\\{{window.pwned=1\\}} {LINK} It was {{mask}}."
"""Plain: braces that are no field are written with a backslash."""
LABELS = (f"bad {SCRIPT}", f"good {LIVE} {LINK}")
ANSWERS = dict(zip(LABELS, ("bad", "good"), strict=True))
NAME = "study-of-hostile-texts"
_WORDS = {"bad": ("dull", "awful", "cold", "loud"), "good": ("witty", "great", "fine", "warm")}
_THINGS = ("film", "soup", "plot", "joke", "hour", "road")


def write_rows(path: Path) -> Path:
    """A labelled CSV; texts, labels, a column's name and a cell of it are hostile."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label", HOSTILE])
        for label, words in zip(LABELS, _WORDS.values(), strict=True):
            for thing in _THINGS:
                for word in words:
                    writer.writerow([f"{HOSTILE} the {thing} was {word}", label, HOSTILE])
    return path


def document(data: Path, model: str, **changes: Any) -> dict[str, Any]:
    """A study of two prompts over the rows."""
    known: dict[str, Any] = {
        "study": NAME,
        "description": HOSTILE,
        "task": {"data": str(data), "train": 8, "dev": 12, "test": 16},
        "model": model,
        "candidates": [
            {
                "kind": "template",
                "templates": [
                    {"text": TEMPLATE, "answers": ANSWERS},
                    {"text": f"{{text}} {SCRIPT} {{mask}}.", "answers": ANSWERS},
                ],
                "calibration": ["none", "contextual"],
            }
        ],
        "budget": {"trials": 4},
    }
    return known | changes


def make_runs(runs: Path, folder: Path, model: Any, named: str) -> Path:
    """Two decided studies, with hostile words of a search, log lines and faults added."""
    data = write_rows(folder / "<img src=x onerror=window.pwned=1>.csv")
    for name in (NAME, f"{NAME}-2"):
        spec = load_spec(document(data, named, study=name), source="test")
        StudyRun(spec, out=runs, model=model).run()
    study = runs / NAME
    _spoil(study / "leaderboard.json")
    (study / "checksums.json").unlink()  # by which it would be known for damaged
    notes = {"words": f"a {SCRIPT}", "pieces": json.dumps(["a", f" {HOSTILE}"]), "tokens": HOSTILE}
    notes["tried"] = json.dumps([[["a", f" {HOSTILE}"], 0.75], [[SCRIPT, " b"], 0.8]])
    (study / "steps").mkdir()
    (study / "steps" / "0.jsonl").write_text(
        "".join(
            json.dumps({"step": step, "values": {"loss": 0.7, "dev": 0.5}, "notes": notes}) + "\n"
            for step in (0, 1)
        )
    )
    with (study / "log.jsonl").open("a") as log:
        when = "2026-01-01T00:00:00.000Z"
        for row in (
            {"event": "TrialAsked", "number": 7, "kind": HOSTILE, "name": HOSTILE},
            {"event": "Stopped", "reason": HOSTILE, "cancelled": False},
        ):
            log.write(json.dumps({"time": when} | row) + "\n")
    return study


def _spoil(file: Path) -> None:
    """Names that a study's file cannot set, in its result."""
    board = json.loads(file.read_text())
    board["statements"] = [*board["statements"], HOSTILE]
    board["task"]["name"] = board["model"]["name"] = HOSTILE
    board["baselines"][0]["name"] = board["baselines"][0]["note"] = HOSTILE
    for row in (*board["trials"], board["best"]):
        row["name"] = f"{row['name']} {HOSTILE}"
        row["kind"] = HOSTILE
    file.write_text(json.dumps(board))
