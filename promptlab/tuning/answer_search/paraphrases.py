"""Words that say what given answers say: from their neighbourhood, or from a language model.

Answers are paraphrased, and the paraphrases tested (Jiang et al. 2020, "How can we know what
language models know?", for prompts and answers alike). Whatever proposes a word, it is taken only
if it is a word of the slot's vocabulary: whole, readable, and one token there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from promptlab.errors import InputError
from promptlab.models.base import LanguageModel
from promptlab.models.local import LocalModel
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.prompt import Prompt
from promptlab.prompts.template import Template
from promptlab.tuning.answer_search.vocabulary import SlotVocabulary

NOT_IN_VOCABULARY = "no whole word of letters that is one token at the slot"
SEVERAL_WORDS = "several words"
REPEATED = "a word that was there already"
OF_TWO_LABELS = "a word that was proposed for two labels"
GIVEN_UNKNOWN = "a given answer that is not one token at the slot"
REQUEST = Template(
    "List {count} single words that mean the same as {words}, or nearly so. Write the words alone, "
    "separated by commas.\n\nWords: {mask}",
    name="paraphrases of answers",
)
_SEPARATORS = re.compile(r"[,;\n/]|\s-\s|\band\b")
_MARKS = re.compile(r"^[\s\d.)*•\"'“”‘’`-]+|[\s.!?\"'“”‘’`*:]+$")


@dataclass
class Paraphrases:
    """Candidate words of every label, the given ones first, as places in the vocabulary.

    Args:
        words: For each label its words.
        given: How many of them were given, for each label.
        tokens: Prompt and reply tokens of a writer.
        dropped: How many words were dropped, by reason.
    """

    words: list[list[int]]
    given: list[int]
    tokens: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    def record(self) -> dict[str, Any]:
        """Plain JSON data, for reports."""
        proposed = [len(words) - n for words, n in zip(self.words, self.given, strict=True)]
        return {"proposed": sum(proposed), "dropped": dict(self.dropped), "tokens": self.tokens}

    @property
    def dropped_text(self) -> str:
        """The dropped words in words, empty if there are none.

        Example:
            >>> from promptlab.tuning.answer_search.paraphrases import Paraphrases
            >>> Paraphrases([], [], dropped=Counter({"several words": 2})).dropped_text
            '2 dropped: several words'
        """
        return "; ".join(f"{n} dropped: {why}" for why, n in self.dropped.most_common())


def given_words(
    answers: Mapping[str, Sequence[str]], labels: Sequence[str], vocabulary: SlotVocabulary
) -> Paraphrases:
    """The given answers that can stand in the slot as one token, which candidates begin with.

    Args:
        answers: The answers of every label.
        labels: The labels in their order.
        vocabulary: The words that are one token at the slot.

    Raises:
        InputError: When none of a label's answers can.
    """
    places = _places(vocabulary)
    found = Paraphrases([], [])
    for label in labels:
        own = [_place_of(answer, places) for answer in answers[label]]
        words = list(dict.fromkeys(place for place in own if place is not None))
        found.dropped[GIVEN_UNKNOWN] += sum(place is None for place in own)
        if not words:
            raise InputError(
                f"none of the given answers of the label {label!r} "
                f"({', '.join(answers[label])}) is one whole word of the vocabulary at the slot, "
                "so there is nothing to paraphrase; give another word, or use the method assignment"
            )
        found.words.append(words)
        found.given.append(len(words))
    found.dropped += Counter()  # zeros go
    return found


def add_nearest(found: Paraphrases, rows: Float[np.ndarray, "word dim"], top: int) -> Paraphrases:
    """With the words whose rows are nearest to those of a label's given words.

    A word is near by its largest cosine to one of them, rows taken as they differ from their mean
    (which all words share). A word that is near to two labels is left to the nearer one.

    Args:
        found: The given words.
        rows: The rows of the vocabulary head of all words of the slot's vocabulary.
        top: At most so many words a label, the given ones among them.
    """
    centred = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    units = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    near = np.stack([(units @ units[words].T).max(axis=1) for words in found.words])
    used = [word for words in found.words for word in words]
    own = near.argmax(axis=0)
    made = []
    for label, words in enumerate(found.words):
        column = np.where(own == label, near[label], -np.inf)
        column[used] = -np.inf
        ranked = np.argsort(-column, kind="stable")[: max(0, top - len(words))]
        made.append(words + [int(word) for word in ranked if np.isfinite(column[word])])
    return replace(found, words=made)


def vocabulary_rows(model: LocalModel, vocabulary: SlotVocabulary) -> Float[np.ndarray, "word dim"]:
    """The rows of the vocabulary head that belong to the words."""
    network = model.engine.network
    ids = torch.tensor(vocabulary.tokens, device=network.device)
    found: Float[np.ndarray, "word dim"] = network.vocabulary_head.rows(ids).cpu().numpy()
    return found


def answer_request(answers: Sequence[str], top: int, *, chat: bool = False) -> Prompt:
    """What a writer is asked for words with the meaning of a label's answers.

    Example:
        >>> from promptlab.tuning.answer_search.paraphrases import answer_request
        >>> print(str(answer_request(["good", "fine"], 9)).partition(",")[0])
        List 9 single words that mean the same as "good" or "fine"
    """
    words = " or ".join(f'"{answer}"' for answer in answers)
    return replace(REQUEST, chat=chat).render({"count": str(top), "words": words})


class AnswerWriter:
    """A language model that is asked for words with the meaning of given answers.

    Args:
        model: A model that generates; with a chat template it is asked in a conversation.
        decoding: How it writes; above temperature 0 every try is another sample.
        tries: Replies a label at most; a label that has words enough is not asked again.
        stop: Called before every reply; what it raises ends the work.

    Raises:
        CapabilityError: For a model that does not generate.

    Example:
        >>> from promptlab.tuning.answer_search.paraphrases import AnswerWriter
        >>> AnswerWriter.__name__
        'AnswerWriter'
    """

    def __init__(
        self,
        model: LanguageModel,
        decoding: Decoding,
        tries: int = 3,
        *,
        stop: Callable[[], None] = lambda: None,
    ) -> None:
        model.require("generate")
        self.model, self.decoding, self.tries, self._stop = model, decoding, tries, stop

    def add_written(
        self,
        found: Paraphrases,
        answers: Mapping[str, Sequence[str]],
        labels: Sequence[str],
        vocabulary: SlotVocabulary,
        top: int,
    ) -> Paraphrases:
        """With the words that the model writes, ``top`` a label at most, the given ones among them.

        A word that is written for two labels is taken for none.

        Args:
            found: The given words.
            answers: The given answers as text.
            labels: The labels in their order.
            vocabulary: The words that can be taken.
            top: At most so many words a label.
        """
        made = replace(found, words=[list(words) for words in found.words])
        made.dropped = Counter(found.dropped)
        places = _places(vocabulary)
        written = [
            self._write(number, answers[label], made, places, top)
            for number, label in enumerate(labels)
        ]
        counts = Counter(word for own in written for word in own)
        given = {word for words in found.words for word in words}
        for words, own in zip(made.words, written, strict=True):
            for word in own:
                if counts[word] > 1 or word in given:
                    made.dropped[OF_TWO_LABELS] += 1
                else:
                    words.append(word)
        return made

    def _write(
        self,
        number: int,
        answers: Sequence[str],
        made: Paraphrases,
        places: Mapping[str, int],
        top: int,
    ) -> list[int]:
        """New words of one label; tokens and what is dropped are counted in ``made``."""
        own: list[int] = []
        known = set(made.words[number])
        prompt = answer_request(answers, top, chat="chat" in self.model.capabilities)
        for attempt in range(self.tries):
            if len(known) + len(own) >= top:
                break
            self._stop()
            sample = number * self.tries + attempt
            (reply,) = self.model.generate([prompt], self.decoding, samples=[sample])
            made.tokens += reply.tokens_in + reply.tokens_out
            if reply.error is not None:
                made.dropped[f"no reply ({reply.error})"] += 1
                continue
            for text in read_words(reply.split_reply.answer or ""):
                place, reason = _judge(text, places, known | set(own))
                if reason is not None:
                    made.dropped[reason] += 1
                elif place is not None and len(known) + len(own) < top:
                    own.append(place)
            if self.decoding.temperature == 0:
                break  # it would say the same again
        return own


def read_words(reply: str) -> list[str]:
    """The words of a list as a model writes it, without numbers, bullets and quotes.

    Example:
        >>> read_words('1. good\\n2) "fine"\\n* very nice, and superb.')
        ['good', 'fine', 'very nice', 'superb']
    """
    parts = (_MARKS.sub("", part) for part in _SEPARATORS.split(reply))
    return [part for part in parts if part]


def _judge(text: str, places: Mapping[str, int], known: set[int]) -> tuple[int | None, str | None]:
    """The place of a written word, or why it is dropped."""
    if len(text.split()) > 1:
        return None, SEVERAL_WORDS
    place = _place_of(text, places)
    if place is None:
        return None, NOT_IN_VOCABULARY
    return (None, REPEATED) if place in known else (place, None)


def _places(vocabulary: SlotVocabulary) -> dict[str, int]:
    return {word: place for place, word in enumerate(vocabulary.words)}


def _place_of(text: str, places: Mapping[str, int]) -> int | None:
    """A word as it is, else without capitals: a list begins its words with them."""
    word = text.strip()
    return places.get(word, places.get(word.lower()))
