"""What the right answer is ranked among: the objects of a relation, or the whole vocabulary."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence

import numpy as np
from jaxtyping import Float, Int

from promptlab.errors import CapabilityError
from promptlab.models.base import LanguageModel
from promptlab.models.local import LocalModel
from promptlab.predictors.knowledge_probe.answer_tokens import (
    answer_tokens,
    distinct_answers,
    spacing_samples,
)
from promptlab.prompts.prompt import Prompt

NOT_WRITABLE = "with an object outside of the vocabulary"
SEVERAL_TOKENS = "with an object that is not one token"
_PROMPTS_AT_ONCE = 128
_SCORES_AT_ONCE, _MIN_PROMPTS = 8_192, 8


class AnswerSpace(ABC):
    """The ``answers`` that are ranked; ``columns`` are the objects' places among them.

    ``columns`` has an object that stands for itself or for another one; ``reason`` is why the
    others have none.
    """

    answers: list[str]
    columns: dict[str, int]
    reason: str

    @property
    def size(self) -> int:
        """How many answers there are."""
        return len(self.answers)

    @property
    @abstractmethod
    def prompts_at_once(self) -> int:
        """How many prompts are asked in one call; work is told and can be stopped between two."""

    @abstractmethod
    def logprobs(
        self, model: LanguageModel, prompts: Sequence[Prompt]
    ) -> Float[np.ndarray, "prompt answer"]:
        """Log-probabilities in nats, normalised over the answers (eq. 3.2 of the book)."""


class ClosedAnswers(AnswerSpace):
    """The different objects of a relation, those of several tokens scored exactly.

    Args:
        model: The model, whose vocabulary says which objects are the same to it.
        samples: A prompt of every template.
        objects: The objects.
    """

    reason = NOT_WRITABLE

    def __init__(
        self, model: LanguageModel, samples: Sequence[Prompt], objects: Sequence[str]
    ) -> None:
        model.require("score")
        meaning = distinct_answers(model, spacing_samples(samples), objects)
        self.answers = [answer for answer in objects if meaning[answer] == answer]
        place = {answer: number for number, answer in enumerate(self.answers)}
        self.columns = {
            answer: place[other] for answer, other in meaning.items() if other is not None
        }

    @property
    def prompts_at_once(self) -> int:
        """Fewer, the more objects are scored after each."""
        return max(_MIN_PROMPTS, _SCORES_AT_ONCE // self.size)

    def logprobs(
        self, model: LanguageModel, prompts: Sequence[Prompt]
    ) -> Float[np.ndarray, "prompt answer"]:
        """What `LanguageModel.score` gives, normalised over the objects."""
        found = model.score(prompts, self.answers).logprobs
        normaliser = np.logaddexp.reduce(found, axis=1, keepdims=True)
        return np.asarray(found - normaliser)


class OpenVocabulary(AnswerSpace):
    """Every word that is one token of the vocabulary wherever a template has its slot.

    Control tokens and pieces that would be glued to the word before a blank are none. Tokens that
    differ in the blank before them alone are one word. A causal model reads what stands before the
    slot, no more.

    Args:
        model: The model whose vocabulary it is.
        samples: A prompt of every template.
        objects: The objects.
        common: Words that other models have, too, if there are such models: no other one is ranked.

    Raises:
        CapabilityError: For a model that does not show its vocabulary.
    """

    reason = SEVERAL_TOKENS

    def __init__(
        self,
        model: LanguageModel,
        samples: Sequence[Prompt],
        objects: Sequence[str],
        common: Collection[str] | None = None,
    ) -> None:
        model.require("fill")
        if not isinstance(model, LocalModel):
            raise CapabilityError(
                f"{model.name} does not show its vocabulary; use a local model, or closed answers"
            )
        spacings = spacing_samples(samples)
        kinds = dict.fromkeys(_excludes_pieces(model, prompt) for prompt in spacings)
        tables = {whole: word_tokens(model, pieces=not whole) for whole in kinds}
        own = _own_words(model, spacings, objects)
        self.answers = [
            word
            for word in next(iter(tables.values()))
            if all(word in table for table in tables.values())
            and (common is None or word in common or word in own)
        ]
        if not self.answers:
            raise CapabilityError(
                f"no word is one token of {model.name} and of all the other models; leave some of "
                "them out"
            )
        self._orders = {
            whole: _Order([table[word] for word in self.answers]) for whole, table in tables.items()
        }
        self._model = model
        self.columns = _columns(model, spacings, objects, self._order_of)

    @property
    def prompts_at_once(self) -> int:
        """As many as make a good batch."""
        return _PROMPTS_AT_ONCE

    def logprobs(
        self, model: LanguageModel, prompts: Sequence[Prompt]
    ) -> Float[np.ndarray, "prompt answer"]:
        """What the vocabulary has at the slots, normalised over the words."""
        assert isinstance(model, LocalModel)
        found = np.empty((len(prompts), len(self.answers)))
        rows = np.exp(model.vocabulary_logprobs(prompts).astype(np.float64))
        for place, prompt in enumerate(prompts):
            found[place] = self._order_of(prompt).sums(rows[place])
        with np.errstate(divide="ignore"):  # a word may have no probability at all
            return np.asarray(np.log(found / found.sum(axis=1, keepdims=True)))

    def _order_of(self, prompt: Prompt) -> _Order:
        return self._orders[_excludes_pieces(self._model, prompt)]


class _Order:
    """The tokens of every word, one word after the other."""

    def __init__(self, tokens: Sequence[Sequence[int]]) -> None:
        sizes = [len(ids) for ids in tokens]
        self.ids: Int[np.ndarray, " token"] = np.array(
            [token for ids in tokens for token in ids], dtype=np.int64
        )
        self.starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        self.column = {token: place for place, ids in enumerate(tokens) for token in ids}

    def sums(self, row: Float[np.ndarray, " vocab"]) -> Float[np.ndarray, " word"]:
        """The probability of every word: those of its tokens together."""
        return np.asarray(np.add.reduceat(row[self.ids], self.starts))


_OrderOf = Callable[[Prompt], _Order]


def word_tokens(model: LocalModel, *, pieces: bool) -> dict[str, list[int]]:
    """The tokens of every word of the vocabulary; ``pieces``: also of what begins no word."""
    control = {*model.tokenizer.all_special_ids, *model.encoding.control_ids}
    found: dict[str, list[int]] = {}
    for token in range(len(model.tokenizer)):
        if token in control:
            continue
        text, glued = model.token_texts.of(token)
        if (pieces or not glued) and (word := text.strip()):
            found.setdefault(word, []).append(token)
    return found


def _own_words(model: LocalModel, samples: Sequence[Prompt], objects: Sequence[str]) -> set[str]:
    """Objects of one token as the vocabulary writes them, without capitals in an uncased one."""
    tokens = [ids for sample in samples for ids in answer_tokens(model, sample, objects)]
    return {model.token_texts.of(ids[0])[0].strip() for ids in tokens if ids and len(ids) == 1}


def _excludes_pieces(model: LocalModel, prompt: Prompt) -> bool:
    """Whether pieces of words cannot stand in the slot: after a blank, or WordPiece's at all."""
    return prompt.left[-1:].isspace() or model.token_texts.word_pieces


def _columns(
    model: LocalModel, samples: Sequence[Prompt], objects: Sequence[str], order_of: _OrderOf
) -> dict[str, int]:
    """The column of every object that is one token, the same word in all slots."""
    places: dict[str, set[int]] = {answer: set() for answer in objects}
    for sample in samples:
        order = order_of(sample)
        for answer, ids in zip(objects, answer_tokens(model, sample, objects), strict=True):
            one = ids is not None and len(ids) == 1
            places[answer].add(order.column.get(ids[0], -1) if ids and one else -1)
    return {
        answer: next(iter(found))
        for answer, found in places.items()
        if len(found) == 1 and -1 not in found
    }
