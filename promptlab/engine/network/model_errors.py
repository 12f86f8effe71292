"""What a model's own code raises, told as errors that name the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from torch import Tensor

from promptlab.engine.memory import out_of_memory
from promptlab.errors import CapabilityError, ModelError, NotFiniteError, PromptlabError

MODEL_FAILURES = (
    TypeError, ValueError, RuntimeError, AttributeError, IndexError, KeyError, AssertionError,
    CapabilityError, ModelError, NotFiniteError,
)  # fmt: skip
"""What models raise that cannot be run in the way in which they were tried."""

SIGNATURE_ERRORS = ("unexpected keyword argument", "required positional", "positional argument")
"""What Python says of a call that does not fit the function."""


@contextmanager
def model_errors(name: str, model: Any, inputs: Mapping[str, Any]) -> Iterator[None]:
    """What the model's code raises on ``inputs`` becomes a `ModelError`; lack of memory does not.

    ``name`` is the model's for the message.
    """
    try:
        yield
    except PromptlabError:
        raise
    except Exception as error:
        if out_of_memory(error) or is_own_mistake(error):
            raise
        raise ModelError(
            f"{name} ({type(model).__name__}) fails on {_size(inputs)}: its own "
            f"forward raises {describe_error(error)}; use another model, or other texts"
        ) from error


def raise_own_mistake(error: BaseException) -> None:
    """Raise a mistake of promptlab's own code again, which would else pass for the model's.

    A name that does not exist makes a model slow without a word where every failure means that
    the model does not support the quick way.
    """
    if is_own_mistake(error):
        raise error


def is_own_mistake(error: BaseException) -> bool:
    """Whether a name, an attribute or a parameter is missing in promptlab's own code."""
    if isinstance(error, AttributeError):
        owner = error.obj if isinstance(error.obj, ModuleType | type) else type(error.obj)
        return _is_own(str(getattr(owner, "__module__", None) or getattr(owner, "__name__", "")))
    if isinstance(error, NameError):
        return _is_own(_raised_in(error))
    if isinstance(error, TypeError):
        fits = any(words in str(error) for words in SIGNATURE_ERRORS)
        return fits and _is_own(_raised_in(error))
    return False


def _is_own(module: str) -> bool:
    return module.partition(".")[0] == "promptlab"


def _raised_in(error: BaseException) -> str:
    """The module whose code raised the error."""
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    return "" if step is None else str(step.tb_frame.f_globals.get("__name__", ""))


def describe_error(error: BaseException) -> str:
    """An exception of somebody else's code in a few words: its class and its first line."""
    told = (str(error).strip().splitlines() or [""])[0][:160].rstrip(".")
    return f"{type(error).__name__} ({told})" if told else type(error).__name__


def _size(inputs: Mapping[str, Any]) -> str:
    """How much a forward was given."""
    for name in ("input_ids", "decoder_input_ids"):
        if isinstance(ids := inputs.get(name), Tensor) and ids.dim() == 2:
            rows, tokens = ids.shape
            return f"{rows} {'row' if rows == 1 else 'rows'} of {tokens} tokens"
    return "what it was given"
