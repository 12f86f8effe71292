"""One model folder as promptlab runs it, beside plain forwards of the same weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from promptlab.engine.network.model_errors import MODEL_FAILURES, raise_own_mistake
from promptlab.errors import PromptlabError
from promptlab.models.base import Family
from promptlab.models.learned_parts import LearnedParts
from promptlab.models.loading import load
from promptlab.models.local import LocalModel
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.template import Template
from tests.helpers import reference_forward, reference_learned
from tests.helpers.reference_learned import Parts

ANSWERS = ("great", "marvellous", "N/A yes")
SHARED = (
    "Review : a dull slow film . Sentiment : negative Review : a charming journey . Sentiment : "
    "positive Review : the soup was cold and nobody apologised . Sentiment : negative "
)
BESIDE = (
    "the film . It was {mask}",
    "It was {mask}",
    "a gorgeous witty film that never wastes a minute . It was {mask}",
    f"{SHARED}Review : the soup was loud . Sentiment : {{mask}}",
)
SHARING = tuple(
    f"{SHARED}Review : {text} . Sentiment : {{mask}}"
    for text in ("a film", "the plot was awful and the soup was cold", "I recommended it")
)
TOKENS = 10
TOLERANCE = 1e-4


@dataclass
class Found:
    """What became of one family: the largest differences in nats, part by part."""

    outcome: str
    note: str = ""
    parts: dict[str, float] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def worst(self) -> float:
        """The largest difference of all parts."""
        return max(self.parts.values(), default=0.0)


def checked(folder: Path, kind: Any, family: Family) -> Found:
    """Load a folder and compare all that the model offers with plain forwards of class ``kind``."""
    try:
        model = load(str(folder), device="cpu", dtype="float32", cache=False)
    except PromptlabError as error:
        return Found("refused" if is_one_sentence(str(error)) else "refused at length", str(error))
    plain = kind.from_pretrained(folder, dtype=torch.float32).eval()
    for module in plain.modules():
        if hasattr(module, "config"):
            module.config.use_cache = False
    found = Found("equal", told=dict(model.describe()))
    if model.family != family:
        found.note = f"taken as {model.family}"
    pair = (plain, model.tokenizer)
    for name, part in (
        ("beside", lambda: _words(model, pair, BESIDE)),
        ("sharing", lambda: _words(model, pair, SHARING)),
        ("alone", lambda: max(_words(model, pair, (text,)) for text in BESIDE[:2])),
        ("fill", lambda: _fill(model, pair)),
        ("generate_sequences", lambda: _written(model, pair)),
        ("vectors", lambda: _vectors(model, pair)),
        ("prefix", lambda: _prefix(model, pair)),
    ):
        _add(found, name, part)
    return found


def is_one_sentence(text: str) -> bool:
    """Whether a message is short and of one line."""
    return "\n" not in text and "Traceback" not in text and len(text) <= 500


def _add(found: Found, name: str, part: Callable[[], float | None]) -> None:
    try:
        difference = part()
    except PromptlabError as error:
        found.outcome = "fails"
        found.note += f" {name}: {type(error).__name__}: {error}"
        return
    if difference is not None:
        found.parts[name] = difference
        if not difference <= TOLERANCE:
            found.outcome = "differs" if found.outcome == "equal" else found.outcome


_PLAIN: dict[str, Callable[..., float]] = {
    "causal": reference_forward.causal_answer,
    "masked": reference_forward.masked_answer,
    "seq2seq": reference_forward.seq2seq_answer,
}


def _words(model: LocalModel, pair: Any, texts: tuple[str, ...]) -> float:
    prompts = [Template(text).render({}) for text in texts]
    scores = model.score(prompts, ANSWERS).logprobs
    plain = np.array(
        [
            [_PLAIN[model.family](pair, prompt.left, a, prompt.right) for a in ANSWERS]
            for prompt in prompts
        ]
    )
    assert not len(texts) > 1 or plain.std(0).max() > 0.02, "the prompts do not move the scores"
    return _difference(scores, plain)


def _difference(found: Any, plain: Any) -> float:
    gaps = np.abs(np.asarray(found) - np.asarray(plain))
    return float("inf") if np.isnan(gaps).any() else float(gaps.max())


@torch.inference_mode()
def _fill(model: LocalModel, pair: Any) -> float:
    (prompt,) = (Template(BESIDE[2]).render({}),)
    (best,) = model.fill([prompt], top=3)
    (context,) = model.slot_contexts([prompt])
    ids, place = context.ids, context.position
    if model.family == "seq2seq":
        start = model.engine.runner.start  # type: ignore[attr-defined]
        logprobs = reference_forward.logprobs(
            pair[0], ids, decoder_input_ids=torch.tensor([start])
        )[-1]
    else:
        found = reference_forward.logprobs(pair[0], ids)
        logprobs = found[place] if model.family == "masked" else found[-1]
    expected = [float(logprobs[fill.token_id]) for fill in best]
    return _difference([np.log(fill.probability) for fill in best], expected)


@torch.inference_mode()
def _written(model: LocalModel, pair: Any) -> float | None:
    if "generate" not in model.capabilities:
        return None
    prompts = [Template(text).render({}) for text in (*BESIDE, *SHARING[:2])]
    replies = model.generate(prompts, Decoding(max_tokens=TOKENS))
    expected = [_greedy(model, pair, ids) for ids in model.prompt_token_ids(prompts)]
    wrong = sum(r.text != text for r, (text, _) in zip(replies, expected, strict=True))
    if wrong:
        return float("inf")
    gaps = [abs(r.logprob - total) for r, (_, total) in zip(replies, expected, strict=True)]
    return max(gaps) / TOKENS


def _greedy(model: LocalModel, pair: Any, ids: tuple[int, ...]) -> tuple[str, float]:
    """What plain forwards write, the whole of it read anew for every token."""
    plain, tokenizer = pair
    settings = plain.generation_config
    ends = {tokenizer.eos_token_id, tokenizer.get_vocab().get("<extra_id_1>")}
    forced = settings.forced_bos_token_id if model.family == "seq2seq" else None
    tokens: list[int] = []
    total = 0.0
    while len(tokens) < TOKENS:
        if model.family == "seq2seq":
            begun = torch.tensor([[_start(plain), *tokens]])
            logits = plain(input_ids=torch.tensor([ids]), decoder_input_ids=begun).logits[0, -1]
        else:
            logits = plain(input_ids=torch.tensor([[*ids, *tokens]])).logits[0, -1]
        if not tokens and forced is not None:
            tokens.append(int(forced))
            continue
        token = int(logits.argmax())
        tokens.append(token)
        total += float(logits.float().log_softmax(-1)[token])
        if token in ends:
            break
    if tokenizer.get_vocab().get("<extra_id_1>") in tokens:
        tokens = tokens[: tokens.index(tokenizer.get_vocab()["<extra_id_1>"])]
    return str(tokenizer.decode(tokens, skip_special_tokens=True)), total


def _start(plain: Any) -> int:
    return int(plain.config.decoder_start_token_id)


def _vectors(model: LocalModel, pair: Any) -> float | None:
    """Vectors for words: those of the words' own embeddings, and new ones."""
    if "gradients" not in model.capabilities:
        return None
    prompts = [
        Template(text).render({})
        for text in ("{soft:3}the film . It was {mask}", "It was{soft:3} {mask}")
    ]
    torch.manual_seed(3)
    table = model.engine.network.virtual_tokens
    own = table.embed(torch.tensor([20, 21, 22]))
    vectors = own + 0.3 * torch.randn_like(own)
    view = model.with_learned_parts(LearnedParts(vectors=vectors, soft=(("0", 3),)))
    found = view.score(prompts, ANSWERS).logprobs
    parts = Parts(vectors={"0": vectors})
    try:
        if not _reads_vectors(model, pair[0]):
            return None
        with torch.inference_mode():
            plain = [
                reference_learned.answer_scores(
                    pair, p, ANSWERS, parts, family=model.family
                ).numpy()
                for p in prompts
            ]
    except MODEL_FAILURES as error:
        raise_own_mistake(error)
        return None  # its own forward takes no vectors
    return _difference(found, np.array(plain))


@torch.inference_mode()
def _reads_vectors(model: LocalModel, plain: Any) -> bool:
    """Whether the plain forward gives the same for words and for their embeddings."""
    ids = torch.arange(20, 28)[None]
    decoder = {"decoder_input_ids": ids[:, :3]} if model.family == "seq2seq" else {}
    embedded = plain.get_input_embeddings()(ids)
    found = plain(inputs_embeds=embedded, **decoder).logits
    return torch.allclose(found, plain(input_ids=ids, **decoder).logits, atol=1e-3)


def _prefix(model: LocalModel, pair: Any) -> float | None:
    if "gradients" not in model.capabilities or model.prefix_shape is None:
        return None
    layers, heads, size = model.prefix_shape
    torch.manual_seed(4)
    prefix = torch.randn(layers, 2, heads, 3, size)
    view = model.with_learned_parts(LearnedParts(prefix=prefix))
    prompts = [Template(text).render({}) for text in (*BESIDE, *SHARING)]
    found = view.score(prompts, ANSWERS).logprobs
    if model.family == "masked" and not _attends(model, pair, prompts[0], prefix):
        return None  # its attention is no function that the plain way could replace
    with torch.inference_mode():
        plain = [
            reference_learned.answer_scores(
                pair, p, ANSWERS, Parts(prefix=prefix), family=model.family
            ).numpy()
            for p in prompts
        ]
    return _difference(found, np.array(plain))


@torch.inference_mode()
def _attends(model: LocalModel, pair: Any, prompt: Any, prefix: Any) -> bool:
    """Whether the plain way's prefix changes anything."""
    try:
        with_it, without = (
            reference_learned.answer_scores(pair, prompt, ANSWERS, parts, family=model.family)
            for parts in (Parts(prefix=prefix), Parts())
        )
    except AttributeError:  # its layers have other names than BERT's
        return False
    return not torch.equal(with_it, without)
