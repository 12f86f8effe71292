"""What a study needs of a language model, whatever runs it."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

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

_RENAMED = {
    "can": "capabilities",
    "cannot": "unsupported",
    "cut": "truncate",
    "shown": "display",
    "spent": "usage_cost",
    "with_learned": "load_learned",
    "check_open": "check_reachable",
    "remarks": "adjustments",
    "adapted": "with_learned_parts",
    "private": "trainable_copy",
    "fits": "compatibility",
    "reading": "prompt_token_ids",
}
"""Members as the version before called them; they work with a warning."""


@dataclass(frozen=True)
class Scores:
    """Log-likelihoods of answers in the slots of prompts, and what they cost.

    Attributes:
        logprobs: ``[prompt, answer]`` in nats, summed over an answer's tokens.
        answer_tokens: ``[prompt, answer]``, tokens of every answer after every prompt.
        prompt_tokens: ``[prompt]``, tokens read before the answers.
        seconds: Wall time of the whole call.
    """

    logprobs: Float[np.ndarray, "prompt answer"]
    answer_tokens: Int[np.ndarray, "prompt answer"]
    prompt_tokens: Int[np.ndarray, " prompt"]
    seconds: float


@dataclass(frozen=True)
class Fill:
    """One token for the slot and its probability.

    Attributes:
        token: The text that would stand in the slot.
        token_id: Its number in the vocabulary.
        probability: Among all tokens of the vocabulary.
        continues_word: Whether it goes on with the word before the slot, as WordPiece's ``##ing``
            does, so that it is no word of its own.
    """

    token: str
    token_id: int
    probability: float
    continues_word: bool = False


class LanguageModel(ABC):
    """A frozen language model, local or behind an endpoint; `load_model` gives one.

    What a model cannot do raises `CapabilityError`, which names models that can. Subclass it to
    use any other model in studies and predictors.

    Attributes:
        name: What the user asked for.
        key: Content hash of weights, number format and engine version; part of every cache key.
        family: *masked*, *causal*, *seq2seq* or *remote*.
        max_tokens: The context window in tokens.
        capabilities: What it can do: *score* answers, give *features*, *fill* slots, *generate*
            text, give *gradients*, *chat*.
        unsupported: What others of its family can do and it cannot, each with the reason.

    Example:
        >>> prompt = pl.Template("{text} It was {mask}.").render({"text": "A fine film."})
        >>> scores = model.score([prompt], ["good", "bad"])
        >>> scores.logprobs.shape, scores.answer_tokens.tolist()
        ((1, 2), [[1, 1]])
        >>> "generate" in model.capabilities
        False
    """

    name: str
    key: str
    family: Family
    max_tokens: int
    capabilities: frozenset[Capability]
    unsupported: Mapping[Capability, str] = MappingProxyType({})

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if (now := _RENAMED.get(name)) is None:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            warnings.warn(
                f"a model's {name} is called {now} now; the old name goes in the next version",
                DeprecationWarning,
                stacklevel=2,
            )
            return getattr(self, now)

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
        """Refuse what this model cannot do.

        Raises:
            CapabilityError: With the reason, or with what could do it.
        """
        if capability not in self.capabilities:
            doing = _DOING.get(capability, capability)
            if capability in self.unsupported:
                raise CapabilityError(f"{self.name} cannot {doing}: {self.unsupported[capability]}")
            raise CapabilityError(
                f"{self.name} is a {self.family} model and cannot {doing}; {_REMEDY[capability]}"
            )

    @abstractmethod
    def check(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> None:
        """Raise what `score` would raise about prompts and answers, without computing anything.

        Raises:
            CapabilityError: A prompt is too long, or the model scores nothing.
            VerbalizerError: An answer cannot be written, or two are the same tokens.
        """

    @abstractmethod
    def score(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> Scores:
        """Score every answer in every prompt's slot.

        Args:
            prompts: Rendered templates with one slot each.
            answers: Texts for the slot.

        Returns:
            Log-likelihoods ``[prompt, answer]`` in nats, token counts and seconds.

        Raises:
            CapabilityError: A prompt is too long, or the model scores nothing.
            VerbalizerError: An answer cannot be written, or two are the same tokens.
        """

    @abstractmethod
    def fill(self, prompts: Sequence[Prompt], top: int = 5) -> list[list[Fill]]:
        """The most probable tokens at every prompt's slot.

        Args:
            prompts: Rendered templates with one slot each.
            top: Tokens a prompt.

        Returns:
            A list for every prompt, best first.

        Raises:
            CapabilityError: The model fills no slots.
        """

    def features(self, prompts: Sequence[Prompt]) -> Float[np.ndarray, "prompt dim"]:
        """The last hidden states at the slots, to which the vocabulary head is applied.

        Args:
            prompts: Rendered templates with one slot each.

        Returns:
            ``[prompt, dim]`` in fp32.

        Raises:
            CapabilityError: The model gives none.
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

        Args:
            prompts: Rendered templates with one slot each.
            decoding: Length, temperature, stop strings, seed.
            samples: Numbers of the texts wanted of equal prompts, by default 0: sampled text
                depends on the prompt, ``decoding`` and this number, and on nothing else.
            on_text: Called with a prompt's index and its text so far, whenever that grows,
                perhaps from another thread; what it raises ends the call.

        Returns:
            One `Generation` a prompt. A request that fails alone (too long for the window,
            refused by an endpoint) has ``error``; the others are not lost.

        Raises:
            CapabilityError: The model writes nothing.
            EndpointError: The endpoint refuses everything (a wrong key, an unknown model).
        """

    @abstractmethod
    def count_tokens(self, prompt: Prompt) -> int:
        """Tokens of the prompt with an empty slot, special tokens included."""

    def tokens(self, prompt: Prompt) -> list[Token]:
        """What the model reads of a prompt, token by token, however long.

        Returns:
            Special tokens included; learned tokens that do not exist yet have no ``id``.

        Raises:
            CapabilityError: An endpoint does not show its tokens.
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
        """This model with the parts that `save_learned` has written; itself if there are none.

        Raises:
            InputError: They were learned for another model, with both numbers.
        """
        return self

    def usage_cost(self) -> dict[str, Any] | None:
        """What an endpoint's replies have cost so far: requests, tokens, ``dollars``.

        Returns:
            ``None`` for a local model.
        """
        return None

    def check_reachable(self) -> None:  # noqa: B027 - a local model refuses nobody
        """Raise `EndpointError` if an endpoint refuses even a plain word, and so everything."""

    def adjustments(self) -> list[str]:
        """Requests that were changed because the endpoint refused them, in sentences."""
        return []

    def provenance(self) -> Provenance:
        """What its answers rest on: what a study compares when it goes on."""
        return Provenance({"model": self.key})

    def describe(self) -> dict[str, object]:
        """Plain facts for reports and records."""
        return {"name": self.name, "family": self.family, "key": self.key}
