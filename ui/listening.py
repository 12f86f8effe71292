"""How listeners run: what the app's API does not show, and what waits for a model."""

from __future__ import annotations

from typing import Any

QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""A listener of the page's own that answers at once."""
AT_MODEL: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1}
"""Work with a model: one after the other, for all users."""
