"""A proposed study as a file that people read: comments, relative paths, prompts on one line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from promptlab.errors import StudyError
from promptlab.study.folder.folder import write_whole

if TYPE_CHECKING:
    from promptlab.study.proposal.proposal import Proposal


def write_proposal(proposal: Proposal, path: Path, *, overwrite: bool = False) -> None:
    """Write the study file, with comments; its data is named from the file's own folder.

    Raises `StudyError` if it exists, unless ``overwrite``.
    """
    if path.exists() and not overwrite:
        raise StudyError(f"{path} exists already; --force overwrites it, --out names another file")
    write_whole(path, proposal_text(proposal, path.parent))


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
    return yaml.dump(value, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=10_000)


def _beside(data: str, folder: Path) -> str:
    """The data's path as seen from ``folder``; absolute where they share nothing."""
    try:
        found = os.path.relpath(data, folder)
    except ValueError:  # another drive
        return str(Path(data).absolute())
    return str(Path(data).absolute()) if found.count("..") > 3 else Path(found).as_posix()


class _Plain(yaml.SafeDumper):
    """Writes equal values out again, and short lists and templates on one line."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_list(self, data: Any) -> yaml.Node:
        """Lists of plain values in one line."""
        short = all(isinstance(item, str | int | bool) for item in data)
        short = short and len("".join(map(str, data))) < 70 and "\n" not in "".join(map(str, data))
        return self.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=short or None)

    def represent_text(self, data: Any) -> yaml.Node:
        """Texts of several lines in double quotes on one line, as templates are read best."""
        style = '"' if "\n" in data else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Plain.add_representer(list, _Plain.represent_list)
_Plain.add_representer(str, _Plain.represent_text)
