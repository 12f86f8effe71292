"""The documented endpoints about studies that have not run yet."""

from __future__ import annotations

from typing import Any

from gradio.events import api

import promptlab as pl

from ..workbench import Workbench, told
from . import checking


def endpoints(bench: Workbench) -> None:
    """Connect them; to be called while the app is laid out."""

    def validate_study(yaml: str) -> dict[str, Any]:
        """What is wrong with a study's YAML: valid, and complaints with their lines (from 1)."""
        found = checking.complaints_of(bench, yaml)
        return {"valid": not found, "complaints": [vars(one) for one in found]}

    def estimate_study(yaml: str) -> dict[str, Any]:
        """What a study will cost, low to high: tokens, seconds, dollars, by group and in all."""
        try:
            spec = checking.read_text(bench, yaml)
            model = bench.load(spec.model.name, spec.model.device, spec.model.dtype)
            found = pl.estimate_study(spec, model, load=checking.open_task)
        except pl.PromptlabError as problem:
            raise told(problem) from problem
        row: dict[str, Any] = found.row()
        return row

    api(validate_study, api_name="validate_study")
    api(estimate_study, api_name="estimate_study", concurrency_id="model", concurrency_limit=1)
