"""Files of learned vectors, weights and heads, PEFT folders and checkpoints, damaged."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

import promptlab as pl
from promptlab.interop.peft import export_peft, import_peft
from promptlab.models.loading import from_transformers
from promptlab.predictors.base import DOCUMENT, load
from promptlab.tuning.trainer_state import load_checkpoint, save_checkpoint
from promptlab.tuning.triggers.state import AcceptedTrigger, SearchState
from tests.fuzz._mutation import damage, fresh_copy
from tests.fuzz._saved import (
    ANSWERS,
    learned_model,
    learned_predictors,
    predicted,
    save_all,
    tiny_model,
)
from tests.fuzz.harness import Attempt
from tests.helpers import tiny_models


def attempts(rng: random.Random, folder: Path) -> Iterator[Attempt]:
    """Learned parts with their hash, without it, and what else training leaves on the disk."""
    model, plain = tiny_model(), from_transformers(*tiny_models.gpt2(), name="gpt2")
    made = learned_predictors(model)
    saved = save_all(made, folder / "saved")
    expected = {name: predicted(one) for name, one in made.items()}
    peft = [
        export_peft(pl.PromptClassifier(text, ANSWERS, learned_model(plain, part)), folder / part)
        for text, part in (("{text} It was {mask}", "prefix"), ("{soft:3}{text} {mask}", "vectors"))
    ]
    tensors = {"now.a": torch.randn(3, 4), "best.a": torch.randn(3, 4)}
    (folder / "training").mkdir(parents=True, exist_ok=True)
    save_checkpoint(folder / "training" / "x.safetensors", tensors, {"step": 3, "curve": [[1, 2]]})
    state = SearchState(3, (1, 2), AcceptedTrigger(2, (1, 2), "a b", 0.25, 0.5))
    state.save(folder / "training" / "state.json")
    work = folder / "work"
    others = [path for path in folder.rglob("*") if path.is_file()]

    def loaded() -> object:
        return predicted(load(work, model))

    def imported() -> object:
        return import_peft(work, plain)

    while True:
        match rng.randrange(8):
            case 0:
                fresh_copy(rng.choice(peft), work)
                label, _ = damage(work, rng, others)
                yield f"peft {label}", imported
            case 1:
                fresh_copy(folder / "training", work)
                label, path = damage(work, rng, others)
                yield f"training {label}", _read_training(work, path, tensors)
            case 2 | 3:
                name = rng.choice(list(saved))
                fresh_copy(saved[name], work)
                label, path = damage(work, rng, others)
                _forget_hashes(work)
                yield f"{name} without hashes {label}", loaded
            case _:
                name = rng.choice(list(saved))
                fresh_copy(saved[name], work)
                label, path = damage(work, rng, others)
                yield f"{name} {label}", _same(work, model, expected[name], path)


def _same(work: Path, model: Any, expected: object, path: Path) -> Any:
    def attempt() -> object:
        found = predicted(load(work, model))
        assert path.name == DOCUMENT or found == expected, f"{found} and not {expected}"
        return found

    return attempt


def _read_training(work: Path, path: Path, tensors: dict[str, torch.Tensor]) -> Any:
    def attempt() -> object:
        if path.suffix == ".json":
            return SearchState.load(path)
        found = load_checkpoint(path)
        assert found is None or all(torch.equal(found[0][k], v) for k, v in tensors.items())
        return found

    return attempt


def _forget_hashes(work: Path) -> None:
    """As an earlier version, or somebody with an editor, would have written it."""
    path = work / DOCUMENT
    if not path.is_file() or path.stat().st_size > 10**6:
        return
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        document.pop("files", None)
        path.write_text(json.dumps(document), encoding="utf-8")
    except (OSError, ValueError, AttributeError):
        return
