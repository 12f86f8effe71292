"""HTML of which every text that is put into it is shown as it is, and commands nothing."""

from __future__ import annotations

from typing import Any

import markupsafe

from promptlab.security import make_printable


class Markup(markupsafe.Markup):
    """Markup that escapes what is put into it, and writes out characters that nobody sees.

    Those would else turn the direction of what stands around them, or hide in a name.
    """

    @classmethod
    def escape(cls, s: Any, /) -> Markup:
        """A text as markup; what is markup already stays."""
        shown = s if hasattr(s, "__html__") else make_printable(str(s))
        return cls(markupsafe.escape(shown))
