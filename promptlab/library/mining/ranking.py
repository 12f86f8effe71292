"""How many pairs each mined template covers, and which are the best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from promptlab.errors import TemplateError
from promptlab.library.mining.wording import similarity_key, usable_models
from promptlab.prompts.template import Template

Method = Literal["middle", "dependency"]
MAX_EXAMPLES = 3
MAX_DISTINCT = 500_000
"""Templates that are counted at a time; beyond, those of one sentence are forgotten."""
FEW_PAIRS = "too few pairs"
NEAR_DUPLICATE = "like a better one"
RARE = "of one sentence, forgotten to keep memory bounded"
REFUSED = "that no template may hold"
BEYOND_TOP = "beyond the number asked for"


@dataclass(frozen=True)
class MinedTemplate:
    """A template that was mined, and what supports it.

    `promptlab.library.mine_templates` gives them.

    Args:
        text: The template: a field for the subject, ``{mask}`` for the object.
        pairs: How many distinct pairs stand so in the corpus.
        sentences: In how many sentences.
        methods: How it was found: *middle* words, *dependency* path, or both.
        examples: Some of the sentences, each of another pair.

    Example:
        >>> found = MinedTemplate("{country} has the capital {mask}", 3, 5, ("middle",), ())
        >>> found.record()["pairs"]
        3
    """

    text: str
    pairs: int
    sentences: int
    methods: tuple[Method, ...]
    examples: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """Plain JSON data; ``models`` says which families can use the template."""
        return {
            "text": self.text,
            "pairs": self.pairs,
            "sentences": self.sentences,
            "methods": list(self.methods),
            "examples": list(self.examples),
            "models": usable_models(self.text),
        }


@dataclass
class _Support:
    """What supports one template so far."""

    pairs: set[int] = field(default_factory=set)
    sentences: int = 0
    methods: set[Method] = field(default_factory=set)
    examples: list[str] = field(default_factory=list)


class TemplateCounter:
    """Counts templates over the sentences of a corpus.

    Args:
        max_distinct: Templates that are counted at a time.

    Example:
        >>> counter = TemplateCounter()
        >>> for pair in (0, 1):
        ...     counter.add({("{x} is {mask}", pair): {"middle"}}, f"sentence {pair}")
        >>> counter.rank(10, min_pairs=2)[0][0].pairs
        2
    """

    def __init__(self, max_distinct: int = MAX_DISTINCT) -> None:
        self._max = max_distinct
        self._found: dict[str, _Support] = {}
        self._forgotten = 0

    def __len__(self) -> int:
        return len(self._found)

    def add(self, found: Mapping[tuple[str, int], Iterable[Method]], sentence: str) -> None:
        """Count a sentence: the templates and pairs in it, each with how it was found."""
        counted: set[str] = set()
        for (text, pair), methods in found.items():
            support = self._found.setdefault(text, _Support())
            support.sentences += text not in counted
            counted.add(text)
            support.methods.update(methods)
            if pair not in support.pairs and len(support.examples) < MAX_EXAMPLES:
                support.examples.append(sentence)
            support.pairs.add(pair)
        if len(self._found) > self._max:
            self._forget()

    def rank(self, top: int, *, min_pairs: int) -> tuple[list[MinedTemplate], dict[str, int]]:
        """Choose the best templates.

        The more distinct pairs the better, then the more sentences, then the shorter text, then by
        the alphabet.

        Args:
            top: The most templates.
            min_pairs: The fewest pairs of each.

        Returns:
            The templates, best first, and how many were dropped by the reason.
        """
        dropped: Counter[str] = Counter()
        if self._forgotten:
            dropped[RARE] = self._forgotten
        chosen: list[MinedTemplate] = []
        keys: set[str] = set()
        for text, support in sorted(self._found.items(), key=lambda item: _order(*item)):
            key = similarity_key(text)
            if len(support.pairs) < min_pairs:
                dropped[FEW_PAIRS] += 1
            elif key in keys:
                dropped[NEAR_DUPLICATE] += 1
            elif len(chosen) >= top:
                dropped[BEYOND_TOP] += 1
            elif not _is_template(text):
                dropped[REFUSED] += 1
            else:
                chosen.append(_template(text, support))
            keys.add(key)
        return chosen, dict(dropped)

    def _forget(self) -> None:
        """Forget the templates of one sentence, or all, where none has more."""
        kept = {text: found for text, found in self._found.items() if found.sentences > 1}
        self._forgotten += len(self._found) - len(kept)
        self._found = kept


def _is_template(text: str) -> bool:
    """Whether a text is a template; asked of few, since every one is searched for secrets."""
    try:
        Template(text)
    except TemplateError:
        return False
    return True


def _order(text: str, support: _Support) -> tuple[int, int, int, str]:
    return (-len(support.pairs), -support.sentences, len(text), text)


def _template(text: str, support: _Support) -> MinedTemplate:
    methods: tuple[Method, ...] = ("middle", "dependency")
    return MinedTemplate(
        text,
        len(support.pairs),
        support.sentences,
        tuple(method for method in methods if method in support.methods),
        tuple(support.examples),
    )
