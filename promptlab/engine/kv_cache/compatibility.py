"""Whether the installed transformers works with cache layers of our own: tried once a process."""

from __future__ import annotations

from functools import cache as once

import torch
import transformers

from promptlab.compat import changed_library_error
from promptlab.engine.kv_cache.state import cache_from_state, to_kv_state
from promptlab.engine.network.model_errors import MODEL_FAILURES, raise_own_mistake
from promptlab.engine.network.network import Network


@once
def check_cache_layers() -> None:
    """Compare a tiny model after a lent prefix with its plain forward.

    What a single model cannot do is its property; what this one cannot do is a change in the
    library, which would otherwise be taken for one. Raises `WorkError` with the tested versions.
    """
    ids = torch.tensor([[3, 1, 4, 1, 5, 9]])
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        network = Network(_tiny())
        plain = network.model(input_ids=ids, use_cache=False).logits[:, 4:]
        try:
            first = cache_from_state(None, network.layer_count)
            network.run_body(input_ids=ids[:, :4], **network.cache_inputs(first), use_cache=True)
            rest = cache_from_state(to_kv_state(first), network.layer_count)
            positions = torch.arange(4, 6)[None]
            found = network.model(
                input_ids=ids[:, 4:],
                position_ids=positions,
                **network.cache_inputs(rest),
                use_cache=True,
            ).logits
        except MODEL_FAILURES as error:
            raise_own_mistake(error)
            raise changed_library_error(
                "transformers", "cache layers (cache_utils.DynamicLayer)"
            ) from error
    if found.shape != plain.shape or not bool(torch.allclose(found, plain, atol=1e-4)):
        raise changed_library_error("transformers", "cache layers (cache_utils.DynamicLayer)")


def _tiny() -> transformers.GPT2LMHeadModel:
    config = transformers.GPT2Config(
        vocab_size=16, n_positions=16, n_embd=8, n_layer=2, n_head=2, initializer_range=0.5,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    return transformers.GPT2LMHeadModel(config)
