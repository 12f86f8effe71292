"""What a study needs of a language model, whatever runs it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from promptlab.errors import CapabilityError
from promptlab.files.provenance import Provenance
from promptlab.models.token_view import Token
from promptlab.prompts.decoding import Decoding, Generation, OnText
from promptlab.prompts.prompt import Prompt

Family = Literal["masked", "causal", "seq2seq", "remote"]
Capability = Literal["score", "features", "fill", "generate", "gradients", "chat"]

_REMEDY: dict[str, str] = {
    "generate": "use a causal or seq2seq model",
    "score": "use a local model, or a template with a parser, which reads the generated reply",
    "features": "use a local model",
    "fill": "use a local model",
    "gradients": "use a local model that is not quantised",
    "chat": "use an instruct model, or a template without chat",
}

_DOING: dict[str, str] = {
    "features": "give features",
    "fill": "fill slots",
    "gradients": "give gradients",
    "chat": "chat",
}


@dataclass(frozen=True)
class Scores:
    """How likely each answer is in each prompt's slot.

    ``logprobs`` ``[prompt, answer]`` in nats, ``answer_tokens`` ``[prompt, answer]``,
    ``prompt_tokens`` ``[prompt]``; ``seconds`` is the wall time of the whole call.
    """

    logprobs: Float[np.ndarray, "prompt answer"]
    answer_tokens: Int[np.ndarray, "prompt answer"]
    prompt_tokens: Int[np.ndarray, " prompt"]
    seconds: float


@dataclass(frozen=True)
class Fill:
    """One token for the slot and its probability.

    ``token`` is what would stand in the text; ``continues_word`` says that it goes on with the
    word before the slot, as WordPiece's ``##ing`` does, so that it is no word of its own.
    """

    token: str
    token_id: int
    probability: float
    continues_word: bool = False


class LanguageModel(ABC):
    """A frozen language model: *score*, *fill*, *generate*, and a key for every cache.

    ``name`` is what the user asked for, ``key`` a content hash (weights, dtype, engine version),
    ``max_tokens`` the context window. What a model cannot do raises `CapabilityError` naming what
    could.
    """

    name: str
    key: str
    family: Family
    max_tokens: int
    capabilities: frozenset[Capability]
    incapabilities: Mapping[Capability, str] = MappingProxyType({})
    """Why this model cannot do what others of its family can."""

    @property
    def prefix_tokens(self) -> int:
        """Tokens of a learned prefix that every prompt of this model carries."""
        return 0

    @property
    def learning_tokens(self) -> int:
        """Tokens that went through the model while this model's learned parts were learned."""
        return 0

    def __sklearn_clone__(self) -> LanguageModel:
        """scikit-learn's clones of predictors share their model: it is frozen, and large."""
        return self

    def require(self, capability: Capability) -> None:
        """Raise `CapabilityError` unless the model can do it."""
        if capability not in self.capabilities:
            doing = _DOING.get(capability, capability)
            if capability in self.incapabilities:
                raise CapabilityError(
                    f"{self.name} cannot {doing}: {self.incapabilities[capability]}"
                )
            raise CapabilityError(
                f"{self.name} is a {self.family} model and cannot {doing}; {_REMEDY[capability]}"
            )

    @abstractmethod
    def check(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> None:
        """Raise what `score` would raise about prompts and answers, without computing anything."""

    @abstractmethod
    def score(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> Scores:
        """Log-likelihood of every answer in every prompt's slot."""

    @abstractmethod
    def fill(self, prompts: Sequence[Prompt], top: int = 5) -> list[list[Fill]]:
        """The most probable tokens at every prompt's slot, best first."""

    def features(self, prompts: Sequence[Prompt]) -> Float[np.ndarray, "prompt dim"]:
        """The slots' vectors, to which the vocabulary's rows are applied.

        Raises `CapabilityError` for a model that shows none.
        """
        self.require("features")
        raise NotImplementedError(f"{type(self).__name__} says that it gives features")

    @abstractmethod
    def generate(
        self,
        prompts: Sequence[Prompt],
        decoding: Decoding,
        *,
        samples: Sequence[int] | None = None,
        on_text: OnText | None = None,
    ) -> list[Generation]:
        """The text that continues every prompt at its slot.

        ``samples`` numbers the texts wanted of equal prompts (0 for all without it): sampled text
        depends on the prompt, ``decoding`` with its seed, and this number, and on nothing else.
        A request that fails alone (too long for the window, refused by an endpoint) gives a
        `Generation` with ``error``; the others are not lost. ``on_text`` is called with a
        prompt's number and its text so far, whenever that grows, perhaps from another thread;
        what it raises ends the call.
        """

    @abstractmethod
    def count_tokens(self, prompt: Prompt) -> int:
        """Tokens of the prompt with an empty slot, special tokens included."""

    def tokens(self, prompt: Prompt) -> list[Token]:
        """What is read of the prompt, token by token, however long; places for what is not learned.

        Raises `CapabilityError` for a model that does not show its tokens.
        """
        raise CapabilityError(
            f"{self.name} is a {self.family} model and does not show its tokens, only about how "
            "many there are; use a local model to see them"
        )

    @abstractmethod
    def truncate(self, text: str, tokens: int) -> str:
        """The beginning of ``text``, at most ``tokens`` tokens long."""

    def display(self, prompt: Prompt) -> str:
        """A prompt as a reader sees it, ``{mask}`` in the slot; trigger tokens as their words."""
        return str(prompt)

    def save_learned(self, folder: Path) -> None:  # noqa: B027 - most models have learned nothing
        """Write what was learned for this model into ``folder``; nothing if nothing was."""

    def load_learned(self, folder: Path) -> LanguageModel:
        """This model with what `save_learned` has written, itself if that is nothing.

        Raises `InputError` with both numbers when it was learned for another model.
        """
        return self

    def usage_cost(self) -> dict[str, Any] | None:
        """What an endpoint's replies have cost so far; ``None`` for a local model."""
        return None

    def check_reachable(self) -> None:  # noqa: B027 - a local model refuses nobody
        """Raise `EndpointError` if an endpoint refuses even a plain word, and so everything."""

    def adjustments(self) -> list[str]:
        """What was asked otherwise than the user has said, in sentences."""
        return []

    def provenance(self) -> Provenance:
        """What its answers rest on: what a study compares when it goes on."""
        return Provenance({"model": self.key})

    def describe(self) -> dict[str, object]:
        """Plain facts for reports and records."""
        return {"name": self.name, "family": self.family, "key": self.key}
