"""Optuna's storages: a database is wrapped in a cache of its trials."""

from __future__ import annotations

from typing import Any

from promptlab.compat import changed_library_error, library_internal


def release(storage: Any) -> None:
    """Let go of a storage's files and connections."""
    from optuna.storages import RDBStorage

    cached = library_internal("optuna.storages._cached_storage", "_CachedStorage")
    storage.remove_session()
    inner = storage._backend if isinstance(storage, cached) else storage
    if isinstance(inner, RDBStorage):
        if not hasattr(inner, "engine"):
            raise changed_library_error("optuna", "RDBStorage.engine")
        inner.engine.dispose()
