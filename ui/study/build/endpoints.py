"""The documented endpoints about studies that have not run yet."""

from __future__ import annotations

from typing import Any

from ...components.errors import api_endpoint
from ...components.listeners import MODEL_QUEUE
from ...context import AppContext
from . import validation


def add_build_endpoints(context: AppContext) -> None:
    """Connect them; to be called while the app is laid out."""

    def validate_study(yaml: str) -> dict[str, Any]:
        """What is wrong with a study's YAML: valid, and complaints with their lines (from 1)."""
        found = validation.validate_study_text(context.policy, yaml)
        return {"valid": not found, "complaints": [vars(one) for one in found]}

    def estimate_study(yaml: str) -> dict[str, Any]:
        """What a study will cost, low to high: tokens, seconds, dollars, by group and in all."""
        row: dict[str, Any] = validation.estimate_study_text(context, yaml).row()
        return row

    api_endpoint(validate_study)
    api_endpoint(estimate_study, **MODEL_QUEUE)
