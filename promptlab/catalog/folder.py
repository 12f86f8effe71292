"""The folder of the user's own templates."""

from __future__ import annotations

import os
from pathlib import Path


def user_folder() -> Path:
    """Where a user's own templates are looked for and saved."""
    chosen = os.environ.get("PROMPTLAB_TEMPLATES")
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_config_path

    return user_config_path("promptlab", appauthor=False) / "templates"
