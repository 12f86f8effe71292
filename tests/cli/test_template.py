"""``promptlab template``: list, show, render, check."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from promptlab import library
from promptlab.errors import CapabilityError, TemplateError
from tests.helpers.template_command import FILE, document, refused, run, user_folder  # noqa: F401 - a fixture
from tests.helpers.tiny_models import Pair

pytestmark = pytest.mark.slow


def test_list_gives_every_template_as_a_row() -> None:
    rows = document("list")
    assert [row["name"] for row in rows] == [entry.full_name for entry in library.templates()]
    assert {"name", "task", "shape", "text", "answers"} <= set(rows[0])


def test_list_filters_by_task_and_shape() -> None:
    rows = document("list", "--task", "sentiment", "--shape", "cloze")
    assert {(row["task"], row["shape"]) for row in rows} == {("sentiment", "cloze")}
    prefix = document("list", "--task", "sentiment", "--shape", "prefix")
    assert len(rows) + len(prefix) == len(document("list", "--task", "sentiment"))


def test_list_prints_one_whole_line_a_template() -> None:
    result = run("list", "--task", "sentiment")
    lines = result.stdout.splitlines()
    assert len(lines) == 1 + len(library.templates("sentiment"))
    assert any(line.startswith("sentiment/it-was-found-words ") for line in lines)
    assert "irresistible/wonderful/magnificent" in result.stdout
    assert "templates of 1 task" in result.stderr


def test_list_suggests_the_task_that_was_meant() -> None:
    assert "sentiment" in refused("list", "--task", "sentimant")
    assert run("list", "--shape", "round").exit_code == 2


def test_list_shows_the_users_own_templates(user_folder: Path) -> None:
    (user_folder / "mood.yaml").write_text(FILE)
    assert [row["name"] for row in document("list", "--task", "mood")] == ["mood/it-was"]


def test_list_needs_no_torch() -> None:
    program = (
        "import sys; from promptlab.cli.app import app\n"
        "app(['template', 'list', '--json'], standalone_mode=False)\n"
        "assert not {'torch', 'transformers', 'scipy', 'pandas'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) > 200


def test_show_fills_the_example_in() -> None:
    row = document("show", "sentiment/it-was")
    assert row["filled"] == row["prompt"].replace("{mask}", "great")
    assert row["labels"] == ["negative", "positive"]
    text = run("show", "sentiment/it-was").stdout
    assert "[great]" in text
    assert row["source"] in text


def test_show_wants_the_name_of_a_template() -> None:
    assert "--task sentiment" in refused("show", "sentiment")
    assert "sentiment/it-was" in refused("show", "sentiment/it-wa")
    assert "render" in refused("show", "{text} {mask}")


@pytest.mark.parametrize("entry", library.templates(), ids=lambda entry: entry.full_name)
def test_every_template_is_shown(entry: library.LibraryTemplate) -> None:
    row = document("show", entry.full_name)
    assert row["name"] == entry.full_name
    assert row["prompt"].count("{mask}") == 1


def test_render_takes_the_example_or_the_given_fields() -> None:
    assert document("render", "sentiment/it-was")["prompt"].endswith("a minute . It was {mask}.")
    row = document("render", "sentiment/it-was", "--field", "text=so=so")
    assert row["prompt"] == "so=so It was {mask}."
    assert run("render", "a {text} {mask}", "--field", "text=b").stdout == "a b {mask}\n"


def test_render_names_the_field_that_is_wrong() -> None:
    assert "--field text=" in refused("render", "{text} {mask}")
    assert "reads text" in refused("render", "{text} {mask}", "--field", "txet=a")
    assert "name=value" in refused("render", "{text} {mask}", "--field", "text")
    twice = ("--field", "text=a", "--field", "text=b")
    assert "twice" in refused("render", "{text} {mask}", *twice)


def test_render_shows_a_caret_under_a_second_slot() -> None:
    result = run("render", "{mask} and {mask}")
    assert isinstance(result.exception, TemplateError)
    assert str(result.exception).splitlines()[-1].index("^") == 2 + len("{mask} and ")


def test_render_puts_solved_examples_before() -> None:
    row = document("render", "sentiment/it-was", "--demonstrations", "2")
    first, second, last = row["prompt"].split("\n\n")
    assert first.endswith("It was terrible.")
    assert second.endswith("It was terrible.")
    assert last.endswith("It was {mask}.")
    assert "a gorgeous" not in first + second
    assert "ask for fewer" in refused("render", "sentiment/it-was", "--demonstrations", "9")
    text = ("render", "{text} {mask}", "--field", "text=a", "--demonstrations", "1")
    assert "library" in refused(*text)


def test_render_counts_tokens(tiny_causal: Pair, folder_of: Callable[..., Path]) -> None:
    folder = str(folder_of(tiny_causal))
    row = document("render", "sentiment/it-was", "--model", folder)
    tokenizer = tiny_causal[1]
    left = row["prompt"].split("{mask}")[0]
    assert row["tokens"] == len(tokenizer(left)["input_ids"]) + len(tokenizer.tokenize(".")) + 1
    assert row["max_tokens"] == 256
    assert row["shortened"] == []


def test_render_through_the_chat_template(
    tiny_causal: Pair, folder_of: Callable[..., Path]
) -> None:
    folder = str(folder_of(tiny_causal))
    prompt = ("render", "Say {mask}", "--chat", "--model", folder)
    assert document(*prompt)["model_input"] == "<|user|>Say\n<|assistant|>"
    assert run(*prompt).stdout == "<|user|>Say\n<|assistant|>\n"


def test_render_refuses_chat_without_a_chat_template(
    tiny_masked: Pair, folder_of: Callable[..., Path]
) -> None:
    result = run("render", "Say {mask}", "--chat", "--model", str(folder_of(tiny_masked)))
    assert isinstance(result.exception, CapabilityError)


def test_render_says_what_was_shortened(tiny_causal: Pair, folder_of: Callable[..., Path]) -> None:
    long = "text=" + "word " * 600
    result = run("render", "{text} {mask}", "--field", long, "--model", str(folder_of(tiny_causal)))
    assert result.exit_code == 0, result.exception
    assert "shortened: text" in result.stderr


def test_render_writes_control_characters_out() -> None:
    out = run("render", "{text} {mask}", "--field", "text=\x1b[31mred\u202e").stdout
    assert out == "\\x1b[31mred\\u202e {mask}\n"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["check", "mood.yaml"], 2), (["show", "sentiment/it-was"], 0), (["list", "--nope"], 2)],
)
def test_exit_codes(tmp_path: Path, arguments: list[str], code: int) -> None:
    (tmp_path / "mood.yaml").write_text(FILE.replace("{mask}", "{text}"))
    program = "from promptlab.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "template", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
