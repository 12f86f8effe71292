"""The pinned models, really fetched and converted (kept in the user's cache)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from promptlab.errors import InputError
from promptlab.models.builtin import BUILTIN_MODELS, DEFAULT_MODEL, model_folder

pytestmark = pytest.mark.default_model


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="smollm2-135m, bert-tiny"):
        model_folder("gpt-5")


def test_default_model_knows_paris_and_loads_fast() -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = model_folder(DEFAULT_MODEL)
    start = time.process_time()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
    seconds = time.process_time() - start
    assert seconds < 30  # of this process, about two; those of others do not count
    assert sum(p.numel() for p in model.parameters()) == BUILTIN_MODELS[DEFAULT_MODEL].parameters
    with torch.inference_mode():
        logits = model(**tokenizer("The capital of France is", return_tensors="pt")).logits
    assert tokenizer.decode([int(logits[0, -1].argmax())]) == " Paris"
    assert tokenizer.chat_template is not None
    # digits are split before white space is grouped, as in training
    assert tokenizer.tokenize("a  7\n\n8") == ["a", "ĠĠ", "7", "ĊĊ", "8"]
    assert not (folder / "pytorch_model.bin").exists()


def test_bert_tiny_fills_and_is_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    monkeypatch.setenv("PROMPTLAB_CACHE", str(tmp_path))
    folder = model_folder("bert-tiny")
    assert folder == tmp_path / "models" / "bert-tiny"
    assert not list(tmp_path.rglob("*.pt"))
    model = AutoModelForMaskedLM.from_pretrained(folder, local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    assert sum(p.numel() for p in model.parameters()) == BUILTIN_MODELS["bert-tiny"].parameters
    encoded = tokenizer("Paris is the capital of [MASK].", return_tensors="pt")
    with torch.inference_mode():
        logits = model(**encoded).logits
    assert logits.shape == (1, encoded.input_ids.shape[1], 30522)
    assert torch.isfinite(logits).all()
    # retrieval tuning left it poor at filling, but the weights are no random ones
    best = logits[0, encoded.input_ids[0].tolist().index(tokenizer.mask_token_id)].topk(200)
    assert "france" in tokenizer.convert_ids_to_tokens(best.indices.tolist())
    assert len(tokenizer("word " * 600).input_ids) == 602  # no truncation left switched on
