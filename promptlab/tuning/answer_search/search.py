"""One search for the answer words of every label: train proposes, dev or train chooses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from promptlab.data.folds import text_folds
from promptlab.errors import InputError
from promptlab.evaluation.predictions import Prediction, Predictions
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.tuning.answer_search.beam import (
    Answer,
    ProposedAnswers,
    padded_answers,
    propose_assignments,
    propose_many_to_one,
)
from promptlab.tuning.answer_search.candidates import assignments, candidate_words, word_scores
from promptlab.tuning.answer_search.choice import choose_on_dev, label_predictions
from promptlab.tuning.answer_search.config import AnswerSearchConfig, Chooser, Ranking
from promptlab.tuning.answer_search.scorer import AnswerScorer
from promptlab.tuning.answer_search.slots import AnswerSlots
from promptlab.tuning.answer_search.statistics import WordStatistics
from promptlab.tuning.fit_context import Measure


@dataclass(frozen=True)
class FoundAnswers:
    """The answers that a search has found, and what is known of them.

    Args:
        verbalizer: The words of every label.
        tried: How many answers were judged on train.
        kept: How many of them were judged on dev.
        train_accuracy: The share of the training examples that were read and are labelled rightly.
        value: The chosen answer's value where it was chosen (``chosen_on``): the best of several.
        corrected: The value corrected for the choice by cross-fitting, larger is better; ``None``
            with too few texts for two folds. On dev the choice among the kept answers is repeated
            without each fold and judged on it; on train the whole search is.
        folds: How many folds that were.
        chosen_on: Whether dev chose, or train alone.
        vocabulary: How many words could stand in the slot.
    """

    verbalizer: Verbalizer
    tried: int
    kept: int
    train_accuracy: float
    value: float
    corrected: float | None
    folds: int
    chosen_on: Chooser
    vocabulary: int

    def record(self) -> dict[str, Any]:
        """Plain JSON data, for reports."""
        told = {name: value for name, value in vars(self).items() if name != "verbalizer"}
        return {"answers": str(self.verbalizer)} | told


class AnswerSearch:
    """Searches the answers of one template; see `AnswerSearchConfig`.

    Args:
        slots: The slots of train and dev, read once.
        config: How is searched.
        measure: What dev (or train, where it chooses) judges by; larger is better.
        pool: The words of the vocabulary that are tried for every label (*paraphrase*); the best
            ranked are without it.
        stop: Called now and then; what it raises ends the search.

    Raises:
        InputError: For *paraphrase* without such words.
    """

    def __init__(
        self,
        slots: AnswerSlots,
        config: AnswerSearchConfig,
        measure: Measure,
        *,
        pool: Sequence[Sequence[int]] | None = None,
        stop: Callable[[], None] = lambda: None,
    ) -> None:
        if config.method == "paraphrase" and pool is None:
            raise InputError("the method paraphrase searches among given words; give their pool")
        self.slots, self.config, self.measure, self._stop = slots, config, measure, stop
        self._pool = pool

    def run(self) -> FoundAnswers:
        """The best answers. Raises `InputError` when a label has too few words."""
        chooses_on_dev = self.config.choose_on == "dev" and bool(self.slots.dev)
        return self._chosen_on_dev() if chooses_on_dev else self._chosen_on_train()

    def _chosen_on_dev(self) -> FoundAnswers:
        slots = self.slots
        every = np.ones(len(slots.train), dtype=bool)
        proposed = self._propose(slots.statistics(), every)
        words = _words_of(proposed.answers)
        scorer = self._scorer(slots.dev_scores(words), words)
        places = padded_answers(_renumbered(proposed.answers, words))
        found = choose_on_dev(
            scorer.label_logprobs(places),
            slots.dev,
            slots.labels,
            slots.dev_targets,
            text_folds(slots.dev, slots.dev_targets, self.config.folds, self.config.seed),
            self.measure,
        )
        chosen = self._found(proposed, found.place, "dev")
        return replace(chosen, value=found.value, corrected=found.corrected, folds=found.folds)

    def _chosen_on_train(self) -> FoundAnswers:
        """The answer that train proposes first; the whole search is repeated without each fold."""
        slots, config = self.slots, self.config
        folds = text_folds(slots.train, slots.targets, config.folds, config.seed)
        statistics = slots.statistics(folds)
        every = np.ones(len(slots.train), dtype=bool)
        proposed = self._propose(statistics, every)
        chosen = self._found(proposed, 0, "train")
        chosen = replace(
            chosen,
            kept=0,
            value=self.measure(Predictions(self._predicted(proposed.answers[0], every))),
        )
        if folds is None or not _has_every_label(statistics):
            return chosen
        held: dict[int, Prediction] = {}
        for fold in range(len(statistics.counts)):
            rest = self._propose(statistics.without_fold(fold), folds != fold)
            rows = self._predicted(rest.answers[0], folds == fold)
            held |= dict(zip(np.flatnonzero(folds == fold).tolist(), rows, strict=True))
        corrected = self.measure(Predictions(held[place] for place in sorted(held)))
        return replace(chosen, corrected=corrected, folds=len(statistics.counts))

    def _propose(
        self, statistics: WordStatistics, rows: Bool[np.ndarray, " example"]
    ) -> ProposedAnswers:
        """The best answers by these rows of train, as words of the vocabulary."""
        config, slots = self.config, self.slots
        self._stop()
        plain = config.method == "ratio"
        ranking: Ranking = "ratio" if plain else config.ranking
        candidates = self._candidates(statistics, ranking)
        words = sorted({word for own in candidates for word in own})
        scorer = self._scorer(slots.train_scores(words)[rows], words)
        places = {word: place for place, word in enumerate(words)}
        columns = [[places[word] for word in own] for own in candidates]
        targets = slots.targets[rows]
        if plain:
            proposed = _judged(scorer, targets, tuple(map(tuple, columns)))
        else:
            picks = assignments(
                columns, self._scores(statistics, ranking)[:, words], config.max_assignments
            )
            proposed = self._search(scorer, targets, picks, columns)
        answers = tuple(
            tuple(tuple(words[column] for column in own) for own in answer)
            for answer in proposed.answers
        )
        return replace(proposed, answers=answers)

    def _candidates(self, statistics: WordStatistics, ranking: Ranking) -> list[list[int]]:
        """The words of each label that are tried, best first."""
        config, plain = self.config, self.config.method == "ratio"
        if self._pool is not None:
            pairs = zip(self._pool, self._scores(statistics, ranking), strict=True)
            return [sorted(own, key=lambda word: -row[word]) for own, row in pairs]
        return candidate_words(
            statistics,
            self.slots.labels,
            top=config.words if plain else config.candidates,
            ranking=ranking,
            distinct=plain or config.distinct,
            least=config.words if plain else 1,
        )

    def _scores(
        self, statistics: WordStatistics, ranking: Ranking
    ) -> Float[np.ndarray, "label word"]:
        return word_scores(statistics, ranking, every=self._pool is not None)

    def _search(
        self,
        scorer: AnswerScorer,
        targets: np.ndarray,
        picks: np.ndarray,
        candidates: list[list[int]],
    ) -> ProposedAnswers:
        config = self.config
        if config.method == "assignment":
            return propose_assignments(scorer, targets, picks, config.kept)
        return propose_many_to_one(
            scorer,
            targets,
            picks,
            candidates,
            words=config.words,
            beam=config.beam,
            kept=config.kept,
        )

    def _predicted(self, answer: Answer, rows: Bool[np.ndarray, " example"]) -> list[Prediction]:
        """What an answer predicts for these rows of train."""
        words = _words_of([answer])
        scorer = self._scorer(self.slots.train_scores(words)[rows], words)
        (scores,) = scorer.label_logprobs(padded_answers(_renumbered([answer], words)))
        examples = [self.slots.train[int(i)] for i in np.flatnonzero(rows)]
        return label_predictions(scores, examples, self.slots.labels)

    def _scorer(self, logprobs: np.ndarray, words: list[int]) -> AnswerScorer:
        return AnswerScorer(
            logprobs,
            self.slots.free_scores(words),
            aggregation=self.config.aggregation,
            stop=self._stop,
        )

    def _found(self, proposed: ProposedAnswers, place: int, chosen_on: Chooser) -> FoundAnswers:
        vocabulary = self.slots.vocabulary.words
        answers = {
            label: [vocabulary[word] for word in own]
            for label, own in zip(self.slots.labels, proposed.answers[place], strict=True)
        }
        return FoundAnswers(
            verbalizer=Verbalizer(answers, aggregation=self.config.aggregation),
            tried=proposed.tried,
            kept=len(proposed.answers),
            train_accuracy=proposed.right[place],
            value=proposed.right[place],
            corrected=None,
            folds=0,
            chosen_on=chosen_on,
            vocabulary=len(vocabulary),
        )


def _judged(scorer: AnswerScorer, targets: np.ndarray, answer: Answer) -> ProposedAnswers:
    """The only answer that there is, with what train says of it."""
    found = scorer.quality(padded_answers([answer]), targets)
    right = float(found.right.sum()) / len(targets)
    return ProposedAnswers(
        (answer,), (right,), (-float(found.loglikelihood.sum()) / len(targets),), 1
    )


def _words_of(answers: tuple[Answer, ...] | list[Answer]) -> list[int]:
    return sorted({word for answer in answers for own in answer for word in own})


def _renumbered(answers: tuple[Answer, ...] | list[Answer], words: list[int]) -> list[Answer]:
    """Answers with each word's place among these words in its stead."""
    places = {word: place for place, word in enumerate(words)}
    return [tuple(tuple(places[word] for word in own) for own in answer) for answer in answers]


def _has_every_label(statistics: WordStatistics) -> bool:
    """Whether every label has an example outside of every fold."""
    rest = statistics.counts.sum(axis=0)[None] - statistics.counts
    return bool((rest > 0).all())
