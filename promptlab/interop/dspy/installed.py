"""DSPy itself, imported when it is needed."""

from __future__ import annotations

from typing import Any

from promptlab.errors import InputError


def dspy_package() -> Any:
    """The package ``dspy``. Raises `InputError` that names the extra when it is missing."""
    try:
        import dspy
        from dspy import lm15  # noqa: F401 - what older versions lack
    except ImportError as error:
        raise InputError(
            "DSPy is not installed (version 3.4 or newer is needed); run: "
            'pip install "promptlab-workbench[dspy]"'
        ) from error
    return dspy
