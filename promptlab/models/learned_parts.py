"""What was learned for a model: vectors, trigger tokens, a prefix, tuned weights, a head."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jaxtyping import Float
from safetensors.torch import save_file
from torch import Tensor

from promptlab.engine.network.finite_check import is_finite
from promptlab.errors import InputError
from promptlab.files.cache import atomic_write
from promptlab.files.json_file import read_object
from promptlab.files.saved_predictor.check import check_learned
from promptlab.models.checkpoints.tensor_file import read_tensors
from promptlab.models.tuned_weights import TunedWeights
from promptlab.prompts.prompt import Segment, Soft, Trigger

FORMAT = 1
"""Version of ``learned.json``."""
TENSOR_NAMES = ("vectors", "prefix", "head", "head_bias")
TENSORS, FACTS = "learned.safetensors", "learned.json"


@dataclass(frozen=True, eq=False)
class LearnedParts:
    """The learned parts of a prompt, found by its segments.

    ``vectors`` ``[token, dim]`` hold the soft segments one after the other, ``soft`` their names
    and lengths (a shared id, else the segment's number among those without one), ``triggers``
    the token ids of each trigger segment in order, ``prefix`` ``[layer, 2, head, token, dim]``
    keys and values that every layer attends, ``weights`` what became of the model's own,
    ``head`` ``[label, dim]`` and ``head_bias`` ``[label]`` a classifier on its last hidden state.
    All in fp32. ``facts`` are notes for people.
    """

    vectors: Float[Tensor, "token dim"] | None = None
    soft: tuple[tuple[str, int], ...] = ()
    triggers: tuple[tuple[int, ...], ...] = ()
    prefix: Float[Tensor, "layer 2 head length size"] | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    weights: TunedWeights | None = None
    head: Float[Tensor, "label dim"] | None = None
    head_bias: Float[Tensor, " label"] | None = None

    @property
    def prefix_length(self) -> int:
        """Tokens of the learned prefix."""
        return 0 if self.prefix is None else int(self.prefix.shape[-2])

    @property
    def key(self) -> str:
        """Content hash of all that changes what the model computes."""
        digest = hashlib.sha256(json.dumps([self.soft, self.triggers]).encode())
        digest.update(self.weights.key.encode() if self.weights is not None else b"")
        for tensor in (self.vectors, self.prefix, self.head, self.head_bias):
            if tensor is not None:
                digest.update(str(tuple(tensor.shape)).encode())
                digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
        return digest.hexdigest()[:24]

    @property
    def non_finite_part(self) -> str | None:
        """Which of the learned tensors holds NaN or infinity; ``None`` if all are numbers."""
        parts = {name: getattr(self, name) for name in TENSOR_NAMES}
        parts |= self.weights.tensors if self.weights is not None else {}
        found = (name for name, part in parts.items() if part is not None and not is_finite(part))
        return next(found, None)

    def segment_ids(self, segments: Sequence[Segment], start: int) -> Iterator[tuple[int, ...]]:
        """For each soft or trigger segment of a prompt its token ids; vectors' begin at ``start``.

        Raises `InputError` when the prompt asks for what was not learned.
        """
        places = self._places()
        triggers = iter(self.triggers)
        for name, segment in learned_segments(segments):
            if isinstance(segment, Soft):
                if name not in places or places[name][1] != segment.count:
                    found = f"{places[name][1]} vectors" if name in places else "none"
                    raise InputError(
                        f"the template has {segment.count} soft tokens here and {found} were "
                        "learned for them; use the template that was learned"
                    )
                first = start + places[name][0]
                yield tuple(range(first, first + segment.count))
            else:
                tokens = next(triggers, ())
                if len(tokens) != segment.count:
                    raise InputError(
                        f"the template has {segment.count} trigger tokens here and {len(tokens)} "
                        "were found for them; use the template that was searched"
                    )
                yield tokens

    def _places(self) -> dict[str, tuple[int, int]]:
        places, start = {}, 0
        for name, count in self.soft:
            places[name] = (start, count)
            start += count
        return places

    def save(self, folder: Path, fits: dict[str, Any]) -> None:
        """Write ``learned.safetensors`` and ``learned.json``; ``fits`` says which model it is for.

        Tuned weights go into ``weights.safetensors``. Files appear whole or not at all.
        """
        tensors = {name: getattr(self, name) for name in TENSOR_NAMES}
        kept = {k: t.detach().cpu().contiguous() for k, t in tensors.items() if t is not None}
        with atomic_write(folder / TENSORS) as partial:
            save_file(kept, partial)
        document = {
            "format": FORMAT,
            "fits": fits,
            "soft": [list(item) for item in self.soft],
            "triggers": [list(tokens) for tokens in self.triggers],
            "facts": self.facts,
        }
        if self.weights is not None:
            self.weights.save(folder)
            document["weights"] = {"lora": self.weights.lora}
        with atomic_write(folder / FACTS) as partial:
            partial.write_text(json.dumps(document, indent=2, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, fits: dict[str, Any]) -> LearnedParts:
        """What `save` wrote, for a model with the facts ``fits``.

        Raises `InputError` with both numbers when it was learned for a model of another width,
        vocabulary or depth.
        """
        document = read_object(folder / FACTS)
        if document.get("format") != FORMAT:
            raise InputError(
                f"{folder / FACTS} has format {document.get('format')!r:.40}; this promptlab reads "
                f"format {FORMAT}"
            )
        check_learned(document, str(folder / FACTS))
        check_compatible(document["fits"], fits, str(folder))
        tensors = read_tensors(folder / TENSORS)
        _check_shapes(tensors, document, folder / TENSORS)
        weights = document.get("weights")
        return cls(
            soft=tuple((name, count) for name, count in document["soft"]),
            triggers=tuple(tuple(ids) for ids in document["triggers"]),
            facts=document["facts"],
            weights=None if weights is None else TunedWeights.load(folder, weights["lora"]),
            **tensors,
        )


_AXES = {"vectors": 2, "prefix": 5, "head": 2, "head_bias": 1}


def _check_shapes(tensors: dict[str, Tensor], document: dict[str, Any], place: Path) -> None:
    """Refuse tensors that are none of ours, or not of the lengths that are told of them."""
    for name, tensor in tensors.items():
        if tensor.dim() != _AXES.get(name):
            raise InputError(
                f"{place} has a tensor {name} of the shape {tuple(tensor.shape)}; there are "
                f"{', '.join(f'{n} with {axes} axes' for n, axes in _AXES.items())}; save it again"
            )
    wanted = {"vectors": sum(count for _, count in document["soft"])}
    if "head" in tensors:
        wanted["head_bias"] = len(tensors["head"])
    for name, length in wanted.items():
        found = len(tensors[name]) if name in tensors else 0
        if found != length:
            raise InputError(
                f"{place} has {found} rows of {name} where {length} belong; save it again"
            )


_TOLD = {
    "width": "vectors of width {}",
    "vocabulary": "a vocabulary of {} tokens",
    "layers": "{} layers",
    "prefix_shape": "keys and values of shape {} (layers, heads, size)",
    "family": "{} model",
}


def check_compatible(wanted: dict[str, Any], found: dict[str, Any], source: str) -> None:
    """Refuse a model that differs from the one something was learned for, with both numbers."""
    for key, words in _TOLD.items():
        if key in wanted and wanted[key] != found.get(key):
            raise InputError(
                f"{source} was learned for {wanted.get('model')} with "
                f"{words.format(wanted[key])}; {found.get('model')} has "
                f"{words.format(found.get(key))}; load it with the model it was learned for"
            )


def learned_segments(segments: Sequence[Segment]) -> Iterator[tuple[str, Soft | Trigger]]:
    """Soft and trigger segments with their names: a shared id, else their number of their sort."""
    soft = triggers = 0
    for segment in segments:
        if isinstance(segment, Soft):
            name = f"#{segment.id}" if segment.id is not None else str(soft)
            soft += segment.id is None
            yield name, segment
        elif isinstance(segment, Trigger):
            yield str(triggers), segment
            triggers += 1
