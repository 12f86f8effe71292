"""Names and texts on the command line that no file system and no tokenizer takes."""

from __future__ import annotations

import pytest

from tests.helpers.command_line import Command, command, here

pytestmark = pytest.mark.usefixtures("here")
__all__ = ["command", "here"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("fill", "The {mask} \udcff."),
        ("study", "run", "\ud800.yaml"),
        ("study", "show", "a\udc80"),
        ("predict", "\udcff", "x.csv"),
    ],
)
def test_half_characters_are_refused(command: Command, arguments: tuple[str, ...]) -> None:
    command(*arguments).refuses("holds half a character")


@pytest.mark.parametrize("option", ["-1", "4294967296", str(10**30)])
def test_seeds_out_of_range(command: Command, option: str) -> None:
    command("study", "run", "quickstart", "--seed", option).refuses("seed")
    command("study", "run", "quickstart", "--trials", str(10**30)).refuses("budget.trials")


def test_names_that_no_file_has(command: Command) -> None:
    long = "x" * 300
    command("study", "run", long).refuses("there is no study file")
    command("study", "run", "quickstart", "--name", long).refuses("study", "characters")
    command("study", "show", long).refuses(long[:50])
    command("study", "run", "quickstart", "--name", "..").refuses("study")


def test_variables_that_are_no_text(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTLAB_CACHE", "/tmp/\udcff")
    command("study", "list").refuses("the variable PROMPTLAB_CACHE", "half a character")
