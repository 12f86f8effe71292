"""Learning on a file of one's own: a question that fits its labels, sizes that fit its rows."""

from __future__ import annotations

from dataclasses import replace

import promptlab as pl
from promptlab.study import StudyPolicy

from ..components.uploads import LabelledFile, read_labelled, uploaded_file
from .presets import DATA, OWN, DataPrompt, LearnPreset

TEST = 100
"""Test examples, if there are so many."""
_FIELD = "}"
_SLOT = "{mask}"


def own_data(
    policy: StudyPolicy, data: str, file: str, text: str | None, label: str | None
) -> DataPrompt:
    """A data set's body, question and answers. Raises `InputError` for what there is not."""
    if data in DATA:
        return DATA[data]
    if data != OWN:
        raise pl.InputError(f"data: there is no {data!r} here; use {', '.join(DATA)}")
    found = read_labelled(policy, file, text, label)
    try:
        proposed = pl.propose_study(
            uploaded_file(policy, file), text=text or None, label=label or None
        )
    except pl.InputError:  # too few rows to be divided as a study would have them
        return _plain(found)
    group = proposed.document["candidates"][0]
    entry = group["templates"][0]
    text = entry if isinstance(entry, str) else entry.get("text") or ""
    own = None if isinstance(entry, str) else entry.get("answers")
    answers = own or next(iter(group.get("verbalizers", [])), None)
    return (_parted(text, answers) if answers else None) or _plain(found)


def _parted(text: str, answers: dict[str, str | list[str]]) -> DataPrompt | None:
    """A template's text cut after its last field; None if the slot does not end it."""
    question, slot, rest = text.partition(_SLOT)
    body, field, tail = question.rpartition(_FIELD)
    if not slot or not field or rest.strip() not in ("", "."):
        return None
    words = {k: v if isinstance(v, str) else ", ".join(v) for k, v in answers.items()}
    return DataPrompt(body + field, tail + slot, "\n".join(f"{k}: {v}" for k, v in words.items()))


def _plain(found: LabelledFile) -> DataPrompt:
    """The labels are the answers."""
    body = " ".join(f"{{{field}}}" for field in found.fields)
    return DataPrompt(
        body, " This is {mask}", "\n".join(f"{name}: {name}" for name, _ in found.counts)
    )


def fitting_sizes(found: LabelledFile) -> tuple[int, int, int]:
    """At most so many training examples a label, dev examples and test examples."""
    labels = len(found.counts)
    test = max(min(TEST, found.rows // 5), labels)
    dev = max(found.rows // 4, labels)
    kept = 1 - (test + dev) / found.rows if found.rows else 0
    return max(int(found.smallest * kept) - 1, 1), dev, test


def fit_preset(given: LearnPreset, found: LabelledFile) -> LearnPreset:
    """A recipe that the rows of a file are enough for."""
    shots, dev, _ = fitting_sizes(found)
    return replace(given, shots=min(given.shots, shots), dev=min(given.dev, dev))
