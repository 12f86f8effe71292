"""The README's snippets run as printed, in order: minutes with the default model, so on demand."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.browser import free_port

README = Path(__file__).parents[1] / "README.md"
PORT = "7860"
NEGATIVE = ("dull", "lifeless", "tedious", "clumsy", "hollow", "shrill")
POSITIVE = ("gorgeous", "witty", "moving", "fresh", "tender", "clever")


def snippets(language: str) -> list[str]:
    """The code blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text("utf-8"), re.S | re.M)


def commands(*beginnings: str) -> list[str]:
    """The shell lines that begin so, in order, without their remarks."""
    text = "\n".join(snippets("sh"))
    lines = [line.partition(" #")[0].strip() for line in text.splitlines()]
    return [line for line in lines if line.startswith(beginnings)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a newcomer works, with the file of reviews that the README speaks of."""
    made = tmp_path_factory.mktemp("newcomer")
    rows = [
        (f"a {first}, {second} film about {subject} .", stars)
        for words, stars in ((NEGATIVE, "1"), (POSITIVE, "5"))
        for first in words
        for second in words
        if first != second
        for subject in ("love", "war")
    ]
    for name in ("reviews.csv", "new.csv"):
        with (made / name).open("w", newline="") as stream:
            csv.writer(stream).writerows([("text", "stars"), *rows])
    return made


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=3000)
    assert done.returncode == 0, (command, done.stdout[-3000:], done.stderr[-3000:])
    assert "Warning" not in done.stderr, done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def quickstart(folder: Path) -> Path:
    """The README's first command, but for the installation that came before these tests."""
    (command,) = commands("pip install -e . &&")
    run(folder, *command.partition("&&")[2].split())
    return folder


@pytest.fixture
def port(quickstart: Path) -> Iterator[str]:
    """`promptlab ui`, as printed but for a port that is free."""
    assert "promptlab ui" in commands("promptlab ui")
    chosen = str(free_port())
    environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False"}
    with subprocess.Popen(
        ["promptlab", "ui", "--port", chosen], cwd=quickstart, env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    ) as server:  # fmt: skip
        try:
            _wait_for(server, f"http://127.0.0.1:{chosen}/")
            yield chosen
        finally:
            server.terminate()


def _wait_for(server: subprocess.Popen[bytes], address: str) -> None:
    for _ in range(600):
        assert server.poll() is None, server.stderr and server.stderr.read()
        try:
            with urllib.request.urlopen(address):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"{address} does not answer")


@pytest.mark.nightly
def test_from_a_file_to_a_chosen_prompt(folder: Path) -> None:
    steps = ("study new", "study run reviews", "predict runs/reviews")
    for line in commands(*(f"promptlab {step}" for step in steps)):
        run(folder, *line.split())
    assert (folder / "labelled.csv").exists()
    assert (folder / "runs" / "reviews" / "report.html").exists()


@pytest.mark.nightly
def test_failures_are_corrected_and_exported(folder: Path) -> None:
    log = [json.loads(line) for line in (folder / "runs/reviews/failures.jsonl").open()]
    for line in commands("promptlab failures"):
        words = line.replace('"irony"', "irony").split()
        if "correct" in words:  # whatever this study missed, if it missed anything
            if not log:
                continue
            words[words.index("reviews") + 1] = log[0]["example_id"]
            words = [log[0]["expected"] if word == "positive" else word for word in words]
        run(folder, *words)
    assert (folder / "sft.jsonl").exists()
    assert (folder / "suite.jsonl").exists()


@pytest.mark.nightly
def test_the_python_snippets_run_one_after_the_other(quickstart: Path, port: str) -> None:
    code = "\n\n".join(snippets("python")).replace(f":{PORT}", f":{port}")
    script = quickstart / "readme.py"
    script.write_text(code, encoding="utf-8")
    done = run(quickstart, sys.executable, "-W", "error::FutureWarning", str(script))
    assert "positive" in done.stdout
