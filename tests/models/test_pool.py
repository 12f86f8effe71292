"""The pool: one load for one model, the one used longest ago goes first."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from promptlab.errors import InputError
from promptlab.models import pool as pool_module
from promptlab.models.local import LocalModel
from promptlab.models.pool import ModelPool, load_model


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch, fresh: Callable[..., LocalModel]) -> list[str]:
    """The names that were loaded, each as a tiny model."""
    names: list[str] = []

    def load(name: str, **options: Any) -> LocalModel:
        names.append(name)
        if name == "broken":
            raise InputError("no such model")
        time.sleep(0.02)
        return fresh("tiny_gpt2")

    monkeypatch.setattr(pool_module, "load", load)
    return names


def test_a_model_is_loaded_once_for_each_choice_of_options(loads: list[str]) -> None:
    pool = ModelPool(size=3)
    first = pool.get("a", dtype="float32", device="cpu")
    assert pool.get("a", device="cpu", dtype="float32") is first
    assert pool.get("a", dtype="bfloat16", device="cpu") is not first
    assert loads == ["a", "a"]


def test_the_least_used_goes_first(loads: list[str]) -> None:
    pool = ModelPool(size=2)
    a = pool.get("a")
    pool.get("b")
    assert pool.get("a") is a
    pool.get("c")  # b goes
    assert pool.get("a") is a
    assert loads == ["a", "b", "c"]
    pool.get("b")
    assert loads == ["a", "b", "c", "b"]


def test_a_failed_load_is_no_model(loads: list[str]) -> None:
    pool = ModelPool(size=2)
    a = pool.get("a")
    for _ in range(2):
        with pytest.raises(InputError, match="no such model"):
            pool.get("broken")
    assert pool.get("a") is a
    assert loads == ["a", "broken", "broken"]


def test_threads_share_one_load(loads: list[str]) -> None:
    pool = ModelPool()
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(pool.get("a"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loads == ["a"]
    assert len(set(map(id, found))) == 1


def test_load_model_uses_the_one_pool(loads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "POOL", ModelPool())
    assert load_model("x", device="cpu") is load_model("x", device="cpu")
    load_model()
    assert loads == ["x", "smollm2-135m"]


def test_a_loaded_model_is_had_while_another_is_loading(
    loads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = ModelPool()
    a = pool.get("a")
    begun, go_on = threading.Event(), threading.Event()
    quick = pool_module.load

    def slow(name: str, **options: Any) -> Any:
        begun.set()
        assert go_on.wait(60)
        return quick(name, **options)

    monkeypatch.setattr(pool_module, "load", slow)
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(pool.get("b")))
    thread.start()
    assert begun.wait(60)
    assert pool.get("a") is a
    go_on.set()
    thread.join()
    assert found == [pool.get("b")]
    assert loads == ["a", "b"]


def test_who_waited_for_a_load_that_failed_tries_again(
    loads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = ModelPool()
    quick, tries = pool_module.load, []

    def failing_once(name: str, **options: Any) -> Any:
        tries.append(name)
        time.sleep(0.05)
        if len(tries) == 1:
            raise InputError("not yet")
        return quick(name, **options)

    monkeypatch.setattr(pool_module, "load", failing_once)
    found: list[object] = []

    def get() -> None:
        try:
            found.append(pool.get("a"))
        except InputError as error:
            found.append(str(error))

    threads = [threading.Thread(target=get) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count("not yet") == 1
    assert [one for one in found if one != "not yet"] == [pool.get("a")] * 2
    assert len(tries) == 2
