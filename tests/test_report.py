"""The report of a study's folder: whole, escaped, free of outside requests."""

from __future__ import annotations

import json
import math
import random
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from promptlab.errors import StudyError
from promptlab.statistics import wilson_interval
from promptlab.study.report import write_report
from promptlab.study.report_rows import prompt_parts

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
    draw = random.Random(seed)
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
    trials += [
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
    best = trials[0]
    value = 0.0
    history = []
    for trial in sorted(trials, key=lambda trial: trial["number"]):
        known = trial["dev"]["accuracy"] if trial["dev"] else None
        value = max(value, known or 0.0)
        history.append({"number": trial["number"], "value": known, "best": value})
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
        "baselines": [
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
        ],
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
        "history": history,
        "confusion": {"labels": ["negative", "positive"], "matrix": [[181, 33], [49, 173]]},
        "unparsed_rate": 0.001,
        "tokens": 412_345,
        "seconds": 222.7,
    }


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


def test_the_sample_shows_every_part(tmp_path: Path) -> None:
    html, page = render(tmp_path, sample_board(), sample_failures())
    assert "81.2" in page.text
    assert "That is 30.3 points better than the majority baseline" in page.text
    assert "exact McNemar test, p < 0.001" in page.text
    for part in (
        "Leaderboard",
        "Spread between templates",
        "Optimisation history",
        "Controls",
        "Parameter importances",
        "Cost and worth",
        "Confusion matrix",
        "Failures",
        "Reproduce",
        "not distinguishable",
        "worse than the median",
        "shuffled-labels",
    ):
        assert part in page.text
    assert "templates: [sentiment/*]" in page.text
    assert '<mark class="slot">{mask}</mark>' in html
    assert page.tags.count("details") == 20 + 40
    assert len(html) < 200_000
    assert not list(tmp_path.glob("*.partial"))


def test_nothing_is_asked_of_the_network(tmp_path: Path) -> None:
    html, page = render(tmp_path, sample_board(), sample_failures())
    assert not re.search(r"https?:|url\(|@import|//[a-z]", html)
    assert not {"link", "img", "iframe", "object", "base"} & set(page.tags)
    assert all(name not in ("src", "style") for _, name, _ in page.attributes)
    links = [value for _, name, value in page.attributes if name == "href"]
    ids = {value for _, name, value in page.attributes if name == "id"}
    assert links
    assert all(link.startswith("#") and link[1:] in ids for link in links)
    policy = next(value for _, name, value in page.attributes if "default-src" in value)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_hostile_text_is_only_text(tmp_path: Path) -> None:
    board = sample_board()
    harmless = Page(write_report(write_folder(tmp_path, board, sample_failures(1))).read_text())
    board["study"] = board["objective"] = HOSTILE
    board["task"]["name"] = board["model"]["name"] = HOSTILE
    board["statements"] = [HOSTILE, HOSTILE]
    board["comparison"]["baseline"] = HOSTILE
    board["best"]["prompt"] = board["best"]["name"] = HOSTILE + "{mask}"
    board["confusion"]["labels"] = [HOSTILE, "b"]
    board["importances"] = {HOSTILE: 1.0, "b": 0.5, "c": 0.1}
    for trial in board["trials"]:
        trial["prompt"] = trial["name"] = HOSTILE + "{mask}"
        trial["candidate"] = {
            "template": HOSTILE + str(trial["number"] % 6),
            "calibration": HOSTILE + str(trial["number"] % 3),
        }
        trial["reason"] = trial["reason"] and HOSTILE
    for row in board["baselines"]:
        row["note"] = HOSTILE
    failure = {
        "example_id": HOSTILE,
        "fields": {HOSTILE: HOSTILE, "b": HOSTILE},
        "prompt": HOSTILE,
        "expected": HOSTILE,
        "actual": "x",
        "scores": {"x": -0.1},
    }
    html, page = render(tmp_path, board, [failure])
    assert page.tags.count("script") == harmless.tags.count("script") == 1
    assert page.tags.count("style") == harmless.tags.count("style") == 1
    assert set(page.tags) == set(harmless.tags)
    assert not any(name.startswith("on") for _, name, _ in page.attributes)
    assert html.count("</script>") == 1
    assert page.text.count(HOSTILE) > 20
    assert "49" not in re.sub(r"\d*\.\d+|\d{3,}", "", page.text.split("Leaderboard")[0])


def test_an_unfinished_study_has_a_report(tmp_path: Path) -> None:
    empty: dict[str, Any] = {"study": "s", "objective": "accuracy", "trials": [], "best": None}
    _, page = render(tmp_path, empty, [])
    assert "No trial has finished" in page.text
    board = sample_board()
    board["best"]["test"] = None
    board["comparison"] = None
    board["confusion"] = None
    board["baselines"] = []
    (tmp_path / "study.yaml").unlink()
    _, page = render(tmp_path, board, [])
    assert "The test split has not been touched yet" in page.text


def test_an_objective_other_than_accuracy_leads_where_there_is_no_accuracy(tmp_path: Path) -> None:
    board = sample_board()
    board["objective"] = "matthews"
    for row in [*board["trials"], board["best"], *board["baselines"]]:
        for split in ("dev", "test"):
            if row.get(split):
                row[split] = {"matthews": row[split]["accuracy"] - 0.55, "n": 218}
    _, page = render(tmp_path, board, [])
    assert "matthews 0.262 on the untouched test split" in page.text


def test_one_trial_and_values_that_are_not_numbers(tmp_path: Path) -> None:
    board = sample_board()
    board["trials"] = board["trials"][:1]
    board["trials"][0]["tokens_per_example"] = math.nan
    board["history"] = board["history"][:1]
    board["importances"] = {"template": math.nan}
    board["seconds"] = None
    _, page = render(tmp_path, board, [])
    assert "Optimisation history" in page.text


def test_a_great_many_failures_are_cut_and_said_so(tmp_path: Path) -> None:
    failures = sample_failures(520)
    failures[0]["fields"]["text"] = "x" * 100_000
    html, page = render(tmp_path, sample_board(), failures)
    assert "500 of 520 (the rest is in failures.jsonl)" in page.text
    assert "96,000 more characters" in page.text
    assert len(html) < 1_500_000


def test_slot_soft_and_trigger_are_marked() -> None:
    assert prompt_parts("a [MASK] b {soft:20} {trigger:5} ____") == [
        ("", "a "),
        ("slot", "[MASK]"),
        ("", " b "),
        ("soft", "{soft:20}"),
        ("", " "),
        ("trigger", "{trigger:5}"),
        ("", " "),
        ("slot", "____"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        ("{", "not valid JSON"),
        ("[]", "no list of trials"),
        ('{"trials": [{"number": 1}], "objective": "accuracy"}', "not a leaderboard"),
    ],
)
def test_a_folder_that_holds_no_leaderboard(
    tmp_path: Path, content: str | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "leaderboard.json").write_text(content)
    with pytest.raises(StudyError, match=message):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_a_broken_failure_line_is_named(tmp_path: Path) -> None:
    write_folder(tmp_path, sample_board(), [])
    (tmp_path / "failures.jsonl").write_text('{"expected": "a"}\n{oops\n')
    with pytest.raises(StudyError, match="line 2"):
        write_report(tmp_path)
