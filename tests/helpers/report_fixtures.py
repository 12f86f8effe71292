"""A study's folder with every part that a report shows, and a page as a browser reads it."""

from __future__ import annotations

import json
import math
import random
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from promptlab.evaluation.statistics import wilson_interval
from promptlab.study.report.report import write_report

HOSTILE = "</script></style><script>alert(1)</script><img src=x onerror=alert(1)> {{ 7*7 }} \"'&"
TEMPLATES = {
    "sentiment/it-was": "{text} It was {mask}",
    "sentiment/all-in-all": "{text} All in all, it was {mask}",
    "sentiment/review-sentiment": "Review: {text}\nSentiment: {mask}",
    "sentiment/movie-cloze": "{text} It was a {mask} movie.",
    "sentiment/would-you-recommend": "{text} Would I recommend it to a friend? {mask}",
    "sentiment/just": "Just {mask}! {text}",
}
TEXTS = [
    "a gorgeous , witty , seductive movie .",
    "it 's slow -- very , very slow .",
    "the emotions are raw and will strike a nerve with anyone who 's ever had family trauma .",
    "we root for ( clara and paul ) , even like them , though perhaps it 's pity .",
    "holden caulfield did it better .",
]
VOID = {"meta", "input", "br", "img", "link", "hr"}


def scored(right: int, n: int) -> dict[str, Any]:
    return {"accuracy": right / n, "ci95": list(wilson_interval(right, n)), "n": n}


def sample_board(seed: int = 4) -> dict[str, Any]:
    """A leaderboard like that of a sentiment study of twenty-one trials."""
    trials = _complete_trials(random.Random(seed)) + _unfinished_trials()
    best = trials[0]
    return {
        "study": "quickstart",
        "task": {
            "name": "sst2",
            "metric": "accuracy",
            "labels": ["negative", "positive"],
            "n_train": 218,
            "n_dev": 218,
            "n_test": 436,
        },
        "model": {"name": "smollm2-135m", "dtype": "float32", "device": "cpu"},
        "objective": "accuracy",
        "trials": trials,
        "best": {
            "number": best["number"],
            "name": best["name"],
            "prompt": best["prompt"],
            "dev": best["dev"],
            "test": scored(354, 436),
        },
        "baselines": _baselines(),
        "comparison": {
            "baseline": "majority",
            "test": "mcnemar_exact",
            "p_value": 2.1e-18,
            "n_discordant": 170,
            "difference": 0.303,
            "ci95": [0.245, 0.358],
        },
        "statements": [
            f"The templates spread from {trials[17]['dev']['accuracy']:.1%} to "
            f"{best['dev']['accuracy']:.1%} on dev.",
            f"Trial {best['number']} is not distinguishable from the cheaper trial "
            f"{trials[2]['number']} (p = 0.36).",
        ],
        "importances": {"calibration": 0.71, "template": 0.27, "answers": 0.02},
        "history": _history(trials),
        "confusion": {"labels": ["negative", "positive"], "matrix": [[181, 33], [49, 173]]},
        "unparsed_rate": 0.001,
        "tokens": 412_345,
        "seconds": 222.7,
    }


def _complete_trials(draw: random.Random) -> list[dict[str, Any]]:
    """Eighteen, the best first."""
    trials: list[dict[str, Any]] = []
    for number in range(18):
        name, text = list(TEMPLATES.items())[number % 6]
        calibration = ("none", "contextual", "batch")[number // 6]
        right = round(
            218 * min(0.86, 0.5 + 0.12 * (number // 6) + 0.05 * (number % 6) * draw.random())
        )
        trials.append(
            {
                "number": number,
                "state": "complete",
                "kind": "template" if number % 5 else "demonstrations",
                "candidate": {
                    "template": name,
                    "answers": "terrible / great",
                    "calibration": calibration,
                },
                "name": f"{name.split('/')[1]} + {calibration}",
                "prompt": text.replace("{text}", TEXTS[number % 5]),
                "dev": {**scored(right, 218), "macro_f1": right / 218 - 0.012},
                "unparsed_rate": 0.0 if number % 7 else 0.014,
                "tokens_per_example": 24 + 9.5 * (number % 6) + (130 if number % 5 == 0 else 0),
                "seconds": 6.1 + 2 * draw.random(),
                "reason": None,
            }
        )
    trials.sort(key=lambda trial: -trial["dev"]["accuracy"])
    for place, trial in enumerate(trials):
        trial["p_vs_best"] = None if place == 0 else max(0.0, 0.9 - 0.15 * place) ** 2
        trial["distinguishable"] = None if place == 0 else trial["p_vs_best"] < 0.05
    return trials


def _unfinished_trials() -> list[dict[str, Any]]:
    nothing: dict[str, Any] = {
        "dev": None,
        "candidate": {"template": "sentiment/just"},
        "prompt": "Just {mask}!",
        "unparsed_rate": None,
        "tokens_per_example": None,
        "seconds": 1.2,
        "p_vs_best": None,
        "distinguishable": None,
    }
    return [
        {
            "number": 18,
            "state": "pruned",
            "kind": "template",
            "name": "just + domain",
            **nothing,
            "reason": "worse than the median after 64 examples",
        },
        {
            "number": 19,
            "state": "failed",
            "kind": "template",
            "name": "long instruction",
            **nothing,
            "reason": "the template alone needs 2,310 tokens; the model takes 2,048",
        },
    ]


def _history(trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    value = 0.0
    history = []
    for trial in sorted(trials, key=lambda trial: trial["number"]):
        known = trial["dev"]["accuracy"] if trial["dev"] else None
        value = max(value, known or 0.0)
        history.append({"number": trial["number"], "value": known, "best": value})
    return history


def _baselines() -> list[dict[str, Any]]:
    return [
        {
            "name": "majority",
            "dev": scored(111, 218),
            "test": scored(222, 436),
            "note": "always answers “positive”, the most frequent label of train",
        },
        {
            "name": "content-free",
            "dev": scored(107, 218),
            "test": None,
            "note": "the winning prompt with the text taken out",
        },
        {
            "name": "shuffled-labels",
            "dev": scored(103, 218),
            "test": scored(214, 436),
            "note": "the winner fitted to labels in random order",
        },
    ]


def sample_failures(n: int = 40) -> list[dict[str, Any]]:
    draw = random.Random(2)
    rows = []
    for number in range(n):
        expected, actual = draw.sample(["negative", "positive"], 2)
        share = 0.5 + 0.5 * draw.random() ** 2 * 0.98
        text = draw.choice(TEXTS)
        rows.append(
            {
                "example_id": f"sst2-{draw.randrange(872):04d}",
                "fields": {"text": text},
                "prompt": f"{text} All in all, it was {{mask}}",
                "expected": expected,
                "actual": actual if number % 13 else None,
                "scores": {actual: math.log(share), expected: math.log(1 - share)},
            }
        )
    return rows


def write_folder(folder: Path, board: dict[str, Any], failures: list[dict[str, Any]]) -> Path:
    (folder / "leaderboard.json").write_text(json.dumps(board), encoding="utf-8")
    lines = "".join(json.dumps(row) + "\n" for row in failures)
    (folder / "failures.jsonl").write_text(lines, encoding="utf-8")
    (folder / "study.yaml").write_text(
        "study: quickstart\nseed: 13\ntask:\n  name: sst2\n  hash: 5c4f0e21\nmodel:\n"
        "  name: smollm2-135m\n  dtype: float32\nspace:\n  - kind: template\n"
        "    templates: [sentiment/*]\n    calibration: [none, contextual, batch]\n",
        encoding="utf-8",
    )
    return folder


class Page(HTMLParser):
    """Collects the elements, checks that they close, and gathers the text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text += data


def render(folder: Path, board: dict[str, Any], failures: list[dict[str, Any]]) -> tuple[str, Page]:
    html = write_report(write_folder(folder, board, failures)).read_text(encoding="utf-8")
    page = Page(html)
    assert page.open == []
    return html, page
