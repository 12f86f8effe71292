"""The folder of a saved predictor: its document, what lies beside it, what is wrong with both."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path, PurePosixPath
from typing import Any

from promptlab.errors import InputError
from promptlab.files.json_file import MOST_BYTES, check_file, read_object
from promptlab.files.saved_predictor.check import check_document

DOCUMENT = "predictor.json"
FORMAT = 1
"""Version of ``predictor.json``."""
_MOST_NESTED = 32
_FOLDERS: ContextVar[tuple[Path, ...]] = ContextVar("folders", default=())


def read_saved(folder: Path) -> dict[str, Any]:
    """The document of a saved predictor, its keys and types checked.

    Args:
        folder: Where it was saved.

    Raises:
        InputError: For a folder that holds no predictor, or a damaged one.
    """
    path = folder / DOCUMENT
    if not os.path.lexists(path):
        raise InputError(
            f"{path.parent} holds no saved predictor (no {path.name}); give the folder that save() "
            "wrote, or runs/<study>/best"
        )
    document = read_object(path, mend="it is no predictor that promptlab wrote; save it again")
    version = document.get("format")
    if version != FORMAT or isinstance(version, bool):
        raise InputError(
            f"{path} has format {version!r:.40}; this promptlab reads format {FORMAT}, so it is "
            "no predictor that this version wrote; save it again"
        )
    check_document(document, str(path))
    return document


def check_files(folder: Path, files: Mapping[str, str]) -> None:
    """Refuse files beside the document that are others than those that were saved with it."""
    for name, wanted in files.items():
        path = folder / name
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise InputError(f"{folder / DOCUMENT} names the file {name!r} outside of its folder")
        check_file(path, MOST_BYTES)
        if hash_part(path) != wanted:
            raise InputError(
                f"{path} was changed after the predictor was saved (by its hash in {DOCUMENT}); "
                "copy the whole folder that save() wrote"
            )


def hash_part(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def inside_saved_folder(folder: Path) -> Iterator[None]:
    """While inside, a predictor of this folder is loaded: it can be no member of itself."""
    try:
        own = folder.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"the folder {str(folder)!r:.200} cannot be read ({error})") from error
    around = _FOLDERS.get()
    if own in around:
        raise InputError(f"{folder} is a member of itself; copy the whole folder of save()")
    if len(around) >= _MOST_NESTED:
        raise InputError(
            f"{folder} is a member of a member, {_MOST_NESTED} levels deep; save it with fewer"
        )
    token = _FOLDERS.set((*around, own))
    try:
        yield
    finally:
        _FOLDERS.reset(token)


@contextmanager
def settings_errors(path: Path) -> Iterator[None]:
    """Errors of a saved predictor name its file, also those that its parts raise."""
    try:
        yield
    except InputError as error:
        if str(path.parent) not in str(error):
            error.args = (f"{path}: {error}", *error.args[1:])
        raise
    except (
        ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError,
        ValueError,
    ) as error:  # fmt: skip
        raise InputError(
            f"{path}: its settings make no predictor ({type(error).__name__}: "
            f"{str(error)[:160]}); save the predictor again"
        ) from error
