"""A candidate: the plain settings of one predictor that a study may try."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Candidate:
    """``kind`` and its ``settings`` as canonical JSON: plain, hashable and serialisable.

    ``name`` is a short text for people and no part of the identity.
    """

    kind: str
    document: str
    name: str = ""

    @classmethod
    def of(cls, kind: str, settings: Mapping[str, Any], name: str) -> Candidate:
        """A candidate from plain JSON settings."""
        return cls(kind, json.dumps(settings, sort_keys=True, ensure_ascii=False), name)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings as JSON data."""
        settings: dict[str, Any] = json.loads(self.document)
        return settings

    @property
    def key(self) -> str:
        """Content hash: equal candidates have equal keys on any machine."""
        return hashlib.sha256(f"{self.kind}\n{self.document}".encode()).hexdigest()[:16]
