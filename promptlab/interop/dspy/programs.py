"""Programs by name: DSPy's own modules and a user's, their state and their first page."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any

from promptlab.errors import InputError
from promptlab.files.code_permission import build_with, load_class
from promptlab.interop.dspy.adapters import AdapterChoice
from promptlab.interop.dspy.silence import dspy_package

PROGRAMS = ("predict", "chain_of_thought")


def make_program(name: str, signature: Any) -> Any:
    """A new ``dspy.Module`` of that name for ``signature``.

    ``package.module:Name`` is a module class of yours, called with the signature, or with nothing
    if it takes nothing. Raises `InputError` for anything else, and for code that is not allowed
    (`allow_code`).
    """
    dspy = dspy_package()
    if name == "predict":
        return dspy.Predict(signature)
    if name == "chain_of_thought":
        return dspy.ChainOfThought(signature)
    if ":" not in name:
        raise InputError(
            f"unknown program {name!r:.80}; it is {', '.join(PROGRAMS)}, or a dspy.Module of your "
            "own as package.module:Name"
        )
    found: type[Any] = load_class(name, dspy.Module, "program")
    return build_with(
        found, f"the program {name!r}", *([signature] if _takes_signature(found) else ())
    )


def plain_state(program: Any) -> dict[str, Any]:
    """The state of every predictor as JSON data: demonstrations, instructions, prefixes."""
    state: dict[str, Any] = json.loads(json.dumps(program.dump_state(), default=str))
    return state


def show_example(program: Any, adapter: AdapterChoice, values: Mapping[str, str]) -> str:
    """What the program's first predictor shows its model for an example, as a reader sees it.

    Inputs that other predictors would give stand as ``{name}``.
    """
    predictors = program.predictors()
    if not predictors:
        return ""
    predictor = predictors[0]
    inputs = {name: values.get(name, f"{{{name}}}") for name in predictor.signature.input_fields}
    demos = [dict(demo) for demo in predictor.demos]
    messages = adapter.make().format(predictor.signature, demos, inputs)
    if len(messages) == 1:
        return str(messages[0]["content"])
    return "\n\n".join(f"[{message['role']}] {message['content']}" for message in messages)


def _takes_signature(found: type) -> bool:
    parameters = list(inspect.signature(found.__init__).parameters.values())[1:]  # type: ignore[misc]
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return bool(parameters) and parameters[0].kind in kinds and parameters[0].name != "callbacks"
