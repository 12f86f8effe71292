"""What a model's own code raises, told as errors that name the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from promptlab.engine.memory import out_of_memory
from promptlab.errors import CapabilityError, ModelError, NotFiniteError, PromptlabError

MODEL_FAILURES = (
    TypeError, ValueError, RuntimeError, AttributeError, IndexError, KeyError, AssertionError,
    CapabilityError, ModelError, NotFiniteError,
)  # fmt: skip
"""What models raise that cannot be run in the way in which they were tried."""


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
        if out_of_memory(error):
            raise
        raise ModelError(
            f"{name} ({type(model).__name__}) fails on {_size(inputs)}: its own "
            f"forward raises {describe_error(error)}; use another model, or other texts"
        ) from error


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
