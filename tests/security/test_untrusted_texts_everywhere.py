"""An endpoint, data and names that mean harm: nothing that a study or a prediction writes, prints
or shows holds the key or a character that a terminal obeys."""

from __future__ import annotations

import base64
import csv
import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from promptlab.models.pool import load_model
from promptlab.models.remote.retry import RetryBackoff
from promptlab.predictors.generator import PromptGenerator
from promptlab.prompts.parsers.parsers import parser_from_settings
from promptlab.study.folder.documents import CHECKSUMS
from promptlab.study.report.report import write_report
from tests.helpers.command_line import Command, command, here  # noqa: F401 - fixtures
from tests.helpers.fake_endpoint import Answer, Call, Endpoint, serving
from tests.helpers.study_fixtures import GOOD, write_reviews

KEY = "sk-Canary/4f8e7d6c5b+3a2910=="
HOSTILE = "\x1b[2J\x1b]0;owned\x07\x1b]8;;http://x\x1b\\\u202e\u2066\u200b\x9b\U000e0041\ufffe"
ECHOES = (
    KEY, f"Bearer {KEY}", quote(KEY, safe=""), base64.b64encode(b"u:" + KEY.encode()).decode(),
    KEY.lower(), "".join(f"&#{ord(c)};" for c in KEY), f"{KEY[:8]}...{KEY[-6:]}", KEY[:16],
)  # fmt: skip
PARSER = {"type": "choice", "choices": {"positive": ["positive"], "negative": ["negative"]}}
OPTIONS = {"retries": 0, "price": {"input": 100.0, "output": 1000.0}}


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROMPTLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PROMPTLAB_API_KEY", KEY)
    monkeypatch.setattr(RetryBackoff, "seconds", lambda self, tried, asked=None: 0.0)


def echoing(call: Call, number: int) -> Answer:
    """Rates reviews, and repeats the key in every place that a reply has, in every form."""
    assert call.headers["Authorization"] == f"Bearer {KEY}"
    echo = ECHOES[len(call.words) % len(ECHOES)]
    headers = {"X-Echo": KEY, "Location": f"http://elsewhere/{KEY}"}
    if "soup" in call.words:
        error = {"message": f"no soup: {echo} {HOSTILE}", "code": KEY, "param": KEY}
        return Answer(500, json.dumps({"error": error}), headers=headers)
    if "Guess" in call.words:
        rating = f"who knows {echo} {HOSTILE}"
    else:
        rating = "positive" if any(word in call.words for word in GOOD) else "negative"
    message = {
        "role": KEY,
        "content": f"{rating} ({echo} {HOSTILE})",
        "reasoning_content": f"the header says {echo} {HOSTILE}",
    }
    logprobs = {"content": [{"token": KEY, "logprob": -1}]}
    document: dict[str, Any] = {
        "id": KEY,
        "model": KEY,
        "system_fingerprint": KEY,
        "choices": [
            {"index": 0, "message": message, "finish_reason": "stop", "logprobs": logprobs}
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "note": KEY},
    }
    return Answer(text=json.dumps(document), headers=headers)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving(echoing) as opened:
        opened.models = [{"id": f"Bearer {KEY} {HOSTILE}", "max_model_len": 512}]
        yield opened


def check_shown(text: str) -> None:
    """A text that somebody sees."""
    check_keyless(text)
    found = {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn")}
    assert found <= {"\n", "\t"}, (found, text[:500])


def check_keyless(text: str) -> None:
    """A text without the key in any of the forms in which it was repeated."""
    lower = text.lower()
    for form in ECHOES:
        place = lower.find(form.lower())
        assert place < 0, text[max(0, place - 200) : place + 200]
    assert KEY[:12].lower() not in lower and KEY[-12:].lower() not in lower


def check_files(folder: Path) -> None:
    """All that was written; what is text may be shown in a terminal, too."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    for path in files:
        data = path.read_bytes()
        check_keyless(data.decode("latin-1"))
        if path.suffix in (".json", ".jsonl", ".html", ".csv", ".yaml", ".failed", ".md"):
            check_shown(data.decode().replace("\r\n", "\n"))


def test_a_study_and_all_that_is_made_of_it(
    endpoint: Endpoint, here: Path, tmp_path: Path, command: Command
) -> None:
    data = write_reviews(here / "reviews.csv")
    with data.open(newline="") as stream:
        head, *rows = csv.reader(stream)
    with data.open("w", newline="", encoding="utf-8") as stream:
        texts = [
            [f"{text} {HOSTILE if n % 3 else ''}", label] for n, (text, label) in enumerate(rows)
        ]
        csv.writer(stream).writerows([head, *texts])
    document = {
        "study": "remote",
        "task": {"data": str(data), "train": 10, "dev": 20, "test": 20},
        "model": {"name": "m", "endpoint": endpoint.url, **OPTIONS},
        "candidates": [
            {
                "kind": "template",
                "templates": [
                    {"text": f"Review: {{text}} {{mask}} {HOSTILE[:4]}", "parser": PARSER,
                     "name": f"=ask {HOSTILE[:12]}[red]"},
                    {"text": "Guess: {text} {mask}", "parser": PARSER, "name": "@guess"},
                ],
            }
        ],
        "budget": {"trials": 2},
        "block": 10,
    }  # fmt: skip
    path = here / "study.yaml"
    path.write_text(yaml.safe_dump(document))
    folder = tmp_path / "runs" / "remote"
    commands: list[tuple[object, ...]] = [
        ("study", "run", path, "--out", tmp_path / "runs", "--verbose"),
        ("study", "list", "--out", tmp_path / "runs"),
        ("study", "show", folder),
        ("study", "show", folder, "--json"),
        ("study", "report", folder),
        ("study", "export", folder, tmp_path / "out" / "board.csv"),
        ("study", "export", folder, tmp_path / "out" / "board.json"),
        ("study", "export", folder, tmp_path / "out" / "report.html"),
        ("study", "export", folder, tmp_path / "out" / "rows.jsonl", "--trial", 0),
        ("failures", "list", folder),
        ("failures", "list", folder, "--json"),
        ("explain", folder / "best"),
    ]
    for arguments in commands:
        done = command(*arguments, stays=True)
        assert "Traceback" not in done.err, done.err
        check_shown(done.out)
        check_shown(done.err)
    check_files(tmp_path / "runs")
    check_files(tmp_path / "out")
    for file in (tmp_path / "cache").rglob("*"):
        if file.is_file():
            check_keyless(file.read_bytes().decode("latin-1"))
    assert "***" in (folder / "predictions" / "0.jsonl").read_text()
    assert "repeats the key" in (folder / "log.jsonl").read_text()
    with (tmp_path / "out" / "board.csv").open(newline="") as stream:
        names = {row["name"][:2] for row in csv.DictReader(stream)}
    assert names == {"'=", "'@"}


def test_predictions(endpoint: Endpoint, here: Path, tmp_path: Path, command: Command) -> None:
    made = PromptGenerator(
        "Guess: {text} {mask}", parser_from_settings({"type": "text"}), load_model(endpoint.name)
    )
    made.save(here / "best")
    (here / "in.csv").write_text("text\na film\nthe soup\na much longer film\n")
    for name in ("out.csv", "out.jsonl"):
        done = command("predict", "best", "in.csv", "--out", name, "--trace", stays=True)
        assert done.code == 0, done.err
        check_shown(done.err)
        check_shown((here / name).read_text())
    for arguments in (("--format", "csv"), ("--json",), ("--format", "jsonl")):
        done = command("predict", "best", "in.csv", *arguments, stays=True)
        check_shown(done.out)
        check_shown(done.err)
    check_files(here / "best")


def test_an_endpoint_that_has_no_such_model_tells_its_models(
    endpoint: Endpoint, command: Command
) -> None:
    endpoint.script = lambda call, number: Answer(404, f'{{"error": "no {KEY} {HOSTILE[:9]}"}}')
    for more in ((), ("--json",), ("--verbose",)):
        done = command("model", "check", endpoint.name, *more)
        assert done.code == 2 and "it has Bearer ***" in done.err
        check_shown(done.out)
        check_shown(done.err)


@pytest.mark.parametrize("place", ["model", "extra", "template", "description"])
def test_a_study_file_that_holds_the_key_is_refused(
    place: str, endpoint: Endpoint, here: Path, command: Command
) -> None:
    document: dict[str, Any] = {
        "study": "remote",
        "task": {"data": str(write_reviews(here / "reviews.csv")), "train": 10, "dev": 20},
        "model": {"name": KEY if place == "model" else "m", "endpoint": endpoint.url},
        "candidates": [{"kind": "template", "templates": [{"text": "{text} {mask}"}]}],
        "description": KEY if place == "description" else "",
    }
    if place == "extra":
        document["model"]["extra"] = {"user": KEY}
    if place == "template":
        document["candidates"][0]["templates"][0]["text"] = f"{KEY} {{text}} {{mask}}"
    (here / "study.yaml").write_text(yaml.safe_dump(document))
    done = command("study", "run", "study.yaml")
    done.refuses("holds the value of an environment variable")
    check_shown(done.err)


@pytest.mark.parametrize(
    "arguments",
    [
        ("study", "run", f"no {KEY} {HOSTILE}.yaml"),
        ("study", "show", f"{KEY}{HOSTILE}"),
        ("predict", f"{HOSTILE}{KEY}", "in.csv"),
        (f"--{KEY}{HOSTILE}",),
        ("study", f"{KEY}{HOSTILE}"),
        ("template", "show", f"{KEY}{HOSTILE}"),
        ("template", "render", f"{{text}} {KEY}{HOSTILE}"),
        ("model", "check", f"remote:m@http://u:{KEY}@h/v1{HOSTILE}"),
        ("model", "check", f"{KEY}{HOSTILE}"),
        ("data", "show", f"{KEY}{HOSTILE}.csv"),
        ("study", "show", "x", "--storage", f"mysql://me:hush-hush-1@h/{HOSTILE}"),
    ],
)
def test_what_a_command_is_given_is_told_printable(
    arguments: tuple[str, ...], command: Command
) -> None:
    done = command(*(part.replace("\0", "") for part in arguments))
    assert done.code == 2, done
    assert "Traceback" not in done.err, done.err
    check_shown(done.err)
    check_shown(done.out)
    assert "hush" not in done.err


def test_a_report_of_a_leaderboard_from_somebody_else(
    endpoint: Endpoint, here: Path, command: Command
) -> None:
    path = here / "study.yaml"
    template = {"text": "{text} {mask}", "parser": PARSER}
    document = {
        "study": "remote",
        "task": {"data": str(write_reviews(here / "reviews.csv")), "train": 10, "dev": 20},
        "model": {"name": "m", "endpoint": endpoint.url, **OPTIONS},
        "candidates": [{"kind": "template", "templates": [template]}],
        "budget": {"trials": 1},
    }  # fmt: skip
    path.write_text(yaml.safe_dump(document))
    assert command("study", "run", path, "--out", "runs", stays=True).code in (0, 1)
    folder = here / "runs" / "remote"
    board = (folder / "leaderboard.json").read_text()
    (folder / CHECKSUMS).unlink()
    (folder / "leaderboard.json").write_text(
        board.replace("remote", json.dumps(HOSTILE + KEY)[1:-1])
    )
    write_report(folder)
    check_shown((folder / "report.html").read_text())
