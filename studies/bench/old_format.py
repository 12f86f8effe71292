"""A model written so that transformers 4.39 reads it: same weights, older settings files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from promptlab.errors import CapabilityError


def write_old_format(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write ``model`` and ``tokenizer`` to ``folder`` in the form of transformers 4.39.

    Rotary settings and the dtype's name have moved since; the weights file is the same. OpenPrompt
    needs tokenizers written in Python, so the vocabulary is written for those: word pieces (BERT)
    or byte-level pairs (GPT-2's rules, so digits may be cut otherwise: compare the ids). Raises
    ``CapabilityError`` for other tokenizers.
    """
    model.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    _write(folder / "config.json", _old_config(config))
    core = json.loads(tokenizer.backend_tokenizer.to_str())
    settings: dict[str, Any] = {
        name: token
        for name, token in tokenizer.special_tokens_map.items()
        if isinstance(token, str)
    }
    kind = core["model"].get("type", "BPE")
    if kind == "WordPiece":
        settings |= {"tokenizer_class": "BertTokenizer"}
        settings["do_lower_case"] = bool((core.get("normalizer") or {}).get("lowercase", False))
        words = sorted(core["model"]["vocab"].items(), key=lambda item: item[1])
        _write_lines(folder / "vocab.txt", [word for word, _ in words])
    elif kind == "BPE" and "ByteLevel" in json.dumps(core["pre_tokenizer"]):
        settings |= {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": False}
        _write(folder / "vocab.json", core["model"]["vocab"])
        pairs = [" ".join(pair) for pair in map(_pair, core["model"]["merges"])]
        _write_lines(folder / "merges.txt", ["#version: 0.2", *pairs])
    else:
        raise CapabilityError(f"OpenPrompt's environment has no tokenizer for {kind} of this form")
    _write(folder / "tokenizer_config.json", settings)


def _old_config(config: dict[str, Any]) -> dict[str, Any]:
    """Rotary settings and dtype under their older names."""
    config["torch_dtype"] = config.pop("dtype", "float32")
    rotary = config.pop("rope_parameters", None)
    if rotary is not None:
        if rotary.get("rope_type", "default") != "default":
            raise CapabilityError(f"transformers 4.39 has no such rotary embedding: {rotary}")
        config["rope_theta"] = rotary["rope_theta"]
    return config


def _pair(merge: str | list[str]) -> list[str]:
    return merge.split(" ") if isinstance(merge, str) else merge


def _write(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")


def _write_lines(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
