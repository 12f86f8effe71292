"""``promptlab sensitivity``."""

from __future__ import annotations

import json
from pathlib import Path

from tests.helpers.command_line import (  # noqa: F401 - fixtures
    Command,
    command,
    document,
    here,
    models,
    reviews,
    study,
)

SMALL = ("--examples", 20, "--prompts", 8, "--levels", "order=1", "--levels", "seed=1")


def test_a_data_file(command: Command, reviews: Path, models: Path, here: Path) -> None:
    model = ("--model", models / "masked", "--demonstrations", 0)
    done = command("sensitivity", reviews, *model, *SMALL)
    assert done.code == 0, done.err
    for text in ("wording", "interactions", "by chance", "test was not read", "The worst prompt"):
        assert text in done.out, text
    folder = here / "reviews-sensitivity"
    assert str(Path("reviews-sensitivity") / "sensitivity.html") in done.err
    found = json.loads((folder / "sensitivity.json").read_text())
    again = command("sensitivity", reviews, *model, *SMALL, "--json", "--out", "elsewhere")
    told = json.loads(again.out)
    assert told.pop("files") == ["elsewhere/sensitivity.json", "elsewhere/sensitivity.html"]
    assert told == found and told["split"] == "dev" and len(told["prompts"]) == 8
    assert sum(row["variance"] for row in told["shares"]) >= 0


def test_a_decided_study_by_its_name(study: Command, command: Command, here: Path) -> None:
    assert study().code == 0
    done = command("sensitivity", "reviews", *SMALL, "--json", "-q")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told["started_from"].startswith("trial 0 of the study reviews")
    assert (here / "reviews-sensitivity" / "sensitivity.html").exists()


def test_bad_input_is_told_before_a_model_is_loaded(command: Command, reviews: Path) -> None:
    command("sensitivity", "nowhere").refuses("no study's folder", "nowhere")
    here = reviews.with_name("odd.csv")
    here.write_text(reviews.read_text().replace("text,label", "a,b", 1))
    command("sensitivity", here, "--label", "c").refuses("'c'")
    command("sensitivity", here, "--label", "b", "--text", "z").refuses("'z'")
    command("sensitivity", "quickstart", "--label", "b").refuses("label", "data file")
    command("sensitivity", reviews, "--levels", "wording").refuses("--levels", "wording")
    command("sensitivity", reviews, "--levels", "wording=two").refuses(
        "wording=two", "whole number"
    )
    command("sensitivity", reviews, "--levels", "mood=2").refuses("mood", "wording")
    command("sensitivity", reviews, "--dtype", "float32").refuses("--model")
    command("sensitivity", reviews, "--task", "moods").refuses("moods")
