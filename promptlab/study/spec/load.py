"""Studies read and validated: from a path, a shipped study's name, a text or a mapping."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from promptlab.errors import Location, StudyError
from promptlab.files.text_file import is_file, is_folder, read_text_file
from promptlab.study.folder.named_files import find_again, resolve_beside
from promptlab.study.spec.curve_spec import CurveSpec
from promptlab.study.spec.document import StudyDocument
from promptlab.study.spec.policy import StudyPolicy
from promptlab.study.spec.spec import StudySpec
from promptlab.study.spec.validation import validate_document

MOST_BYTES = 4_000_000
"""Of a study file, which has a million characters at most."""
MOST_CHARACTERS = 200_000
"""Of a study that is given as a text."""
STUDY_FILE = "study.yaml"
"""What messages call a text or a mapping by default."""


def load_spec(
    study: str | Path | Mapping[str, Any],
    changes: Mapping[str, Any] | None = None,
    *,
    source: str | None = None,
    policy: StudyPolicy | None = None,
) -> StudySpec | CurveSpec:
    """A study read and validated.

    Relative paths in a file are looked for beside it first. A text or a mapping lies nowhere: its
    relative paths are those of the working folder, or of the policy's folders.

    Args:
        study: A study file's path, a shipped study's name, a study as YAML text, or its keys and
            values. A string is a text where it holds a line break, and always where ``source`` or
            ``policy`` is given.
        changes: Values that replace those of the study, by dotted keys (``"budget.trials"``).
        source: What messages call a text or a mapping, ``study.yaml`` by default.
        policy: What the study may name, for one that a stranger wrote; it is checked before
            anything else.

    Returns:
        The spec of a search, or of a learning curve.

    Raises:
        StudyError: There is no such study, or it is wrong; ``issues`` are all that is, each with
            its line.

    Example:
        >>> spec = load_spec("quickstart", {"budget.trials": 7})
        >>> spec.study, spec.budget.trials
        ('quickstart', 7)
        >>> load_spec({"study": "mine", "task": "sst2", "candidates": [{"kind": "tempalte"}]})
        Traceback (most recent call last):
            ...
        promptlab.errors.StudyError: study.yaml: unknown kind 'tempalte'; did you mean ...
    """
    if isinstance(changes, str):
        raise TypeError("what messages call a study is given by keyword: load_spec(…, source=…)")
    document, folder = _read(study, source, is_text=source is not None or policy is not None)
    document = document.with_changes(changes or {})
    if policy is not None:
        document = policy.check(document)
    elif folder is not None:
        find_again(document.values, folder)
        resolve_beside(document.values, folder)
    return validate_document(document)


def shipped_studies() -> dict[str, Path]:
    """The study files that come with promptlab.

    Returns:
        Their paths by their names, sorted; `load_spec` and ``promptlab study run`` take the names.

    Example:
        >>> "quickstart" in shipped_studies()
        True
    """
    folder = Path(str(files("promptlab.studies")))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def find_study_file(study: str) -> Path:
    """The file of a path or of a shipped study's name."""
    path = Path(study)
    if is_file(path):
        return path
    if is_folder(path):
        raise StudyError(f"{study} is a folder; name the study file in it, such as study.yaml")
    shipped = shipped_studies()
    if study in shipped:
        return shipped[study]
    close = difflib.get_close_matches(study[:80], shipped, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    raise StudyError(
        f"there is no study file {study!r:.200} and no shipped study of that name; {hint}shipped "
        f"are {', '.join(shipped)}"
    )


def _read(
    study: str | Path | Mapping[str, Any], source: str | None, *, is_text: bool
) -> tuple[StudyDocument, Path | None]:
    """The study's document, and the folder of its file if it has one."""
    name = source or STUDY_FILE
    if isinstance(study, Mapping):
        return StudyDocument(dict(study), name), None
    if isinstance(study, str) and (is_text or "\n" in study):
        if len(study) > MOST_CHARACTERS:
            raise StudyError.at(
                Location(name),
                f"{len(study):,} characters are too many for a study; at most {MOST_CHARACTERS:,}",
            )
        return StudyDocument.parse(study, name), None
    path = study if isinstance(study, Path) else find_study_file(study)
    text = read_text_file(path, "a study file is YAML, saved as UTF-8", most=MOST_BYTES)
    return StudyDocument.parse(text, str(path)), path.parent
