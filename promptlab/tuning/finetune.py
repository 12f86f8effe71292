"""Learners of weights: the network's own, beside vectors in the prompt or a head of labels."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from promptlab.tuning.learner import Learner


class WeightLearner(Learner):
    """The network's own parameters, and the vectors of ``prompt`` (none, fixed, or trained).

    ``soft_scale`` is the vectors' learning rate as a multiple of the weights'; 0 leaves them as
    they are. A checkpoint of it holds the weights.
    """

    def __init__(
        self,
        weights: Sequence[nn.Parameter],
        prompt: Learner | None = None,
        soft_scale: float = 0.0,
    ) -> None:
        if prompt is None:
            super().__init__()
        else:
            super().__init__(soft=prompt.soft, vectors=prompt.vectors_made)
            for parameter in prompt.parameters():
                parameter.requires_grad_(soft_scale > 0)
        self.own = nn.ParameterList(weights)
        self.soft_scale = soft_scale

    @property
    def weights(self) -> Sequence[nn.Parameter]:
        """The network's own parameters."""
        return list(self.own)

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        """The weights at the learning rate, all else at its multiple."""
        own = {id(parameter) for parameter in self.own}
        others = [p for p in self.parameters() if p.requires_grad and id(p) not in own]
        return [(list(self.own), 1.0), (others, self.soft_scale)]
