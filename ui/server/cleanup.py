"""Files that nobody needs any longer are removed while the app runs."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from ..context import KEPT_SECONDS


def remove_old_files(files: Path, uploads: Path) -> None:
    """Remove old files made for downloading, and what is left of uploads that broke off.

    Whole uploads are Gradio's to remove (``delete_cache``).
    """
    limit = time.time() - KEPT_SECONDS
    broken = [path for path in uploads.glob("tmp*") if path.is_file()]
    for path in [*(files / "downloads").glob("*"), *broken]:
        with suppress(FileNotFoundError):
            if path.stat().st_mtime > limit:
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


def remove_old_files_regularly(
    files: Path, uploads: Path
) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """While a server runs, `remove_old_files` now and then."""

    async def now_and_then() -> None:
        while True:
            await asyncio.sleep(KEPT_SECONDS / 4)
            await asyncio.to_thread(remove_old_files, files, uploads)

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        task = asyncio.create_task(now_and_then())
        try:
            yield
        finally:
            task.cancel()

    return lifespan
