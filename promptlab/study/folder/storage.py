"""Optuna storages by what users type."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import optuna

from promptlab.errors import DiskError, PromptlabError, StudyError, WorkError


def _sqlite(where: str) -> optuna.storages.RDBStorage:
    """SQLite with a write-ahead log: quick commits that survive a killed process."""
    from sqlalchemy import event

    storage = optuna.storages.RDBStorage(where, engine_kwargs={"connect_args": {"timeout": 60}})

    def tune(connection: Any, record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    event.listen(storage.engine, "connect", tune)
    storage.engine.dispose()
    return storage


def open_storage(where: str) -> optuna.storages.BaseStorage:
    """``sqlite:///…`` or any database URL, ``journal:PATH``, or ``grpc://host:port``."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        if where.startswith("journal:"):
            from optuna.storages.journal import JournalFileBackend

            return optuna.storages.JournalStorage(
                JournalFileBackend(where.removeprefix("journal:"))
            )
        if where.startswith("grpc://"):
            host, _, port = where.removeprefix("grpc://").partition(":")
            return optuna.storages.GrpcStorageProxy(host=host, port=int(port or 13000))
        if where.startswith("sqlite"):
            return _sqlite(where)
        return optuna.storages.RDBStorage(where)
    except Exception as error:
        raise StudyError(
            f"the storage {where!r} cannot be opened: {str(error).splitlines()[0]}; give a "
            "database URL such as sqlite:///study.db, journal:FILE, or grpc://HOST:PORT"
        ) from error


def is_storage_error(error: BaseException) -> bool:
    """Whether it is the storage that has failed."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    return isinstance(error, (StorageInternalError, SQLAlchemyError))


@contextmanager
def damaged_storage_errors(where: str) -> Iterator[None]:
    """Tell in a sentence that what a storage holds cannot be read: `StudyError`."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (PromptlabError, StorageInternalError, SQLAlchemyError):
        raise
    except Exception as error:  # whatever Optuna makes of a row that it has not written
        raise StudyError(
            f"the storage {where} holds what no study has written ({type(error).__name__}: "
            f"{error!s:.200}); bring a copy of it back, or give this study another --name"
        ) from error


@contextmanager
def storage_errors(where: str) -> Iterator[None]:
    """Tell what goes wrong in the storage ``where`` in a sentence: `DiskError`, or `WorkError`."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        cause = str(getattr(error.__cause__ or error, "orig", None) or error.__cause__ or error)
        first = cause.splitlines()[0]
        if "disk is full" in cause or "readonly database" in cause:
            raise DiskError(
                f"the storage {where} cannot be written: {first}; make room, or name another "
                "place by --out or --storage. The same command continues the study"
            ) from error
        raise WorkError(
            f"the storage {where} failed: {first}; the same command continues the study"
        ) from error
