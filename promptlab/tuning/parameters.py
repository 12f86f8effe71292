"""What is trained with the backbone frozen: vectors in the prompt, a prefix, mixture weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from promptlab.models.learned_parts import LearnedParts
from promptlab.tuning.reparameterisation import DirectParameters, PromptEncoder


class PromptParameters(nn.Module):
    """The trainable parts of one candidate, all in fp32.

    ``soft`` names the soft segments and their lengths. With ``members`` > 1 there are so many
    soft prompts, one after the other in the table, and their mixture is learned, too (Qin &
    Eisner 2021): p(y|x) = sum over m of w_m p(y|x, prompt m).
    """

    def __init__(
        self,
        *,
        soft: Sequence[tuple[str, int]] = (),
        vectors: DirectParameters | PromptEncoder | None = None,
        prefix: DirectParameters | PromptEncoder | None = None,
        prefix_shape: tuple[int, int, int] | None = None,
        members: int = 1,
    ) -> None:
        super().__init__()
        self.soft = tuple(soft)
        self.vectors_made = vectors
        self.prefix_made = prefix
        self.prefix_shape = prefix_shape
        self.members = members
        self.mixture = nn.Parameter(torch.zeros(members)) if members > 1 else None

    @property
    def weights(self) -> Sequence[nn.Parameter]:
        """The network's own parameters that are trained, too; none on a frozen one."""
        return ()

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        """The trained parameters, and by how much of the learning rate."""
        return [([p for p in self.parameters() if p.requires_grad], 1.0)]

    @property
    def tokens(self) -> int:
        """Rows of the table: soft tokens of all members."""
        return self.members * sum(count for _, count in self.soft)

    def vectors(self) -> Float[Tensor, "token dim"] | None:
        """The table as it is now, with its graph."""
        return None if self.vectors_made is None else self.vectors_made()

    def prefix(self) -> Float[Tensor, "layer 2 head length size"] | None:
        """The prefix as it is now, with its graph."""
        if self.prefix_made is None:
            return None
        assert self.prefix_shape is not None
        layers, heads, size = self.prefix_shape
        flat = self.prefix_made()
        return flat.view(len(flat), layers, 2, heads, size).permute(1, 2, 3, 0, 4)

    @torch.no_grad()
    def learned(self, facts: dict[str, Any] | None = None) -> list[LearnedParts]:
        """What was learned, member by member."""
        vectors, prefix = self.vectors(), self.prefix()
        if prefix is not None:
            prefix = prefix.detach().clone()
        tables: Sequence[Tensor | None] = [None] * self.members
        if vectors is not None:
            tables = [part.detach().clone() for part in vectors.chunk(self.members)]
        return [
            LearnedParts(table, self.soft if table is not None else (), (), prefix, facts or {})
            for table in tables
        ]

    def mixture_weights(self) -> list[float]:
        """The members' weights; they sum to 1."""
        if self.mixture is None:
            return [1.0]
        return [float(w) for w in self.mixture.detach().softmax(0)]


def flat_prefix(
    prefix: Float[Tensor, "layer 2 head length size"],
) -> Float[Tensor, "length flat"]:
    """A prefix as one row a token, the form in which it is trained."""
    return prefix.permute(3, 0, 1, 2, 4).reshape(prefix.shape[3], -1)
