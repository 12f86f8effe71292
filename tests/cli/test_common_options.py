"""--version, python -m promptlab, --quiet and --verbose, and how Ctrl-C ends a command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

import promptlab
from promptlab.cli.app import app
from promptlab.cli.common_options import Verbosity, set_verbosity
from tests.helpers import subprocesses
from tests.helpers.command_line import (  # noqa: F401
    TEMPLATE,
    Command,
    command,
    document,
    group,
    here,
    models,
    reviews,
    study,
)
from tests.helpers.study_fixtures import study_document, write_reviews, write_study

BAD = ("study", "run", "nowhere")


@pytest.fixture(autouse=True)
def as_before() -> None:
    set_verbosity(Verbosity.NORMAL)


def test_the_version(command: Command) -> None:
    done = command("--version")
    assert (done.code, done.out) == (0, f"{promptlab.__version__}\n")


def test_python_dash_m() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "promptlab", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{promptlab.__version__}\n"


def test_no_command_is_an_error_where_something_was_given(command: Command) -> None:
    done = command("--quiet")
    assert done.code == 2
    assert "no command is given" in done.err


@pytest.mark.parametrize("before", [True, False])
def test_quiet_leaves_results_and_errors(before: bool, command: Command) -> None:
    listed = ("template", "list", "--task", "sentiment")
    loud = command(*listed)
    asked = ("-q", *listed) if before else (*listed, "--quiet")
    quiet = command(*asked)
    assert quiet.out == loud.out != ""
    assert "templates of 1 task" in loud.err
    assert quiet.err == ""
    assert "there is no study file 'nowhere'" in command("-q", *BAD).err


def test_quiet_studies_print_their_result_alone(study: Command) -> None:
    assert "[1/1]" in study().err
    assert "[1/1]" not in study("--quiet", "--name", "again").err


def test_verbose_shows_where_an_error_arose(command: Command) -> None:
    assert "Traceback" not in command(*BAD).err
    assert "Traceback" in command(*BAD, "-v").err
    assert "exclude each other" in command(*BAD, "-v", "-q").err


def test_every_command_has_both() -> None:
    runner = CliRunner()
    for names in (["fill"], ["study", "run"], ["cache", "clear"], ["failures", "clusters"], ["ui"]):
        told = runner.invoke(app, [*names, "--help"]).output
        assert "--quiet" in told
        assert "--verbose" in told


def test_names_with_line_breaks_are_one_line(study: Command) -> None:
    name = "two\nlines\x1b[2J"
    done = study(candidates=[group(templates=[TEMPLATE | {"name": name}])])
    (line,) = [line for line in done.err.splitlines() if line.startswith("[1/1]")]
    assert "two⏎lines\\x1b[2J" in line


def test_ctrl_c_ends_a_study_with_130(tmp_path: Path, models: Path) -> None:
    data = write_reviews(tmp_path / "reviews.csv", rows=200)
    found = study_document(data, block=1, model={"name": str(models / "masked")})
    found["task"] |= {"dev": 50, "test": 40}
    path = write_study(tmp_path / "reviews.yaml", found)
    started = subprocesses.start("study", "run", str(path), "--out", str(tmp_path / "runs"))
    deadline = time.monotonic() + 120
    while not list((tmp_path / "runs").rglob("predictions/*.jsonl")):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(started.process.pid, signal.SIGINT)
    assert started.code() == 130
    assert "Stopped: " in started.said
    assert "Error" not in started.said
