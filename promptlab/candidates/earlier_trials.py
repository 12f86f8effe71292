"""What a kind may build on: prompts that earlier trials of the same study have found."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from promptlab.files.json_file import read_object
from promptlab.files.saved_predictor.check import check_learned
from promptlab.files.saved_predictor.folder import read_saved
from promptlab.models.learned_parts import FACTS
from promptlab.tuning.fit_context import CompletedTrial


@dataclass(frozen=True)
class EarlierPrompt:
    """A finished trial's prompt: template, verbalizer, and the tokens of its trigger segments.

    ``key`` is the trial's candidate's, ``folder`` where its fitted predictor is, if it is kept.
    """

    key: str
    name: str
    template: dict[str, Any]
    verbalizer: dict[str, Any]
    triggers: tuple[tuple[int, ...], ...] = ()
    folder: Path | None = None

    def record(self) -> dict[str, Any]:
        """Plain JSON data for a candidate's settings; where it is kept is none of them."""
        return {k: v for k, v in asdict(self).items() if k != "folder"}


def best_earlier_prompts(
    finished: Sequence[CompletedTrial], kinds: Collection[str]
) -> list[EarlierPrompt]:
    """The prompts of these kinds with answers in their slot, best on dev first."""
    chosen = [one for one in finished if one.kind in kinds]
    chosen.sort(key=lambda one: (-one.value, one.number))
    found = [_read(one) for one in chosen]
    return [one for one in found if one is not None]


def _read(one: CompletedTrial) -> EarlierPrompt | None:
    settings = one.candidate.settings
    triggers: tuple[tuple[int, ...], ...] = ()
    if one.folder is not None and (one.folder / "predictor.json").exists():
        document = read_saved(one.folder)
        settings = document["settings"].get("classifier", document["settings"])
        if (one.folder / FACTS).exists():
            facts = read_object(one.folder / FACTS)
            check_learned(facts, str(one.folder / FACTS))
            triggers = tuple(tuple(ids) for ids in facts["triggers"])
    if "verbalizer" not in settings or "template" not in settings:
        return None
    return EarlierPrompt(
        key=one.candidate.key,
        name=one.candidate.name,
        template=settings["template"],
        verbalizer=settings["verbalizer"],
        triggers=triggers,
        folder=one.folder,
    )
