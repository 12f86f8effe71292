"""Names that no model can have are refused in a sentence, before anything looks for them."""

from __future__ import annotations

import pytest

import promptlab as pl
from promptlab.errors import InputError
from promptlab.models.known_models import check_known

NAMES = [
    "", " ", "\0", "\n", "-", "x-", "a/b/c", "a b/c", "http://x/y", "\ud800", "x" * 5000,
    "a/" + "b" * 300, "/dev/zero", "/proc/self/mem", "~nobody-of-that-name/x", "/" + "x" * 5000,
    "./\0", "\u00e4/\u00f6",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:30])
def test_a_name_that_no_model_can_have_is_refused(name: str) -> None:
    for look in (pl.load_model, check_known, pl.load):
        with pytest.raises(InputError):
            look(name)
