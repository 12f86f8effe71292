"""How large a filter's or a method's result will be, where it can be much larger than its input.

A filter's arguments begin with the value that is piped into it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from promptlab.prompts.jinja.limits import MAX_CHARACTERS, UsageCounter

_PRECISION = 300
_REFERENCE = 8


def foresee_filter(usage: UsageCounter, name: str, args: tuple[Any, ...], options: Any) -> None:
    """Raise `LimitExceeded` where the filter ``name`` would make a huge value."""
    if (foresee := _FILTERS.get(name)) is not None:
        usage.check_result_size(name, foresee(usage, args, options))


def foresee_method(usage: UsageCounter, owner: str, name: str, args: tuple[Any, ...]) -> None:
    """Raise `LimitExceeded` where the method ``name`` of a text would make a huge value."""
    match name, args:
        case "join", (items, *_):
            usage.check_result_size(name, usage.size(items) + _count(items) * len(owner))
        case "replace", (str(old), str(new), *_):
            usage.check_result_size(name, _replaced(owner, old, new))
        case "translate", (Mapping() as table, *_):
            longest = max((len(v) for v in table.values() if isinstance(v, str)), default=1)
            usage.check_result_size(name, len(owner) * max(1, longest))
        case "expandtabs", (int(width), *_):
            usage.check_result_size(name, len(owner) + owner.count("\t") * abs(width))
        case (("center" | "ljust" | "rjust" | "zfill"), (int(width), *_)):
            usage.check_result_size(name, abs(width))


def _replaced(text: Any, old: Any, new: Any) -> int:
    """The length of a text after a replacement."""
    text, old, new = str(text), str(old), str(new)
    rough = len(text) + (len(text) // max(1, len(old)) + 1) * len(new)
    if rough <= MAX_CHARACTERS or not old:
        return rough
    return len(text) + text.count(old) * (len(new) - len(old))


def _count(items: Any) -> int:
    return len(items) if hasattr(items, "__len__") else 0


def _given(args: tuple[Any, ...], options: Any, place: int, name: str, usual: Any) -> Any:
    """An argument that stands in a place or has a name; ``usual`` where it is no use."""
    value = args[place] if len(args) > place else options.get(name, usual)
    return usual if value is None else value


def _number(value: Any) -> float:
    """What ``int(value)`` gives, which is what the filters make of their widths."""
    try:
        return abs(int(value)) if not isinstance(value, str) or len(value) < 50 else 0
    except (TypeError, ValueError, OverflowError):
        return 0


def _centered(usage: UsageCounter, args: tuple[Any, ...], options: Any) -> float:
    return max(usage.size(args[0]), _number(_given(args, options, 1, "width", 80)))


def _indented(usage: UsageCounter, args: tuple[Any, ...], options: Any) -> float:
    width = _given(args, options, 1, "width", 4)
    text = str(args[0])
    breaks = text.count("\n") + 1  # the filter knows this sign alone where it indents blank lines
    lines = max(breaks, len(text.splitlines()) + 1)
    return len(text) + lines * (len(width) if isinstance(width, str) else _number(width))


def _wrapped(usage: UsageCounter, args: tuple[Any, ...], options: Any) -> float:
    text, width = str(args[0]), max(1.0, _number(_given(args, options, 1, "width", 79)))
    between = _given(args, options, 3, "wrapstring", "\n")
    pieces = len(text) / width * 2 + text.count("\n") + 1
    return len(text) + pieces * len(str(between))


def _joined(usage: UsageCounter, args: tuple[Any, ...], options: Any) -> float:
    between = str(_given(args, options, 1, "d", ""))
    return usage.size(args[0]) + _count(args[0]) * len(between)


def _exchanged(usage: UsageCounter, args: tuple[Any, ...], options: Any) -> float:
    new = _given(args, options, 2, "new", "")
    return _replaced(args[0], _given(args, options, 1, "old", ""), new)


def _listed(usage: UsageCounter, args: tuple[Any, ...], options: Any) -> float:
    value = args[0]
    return _REFERENCE * len(value) if isinstance(value, str | bytes) else 0


def _filled_up(usage: UsageCounter, args: tuple[Any, ...], options: Any) -> float:
    return _REFERENCE * _number(_given(args, options, 1, "linecount", 0))


def _sliced(usage: UsageCounter, args: tuple[Any, ...], options: Any) -> float:
    return _REFERENCE * _number(_given(args, options, 1, "slices", 0)) + _listed(usage, args, {})


def _rounded(usage: UsageCounter, args: tuple[Any, ...], options: Any) -> float:
    """Ten to the power of the precision is computed."""
    return (
        MAX_CHARACTERS + 1 if _number(_given(args, options, 1, "precision", 0)) > _PRECISION else 0
    )


def _read_as_number(usage: UsageCounter, args: tuple[Any, ...], options: Any) -> float:
    """A base that is a power of two takes digits without end."""
    digits = args[0]
    return MAX_CHARACTERS + 1 if isinstance(digits, str) and len(digits) > _PRECISION * 10 else 0


def _dumped(usage: UsageCounter, args: tuple[Any, ...], options: Any) -> float:
    """Every line is indented as often as its list is deep."""
    indent = _number(_given(args, options, 1, "indent", 0))
    return usage.size(args[0]) / _REFERENCE * indent * 10


_FILTERS: Mapping[str, Callable[[UsageCounter, tuple[Any, ...], Any], float]] = {
    "batch": _filled_up,
    "center": _centered,
    "indent": _indented,
    "int": _read_as_number,
    "join": _joined,
    "list": _listed,
    "replace": _exchanged,
    "round": _rounded,
    "slice": _sliced,
    "tojson": _dumped,
    "wordwrap": _wrapped,
}
