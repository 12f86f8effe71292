"""Pairs of a relation, such as countries and their capitals: read, checked, found in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from promptlab.data.corpus.entity_matcher import EntityMatcher, EntityMention
from promptlab.data.readers import Rows, read_rows
from promptlab.errors import DataError

SUBJECTS = ("subject", "sub_label", "sub", "head", "x")
OBJECTS = ("object", "obj_label", "obj", "tail", "y", "label", "target", "answer")
"""The usual names of the two columns; those of LAMA's files are among them."""
_MISSING = "without a subject or an object"
_SAME = "whose subject and object are the same"
_REPEATED = "repeated"


class EntityPair(NamedTuple):
    """A subject and an object of a relation, such as Poland and Warsaw."""

    subject: str
    object: str


@dataclass(frozen=True)
class EntityPairs:
    """The distinct pairs of one relation.

    Args:
        pairs: The pairs.
        subject: What the subject is called, such as ``country``.
        object: What the object is called.
        left_out: How many pairs were left out, by the reason.

    Example:
        >>> rows = [("Poland", "Warsaw"), ("Poland", "Warsaw"), ("Monaco", "Monaco"), ("", "Rome")]
        >>> found = EntityPairs.from_texts(rows, subject="country")
        >>> found.pairs, found.left_out["repeated"]
        ((EntityPair(subject='Poland', object='Warsaw'),), 1)
    """

    pairs: tuple[EntityPair, ...]
    subject: str = "subject"
    object: str = "object"
    left_out: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[tuple[str, str]],
        *,
        subject: str = "subject",
        object: str = "object",
        ignore_case: bool = False,
    ) -> EntityPairs:
        """The distinct pairs of texts; those that cannot be told apart in a sentence are left out.

        Raises `DataError` when none is left.
        """
        matcher = EntityMatcher([], ignore_case=ignore_case)
        left_out: Counter[str] = Counter()
        kept: dict[tuple[tuple[str, ...], tuple[str, ...]], EntityPair] = {}
        for first, second in texts:
            pair = EntityPair(" ".join(first.split()), " ".join(second.split()))
            keys = matcher.key(pair.subject), matcher.key(pair.object)
            if not all(any(map(str.isalnum, "".join(key))) for key in keys):
                left_out[_MISSING] += 1
            elif keys[0] == keys[1]:
                left_out[_SAME] += 1
            elif keys in kept:
                left_out[_REPEATED] += 1
            else:
                kept[keys] = pair
        if not kept:
            told = ", ".join(f"{count:,} {reason}" for reason, count in left_out.items())
            raise DataError(
                f"there is no pair of a subject and an object ({told or 'none is given'})"
            )
        return cls(tuple(kept.values()), subject, object, dict(left_out))

    def without(self, subjects: Iterable[str], reason: str) -> EntityPairs:
        """The pairs of other subjects; those that go are counted by ``reason``."""
        unwanted = set(subjects)
        kept = tuple(pair for pair in self.pairs if pair.subject not in unwanted)
        gone = len(self.pairs) - len(kept)
        if not kept:
            raise DataError(f"all {gone:,} pairs are {reason}; give others")
        left_out = dict(self.left_out) | ({reason: gone} if gone else {})
        return EntityPairs(kept, self.subject, self.object, left_out)

    @property
    def nested(self) -> int:
        """How many pairs have one name inside of the other, such as Mexico and Mexico City."""
        key = EntityMatcher([]).key
        keys = [(key(pair.subject), key(pair.object)) for pair in self.pairs]
        return sum(_is_inside(*found) or _is_inside(*found[::-1]) for found in keys)

    def describe(self) -> str:
        """How many pairs there are, and what was left out, in words."""
        told = [f"{count:,} {reason}" for reason, count in self.left_out.items()]
        text = f"{len(self.pairs):,} pairs" + (f" (left out: {', '.join(told)})" if told else "")
        if nested := self.nested:
            text += (
                f"; {nested:,} with one name inside of the other: where the longer one stands, it "
                "alone is found"
            )
        return text


def read_entity_pairs(
    path: str | Path,
    *,
    subject: str | None = None,
    object: str | None = None,
    ignore_case: bool = False,
) -> EntityPairs:
    """Read the pairs of a CSV, TSV or JSON Lines file.

    Args:
        path: The file.
        subject: The column of the subjects; by default one with a usual name, else the first.
        object: The column of the objects; by default one with a usual name, else the second of two.
        ignore_case: Whether pairs that differ in case alone are one.

    Returns:
        The pairs, with the names of their columns.

    Raises:
        DataError: Naming the file and what is wrong with it.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "capitals.csv"
        >>> _ = file.write_text("country,label\\nPoland,Warsaw\\n")
        >>> found = read_entity_pairs(file)
        >>> found.subject, found.pairs[0].object
        ('country', 'Warsaw')
    """
    rows = read_rows(path)
    first, second = _columns(rows, subject, object)
    texts = zip(rows.texts(first), rows.texts(second), strict=True)
    try:
        return EntityPairs.from_texts(texts, subject=first, object=second, ignore_case=ignore_case)
    except DataError as error:
        raise DataError(f"{path}, columns {first!r} and {second!r}: {error}") from error


def _columns(rows: Rows, subject: str | None, object: str | None) -> tuple[str, str]:
    """The columns of subjects and objects. Raises `DataError` where they cannot be told."""
    names = rows.columns
    for given in (subject, object):
        if given is not None and given not in names:
            raise DataError(
                f"{rows.path} has no column {given!r}; its columns are {', '.join(names)}"
            )
    second = object or _usual(names, OBJECTS, subject)
    first = subject or _usual(names, SUBJECTS, second)
    rest = [name for name in names if name not in (first, second)]
    if first is None and second is None and len(rest) == 2:
        first, second = rest
    elif first is None and len(rest) == 1:
        first = rest[0]
    elif second is None and len(rest) == 1:
        second = rest[0]
    if first is None or second is None or first == second:
        raise DataError(
            f"{rows.path}: cannot tell the subjects' column from the objects' among "
            f"{', '.join(names)}; call them subject and object, or name them (subject and object; "
            "on the command line --subject COLUMN --object COLUMN)"
        )
    return first, second


def _usual(names: Sequence[str], usual: Sequence[str], taken: str | None) -> str | None:
    """The column with the first of the usual names that there is."""
    by_name = {name.strip().lower(): name for name in names if name != taken}
    return next((by_name[name] for name in usual if name in by_name), None)


def _is_inside(part: Sequence[str], whole: Sequence[str]) -> bool:
    """Whether the words of one name stand inside of the other's."""
    ends = range(len(whole) - len(part) + 1)
    return any(tuple(whole[i : i + len(part)]) == tuple(part) for i in ends)


class PairOccurrence(NamedTuple):
    """A subject and an object of one pair that stand in a sentence, with no other between them."""

    pair: int
    subject: EntityMention
    object: EntityMention


class PairLocator:
    """Finds which pairs stand in a sentence whose mentions are known.

    Of a name that is mentioned several times those mentions count that are next to one of the
    other name, in either order.

    Args:
        pairs: The pairs.
        ignore_case: Whether capitals and small letters are the same.

    Example:
        >>> locator = PairLocator(EntityPairs.from_texts([("France", "Paris")]))
        >>> mentions = locator.matcher.find("Paris is the capital of France.")
        >>> [(found.pair, found.object.start) for found in locator.occurrences(mentions)]
        [(0, 0)]
    """

    def __init__(self, pairs: EntityPairs, *, ignore_case: bool = False) -> None:
        self.pairs = pairs
        names = [name for pair in pairs.pairs for name in pair]
        self.matcher = EntityMatcher(names, ignore_case=ignore_case)
        ids = self.matcher.ids
        self.subjects = frozenset(ids[0::2])
        self.objects = frozenset(ids[1::2])
        self._objects_of: dict[int, list[tuple[int, int]]] = {}
        for number in range(len(pairs.pairs)):
            mine = self._objects_of.setdefault(ids[2 * number], [])
            mine.append((ids[2 * number + 1], number))

    def occurrences(self, mentions: Sequence[EntityMention]) -> list[PairOccurrence]:
        """The pairs that stand in a sentence with these mentions, which are sorted."""
        there = {mention.entity for mention in mentions}
        found = []
        for subject in sorted(there & self._objects_of.keys()):
            for other, number in self._objects_of[subject]:
                if other in there:
                    found += _neighbours(mentions, subject, other, number)
        return found


def _neighbours(
    mentions: Sequence[EntityMention], subject: int, object: int, number: int
) -> list[PairOccurrence]:
    """The neighbouring mentions of two entities."""
    found = []
    for first, second in pairwise(m for m in mentions if m.entity in (subject, object)):
        if first.entity != second.entity:
            ordered = (first, second) if first.entity == subject else (second, first)
            found.append(PairOccurrence(number, *ordered))
    return found
