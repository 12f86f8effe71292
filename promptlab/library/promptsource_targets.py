"""What a Jinja target of another tool asks for: one of fixed answers, or a field's own text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import nodes

from promptlab.errors import InputError
from promptlab.prompts.jinja.render import parse_jinja

CHOICES = "answer_choices"
_COMPUTED = "its target is computed from the example, so that no list of answers stands for it"


@dataclass(frozen=True)
class Target:
    """The ``field`` that holds the label, and the answers by label; none where text is wanted."""

    field: str
    answers: tuple[tuple[str, str], ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that the answers stand for."""
        return tuple(label for label, _ in self.answers)


def read_target(text: str, choices: Sequence[str]) -> Target:
    """Read ``{{ answer_choices[label] }}``, ``{{ ["no", "yes"][label] }}`` or ``{{ label }}``.

    Where an index chooses, the labels are the indices as text. Raises `InputError` for any other
    target.
    """
    expression = _only(parse_jinja(text).body)
    if isinstance(expression, nodes.Name):
        return Target(expression.name, tuple((word, word) for word in _distinct(choices)))
    if not isinstance(expression, nodes.Getitem):
        raise InputError(_COMPUTED)
    index, source = expression.arg, expression.node
    while isinstance(index, nodes.Filter) and index.name in ("int", "trim"):
        index = index.node or nodes.Const("")
    if not isinstance(index, nodes.Name):
        raise InputError(_COMPUTED)
    if isinstance(source, nodes.Name) and source.name == CHOICES:
        words = _distinct(choices)
    elif isinstance(source, nodes.List):
        words = _distinct([str(item.as_const()) for item in _constants(source)])
    else:
        raise InputError(_COMPUTED)
    if not words:
        raise InputError("its target chooses among answers, and it lists none")
    return Target(index.name, tuple((str(place), word) for place, word in enumerate(words)))


def fixed_choices(text: str | None) -> tuple[str, ...]:
    """The answers of ``no ||| yes``. Raises `InputError` where they depend on the example."""
    if not text or not text.strip():
        return ()
    parts = _parts(parse_jinja(text).body)
    if not all(isinstance(part, nodes.TemplateData) for part in parts):
        raise InputError("its answers change from example to example; here they are a fixed list")
    words = "".join(part.data for part in parts if isinstance(part, nodes.TemplateData))
    return tuple(word.strip() for word in words.split("|||"))


def _only(body: Sequence[nodes.Node]) -> nodes.Node:
    """The one expression that a target prints, out of a guard against missing labels."""
    parts = [part for part in _parts(body) if not _is_blank(part)]
    if len(parts) != 1:
        raise InputError(_COMPUTED)
    part = parts[0]
    if isinstance(part, nodes.If) and not part.elif_ and not part.else_ and _guards(part.test):
        return _only(part.body)
    return part


def _parts(body: Sequence[nodes.Node]) -> list[nodes.Node]:
    return [
        part for node in body for part in (node.nodes if isinstance(node, nodes.Output) else [node])
    ]


def _guards(test: nodes.Node) -> bool:
    """Whether it is ``label != -1`` or ``label >= 0``: there is a label at all."""
    if not isinstance(test, nodes.Compare) or not isinstance(test.expr, nodes.Name):
        return False
    (right, *more) = test.ops
    try:
        value = right.expr.as_const()
    except nodes.Impossible:
        return False
    return not more and (right.op, value) in [("ne", -1), ("gteq", 0), ("gt", -1)]


def _constants(source: nodes.List) -> Sequence[nodes.Const]:
    items = [item for item in source.items if isinstance(item, nodes.Const)]
    if len(items) != len(source.items):
        raise InputError(_COMPUTED)
    return items


def _distinct(words: Sequence[str]) -> Sequence[str]:
    if len(set(words)) != len(words) or not all(words):
        raise InputError(f"its answers {', '.join(map(repr, words))} cannot be told apart")
    return words


def _is_blank(node: nodes.Node) -> bool:
    return isinstance(node, nodes.TemplateData) and not node.data.strip()
