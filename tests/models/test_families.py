"""Families that are built otherwise: each gives what its own plain forward gives, or is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptlab.errors import CapabilityError, InputError
from promptlab.models.base import Family
from promptlab.models.loading import from_transformers, load
from promptlab.models.local import LocalModel
from promptlab.prompts.template import Template
from tests.helpers import tiny_models
from tests.helpers.family_check import TOLERANCE, checked, is_one_sentence
from tests.helpers.family_models import classes, saved
from tests.helpers.tiny_models import Pair

Save = Callable[..., Path]
PROMPTS = [
    Template(text).render({})
    for text in ("It was {mask}", "a gorgeous witty film . All in all it was {mask}")
]
ANSWERS = ["great", "marvellous"]


def loaded(folder: Path) -> LocalModel:
    return load(str(folder), device="cpu", dtype="float32", cache=False)


@pytest.mark.parametrize(
    ("family", "architecture"),
    [
        ("causal", "deepseek_v2"),  # latent attention: keys larger than values
        ("causal", "deepseek_v3"),
        ("causal", "gemma4_text"),  # a head size a layer, and a second embedding
        ("causal", "mistral"),  # a sliding window that the configuration names without layer types
        ("causal", "mpt"),  # ALiBi: distances are columns
        ("causal", "openai-gpt"),  # no cache at all
        ("causal", "rwkv"),
        ("masked", "fnet"),  # mixes all of a row, padding included
        ("masked", "mobilebert"),  # no module is called as its head
        ("seq2seq", "switch_transformers"),
        ("seq2seq", "longt5"),
        ("seq2seq", "t5"),  # here with more layers in its decoder than in its encoder
    ],
)
def test_a_family_equals_its_plain_forward(
    family: Family, architecture: str, tmp_path: Path, unchecked: None
) -> None:
    kind = saved(family, architecture, tmp_path)
    found = checked(tmp_path, kind, family)
    assert (found.outcome, found.note) == ("equal", "")
    assert {"beside", "sharing", "fill"} <= set(found.parts)
    assert found.worst <= TOLERANCE


@pytest.mark.parametrize(
    ("family", "architecture", "message"),
    [
        ("causal", "xlnet", r"does not read from left to right: .* use a causal model$"),
        ("causal", "bert", r'does not read from left to right: .*"is_decoder": true'),
        ("masked", "perceiver", r"has no embedding of words that promptlab can read"),
        ("masked", "xmod", r"does not run on text alone: .*Input language unknown"),
    ],
)
def test_a_family_that_cannot_be_run_is_refused_at_load(
    family: Family, architecture: str, message: str, tmp_path: Path
) -> None:
    settings: dict[str, dict[str, Any]] = {
        "bert": {"is_decoder": False},
        "xmod": {"default_language": None},
    }
    saved(family, architecture, tmp_path, **settings.get(architecture, {}))
    with pytest.raises(InputError, match=message) as caught:
        loaded(tmp_path)
    assert is_one_sentence(str(caught.value))


def test_what_is_unusual_about_a_model_is_told(tmp_path: Path) -> None:
    saved("masked", "fnet", tmp_path / "fnet")
    saved("causal", "openai-gpt", tmp_path / "gpt")
    fnet, gpt = loaded(tmp_path / "fnet"), loaded(tmp_path / "gpt")
    assert fnet.engine.runner.single_rows
    assert str(fnet.describe()["batches"]).startswith("one text at a time: ")
    assert str(gpt.describe()["writing"]).startswith("without a cache: ")
    with pytest.raises(CapabilityError, match=r"cannot give gradients: .*depends on the texts"):
        fnet.require("gradients")


def test_what_a_row_gives_does_not_depend_on_its_batch(tmp_path: Path) -> None:
    saved("masked", "fnet", tmp_path)
    model = loaded(tmp_path)
    together = model.score(PROMPTS, ANSWERS).logprobs
    for prompt, row in zip(PROMPTS, together, strict=True):
        assert loaded(tmp_path).score([prompt], ANSWERS).logprobs[0] == pytest.approx(row, abs=1e-6)


def test_rounding_hides_no_dependence_on_the_batch(tmp_path: Path) -> None:
    """In bfloat16 two ways differ by more than some mistakes do: they are tried in fp32."""
    saved("masked", "fnet", tmp_path / "fnet")
    saved("causal", "mpt", tmp_path / "mpt")
    fnet = load(str(tmp_path / "fnet"), device="cpu", dtype="bfloat16", cache=False)
    mpt = load(str(tmp_path / "mpt"), device="cpu", dtype="bfloat16", cache=False)
    assert fnet.engine.runner.single_rows
    assert (fnet.dtype, mpt.dtype) == ("bfloat16", "bfloat16")
    assert not mpt.engine.runner.can_share_prefixes


@pytest.mark.parametrize("architecture", ["deepseek_v3", "gemma4_text"])
def test_a_family_without_prefixes_says_so(architecture: str, tmp_path: Path) -> None:
    saved("causal", architecture, tmp_path)
    assert loaded(tmp_path).prefix_shape is None


def test_a_model_with_two_embeddings_learns_no_vectors(tmp_path: Path) -> None:
    saved("causal", "gemma4_text", tmp_path)
    with pytest.raises(CapabilityError, match=r"looks its words up in more places") as caught:
        loaded(tmp_path).require("gradients")
    assert is_one_sentence(str(caught.value))


def test_a_slow_tokenizer_is_refused(tiny_seq2seq: Pair, tiny_masked: Pair, tmp_path: Path) -> None:
    from transformers import ByT5Tokenizer, PhobertTokenizer

    (tmp_path / "vocab.txt").write_text("the 9\nfilm 8\n")
    (tmp_path / "bpe.codes").write_text("#version: 0.2\nt h 9\n")
    phobert = PhobertTokenizer(str(tmp_path / "vocab.txt"), str(tmp_path / "bpe.codes"))
    for model, tokenizer in ((tiny_seq2seq[0], ByT5Tokenizer()), (tiny_masked[0], phobert)):
        name = type(tokenizer).__name__
        with pytest.raises(InputError, match=f"has no fast tokenizer .{name} has no") as caught:
            from_transformers(model, tokenizer)
        assert is_one_sentence(str(caught.value))


def test_a_tokenizer_larger_than_the_embedding_is_refused(tiny_gpt2: Pair) -> None:
    model, _ = tiny_gpt2
    tokenizer = tiny_models.byte_tokenizer(specials={"eos_token": "<|endoftext|>"})
    rows = model.get_input_embeddings().weight.shape[0]
    tokenizer.add_tokens(["wunderbar", "herrlich"])
    with pytest.raises(InputError, match=rf"vectors for {rows}: 'wunderbar' is number {rows}"):
        from_transformers(model, tokenizer)


def test_padding_without_a_vector_does_no_harm(tiny_gpt2: Pair) -> None:
    model, _ = tiny_gpt2
    tokenizer = tiny_models.byte_tokenizer(specials={"eos_token": "<|endoftext|>"})
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    assert tokenizer.pad_token_id == model.get_input_embeddings().weight.shape[0]
    expected = from_transformers(*tiny_gpt2).score(PROMPTS, ANSWERS).logprobs
    found = from_transformers(model, tokenizer).score(PROMPTS, ANSWERS).logprobs
    assert found == pytest.approx(expected, abs=1e-5)


def test_a_masked_model_without_a_mask_token_is_refused(tiny_masked: Pair) -> None:
    tokenizer = tiny_models.word_piece_tokenizer()
    tokenizer.mask_token = None
    with pytest.raises(InputError, match=r"its tokenizer has no mask token.*add mask_token"):
        from_transformers(tiny_masked[0], tokenizer)


def test_a_decoder_without_a_start_token_is_refused() -> None:
    model, tokenizer = tiny_models.bart()
    model.config.decoder_start_token_id = model.generation_config.decoder_start_token_id = None
    with pytest.raises(InputError, match="has no start token for its decoder; write decoder_start"):
        from_transformers(model, tokenizer)


def test_a_start_token_of_the_generation_settings_is_taken() -> None:
    model, tokenizer = tiny_models.bart()
    expected = from_transformers(model, tokenizer).score(PROMPTS, ANSWERS).logprobs
    model, tokenizer = tiny_models.bart()
    model.generation_config.decoder_start_token_id = model.config.decoder_start_token_id
    model.config.decoder_start_token_id = None
    found = from_transformers(model, tokenizer).score(PROMPTS, ANSWERS).logprobs
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.nightly
def test_every_family_equals_its_plain_forward_or_is_refused() -> None:
    from tests.helpers.family_sweep import FAMILIES, RIGHT, swept

    rows = [swept(family, name) for family in FAMILIES for name in classes(family)]
    wrong = [(row.family, row.architecture, row.note) for row in rows if row.outcome not in RIGHT]
    assert wrong == []
