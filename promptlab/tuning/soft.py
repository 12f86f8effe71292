"""Templates whose soft segments are learned, and the learners for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from promptlab.engine.fixed import FixedStates
from promptlab.errors import CapabilityError, InputError
from promptlab.grammar import Field, Piece, parse
from promptlab.models.learned import learned_segments
from promptlab.models.local import LocalModel
from promptlab.prompt import Slot, Soft, Text, Trigger
from promptlab.template import Template, is_jinja
from promptlab.tuning.encoder import Encoder, EncoderName, Plain, make_encoder
from promptlab.tuning.initial import Init, initial_ids, initial_vectors
from promptlab.tuning.learner import Learner, flat_prefix


@dataclass(frozen=True)
class Start:
    """Where vectors start: ``text`` for *text*, ``answers`` for *labels*, ``seed`` for draws."""

    init: Init
    seed: int
    text: str | None = None
    answers: Sequence[str] = ()


def soft_segments(template: Template) -> dict[str, Soft]:
    """The template's soft segments by name, in order. Shared ids must agree in their length."""
    prompt = template.render(dict.fromkeys(template.fields, "x"))
    found: dict[str, Soft] = {}
    for name, segment in learned_segments(prompt.segments):
        if isinstance(segment, Trigger):
            raise InputError(
                "a template with {trigger:N} is for the kind triggers; a soft prompt has {soft:N}"
            )
        if found.setdefault(name, segment).count != segment.count:
            raise InputError(
                f"the shared soft segment {name} has {found[name].count} tokens in one place and "
                f"{segment.count} in another; give it one length"
            )
    return found


def with_soft(template: Template, length: int | None) -> Template:
    """The template with soft segments of ``length`` (if given), in front where it has none."""
    sources = (
        [template.text] if template.text is not None else list((template.parts or {}).values())
    )
    if not any("{soft:" in source for source in sources if source):
        return _in_front(template, f"{{soft:{length or 20}}}")
    if length is None:
        return template
    return _rewritten(template, lambda p: replace(p, count=length) if isinstance(p, Soft) else p)


def softened(template: Template, model: LocalModel) -> Template:
    """The template whose own words are vectors that start as those words (OptiPrompt)."""

    def soft(piece: Piece) -> Piece:
        if not isinstance(piece, Text) or not piece.text.strip():
            return piece
        words = piece.text.strip().replace('"', "'")
        return Soft(len(model.encoding.one(f" {words}")), init=words)

    made = _rewritten(template, soft)
    if not soft_segments(made):
        raise InputError(
            f"the template {template.name or template.source!r} has no words to soften"
        )
    return made


def make_learner(
    model: LocalModel,
    template: Template,
    start: Start,
    *,
    encoder: EncoderName = "none",
    hidden: int | None = None,
    members: int = 1,
    prefix: int = 0,
) -> Learner:
    """What is learned for a template: its soft segments, and ``prefix`` tokens in every layer.

    Raises `InputError` when there is nothing to learn, `CapabilityError` for a prefix on a model
    that takes none.
    """
    segments = soft_segments(template)
    if not segments and not prefix:
        raise InputError("there is nothing to learn: no {soft:N} in the template and no prefix")
    hidden = hidden or model.engine.network.virtual.width
    tables = []
    for member in range(members if segments else 0):
        seed = start.seed + 7919 * member
        for place, segment in enumerate(segments.values()):
            tables.append(
                _segment_start(model, segment, replace(start, seed=seed + 104729 * place))
            )
    vectors = torch.cat(tables) if tables else None
    return Learner(
        soft=[(name, segment.count) for name, segment in segments.items()],
        vectors=None
        if vectors is None
        else make_encoder(encoder, vectors, hidden=hidden, seed=start.seed),
        prefix=None if not prefix else _prefix(model, prefix, start, encoder, hidden),
        prefix_shape=model.prefix_shape if prefix else None,
        members=members,
    )


def _segment_start(model: LocalModel, segment: Soft, start: Start) -> torch.Tensor:
    if segment.init is not None:
        # Words inside a text follow a space: so do these.
        ids = model.encoding.one(f" {segment.init.strip()}")
        if not ids:
            raise InputError(f"the soft segment's words {segment.init!r} have no tokens")
        chosen: tuple[int, ...] | None = tuple(ids[i % len(ids)] for i in range(segment.count))
    else:
        chosen = initial_ids(
            model, segment.count, start.init, seed=start.seed, text=start.text,
            answers=start.answers,
        )  # fmt: skip
    return initial_vectors(model, chosen, segment.count, seed=start.seed)


def _prefix(
    model: LocalModel, length: int, start: Start, encoder: EncoderName, hidden: int
) -> Plain | Encoder:
    shape = model.prefix_shape
    if shape is None:
        raise CapabilityError(
            f"{model.name} takes no learned prefix: its layers do not attend keys and values of "
            "all tokens; use a soft prompt instead"
        )
    layers, heads, size = shape
    ids = initial_ids(
        model, length, start.init, seed=start.seed, text=start.text, answers=start.answers
    )
    if ids is None:
        generator = torch.Generator().manual_seed(start.seed)
        flat = torch.randn((length, layers * 2 * heads * size), generator=generator) * 0.02
    else:
        flat = flat_prefix(_activations(model, ids))
    return make_encoder(encoder, flat, hidden=hidden, seed=start.seed)


def _activations(model: LocalModel, ids: tuple[int, ...]) -> torch.Tensor:
    """Keys and values of real tokens in every layer: a better start than noise (Li & Liang)."""
    network = model.engine.network
    if model.family == "causal":
        states = FixedStates(network, model.engine.runner.budget)
        states.prepare([ids])
        state = states.get(ids)
        assert state is not None
        layers = state.layers
    else:
        layers = network_states(model, ids)
    return torch.stack([torch.cat([keys, values]) for keys, values in layers]).float()


def network_states(
    model: LocalModel, ids: tuple[int, ...]
) -> tuple[tuple[torch.Tensor, torch.Tensor], ...]:
    """Keys and values that a masked model, or the decoder of a seq2seq one, makes of tokens."""
    from transformers.cache_utils import EncoderDecoderCache

    from promptlab.engine.prefix import frozen_cache, recorded

    network = model.engine.network
    cache = frozen_cache(None, network.layers, counts=False)
    tokens = torch.tensor([ids], device=network.device)
    if model.family == "masked":
        network.run_with_cache(cache, input_ids=tokens)
    else:
        both = EncoderDecoderCache(cache, frozen_cache(None, network.layers))
        network.run_with_cache(both, input_ids=tokens, decoder_input_ids=tokens)
    return recorded(cache).layers


def _in_front(template: Template, soft: str) -> Template:
    if template.text is not None:
        _refuse_jinja(template.text)
        return replace(template, text=soft + template.text)
    parts = dict(template.parts or {})
    first = next(iter(parts))
    _refuse_jinja(parts[first])
    return replace(template, parts=parts | {first: soft + parts[first]})


def _rewritten(template: Template, change: object) -> Template:
    if template.text is not None:
        return replace(template, text=_changed(template.text, change))
    parts = {name: _changed(text, change) for name, text in (template.parts or {}).items()}
    return replace(template, parts=parts)


def _changed(source: str, change: object) -> str:
    _refuse_jinja(source)
    assert callable(change)
    return "".join(_written(change(piece)) for piece in parse(source))


def _refuse_jinja(source: str) -> None:
    if is_jinja(source):
        raise InputError(
            f"soft tokens cannot be put into the Jinja template {source[:60]!r}; write a plain "
            "template with {soft:N}"
        )


def _written(piece: Piece) -> str:
    """A piece in the plain grammar."""
    match piece:
        case Field(name):
            return f"{{{name}}}"
        case Text(text):
            return text.replace("{", "\\{").replace("}", "\\}")
        case Slot():
            return "{mask}"
        case Soft(count, init, name):
            shared = f" #{name}" if name is not None else ""
            words = f' "{init}"' if init is not None else ""
            return f"{{soft:{count}{shared}{words}}}"
        case Trigger(count):
            return f"{{trigger:{count}}}"
