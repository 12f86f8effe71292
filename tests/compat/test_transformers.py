"""The cache's name: found in one place, with it, without it and with a name nobody knows."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

import pytest

from promptlab.compat import transformers as compat
from promptlab.compat.transformers import cache_inputs, cache_keyword
from promptlab.errors import CapabilityError, WorkError
from tests.helpers.tiny_models import Pair


def named(name: str) -> Any:
    """A model whose forward takes ids and a parameter of this name."""

    def forward(**given: Any) -> None:
        raise NotImplementedError

    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter(each, kind) for each in ("input_ids", name)]
    forward.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    body = SimpleNamespace(forward=forward)
    config = SimpleNamespace(is_encoder_decoder=False)
    return SimpleNamespace(forward=forward, base_model=body, config=config)


@pytest.mark.parametrize(
    "pair", ["tiny_causal", "tiny_gpt2", "tiny_sliding", "tiny_masked", "tiny_seq2seq", "tiny_bart"]
)
def test_a_name_that_the_model_has(pair: str, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(pair)[0]
    keyword = cache_keyword(model)
    body = model.get_decoder() if model.config.is_encoder_decoder else model.base_model
    assert keyword in inspect.signature(body.forward).parameters


@pytest.mark.parametrize("name", ["cache", "past_key_values"])
def test_both_names_are_known(name: str) -> None:
    assert cache_keyword(named(name)) == name
    assert cache_inputs(name, 1, "m") == {name: 1}


def test_no_cache_is_a_property_and_never_an_accident(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_keyword(named("reads")) is None
    with pytest.raises(CapabilityError, match=r"^m takes no keys and values of earlier tokens"):
        cache_inputs(None, 1, "m")
    compat._check_names.cache_clear()
    monkeypatch.setattr(compat, "CACHE_KEYWORDS", ("memory",))
    with pytest.raises(WorkError, match="calls a model's cache neither memory, so nothing"):
        cache_keyword(named("reads"))
    monkeypatch.undo()
    compat._check_names.cache_clear()


def test_two_names_in_one_model_are_refused(tiny_causal: Pair) -> None:
    model = named("cache")
    model.base_model = named("past_key_values")
    with pytest.raises(WorkError, match="calls its cache cache and its body calls it past_key"):
        cache_keyword(model)
