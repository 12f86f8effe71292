"""Failures in groups by what they have in common: their words, their confusion, their kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from promptlab.errors import InputError
from promptlab.evaluation.failure import Failure

By = Literal["words", "confusion", "kind"]
_KINDS = {"wrong": "wrong answer", "unparsed": "reply that could not be read", "error": "no reply"}
_FEWEST = 4
"""Failures below which no groups are sought."""
_MOST_CLUSTERS = 8
_MOST_WORDS = 5
_MOST_FEATURES = 5000
_DIMENSIONS = 50
_SAMPLE = 1000
_SEED = 0
_LETTERS = r"(?u)\b[^\W\d_]{2,}\b"
"""A word: two letters or more, of any script."""


@dataclass(frozen=True)
class Cluster:
    """Failures that have something in common, the most typical ones first.

    ``words`` tell it from the others, the most telling first. ``confusion`` is its most frequent
    pair of expected and actual answer, ``confused`` how many of the failures have it.
    """

    title: str
    failures: tuple[Failure, ...]
    words: tuple[str, ...] = ()
    confusion: tuple[str, str] = ("(none)", "(none)")
    confused: int = 0

    def record(self) -> dict[str, Any]:
        """Plain JSON data; the failures by their ids."""
        expected, actual = self.confusion
        return {
            "title": self.title,
            "size": len(self.failures),
            "words": list(self.words),
            "expected": expected,
            "actual": actual,
            "confused": self.confused,
            "ids": [one.example_id for one in self.failures],
        }


def cluster_failures(
    failures: Iterable[Failure], count: int | None = None, *, by: By = "words"
) -> list[Cluster]:
    """Groups of failures, the largest first; every failure is in one of them.

    Args:
        failures: The failures, such as `FailureLog.failures`.
        count: How many groups by words; ``None`` takes as many (2 to 8) as have the best
            silhouette.
        by: *words*: TF-IDF of the fields, reduced to 50 dimensions (LSA), k-means from a fixed
            seed, those nearest to the centre first; *confusion*: the expected and the actual
            answer; *kind*: wrong, unparsed, no reply.

    Returns:
        The groups, each with a title and its failures.

    Raises:
        InputError: For a count below one, or another ``by``.

    Example:
        >>> lost = [Failure(str(n), {"text": "?"}, "", "bad", "good") for n in range(3)]
        >>> [(group.title, len(group.failures)) for group in cluster_failures(lost, by="confusion")]
        [('bad → good', 3)]
    """
    if by not in get_args(By):
        raise InputError(f"failures are grouped by {', '.join(get_args(By))}, not by {by!r}")
    if count is not None and count < 1:
        raise InputError(f"{count} groups cannot be made; ask for one or more")
    chosen = list(failures)
    if by == "words":
        found = _by_words(chosen, count)
    else:
        groups: dict[str, list[Failure]] = {}
        for one in chosen:
            title = _KINDS[one.kind] if by == "kind" else " → ".join(one.confusion)
            groups.setdefault(title, []).append(one)
        found = [_cluster(title, items) for title, items in groups.items()]
    return sorted(found, key=lambda cluster: (-len(cluster.failures), cluster.title))


def _cluster(title: str, failures: Sequence[Failure], words: Sequence[str] = ()) -> Cluster:
    pairs = Counter(one.confusion for one in failures)
    pair, confused = pairs.most_common(1)[0]
    return Cluster(title, tuple(failures), tuple(words), pair, confused)


def _by_words(failures: Sequence[Failure], count: int | None) -> list[Cluster]:
    texts = ["\n".join(one.fields.values()) for one in failures]
    table, names = _weights(texts)
    if table is None:
        return [_cluster("all failures", failures)] if failures else []
    has_words = table.getnnz(axis=1) > 0
    places = [place for place, known in enumerate(has_words) if known]
    rows = table[places]
    points = _points(rows)
    groups = _groups(points, count)
    found = []
    for group in sorted(set(groups)):
        inside = [index for index, of in enumerate(groups) if of == group]
        words = _telling(rows, inside, names) if len(set(groups)) > 1 else []
        items = [failures[places[index]] for index in _nearest(points, inside)]
        found.append(_cluster(", ".join(words[:3]) or "all failures", items, words))
    without = [one for one, known in zip(failures, has_words, strict=True) if not known]
    return [*found, *([_cluster("without telling words", without)] if without else [])]


def _weights(texts: Sequence[str]) -> tuple[Any, list[str]]:
    """TF-IDF ``[text, word]``, rows of length one; ``None`` where no text has a telling word."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(
        stop_words="english",
        sublinear_tf=True,
        max_features=_MOST_FEATURES,
        max_df=0.6 if len(texts) >= 2 * _FEWEST else 1.0,
        token_pattern=_LETTERS,
    )
    try:
        table = vectorizer.fit_transform(texts)
    except ValueError:  # scikit-learn's word for a vocabulary that is empty
        return None, []
    return table, list(vectorizer.get_feature_names_out())


def _points(rows: Any) -> Any:
    """The rows as dense points of length one, in 50 dimensions at most."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.preprocessing import normalize

    if min(rows.shape) <= _DIMENSIONS:
        return rows.toarray()
    return normalize(TruncatedSVD(_DIMENSIONS, random_state=_SEED).fit_transform(rows))


def _groups(points: Any, count: int | None) -> list[int]:
    """The number of each point's group."""
    import numpy as np
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    different = len(np.unique(points.round(6), axis=0))
    most = min(different, count or _MOST_CLUSTERS)
    if most < 2 or (count is None and (len(points) < _FEWEST or different < 3)):
        return [0] * len(points)
    best: tuple[float, list[int]] = (-2.0, [])
    for number in [most] if count else range(2, min(most, len(points) - 1) + 1):
        model = KMeans(number, n_init=4, random_state=_SEED).fit(points)
        groups = model.labels_.tolist()
        if count:
            return list(groups)
        sample = _SAMPLE if len(points) > _SAMPLE else None
        score = silhouette_score(points, groups, sample_size=sample, random_state=_SEED)
        if score > best[0] + 1e-9:
            best = float(score), groups
    return best[1]


def _telling(rows: Any, inside: Sequence[int], names: Sequence[str]) -> list[str]:
    """Words that are heavier in a group than elsewhere, the most telling first."""
    import numpy as np

    within = np.asarray(rows[list(inside)].mean(axis=0)).ravel()
    surplus = within - np.asarray(rows.mean(axis=0)).ravel()
    order = sorted(range(len(names)), key=lambda index: (-round(surplus[index], 9), names[index]))
    return [names[index] for index in order[:_MOST_WORDS] if surplus[index] > 0]


def _nearest(points: Any, inside: Sequence[int]) -> list[int]:
    """A group's points by their distance from its centre."""
    centre = points[list(inside)].mean(axis=0)
    away = {index: round(float(((points[index] - centre) ** 2).sum()), 9) for index in inside}
    return sorted(inside, key=lambda index: (away[index], index))
