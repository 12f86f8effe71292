"""A tokenizer that is not what its file says is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import transformers
from tokenizers import pre_tokenizers

from promptlab.models.loading import load
from tests.helpers.tiny_models import byte_tokenizer

Save = Callable[..., Path]


def test_a_tokenizer_that_is_built_anew_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Qwen2's rules take the place of those in the file, whatever these say."""
    tokenizer = byte_tokenizer(specials={"eos_token": "<|endoftext|>"})
    apart = pre_tokenizers.Split("o", "isolated")
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [apart, pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.save_pretrained(tmp_path)
    config = transformers.Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=64,
    )  # fmt: skip
    transformers.Qwen2ForCausalLM(config).save_pretrained(tmp_path)
    load(str(tmp_path), dtype="float32")
    assert "its tokenizer.json cuts" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["tiny_causal", "tiny_gpt2", "tiny_masked", "tiny_seq2seq", "tiny_bart"]
)
def test_a_tokenizer_that_is_read_is_not(
    name: str, folder_of: Save, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    load(str(folder_of(request.getfixturevalue(name))), dtype="float32")
    assert "tokenizer.json" not in capsys.readouterr().err
