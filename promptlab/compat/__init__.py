"""What promptlab knows of other libraries' insides: one module a library, checked when used.

Names, signatures and classes that a library may change without a word stand here and nowhere
else, so that a new version breaks one place, loudly. ``pyproject.toml`` says which versions were
tested.
"""

from __future__ import annotations

import re
from importlib import import_module, metadata
from typing import Any

from promptlab.errors import WorkError

DISTRIBUTION = "promptlab-workbench"


def library_internal(module: str, name: str) -> Any:
    """What another library's module calls ``name``.

    Raises `WorkError` that names the tested versions when the installed one has no such thing,
    and lets through that the library is not installed at all.
    """
    library = module.partition(".")[0]
    import_module(library)
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise changed_library_error(library, f"{module}.{name}") from error


def changed_library_error(library: str, what: str) -> WorkError:
    """The error for an installed version in which ``what`` is not as promptlab knows it."""
    return WorkError(
        f"the installed {library} {metadata.version(library)} has no {what} as promptlab uses it; "
        f'run: pip install "{tested_versions(library)}"'
    )


def tested_versions(library: str) -> str:
    """The versions of a library that promptlab was tested with, as pip reads them."""
    for requirement in metadata.requires(DISTRIBUTION) or ():
        named = re.match(r"[\w.-]+", requirement)
        if named and named[0].lower() == library.lower():
            return requirement.partition(";")[0].strip()
    return library
