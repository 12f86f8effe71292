"""What the tabs share: the models that may be asked for, and the folders that may be touched."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import promptlab as pl
from promptlab.study import StudyPolicy

from .queue.queue_folder import study_folder
from .queue.study_queue import StudyQueue

ModelLoader = Callable[..., pl.LanguageModel]
"""Loads a model on offer by its name, for a device and a dtype; see `AppContext.load_model`."""

DTYPES = ("auto", "float32", "bfloat16", "float16")
_AUTO = "auto"
_UPLOADS = ".uploads"
MB = 1_000_000
KEPT_SECONDS = 3600
"""How long uploaded files, and files made for downloading, are kept."""


def _own_folder() -> Path:
    """A folder that only this user reads; gone when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="promptlab-ui-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@dataclass(frozen=True)
class AppContext:
    """One for the whole app. ``models`` are the names on offer, the first one is the default.

    Nothing is read or written outside of ``runs`` (the studies' folders), ``files`` (what is
    made for downloading; gone when the process ends) and the user's folder of templates.
    ``largest_upload`` is in bytes.
    """

    models: tuple[str, ...]
    runs: Path
    files: Path = field(default_factory=_own_folder)
    largest_upload: int = 10 * MB

    def load_model(
        self, name: str = "", device: str = _AUTO, dtype: str = _AUTO
    ) -> pl.LanguageModel:
        """A model on offer, loaded once and shared. Raises `InputError` for any other name."""
        name = name or self.models[0]
        if name not in self.models:
            raise pl.InputError(
                f"the model {name!r} is not on offer here; there are {', '.join(self.models)} "
                "(`promptlab ui --model NAME` offers another)"
            )
        options = {"device": device, "dtype": dtype}
        chosen = {key: value for key, value in options.items() if value not in ("", _AUTO)}
        model: pl.LanguageModel = pl.load_model(name, **chosen)
        return model

    @cached_property
    def devices(self) -> tuple[str, ...]:
        """Where a model can be put on this machine."""
        import torch

        cuda = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
        return (_AUTO, "cpu", *cuda)

    @cached_property
    def policy(self) -> StudyPolicy:
        """What a study that comes in by the browser may name."""
        return StudyPolicy(self.models, (self.runs / _UPLOADS,), self.devices)

    @cached_property
    def queue(self) -> StudyQueue:
        """The studies that run and wait here, the same for everybody."""
        return StudyQueue(self.runs, self.load_model, self.policy)

    def study_folder(self, name: str) -> Path:
        """The folder of a study by its name. Raises `InputError` for a name that is none."""
        return study_folder(self.runs, name)

    def download_path(self, name: str) -> Path:
        """Where to write a file that somebody downloads as ``name``; it is removed in time."""
        folder = self.files / "downloads"
        folder.mkdir(exist_ok=True)
        return Path(tempfile.mkdtemp(dir=folder)) / Path(name).name

    def keep_upload(self, path: str | Path) -> Path:
        """An uploaded file where a study finds it again: under ``runs``, by its content's hash."""
        source = Path(path)
        with source.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()[:16]
        target = self.runs / _UPLOADS / digest / source.name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        return target.absolute()
