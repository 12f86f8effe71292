"""Keys and values of rows that begin and end at different times, in buffers made once.

All rows write their next token into the same column; a row's own tokens are the columns right
before it, so a row that joins is put where its last token is next to that column. What a row
attends begins at its own first column. A row that leaves gives its place to the last one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from promptlab.compat.transformers import Cache, DynamicLayer
from promptlab.engine.kv_cache.state import KVState, LayerKV
from promptlab.engine.tensors import additive_mask

GROWTH_COLUMNS = 64
"""Buffers grow by at least so many columns."""


class KVBuffers:
    """Keys and values of all layers, ``[row, head, column, dim]`` each, zeros at first.

    Zeros, because what is masked is still multiplied by 0: it has to be finite.
    """

    def __init__(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        self.layers: list[list[Tensor]] = []

    def put(self, row: int, column: int, state: KVState) -> None:
        """Copy a state of one row to where it begins."""
        if not self.layers:
            self.layers = [[self._empty(part) for part in layer] for layer in state.layers]
        for own, layer in zip(self.layers, state.layers, strict=True):
            for buffer, part in zip(own, layer, strict=True):
                buffer[row, :, column : column + part.shape[2]] = part[0]

    def move(self, source: int, target: int) -> None:
        """Copy one row over another."""
        for layer in self.layers:
            for buffer in layer:
                buffer[target] = buffer[source]

    def shift(self, rows: int, start: int, end: int, to: int, columns: int) -> None:
        """Move columns ``start`` to ``end`` of the first ``rows`` to ``to``, in new buffers."""
        self.columns = columns
        for layer in self.layers:
            for index, buffer in enumerate(layer):
                layer[index] = self._empty(buffer)
                layer[index][:rows, :, to : to + end - start] = buffer[:rows, :, start:end]

    def row_state(self, row: int, start: int, end: int) -> KVState:
        """Columns of a row, as views."""
        layers = [
            (keys[row : row + 1, :, start:end], values[row : row + 1, :, start:end])
            for keys, values in self.layers
        ]
        return KVState(tuple(layers), end - start)

    def _empty(self, like: Tensor) -> Tensor:
        shape = (self.rows, like.shape[1], self.columns, like.shape[3])
        return torch.zeros(shape, dtype=like.dtype, device=like.device)


class SlotCacheLayer(DynamicLayer):
    """A cache layer that writes into the slots' column and lends the columns in use."""

    def __init__(self, slots: KVSlotPool, number: int) -> None:
        super().__init__()
        self.slots, self.number = slots, number

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> LayerKV:
        """Keys and values of the rows so far, ``[row, head, column, dim]``."""
        slots = self.slots
        keys, values = slots.buffers.layers[self.number]
        rows, end = key_states.shape[0], slots.column + 1
        keys[:rows, :, slots.column : end] = key_states
        values[:rows, :, slots.column : end] = value_states
        return keys[:rows, :, slots.first_column : end], values[:rows, :, slots.first_column : end]

    def get_seq_length(self) -> int:
        """Columns in use before the one that is written."""
        return self.slots.column - self.slots.first_column

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Key length and offset for a query of the given length."""
        return self.get_seq_length() + query_length, 0


class KVSlotPool:
    """The rows at work. ``starts`` are their first columns, ``column`` is the next to be written.

    With ``keeps_first_column`` the first column stays 0, for models that count positions from
    there.
    """

    def __init__(self, rows: int, columns: int, *, keeps_first_column: bool = False) -> None:
        self.buffers = KVBuffers(rows, -(-columns // GROWTH_COLUMNS) * GROWTH_COLUMNS)
        self.keeps_first_column = keeps_first_column
        self.starts: list[int] = []
        self.column = 0

    @property
    def first_column(self) -> int:
        """The first column that any row attends."""
        return 0 if self.keeps_first_column else min(self.starts, default=self.column)

    def cache(self) -> Cache:
        """A transformers cache over the slots."""
        return Cache(
            layers=[SlotCacheLayer(self, number) for number in range(len(self.buffers.layers))]
        )

    def add(self, state: KVState) -> None:
        """Put a state into the next free row."""
        if not self.starts:
            self.column = state.length
            self._grow(state.length)
        elif state.length > self.column:
            self._shift(state.length)
        start = self.column - state.length
        self.buffers.put(len(self.starts), start, state)
        self.starts.append(start)

    def remove(self, row: int) -> None:
        """Free a row; the last one takes its place."""
        last = len(self.starts) - 1
        if row != last:
            self.buffers.move(last, row)
            self.starts[row] = self.starts[last]
        self.starts.pop()

    def row_state(self, row: int) -> KVState:
        """What a row holds, as views on the buffers."""
        return self.buffers.row_state(row, self.starts[row], self.column)

    def make_room_for_step(self) -> None:
        """Make sure that the next column can be written."""
        if self.column < self.buffers.columns:
            return
        if self.first_column > self.buffers.columns // 2:
            self._shift(self.column - self.first_column)
        else:
            self._grow(self.column + 1)

    def step_inputs(
        self, tokens: Sequence[int], dtype: torch.dtype, device: torch.device
    ) -> _StepInputs:
        """The next tokens, who sees which column, and positions."""
        starts = torch.tensor(self.starts, device=device)
        columns = torch.arange(self.first_column, self.column + 1, device=device)
        mask = additive_mask(columns[None] >= starts[:, None], dtype)
        ids = torch.tensor(tokens, device=device)[:, None]
        return ids, mask[:, None, None], (self.column - starts)[:, None]

    def _grow(self, columns: int) -> None:
        """At least so many columns, with some to spare, where everything stays where it is."""
        if columns > self.buffers.columns:
            wanted = max(columns + GROWTH_COLUMNS, columns * 5 // 4)
            self.buffers.shift(
                len(self.starts), 0, self.column, 0, -(-wanted // GROWTH_COLUMNS) * GROWTH_COLUMNS
            )

    def _shift(self, column: int) -> None:
        """Move all rows, so that ``column`` is the next to be written."""
        first, used = self.first_column, self.column - self.first_column
        columns = max(
            self.buffers.columns, -(-(column + GROWTH_COLUMNS) // GROWTH_COLUMNS) * GROWTH_COLUMNS
        )
        self.buffers.shift(len(self.starts), first, self.column, column - used, columns)
        moved = column - self.column
        self.starts = [start + moved for start in self.starts]
        self.column = column


_StepInputs = tuple[Tensor, Tensor, Tensor]
