"""The trigger that a search starts from."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle, islice
from typing import Literal

import numpy as np
from jaxtyping import Bool

from promptlab.errors import InputError
from promptlab.models.encoding import Encoding
from promptlab.tuning.triggers.losses import Tokens

Start = Literal["mask", "random", "text"]
COMMON = "the"
"""The most frequent word, with which Wallace et al. (2019) start."""
DRAWS = 1000


def starting_tokens(
    start: Start,
    length: int,
    encoding: Encoding,
    allowed: Bool[np.ndarray, " vocab"],
    *,
    text: str = COMMON,
    seed: int = 0,
    survives: Callable[[Tokens], bool] = lambda tokens: True,
) -> Tokens:
    """``length`` tokens: mask tokens, random allowed ones, or ``text`` repeated or cut.

    Raises `InputError` if the model has no mask token, the text no tokens, or if what was chosen
    does not survive being decoded and encoded again.
    """
    if start == "random":
        return _random(length, allowed, np.random.default_rng([seed, 0, 3]), survives)
    if start == "mask":
        mask = encoding.tokenizer.mask_token_id
        if mask is None:
            raise InputError(
                "the model has no mask token for a trigger to start from; start from text or random"
            )
        tokens = (int(mask),) * length
    else:
        ids = encoding.encode(f" {text.strip()}") if text.strip() else ()
        if not ids:
            raise InputError(f"the text {text!r} has no tokens for a trigger to start from")
        tokens = tuple(islice(cycle(ids), length))
    if not survives(tokens):
        raise InputError(
            f"a trigger that starts from {encoding.tokenizer.decode(tokens)!r} is not encoded "
            "as the same tokens again; start from another text or random, or give up the check"
        )
    return tokens


def _random(
    length: int,
    allowed: Bool[np.ndarray, " vocab"],
    rng: np.random.Generator,
    survives: Callable[[Tokens], bool],
) -> Tokens:
    entries = np.flatnonzero(allowed)
    for _ in range(DRAWS):
        drawn = tuple(rng.choice(entries, size=length).tolist())
        if survives(drawn):
            return drawn
    raise InputError(
        f"none of {DRAWS} random triggers of {length} tokens is encoded as the same tokens again; "
        "start from text, allow whole words alone, or give up the check"
    )
