"""Data files and model folders that cannot be used: exit 2, the place and the mend."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.helpers.command_line import (  # noqa: F401
    BIG,
    Command,
    command,
    document,
    here,
    models,
    reviews,
    study,
    write,
)

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
        ({"config__json": b"{oops"}, ("config.json", "not valid JSON", "again")),
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
