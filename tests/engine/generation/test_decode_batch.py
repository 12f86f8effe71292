"""Rows that join and leave at different times compute what they compute alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from promptlab.engine.generation.batching_mode import detect_batching_mode
from promptlab.engine.generation.decode_batch import CausalDecodeBatch, EncoderDecoderBatch
from promptlab.engine.generation.prefill import CausalPrefill, EncoderDecoderPrefill
from promptlab.models.local import LocalModel

Fresh = Callable[..., LocalModel]
SHORT, LONG = (5, 9, 11), tuple(range(20, 60))


def alone(model: LocalModel, ids: tuple[int, ...]) -> torch.Tensor:
    with torch.inference_mode():
        return model.engine.network.model(input_ids=torch.tensor([ids])).logits[0, -1].float()


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_gpt2", "tiny_capped"])
def test_a_longer_context_joins_an_older_batch(name: str, fresh: Fresh) -> None:
    model = fresh(name)
    network = model.engine.network
    reader = CausalPrefill(
        network, model.engine.runner.budget, prefix=None, kv_cache=None, vectors=None
    )
    openings = {opening.index: opening for opening in reader.run([SHORT, LONG])}
    rows = CausalDecodeBatch(network, None, rows=3, columns=8)
    written: list[tuple[int, ...]] = []
    steps = [SHORT, None, LONG, SHORT, "leave", None] + [None] * 40 + ["leave", LONG, None]
    with torch.inference_mode():
        for number, step in enumerate(steps):
            if step == "leave":
                rows.remove(0)
                written[0] = written[-1]
                written.pop()
                continue
            if isinstance(step, tuple):
                rows.add(openings[[SHORT, LONG].index(step)])
                written.append(step)
            tokens = [(7 * number + row) % 90 for row in range(len(written))]
            logits = rows.step(tokens)
            written = [(*ids, token) for ids, token in zip(written, tokens, strict=True)]
            if number < 8 or number > len(steps) - 4:
                for row, ids in enumerate(written):
                    assert torch.allclose(logits[row], alone(model, ids), atol=1e-3)
                    assert rows.state(row).length == len(ids)


def test_how_rows_of_decoders_join(fresh: Fresh) -> None:
    found = {}
    for name in ("tiny_seq2seq", "tiny_bart"):
        network = fresh(name).engine.network
        found[name] = detect_batching_mode(
            network, int(network.model.config.decoder_start_token_id)
        )
    assert found == {"tiny_seq2seq": "continuous", "tiny_bart": "static"}


def test_a_decoder_that_takes_no_slots_writes_alone(
    fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    from promptlab.prompts.decoding import Decoding
    from promptlab.prompts.template import Template

    prompts = [Template("{text} was {mask}").render({"text": t}) for t in ("it", "a film")]
    decoding = Decoding(max_tokens=5, temperature=1.0)
    together = [reply.text for reply in fresh("tiny_bart").generate(prompts, decoding)]

    def refuse(self: EncoderDecoderBatch, *args: object) -> None:
        raise TypeError("no such mask")

    monkeypatch.setattr(EncoderDecoderBatch, "step", refuse)
    model = fresh("tiny_bart")
    assert detect_batching_mode(model.engine.network, 2) == "sequential"
    assert [reply.text for reply in model.generate(prompts, decoding)] == together


def test_contexts_of_an_encoder_are_encoded_once(fresh: Fresh) -> None:
    model = fresh("tiny_seq2seq")
    reader = EncoderDecoderPrefill(
        model.engine.network, model.engine.runner.budget, start=0, prefix=None, vectors=None
    )
    found = list(reader.run([SHORT, LONG]))
    assert reader.computed_tokens == len(SHORT) + len(LONG) + 2
    lengths = {
        opening.index: opening.cross_state.length for opening in found if opening.cross_state
    }
    assert lengths == {0: len(SHORT), 1: len(LONG)}
