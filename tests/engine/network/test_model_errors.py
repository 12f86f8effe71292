"""A mistake of promptlab's own is not taken for something that the model does not support."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import promptlab as pl
from promptlab.engine.network.model_errors import is_own_mistake
from promptlab.engine.scoring.causal import CausalRunner
from promptlab.models.local import LocalModel


def error_of(action: Callable[[], Any]) -> BaseException:
    with pytest.raises((AttributeError, TypeError, RuntimeError, NameError)) as raised:
        action()
    return raised.value


def test_a_missing_name_of_ours_is_a_mistake() -> None:
    template = pl.Template("{text} It was {mask}.")
    assert is_own_mistake(error_of(lambda: template.misspelt))  # type: ignore[attr-defined]
    assert is_own_mistake(error_of(lambda: pl.Template.misspelt))  # type: ignore[attr-defined]
    assert is_own_mistake(error_of(lambda: pl.misspelt))  # type: ignore[attr-defined]


def test_what_others_lack_is_no_mistake() -> None:
    assert not is_own_mistake(error_of(lambda: torch.nn.Linear(1, 1).misspelt))
    assert not is_own_mistake(error_of(lambda: torch.misspelt))  # type: ignore[attr-defined]
    assert not is_own_mistake(error_of(lambda: torch.zeros(2) + torch.zeros(3)))
    assert not is_own_mistake(error_of(lambda: torch.nn.Linear(1, 1)(misspelt=1)))


def test_a_mistake_in_a_quick_way_is_raised(
    fresh: Callable[..., LocalModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, the model became slow without a word."""

    def misspelt(runner: CausalRunner, *_: Any) -> Any:
        return runner.misspelt  # type: ignore[attr-defined]

    monkeypatch.setattr(CausalRunner, "_walk", misspelt)
    with pytest.raises(AttributeError, match="misspelt"):
        fresh("tiny_causal")


def test_a_call_that_does_not_fit_is_raised(
    fresh: Callable[..., LocalModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CausalRunner, "_walk", lambda: None)
    with pytest.raises(TypeError, match="positional argument"):
        fresh("tiny_causal")


def test_what_the_model_cannot_do_is_done_otherwise(
    fresh: Callable[..., LocalModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: Any) -> Any:
        return torch.zeros(2) + torch.zeros(3)

    monkeypatch.setattr(CausalRunner, "_walk", unsupported)
    runner = fresh("tiny_causal").engine.runner
    assert isinstance(runner, CausalRunner) and not runner.can_share_prefixes
