"""A relation: facts of a subject and an object, and the templates that ask for the object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from promptlab.errors import InputError, TemplateError
from promptlab.prompts.template import Template

SUBJECT = "subject"
"""The field of a template that was written with ``[X]``."""
_X, _Y = "[X]", "[Y]"
EMPTY = "without a subject or an object"
REPEATED = "repeated"


class Fact(NamedTuple):
    """A subject and the object that a relation gives it.

    Args:
        subject: What is asked about, such as ``"Poland"``.
        object: The answer, such as ``"Warsaw"``.

    Example:
        >>> Fact("Mexico", "Mexico City").names_object, Fact("Mexico City", "Mexico").names_object
        (False, True)
    """

    subject: str
    object: str

    @property
    def names_object(self) -> bool:
        """Whether the subject holds the object, case apart (the filter of Poerner et al. 2020)."""
        return self.object.casefold() in self.subject.casefold()

    def record(self) -> dict[str, str]:
        """As JSON data."""
        return {"subject": self.subject, "object": self.object}


@dataclass(frozen=True, init=False)
class Relation:
    """Facts of one kind, and the templates that ask for them.

    White space around subjects and objects is dropped; a fact that repeats counts once.

    Args:
        name: What the relation is called, such as ``"P36"``.
        facts: Facts, or pairs of a subject and its object.
        templates: Templates with one field, or texts: ``"[X]"`` is the subject and ``"[Y]"`` the
            object, or promptlab's own braces (``"The capital of {country} is {mask}."``).
        weights: The templates' weights as somebody else has learned them, such as LPAQA's.
        left_out: How many facts were left out, by the reason.

    Raises:
        InputError: For a template without exactly one subject and one object, and for weights
            that are not one number a template.

    Example:
        >>> capitals = Relation("capital", [("Poland", "Warsaw")], ["The capital of [X] is [Y]."])
        >>> capitals.facts[0].object, capitals.templates[0].source
        ('Warsaw', 'The capital of {subject} is {mask}.')
    """

    name: str
    facts: tuple[Fact, ...]
    templates: tuple[Template, ...]
    weights: tuple[float, ...] | None
    left_out: Mapping[str, int]

    def __init__(
        self,
        name: str,
        facts: Iterable[tuple[str, str]],
        templates: Iterable[Template | str] = (),
        weights: Sequence[float] | None = None,
        left_out: Mapping[str, int] | None = None,
    ) -> None:
        given = [Fact(subject.strip(), object.strip()) for subject, object in facts]
        whole = [fact for fact in given if fact.subject and fact.object]
        kept = tuple(dict.fromkeys(whole))
        counts = {EMPTY: len(given) - len(whole), REPEATED: len(whole) - len(kept)}
        for reason, number in (left_out or {}).items():
            counts[reason] = counts.get(reason, 0) + number
        asked = tuple(relation_template(template) for template in templates)
        if weights is not None and (len(weights) != len(asked) or min(weights, default=0) < 0):
            raise InputError(
                f"the relation {name} has {len(asked)} templates and the weights {list(weights)}; "
                "give one number a template, none below 0"
            )
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "facts", kept)
        object.__setattr__(self, "templates", asked)
        object.__setattr__(self, "weights", None if weights is None else tuple(weights))
        object.__setattr__(self, "left_out", {key: n for key, n in counts.items() if n})

    @property
    def objects(self) -> tuple[str, ...]:
        """The different objects, in the order of the facts."""
        return tuple(dict.fromkeys(fact.object for fact in self.facts))


def relation_template(given: Template | str) -> Template:
    """A template for facts: one field, which reads the subject, and the slot for the object.

    Args:
        given: A template, its text, or a text with ``[X]`` and ``[Y]`` as in LAMA and LPAQA, in
            which braces are plain characters.

    Returns:
        The template.

    Raises:
        InputError: When it does not read exactly one field, or ``[X]`` or ``[Y]`` is missing or
            stands twice.

    Example:
        >>> relation_template("[X] is the capital of [Y].").source
        '{subject} is the capital of {mask}.'
    """
    if isinstance(given, str) and (_X in given or _Y in given):
        if given.count(_X) != 1 or given.count(_Y) != 1:
            raise TemplateError(
                f"the template {given!r} must hold [X] (the subject) once and [Y] (the object) once"
            )
        plain = given.replace("{", "\\{").replace("}", "\\}").strip()
        given = plain.replace(_X, f"{{{SUBJECT}}}").replace(_Y, "{mask}")
    template = Template(given) if isinstance(given, str) else given
    if len(template.fields) != 1:
        found = ", ".join(template.fields) or "none"
        raise TemplateError(
            f"the template {template.source!r} reads the fields {found}; a template for facts "
            "reads one, the subject, as in 'The capital of [X] is [Y].' or 'The capital of "
            "{subject} is {mask}.'"
        )
    return template
