"""What the failures tab does over the app's API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import promptlab as pl

from ..components.errors import api_endpoint
from . import failure_query
from .components import ACCEPT, OTHER
from .correction_section import correct as keep


def add_failure_endpoints(runs: Path) -> None:
    """Document the endpoints; to be called while the app is laid out."""

    def failures(
        study: str, words: str = "", stand: str = failure_query.ALL
    ) -> list[dict[str, Any]]:
        """The wrong answers of a study's winner, each with what was corrected by hand.

        ``stand``: open, corrected, wrong, unparsed or error; empty for all.
        """
        found = failure_query.open_failure_log(runs, study).failures
        return [_answer(one) for one in failure_query.filter_failures(found, words, stand=stand)]

    def correct_failure(
        study: str, example_id: str, expected: str = "", accept: bool = False, note: str = ""
    ) -> dict[str, Any]:
        """Keep a correction: the answer that is expected, or that the actual one is acceptable."""
        if accept and expected:
            raise pl.InputError("give either an expected answer or accept, not both")
        way = ACCEPT if accept else OTHER
        return _answer(
            keep(failure_query.open_failure_log(runs, study), example_id, way, expected, note)
        )

    api_endpoint(failures)
    api_endpoint(correct_failure)


def _answer(failure: Any) -> dict[str, Any]:
    """A failure as data. Names that users chose are values here and never keys."""
    said = failure.correction
    return {
        "example_id": failure.example_id,
        "fields": [{"name": name, "value": value} for name, value in failure.fields.items()],
        "prompt": failure.prompt,
        "expected": failure.expected,
        "actual": failure.actual,
        "kind": failure.kind,
        "split": failure.split,
        "reply": failure.reply,
        "error": failure.error,
        "scores": [{"label": k, "nats": v} for k, v in (failure.scores or {}).items()],
        "right": failure.wanted_answer,
        "accepted": bool(said and said.accept),
        "corrected": said.expected if said else None,
        "note": said.note if said else "",
    }
