"""Tokenizers that transformers builds anew by a model's type, instead of reading their file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_PROBES = (
    "A film,  it's 1234 or 1.5!\n\nGood?",
    " two blanks  after the good one",
    "d\u00e9j\u00e0 vu \u2013 na\u00efve",
    "<b>x_y</b>\t#tag @you",
    "\u4f60\u597d \U0001f600 \u00bd",
)
"""Texts with what rules for cutting words differ in: blanks, digits, signs, accents, scripts."""


def describe_tokenizer_mismatch(source: str, tokenizer: Any) -> str | None:
    """Say where a loaded tokenizer cuts texts otherwise than the file of its folder.

    Args:
        source: The model's folder; nothing is said of anything else.
        tokenizer: The tokenizer that transformers made of it.

    Returns:
        A sentence for the user; ``None`` where both agree, or there is no such file.
    """
    from tokenizers import Tokenizer

    file = Path(source) / "tokenizer.json"
    if not file.is_file():
        return None
    own = Tokenizer.from_file(str(file))
    own.no_truncation()
    own.no_padding()
    for text in _PROBES:
        written = own.encode(text, add_special_tokens=False).ids
        read = tokenizer(text, add_special_tokens=False)["input_ids"]
        if written != read:
            return (
                f"{source}: its tokenizer.json cuts {text!r} into {len(written)} tokens, and "
                f"{type(tokenizer).__name__}, which transformers builds for this type of model, "
                f"into {len(read)} others; the second is what is read here and everywhere in "
                "transformers, so train and use the model with one of them"
            )
    return None
