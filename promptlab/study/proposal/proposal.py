"""A study for a labelled file: the prompts an expert would write, a size for a laptop."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from promptlab.data.labelled_file import LabelledFileKeywords, LabelledFileOptions
from promptlab.data.readers import Rows
from promptlab.data.task import Task
from promptlab.errors import DataError, StudyError
from promptlab.library.sources import load_library
from promptlab.models.remote.endpoint import is_remote
from promptlab.study.proposal.column_guess import guess_columns_of
from promptlab.study.proposal.file_facts import FileFacts, label_noun
from promptlab.study.proposal.label_words import are_ordered, match_labels
from promptlab.study.proposal.library_prompts import propose_groups
from promptlab.study.proposal.prompts import Group, count_candidates
from promptlab.study.proposal.subject import find_subject
from promptlab.study.spec.load import load_spec

SEARCH_SECONDS = 240
_TOKENS_A_SECOND = 500
_TOKENS_WRITTEN_A_SECOND = 40
_CHARACTERS_A_TOKEN = 4
_SMALLEST = {"train": 2, "dev": 20, "test": 20}
_DOMINANT = 0.6
"""From this share of one class on, macro-F1 decides: accuracy would reward naming that class."""


@dataclass(frozen=True)
class Proposal:
    """A study document, remarks on how it came about, and a comment on each group."""

    document: dict[str, Any]
    remarks: tuple[str, ...]
    comments: tuple[str, ...] = ()

    def row(self) -> dict[str, Any]:
        """As JSON data."""
        return {"study": self.document, "remarks": list(self.remarks)}


def propose_study(
    data: Path,
    *,
    task: str | None = None,
    model: str = "smollm2-135m",
    chat: bool = True,
    name: str | None = None,
    **reading: Unpack[LabelledFileKeywords],
) -> Proposal:
    """Look at a labelled file and propose the study that an expert would write for it.

    Args:
        data: The file.
        task: A task of the library whose templates are to be used.
        model: The model to search for; ``remote:MODEL@URL`` gets instructions and parsers.
        chat: Whether the model knows a chat format.
        name: The study's name; the file's without its ending.
        **reading: The columns and the form of the file (`LabelledFileOptions`); columns
            are guessed by their names and values where they are not named.

    Returns:
        A study that takes a few minutes on two cores, and how it came about.

    Raises:
        DataError: For files that cannot be used.
        StudyError: For a library task that does not fit.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "reviews.csv")
        ...     rows = [f"film {n}: {word},{word}" for n in range(40) for word in ("good", "bad")]
        ...     _ = path.write_text("\\n".join(["review,verdict", *rows]))
        ...     proposal = propose_study(path)
        >>> proposal.document["task"]["text"], proposal.document["task"]["label"]
        ('review', 'verdict')
    """
    rows = LabelledFileOptions(**reading).read_rows(data)
    options = _with_join(rows, guess_columns_of(rows, reading))
    read = _task(rows, options, data)
    facts = _facts(read, rows, data, chat=chat)
    if task is not None and task not in load_library():
        raise StudyError(f"the library has no task {task!r}; it has {', '.join(load_library())}")
    groups, remark = propose_groups(facts, task, model)
    metric = _metric(facts)
    sizes, cost = _sizes(facts, groups, remote=is_remote(model))
    section = {"data": str(data), **_written_options(options), **metric, **sizes}
    document: dict[str, Any] = {
        "study": name or re.sub(r"[^A-Za-z0-9._-]+", "-", read.name).strip("-.") or "study",
        "task": section,
        "model": model,
        "candidates": [group for _, group in groups],
        "budget": {
            "trials": count_candidates([group for _, group in groups]),
            "seconds": SEARCH_SECONDS,
        },
        "seed": 13,
    }
    load_spec(document | {"task": section | {"data": str(data.absolute())}}, source=str(data))
    remarks = (
        *_data_remark(facts, rows, options),
        remark,
        _metric_remark(facts),
        _plan_remark(sizes, cost, model),
    )
    return Proposal(
        document,
        tuple(filter(None, (*remarks, *read.warnings))),
        tuple(comment for comment, _ in groups),
    )


def _with_join(rows: Rows, options: LabelledFileKeywords) -> LabelledFileKeywords:
    """The options with ``join`` where rows have several labels each."""
    from promptlab.data.label_column import label_texts

    if options.get("join") is not None:
        return options
    column = str(options["label"])
    completed = LabelledFileOptions(**options).add_nested_columns(rows)
    try:
        label_texts(completed, column)
    except DataError:
        if any(isinstance(row.values.get(column), dict) for row in completed):
            raise
        return LabelledFileKeywords(**{**options, "join": ", "})
    return options


def _task(rows: Rows, options: LabelledFileKeywords, data: Path) -> Task:
    reading = LabelledFileOptions(**options)
    completed = reading.add_nested_columns(rows)
    columns = reading.choose_columns(completed, str(data))
    return Task.from_rows(
        {"train": completed}, columns, name=data.name.partition(".")[0], reading=reading
    )


def _facts(read: Task, rows: Rows, data: Path, *, chat: bool) -> FileFacts:
    column = read.columns.label if read.columns is not None else None
    rated = bool(read.labels) and (
        are_ordered(read.labels) or match_labels(read.labels, ("negative", "positive")) is not None
    )
    texts = [" ".join(e.fields.values()) for e in (*read.dev, *read.test)]
    subject = find_subject(data, [*rows.columns, *read.fields], texts, rated=rated)
    return FileFacts(read, subject, label_noun(column or "label"), chat)


def _written_options(options: LabelledFileKeywords) -> dict[str, Any]:
    """What the study file says of the reading: all that is not as it is by default."""
    plain = LabelledFileOptions()
    found: dict[str, Any] = {}
    for key, value in options.items():
        if value == getattr(plain, key):
            continue
        found[key] = dict(value) if isinstance(value, Mapping) else value
        found[key] = list(value) if isinstance(value, tuple) else found[key]
    return found


def _metric(facts: FileFacts) -> dict[str, str]:
    read = facts.task
    if facts.shape == "grades":
        return {"metric": "quadratic_kappa"}
    if facts.shape == "number":
        return {"metric": "numeric_match"}
    if read.labels:
        counts = Counter(e.label for e in read.test)
        share = max(counts.values()) / max(len(read.test), 1)
        return {"metric": "macro_f1"} if share > _DOMINANT else {}
    return {}


def _metric_remark(facts: FileFacts) -> str:
    return {
        "grades": "the labels are ordered: quadratic kappa decides, for which two stars beside are "
        "worse than one; metric: mean_absolute_error or accuracy would decide otherwise",
        "number": "answers are numbers: they are compared as numbers (metric: numeric_match)",
        "open": "the answers are open: what is written must be the reference, up to case and "
        "punctuation (metric: exact_match); rouge or chrf measure longer answers",
    }.get(facts.shape, "")


def _data_remark(facts: FileFacts, rows: Rows, options: LabelledFileKeywords) -> list[str]:
    read = facts.task
    usable = sum(map(len, read.splits.values()))
    fields = ", ".join((read.columns.fields if read.columns else {}) or read.fields)
    labels = ", ".join(read.labels[:12]) + (", …" if len(read.labels) > 12 else "")
    found = [
        f"{usable:,} usable rows; label: {options['label']}; text: {fields}; read as: "
        f"{facts.subject.noun}",
        f"labels: {labels}" if read.labels else "labels: open answers",
    ]
    if options.get("join") is not None:
        found.append(
            "rows have several labels: a prompt writes them as one text "
            f"({json.dumps(options['join'])} between them); to score labels instead, make a file "
            "with one row a label and a yes-or-no column"
        )
    return found


def _plan_remark(sizes: Mapping[str, int], cost: float, model: str) -> str:
    counts = ", ".join(f"{name} {sizes[name]}" for name in ("train", "dev", "test"))
    if is_remote(model):
        return f"splits: {counts}; `promptlab study estimate` tells what the endpoint will cost"
    return f"splits: {counts}; about {cost:.0f} s for the templates on two cores"


def _sizes(
    facts: FileFacts, groups: Sequence[Group], *, remote: bool
) -> tuple[dict[str, int], float]:
    """Rows a split, so that the search takes a few minutes; and its seconds."""
    read = facts.task
    rows = sum(map(len, read.splits.values()))
    mean = sum(_length(e.fields) for e in read.dev) / max(len(read.dev), 1)
    seconds = sum(_seconds(group, mean, facts) for _, group in groups)
    classes = max(len(read.labels), 4)
    dev = 200 if remote else int(SEARCH_SECONDS * 0.6 / max(seconds, 1e-9))
    sizes = {
        "train": min(16 * classes, max(rows // 5, classes)),
        "dev": max(_SMALLEST["dev"], len(read.labels), min(200, dev, rows * 2 // 5)),
    }
    sizes["test"] = min(500, rows - sizes["train"] - sizes["dev"])
    if sizes["test"] < _SMALLEST["test"]:
        raise DataError(
            f"{rows} usable rows are too few: {_SMALLEST['dev']} for dev and {_SMALLEST['test']} "
            f"for test are the least, besides {classes} for train; label more"
        )
    return sizes, sizes["dev"] * seconds


def _seconds(group: Mapping[str, Any], characters: float, facts: FileFacts) -> float:
    """What a dev example costs in all prompts of a group on a laptop; calibrations are free."""
    texts = characters / _CHARACTERS_A_TOKEN + 25
    prompts = len(group["templates"]) * len(group.get("chat", [0]))
    prompts *= len(group.get("verbalizers", [0]))
    if group["kind"] == "demonstrations":
        prompts, texts = prompts * len(group["count"]), texts * (1 + max(group["count"]))
    written = group.get("decoding", {}).get("max_tokens", 0) / _TOKENS_WRITTEN_A_SECOND
    return float(prompts * (texts / _TOKENS_A_SECOND + written / 3))


def _length(fields: Mapping[str, str]) -> int:
    return sum(len(value) for value in fields.values())
