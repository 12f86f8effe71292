"""Templates whose soft segments are learned, and the learners for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from promptlab.engine.kv_cache.training_cache import TrainingPrefixCache
from promptlab.errors import CapabilityError, InputError
from promptlab.models.learned_parts import learned_segments
from promptlab.models.local import LocalModel
from promptlab.prompts.prompt import Soft, Text, Trigger
from promptlab.prompts.template import Template
from promptlab.prompts.template_syntax import Piece
from promptlab.tuning.initialisation import Init, initial_ids, initial_vectors
from promptlab.tuning.parameters import PromptParameters, flat_prefix
from promptlab.tuning.reparameterisation import (
    DirectParameters,
    EncoderName,
    PromptEncoder,
    make_encoder,
)
from promptlab.tuning.template_edit import put_in_front, rewrite_template


@dataclass(frozen=True)
class SoftPromptInit:
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
        return put_in_front(template, f"{{soft:{length or 20}}}")
    if length is None:
        return template
    return rewrite_template(
        template, lambda p: replace(p, count=length) if isinstance(p, Soft) else p
    )


def with_soft_words(
    template: Template, model: LocalModel, triggers: Sequence[tuple[int, ...]] = ()
) -> tuple[Template, dict[str, tuple[int, ...]]]:
    """The template whose own words are vectors, and the tokens that those start as.

    Starting exactly from a hard prompt, hand-written or with the tokens of a trigger search, is
    OptiPrompt (Zhong et al. 2021; Qin & Eisner 2021). White space beside the words stays.
    """
    starts: list[tuple[int, ...]] = []
    found = iter(triggers)

    def soft(piece: Piece) -> Piece | list[Piece]:
        if isinstance(piece, Trigger):
            starts.append(next(found))
            return Soft(piece.count)
        if not isinstance(piece, Text) or not piece.text.strip():
            return piece
        kept = piece.text.rstrip()
        starts.append(model.encoding.encode(kept))
        return [Soft(len(starts[-1])), Text(piece.text[len(kept) :])]

    made = rewrite_template(template, soft)
    if not starts:
        raise InputError(
            f"the template {template.name or template.source!r} has no words to soften"
        )
    return made, {str(number): ids for number, ids in enumerate(starts)}


def make_parameters(
    model: LocalModel,
    template: Template,
    start: SoftPromptInit,
    *,
    encoder: EncoderName = "none",
    hidden: int | None = None,
    members: int = 1,
    prefix: int = 0,
    starts: Mapping[str, tuple[int, ...]] | None = None,
) -> PromptParameters:
    """What is learned for a template: its soft segments, and ``prefix`` tokens in every layer.

    ``starts`` are token ids that named segments start from, whatever ``start`` says. Raises
    `InputError` when there is nothing to learn, `CapabilityError` for a prefix on a model that
    takes none.
    """
    segments = soft_segments(template)
    if not segments and not prefix:
        raise InputError("there is nothing to learn: no {soft:N} in the template and no prefix")
    hidden = hidden or model.engine.network.virtual_tokens.width
    tables = []
    for member in range(members if segments else 0):
        seed = start.seed + 7919 * member
        for place, (name, segment) in enumerate(segments.items()):
            own = replace(start, seed=seed + 104729 * place)
            ids = (starts or {}).get(name)
            tables.append(_segment_start(model, segment, own, ids))
    vectors = torch.cat(tables) if tables else None
    return PromptParameters(
        soft=[(name, segment.count) for name, segment in segments.items()],
        vectors=None
        if vectors is None
        else make_encoder(encoder, vectors, hidden=hidden, seed=start.seed),
        prefix=None if not prefix else _prefix(model, prefix, start, encoder, hidden),
        prefix_shape=model.prefix_shape if prefix else None,
        members=members,
    )


def _segment_start(
    model: LocalModel, segment: Soft, start: SoftPromptInit, given: tuple[int, ...] | None
) -> torch.Tensor:
    chosen: tuple[int, ...] | None
    if given is not None:
        chosen = given
    elif segment.init is not None:
        # Words inside a text follow a space: so do these.
        ids = model.encoding.encode(f" {segment.init.strip()}")
        if not ids:
            raise InputError(f"the soft segment's words {segment.init!r} have no tokens")
        chosen = tuple(ids[i % len(ids)] for i in range(segment.count))
    else:
        chosen = initial_ids(
            model, segment.count, start.init, seed=start.seed, text=start.text,
            answers=start.answers,
        )  # fmt: skip
    return initial_vectors(model, chosen, segment.count, seed=start.seed)


def _prefix(
    model: LocalModel, length: int, start: SoftPromptInit, encoder: EncoderName, hidden: int
) -> DirectParameters | PromptEncoder:
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
        states = TrainingPrefixCache(network, model.engine.runner.budget)
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
    from promptlab.compat.transformers import EncoderDecoderCache
    from promptlab.engine.kv_cache.state import cache_from_state, to_kv_state

    network = model.engine.network
    cache = cache_from_state(None, network.layer_count, takes_positions=False)
    tokens = torch.tensor([ids], device=network.device)
    if model.family == "masked":
        network.fill_cache(cache, input_ids=tokens)
    else:
        both = EncoderDecoderCache(cache, cache_from_state(None, network.layer_count))
        network.fill_cache(both, input_ids=tokens, decoder_input_ids=tokens)
    return to_kv_state(cache).layers
