"""Where Jinja and regular expressions of users are worked on: in this process, or apart from it.

A library's user and a command line work on their own texts, in this process. Whoever serves other
people calls `isolate_rendering` once: from then on all such texts go to processes of their own,
with limits on time and memory, so that no text can hold up the others.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from promptlab.errors import InputError, TemplateError
from promptlab.prompts.jinja import patterns, render
from promptlab.prompts.prompt import Segment

if TYPE_CHECKING:
    from promptlab.prompts.jinja.isolation.pool import WorkerPool

_MOST_KEPT, _LONGEST_KEPT = 1024, 20_000
"""Answers that are kept, and the characters that one may have with its question."""
_pool: WorkerPool | None = None
_kept: OrderedDict[Any, Any] = OrderedDict()
_lock = threading.Lock()


def isolate_rendering() -> None:
    """Work on Jinja templates and regular expressions in processes of their own from now on.

    For programs that serve other people. On systems that cannot fork nothing changes: there such
    texts are bounded in this process, as they are everywhere before.

    Returns:
        Nothing; the processes end with this one.

    Example:
        >>> isolate_rendering()
        >>> str(pl.Template("{{ text | upper }} It was {{ mask }}.").render({"text": "Fun!"}))
        'FUN! It was {mask}.'
        >>> end_isolation()  # for tests; a server goes on until it ends
    """
    global _pool
    if _pool is None and hasattr(os, "fork"):
        from promptlab.prompts.jinja.isolation.pool import WorkerPool

        _pool = WorkerPool()
        atexit.register(_pool.close)
        os.register_at_fork(after_in_child=_begin_anew)
    if _pool is not None:
        _pool.start()


def end_isolation() -> None:
    """Work in this process again, and end the others."""
    global _pool
    if _pool is not None:
        atexit.unregister(_pool.close)
        _pool.close()
        _pool = None
        _kept.clear()


def _begin_anew() -> None:
    """After a fork: the workers answer the process that has started them."""
    global _pool
    if _pool is not None:
        from promptlab.prompts.jinja.isolation.pool import WorkerPool

        _pool = WorkerPool()


def jinja_fields(text: str) -> tuple[str, ...]:
    """`render.jinja_fields`."""
    if _pool is None:
        return render.jinja_fields(text)
    return tuple(map(str, _ask_worker(_pool, "fields", text)))


def render_jinja(text: str, fields: Mapping[str, str]) -> tuple[Segment, ...]:
    """`render.render_jinja`."""
    if _pool is None:
        return render.render_jinja(text, fields)
    from promptlab.prompts.jinja.isolation.messages import segments_from_json

    read = {name: fields[name] for name in jinja_fields(text) if name in fields}
    others = sorted(name for name in fields if name not in read)
    return segments_from_json(_ask_worker(_pool, "render", text, read, others))


def check_pattern(pattern: str) -> None:
    """`pattern.check_pattern`."""
    if _pool is None:
        patterns.check_pattern(pattern)
    else:
        _ask_worker(_pool, "check", pattern)


def search_pattern(pattern: str, text: str) -> str | None:
    """`pattern.search_pattern`."""
    if _pool is None:
        return patterns.search_pattern(pattern, text)
    found = _ask_worker(_pool, "search", pattern, text)
    return None if found is None else str(found)


def run_isolated(operation: Callable[..., Any], *given: Any, too_slow: str) -> Any:
    """``operation(*given)`` with plain data, apart from this process if others are served.

    Args:
        operation: A function at the top level of a module of promptlab, from plain data to plain
            data: its arguments and its value cross a process boundary as JSON.
        given: Its arguments.
        too_slow: What is said when it takes longer than half a minute, or too much memory.

    Raises:
        InputError: As the function does, or with ``too_slow``.
    """
    if _pool is None:
        return operation(*given)
    do = f"{operation.__module__}:{operation.__qualname__}"
    return _ask_worker(_pool, do, *given, too_slow=InputError(too_slow))


def _ask_worker(pool: WorkerPool, do: str, *given: Any, too_slow: InputError | None = None) -> Any:
    """The value that a worker answers, or that was answered before; its error is raised.

    What says itself that it is ``too_slow`` has half a minute, all else a second.
    """
    key = _key(do, given)
    with _lock:
        answer = _kept.get(key)
        if answer is not None:
            _kept.move_to_end(key)
    if answer is None:
        answer = _answer(pool, do, given, too_slow)
        if key is not None and _length(answer) < _LONGEST_KEPT:
            with _lock:
                _kept[key] = answer
                if len(_kept) > _MOST_KEPT:
                    _kept.popitem(last=False)
    if "error" in answer:
        from promptlab.prompts.jinja.isolation.messages import error_from_json

        raise error_from_json(answer)
    return answer["value"]


def _answer(
    pool: WorkerPool, do: str, given: tuple[Any, ...], too_slow: InputError | None
) -> dict[str, Any]:
    from promptlab.prompts.jinja.isolation.messages import error_to_json
    from promptlab.prompts.jinja.isolation.pool import WorkerEnded

    try:
        return pool.ask(do, *given, long=too_slow is not None)
    except WorkerEnded:
        return error_to_json(too_slow or _ended_error(do, given))


def _ended_error(do: str, given: tuple[Any, ...]) -> InputError:
    """What is told of work that was ended."""
    if do in ("check", "search"):
        return InputError(patterns.too_slow(str(given[0]), str(given[-1])))
    return TemplateError(
        "Jinja: the template takes more than a second of computing, or too much memory",
        text=str(given[0]),
    )


def _key(do: str, given: tuple[Any, ...]) -> Any:
    """What an answer is kept by; ``None`` where it is not: what is long, or draws at random."""
    parts: list[Any] = [do]
    for value in given:
        parts += sorted(value.items()) if isinstance(value, Mapping) else [value]
    if _length(parts) > _LONGEST_KEPT or "random" in str(given[0]):
        return None
    return tuple(tuple(part) if isinstance(part, list) else part for part in parts)


def _length(value: Any) -> int:
    """Characters of all texts in a value."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(_length, value.values()))
    return sum(map(_length, value)) + len(value) if isinstance(value, list | tuple) else 1
