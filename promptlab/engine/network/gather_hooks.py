"""Hooks on a model that keep only the places that are read, and what the head reads there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from jaxtyping import Float, Int
from torch import Tensor, nn


class GatherHooks:
    """Two hooks on a transformers model, for the forward that runs at the moment.

    The one on its body keeps only the places that are read, so the vocabulary head sees them
    alone; the one on the head keeps its input, the *feature*. Without ``can_gather`` the outputs
    are whole and the places are taken from them (`at`). Without ``calls_head`` (models that do
    not call their head as a module, as MobileBERT) the feature is what the body gives.
    """

    def __init__(self, model: Any, head: nn.Module) -> None:
        self.can_gather = True
        self.calls_head = True
        self._places: tuple[Tensor, Tensor] | None = None
        self._feature: Tensor | None = None
        self._replacement: Tensor | None = None
        self._skips_head = False
        body = model.get_decoder() if model.config.is_encoder_decoder else model.base_model
        cast(nn.Module, body).register_forward_hook(self._after_body)
        head.register_forward_pre_hook(self._before_head)

    @property
    def feature(self) -> Tensor | None:
        """What the head has read in the last forward, or what the body has given."""
        return self._feature

    def forget(self) -> None:
        """Let the next forward go by as if there were no hooks, but for the feature."""
        self._places = self._feature = None

    @contextmanager
    def reading(
        self, rows: Int[Tensor, " place"], columns: Int[Tensor, " place"], *, head: bool = True
    ) -> Iterator[None]:
        """While inside, a forward is read at these places; without ``head`` the head gets no rows.

        What would be computed after the body costs nothing then.
        """
        self._places, self._skips_head = (rows, columns), not head
        try:
            yield
        finally:
            self._places, self._skips_head = None, False

    @contextmanager
    def replacing(self, features: Float[Tensor, "1 row dim"]) -> Iterator[None]:
        """While inside, ``features`` stand for what the head (or all after the body) reads."""
        self._replacement = features
        try:
            yield
        finally:
            self._replacement = None

    def at(
        self, output: Tensor, rows: Int[Tensor, " place"], columns: Int[Tensor, " place"]
    ) -> Float[Tensor, "place size"]:
        """A forward's output at the places, whether the hooks have gathered them or not."""
        if not self.can_gather:
            output = output[rows, columns]
        return output.reshape(len(rows), -1)

    def feature_at(
        self, rows: Int[Tensor, " place"], columns: Int[Tensor, " place"]
    ) -> Float[Tensor, "place dim"]:
        """The feature of the last forward at the places."""
        assert self._feature is not None
        return self.at(self._feature, rows, columns)

    def _after_body(self, module: nn.Module, args: Any, output: Any) -> Any:
        if not self.calls_head and self._replacement is not None:
            output["last_hidden_state"] = self._replacement
            return output
        hidden = output[0]
        if self._places is not None and self.can_gather:
            hidden = hidden[self._places][None]
            output["last_hidden_state"] = hidden
        if not self.calls_head:
            self._feature = hidden
        return output

    def _before_head(self, module: nn.Module, args: tuple[Any, ...]) -> Any:
        if not self.calls_head:
            return None
        if self._replacement is not None:
            return (self._replacement, *args[1:])
        self._feature = args[0]
        return (args[0][..., :0, :], *args[1:]) if self._skips_head else None
