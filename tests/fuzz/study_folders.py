"""Folders of decided studies with files that are damaged, changed in their values, or exchanged."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import promptlab as pl
from promptlab.study import StudyRun
from promptlab.study.export import export_study
from promptlab.study.listing import study_rows
from promptlab.study.report.report import write_report
from tests.helpers import damaged_studies
from tests.helpers.scripted_model import ScriptedModel
from tests.helpers.study_fixtures import study_document, write_reviews

_READ_BY_RUN = 0.1
"""Share of the attempts that also run the study again, which takes longest."""
_PARSER = {"type": "choice", "choices": {"negative": ["bad"], "positive": ["good"]}}
_STRANGE: tuple[Any, ...] = (
    None, True, -1, 0, 2**63, 10**30, 1e308, "", "x" * 300, "..", "\0", "\ud800", [], {}, [[]],
    {"a": None}, "NaN", "<script>", "=1+1", "this:Zen",
)  # fmt: skip


def attempts(rng: random.Random, folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """One folder, copied and damaged anew each time."""
    kept = _Kept(folder)
    files = [path.relative_to(kept.study) for path in kept.study.rglob("*") if path.is_file()]
    while True:
        deeds = [(rng.choice(files), _deed(rng)) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
        label = "; ".join(f"{deed.__name__} {path}" for path, deed in deeds)
        runs = rng.random() < _READ_BY_RUN

        def attempt(deeds: Any = deeds, runs: bool = runs) -> object:
            return kept.attack(deeds, runs=runs)

        yield label, attempt


class _Kept:
    """A decided study, its result, and room to damage copies of it."""

    def __init__(self, folder: Path) -> None:
        data = write_reviews(folder / "reviews.csv")
        texts = ["{text} Good or bad? {mask}", "Good or bad: {text} {mask}"]
        group = {"kind": "template", "templates": [{"text": t, "parser": _PARSER} for t in texts]}
        task = {"data": str(data), "train": 10, "dev": 10, "test": 10}
        changes = {"candidates": [group], "budget": {"trials": 2}, "study": "kept"}
        self._spec = pl.load_spec(study_document(data, task=task, **changes), source="fuzz")
        self._model = ScriptedModel(lambda prompt, sample: "good" if "it" in prompt else "bad")
        self._folder = folder
        self._board = self._run(folder / "whole")
        self.study = folder / "whole" / "kept"

    def _run(self, out: Path) -> dict[str, Any]:
        found: dict[str, Any] = StudyRun(self._spec, out=out, model=self._model).run()
        return found

    def attack(self, deeds: list[tuple[Path, Callable[[Path], None]]], *, runs: bool) -> None:
        """Damage a copy, and look at it in every way."""
        out = self._folder / "damaged"
        study = damaged_studies.copied(self.study, out / "kept")
        shutil.rmtree(self._folder / "exported", ignore_errors=True)
        (self._folder / "exported").mkdir()
        for path, deed in deeds:
            if (study / path).is_file() and not (study / path).is_symlink():
                deed(study / path)
        for look in _looks(study, self._folder / "exported"):
            try:
                self._check(look())
            except pl.PromptlabError:
                continue
        study_rows(out)
        if runs:
            self._check(self._run(out))

    def _check(self, found: Any) -> None:
        """A result that is read may be no other than the one that was written."""
        if isinstance(found, dict) and "verdict" in found:
            assert _numbers(found) == _numbers(self._board), "other numbers were accepted"


def _numbers(board: dict[str, Any]) -> Any:
    best = board["best"]
    trials = {row["number"]: (row["name"], row["dev"]) for row in board["trials"]}
    return json.dumps([best["number"], best["dev"], best["test"], trials], sort_keys=True)


def _looks(study: Path, out: Path) -> list[Callable[[], Any]]:
    seen = pl.Study(study)
    return [
        seen.progress, seen.log, seen.leaderboard, seen.predictions, lambda: seen.predictions(0),
        seen.failures, seen.learned, lambda: seen.steps(0), lambda: seen.best(ScriptedModel(str)),
        lambda: write_report(study), lambda: export_study(study, out / "a.json"),
        lambda: export_study(study, out / "a.csv"), lambda: export_study(study, out / "best"),
        lambda: pl.compare_studies([study]), lambda: seen.figures(["history"]),
        lambda: pl.load_spec(study / "study.yaml"),
    ]  # fmt: skip


def _deed(rng: random.Random) -> Callable[[Path], None]:
    """A damage of the list, or one that changes a random value or byte."""
    chance = rng.random()
    seed = rng.getrandbits(32)
    if chance < 0.4:
        return rng.choice([*damaged_studies.WHOLE, *damaged_studies.LINES])

    def bytes_changed(path: Path) -> None:
        own = random.Random(seed)
        data = bytearray(path.read_bytes())
        for _ in range(own.randrange(1, 9)):
            if data:
                data[own.randrange(len(data))] = own.randrange(256)
        path.write_bytes(bytes(data))

    def value_changed(path: Path) -> None:
        own = random.Random(seed)
        try:
            lines = path.read_text(encoding="utf-8").split("\n")
            where = own.randrange(len(lines)) if path.suffix == ".jsonl" else None
            document = json.loads(path.read_text() if where is None else lines[where])
        except ValueError:
            return
        changed = json.dumps(_changed(own, document))
        path.write_text(
            changed if where is None else "\n".join([*lines[:where], changed, *lines[where + 1 :]])
        )

    return bytes_changed if chance < 0.6 else value_changed


def _changed(rng: random.Random, value: Any) -> Any:
    """The value with one part of it replaced or taken out."""
    if isinstance(value, dict | list) and value and rng.random() < 0.85:
        key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
        if rng.random() < 0.2:
            del value[key]
        else:
            value[key] = _changed(rng, value[key])
        return value
    return rng.choice(_STRANGE)
