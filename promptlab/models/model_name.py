"""What a local model may be called: a pinned name, a path, or an id of the Hugging Face hub."""

from __future__ import annotations

import re
from pathlib import Path

from promptlab.errors import InputError
from promptlab.files.text_file import is_there
from promptlab.models.builtin import BUILTIN_MODELS

_LONGEST = 4096
"""Characters of a path."""
_ID = re.compile(r"(?=.{1,96}$)\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)


def check_model_name(name: str) -> None:
    """Refuse a name that no model can have, before anything looks for it.

    Raises:
        InputError: In a sentence.
    """
    shown = f"{name!r:.80}"
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise InputError(
            f"{shown} is no name of a model; give one of {', '.join(BUILTIN_MODELS)}, a folder, a "
            "GGUF file, or a Hugging Face id (owner/name)"
        )
    if name in BUILTIN_MODELS or name.startswith((".", "/", "~")):
        _check_path(name)
    elif not is_there(Path(name)) and (not _ID.fullmatch(name) or name[-1] in "-."):
        raise InputError(
            f"there is no model {shown} here, and it is no Hugging Face id (owner/name of letters, "
            f"digits, -, _ and .); the pinned models are {', '.join(BUILTIN_MODELS)}"
        )


def _check_path(name: str) -> None:
    try:
        Path(name).expanduser().exists()
    except (OSError, RuntimeError, ValueError) as error:  # too long, or nobody's home
        raise InputError(f"the model folder {name!r:.80} cannot be read ({error})") from error
    if len(name) > _LONGEST:
        raise InputError(f"the model folder {name!r:.80} has too long a name")
