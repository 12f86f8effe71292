"""Adapters by name, and the one that programs are fitted with."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from promptlab.errors import InputError
from promptlab.interop.dspy.adapter import Prior, ScoringAdapter
from promptlab.interop.dspy.silence import dspy_package

dspy = dspy_package()

AdapterName = Literal["scoring", "chat", "json"]


@dataclass(frozen=True)
class AdapterChoice:
    """*scoring* with its ``calibration`` and ``chat`` template, or DSPy's own *chat* or *json*."""

    name: AdapterName = "scoring"
    calibration: Prior = "none"
    chat: bool = False

    def __post_init__(self) -> None:
        if self.name not in get_args(AdapterName):
            raise InputError(
                f"unknown adapter {self.name!r}; it is one of {', '.join(get_args(AdapterName))}"
            )
        if self.name != "scoring" and (self.calibration != "none" or self.chat):
            raise InputError(
                f"calibration and chat belong to the scoring adapter; {self.name} is DSPy's own"
            )

    def make(self) -> Any:
        """The adapter."""
        if self.name == "chat":
            return dspy.ChatAdapter()
        if self.name == "json":
            return dspy.JSONAdapter()
        return ScoringAdapter(calibration=self.calibration, chat=self.chat)

    @property
    def settings(self) -> dict[str, Any]:
        """Plain JSON data."""
        return asdict(self)

    def __str__(self) -> str:
        if self.name != "scoring":
            return f"{self.name} adapter"
        extras = [self.calibration] if self.calibration != "none" else []
        return ", ".join(["scoring", *extras, *(["chat"] if self.chat else [])])


class FittingAdapter(dspy.Adapter):  # type: ignore[name-defined, misc, unused-ignore]
    """The program's own adapter for its own signatures; what optimizers ask besides is written.

    A small model that is asked for new instructions does not keep to DSPy's markers, and one
    reply that cannot be parsed would end the whole optimization.
    """

    def __init__(self, program: Any, own: Any, *, chat: bool) -> None:
        super().__init__()
        self.own = own
        self.other = ScoringAdapter(chat=chat)
        self._outputs = {tuple(p.signature.output_fields) for p in program.predictors()}

    def __call__(
        self,
        lm: Any,
        lm_kwargs: dict[str, Any],
        signature: Any,
        demos: list[dict[str, Any]],
        inputs: dict[str, Any],
    ) -> Any:
        """What the one adapter or the other makes of it."""
        own = tuple(signature.output_fields) in self._outputs
        adapter = self.own if own else self.other
        return adapter(lm, lm_kwargs, signature, demos, inputs)

    async def acall(self, *arguments: Any, **options: Any) -> Any:
        """The same in a thread of its own."""
        return await asyncio.to_thread(self.__call__, *arguments, **options)

    def format(self, signature: Any, demos: Any, inputs: Any) -> Any:
        """As the program's own adapter formats it."""
        return self.own.format(signature, demos, inputs)
