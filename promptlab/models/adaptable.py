"""A local model that takes learned parts: views on one frozen network."""

from __future__ import annotations

import copy
import hashlib
from abc import abstractmethod
from pathlib import Path
from typing import Any, TypeVar

from promptlab.engine.kv_cache.state import prefix_shape
from promptlab.engine.scoring.engine import Engine
from promptlab.errors import InputError, NotFiniteError
from promptlab.models.base import LanguageModel
from promptlab.models.learned_parts import FACTS, LearnedParts
from promptlab.models.tuned_weights import check_trainable

M = TypeVar("M", bound="AdaptableModel")


class AdaptableModel(LanguageModel):
    """A model over an `Engine`, or a view on one with learned parts.

    ``base`` is the model without them, ``learned`` what this view has.
    """

    engine: Engine
    base: Any
    learned: LearnedParts | None = None
    _prefix_shape: tuple[int, int, int] | None

    @abstractmethod
    def _forget(self) -> None:
        """Begin without anything remembered: a view encodes prompts in its own way."""

    def with_learned_parts(self: M, learned: LearnedParts, *, keep: bool = True) -> M:
        """The same model with learned parts: it scores prompts with soft and trigger segments.

        The weights are shared and stay as they are; tuned ones are put into a copy in fp32.
        Without ``keep`` its features are not cached. Raises `InputError` with both numbers when
        the parts do not fit the model.
        """
        self._check_parts(learned)
        engine = self.base.engine
        if learned.weights is not None:
            network = learned.weights.merge_into(engine.network)
            engine = engine.with_network(network, learned.key, keep=keep)
        view = copy.copy(self)
        view.base = self.base
        view.learned = learned
        view.key = hashlib.sha256(f"{self.base.key} {learned.key}".encode()).hexdigest()[:24]
        view.engine = engine.with_learned_parts(
            learned.vectors, learned.prefix, learned.key, keep=keep
        )
        view._forget()
        return view

    def trainable_copy(self: M) -> M:
        """A model of its own over copies of the weights in fp32, which may be trained.

        Nothing that it computes is kept. Raises `CapabilityError` for quantised weights.
        """
        base: M = self.base
        check_trainable(base.engine.network, self.name)
        other = copy.copy(base)
        other.base = other
        other.engine = base.engine.with_network(
            base.engine.network.trainable_copy(), "", keep=False
        )
        other._forget()
        return other

    @property
    def prefix_tokens(self) -> int:
        """Tokens of the learned prefix, if there is one."""
        return self.learned.prefix_length if self.learned else 0

    @property
    def learning_tokens(self) -> int:
        """Tokens that went through the model while the learned parts were learned."""
        return int(self.learned.facts.get("tokens", 0)) if self.learned else 0

    @property
    def prefix_shape(self) -> tuple[int, int, int] | None:
        """Layers, key heads and head size of a learned prefix; ``None`` if it takes none.

        A causal model with sliding windows or recurrent layers keeps other state, so it takes none.
        """
        runner, network = self.base.engine.runner, self.base.engine.network
        other_state = self.family == "causal" and not runner.can_share_prefixes
        if other_state or network.batching_mode == "uncached" or not network.can_attend_prefix:
            return None
        if not hasattr(self.base, "_prefix_shape"):
            self.base._prefix_shape = prefix_shape(self.engine.network)
        return self.base._prefix_shape

    def compatibility(self, learned: LearnedParts | None = None) -> dict[str, Any]:
        """What something learned for this model depends on."""
        virtual = self.engine.network.virtual_tokens
        facts: dict[str, Any] = {
            "model": self.name,
            "family": self.family,
            "width": virtual.width,
            "vocabulary": virtual.first_id,
            "layers": self.engine.network.layer_count,
        }
        if learned is None or learned.prefix is not None:
            shape = self.prefix_shape
            facts["prefix_shape"] = None if shape is None else list(shape)
        return facts

    def _check_parts(self, learned: LearnedParts) -> None:
        virtual = self.engine.network.virtual_tokens
        if (broken := learned.non_finite_part) is not None:
            raise NotFiniteError(
                f"the learned {broken} hold NaN or infinity, so {self.name} would compute no "
                "numbers with them; learn them anew, with a smaller learning rate"
            )
        if learned.vectors is not None and learned.vectors.shape[1] != virtual.width:
            raise InputError(
                f"the vectors have width {learned.vectors.shape[1]} and {self.name} has width "
                f"{virtual.width}; use the model they were learned for"
            )
        top = max((t for tokens in learned.triggers for t in tokens), default=0)
        if top >= virtual.first_id:
            raise InputError(
                f"the trigger token {top} is outside of the vocabulary of {self.name}, which has "
                f"{virtual.first_id} tokens; use the model it was found for"
            )
        if learned.weights is not None:
            learned.weights.check(self.base.engine.network, self.name)
        if learned.prefix is not None:
            layers, _, heads, _, size = learned.prefix.shape
            if (layers, heads, size) != self.prefix_shape:
                raise InputError(
                    f"the prefix has {layers} layers, {heads} heads of size {size} and "
                    f"{self.name} takes {self.prefix_shape or 'no prefix at all'}; use the model "
                    "it was learned for"
                )

    def save_learned(self, folder: Path) -> None:
        """Write ``learned.safetensors`` and ``learned.json``; nothing if nothing was learned."""
        if self.learned is not None:
            self.learned.save(folder, self.compatibility(self.learned))

    def load_learned(self: M, folder: Path) -> M:
        """This model with what `save_learned` has written, itself if that is nothing."""
        if not (folder / FACTS).exists():
            return self
        return self.with_learned_parts(LearnedParts.load(folder, self.compatibility()))
