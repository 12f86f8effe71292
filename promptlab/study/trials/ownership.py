"""Whose an unfinished trial is, where several folders share a storage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptlab.study.folder.folder import StudyFolder
from promptlab.study.trials.trials import OWNER


def belongs_to(folder: StudyFolder, asked: Mapping[str, Any], *, alone: bool) -> bool:
    """Whether a trial that was ``asked`` so belongs to the folder, wherever that has been moved.

    In a storage that is the folder's ``alone`` every trial does. Earlier versions noted the
    folder's path: such a trial is another's only while a study lies there.
    """
    if alone or not asked:
        return True
    if (owner := asked.get(OWNER)) is not None:
        return bool(owner == folder.owner)
    place = Path(asked.get("folder", folder.path))
    return place.absolute() == folder.path.absolute() or not (place / "study.yaml").exists()
