"""What went wrong, told where it was asked: to a program, in a toast, or in a drawing's place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec

import gradio as gr

import promptlab as pl

from ..server.fault_log import is_own, log_once
from ..server.request_values import check_arguments
from .gradio_internals import api
from .html import error

Asked = ParamSpec("Asked")


@contextmanager
def raise_gradio_errors() -> Iterator[None]:
    """Also a decorator: a `PromptlabError` as what a program gets and a page shows as a toast."""
    try:
        yield
    except pl.PromptlabError as problem:
        raise gr.Error(str(problem), print_exception=False) from problem


def error_for(problem: Exception) -> gr.Error:
    """The sentence for whoever asked, whatever went wrong; what nobody expected is also logged."""
    match problem:
        case gr.Error():
            problem.print_exception = False
            return problem
        case pl.PromptlabError():
            return gr.Error(str(problem), print_exception=False)
    name = type(problem).__name__
    if not is_own(problem):
        return gr.Error(f"what was sent does not fit the page ({name})", print_exception=False)
    log_once(problem)
    return gr.Error(
        f"promptlab met a fault of its own ({name}); the log of `promptlab ui` has the details",
        print_exception=False,
    )


def html_or_error(draw: Callable[Asked, Any]) -> Callable[Asked, str]:
    """Decorator: a drawing's HTML, or in its place what is wrong with what was asked."""

    @wraps(draw)
    def shown(*args: Asked.args, **kwargs: Asked.kwargs) -> str:
        try:
            return str(draw(*args, **kwargs))
        except pl.PromptlabError as problem:
            return str(error(problem))

    return shown


def api_endpoint(function: Callable[..., Any], name: str = "", **options: Any) -> None:
    """Offer ``function`` to programs, under its own name unless another is given.

    Its docstring and annotations are its documentation.
    """
    api(
        raise_gradio_errors()(check_arguments(function)),
        api_name=name or function.__name__,
        **options,
    )
