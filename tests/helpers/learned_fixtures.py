"""Learned parts of the shapes that a template and a model need, for the tests of learning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from promptlab.engine.kv_cache.state import kv_state_from_prefix
from promptlab.engine.training.forward_plan import TrainingItem
from promptlab.engine.training.gradients import GradientScorer, ItemScores
from promptlab.models.learned_parts import LearnedParts, learned_segments
from promptlab.models.local import LocalModel
from promptlab.prompts.prompt import Prompt, Soft
from tests.helpers.reference_learned import Parts


@dataclass(frozen=True)
class Drawn:
    """Random learned parts as leaves: the table and its segments, triggers, a prefix."""

    soft: tuple[tuple[str, int], ...]
    table: Tensor | None
    triggers: tuple[tuple[int, ...], ...]
    prefix: Tensor | None

    @property
    def learned(self) -> LearnedParts:
        """As the model takes them."""
        table, prefix = (
            None if part is None else part.detach().clone() for part in (self.table, self.prefix)
        )
        return LearnedParts(table, self.soft, self.triggers, prefix)

    @property
    def leaves(self) -> list[Tensor]:
        """What gradients are taken for."""
        return [part for part in (self.table, self.prefix) if part is not None]

    @property
    def parts(self) -> Parts:
        """As the plain reference takes them."""
        found, start = {}, 0
        for name, count in self.soft:
            assert self.table is not None
            found[name] = self.table[start : start + count]
            start += count
        return Parts(found, self.triggers, self.prefix)


def drawn(model: LocalModel, prompt: Prompt, *, prefix: int = 0, seed: int = 0) -> Drawn:
    """Parts for the prompt's segments and a prefix of so many tokens."""
    generator = torch.Generator().manual_seed(seed)
    segments = dict(learned_segments(prompt.segments))
    soft = tuple((n, s.count) for n, s in segments.items() if isinstance(s, Soft))
    counts = [s.count for s in prompt.segments if not isinstance(s, Soft) and hasattr(s, "count")]
    virtual = model.engine.network.virtual_tokens
    rows = sum(count for _, count in soft)
    table = torch.randn((rows, virtual.width), generator=generator) * 0.5 if rows else None
    state = None
    if prefix:
        shape = model.prefix_shape
        assert shape is not None
        layers, heads, size = shape
        state = torch.randn((layers, 2, heads, prefix, size), generator=generator)
    for part in (table, state):
        if part is not None:
            part.requires_grad_(True)
    tokens = torch.randint(5, virtual.first_id, (sum(counts),), generator=generator).tolist()
    triggers = tuple(tuple(tokens.pop() for _ in range(count)) for count in counts)
    return Drawn(soft, table, triggers, state)


def items(
    view: LocalModel, prompts: Sequence[Prompt], answers: Sequence[str], made: Drawn
) -> list[TrainingItem]:
    """The prompts' questions as training items, after the prefix if there is one."""
    state = None if made.prefix is None else kv_state_from_prefix(made.prefix)
    return [TrainingItem(tuple(row), state) for row in view.scoring_requests(prompts, answers)]


def weighed(
    view: LocalModel,
    prompts: Sequence[Prompt],
    answers: Sequence[str],
    made: Drawn,
    weights: Tensor,
    *,
    normalised: bool = True,
    given: Sequence[TrainingItem] | None = None,
) -> tuple[float, list[Tensor]]:
    """Sum of ``weights`` ``[prompt, answer]`` times log-likelihoods, and its gradients."""
    orders = [
        [answer for asked in row for answer in asked.answers]
        for row in view.scoring_requests(prompts, answers)
    ]

    def loss(numbers: list[int], scored: ItemScores) -> Tensor:
        rows = [
            (torch.cat(list(found)) * weights[n][torch.tensor(orders[n])]).sum()
            for n, found in zip(numbers, scored, strict=True)
        ]
        return torch.stack(rows).sum()

    network = view.engine.network
    scorer = GradientScorer(network, view.base.engine.runner)
    total, gradients = scorer.gradients(
        given if given is not None else items(view, prompts, answers, made),
        loss,
        made.leaves,
        vectors=made.table,
        normalised=normalised,
    )
    return float(total), gradients
