"""Log-likelihoods of continuations, with gradients for learned vectors, prefixes and weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

import torch
from jaxtyping import Float
from torch import Tensor

from promptlab.engine.memory import TokenBudget
from promptlab.engine.network.network import Network
from promptlab.engine.scoring.runner import Runner
from promptlab.engine.training.forward_plan import ForwardPlan, ForwardPlanner, TrainingItem
from promptlab.engine.training.planners import planner_for

ItemScores = list[list[Float[Tensor, " _continuation"]]]
"""For every item and request the log-likelihoods of its continuations."""
Loss = Callable[[list[int], ItemScores], Tensor]
"""From the numbers of a batch's items and what was scored, one or several numbers in nats."""


class GradientScorer:
    """Scores continuations as `Engine.score` does, differentiably.

    The head is applied at the places that are read and nowhere else; with ``normalised=False``,
    which is enough where all answers are single tokens of one slot and are compared with each
    other alone, only at the answers' rows.
    """

    def __init__(self, network: Network, runner: Runner) -> None:
        self.network = network
        self.planner: ForwardPlanner = planner_for(runner)
        self.budget = TokenBudget(runner.budget.tokens)
        self.computed_tokens = 0

    def score(self, items: Sequence[TrainingItem], *, normalised: bool) -> ItemScores:
        """Log-likelihoods in nats of all continuations, in one forward."""
        plan = self.planner.plan(items)
        self.computed_tokens += plan.tokens
        values = self._values(plan, normalised)
        sums = torch.zeros(len(plan.owners), device=values.device)
        sums = sums.index_add(0, plan.term_owners.to(values.device), values)
        found: ItemScores = [[] for _ in items]
        for (item, request), (begin, end) in plan.owners_of.items():
            assert request == len(found[item])
            found[item].append(sums[begin:end])
        return found

    def gradients(
        self,
        items: Sequence[TrainingItem],
        loss: Loss,
        leaves: Sequence[Tensor],
        *,
        vectors: Float[Tensor, "token dim"] | None,
        normalised: bool,
    ) -> tuple[Tensor, list[Tensor]]:
        """The losses summed over all items, and their sum's gradient for each of ``leaves``.

        The items go through the network in batches of the token budget, longest first; the sums
        do not depend on how they are batched, nor on batches that had to be halved. ``vectors``
        stand for the virtual tokens.
        """
        total: Tensor = torch.zeros(())
        sums = [torch.zeros_like(leaf) for leaf in leaves]

        def work(batch: list[int]) -> None:
            nonlocal total
            longest = max(items[index].attended for index in batch)
            with self.network.use_virtual_tokens(vectors), self.network.short_attention(longest):
                found = self.score([items[index] for index in batch], normalised=normalised)
                value = loss(batch, found)
                grads = torch.autograd.grad(value.sum(), leaves, allow_unused=True)
            total = total.to(value.device) + value.detach()
            for kept, grad in zip(sums, grads, strict=True):
                if grad is not None:
                    kept += grad

        for batch in self.groups(items):
            lengths = [self.planner.length(items[index]) for index in batch]
            self.budget.run(lengths, _numbered(work, batch))
        return total, sums

    def groups(self, items: Sequence[TrainingItem]) -> list[list[int]]:
        """Items that may stand in one batch: those of a decoder need prefixes of one length."""
        if not self.planner.needs_equal_prefixes:
            return [list(range(len(items)))]
        order = sorted(range(len(items)), key=lambda index: items[index].start)
        return [list(group) for _, group in groupby(order, key=lambda i: items[i].start)]

    def _values(self, plan: ForwardPlan, normalised: bool) -> Float[Tensor, " term"]:
        rows, columns = plan.places(self.network.device)
        if not normalised and self.network.head_is_linear:
            features = self.network.features_with_graph(rows, columns, **plan.inputs)
            ids, where = plan.targets.to(rows.device).unique(return_inverse=True)
            head = self.network.vocabulary_head
            logits = features @ head.rows(ids).T + head.bias(ids)
            return logits[plan.term_places.to(rows.device), where]
        logits = self.network.logits_with_graph(rows, columns, **plan.inputs)
        found = logits.log_softmax(-1)
        return found[plan.term_places.to(rows.device), plan.targets.to(rows.device)]


def _numbered(work: Callable[[list[int]], None], batch: list[int]) -> Callable[[list[int]], None]:
    """``work`` for places within ``batch``."""
    return lambda chosen: work([batch[place] for place in chosen])
