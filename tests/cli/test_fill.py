"""``promptlab fill``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from promptlab.cli.app import app
from promptlab.errors import CapabilityError, InputError, TemplateError
from promptlab.models.fill_mask import fill_words
from promptlab.models.loading import load
from promptlab.prompts.template import Template
from tests.helpers.tiny_models import Pair

CAPITAL = "The capital of {country} is {mask}."


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["fill", *arguments, "--dtype", "float32"])


def document(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.exception
    return json.loads(result.stdout)


@pytest.fixture
def masked_folder(tiny_masked: Pair, folder_of: Callable[..., Path]) -> str:
    return str(folder_of(tiny_masked, "masked"))


@pytest.fixture
def causal_folder(tiny_causal: Pair, folder_of: Callable[..., Path]) -> str:
    return str(folder_of(tiny_causal, "causal"))


def test_fill_gives_the_models_own_tokens(masked_folder: str) -> None:
    found = document(CAPITAL, "--field", "country=Poland", "--top", "3", "--model", masked_folder)
    prompt = Template(CAPITAL).render({"country": "Poland"})
    expected = fill_words(load(masked_folder, dtype="float32", cache=False), [prompt], 3)[0]
    assert found["model"] == masked_folder
    (row,) = found["templates"]
    assert row["prompt"] == "The capital of Poland is {mask}."
    assert [token["token_id"] for token in row["tokens"]] == [fill.token_id for fill in expected]
    assert [token["probability"] for token in row["tokens"]] == pytest.approx(
        [fill.probability for fill in expected], rel=1e-4
    )


def test_fill_prints_the_prompt_and_a_line_a_token(causal_folder: str) -> None:
    result = run("It was {mask}", "--top", "4", "--model", causal_folder)
    lines = result.stdout.splitlines()
    assert lines[0] == "It was {mask}"
    assert len(lines) == 2 + 1 + 4
    assert "█" * 20 in lines[3]
    assert result.stderr == ""


def test_fill_shows_several_templates_side_by_side(masked_folder: str) -> None:
    arguments = (CAPITAL, "{country} capital, {mask}", "--field", "country=France")
    out = run(*arguments, "--top", "2", "--model", masked_folder).stdout.splitlines()
    assert (
        out[0].split("  ") == ["  The capital of France is {mask}.".strip()] or "France" in out[0]
    )
    assert len(out) == 3
    both = document(*arguments, "--model", masked_folder)["templates"]
    assert [row["prompt"] for row in both] == [
        "The capital of France is {mask}.",
        "France capital, {mask}",
    ]


def test_fill_takes_library_names_with_their_example(masked_folder: str) -> None:
    (row,) = document("capitals/capital-of", "--model", masked_folder)["templates"]
    assert row["name"] == "capitals/capital-of"
    assert row["prompt"] == "The capital of Poland is {mask}."


def test_fill_says_that_a_causal_model_does_not_look_ahead(causal_folder: str) -> None:
    assert "does not see" in run("It was {mask} to me", "--model", causal_folder).stderr
    assert run("It was {mask}.", "--model", causal_folder).stderr == ""


def test_fill_shortens_a_long_field_and_says_so(causal_folder: str) -> None:
    arguments = ("{text} It was {mask}", "--field", "text=" + "word " * 600)
    result = run(*arguments, "--model", causal_folder)
    assert result.exit_code == 0, result.exception
    assert "shortened to fit: text" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        (["It was good"], InputError, "{mask}"),
        (["{mask} {mask}"], TemplateError, "second one"),
        (["{text} {mask"], TemplateError, "never closed"),
        ([CAPITAL], InputError, "--field country="),
        ([CAPITAL, "--field", "land=Poland"], InputError, "reads country"),
        ([CAPITAL, "--field", "Poland"], InputError, "name=value"),
        (["{soft:3} {mask}"], CapabilityError, "soft"),
    ],
)
def test_fill_refuses_bad_input(
    masked_folder: str, arguments: list[str], kind: type[InputError], words: str
) -> None:
    result = run(*arguments, "--model", masked_folder)
    assert isinstance(result.exception, kind), result.exception
    assert words in str(result.exception)
    assert result.stdout == ""


def test_fill_needs_at_least_one_token(masked_folder: str) -> None:
    assert run("It was {mask}", "--top", "0", "--model", masked_folder).exit_code == 2


def test_fill_renders_hostile_fields_as_text(masked_folder: str) -> None:
    field = "text={{ 7*7 }} {mask} \x1b[31m"
    result = run("{text} was {mask}", "--field", field, "--model", masked_folder)
    assert result.exit_code == 0, result.exception
    assert result.stdout.startswith("{{ 7*7 }} {mask} \\x1b[31m was {mask}")


def test_one_answer_has_its_probability_and_rank_in_every_template(masked_folder: str) -> None:
    """The textbook's table of four templates: a line each, with the word that comes first."""
    texts = (CAPITAL, "{country} capital , {mask}", "{mask} is the capital of {country} .")
    arguments = (*texts, "--field", "country=Poland", "--answer", "good", "--model", masked_folder)
    found = document(*arguments)["templates"]
    model = load(masked_folder, dtype="float32", cache=False)
    prompts = [Template(text).render({"country": "Poland"}) for text in texts]
    for row, prompt in zip(found, prompts, strict=True):
        (every,) = fill_words(model, [prompt], 10_000)
        own = next(fill for fill in every if fill.token.strip() == "good")
        assert row["answer"]["answer"] == "good" and row["answer"]["tokens"] == 1
        assert row["answer"]["rank"] == 1 + every.index(own)
        assert row["answer"]["probability"] == pytest.approx(own.probability, rel=1e-4)
    lines = run(*arguments).stdout.splitlines()
    assert lines[0].split() == ["prompt", "P(good)", "rank", "first", "P(first)"]
    assert len(lines) == 2 + len(texts) or len(lines) == 1 + len(texts)
    for line, row in zip(lines[-3:], found, strict=True):
        assert f"{row['answer']['probability']:.4f}" in line
        assert f" {row['answer']['rank']} " in line


def test_an_answer_of_several_tokens_has_no_rank(masked_folder: str) -> None:
    arguments = (CAPITAL, "--field", "country=Poland", "--answer", "soup film")
    (row,) = document(*arguments, "--model", masked_folder)["templates"]
    assert row["answer"]["rank"] is None and row["answer"]["tokens"] > 1
    out = run(*arguments, "--model", masked_folder).stdout
    assert f"{row['answer']['tokens']} tokens" in out
