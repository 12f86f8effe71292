"""Code that a file names as ``package.module:Name``: imported only when the user has allowed it.

A study file, a saved predictor or a file of templates may come from somebody else, and importing a
module runs it. So a name leads to nothing but promptlab's own classes until its package is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from importlib import import_module
from typing import Any, TypeVar

from promptlab.errors import InputError
from promptlab.files.provenance import note_code

_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_LONGEST = 200
_Class = TypeVar("_Class")

_allowed: set[str] = set()
_given: dict[str, type[Any]] = {}


def allow_code(*packages: str) -> None:
    """Let files name classes of these packages, for as long as this process runs.

    Objects that are passed in Python need no permission; names in files do: those of kinds,
    metrics and objectives, problems and DSPy programs (``package.module:Name``).

    Args:
        *packages: Importable packages or modules; one stands for all that is inside of it.

    Returns:
        Nothing; permissions add up.

    Raises:
        InputError: For a text that is no name of a package; then none of the packages is allowed.

    Example:
        >>> allow_code("mypackage", "other.metrics")
    """
    for package in packages:
        if not _is_module(package):
            raise InputError(
                f"{package!r:.80} is no name of a package; allow code by its importable name, such "
                "as mypackage or mypackage.metrics"
            )
    _allowed.update(packages)


def class_path(owner: type[Any]) -> str:
    """The name ``package.module:Name`` by which a file names a class."""
    return f"{owner.__module__}:{owner.__qualname__}"


def remember_class(owner: type[Any]) -> str:
    """The name of a class that was passed in Python: this process finds it without importing."""
    place = class_path(owner)
    _given[place] = owner
    return place


def load_class(
    place: str,
    of: type[_Class],
    what: str,
    *,
    shipped: Collection[str] = (),
    fault: type[InputError] = InputError,
) -> type[_Class]:
    """The class that a file names, of a package that is allowed.

    Args:
        place: ``package.module:Name``.
        of: What it must be a subclass of.
        what: What messages call it, such as ``metric``.
        shipped: Places of promptlab's own classes, which need no permission.
        fault: The error to raise.

    Returns:
        The class, imported.

    Raises:
        InputError: Before anything is imported when the package is not allowed; and when there is
            no such class, or it is another kind of thing.
    """
    told = f"the {what} {place!r:.120}"
    module, _, name = place.partition(":")
    if place in _given:
        found: Any = _given[place]
    else:
        _check_permission(place, module, name, told, shipped, fault)
        found = _imported(module, name, told, fault)
    if not (isinstance(found, type) and issubclass(found, of)):
        raise fault(f"{told} is no subclass of {of.__module__}:{of.__qualname__}")
    if place not in shipped:
        note_code(found.__module__)
    return found


def build_with(owner: type[_Class], told: str, *arguments: Any) -> _Class:
    """An object of a class that a file named. Raises `InputError` for whatever its making raises.

    ``told`` is what the message calls it.
    """
    try:
        return owner(*arguments)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{told} cannot be made: {type(error).__name__}: {error}") from error


def _check_permission(
    place: str,
    module: str,
    name: str,
    told: str,
    shipped: Collection[str],
    fault: type[InputError],
) -> None:
    """Raise ``fault`` for a name that leads to code which the user has not allowed."""
    if len(place) > _LONGEST or not _is_module(module) or not name.isidentifier():
        raise fault(f"{told} is no name of a class; code is named as package.module:Name")
    if module.partition(".")[0] == "promptlab":
        if place not in shipped:
            raise fault(f"{told} is none that promptlab ships; leave the module out and name it")
        return
    require_permission(module, told, fault)


def require_permission(module: str, told: str, fault: type[InputError] = InputError) -> None:
    """Raise ``fault`` unless a module, or a package that holds it, is allowed."""
    if not _is_module(module):
        raise fault(f"{told} is no name of a package")
    package = module.partition(".")[0]
    if not any(module == one or module.startswith(f"{one}.") for one in _allowed):
        raise fault(
            f"{told} is code of the package {package}, and files run no code unless you say so: if "
            f"you trust it, allow it by --allow-code {package} (in Python: "
            f"promptlab.security.allow_code({package!r}))"
        )


def _is_module(text: object) -> bool:
    return isinstance(text, str) and len(text) <= _LONGEST and bool(_MODULE.fullmatch(text))


def _imported(module: str, name: str, told: str, fault: type[InputError]) -> Any:
    try:
        return getattr(import_module(module), name)
    except Exception as error:  # a module of the user's may raise anything
        raise fault(
            f"{told} cannot be imported: {type(error).__name__}: {error}; its package must be "
            "installed, or its folder named in PYTHONPATH"
        ) from error
