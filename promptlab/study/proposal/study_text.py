"""A proposed study as a file that people read: comments, relative paths, prompts on one line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptlab.errors import StudyError
from promptlab.files.yaml_dump import dump_yaml
from promptlab.study.folder.folder import write_text

if TYPE_CHECKING:
    from promptlab.study.proposal.proposal import Proposal


def write_proposal(proposal: Proposal, path: Path, *, overwrite: bool = False) -> None:
    """Write the study file, with comments; its data is named from the file's own folder.

    Raises `StudyError` if it exists, unless ``overwrite``.
    """
    if path.exists() and not overwrite:
        raise StudyError(f"{path} exists already; --force overwrites it, --out names another file")
    write_text(path, proposal_text(proposal, path.parent))


def proposal_text(proposal: Proposal, folder: Path) -> str:
    """The study file's text, as it stands in ``folder``."""
    document = dict(proposal.document)
    document["task"] = document["task"] | {"data": _beside(document["task"]["data"], folder)}
    groups = document.pop("candidates")
    parts = ["".join(f"# {line}\n" for line in proposal.remarks)]
    for key, value in document.items():
        if key == "budget":
            parts.append(_candidates_text(groups, proposal.comments))
        parts.append(_COMMENTS.get(key, "") + _dumped({key: value}))
    return "\n".join(parts)


_COMMENTS = {
    "task": "# train fits and lends demonstrations, dev selects, test is read once, at the end.\n",
    "model": "# A pinned model, a folder, a Hugging Face id, or remote:MODEL@URL.\n",
    "budget": "# Every candidate once, unless the time is up before; raise both to go on.\n",
}


def _candidates_text(groups: Sequence[dict[str, Any]], comments: Sequence[str]) -> str:
    lines = ["candidates:"]
    for index, group in enumerate(groups):
        if index < len(comments):
            lines.append(f"  # {comments[index]}")
        lines += [f"  {line}" for line in _dumped([group]).rstrip("\n").split("\n")]
    return "\n".join(lines) + "\n"


def _dumped(value: Any) -> str:
    return dump_yaml(value, text_blocks=False, width=10_000)


def _beside(data: str, folder: Path) -> str:
    """The data's path as seen from ``folder``; absolute where they share nothing."""
    try:
        found = os.path.relpath(data, folder)
    except ValueError:  # another drive
        return str(Path(data).absolute())
    return str(Path(data).absolute()) if found.count("..") > 3 else Path(found).as_posix()
