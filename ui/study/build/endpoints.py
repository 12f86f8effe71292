"""The documented endpoints about studies that have not run yet."""

from __future__ import annotations

from typing import Any

from ...components.listeners import AT_MODEL
from ...components.errors import endpoint
from ...context import Workbench
from . import validation


def endpoints(bench: Workbench) -> None:
    """Connect them; to be called while the app is laid out."""

    def validate_study(yaml: str) -> dict[str, Any]:
        """What is wrong with a study's YAML: valid, and complaints with their lines (from 1)."""
        found = validation.complaints_of(bench, yaml)
        return {"valid": not found, "complaints": [vars(one) for one in found]}

    def estimate_study(yaml: str) -> dict[str, Any]:
        """What a study will cost, low to high: tokens, seconds, dollars, by group and in all."""
        row: dict[str, Any] = validation.estimated(bench, yaml).row()
        return row

    endpoint(validate_study)
    endpoint(estimate_study, **AT_MODEL)
