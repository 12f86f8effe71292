"""How the training items of each model family become a forward."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import torch

from promptlab.compat.transformers import EncoderOutput
from promptlab.engine.kv_cache.stacking import inputs_after_prefix, stack_kv_states
from promptlab.engine.kv_cache.state import KVState
from promptlab.engine.network.network import Network
from promptlab.engine.scoring.branching import (
    Branch,
    branch_mask,
    branched_row,
    branched_row_length,
)
from promptlab.engine.scoring.causal import CausalRunner
from promptlab.engine.scoring.gather import GatherIndex
from promptlab.engine.scoring.masked import MaskedRunner, masked_rows
from promptlab.engine.scoring.request import ScoringRequest
from promptlab.engine.scoring.runner import Runner
from promptlab.engine.scoring.seq2seq import Seq2SeqRunner, decoder_cache_inputs
from promptlab.engine.tensors import pad_rows, padding_mask
from promptlab.engine.training.forward_plan import ForwardPlan, ForwardPlanner, TrainingItem


def planner_for(runner: Runner) -> ForwardPlanner:
    """The planner that goes with a runner."""
    if isinstance(runner, CausalRunner):
        return CausalPlanner(runner) if runner.can_share_prefixes else PlainCausalPlanner(runner)
    if isinstance(runner, MaskedRunner):
        return MaskedPlanner(runner.network)
    assert isinstance(runner, Seq2SeqRunner)
    return Seq2SeqPlanner(runner)


class CausalPlanner:
    """A row a request, continuations as branches, after a state of the row's own."""

    needs_equal_prefixes = False

    def __init__(self, runner: CausalRunner) -> None:
        self.runner = runner

    def length(self, item: TrainingItem) -> int:
        """Tokens after the state."""
        return sum(branched_row_length(request, item.start) for request in item.requests)

    def plan(self, items: Sequence[TrainingItem]) -> ForwardPlan:
        """Ragged states are padded on the left, where nothing sees the padding."""
        network = self.runner.network
        rows: list[list[int]] = []
        branches: list[list[Branch]] = []
        gathers: list[GatherIndex] = []
        states: list[KVState | None] = []
        own: list[int] = []
        for item in items:
            for request in item.requests:
                tokens, spans = branched_row(request, item.start)
                places = (len(rows), len(rows), item.start)
                gathers.extend(self.runner.branch_gathers(request, *places, spans, affine=False))
                rows.append(tokens)
                branches.append(spans)
                states.append(item.state)
                own.append(len(request.context.ids) - item.start)
        ids = pad_rows(rows, network.device)
        inputs: dict[str, Any] = {"input_ids": ids, "use_cache": False}
        if any(branches) or any(states):
            mask, positions = branch_mask(own, branches, ids.shape[1])
            starts = torch.tensor([state.length if state else 0 for state in states])
            inputs |= inputs_after_prefix(network, mask, states)
            inputs["position_ids"] = (positions + starts[:, None]).to(ids.device)
        return ForwardPlan(inputs, sum(map(len, rows))).add_gathers(items, gathers)


class PlainCausalPlanner:
    """A row a continuation: for models whose layers keep other state than keys and values."""

    needs_equal_prefixes = False

    def __init__(self, runner: CausalRunner) -> None:
        self.runner = runner

    def length(self, item: TrainingItem) -> int:
        """Tokens of all rows."""
        return sum(
            len(request.context.ids) + len(tail) - 1
            for request in item.requests
            for tail in request.tails
        )

    def plan(self, items: Sequence[TrainingItem]) -> ForwardPlan:
        """Whole rows, nothing shared."""
        rows: list[tuple[int, ...]] = []
        gathers: list[GatherIndex] = []
        number = 0
        for item in items:
            for request in item.requests:
                for count, tail in enumerate(request.tails):
                    place = (number, len(rows), tail)
                    slot = len(request.context.ids) - 1
                    if count == 0:
                        gathers.extend(_first_tokens(request, number, len(rows), slot))
                    gathers.extend(self.runner.row_gathers(request, *place, first=False))
                    rows.append(request.context.ids + tail[:-1])
                number += 1
        ids = pad_rows(rows, self.runner.network.device)
        inputs = {"input_ids": ids, "use_cache": False}
        return ForwardPlan(inputs, sum(map(len, rows))).add_gathers(items, gathers)


class MaskedPlanner:
    """The rows of `MaskedRunner`; a prefix stands before each without taking positions."""

    needs_equal_prefixes = False

    def __init__(self, network: Network) -> None:
        self.network = network

    def length(self, item: TrainingItem) -> int:
        """Tokens of all rows: one a request, and one for every start that fills some masks."""
        return sum(
            len(q.context.ids)
            * (1 + len({c[:end] for c in q.continuations for end in range(1, len(c))}))
            for q in item.requests
        )

    def plan(self, items: Sequence[TrainingItem]) -> ForwardPlan:
        """Every row with its padding mask."""
        rows: list[tuple[int, ...]] = []
        gathers: list[GatherIndex] = []
        states: list[KVState | None] = []
        number = 0
        for item in items:
            for request in item.requests:
                for row, places in masked_rows(request, number, affine=False):
                    gathers.extend(replace(place, row=len(rows)) for place in places)
                    rows.append(row)
                    states.append(item.state)
                number += 1
        ids, seen = (make(rows, self.network.device) for make in (pad_rows, padding_mask))
        inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": seen}
        if any(states):
            mask = seen.bool().cpu()[:, None, None].expand(-1, 1, ids.shape[1], -1)
            inputs |= inputs_after_prefix(self.network, mask, states, takes_positions=False)
            inputs.pop("use_cache")
        return ForwardPlan(inputs, sum(map(len, rows))).add_gathers(items, gathers)


class Seq2SeqPlanner:
    """Every context is encoded once, with its graph; the decoder's rows as in `Seq2SeqRunner`."""

    needs_equal_prefixes = True

    def __init__(self, runner: Seq2SeqRunner) -> None:
        self.runner = runner

    def length(self, item: TrainingItem) -> int:
        """Tokens of the encoder and of all the decoder's rows."""
        return sum(
            len(request.context.ids)
            + sum(len(self.runner.decoder_ids(request)) + len(tail) for tail in request.tails)
            for request in item.requests
        )

    def plan(self, items: Sequence[TrainingItem]) -> ForwardPlan:
        """States stand before the decoder's rows; all have one length."""
        network = self.runner.network
        requests = [request for item in items for request in item.requests]
        states = [item.state for item in items for _ in item.requests]
        rows, owners, gathers = self.runner.rows(requests, range(len(requests)), affine=False)
        contexts = [request.context.ids for request in requests]
        mask = padding_mask(contexts, network.device)
        encoded = network.run_encoder_with_graph(
            input_ids=pad_rows(contexts, network.device), attention_mask=mask
        )
        owner = torch.tensor(owners, device=network.device)
        before = stack_kv_states([states[index] for index in owners]) if any(states) else None
        inputs = {
            "encoder_outputs": EncoderOutput(last_hidden_state=encoded[owner]),
            "attention_mask": mask[owner],
            "decoder_input_ids": pad_rows(rows, network.device),
            **decoder_cache_inputs(network, before),
        }
        tokens = sum(map(len, contexts)) + sum(map(len, rows))
        return ForwardPlan(inputs, tokens).add_gathers(items, gathers)


def _first_tokens(
    request: ScoringRequest, number: int, row: int, slot: int
) -> Iterable[GatherIndex]:
    for continuation in request.continuations:
        yield GatherIndex(number, row, slot, continuation[0], (continuation,))
