"""The search for templates by infilling, beside the published procedure on the same T5 shape.

``python studies/bench/infilling.py --examples 16 --beams 20 --tokens 8 --json``

The peer is a port of how LM-BFF (Gao et al. 2021) searches, from its description: every text of the
beam is read anew by encoder and decoder after every training example, nothing is kept, and the
logits of the examples are averaged before they are normalised. Ours reads every example once, keeps
keys and values, and sums log-probabilities. No English T5 comes with a package, so the weights are
random (a fixed seed, those of ``--shape``); as both run the same network over the same examples,
what is compared is the procedure. Told are the seconds of both and their ratio; whether both find
the same texts when ours sums what the peer does (*same rule*); and how many of the ten best texts
the two rules share.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from promptlab.engine.generation.shared_decoder import (
    KeptDecoder,
    SharedContexts,
    SharedDecoder,
)
from promptlab.engine.network.network import Network
from promptlab.tuning.infilling.beam_search import Filling, search_fillings

SHAPES: dict[str, dict[str, int]] = {
    "tiny": {"d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4},
    "small": {"d_model": 512, "d_kv": 64, "d_ff": 2048, "num_layers": 6, "num_heads": 8},
    "base": {"d_model": 768, "d_kv": 64, "d_ff": 3072, "num_layers": 12, "num_heads": 12},
}
"""T5's own shapes, and a tiny one."""
_VOCABULARY = 32_128
_FIRST, _SECOND, _THIRD = 32_099, 32_098, 32_097
"""T5's sentinels."""


class PublishedDecoder(SharedDecoder):
    """Averages logits over the examples, then normalises; reads all anew for every text."""

    def begin(self) -> Float[Tensor, "1 vocab"]:
        """The values for the first token."""
        self._written: list[tuple[int, ...]] = [()]
        return self._values()

    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> Float[Tensor, "beam vocab"]:
        """The values after every kept text."""
        pairs = zip(parents, tokens, strict=True)
        self._written = [(*self._written[parent], token) for parent, token in pairs]
        return self._values()

    def _values(self) -> Float[Tensor, "beam vocab"]:
        return torch.stack([self._value(text) for text in self._written])

    def _value(self, text: tuple[int, ...]) -> Float[Tensor, " vocab"]:
        longest = max(map(len, self.contexts.ids))
        rows = [[*ids, *[0] * (longest - len(ids))] for ids in self.contexts.ids]
        seen = [[1] * len(ids) + [0] * (longest - len(ids)) for ids in self.contexts.ids]
        read = torch.tensor([[*self.contexts.start, *text]] * len(rows))
        places = torch.arange(len(rows))
        logits = self.network.logits(
            places, torch.full_like(places, read.shape[1] - 1), input_ids=torch.tensor(rows),
            attention_mask=torch.tensor(seen), decoder_input_ids=read,
        )  # fmt: skip
        return logits.double().mean(0).log_softmax(-1)


class SameRuleDecoder(KeptDecoder):
    """Ours, with the published rule in the place of the sum of log-probabilities."""

    @staticmethod
    def combine(logits: Float[Tensor, "beam row vocab"]) -> Float[Tensor, "beam vocab"]:
        """The mean of the logits, normalised."""
        return logits.double().mean(1).log_softmax(-1)


def make_network(shape: str, seed: int) -> Network:
    """A T5 with random weights."""
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(seed)
    sizes: dict[str, Any] = {"decoder_start_token_id": 0, "dropout_rate": 0.0, **SHAPES[shape]}
    config = T5Config(vocab_size=_VOCABULARY, **sizes)
    return Network(T5ForConditionalGeneration(config), f"T5 {shape}")


def make_contexts(examples: int, length: int, seed: int) -> SharedContexts:
    """Examples of random words: a text, the first hole, an answer, the second hole."""
    random = torch.Generator().manual_seed(seed)
    rows: list[tuple[int, ...]] = []
    for _ in range(examples):
        size = int(torch.randint(length // 2, length + 1, (1,), generator=random))
        words = torch.randint(3, 30_000, (size,), generator=random).tolist()
        rows.append((*words, _FIRST, 500 + len(rows) % 2, _SECOND, 1))
    return SharedContexts(tuple(rows), (0, _FIRST))


def search(decoder: SharedDecoder, beams: int, tokens: int) -> tuple[float, list[Filling]]:
    """Seconds of a search, and what it finds."""
    begun = time.perf_counter()
    found = search_fillings(
        decoder, [{_SECOND}, {_THIRD}], beams=beams, most_tokens=tokens,
        forbidden=[0, 1, 2, _FIRST, *range(32_100, _VOCABULARY)],
    )  # fmt: skip
    return time.perf_counter() - begun, found


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """All figures of one comparison."""
    network = make_network(given.shape, given.seed)
    contexts = make_contexts(given.examples, given.length, given.seed)
    search(KeptDecoder(network, contexts), 2, 2)  # warm
    ours = [search(KeptDecoder(network, contexts), given.beams, given.tokens)
            for _ in range(given.repeats)]  # fmt: skip
    peer_seconds, published = search(PublishedDecoder(network, contexts), given.beams, given.tokens)
    _, same = search(SameRuleDecoder(network, contexts), given.beams, given.tokens)
    seconds = sorted(one for one, _ in ours)[len(ours) // 2]
    top = [filling.parts for filling in ours[0][1][:10]]
    return {
        "shape": given.shape, "examples": given.examples, "beams": given.beams,
        "tokens": given.tokens, "threads": torch.get_num_threads(),
        "ours_seconds": seconds, "peer_seconds": peer_seconds, "ratio": peer_seconds / seconds,
        "same_rule_same_texts": [f.parts for f in same] == [f.parts for f in published],
        "same_rule_largest_difference": max(
            (abs(a.score - b.score) for a, b in zip(same, published, strict=False)), default=0.0
        ),
        "top_ten_in_common": len(set(top) & {f.parts for f in published[:10]}),
    }  # fmt: skip


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shape", choices=list(SHAPES), default="base")
    parser.add_argument("--examples", type=int, default=16)
    parser.add_argument("--length", type=int, default=32, help="tokens of an example at most")
    parser.add_argument("--beams", type=int, default=20)
    parser.add_argument("--tokens", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--json", action="store_true")
    found = measure(given := parser.parse_args())
    if given.json:
        print(json.dumps(found, indent=2))
        return
    print(
        f"T5 {found['shape']}, {found['examples']} examples, beam {found['beams']}, "
        f"{found['tokens']} tokens, {found['threads']} threads"
    )
    print(
        f"ours {found['ours_seconds']:.2f} s, published procedure {found['peer_seconds']:.1f} s, "
        f"ratio {found['ratio']:.1f}"
    )
    print(
        f"by the published rule the same texts: {found['same_rule_same_texts']} (largest "
        f"difference {found['same_rule_largest_difference']:.1e} nats); of the ten best texts "
        f"{found['top_ten_in_common']} are also among those of the published rule"
    )


if __name__ == "__main__":
    main()
