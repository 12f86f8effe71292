"""What the labels of a file mean: one class however it is written, or a fault with its mend."""

from __future__ import annotations

import ast
import difflib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptlab.data.duplicates import normalize_text
from promptlab.data.label import canonical_labels
from promptlab.data.readers import Row, Rows, text_of
from promptlab.errors import DataError

Labels = Sequence[Any] | Mapping[Any, Any] | None
"""A list of the classes, or what single labels are called (None: their rows are left out)."""

_MISSING = {"nan", "n/a", "na", "null", "#n/a", "#na", "<na>", "#n/a n/a"}
_TRUE = {"true", "yes", "y", "t", "1", "on"}
_FALSE = {"false", "no", "n", "f", "0", "off"}
_NUMBER = re.compile(r"[-+]?(0|[1-9]\d*)(\.\d+)?")
_NEAR = 0.8
_BLANKS = "\ufeff\u200b \t\r\n\f\v\u00a0"
_MOST_SHOWN = 5


def is_missing(text: str) -> bool:
    """Whether a text is one by which programs say that there is no value: empty, NaN, N/A, null.

    ``none`` and ``NONE`` are words that may be a class; ``None`` is Python's.
    """
    return not text or text == "None" or text.casefold() in _MISSING


def label_key(label: str) -> str:
    """What makes two labels one class: case, white space, ``_`` and ``-``, and 1.0 for 1 aside.

    Example:
        >>> label_key("Not_Spam ") == label_key("not spam")
        True
    """
    plain = normalize_text(label)
    if len(plain) > 1 and plain[0] == plain[-1] and plain[0] in "\"'":
        plain = plain[1:-1].strip()
    if _NUMBER.fullmatch(plain):
        return f"{float(plain):g}" if len(plain) < 12 else plain
    plain = re.sub(r"(?<=\w)[\s_-]+(?=\w)", " ", plain)
    return plain.rstrip(".!,;:") or plain


def label_texts(rows: Rows, column: str, *, join: str | None = None) -> list[str]:
    """The labels of all rows as they stand in the file, as text; ``""`` where there is none.

    A list of one item is that item; longer ones are joined by ``join``. Raises `DataError` for
    other lists, for objects and for bytes.
    """
    return [_label_text(rows, row, column, join) for row in rows]


def _label_text(rows: Rows, row: Row, column: str, join: str | None) -> str:
    value = row.values.get(column)
    if isinstance(value, str) and not value.lstrip().startswith("["):
        return value.strip(_BLANKS)
    items = _items(value)
    if items is not None:
        texts = [text_of(item).strip() for item in items]
        if join is not None or len(texts) < 2:
            return (join or "").join(texts)
        if all(isinstance(item, dict) for item in items):
            value = items[-1]
        else:
            raise DataError(
                f"{rows.place(row)}: the label (column {column!r}) is a list of {len(texts)}: "
                f"{', '.join(texts)[:80]}. Rows have one label each: choose one of them, or read "
                'the list as one text that a prompt shall write (join: ", ")'
            )
    if isinstance(value, dict):
        inner = f"{column}.{'-1.' if items is not None else ''}{next(iter(value), 'KEY')}"
        raise DataError(
            f"{rows.place(row)}: the label (column {column!r}) is an object with the keys "
            f"{', '.join(map(repr, value))}; name the one to read (label: {inner})"
        )
    if isinstance(value, bytes):
        raise DataError(f"{rows.place(row)}: the label (column {column!r}) is bytes, not text")
    return text_of(value).strip(_BLANKS)


def _items(value: Any) -> list[Any] | None:
    """The items of a list, or of a text that is one in JSON's or Python's writing."""
    if isinstance(value, list):
        return value
    text = value.strip() if isinstance(value, str) else ""
    if not (text.startswith("[") and text.endswith("]") and len(text) > 2):
        return None
    for parse in (json.loads, ast.literal_eval):
        try:
            found = parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
        if isinstance(found, list) and not any(isinstance(item, list | dict) for item in found):
            return found
    return None


@dataclass(frozen=True)
class LabelReading:
    """The labels of all rows (None: the row is left out), the classes, and remarks.

    ``classes`` is empty for open answers.
    """

    labels: tuple[str | None, ...]
    classes: tuple[str, ...]
    remarks: tuple[str, ...]


def read_labels(
    labels: Sequence[str],
    places: Sequence[str],
    *,
    source: str,
    column: str,
    asked: Labels = None,
) -> LabelReading:
    """Decide what the labels of a file mean.

    Labels that differ in case, white space, separators or the writing of a number are one class,
    under the commonest of its writings, and told. ``asked`` is a list that fixes the classes and
    their order (empty: open answers), or a mapping that merges, renames and (None) leaves out
    single labels; two that it names stay two classes. Without a list the classes are the sorted
    values, or the answers are open where most rows have a value of their own.

    Raises:
        DataError: For rows without a label, labels outside the list, truth values written in
            several ways, and keys of the mapping that stand nowhere; it says what mends it.
    """
    mapping = read_mapping(asked)
    listed = None if asked is None or isinstance(asked, Mapping) else _listed(asked)
    renamed = _renamed(labels, mapping, source, column)
    kept = [
        (label, raw, place)
        for label, raw, place in zip(renamed, labels, places, strict=True)
        if label is not None
    ]
    if not kept:
        raise DataError(f"{source}: labels leaves no row; keep some")
    _refuse_missing(kept, column, {*(listed or ()), *filter(None, mapping.values())})
    fixed = [*(listed or ()), *(name for name in mapping.values() if name is not None)]
    keys = {label_key(label) for label, _, _ in kept}
    is_open = listed == () or (
        listed is None and len(keys) > 1 and 2 * len(keys) > len(kept)
    )  # fmt: skip
    remarks = _left_out(renamed, labels, source)
    if is_open:
        return LabelReading(tuple(renamed), (), tuple(remarks))
    names = _names([label for label, _, _ in kept], fixed)
    remarks += _told_merges(kept, names)
    _refuse_mixed_truth({names[label] for label, _, _ in kept}, source, column, listed)
    found = Counter(names[label] for label, _, _ in kept)
    if listed is None:
        classes = _ordered(found, fixed)
        remarks += [*_told_near(found, kept), *_told_several(kept)]
    else:
        _refuse_others(kept, names, listed)
        classes = listed
    _refuse_one_class(found, source)
    read = tuple(None if label is None else names[label] for label in renamed)
    return LabelReading(read, tuple(classes), tuple(remarks))


def match_label(label: str, classes: Iterable[str]) -> str:
    """The one of ``classes`` that a label means, or the label itself."""
    known = list(classes)
    if label in known:
        return label
    same = [name for name in known if label_key(name) == label_key(label)]
    return same[0] if len(same) == 1 else label


def read_mapping(asked: Labels) -> dict[str, str | None]:
    """What single labels are called, as text; empty for a list of classes."""
    if not isinstance(asked, Mapping):
        return {}
    return {
        text_of(raw).strip(): None if name is None else text_of(name).strip()
        for raw, name in asked.items()
    }


def _listed(asked: Sequence[Any]) -> tuple[str, ...]:
    names = canonical_labels(asked, "labels")
    if len(names) == 1:
        raise DataError(f"labels are {', '.join(names)}; give at least two, each once")
    return names


def _renamed(
    labels: Sequence[str], mapping: Mapping[str, str | None], source: str, column: str
) -> list[str | None]:
    """The labels as the mapping calls them; its exact keys go before those that mean the same."""
    if not mapping:
        return list(labels)
    loose: dict[str, list[str]] = defaultdict(list)
    for raw in mapping:
        loose[label_key(raw)].append(raw)
    used: dict[str, str] = {}
    for label in set(labels):
        near = loose.get(label_key(label), []) if label else []
        if label in mapping:
            used[label] = label
        elif len(near) == 1 and near[0] not in set(labels):
            used[label] = near[0]
    unused = [raw for raw in mapping if raw not in used.values()]
    if unused:
        there = ", ".join(map(repr, sorted(set(labels))[:20]))
        raise DataError(
            f"{source}: labels names {unused[0]!r}, which is no value of the column {column!r}; "
            f"its values are {there}"
        )
    return [mapping[used[label]] if label in used else label for label in labels]


def _refuse_missing(
    kept: Sequence[tuple[str, str, str]], column: str, wanted: Iterable[str]
) -> None:
    known = set(wanted)
    for label, raw, place in kept:
        if label in known or not is_missing(label):
            continue
        count = sum(other == label for other, _, _ in kept)
        more = f" (and {count - 1:,} rows more)" if count > 1 else ""
        if not raw:
            raise DataError(
                f"{place}: the label (column {column!r}) is empty{more}; label the row or remove "
                'it, or leave such rows out (labels: {"": null})'
            )
        raise DataError(
            f"{place}: the label (column {column!r}) is {raw!r}{more}, which mostly says that "
            f"there is none; leave such rows out (labels: {{{json.dumps(raw)}: null}}) or make it "
            f"a class (labels: {{{json.dumps(raw)}: {json.dumps(raw)}}})"
        )


def _names(labels: Sequence[str], fixed: Sequence[str]) -> dict[str, str]:
    """What every label is called: as it is fixed, else as its class is mostly written."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for label in labels:
        found[label_key(label)][label] += 1
    names = {label: label for label in labels if label in fixed}
    for key, writings in found.items():
        wanted = [name for name in dict.fromkeys(fixed) if label_key(name) == key]
        if len(wanted) > 1:  # the user keeps them apart
            names |= {label: label for label in writings}
            continue
        commonest = sorted(writings, key=lambda label: (-writings[label], label))[0]
        plain = key if key in writings else commonest
        name = wanted[0] if wanted else (plain if _NUMBER.fullmatch(key) else commonest)
        names |= dict.fromkeys(writings, name)
    return names


def _ordered(found: Mapping[str, int], fixed: Sequence[str]) -> tuple[str, ...]:
    """The classes in the order in which the user names them all, else sorted."""
    named = tuple(dict.fromkeys(name for name in fixed if name in found))
    return named if len(named) == len(found) else tuple(sorted(found))


def _told_merges(kept: Sequence[tuple[str, str, str]], names: Mapping[str, str]) -> list[str]:
    written: defaultdict[str, Counter[str]] = defaultdict(Counter)
    first: dict[str, str] = {}
    for label, _, place in kept:
        written[names[label]][label] += 1
        first.setdefault(label, place)
    found = []
    for name, counts in written.items():
        others = [label for label in counts if label != name]
        if others:
            told = ", ".join(
                f"{label!r} ({counts[label]:,} {'row' if counts[label] == 1 else 'rows'}, first "
                f"{first[label]})"
                for label in others[:_MOST_SHOWN]
            )
            apart = ", ".join(f"{json.dumps(n)}: {json.dumps(n)}" for n in (name, others[0]))
            found.append(
                f"the label {name!r} is also written {told}: read as one class (labels: "
                f"{{{apart}}} would keep them apart)"
            )
    return found


def _told_near(found: Mapping[str, int], kept: Sequence[tuple[str, str, str]]) -> list[str]:
    """Rare classes that look like a slip of the pen for a common one."""
    told = []
    for rare, count in found.items():
        common = [name for name, many in found.items() if many >= 10 * count]
        close = difflib.get_close_matches(rare, common, n=1, cutoff=_NEAR) if len(rare) > 3 else []
        if close and not any(character.isdigit() for character in rare):
            place = next(place for label, _, place in kept if label_key(label) == label_key(rare))
            told.append(
                f"{place}: the label {rare!r} ({count} of {sum(found.values()):,} rows) looks like "
                f"{close[0]!r}; labels: {{{json.dumps(rare)}: {json.dumps(close[0])}}} merges them"
            )
    return told


def _told_several(kept: Sequence[tuple[str, str, str]]) -> list[str]:
    """A remark where labels look like several at once: their parts recur in other labels."""
    for mark in ("|", ";", ","):
        joint = [(label, place) for label, _, place in kept if mark in label]
        if len(joint) * 20 < len(kept):
            continue
        different = {label for label, _, _ in kept}
        parts = Counter(part.strip() for label in different for part in set(label.split(mark)))
        if any(parts[part.strip()] < 2 for label, _ in joint for part in label.split(mark)):
            continue
        label, place = joint[0]
        return [
            f"{place}: the label {label!r} ({len(joint):,} rows are like it) looks like several "
            "labels at once; as it is, every combination is a class. Labels can be written as an "
            "open answer (labels: []), or give every label a file with a yes-or-no column"
        ]
    return []


def _left_out(renamed: Sequence[str | None], labels: Sequence[str], source: str) -> list[str]:
    gone = Counter(raw for raw, label in zip(labels, renamed, strict=True) if label is None)
    if not gone:
        return []
    told = ", ".join(f"{raw!r} ({count:,})" for raw, count in gone.most_common(_MOST_SHOWN))
    count = sum(gone.values())
    rows = "1 row" if count == 1 else f"{count:,} rows"
    return [f"{source}: {rows} left out, as labels says: {told}"]


def _refuse_mixed_truth(
    classes: set[str], source: str, column: str, listed: Sequence[str] | None
) -> None:
    """Refuse yes, true and 1 as three classes."""
    keys = {label_key(name) for name in classes}
    if listed is not None or len(classes) < 3 or not keys <= _TRUE | _FALSE:
        return
    yes = sorted(name for name in classes if label_key(name) in _TRUE)
    no = sorted(name for name in classes if label_key(name) in _FALSE)
    if yes and no and not keys <= {"0", "1"}:
        pairs = {**dict.fromkeys(no, no[-1]), **dict.fromkeys(yes, yes[-1])}
        told = ", ".join(f"{json.dumps(a)}: {json.dumps(b)}" for a, b in pairs.items())
        raise DataError(
            f"{source}: the column {column!r} says yes and no in several ways: "
            f"{', '.join(map(repr, [*no, *yes]))}; say which are one class (labels: {{{told}}})"
        )


def _refuse_others(
    kept: Sequence[tuple[str, str, str]], names: Mapping[str, str], listed: Sequence[str]
) -> None:
    for label, _, place in kept:
        if names[label] not in listed:
            raise DataError(
                f"{place}: the label {label!r} is none of {', '.join(listed)}; name it in labels, "
                "or give labels as a mapping, which merges, renames and leaves out: labels: "
                f"{{{json.dumps(label)}: {json.dumps(listed[0])}}}, or null for leaving out"
            )


def _refuse_one_class(found: Mapping[str, int], source: str) -> None:
    if len(found) < 2:
        raise DataError(
            f"{source}: every row has the label {next(iter(found))!r}; a task needs two classes "
            "or more: add rows of another class, or name another column as the label"
        )
