"""The store: what is kept comes back, in another process, too."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.engine.scoring import feature_store as store_module
from promptlab.engine.scoring.feature_store import FeatureStore, context_key, tail_key
from promptlab.engine.scoring.request import ScoringContext, ScoringRequest, ScoringResult
from tests.helpers.damaged_files import flip_bits

if TYPE_CHECKING:
    from promptlab.models.local import LocalModel

IDS = st.lists(st.integers(0, 2**31 - 1), max_size=5).map(tuple)


def reply(seed: int) -> ScoringResult:
    feature = np.random.default_rng(seed).normal(size=8).astype(np.float32)
    return ScoringResult(feature, float(np.float32(seed / 7)))


@given(IDS, IDS, st.integers(-1, 5), IDS, IDS, st.integers(-1, 5))
def test_keys_tell_everything_apart(
    a: tuple[int, ...], b: tuple[int, ...], i: int, c: tuple[int, ...], d: tuple[int, ...], j: int
) -> None:
    left, right = ScoringContext(a, i), ScoringContext(c, j)
    assert (context_key(left) == context_key(right)) == (left == right)
    assert (tail_key(left, b) == tail_key(right, d)) == ((left, b) == (right, d))
    assert tail_key(left, b) != context_key(left)


@pytest.mark.parametrize("on_disk", [True, False])
def test_what_is_saved_comes_back(tmp_path: Path, on_disk: bool) -> None:
    path = tmp_path / "deep" / "features.db" if on_disk else None
    kept = FeatureStore(path)
    keys = [context_key(ScoringContext((n,))) for n in range(1200)]
    kept.save([(key, reply(n)) for n, key in enumerate(keys[:1100])], [(keys[0], -1.5)])
    stores = [kept, FeatureStore(path)] if on_disk else [kept]
    for store in stores:
        found = store.find_slots(keys)
        assert set(found) == set(keys[:1100])
        for n in (0, 499, 500, 1099):
            np.testing.assert_array_equal(found[keys[n]].feature, reply(n).feature)
            assert found[keys[n]].log_normaliser == pytest.approx(n / 7, rel=1e-6)
        assert store.find_tails(keys) == {keys[0]: -1.5}
        assert store.find_slots([]) == {}
        store.close()


def test_a_full_memory_forgets_and_the_disk_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "MAX_MEMORY_BYTES", 10 * 8 * 4, raising=False)
    store = FeatureStore(tmp_path / "features.db")
    keys = [context_key(ScoringContext((n,))) for n in range(100)]
    for n, key in enumerate(keys):
        store.save([(key, reply(n))], [])
    found = store.find_slots(keys)
    assert len(found) == 100
    np.testing.assert_array_equal(found[keys[3]].feature, reply(3).feature)


def test_a_store_too_large_is_emptied_when_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "features.db"
    key = context_key(ScoringContext((1,)))
    first = FeatureStore(path)
    first.save([(key, reply(1))], [])
    first.close()
    monkeypatch.setattr(store_module, "MAX_FILE_BYTES", 10)
    assert FeatureStore(path).find_slots([key]) == {}


def test_threads_share_a_store(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "features.db")
    keys = [[context_key(ScoringContext((n, m))) for m in range(50)] for n in range(4)]

    def fill(n: int) -> None:
        for m, key in enumerate(keys[n]):
            store.save([(key, reply(m))], [(key, float(m))])
            assert key in store.find_slots([key])

    threads = [threading.Thread(target=fill, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.find_slots([key for row in keys for key in row])) == 200


def test_a_damaged_file_is_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "features.db"
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    key = context_key(ScoringContext((1,)))
    store = FeatureStore(path)
    assert f"{path} is begun anew" in capsys.readouterr().err
    store.save([(key, reply(1))], [])
    assert key in FeatureStore(path).find_slots([key])


@pytest.mark.parametrize("seed", range(12))
def test_flipped_bits_change_no_score(
    fresh: Callable[..., LocalModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Forty of them, anywhere in the file: every score is that of an empty cache, to the bit."""
    monkeypatch.setenv("PROMPTLAB_CACHE", str(tmp_path))
    model = fresh("tiny_causal", deterministic=True, cache=True)
    path = model.engine.store.path
    assert path is not None
    questions = [
        ScoringRequest(ScoringContext((5, 6, n + 7)), ((8,), (9, 10), (11, 12, n + 4)))
        for n in range(20)
    ]
    wanted = [row.tolist() for row in model.engine.score(questions)]
    model.engine.store.close()
    rng = random.Random(seed)
    for _ in range(3):
        flip_bits(path, rng, 40)
        model.engine.store = FeatureStore(path)
        assert [row.tolist() for row in model.engine.score(questions)] == wanted
        model.engine.store.close()


def test_what_is_known_is_not_replaced_when_more_is_asked(
    fresh: Callable[..., LocalModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMPTLAB_CACHE", str(tmp_path))
    model = fresh("tiny_causal", cache=True)
    contexts = [ScoringContext((5, 6, n + 7)) for n in range(20)]
    before = model.engine.features(contexts)
    model.engine.score([ScoringRequest(context, ((9, 10, 11, 12, 13),)) for context in contexts])
    model.engine.store = FeatureStore(model.engine.store.path)
    np.testing.assert_array_equal(model.engine.features(contexts), before)
