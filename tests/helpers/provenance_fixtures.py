"""A small study that is stopped after some trials, so that what it rests on can be changed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from promptlab.cancellation import Cancellation
from promptlab.errors import Cancelled
from promptlab.events import Event, Events, TrialFinished, Warned
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from tests.helpers import tiny_models
from tests.helpers.study_fixtures import study_document, write_reviews

OWN = {"negative": "terrible", "positive": "great"}
TEXTS = ("{text} It was {mask}.", "{text} A {mask} one.", "Review: {text} Sentiment: {mask}")


def groups(**more: Any) -> dict[str, Any]:
    """A document's part: six candidates of one group."""
    templates = [{"text": text, "answers": OWN} for text in TEXTS]
    group = {"kind": "template", "templates": templates, "calibration": ["none", "contextual"]}
    return {"candidates": [group | more]}


class Begun:
    """A study over files in a folder; ``model`` is the folder of its weights."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder = folder
        self.model = model
        self.data = write_reviews(folder / "reviews.csv")
        self.told: list[str] = []
        self.finished: list[int] = []

    def run(self, *, stop: int | None = None, accept: bool = False, **changes: Any) -> Any:
        """The board; with ``stop`` the study is stopped after so many trials."""
        section = {"name": str(self.model), "device": "cpu", "dtype": "float32"}
        document = study_document(self.data, **({"model": section} | groups() | changes))
        cancellation = Cancellation()
        begun = 0

        def hear(event: Event) -> None:
            nonlocal begun
            if isinstance(event, Warned):
                self.told.append(event.message)
            if isinstance(event, TrialFinished):
                self.finished.append(event.number)
                begun += 1
                if begun == stop:
                    cancellation.request()

        run = StudyRun(
            load_spec(document, source="test"),
            out=self.folder / "runs",
            events=Events(hear),
            cancellation=cancellation,
            accept_changes=accept,
        )
        if stop is None:
            return run.run()
        with pytest.raises(Cancelled):
            run.run()
        return None


def save_model(folder: Path, seed: int = 0) -> Path:
    """A tiny masked model with weights of their own."""
    torch.manual_seed(seed)
    for part in tiny_models.bert():
        part.save_pretrained(folder)
    if seed:
        change_weights(folder, seed)
    return folder


def change_weights(folder: Path, seed: int) -> None:
    """Other numbers of the same shapes under the same names."""
    from safetensors.torch import load_file, save_file

    torch.manual_seed(seed)
    tensors = load_file(folder / "model.safetensors")
    other = {name: torch.randn_like(tensor) * 0.1 for name, tensor in tensors.items()}
    save_file(other, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.fixture
def begun(tmp_path: Path) -> Begun:
    return Begun(tmp_path, save_model(tmp_path / "model"))


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Path]]:
    """Writes modules that can be imported; they are forgotten at the end and at each writing."""
    monkeypatch.syspath_prepend(str(tmp_path / "code"))
    written: set[str] = set()

    def write(name: str, text: str) -> Path:
        path = tmp_path / "code" / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.add(name)
        forget()
        return path

    def forget() -> None:
        for known in [n for n in sys.modules if any(n.split(".")[0] == w for w in written)]:
            del sys.modules[known]

    yield write
    forget()
