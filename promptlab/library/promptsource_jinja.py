"""A Jinja wording of another tool as a template's text, where its meaning stays the same.

Fields are texts here. What reads inside a list or a mapping, counts with a field, or draws at
random would render to something else, or to nothing: it is refused, never bent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jinja2 import nodes

from promptlab.errors import InputError
from promptlab.library.promptsource_targets import CHOICES
from promptlab.prompts.jinja.render import jinja_fields, parse_jinja

_RESERVED = {"mask", "soft", "trigger"}
_PRINTS = (
    nodes.Output, nodes.CondExpr, nodes.If, nodes.And, nodes.Or, nodes.Not, nodes.Concat,
    nodes.Operand,
)  # fmt: skip
"""Where a field may stand: there it is a text as it was."""
_TEXT_FILTERS = {
    "capitalize", "default", "d", "e", "escape", "indent", "lower", "replace", "safe", "string",
    "title", "trim", "truncate", "upper", "wordcount", "wordwrap",
}  # fmt: skip
_TEXT_METHODS = {
    "capitalize", "endswith", "lower", "lstrip", "replace", "rstrip", "split", "splitlines",
    "startswith", "strip", "title", "upper",
}  # fmt: skip


def template_text(wording: str, choices: Sequence[str] = ()) -> str:
    """The text of a template that renders ``wording`` and then has the slot.

    Plain fields between words become ``{field}``; what needs logic, and what may begin or end in a
    field's blanks, stays Jinja, with ``choices`` under the name that the wording has for them.
    Raises `InputError` saying why the meaning would be another.
    """
    wording = wording.strip()
    body = parse_jinja(wording).body
    fields = set(jinja_fields(wording)) - {CHOICES}
    taken = sorted(fields & _RESERVED)
    if taken:
        raise InputError(f"it reads a field {taken[0]!r}, and that name has a meaning here")
    for child, parent in _pairs(body):
        _check(child, parent, fields)
    if not fields:
        raise InputError("its input reads no field of the example")
    plain = _plain(body)
    solid = wording[0] not in "{" and wording[-1] not in "}"
    if plain is not None and solid:
        return f"{plain} {{mask}}"
    if CHOICES in jinja_fields(wording):
        if not choices:
            raise InputError("its input shows answers, and it lists none")
        listed = ", ".join(_quoted(word) for word in choices)
        wording = f"{{% set {CHOICES} = [{listed}] %}}{wording}"
        solid = False
    if not solid:  # fields and blocks may begin or end in blanks, which the other tool takes away
        wording = f"{{% filter trim %}}{wording}{{% endfilter %}}"
    return f"{wording} {{{{ mask }}}}"


def _plain(body: Sequence[nodes.Node]) -> str | None:
    """The wording in the plain grammar; ``None`` where it needs Jinja."""
    text = ""
    for node in body:
        for part in node.nodes if isinstance(node, nodes.Output) else [node]:
            if isinstance(part, nodes.TemplateData) and "\\" not in part.data:
                text += part.data.replace("{", "\\{").replace("}", "\\}")
            elif isinstance(part, nodes.Const) and str(part.value).isalnum():
                text += str(part.value)
            elif isinstance(part, nodes.Name) and part.name != CHOICES:
                text += f"{{{part.name}}}"
            else:
                return None
    return None if "{{" in text or "{%" in text else text


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _pairs(body: Sequence[nodes.Node]) -> Iterator[tuple[nodes.Node, nodes.Node | None]]:
    """Every node with the one that it stands in."""
    left: list[tuple[nodes.Node, nodes.Node | None]] = [(node, None) for node in body]
    while left:
        node, parent = left.pop()
        yield node, parent
        left += [(child, node) for child in node.iter_child_nodes()]


def _check(node: nodes.Node, parent: nodes.Node | None, fields: set[str]) -> None:
    """Raise `InputError` where a node makes the meaning another than it was."""
    if isinstance(node, nodes.Filter) and node.name == "random":
        raise InputError("it draws at random")
    if isinstance(node, nodes.Compare) and _names(node.expr) & fields:
        for operand in node.ops:
            value = operand.expr
            if isinstance(value, nodes.Neg) or (
                isinstance(value, nodes.Const) and not isinstance(value.value, str)
            ):
                raise InputError(
                    f"it compares the field {_names(node.expr).pop()!r} with a number; here "
                    "fields are texts"
                )
    if not isinstance(node, nodes.Name) or node.ctx != "load" or node.name not in fields:
        return
    if isinstance(parent, (*_PRINTS, nodes.Compare)):
        return
    if isinstance(parent, nodes.Filter) and node is parent.node and parent.name in _TEXT_FILTERS:
        return
    if isinstance(parent, nodes.Getattr) and parent.attr in _TEXT_METHODS:
        return
    raise InputError(_told(node.name, parent))


def _names(node: nodes.Node) -> set[str]:
    return {node.name} if isinstance(node, nodes.Name) else set()


def _told(name: str, parent: nodes.Node | None) -> str:
    if isinstance(parent, nodes.Getattr | nodes.Getitem):
        return f"it reads inside the field {name!r}; here fields are texts"
    if isinstance(parent, nodes.For):
        return f"it goes through the items of the field {name!r}; here fields are texts"
    if isinstance(parent, nodes.Call):
        return f"it calls {name}(), which there is not here"
    if isinstance(parent, nodes.Filter):
        return f"it puts the field {name!r} through {parent.name!r}, which may need a list"
    return f"it computes with the field {name!r}; here fields are texts"
