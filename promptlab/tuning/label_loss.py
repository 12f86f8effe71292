"""The verbalizer's label scores in torch: what is trained is what is later predicted with."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from promptlab.verbalizer import Verbalizer


class LabelLoss:
    """`Verbalizer.label_scores` with a graph (eq. 3.2 of the book)."""

    def __init__(self, verbalizer: Verbalizer) -> None:
        self.verbalizer = verbalizer
        self._members = [
            torch.tensor([i for i, of in enumerate(verbalizer.label_of) if of == label])
            for label in range(len(verbalizer.labels))
        ]
        self._weights = torch.tensor(verbalizer.weights)

    def label_scores(
        self, logprobs: Float[Tensor, "row answer"], tokens: Int[Tensor, "row answer"]
    ) -> Float[Tensor, "row label"]:
        """Normalised log-probabilities of the labels in nats.

        ``tokens`` are the answers' lengths, for verbalizers that normalise by them.
        """
        if self.verbalizer.length_normalise:
            logprobs = logprobs / tokens.to(logprobs.device)
        scores = torch.stack([self._joined(logprobs, m) for m in self._members], dim=1)
        return scores.log_softmax(1)

    def _joined(
        self, logprobs: Float[Tensor, "row answer"], members: Int[Tensor, " member"]
    ) -> Float[Tensor, " row"]:
        weights = self._weights[members].to(logprobs.device)
        chosen = logprobs[:, members.to(logprobs.device)]
        match self.verbalizer.aggregation:
            case "sum":
                return (chosen + weights.log()).logsumexp(1)
            case "mean":
                return chosen @ (weights / weights.sum())
            case _:
                return (chosen + weights.log()).max(1).values
