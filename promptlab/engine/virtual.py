"""Virtual tokens: ids beyond the vocabulary stand for learned vectors."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn, where
from torch.nn.functional import embedding as looked_up


class VirtualTokens:
    """Makes the ids from ``start`` on stand for the rows of ``table``.

    Hooks on the model's input embedding put the vectors in, so that everything else (prefix
    trees, batches, positions, cache keys) goes on working with token ids. ``start`` is the
    number of rows of the embedding, ``width`` their length. The vectors stand for the
    embedding's *output*: they are not scaled again by models that scale it inside.
    """

    def __init__(self, model: Any) -> None:
        embedding = model.get_input_embeddings()
        self.embedding = embedding
        self.start, self.width = (int(n) for n in embedding.weight.shape)
        self.table: Float[Tensor, "token dim"] | None = None
        self._ids: Tensor | None = None
        for module in model.modules():
            if isinstance(module, nn.Embedding) and module.weight is embedding.weight:
                module.register_forward_pre_hook(self._within)
                module.register_forward_hook(self._replaced)

    def vectors(self, ids: Tensor) -> Float[Tensor, "token dim"]:
        """What the embedding gives for real token ids ``[token]``, in fp32."""
        found: Tensor = self.embedding(ids)
        return found.float()

    def _within(self, module: nn.Module, args: tuple[Any, ...]) -> Any:
        if self.table is None:
            return None
        self._ids = args[0]
        return (args[0].clamp(max=self.start - 1), *args[1:])

    def _replaced(self, module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Any:
        if self.table is None or self._ids is None:
            return None
        ids, self._ids = self._ids, None
        rows = looked_up((ids - self.start).clamp(min=0), self.table)
        return where((ids >= self.start)[..., None], rows.to(output.dtype), output)
