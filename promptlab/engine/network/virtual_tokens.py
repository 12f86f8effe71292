"""Virtual tokens: ids beyond the vocabulary stand for learned vectors."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn, where
from torch.nn.functional import embedding as looked_up


class _ThreadState(threading.local):
    """What the ids stand for in one thread, and those of the forward that it is in."""

    table: Float[Tensor, "token dim"] | None = None
    ids: Tensor | None = None


class VirtualTokens:
    """Makes the ids from ``first_id`` on stand for the rows of ``table``.

    Every thread has a table of its own: views with other vectors run side by side on one network.

    Hooks on the model's input embedding put the vectors in, so that everything else (prefix
    trees, batches, positions, cache keys) goes on working with token ids. ``first_id`` is the
    number of rows of the embedding, ``width`` their length. The vectors stand for the
    embedding's *output*: they are not scaled again by models that scale it inside.
    """

    def __init__(self, model: Any) -> None:
        embedding = model.get_input_embeddings()
        self.embedding = embedding
        self.first_id, self.width = (int(n) for n in embedding.weight.shape)
        self._place = _ThreadState()
        for module in model.modules():
            looks_up = isinstance(module, nn.Embedding) and module.weight is embedding.weight
            if module is embedding or looks_up:
                module.register_forward_pre_hook(self._clamp_ids)
                module.register_forward_hook(self._replace_vectors)

    @property
    def table(self) -> Float[Tensor, "token dim"] | None:
        """The vectors that this thread's ids stand for."""
        return self._place.table

    @contextmanager
    def use_vectors(self, vectors: Float[Tensor, "token dim"] | None) -> Iterator[None]:
        """While inside, this thread's virtual ids stand for the rows of ``vectors``."""
        place = self._place
        before, place.table = place.table, vectors
        try:
            yield
        finally:
            place.table = before

    def embed(self, ids: Tensor) -> Float[Tensor, "token dim"]:
        """What the embedding gives for real token ids ``[token]``, in fp32."""
        found: Tensor = self.embedding(ids)
        return found.float()

    def _clamp_ids(self, module: nn.Module, args: tuple[Any, ...]) -> Any:
        if self.table is None:
            return None
        self._place.ids = args[0]
        return (args[0].clamp(max=self.first_id - 1), *args[1:])

    def _replace_vectors(self, module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Any:
        place = self._place
        if place.table is None or place.ids is None:
            return None
        ids, place.ids = place.ids, None
        rows = looked_up((ids - self.first_id).clamp(min=0), place.table)
        return where((ids >= self.first_id)[..., None], rows.to(output.dtype), output)
