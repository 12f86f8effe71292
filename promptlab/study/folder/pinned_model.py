"""A study's model: loaded as the study asks, and as it was when the study began."""

from __future__ import annotations

from collections.abc import Callable

from promptlab.events import Events, Phase
from promptlab.models.base import LanguageModel
from promptlab.study.folder.folder import StudyFolder
from promptlab.study.spec.sections import ModelSection

Loader = Callable[[ModelSection], LanguageModel]
"""Loads the model of a study's section."""


def load_study_model(
    section: ModelSection,
    folder: StudyFolder,
    model: LanguageModel | Loader | None,
    events: Events,
) -> LanguageModel:
    """The model that is given, or the section's, in the format that the study has begun with.

    What *auto* would choose today decides nothing in a study that goes on.
    """
    if isinstance(model, LanguageModel):
        return model
    resolved = folder.resolved
    held = section if resolved is None else section.with_recorded(resolved.get("model") or {})
    as_begun = "" if held == section else f" in {held.dtype} on {held.device}, as it has begun"
    events.emit(Phase(f"loading the model{as_begun}"))
    return held.load() if model is None else model(held)
