"""A model's own chat template, run within limits before the library runs it without any."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NoReturn

import jinja2
from jinja2 import nodes
from jinja2.exceptions import SecurityError, TemplateAssertionError
from jinja2.ext import Extension
from jinja2.parser import Parser

from promptlab.errors import InputError
from promptlab.prompts.jinja.limit_errors import LimitExceeded
from promptlab.prompts.jinja.limits import count_usage
from promptlab.prompts.jinja.sandbox import JinjaSandbox, with_limits

_LONGEST = 200_000
"""Characters of a chat template; the longest known ones have a tenth."""


def check_limits(
    template: object, messages: Sequence[Mapping[str, str]], given: Mapping[str, Any]
) -> None:
    """Refuse a conversation on which a chat template would take far too long, or grow.

    transformers runs a chat template in a sandbox without limits on time and size. What the
    template refuses by itself is left to it.

    Args:
        template: The chat template's text.
        messages: The conversation.
        given: All else that the template is given.

    Raises:
        InputError: Saying which limit is passed.
    """
    if not isinstance(template, str) or len(template) > _LONGEST:
        raise InputError(
            "the model's chat template is no text, or longer than "
            f"{_LONGEST:,} characters; use a template without chat, or another chat template"
        )
    try:
        with count_usage():
            for _ in _compiled(template).generate(
                messages=list(messages), tools=None, documents=None, **given
            ):
                pass
    except (
        LimitExceeded,
        SecurityError,
        TemplateAssertionError,
        RecursionError,
        MemoryError,
    ) as error:
        raise InputError(
            "the model's chat template is not run: "
            f"{str(error)[:200] or 'it calls itself too deeply'}; use a template without chat, or "
            "another chat template"
        ) from error
    except Exception:
        return


@lru_cache(maxsize=16)
def _compiled(template: str) -> jinja2.Template:
    with count_usage() as meter, meter.check_time_at_calls():
        return _environment().from_string(template)


@lru_cache(maxsize=1)
def _environment() -> JinjaSandbox:
    """What chat templates are written for, by the library's own documentation."""
    made = JinjaSandbox(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, "jinja2.ext.loopcontrols"]
    )
    made.filters["tojson"] = with_limits("tojson", _to_json)
    made.globals |= {"raise_exception": _raise, "strftime_now": _now}
    return made


class _Generation(Extension):
    """``{% generation %}``: marks what the assistant says, and changes nothing."""

    tags = {"generation"}  # noqa: RUF012 - so Jinja declares it

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """The block's own content."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _raise(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _now(form: str) -> str:
    return datetime.now().strftime(form)
