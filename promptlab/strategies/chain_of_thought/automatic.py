"""Worked examples that a model writes itself: automatic chain of thought (Zhang et al. 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
from jaxtyping import Float, Int

from promptlab.data.example import Example
from promptlab.errors import AskError, InputError, WorkError
from promptlab.evaluation.trace import Trace, TraceCursor
from promptlab.models.base import LanguageModel
from promptlab.predictors.model_calls import StrategyResult, StrategyRun
from promptlab.predictors.scheduler import run_concurrently
from promptlab.prompts.parsers.open_answer import is_same_answer
from promptlab.prompts.prompt import Prompt, Slot, Text
from promptlab.strategies.chain_of_thought.worked_examples import WorkedExample, split_steps

By = Literal["tfidf", "embedding"]


@dataclass(frozen=True)
class AutoCoTConfig:
    """Which of its own reasonings a model is shown.

    Questions are clustered by k-means over TF-IDF weights or (``by`` *embedding*) the model's own
    vectors. Of every cluster the question nearest the centre is taken whose own length is at most
    ``question_tokens`` and whose reasoning has at most ``steps`` steps and, with ``right_only``,
    comes to the right label; after ``tries`` questions a cluster is given up. Zhang et al. 2022
    take 60 tokens and 5 steps and do not look at labels.
    """

    by: By = "tfidf"
    question_tokens: int = 60
    steps: int = 5
    right_only: bool = True
    tries: int = 8

    def __post_init__(self) -> None:
        if self.by not in get_args(By):
            raise InputError(f"unknown by {self.by!r}; it is one of {', '.join(get_args(By))}")
        for name in ("question_tokens", "steps", "tries"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; use 1 or more")

    def settings(self) -> dict[str, Any]:
        """Plain JSON data."""
        return asdict(self)


class ZeroShotReasoner(Protocol):
    """A zero-shot chain of thought, whose reasonings become demonstrations."""

    model: LanguageModel
    automatic: AutoCoTConfig

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of a question."""

    def solve(
        self, example: Example, branch: TraceCursor, sample: int = 0
    ) -> StrategyRun[StrategyResult]:
        """The reasoning and the answer."""


def select_auto_cot(
    train: Sequence[Example], reasoner: ZeroShotReasoner, count: int, seed: int
) -> list[WorkedExample]:
    """A worked example of every cluster that has one, in the order of the clusters.

    Raises `WorkError` when no reasoning passes, `InputError` for fewer examples than ``count``.
    """
    if not 0 < count <= len(train):
        raise InputError(
            f"{count} worked examples are asked for and there are {len(train)} training "
            "examples; use a count from 1 to that"
        )
    choice = reasoner.automatic
    texts = ["\n".join(e.fields[name] for name in reasoner.fields) for e in train]
    vectors = question_vectors(texts, reasoner.model, choice.by)
    queues = [
        [row for row in rows if _tokens(reasoner.model, texts[row]) <= choice.question_tokens]
        for rows in cluster_questions(vectors, count, seed)
    ]
    found: dict[int, WorkedExample] = {}
    for turn in range(choice.tries):
        asked = [n for n, q in enumerate(queues) if n not in found and turn < len(q)]
        rows = [train[queues[n][turn]] for n in asked]
        outcomes = run_concurrently([reasoner.solve(row, Trace().root) for row in rows])
        for number, row, outcome in zip(asked, rows, outcomes, strict=True):
            if (one := _passing(row, outcome, choice)) is not None:
                found[number] = one
    if not found:
        raise WorkError(
            "automatic chain of thought: no reasoning that the model wrote for "
            f"{min(choice.tries, max(map(len, queues)))} questions of each of {count} clusters "
            f"passed (at most {choice.question_tokens} tokens, {choice.steps} steps"
            + (", the right answer" if choice.right_only else "")
            + "); loosen these, use more tries, or write demonstrations by hand"
        )
    return [found[number] for number in sorted(found)]


def question_vectors(
    texts: Sequence[str], model: LanguageModel, by: By
) -> Float[np.ndarray, "text dim"]:
    """A vector of length 1 for every question."""
    if by == "embedding":
        from promptlab.predictors.retrieval import EmbeddingIndex

        return EmbeddingIndex(texts, model).vectors(texts)
    from sklearn.feature_extraction.text import TfidfVectorizer

    from promptlab.predictors.retrieval import split_words

    weights = TfidfVectorizer(analyzer=split_words).fit_transform(texts)
    return np.asarray(weights.toarray(), dtype=np.float64)


def cluster_questions(
    vectors: Float[np.ndarray, "text dim"], count: int, seed: int
) -> list[list[int]]:
    """The rows of every cluster of k-means, nearest its centre first; larger clusters first."""
    from sklearn.cluster import KMeans

    fitted = KMeans(n_clusters=count, n_init=10, random_state=seed).fit(vectors)
    distances = fitted.transform(vectors)
    labels: Int[np.ndarray, " text"] = fitted.labels_
    clusters = []
    for cluster in range(count):
        rows = np.flatnonzero(labels == cluster)
        order = np.argsort(distances[rows, cluster], kind="stable")
        clusters.append([int(row) for row in rows[order]])
    return sorted(clusters, key=lambda rows: (-len(rows), rows))


def _passing(
    row: Example, outcome: StrategyResult | AskError, choice: AutoCoTConfig
) -> WorkedExample | None:
    if isinstance(outcome, AskError) or outcome.label is None or not outcome.reasoning:
        return None
    if len(split_steps(outcome.reasoning)) > choice.steps:
        return None
    if choice.right_only and not _same(outcome.label, row.label):
        return None
    return WorkedExample(row.fields, " ".join(outcome.reasoning.split()), outcome.label)


def _same(found: str, label: str | None) -> bool:
    """Whether two answers are equal, as text or as numbers."""
    if label is None:
        return False
    return is_same_answer(found, label)


def _tokens(model: LanguageModel, text: str) -> int:
    return model.count_tokens(Prompt((Text(text), Slot())))
