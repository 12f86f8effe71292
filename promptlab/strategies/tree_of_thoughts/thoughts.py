"""How a tree search comes by the next thoughts of a state."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from promptlab.compat.earlier_names import earlier_names
from promptlab.errors import InputError
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.template import Template

ThoughtMethod = Literal["propose", "sample", "moves"]
_BULLET = re.compile(r"^(?:[-*•]|\(?\d{1,3}[.)])\s+")


@earlier_names(asks="calls_per_state", read="parse_thoughts")
@dataclass(frozen=True)
class ThoughtGenerator:
    """The next thoughts of a state are written by the model, or listed by the problem.

    Args:
        template: Asks for thoughts. It reads the example's fields and ``{state}``, ``{steps}``
            (the thoughts so far, each closed by a newline) and ``{thought}`` (the last one); only
            *moves* needs none.
        method: *propose*: one reply lists several thoughts, one a line; *sample*: ``count``
            replies, each one thought (both of Yao et al. 2023, section 3); *moves*: all that the
            problem lists, for which no model is asked.
        count: At most so many thoughts of one state are taken, except by *moves*.
        decoding: How replies are generated. Where it has no stop strings, a reply ends at an empty
            line (*propose*) or at the line's end (*sample*).

    Raises:
        InputError: For an unknown method, a missing template, a count below 1, or several samples
            at temperature 0.

    Example:
        >>> asked = pl.Template("Numbers: {state}\\nPossible next steps:\\n{mask}")
        >>> thoughts = ThoughtGenerator(asked, count=2)
        >>> thoughts.parse_thoughts("1. 4 + 8 = 12\\n2. 8 - 4 = 4\\n3. 4 * 8 = 32")
        ['4 + 8 = 12', '8 - 4 = 4']
    """

    template: Template | None = None
    method: ThoughtMethod = "propose"
    count: int = 8
    decoding: Decoding = field(default_factory=Decoding)

    def __post_init__(self) -> None:
        if self.method not in get_args(ThoughtMethod):
            raise InputError(
                f"unknown thoughts {self.method!r}; they are {', '.join(get_args(ThoughtMethod))}"
            )
        if self.template is None and self.method != "moves":
            raise InputError(f"thoughts by {self.method!r} need a template that asks for them")
        if self.count < 1:
            raise InputError(f"{self.count} thoughts of a state; use 1 or more")
        if self.method == "sample" and self.count > 1 and self.decoding.temperature == 0:
            raise InputError(
                "thoughts are sampled at temperature 0, which gives the same text every time; use "
                "a temperature above 0, or count 1"
            )
        if not self.decoding.stop:
            stop = ("\n",) if self.method == "sample" else ("\n\n",)
            object.__setattr__(self, "decoding", replace(self.decoding, stop=stop))

    @property
    def calls_per_state(self) -> int:
        """Requests a state."""
        return {"propose": 1, "sample": self.count, "moves": 0}[self.method]

    def parse_thoughts(self, reply: str) -> list[str]:
        """The thoughts of one reply, bullets and numbers taken off."""
        lines = [_BULLET.sub("", line.strip()).strip() for line in reply.splitlines()]
        found = [line for line in lines if line]
        return found[:1] if self.method == "sample" else found[: self.count]

    def settings(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            "template": None if self.template is None else self.template.settings(),
            "method": self.method,
            "count": self.count,
            "decoding": self.decoding.settings(),
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> ThoughtGenerator:
        """The inverse of `settings`."""
        return cls(
            template_from(settings["template"]),
            settings["method"],
            settings["count"],
            Decoding.from_settings(settings["decoding"]),
        )


def template_from(settings: Mapping[str, Any] | None) -> Template | None:
    """A template from its settings, if there are any."""
    return None if settings is None else Template.from_settings(settings)
