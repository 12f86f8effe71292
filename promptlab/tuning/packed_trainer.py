"""Several candidates trained in one batch on one frozen network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from promptlab.engine.kv_cache.state import KVState, kv_state_from_prefix, kv_states_with_graph
from promptlab.engine.kv_cache.training_cache import TrainingPrefixCache
from promptlab.engine.training.forward_plan import TrainingItem
from promptlab.engine.training.gradients import GradientScorer
from promptlab.engine.training.gradients import ItemScores as ScoredItems
from promptlab.models.local import LocalModel
from promptlab.tuning.objectives import TrainingObjective
from promptlab.tuning.trainer_state import TrainState


@dataclass
class _Outputs:
    """What a trainee's learner gives out at this step, and leaves in its place.

    The gradient is taken at the leaves, once for each batch, and goes back through an encoder
    once for all. ``shared_prefix`` are the keys and values of what all rows begin with: they are
    computed once, too, and the gradient for them goes back to the vectors once.
    """

    offset: int
    vectors: Tensor | None
    prefix: Tensor | None
    prefix_leaf: Tensor | None
    state: KVState | None
    mixture_leaf: Tensor | None
    lead: Tensor | None = None
    lead_leaf: Tensor | None = None


class PackedTrainer:
    """Takes steps for several trainees at once.

    Rows of all trainees share a batch; each row reads its own trainee's vectors, which stand one
    trainee after the other in one table, and attends its own prefix. The loss is the sum of the
    trainees' means, and each has an optimizer of its own, so every trainee's steps are those it
    would take alone.
    """

    def __init__(self, model: LocalModel) -> None:
        network = model.engine.network
        self.network = network
        self.scorer = GradientScorer(network, model.engine.runner)
        self.states = TrainingPrefixCache(network, model.engine.runner.budget)
        self._lead_tokens = 0

    @property
    def computed_tokens(self) -> int:
        """Tokens that went through the network so far."""
        return self.scorer.computed_tokens + self.states.computed_tokens + self._lead_tokens

    def step(self, trainees: Sequence[TrainState]) -> list[float | Exception]:
        """One step for each; its loss (mean over its batch, nats), or why it was given up."""
        outputs, table = self._outputs(trainees)
        self._lead(trainees, [trainee.train for trainee in trainees], outputs, table)
        batches = [trainee.batch() for trainee in trainees]
        items: list[TrainingItem] = []
        owners: list[tuple[int, int]] = []
        for which, (trainee, batch) in enumerate(zip(trainees, batches, strict=True)):
            self._prepare(trainee.train, batch, outputs[which])
            for number in batch:
                items.append(self._item(trainee, trainee.train, number, outputs[which]))
                owners.append((which, number))
                trainee.progress.tokens += self.scorer.planner.length(items[-1])

        def loss(numbers: list[int], scored: ScoredItems) -> Tensor:
            shares = [torch.zeros((), device=self.network.device) for _ in trainees]
            for which, trainee in enumerate(trainees):
                mine = [place for place, n in enumerate(numbers) if owners[n][0] == which]
                if mine:
                    found = trainee.train.losses(
                        [owners[numbers[place]][1] for place in mine],
                        [scored[place] for place in mine],
                        outputs[which].mixture_leaf,
                    )
                    shares[which] = found.sum() / len(batches[which])
            return torch.stack(shares)

        leaves = [] if table is None else [table]
        leaves += [o.prefix_leaf for o in outputs if o.prefix_leaf is not None]
        leaves += [o.lead_leaf for o in outputs if o.lead_leaf is not None]
        leaves += [o.mixture_leaf for o in outputs if o.mixture_leaf is not None]
        leaves += [weight for trainee in trainees for weight in trainee.learner.weights]
        normalised = any(trainee.train.normalised for trainee in trainees)
        losses, gradients = self.scorer.gradients(
            items, loss, leaves, vectors=table, normalised=normalised
        )
        found = {id(leaf): grad for leaf, grad in zip(leaves, gradients, strict=True)}
        if table is not None:
            self._add_leads(outputs, table, found)
        return [
            self._stepped(trainee, loss_of, outputs[which], table, found)
            for which, (trainee, loss_of) in enumerate(zip(trainees, losses.tolist(), strict=True))
        ]

    def _stepped(
        self,
        trainee: TrainState,
        loss: float,
        outputs: _Outputs,
        table: Tensor | None,
        found: dict[int, Tensor],
    ) -> float | Exception:
        pairs: list[tuple[Tensor, Tensor]] = []
        if outputs.vectors is not None and outputs.vectors.requires_grad:
            assert table is not None
            end = outputs.offset + len(outputs.vectors)
            pairs.append((outputs.vectors, found[id(table)][outputs.offset : end]))
        if outputs.prefix is not None:
            pairs.append((outputs.prefix, found[id(outputs.prefix_leaf)]))
        if outputs.mixture_leaf is not None:
            assert trainee.learner.mixture is not None
            pairs.append((trainee.learner.mixture, found[id(outputs.mixture_leaf)]))
        pairs += [(weight, found[id(weight)]) for weight in trainee.learner.weights]
        try:
            trainee.step(loss, pairs)
        except Exception as error:
            return error
        return loss

    def _add_leads(
        self, outputs: Sequence[_Outputs], table: Tensor, found: dict[int, Tensor]
    ) -> None:
        """Take the gradients for what rows begin with back to the table."""
        led = [o for o in outputs if o.lead is not None and o.lead_leaf is not None]
        if not led:
            return
        (gradient,) = torch.autograd.grad(
            [o.lead for o in led if o.lead is not None],
            table,
            [found[id(o.lead_leaf)].to(self.network.dtype) for o in led],
        )
        found[id(table)] += gradient

    @torch.no_grad()
    def scores(self, trainee: TrainState, exercises: TrainingObjective) -> tuple[np.ndarray, float]:
        """Label log-probabilities ``[example, label]`` (empty for texts), and the mean loss."""
        outputs, table = self._outputs([trainee])
        self._lead([trainee], [exercises], outputs, table)
        numbers = list(range(len(exercises)))
        self._prepare(exercises, numbers, outputs[0])
        items = [self._item(trainee, exercises, number, outputs[0]) for number in numbers]
        trainee.progress.tokens += sum(map(self.scorer.planner.length, items))
        rows: dict[int, np.ndarray] = {}
        losses: dict[int, float] = {}

        def work(batch: list[int]) -> None:
            with self.network.use_virtual_tokens(table):
                found = self.scorer.score(
                    [items[n] for n in batch], normalised=exercises.normalised
                )
            values = exercises.losses(batch, found, outputs[0].mixture_leaf)
            losses.update(zip(batch, values.tolist(), strict=True))
            scores = exercises.scores(batch, found, outputs[0].mixture_leaf)
            if scores is not None:
                rows.update(zip(batch, scores.cpu().double().numpy(), strict=True))

        for group in self.scorer.groups(items):
            lengths = [self.scorer.planner.length(items[n]) for n in group]
            self.scorer.budget.run(lengths, lambda b, group=group: work([group[i] for i in b]))  # type: ignore[misc]
        table_of = np.stack([rows[n] for n in numbers]) if rows else np.zeros((len(numbers), 0))
        return table_of, sum(losses.values()) / len(losses)

    def _outputs(self, trainees: Sequence[TrainState]) -> tuple[list[_Outputs], Tensor | None]:
        """Every trainee's outputs as leaves; their vectors in one table."""
        made: list[_Outputs] = []
        tables: list[Tensor] = []
        offset = 0
        for trainee in trainees:
            learner = trainee.learner
            vectors, prefix = learner.vectors(), learner.prefix()
            prefix_leaf = None if prefix is None else self._leaf(prefix)
            made.append(
                _Outputs(
                    offset=offset,
                    vectors=vectors,
                    prefix=prefix,
                    prefix_leaf=prefix_leaf,
                    state=None if prefix_leaf is None else kv_state_from_prefix(prefix_leaf),
                    mixture_leaf=None if learner.mixture is None else self._leaf(learner.mixture),
                )
            )
            if vectors is not None:
                tables.append(vectors.detach().to(self.network.device))
                offset += len(vectors)
        if not tables:
            return made, None
        return made, self._leaf(torch.cat(tables))

    def _lead(
        self,
        trainees: Sequence[TrainState],
        exercises: Sequence[TrainingObjective],
        outputs: Sequence[_Outputs],
        table: Tensor | None,
    ) -> None:
        """Compute once, with its graph, what all rows of a trainee begin with."""
        led = [
            (output, one.shared_prefix_at(output.offset))
            for trainee, one, output in zip(trainees, exercises, outputs, strict=True)
            if output.state is None and trainee.learner.members == 1 and one.shared_prefix
        ]
        if not led:
            return
        rows = [ids for _, ids in led]
        longest = max(map(len, rows))
        with self.network.use_virtual_tokens(table), self.network.short_attention(longest):
            states = kv_states_with_graph(self.network, rows)
        self._lead_tokens += sum(map(len, rows))
        for (output, _), state in zip(led, states, strict=True):
            output.lead = state
            output.lead_leaf = self._leaf(state.float())
            output.state = kv_state_from_prefix(output.lead_leaf)

    def _leaf(self, tensor: Tensor) -> Tensor:
        leaf = tensor.detach().to(self.network.device).clone()
        return leaf.requires_grad_(torch.is_grad_enabled())

    def _item(
        self, trainee: TrainState, exercises: TrainingObjective, number: int, outputs: _Outputs
    ) -> TrainingItem:
        members = trainee.learner.members
        size = trainee.learner.tokens // members
        offsets = [outputs.offset + member * size for member in range(members)]
        return exercises.item(number, offsets, prefix=outputs.state, states=self.states)

    def _prepare(
        self, exercises: TrainingObjective, numbers: Sequence[int], outputs: _Outputs
    ) -> None:
        if outputs.state is None and exercises.shares:
            self.states.prepare([ids for n in numbers if (ids := exercises.frozen_prefix(n))])
