"""Generation the slow way: one text at a time, the whole of it read anew for every token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from promptlab.engine.generation.sampler import PhiloxStream
from promptlab.models.local import LocalModel
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.prompt import Prompt


@dataclass
class Written:
    """A text, its tokens and their log-probability in nats."""

    text: str
    tokens: list[int]
    logprob: float


@torch.inference_mode()
def write(model: LocalModel, prompt: Prompt, decoding: Decoding, sample: int = 0) -> Written:
    """What `LocalModel.generate` has to write."""
    (ids,) = model.prompt_token_ids([prompt])
    network = model.engine.network.model
    seq2seq = network.config.is_encoder_decoder
    stream, tokens, total = PhiloxStream(decoding.seed, sample, ids), [], 0.0
    ends = ends_of(model)
    while len(tokens) < decoding.max_tokens:
        if seq2seq:
            begun = [[network.config.decoder_start_token_id, *tokens]]
            output = network(input_ids=torch.tensor([ids]), decoder_input_ids=torch.tensor(begun))
        else:
            output = network(input_ids=torch.tensor([[*ids, *tokens]]))
        logits = output.logits[0, -1].double().numpy()
        number = stream.next() if decoding.temperature > 0 else 0.0
        forced = network.generation_config.forced_bos_token_id if seq2seq else None
        if not tokens and forced is not None:
            tokens.append(int(forced))
            continue
        token = drawn(logits, decoding, number)
        tokens.append(token)
        total += float(logits[token] - np.logaddexp.reduce(logits))
        text = words(model, tokens)
        if token in ends or any(stop in text for stop in decoding.stop):
            break
    text = words(model, tokens)
    cuts = [text.index(stop) for stop in decoding.stop if stop in text]
    return Written(text[: min(cuts)] if cuts else text, tokens, total)


def drawn(logits: Any, decoding: Decoding, number: float) -> int:
    """The token at ``number`` of the kept ones' distribution, in the order of ids."""
    if decoding.temperature == 0:
        return int(np.argmax(logits))
    probabilities = np.exp((logits - logits.max()) / decoding.temperature)
    order = np.argsort(-probabilities)[: decoding.top_k]
    best = probabilities[order] / probabilities[order].sum()
    order = order[np.cumsum(best) - best < (decoding.top_p or 1.0)]
    ids = np.sort(order)
    ends = np.cumsum(probabilities[ids])
    return int(ids[np.searchsorted(ends, number * ends[-1], side="right")])


def ends_of(model: LocalModel) -> set[int]:
    """Tokens that end a text."""
    names = model.tokenizer.get_vocab()
    sentinel = {names["<extra_id_1>"]} if "<extra_id_1>" in names else set()
    return {int(model.tokenizer.eos_token_id)} | sentinel


def words(model: LocalModel, tokens: list[int]) -> str:
    """The text of tokens."""
    return str(model.tokenizer.decode(tokens, skip_special_tokens=True))
