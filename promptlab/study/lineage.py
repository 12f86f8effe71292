"""Where written instructions came from, and why each was kept or dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from promptlab.errors import StudyError
from promptlab.evaluation.sequential_testing import PairedSequentialTest, paired_differences
from promptlab.tuning.instruction_search.word_differences import WordChange, word_changes

if TYPE_CHECKING:
    from promptlab.evaluation.predictions import Predictions
    from promptlab.study.study import Study


@dataclass(frozen=True)
class LineageComparison:
    """A proposal beside what it is compared with, on the dev examples that both have answered.

    Args:
        trial: The number of the other trial: the first parent, else the template that was given.
        n: How many examples were compared.
        difference: The accuracy of the proposal less that of the other.
        p_value: Of a paired test that holds whenever somebody looks.
        is_better: Whether the proposal is shown to be better.
        is_worse: Whether it is shown to be worse.

    Example:
        >>> LineageComparison(0, 50, 0.02, 1.0, is_better=False, is_worse=False).difference
        0.02
    """

    trial: int
    n: int
    difference: float
    p_value: float
    is_better: bool
    is_worse: bool

    @property
    def sentence(self) -> str:
        """The comparison in words; the p-value is that of a gain."""
        told = f"trial {self.trial} ({self.difference:+.3f} on {self.n}"
        if self.is_worse:
            return f"shown to be worse than {told})"
        told += f", p = {self.p_value:.2g})"
        return (
            f"shown to be better than {told}" if self.is_better else f"not told apart from {told}"
        )


@dataclass(frozen=True)
class LineageNode:
    """One proposal, or a template that proposals start from.

    Args:
        trial: The number of its trial.
        method: How it was made; *given* for a template that they start from.
        option: The name of the template that it is an instruction of.
        parents: The numbers of the trials that it was made from.
        instruction: What was written; empty where nothing was.
        demonstrations: The ids of the training examples that it shows.
        value: The objective on dev so far; ``None`` where nothing was judged.
        changes: Its words against those of the first parent; none without one.
        comparison: The paired result against it; ``None`` where one of them has no answers.
        status: Why it was kept or dropped, in words.
        is_winner: Whether the study has chosen it.
        instead_of: The method whose turn it was, with the reason, where it was another one.

    Example:
        >>> node = LineageNode(0, "given", "mood", (), "Name the mood.", (), 0.5, (), None, "given")
        >>> node.row()["parents"]
        []
    """

    trial: int
    method: str
    option: str
    parents: tuple[int, ...]
    instruction: str
    demonstrations: tuple[str, ...]
    value: float | None
    changes: tuple[WordChange, ...]
    comparison: LineageComparison | None
    status: str
    is_winner: bool = False
    instead_of: str = ""

    def row(self) -> dict[str, Any]:
        """As JSON data."""
        return asdict(self) | {
            "parents": list(self.parents),
            "demonstrations": list(self.demonstrations),
            "changes": [asdict(change) for change in self.changes],
        }


def read_lineage(study: Study) -> tuple[LineageNode, ...]:
    """The lineage of a study that runs, was stopped, or is decided.

    Args:
        study: The study.

    Returns:
        A node a trial, in the order of trials; none without written instructions.

    Raises:
        StudyError: When there is no study.
    """
    board = study.leaderboard() if study.decided else study.progress()
    rows = sorted(board.get("trials") or [], key=lambda row: int(row["number"]))
    written = [row for row in rows if "proposal" in (row.get("candidate") or {})]
    if not written:
        return ()
    options = {row["candidate"]["option"] for row in written}
    given = [row for row in rows if _given_option(row, options)]
    winner = (board.get("best") or {}).get("number") if study.decided else None
    objective = str(board.get("objective") or "accuracy")
    reader = _LineageReader(study, [*given, *written], given, winner, objective)
    return tuple(sorted(reader.nodes(), key=lambda node: node.trial))


def group_by_parent(nodes: Sequence[LineageNode]) -> dict[int | None, list[LineageNode]]:
    """The nodes by their first parent; of none (``None``) are those that start.

    What has no parent stands under the template that was given, where there is one.

    Args:
        nodes: As `Study.lineage` gives them.

    Returns:
        The children of every trial's number, in the order of trials.

    Example:
        >>> one = LineageNode(0, "given", "mood", (), "", (), 0.5, (), None, "given")
        >>> two = LineageNode(1, "reflection", "mood", (0,), "x", (), 0.6, (), None, "kept")
        >>> tree = group_by_parent([one, two])
        >>> {parent: [node.trial for node in found] for parent, found in tree.items()}
        {None: [0], 0: [1]}
    """
    known = {node.trial for node in nodes}
    starts = {node.option: node.trial for node in reversed(nodes) if node.method == "given"}
    found: dict[int | None, list[LineageNode]] = {}
    for node in nodes:
        first = next((number for number in node.parents if number in known), None)
        if first is None and node.method != "given":
            first = starts.get(node.option)
        found.setdefault(first, []).append(node)
    return found


class _LineageReader:
    """Reads predictions and steps once for every trial."""

    def __init__(
        self,
        study: Study,
        rows: Sequence[Mapping[str, Any]],
        given: Sequence[Mapping[str, Any]],
        winner: int | None,
        objective: str,
    ) -> None:
        self.study, self.rows, self.winner = study, rows, winner
        self.objective = objective
        self.given = {_option_name(row): int(row["number"]) for row in reversed(given)}
        self.texts = {int(row["number"]): self._instruction(row) for row in rows}
        self.tables: dict[int, Predictions | None] = {}

    def nodes(self) -> list[LineageNode]:
        return [self._node(row) for row in self.rows]

    def _node(self, row: Mapping[str, Any]) -> LineageNode:
        made, number = row["candidate"], int(row["number"])
        parents = tuple(int(parent["trial"]) for parent in made.get("parents", ()))
        option = str(made.get("option") or _option_name(row))
        is_given = "proposal" not in made
        other = None if is_given else next(iter(parents), self.given.get(option))
        before = self.texts.get(other, "") if other is not None else ""
        text = self.texts[number]
        comparison = None if other is None else self._compare(other, number)
        return LineageNode(
            trial=number,
            method="given" if is_given else str(made["method"]),
            option=option,
            parents=parents,
            instruction=text,
            demonstrations=tuple(made.get("examples", ())),
            value=_value(row, self.objective),
            changes=tuple(word_changes(before, text)) if text and parents else (),
            comparison=comparison,
            status=_status(row, comparison, has_text=bool(text) or is_given, is_given=is_given),
            is_winner=number == self.winner,
            instead_of=": ".join(filter(None, (made.get("instead_of"), made.get("because")))),
        )

    def _instruction(self, row: Mapping[str, Any]) -> str:
        made = row["candidate"]
        if "proposal" not in made:
            parts = (made.get("template") or {}).get("parts") or {}
            return str(parts.get("description", ""))
        try:
            notes = [step.get("notes") or {} for step in self.study.steps(int(row["number"]))]
        except StudyError:  # it has taken no step
            notes = []
        told = [note["instruction"] for note in notes if note.get("instruction")]
        return str(told[-1]) if told else str(made.get("instruction", ""))

    def _compare(self, other: int, number: int) -> LineageComparison | None:
        a, b = self._table(other), self._table(number)
        if a is None or b is None:
            return None
        test = PairedSequentialTest().update(paired_differences(a, b)).result
        if not test.n:
            return None
        return LineageComparison(
            other, test.n, test.difference, test.p_value, test.is_better, test.is_worse
        )

    def _table(self, number: int) -> Predictions | None:
        if number not in self.tables:
            try:
                self.tables[number] = self.study.predictions(number)
            except StudyError:  # nothing was judged, or its file is damaged, which `show` tells
                self.tables[number] = None
        return self.tables[number]


def _status(
    row: Mapping[str, Any],
    comparison: LineageComparison | None,
    *,
    has_text: bool,
    is_given: bool,
) -> str:
    told = f": {comparison.sentence}" if comparison is not None else ""
    reason = str(row.get("reason") or "")
    if row["state"] == "failed":
        return f"failed: {reason}"
    if row["state"] == "pruned":
        return f"given up ({reason}){told}" if has_text else f"dropped: {reason}"
    return "given" if is_given else f"kept{told}"


def _given_option(row: Mapping[str, Any], options: set[str]) -> bool:
    return row.get("kind") == "template" and _option_name(row) in options


def _option_name(row: Mapping[str, Any]) -> str:
    return str(((row.get("candidate") or {}).get("template") or {}).get("name", ""))


def _value(row: Mapping[str, Any], objective: str) -> float | None:
    scores = row.get("dev") or {}
    value = scores.get(objective, row.get(objective))
    return float(value) if isinstance(value, int | float) else None
