"""What the tabs share: the models that may be asked for, and the folders that may be touched."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import promptlab as pl

DTYPES = ("auto", "float32", "bfloat16", "float16")
_AUTO = "auto"
_UPLOADS = ".uploads"


@dataclass(frozen=True)
class Workbench:
    """One for the whole app. ``models`` are the names on offer, the first one is the default.

    Nothing is read or written outside of ``runs`` (the studies' folders), ``files`` (what is
    made for downloading; gone when the process ends) and the user's folder of templates.
    """

    models: tuple[str, ...]
    runs: Path
    files: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="promptlab-ui-")))

    def load(self, name: str = "", device: str = _AUTO, dtype: str = _AUTO) -> pl.LanguageModel:
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

    def study(self, name: str) -> Path:
        """The folder of a study by its name. Raises `InputError` for a name that is none."""
        folder = self.runs / name
        inside = folder.parent == self.runs and not name.startswith(".") and name == folder.name
        if not inside or not (folder / "study.yaml").is_file():
            raise pl.InputError(f"{self.runs} holds no study named {name!r}")
        return folder

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


def told(problem: Exception) -> Any:
    """A `PromptlabError` as what an API endpoint answers with."""
    import gradio as gr

    return gr.Error(str(problem), print_exception=False)
