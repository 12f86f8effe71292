"""The model that a saved predictor names: loaded as it was, or refused when it is another one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptlab.errors import InputError
from promptlab.files.json_file import read_object
from promptlab.models.base import LanguageModel

_FORMATS = ("float32", "bfloat16")
"""Number formats in which every device computes."""


def saved_number_format(saved: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The number format that a predictor was saved with, unless the options name one.

    What *auto* chooses on another machine would answer single examples otherwise.
    """
    if options.get("dtype", "auto") != "auto" or saved.get("dtype") not in _FORMATS:
        return {}
    from promptlab.models.precision import choose_device, choose_dtype

    usual = choose_dtype("auto", choose_device(options.get("device", "auto")))
    # Asked for by name it would be another model of the pool, in memory beside the same one.
    return {} if str(usual) == f"torch.{saved['dtype']}" else {"dtype": saved["dtype"]}


def check_weights(place: Path, saved: Mapping[str, Any], model: LanguageModel) -> None:
    """Raise `InputError` when a predictor's model has other weights than when it was saved.

    Earlier versions did not write down which they were; then nothing is compared.
    """
    then, now = saved.get("weights"), model.describe().get("weights")
    if isinstance(then, str) and isinstance(now, str) and then != now:
        raise InputError(
            f"{place}: the weights of {model.name} are not those that this was saved with "
            f"({then[:8]} → {now[:8]}), so it would answer otherwise; put them back, or name the "
            "model that is to be used (--model NAME, in Python model=NAME)"
        )


def saved_weights_hash(folder: Path) -> str | None:
    """The hash of the weights that a saved predictor was fitted on, if it was written down."""
    try:
        found = read_object(folder / "predictor.json")["model"].get("weights")
    except (InputError, KeyError, TypeError, AttributeError):
        return None  # whoever loads it says what is wrong with it
    return found if isinstance(found, str) else None
