"""Answers found on train: combinations of one word a label, and further words for the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int

from promptlab.tuning.answer_search.scorer import NONE, AnswerQuality, AnswerScorer

Words = tuple[int, ...]
Answer = tuple[Words, ...]
"""The words of every label, as columns of the log-probabilities."""


@dataclass(frozen=True, eq=False)
class ProposedAnswers:
    """What train proposes: answers, the best first, and how many were tried for them.

    Args:
        answers: The best, at most as many as were to be kept.
        right: For each the share of training examples that it labels rightly.
        loss: For each the mean of -log p(right label) in nats.
        tried: How many answers were judged on train.
    """

    answers: tuple[Answer, ...]
    right: tuple[float, ...]
    loss: tuple[float, ...]
    tried: int


@dataclass
class _Judged:
    """All answers that were judged, with what came of it."""

    answers: list[Answer] = field(default_factory=list)
    right: list[float] = field(default_factory=list)
    likely: list[float] = field(default_factory=list)
    seen: set[Answer] = field(default_factory=set)

    def add(self, answers: Sequence[Answer], found: AnswerQuality) -> None:
        self.answers += answers
        self.right += found.right.sum(axis=1).tolist()
        self.likely += found.loglikelihood.sum(axis=1).tolist()
        self.seen.update(answers)

    def value(self, place: int) -> tuple[float, float]:
        """What an answer is judged by, larger is better."""
        return self.right[place], self.likely[place]

    def order(self) -> list[int]:
        """Places of all answers, the best first; of equals the likelier, then the earlier."""
        return sorted(range(len(self.answers)), key=lambda i: (-self.right[i], -self.likely[i], i))


def padded_answers(answers: Sequence[Answer]) -> Int[np.ndarray, "answer label place"]:
    """Answers as one array, `NONE` where a label has fewer words than another one."""
    width = max(len(words) for answer in answers for words in answer)
    found = np.full((len(answers), len(answers[0]), width), NONE, dtype=np.int64)
    for row, answer in enumerate(answers):
        for label, words in enumerate(answer):
            found[row, label, : len(words)] = words
    return found


def propose_assignments(
    scorer: AnswerScorer,
    targets: Int[np.ndarray, " example"],
    picks: Int[np.ndarray, "assignment label"],
    kept: int,
) -> ProposedAnswers:
    """The assignments of one word a label that do best without any learning (LM-BFF).

    They are pruned by their accuracy on train, ties by the likelihood of the right labels.
    """
    judged = _judged_assignments(scorer, targets, picks)
    return _proposed(judged, len(targets), kept)


def propose_many_to_one(
    scorer: AnswerScorer,
    targets: Int[np.ndarray, " example"],
    picks: Int[np.ndarray, "assignment label"],
    candidates: Sequence[Sequence[int]],
    *,
    words: int,
    beam: int,
    kept: int,
) -> ProposedAnswers:
    """Answers of up to ``words`` words a label, grown word by word from the best assignments.

    In every turn each of the ``beam`` best answers of the turn before is tried with each further
    candidate of each label; what is better than an answer that it was grown from goes on. A turn
    without any is the last. ``beam`` 1 is the greedy search.
    """
    judged = _judged_assignments(scorer, targets, picks)
    front = judged.order()[:beam]
    while front:
        parents: dict[Answer, list[int]] = {}
        for place in front:
            for grown in _grown(judged.answers[place], candidates, words):
                if grown not in judged.seen:
                    parents.setdefault(grown, []).append(place)
        if not parents:
            break
        first = len(judged.answers)
        answers = list(parents)
        judged.add(answers, scorer.quality(padded_answers(answers), targets))
        better = [
            first + number
            for number, places in enumerate(parents.values())
            if judged.value(first + number) > min(map(judged.value, places))
        ]
        front = sorted(better, key=lambda i: (-judged.right[i], -judged.likely[i], i))[:beam]
    return _proposed(judged, len(targets), kept)


def _judged_assignments(
    scorer: AnswerScorer,
    targets: Int[np.ndarray, " example"],
    picks: Int[np.ndarray, "assignment label"],
) -> _Judged:
    judged = _Judged()
    found = scorer.quality(picks[:, :, None], targets)
    judged.add([tuple((int(word),) for word in pick) for pick in picks], found)
    return judged


def _grown(answer: Answer, candidates: Sequence[Sequence[int]], words: int) -> list[Answer]:
    """The answer with one more word of one label; a label's words stand in the order of its rank.

    So a set of words is one answer, and the best ranked stands for the label in demonstrations.
    """
    used = {word for own in answer for word in own}
    found = []
    for label, own in enumerate(answer):
        if len(own) >= words:
            continue
        for word in candidates[label]:
            if word not in used:
                more = tuple(sorted((*own, word), key=candidates[label].index))
                found.append((*answer[:label], more, *answer[label + 1 :]))
    return found


def _proposed(judged: _Judged, examples: int, kept: int) -> ProposedAnswers:
    best = judged.order()[:kept]
    return ProposedAnswers(
        tuple(judged.answers[i] for i in best),
        tuple(judged.right[i] / examples for i in best),
        tuple(-judged.likely[i] / examples for i in best),
        len(judged.answers),
    )
