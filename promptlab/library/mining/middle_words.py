"""Middle-word templates: what stands between the subject and the object (Jiang et al. 2020)."""

from __future__ import annotations

from promptlab.data.corpus.entity_pairs import PairOccurrence


def middle_words_template(text: str, found: PairOccurrence, field: str) -> str:
    """Make a template of the words between a pair's mentions.

    Args:
        text: The sentence.
        found: Where the pair stands in it, in either order.
        field: The field that stands for the subject; the slot stands for the object.

    Returns:
        The template, not yet normalised.

    Example:
        >>> from promptlab.data.corpus.entity_matcher import EntityMention
        >>> text = "Warsaw is the capital city of Poland."
        >>> found = PairOccurrence(0, EntityMention(0, 30, 36), EntityMention(1, 0, 6))
        >>> middle_words_template(text, found, "country")
        '{mask} is the capital city of {country}'
    """
    subject, mask = f"{{{field}}}", "{mask}"
    if found.subject.start < found.object.start:
        return subject + text[found.subject.stop : found.object.start] + mask
    return mask + text[found.object.stop : found.subject.start] + subject
