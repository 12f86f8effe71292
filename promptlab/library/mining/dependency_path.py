"""Dependency templates: the shortest path between subject and object, read in sentence order.

Jiang et al. 2020 take the whole phrase from the leftmost to the rightmost word of the path; here
the words of the path alone are read, so that what stands beside the relation is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from promptlab.data.corpus.entity_pairs import PairOccurrence


@dataclass(frozen=True)
class DependencyTree:
    """A parsed sentence: its words, where they begin, and the head of each.

    Args:
        words: The words and signs.
        starts: The first character of each in the sentence.
        heads: The number of each one's head; a root is its own head.

    Example:
        >>> tree = DependencyTree(("Paris", "shines"), (0, 6), (1, 1))
        >>> tree.span(0, 5)
        range(0, 1)
    """

    words: tuple[str, ...]
    starts: tuple[int, ...]
    heads: tuple[int, ...]

    def span(self, start: int, stop: int) -> range:
        """The words that share a character with a stretch of the sentence."""
        inside = [
            number
            for number, (begin, word) in enumerate(zip(self.starts, self.words, strict=True))
            if begin < stop and begin + len(word) > start
        ]
        return range(inside[0], inside[-1] + 1) if inside else range(0)


def path_to_root(heads: Sequence[int], word: int) -> list[int]:
    """The word, its head, that one's head and so on up to the root.

    Raises `ValueError` when heads lead in a circle.
    """
    path = [word]
    while heads[path[-1]] != path[-1]:
        path.append(heads[path[-1]])
        if len(path) > len(heads):
            raise ValueError("the heads of a sentence lead in a circle")
    return path


def shortest_path(heads: Sequence[int], first: int, second: int) -> list[int] | None:
    """Find the shortest path between two words of a dependency tree.

    Args:
        heads: The number of each word's head; a root is its own head.
        first: The word at which the path begins.
        second: The word at which it ends.

    Returns:
        The words on the path, both ends among them; ``None`` when they are in different trees.

    Example:
        >>> heads = [1, 4, 1, 2, 4, 4]  # The capital of France is Paris
        >>> shortest_path(heads, 3, 5)
        [3, 2, 1, 4, 5]
    """
    up, down = path_to_root(heads, first), path_to_root(heads, second)
    meeting = next((word for word in up if word in down), None)
    if meeting is None:
        return None
    return [*up[: up.index(meeting)], *reversed(down[: down.index(meeting) + 1])]


def phrase_head(heads: Sequence[int], phrase: range) -> int:
    """The word of a phrase that is nearest to the root; the first one of several."""
    return min(phrase, key=lambda word: (len(path_to_root(heads, word)), word))


def dependency_template(
    tree: DependencyTree, text: str, found: PairOccurrence, field: str
) -> str | None:
    """Make a template of the dependency path between a pair's mentions.

    Args:
        tree: The parsed sentence.
        text: The sentence.
        found: Where the pair stands in it.
        field: The field that stands for the subject; the slot stands for the object.

    Returns:
        The template, not yet normalised; ``None`` where no path holds both.

    Example:
        >>> from promptlab.data.corpus.entity_matcher import EntityMention
        >>> words = ("The", "capital", "of", "France", "is", "Paris")
        >>> tree = DependencyTree(words, (0, 4, 12, 15, 22, 25), (1, 4, 1, 2, 4, 4))
        >>> found = PairOccurrence(0, EntityMention(0, 15, 21), EntityMention(1, 25, 30))
        >>> dependency_template(tree, "The capital of France is Paris", found, "country")
        'capital of {country} is {mask}'
    """
    subject = tree.span(found.subject.start, found.subject.stop)
    answer = tree.span(found.object.start, found.object.stop)
    if not subject or not answer or set(subject) & set(answer):
        return None
    path = shortest_path(
        tree.heads, phrase_head(tree.heads, subject), phrase_head(tree.heads, answer)
    )
    if path is None:
        return None
    return _read(tree, text, sorted({*path, *subject, *answer}), subject, answer, field)


def _read(
    tree: DependencyTree, text: str, order: list[int], subject: range, answer: range, field: str
) -> str:
    """The words in their order, the two phrases as slots, blanks where the sentence has some."""
    pieces: list[str] = []
    last = -1
    for word in order:
        slot = f"{{{field}}}" if word in subject else "{mask}" if word in answer else None
        if slot is None or word in (subject[0], answer[0]):
            end = tree.starts[last] + len(tree.words[last])
            adjacent = last == word - 1 and not text[end : tree.starts[word]]
            pieces += [] if not pieces or adjacent else [" "]
            pieces.append(tree.words[word] if slot is None else slot)
        last = word
    return "".join(pieces)
