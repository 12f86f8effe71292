"""The answer slots of a template's examples, read once; then any word there is a product."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from promptlab.data.example import Example
from promptlab.errors import InputError
from promptlab.models.answer_score_cache import AnswerScoreCache
from promptlab.models.local import LocalModel
from promptlab.models.nested_answers import may_be_nested
from promptlab.predictors.calibration import Calibration
from promptlab.predictors.classifier import PromptClassifier
from promptlab.predictors.demonstrations.sampling import evenly_spaced, group_by_label
from promptlab.prompts.prompt import Prompt
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.tuning.answer_search.statistics import WordStatistics, vocabulary_blocks
from promptlab.tuning.answer_search.vocabulary import SlotVocabulary, find_slot_vocabulary
from promptlab.tuning.triggers.vocabulary_filter import TokenFilter

_READ_AT_A_TIME = 64
"""Prompts between two looks at whether the work is to stop."""
_PLACEHOLDER = "answer"
"""Stands for the words until they are found: about as much room is kept for it in the window."""


class WordScores:
    """The log-probabilities of words at the slots of fixed prompts, each computed once.

    They are those of `LocalModel.score`. A word of one token is a product with the kept features;
    what a causal model reads after the slot goes through the network, once for every word.
    """

    def __init__(self, model: LocalModel, prompts: Sequence[Prompt], words: Sequence[str]) -> None:
        self._cache = AnswerScoreCache(model, prompts, words)
        self._columns: dict[str, Float[np.ndarray, " prompt"]] = {}

    def columns(self, words: Sequence[str]) -> Float[np.ndarray, "prompt word"]:
        """One column a word, in nats."""
        for group in _apart([word for word in words if word not in self._columns]):
            found = self._cache.score(group).logprobs
            self._columns |= {word: found[:, place] for place, word in enumerate(group)}
        return np.stack([self._columns[word] for word in words], axis=1)


class AnswerSlots:
    """The slots of train and dev under one template, and the words that can stand in them.

    Args:
        model: A local model.
        template: With the slot.
        labels: The task's labels.
        train: Labelled examples that answers are proposed from.
        dev: Labelled examples that choose among them.
        tokens: What the vocabulary's entries are as text.
        calibration: Whose prior is taken off.
        capitalised: Whether words with capitals are candidates beside those without.
        train_examples: So many of train are read at most.
        stop: Called between blocks of examples; what it raises ends the work.

    Raises:
        InputError: When the model has no words for the slot, or a label has no example.
    """

    def __init__(
        self,
        model: LocalModel,
        template: Template,
        labels: Sequence[str],
        train: Sequence[Example],
        dev: Sequence[Example],
        tokens: TokenFilter,
        *,
        calibration: Calibration = "none",
        capitalised: bool = False,
        train_examples: int = 500,
        stop: Callable[[], None] = lambda: None,
    ) -> None:
        self.model, self.template, self.labels = model, template, tuple(labels)
        self.train = _share_of_each_label(train, train_examples)
        self.dev = list(dev)
        check_labels(self.train, self.labels, "train")
        self.targets = label_numbers(self.train, self.labels)
        self.dev_targets = label_numbers(self.dev, self.labels)
        made = self._classifier(calibration)
        made.prepare([*self.train, *self.dev])
        prompts = made.render_prompts(self.train)
        dev_prompts = made.render_prompts(self.dev) if self.dev else []
        free = made.prior_prompts(train)
        shortest = min(prompts, key=lambda prompt: len(str(prompt)))
        self.vocabulary: SlotVocabulary = find_slot_vocabulary(
            model, shortest, tokens, capitalised=capitalised
        )
        self._read([*prompts, *dev_prompts, *free], stop)
        self._features = model.features(prompts)
        first = self.vocabulary.words[:2]
        self._train = WordScores(model, prompts, first)
        self._dev = WordScores(model, dev_prompts, first) if dev_prompts else None
        self._free = WordScores(model, free, first) if free else None

    def _classifier(self, calibration: Calibration) -> PromptClassifier:
        """A classifier of the template, whose prompts are those that the answers will be for."""
        words = {label: f"{_PLACEHOLDER}{number}" for number, label in enumerate(self.labels)}
        settings: dict[str, Any] = {
            "template": self.template.settings(),
            "verbalizer": Verbalizer(words).settings(),
            "calibration": calibration,
            "choice": {},
            "demonstrations": [],
            "prior": None,
        }
        return PromptClassifier.from_settings(settings, self.model)

    def _read(self, prompts: Sequence[Prompt], stop: Callable[[], None]) -> None:
        """Send all prompts through the network; the store of features keeps what they give."""
        for start in range(0, len(prompts), _READ_AT_A_TIME):
            stop()
            self.model.features(prompts[start : start + _READ_AT_A_TIME])

    def statistics(self, folds: Int[np.ndarray, " example"] | None = None) -> WordStatistics:
        """What every word of the vocabulary is worth for every label, on train, by fold."""
        folds = np.zeros(len(self.targets), dtype=np.int64) if folds is None else folds
        blocks = vocabulary_blocks(
            self.model.engine.network, self._features, self.vocabulary.tokens
        )
        return WordStatistics.from_blocks(blocks, self.targets, folds, len(self.labels))

    def train_scores(self, words: Sequence[int]) -> Float[np.ndarray, "example word"]:
        """Log-probabilities of words of the vocabulary at the slots of train, in nats."""
        return self._train.columns(self._texts(words))

    def dev_scores(self, words: Sequence[int]) -> Float[np.ndarray, "example word"]:
        """The same at the slots of dev."""
        assert self._dev is not None, "there is no dev"
        return self._dev.columns(self._texts(words))

    def free_scores(self, words: Sequence[int]) -> Float[np.ndarray, "prompt word"] | None:
        """The same at the slots that make the calibration's prior; None without calibration."""
        return None if self._free is None else self._free.columns(self._texts(words))

    def _texts(self, words: Sequence[int]) -> list[str]:
        return [self.vocabulary.words[word] for word in words]


def label_numbers(
    examples: Sequence[Example], labels: Sequence[str]
) -> Int[np.ndarray, " example"]:
    """The place of every example's label among the labels."""
    numbers = {label: number for number, label in enumerate(labels)}
    return np.array([numbers[str(example.label)] for example in examples], dtype=np.int64)


def check_labels(examples: Sequence[Example], labels: Sequence[str], name: str) -> None:
    """Refuse examples with a label that is none of these, or that lack one of them."""
    found = {str(example.label) for example in examples}
    if missing := [label for label in labels if label not in found]:
        raise InputError(
            f"no example of {name} has the label {', '.join(map(repr, missing))}, so no words can "
            "be found for it; give at least one example of every label"
        )
    if strange := sorted(found - set(labels)):
        raise InputError(
            f"examples of {name} have the label {', '.join(map(repr, strange))}, and the labels "
            f"are {', '.join(map(repr, labels))}"
        )


def _share_of_each_label(examples: Sequence[Example], count: int) -> list[Example]:
    """About ``count`` examples in their order, the same share of each label, at least one."""
    if len(examples) <= count:
        return list(examples)
    share = count / len(examples)
    chosen = {
        example.id
        for group in group_by_label(examples)
        for example in evenly_spaced(group, max(1, round(share * len(group))))
    }
    return [example for example in examples if example.id in chosen]


def _apart(words: Sequence[str]) -> list[list[str]]:
    """Words in groups in which none begins another one, so that each is scored as if alone."""
    groups: list[list[str]] = []
    for word in words:
        for group in groups:
            if not may_be_nested((*group, word)):
                group.append(word)
                break
        else:
            groups.append([word])
    return groups
