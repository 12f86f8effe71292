"""Several decided studies beside each other: by date, by task, and tested on the same examples."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

from promptlab.errors import DataError, StudyError
from promptlab.evaluation.evaluation import Texts
from promptlab.evaluation.predictions import Predictions
from promptlab.evaluation.statistics import Comparison, holm
from promptlab.files.provenance import Provenance
from promptlab.study.folder.documents import (
    DECIDE_AGAIN,
    TEST_AGAIN,
    check_unchanged,
    read_study_record,
    use_document,
)
from promptlab.study.folder.folder import REPEATS, StudyFolder, read_leaderboard
from promptlab.study.folder.provenance import RESTS_ON
from promptlab.study.spec.objective import compare_paired, make_objective

_SEED = 13
_LISTED = ("description", "resolved", "study")
"""Keys of a study that say nothing of what it decided."""


@dataclass(frozen=True)
class StudySummary:
    """A decided study in a row: its winner on test, and what it was decided for.

    `compare_studies` makes one of each study.

    Args:
        name: The study's folder.
        decided: When it was decided: UTC, ISO 8601.
        task: The task's name.
        data: The data set or the file, as the study names it.
        model: The model's name.
        objective: The name of what decided: a metric or a cost.
        winner: The winner's name.
        kind: The winner's kind of candidate, such as ``template``.
        prompt: The winner's prompt for an example of dev.
        value: The objective on test.
        low: The low end of its 95 % interval; ``None`` for an objective without one.
        high: The high end of that interval.
        n: How many test examples were answered.
        trials: How many trials the study has made.
        tokens: The tokens of learning, of predictions on dev, and of the winner's on test.
        seconds: The time of work, if the study has noted it.
        tested: Names the test examples: equal names, equal examples; ``None`` where none are kept.
        n_missing: How many test examples have no answer.

    Example:
        >>> rows = [f"film {n} was {'good' if n % 2 else 'bad'},{n % 2}" for n in range(40)]
        >>> _ = Path("films.csv").write_text("\\n".join(["text,label", *rows]))
        >>> prompt = {"text": "{text} It was {mask}.", "answers": {"0": "bad", "1": "good"}}
        >>> group = {"kind": "template", "templates": [prompt]}
        >>> study = {"study": "films", "task": "films.csv", "candidates": [group]}
        >>> summary = pl.compare_studies([pl.run_study(study, model=model).path]).studies[0]
        >>> summary.name, summary.kind, summary.trials, summary.n
        ('films', 'template', 1, 20)
    """

    name: str
    decided: str
    task: str
    data: str
    model: str
    objective: str
    winner: str
    kind: str
    prompt: str
    value: float
    low: float | None
    high: float | None
    n: int
    trials: int
    tokens: int
    seconds: float | None
    tested: str | None
    n_missing: int = 0


@dataclass(frozen=True)
class StudyComparisonPair:
    """Two studies' winners compared on the same test examples.

    `compare_studies` makes one of every two studies that can be tested.

    Args:
        a: The name of the older study.
        b: The name of the later one.
        objective: The name of what decided both.
        test: The paired test, such as ``mcnemar_exact``.
        p_value: Its two-sided p-value.
        p_holm: The p-value corrected over all pairs of the comparison (Holm 1979).
        difference: The objective of ``a`` less that of ``b``; the accuracy in place of an objective
            that is neither a mean over examples nor made of counts.
        ci95: The 95 % interval of the difference.
        n: How many examples were compared; of a text that repeats, one.
        n_discordant: On how many of them the two differ.

    Example:
        >>> pair = StudyComparisonPair(
        ...     "monday", "friday", "accuracy", "mcnemar_exact", p_value=0.03125, p_holm=0.0625,
        ...     difference=-0.03, ci95=(-0.06, -0.01), n=200, n_discordant=6,
        ... )
        >>> pair.p_holm < 0.05
        False
    """

    a: str
    b: str
    objective: str
    test: str
    p_value: float
    p_holm: float
    difference: float
    ci95: tuple[float, float]
    n: int
    n_discordant: int


@dataclass(frozen=True)
class StudyComparison:
    """Decided studies beside each other, as `compare_studies` gives them.

    Args:
        studies: The studies, the oldest first.
        pairs: Every two of them that judged the same test examples by the same objective.

    Example:
        >>> rows = [f"film {n} was {'good' if n % 2 else 'bad'},{n % 2}" for n in range(40)]
        >>> _ = Path("films.csv").write_text("\\n".join(["text,label", *rows]))
        >>> folders = []
        >>> for name, text in {"first": "It was {mask}. {text}", "second": "{text} {mask}"}.items():
        ...     prompt = {"text": text, "answers": {"0": "bad", "1": "good"}}
        ...     group = {"kind": "template", "templates": [prompt]}
        ...     study = {"study": name, "task": "films.csv", "candidates": [group]}
        ...     folders.append(pl.run_study(study, model=model).path)
        >>> comparison = pl.compare_studies(folders)
        >>> [(pair.a, pair.b, pair.test, pair.n) for pair in comparison.pairs]
        [('first', 'second', 'mcnemar_exact', 20)]
    """

    studies: tuple[StudySummary, ...]
    pairs: tuple[StudyComparisonPair, ...]

    def row(self) -> dict[str, Any]:
        """As JSON data."""
        return asdict(self)


@dataclass(frozen=True)
class SettingChange:
    """A setting that differs between two studies, as `Study.changes` lists them.

    Args:
        key: The setting's dotted key, such as ``task.dev``; or ``rests on:`` and the name of
            weights, a file, a template or a package.
        before: Its value in the first study; ``None`` where the setting does not stand in it.
        after: The same in the second study.

    Example:
        >>> change = SettingChange("task.dev", before=200, after=400)
        >>> print(f"{change.key}: {change.before} -> {change.after}")
        task.dev: 200 -> 400
    """

    key: str
    before: Any
    after: Any


def compare_studies(folders: Sequence[Path]) -> StudyComparison:
    """Compare decided studies by what their winners said on test.

    Two studies that judged the same test examples by the same objective are compared by a paired
    test of these predictions: exact McNemar for accuracy, else a paired bootstrap. The p-values
    are corrected over all pairs (Holm 1979).

    Args:
        folders: The studies' folders, such as ``runs/quickstart``.

    Returns:
        The studies, the oldest first, and the pairs of them that can be tested.

    Raises:
        StudyError: A study is named twice, is not decided, or has no winner.

    Example:
        >>> compare_studies([Path("runs/quickstart"), Path("runs/quickstart")])
        Traceback (most recent call last):
            ...
        promptlab.errors.StudyError: a study is named twice...
    """
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise StudyError("a study is named twice; name each once")
    read = [_summarize(folder) for folder in folders]
    rows = sorted((row for row, _ in read), key=lambda row: (row.decided, row.name))
    tables = {row.name: table for row, table in read}
    texts = _texts(folders)
    found = [
        (a, b, _test(a, tables[a.name], tables[b.name], texts))
        for a, b in combinations(rows, 2)
        if a.tested is not None and a.tested == b.tested and a.objective == b.objective
    ]
    corrected = holm([comparison.p_value for _, _, comparison in found])
    pairs = tuple(
        _compare_pair(a, b, comparison, p)
        for (a, b, comparison), p in zip(found, corrected, strict=True)
    )
    return StudyComparison(tuple(rows), pairs)


def setting_changes(before: Path, after: Path) -> list[SettingChange]:
    """What differs between two studies: settings in the file's order, then what they rest on."""
    one, other = _settings(before), _settings(after)
    return [*_changes(one, other, ""), *_basis_changes(before, after)]


def _basis_changes(before: Path, after: Path) -> Iterator[SettingChange]:
    """Weights, files, templates and software that differ, if both studies have written them down.

    A key of the settings tells of itself.
    """
    latest = [_latest_provenance(folder) for folder in (before, after)]
    if None not in latest:
        one, other = ({} if found is None else found for found in latest)
        for name in sorted({*one, *other}):
            if one.get(name) != other.get(name):
                yield SettingChange(f"rests on: {name}", one.get(name), other.get(name))


def _latest_provenance(folder: Path) -> dict[str, str] | None:
    """What a study rested on at last; ``None`` for one of an earlier version."""
    try:
        records = (StudyFolder(folder).resolved or {}).get(RESTS_ON)
        return dict(Provenance.from_record(records[-1]).fixed) if records else None
    except (ValueError, TypeError, KeyError):
        return None


def _summarize(folder: Path) -> tuple[StudySummary, Predictions]:
    board = read_leaderboard(folder)
    made: tuple[StudySummary, Predictions] = use_document(
        lambda: _read_board(folder, board), folder / "leaderboard.json"
    )
    return made


def _read_board(folder: Path, board: dict[str, Any]) -> tuple[StudySummary, Predictions]:
    best = board.get("best")
    if not isinstance(best, Mapping):
        raise StudyError(
            f"{folder.name} is a learning curve: it has no winner to compare; its own report "
            "compares its methods"
        )
    settings = _settings(folder)
    kept = StudyFolder(folder)
    check_unchanged(folder, "predictions/test.jsonl", TEST_AGAIN)
    table = kept.predictions("test") if kept.predictions_file("test").exists() else Predictions()
    objective, test = str(board["objective"]), best["test"]
    if test is None:
        raise StudyError(
            f"{folder.name} is undecided: too many examples were not answered; run it again, and "
            "it asks for those alone"
        )
    ends = test.get("ci95" if objective == "accuracy" else f"{objective}_ci95") or (None, None)
    decided = datetime.fromtimestamp(kept.leaderboard_file.stat().st_mtime, UTC)
    data = str(settings["task"]["data"])
    row = StudySummary(
        name=folder.name,
        decided=decided.isoformat(timespec="seconds"),
        task=str(board["task"]["name"]),
        data=data,
        model=str(board["model"]["name"]),
        objective=objective,
        winner=str(best["name"]),
        kind=str(best["kind"]),
        prompt=str(best.get("prompt") or ""),
        value=float(test[objective]),
        low=ends[0],
        high=ends[1],
        n=int(test["n"]),
        n_missing=int(test.get("n_missing") or 0),
        trials=len(board["trials"]),
        tokens=int(board.get("tokens") or 0),
        seconds=board.get("seconds"),
        tested=_fingerprint(str(board["task"]["name"]), table),
    )
    return row, table


def _settings(folder: Path) -> dict[str, Any]:
    path = StudyFolder(folder).spec_file
    found = read_study_record(path)
    return {key: value for key, value in found.items() if key not in _LISTED}


def _fingerprint(task: str, table: Predictions) -> str | None:
    """Equal for the same examples of the same task, whatever was said about them."""
    if not len(table):
        return None
    lines = sorted(f"{row.example_id}\t{row.target}" for row in table)
    return hashlib.sha256("\n".join([task, *lines]).encode()).hexdigest()[:16]


def _test(row: StudySummary, a: Predictions, b: Predictions, texts: Texts) -> Comparison:
    places = {found.example_id: found for found in b}
    try:
        same = Predictions(places[found.example_id] for found in a)
    except KeyError as error:
        raise DataError(f"{row.name}: the predictions on test lack the example {error}") from error
    return compare_paired(make_objective(row.objective), a, same, seed=_SEED, texts=texts)


def _texts(folders: Sequence[Path]) -> Texts:
    """Which test examples repeat each other, by the studies that have noted it down."""
    found: dict[str, Any] = {}
    for folder in folders:
        check_unchanged(folder, REPEATS, DECIDE_AGAIN)
        read = StudyFolder(folder).read_json(REPEATS) or {}
        if not isinstance(read, dict) or not all(isinstance(v, str) for v in read.values()):
            raise StudyError(f"{folder / REPEATS} is no mapping of examples; {DECIDE_AGAIN}")
        found |= read
    return found


def _compare_pair(
    a: StudySummary, b: StudySummary, found: Comparison, p_holm: float
) -> StudyComparisonPair:
    return StudyComparisonPair(
        a.name, b.name, a.objective, found.test, found.p_value, p_holm, found.difference,
        found.ci95, found.n, found.n_discordant,
    )  # fmt: skip


def _changes(before: Any, after: Any, path: str) -> Iterator[SettingChange]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(k for k in after if k not in before)]:
            inner = f"{path}.{key}" if path else str(key)
            yield from _changes(before.get(key), after.get(key), inner)
    elif _groups(before) and _groups(after):
        for number in range(max(len(before), len(after))):
            one = before[number] if number < len(before) else None
            other = after[number] if number < len(after) else None
            name = f"{path}.{number + 1}"
            if one is not None and other is not None and one["kind"] == other["kind"]:
                yield from _changes(one, other, f"{name} ({one['kind']})")
            else:
                yield SettingChange(name, one, other)
    else:
        yield SettingChange(path, before, after)


def _groups(value: Any) -> bool:
    """Whether a value is a list of groups of candidates."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(entry, dict) and "kind" in entry for entry in value)
    )
