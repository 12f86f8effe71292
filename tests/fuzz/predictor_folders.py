"""Saved predictors that somebody else has written, or damaged: loaded, and asked."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from promptlab.predictors.base import DOCUMENT, load
from tests.fuzz._mutation import damage, fresh_copy
from tests.fuzz._saved import (
    learned_predictors,
    predicted,
    predictors,
    save_all,
    tiny_model,
)
from tests.fuzz.harness import Attempt


def attempts(rng: random.Random, folder: Path) -> Iterator[Attempt]:
    """Folders of every kind with one thing in them changed.

    What does not stand in the predictor's own document is protected: it is refused, or it
    predicts what it did.
    """
    model = tiny_model()
    made = predictors(model) | learned_predictors(model)
    saved = save_all(made, folder / "saved")
    for name, path in saved.items():
        if predicted(load(path, model)) != predicted(made[name]):
            raise AssertionError(f"{name} is another predictor when it is loaded")
    expected = {name: predicted(load(path, model)) for name, path in saved.items()}
    others = [path for path in (folder / "saved").rglob("*") if path.is_file()]
    while True:
        name = rng.choice(list(saved))
        work = fresh_copy(saved[name], folder / "work")
        label, path = damage(work, rng, others)
        is_protected = path != work / DOCUMENT

        def attempt(
            work: Path = work, name: str = name, is_protected: bool = is_protected
        ) -> object:
            found = predicted(load(work, model))
            assert not is_protected or found == expected[name], f"{found} and not {expected[name]}"
            return found

        yield f"{name} {label}", attempt
