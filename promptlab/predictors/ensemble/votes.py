"""What the members of an ensemble say about one example, as probabilities over common labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from promptlab.evaluation.predictions import Prediction
from promptlab.prompts.parsers.open_answer import normalize_answer

MIN_PROBABILITY = 1e-12
"""No probability is taken to be smaller, so that logarithms are finite."""


@dataclass(frozen=True, eq=False)
class MemberVotes:
    """One example's members: ``probabilities`` ``[member, label]``, and who ``voted``.

    ``votes`` are the members' own labels as numbers, -1 where one abstained; ``labels`` the
    labels as they are predicted, ``right`` the number of the true one (-1: unknown, or said by
    none).
    """

    labels: tuple[str, ...]
    probabilities: Float[np.ndarray, "member label"]
    votes: Int[np.ndarray, " member"]
    right: int = -1

    @property
    def voted(self) -> Bool[np.ndarray, " member"]:
        """Which members did not abstain."""
        return self.votes >= 0


def member_votes(
    rows: Sequence[Prediction | None],
    labels: Sequence[str],
    smoothing: float,
    target: str | None = None,
) -> MemberVotes:
    """The members' predictions of one example on common labels; a member not asked is None.

    A member with scores says their probabilities; one without votes for its label with
    1 - ``smoothing``. An unparsed reply, an error, or a label that is none of ``labels`` is an
    abstention. Without ``labels`` the answers are open: they are compared by `canonical`, and
    predicted as most members write them.
    """
    closed = bool(labels)
    shown = dict.fromkeys(labels) if closed else _open(rows)
    places = {name if closed else canonical(name): place for place, name in enumerate(shown)}
    table = np.zeros((len(rows), len(places)))
    votes = np.full(len(rows), -1)
    for number, row in enumerate(rows):
        said = None if row is None or row.unparsed or row.error else row.label
        place = -1 if said is None else places.get(said if closed else canonical(said), -1)
        if row is None or place < 0:
            continue
        votes[number] = place
        table[number] = _distribution(row, places, place, smoothing, closed=closed)
    right = -1
    if target is not None:
        right = places.get(target if closed else canonical(target), -1)
    return MemberVotes(tuple(shown), table, votes, right)


def canonical(text: str) -> str:
    """What makes two open answers the same, as `exact_match` sees it."""
    return normalize_answer(text)


def _open(rows: Sequence[Prediction | None]) -> list[str]:
    """The different answers as most members write them, in the order of the members."""
    written: dict[str, Counter[str]] = {}
    for row in rows:
        if row is None or row.unparsed or row.error or row.label is None:
            continue
        written.setdefault(canonical(row.label), Counter())[row.label] += 1
        for other in row.scores or {}:
            written.setdefault(canonical(other), Counter())[other] += 0
    return [counts.most_common(1)[0][0] for counts in written.values()]


def _distribution(
    row: Prediction, places: dict[str, int], place: int, smoothing: float, *, closed: bool
) -> Float[np.ndarray, " label"]:
    found = np.zeros(len(places))
    for name, value in (row.scores or {}).items():
        at = places.get(name if closed else canonical(name), -1)
        if at >= 0:
            found[at] += np.exp(value)
    if found.sum() == 0:
        return smoothed_one_hot(place, len(places), smoothing)
    found /= found.sum()
    if (found == 0).any():  # a vote among the answers that were given: others are possible, too
        found = (1 - smoothing) * found + smoothing / len(places)
    return found


def smoothed_one_hot(place: int, labels: int, smoothing: float) -> Float[np.ndarray, " label"]:
    """A bare vote as probabilities: what the vote leaves is shared by the other labels."""
    if labels == 1:
        return np.ones(1)
    found = np.full(labels, smoothing / (labels - 1))
    found[place] = 1 - smoothing
    return found


@dataclass(frozen=True, eq=False)
class VoteMatrix:
    """Many ballots as arrays, labels padded with probability 0.

    ``probabilities`` ``[example, member, label]``, ``votes`` ``[example, member]`` (-1:
    abstained), ``right`` ``[example]`` (-1: none of the labels).
    """

    probabilities: Float[np.ndarray, "example member label"]
    votes: Int[np.ndarray, "example member"]
    right: Int[np.ndarray, " example"]

    @classmethod
    def of(cls, ballots: Sequence[MemberVotes], members: int) -> VoteMatrix:
        """The ballots one under the other."""
        width = max((len(one.labels) for one in ballots), default=0)
        table = np.zeros((len(ballots), members, max(width, 1)))
        for place, one in enumerate(ballots):
            table[place, :, : len(one.labels)] = one.probabilities
        votes = np.array([one.votes for one in ballots]).reshape(len(ballots), members)
        return cls(table, votes, np.array([one.right for one in ballots], dtype=int))

    def __getitem__(self, chosen: Bool[np.ndarray, " example"]) -> VoteMatrix:
        return VoteMatrix(self.probabilities[chosen], self.votes[chosen], self.right[chosen])

    def __len__(self) -> int:
        return len(self.right)

    @property
    def voted(self) -> Bool[np.ndarray, "example member"]:
        """Which members did not abstain."""
        return self.votes >= 0

    @property
    def correct(self) -> Bool[np.ndarray, "example member"]:
        """Which members voted for the true label."""
        return (self.votes == self.right[:, None]) & self.voted

    @property
    def of_right(self) -> Float[np.ndarray, "example member"]:
        """Every member's probability of the true label; 0 where it is none of them."""
        known = np.maximum(self.right, 0)[:, None, None]
        found = np.take_along_axis(self.probabilities, known, axis=2)[:, :, 0]
        return np.where(self.right[:, None] >= 0, found, 0.0)
