"""How a model is run: every way is checked at load and has to give what plain forwards give."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from promptlab.compat.transformers import (
    accepts_positions,
    block_attention_reason,
    config_value,
    is_full_length_cache,
    is_lossless_cache,
)
from promptlab.engine.generation.batching_mode import BatchingMode
from promptlab.engine.generation.generate import generate_sequences
from promptlab.engine.generation.sequence import GeneratedSequence
from promptlab.engine.kv_cache.state import recording_cache, to_kv_state
from promptlab.engine.memory import TokenBudget
from promptlab.engine.network.finite_check import has_finite_rows
from promptlab.engine.network.model_errors import MODEL_FAILURES, describe_error, raise_own_mistake
from promptlab.engine.network.network import Network
from promptlab.engine.network.output_check import check_outputs
from promptlab.engine.scoring.causal import CausalRunner
from promptlab.engine.scoring.engine import Engine
from promptlab.engine.scoring.feature_store import FeatureStore
from promptlab.engine.scoring.masked import MaskedRunner
from promptlab.engine.scoring.reference import LocalFamily, reference_scores
from promptlab.engine.scoring.request import ScoringContext, ScoringRequest
from promptlab.engine.scoring.runner import Runner
from promptlab.engine.scoring.seq2seq import Seq2SeqRunner
from promptlab.errors import InputError, ModelError, NotFiniteError

SHARED_TOKENS = 34
"""So many tokens the samples begin with in common: enough to be computed once."""
GENERATED_TOKENS = 3
"""So many tokens are written to see whether generating agrees."""


@dataclass(frozen=True)
class CheckedModel:
    """A network that is being checked.

    Attributes:
        network: what is run.
        family: whether it is read from left to right, at mask tokens, or by a decoder.
        name: the name of its model, for messages.
        window: the most tokens that it takes.
        special_ids: ids of special tokens, which samples avoid.
        decoder_start: ids that a decoder begins with.
        mask_id: the id that a masked model fills.
    """

    network: Network
    family: LocalFamily
    name: str
    window: int
    special_ids: frozenset[int] = frozenset()
    decoder_start: tuple[int, ...] = ()
    mask_id: int | None = None

    @property
    def config(self) -> Any:
        """The configuration of the model's words."""
        return self.network.model.config.get_text_config(decoder=True)

    @property
    def tolerance(self) -> float:
        """Nats by which two ways may differ: fp32 rounds less than shorter formats."""
        return 3e-4 if self.network.dtype == torch.float32 else 0.25


def choose_runner(checked: CheckedModel, budget: TokenBudget, *, deterministic: bool) -> Runner:
    """The quickest runner that gives what plain forwards give.

    Raises `InputError` when the model cannot be run on plain text, is read from left to right and
    looks to the right, or gives other scores even one row at a time, and `NotFiniteError` when
    what it computes is no number.
    """
    _check_plain(checked)
    requests = _sample_requests(checked)
    try:
        expected = reference_scores(
            checked.network, checked.family, requests, checked.decoder_start
        )
    except NotFiniteError:
        raise
    except MODEL_FAILURES as error:
        raise_own_mistake(error)
        raise _refusal(checked, error) from error
    for runner in _candidate_runners(checked, budget, deterministic):
        if _agrees(checked, runner, requests, expected):
            return runner
    raise InputError(
        f"{checked.name} gives other scores in promptlab's batches and caches than in its own "
        f"plain forward, even one text at a time ({type(checked.network.model).__name__}), so it "
        "is not used; take a model of another architecture"
    )


def choose_batching_mode(checked: CheckedModel, engine: Engine, tokenizer: Any) -> bool:
    """Set the quickest batching mode that gives what plain forwards give; whether any does."""
    contexts = _sample_ids(checked, (6, 9))
    shares = engine.runner.can_share_prefixes
    seq2seq = checked.family == "seq2seq"
    ways: list[BatchingMode | None] = [None] if seq2seq or shares else []
    ways += ["static"] if seq2seq else []
    caches = checked.network.can_cache and is_lossless_cache(checked.config)
    ways += ["sequential"] if caches else []
    for way in (*ways, "uncached"):
        checked.network.batching_mode = way
        try:
            texts = generate_sequences(engine, tokenizer, contexts, GENERATED_TOKENS)
            if all(_generates_plainly(checked, text) for text in texts):
                return True
        except MODEL_FAILURES as error:
            raise_own_mistake(error)
            continue
    return False


def accepts_vectors(checked: CheckedModel, engine: Engine) -> bool:
    """Whether vectors that equal the embeddings of words score as the words do."""
    network, first = checked.network, checked.network.virtual_tokens.first_id
    words = (
        _sample_requests(checked)[-1]
        if checked.family != "masked"
        else _sample_requests(checked)[0]
    )
    ids = words.context.ids
    stands = (ids[0], *(first + place for place in range(3)), *ids[4:])
    learned = ScoringRequest(ScoringContext(stands, words.context.position), words.continuations)
    try:
        with torch.inference_mode():
            table = network.virtual_tokens.embed(torch.tensor(ids[1:4], device=network.device))
        found = engine.with_learned_parts(table.clone(), None, "", keep=False).score([learned])
        expected = reference_scores(network, checked.family, [words], checked.decoder_start)
    except MODEL_FAILURES as error:
        raise_own_mistake(error)
        return False
    gaps = [abs(float(a) - b) for a, b in zip(found[0], expected[0], strict=True)]
    return max(gaps) <= checked.tolerance


def accepts_prefix(checked: CheckedModel, runner: Runner) -> bool:
    """Whether a masked model's rows attend a prefix and are nowhere else changed by it.

    A prefix of the keys and values that a row has itself changes nothing: every token attends
    what it attended before, twice.
    """
    network = checked.network
    (request,) = _sample_requests(checked)[:1]
    row = torch.tensor([request.context.ids], device=network.device)
    cache, given = recording_cache(network)
    try:
        network.fill_cache(given, input_ids=row)
        own = to_kv_state(cache)
        alone = TokenBudget(1)
        found = Engine(
            network, MaskedRunner(network, alone).with_prefix(own), FeatureStore(None)
        ).score([request])
        expected = reference_scores(network, checked.family, [request])
    except MODEL_FAILURES as error:
        raise_own_mistake(error)
        return False
    gaps = [abs(float(a) - b) for a, b in zip(found[0], expected[0], strict=True)]
    return own.length == row.shape[1] and max(gaps) <= checked.tolerance


def _generates_plainly(checked: CheckedModel, text: GeneratedSequence) -> bool:
    """Whether a plain forward gives what was written the same log-probability."""
    forced = text.stop_tokens.forced is not None
    tokens, start = tuple(text.tokens), checked.decoder_start[:1]
    if forced:
        start, tokens = (*start, *tokens[:1]), tokens[1:]
    request = ScoringRequest(ScoringContext(text.context_ids), (tokens,))
    ((expected,),) = reference_scores(checked.network, checked.family, [request], start)
    return abs(text.logprob - expected) <= checked.tolerance * len(text.tokens)


def _check_plain(checked: CheckedModel) -> None:
    """Find out how the network is read, and that it looks to the left if it has to."""
    network = checked.network
    ids = _sample_ids(checked, (8,))[0]
    inputs = {"input_ids": torch.tensor([ids], device=network.device)}
    if checked.family == "seq2seq":
        inputs["decoder_input_ids"] = inputs["input_ids"][:, :4]
    try:
        check_outputs(network, inputs)
        if checked.family != "masked":
            cache, given = recording_cache(network)
            network.count_layers(given, cache)
        if checked.family == "causal":
            whole = network.plain_logits(**inputs)[0, :5].float()
            begun = network.plain_logits(input_ids=inputs["input_ids"][:, :5])[0].float()
    except NotFiniteError:
        raise
    except MODEL_FAILURES as error:
        raise_own_mistake(error)
        raise _refusal(checked, error) from error
    if checked.family != "causal":
        return
    if not has_finite_rows(begun):
        raise network.not_finite_error("a few of its own tokens", inputs)
    gaps = (whole.log_softmax(-1) - begun.log_softmax(-1)).abs()
    gap = float(gaps.nan_to_num(0.0, posinf=math.inf).max())  # words masked out in both: no gap
    if gap <= max(checked.tolerance, 0.02):
        return
    remedy = "use a causal model"
    if getattr(network.model.config, "is_decoder", None) is False:
        remedy = (
            'if it was trained as a decoder, write "is_decoder": true into its config.json, else '
            'load it with family="masked"'
        )
    raise InputError(
        f"{checked.name} ({type(network.model).__name__}) does not read from left to right: what "
        f"it says after a token changes by {gap:.2g} nats with the tokens that follow, so it would "
        f"see the answer that is scored; {remedy}"
    )


def _refusal(checked: CheckedModel, error: BaseException) -> InputError:
    own = error.__cause__ if isinstance(error, ModelError) and error.__cause__ else error
    return InputError(
        f"{checked.name} ({type(checked.network.model).__name__}) does not run on text alone: its "
        f"own forward raises {describe_error(own)}; use another model"
    )


def _candidate_runners(
    checked: CheckedModel, budget: TokenBudget, deterministic: bool
) -> list[Runner]:
    """Runners, the quickest first."""
    configs = (checked.network.model.config, checked.config)
    together = not any(block_attention_reason(config, checked.window) for config in configs)
    found: list[Runner] = []
    if together and not deterministic and checked.family == "causal" and _may_share(checked):
        found.append(CausalRunner(checked.network, budget, can_share_prefixes=True))
    if together:
        found.append(_plain_runner(checked, budget))
    return [*found, _plain_runner(checked, TokenBudget(1)).with_single_rows()]


def _plain_runner(checked: CheckedModel, budget: TokenBudget) -> Runner:
    if checked.family == "masked":
        return MaskedRunner(checked.network, budget)
    if checked.family == "seq2seq":
        return Seq2SeqRunner(checked.network, budget, checked.decoder_start)
    return CausalRunner(checked.network, budget, can_share_prefixes=False)


def _may_share(checked: CheckedModel) -> bool:
    """Whether every layer keeps keys and values of every token; else nothing can be shared."""
    if not accepts_positions(checked.network.model):
        return False
    types = config_value(checked.config, "layer_types") or []
    known = {"full_attention", "sliding_attention"}
    if any(kind not in known for kind in types):
        return False
    return checked.network.can_cache and is_full_length_cache(checked.config, checked.window)


def _agrees(
    checked: CheckedModel,
    runner: Runner,
    requests: Sequence[ScoringRequest],
    expected: Sequence[Sequence[float]],
) -> bool:
    engine = Engine(checked.network, runner, FeatureStore(None))
    try:
        found = engine.score(requests)
    except MODEL_FAILURES as error:
        raise_own_mistake(error)
        return False
    return all(
        abs(float(a) - b) <= checked.tolerance * max(1.0, abs(b) / 20)
        for values, wanted in zip(found, expected, strict=True)
        for a, b in zip(values, wanted, strict=True)
    )


def _sample_requests(checked: CheckedModel) -> list[ScoringRequest]:
    """Contexts of unequal lengths, two with a common beginning, and answers of several tokens."""
    short, other = _sample_ids(checked, (6, 9))
    shared = _sample_ids(checked, (SHARED_TOKENS,))[0]
    a, b, c, d = other[-4:]
    if checked.family == "masked":
        assert checked.mask_id is not None
        one, two = (checked.mask_id,), (checked.mask_id, checked.mask_id)
        return [
            ScoringRequest(ScoringContext((*short, *one, a), len(short)), ((b,), (c,))),
            ScoringRequest(ScoringContext((*shared[:20], *two, a, b), 20), ((c, d),)),
        ]
    tails = ((a, b, c), (d, a, b), (b, d, c, a))
    return [
        ScoringRequest(ScoringContext((*shared, *short[:2])), tails),
        ScoringRequest(ScoringContext((*shared, *other[:5])), ((b, d),)),
        ScoringRequest(ScoringContext(short), ((c, a),)),
    ]


def _sample_ids(checked: CheckedModel, lengths: Sequence[int]) -> list[tuple[int, ...]]:
    """Token ids that mean nothing, none of them special."""
    size = checked.network.virtual_tokens.first_id
    usable = [token for token in range(size) if token not in checked.special_ids] or list(
        range(size)
    )
    return [
        tuple(usable[(7 * place + 5 * length + 3) % len(usable)] for place in range(length))
        for length in lengths
    ]
