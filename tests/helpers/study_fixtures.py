"""A labelled file and a study over it, for the tests of studies."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import yaml

GOOD = ("great", "good", "wonderful", "charming", "witty", "gorgeous")
BAD = ("terrible", "bad", "awful", "dull", "loud", "cold")
THINGS = ("film", "movie", "plot", "soup", "joke", "journey", "minute", "hour")


def write_reviews(path: Path, rows: int = 90) -> Path:
    """A CSV of short labelled sentences, all different."""
    sentences = [
        (f"the {thing} was {word} and {other} .", label)
        for thing in THINGS
        for label, words in (("positive", GOOD), ("negative", BAD))
        for word in words
        for other in words
        if word != other
    ]
    step = len(sentences) // rows
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label"])
        writer.writerows(sentences[::step][:rows])
    return path


def study_document(data: Path, **changes: Any) -> dict[str, Any]:
    """A small study: twelve templates x calibrations and two groups of demonstrations."""
    own = {"negative": "terrible", "positive": "great"}
    document: dict[str, Any] = {
        "study": "reviews",
        "task": {"data": str(data), "train": 20, "dev": 30, "test": 40},
        "model": "tiny",
        "candidates": [
            {
                "kind": "template",
                "templates": [
                    {"text": "{text} It was {mask}.", "answers": own},
                    {"text": "{text} A {mask} one.", "answers": own},
                    {"text": "Review: {text} Sentiment: {mask}", "answers": own},
                ],
                "calibration": ["none", "contextual", "pmi", "batch"],
            },
            {
                "kind": "demonstrations",
                "templates": [{"text": "{text} It was {mask}.", "answers": own}],
                "count": [1, 2],
            },
        ],
        "budget": {"trials": 30},
        "block": 10,
    }
    return document | changes


def write_study(path: Path, document: dict[str, Any]) -> Path:
    """The document as a study file."""
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path
