"""What a study file may name when a stranger wrote it: models, data, devices, sizes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptlab.candidates.base import BUILT_IN
from promptlab.compat.earlier_names import earlier_names
from promptlab.data.builtin import DATASETS
from promptlab.data.readers import is_data_file
from promptlab.data.reasoning_gym import is_reasoning
from promptlab.errors import StudyError
from promptlab.evaluation.metrics import metric_names
from promptlab.library.mining.spacy_parser import SPACY_PIPELINE
from promptlab.study.spec.document import StudyDocument

Place = tuple[str | int, ...]
_MODEL_KEYS = frozenset({"name", "device", "dtype", "deterministic", "thinking"})
_COSTS = ("tokens", "seconds", "unparsed_rate")
_METRIC = re.compile(r"[a-z0-9_]{1,60}")
_LEARNED = re.compile(r"\{\s*(?:soft|trigger)\s*:\s*(\d+)")
_NUMBER = re.compile(r"\d+")
_MOST_LEARNED = 512
_MOST_DIGITS = 3
_MOST_COMPUTED = 2_000


@earlier_names(file="find_file")
@dataclass(frozen=True)
class StudyPolicy:
    """What a study may name that does not come from the owner of this machine.

    Code is never imported (``package.module:Name``), no other endpoint is asked, nothing is
    fetched from a hub, and regular expressions, which can take forever, are left to the library.

    Args:
        models: The models on offer.
        folders: Where data files, passages, corpora, unlabelled texts and suites of earlier
            failures lie; relative paths are looked for there.
        devices: The devices on offer.
        most_trials: The largest budget of trials, and the largest ``batch`` and ``block``.
        most: The largest number of any other setting but a seed.

    Example:
        >>> from promptlab.study.spec.load import load_spec
        >>> text = "study: mine\\ntask: /etc/passwd\\nmodel: tiny\\ncandidates: []\\n"
        >>> load_spec(text, policy=StudyPolicy(models=["tiny"]))
        Traceback (most recent call last):
            ...
        promptlab.errors.StudyError: study.yaml, line 2: task: '/etc/passwd' is no data set that ...
    """

    models: Sequence[str]
    folders: Sequence[Path] = ()
    devices: Sequence[str] = ("auto", "cpu")
    most_trials: int = 5_000
    most: int = 100_000

    def check(self, document: StudyDocument) -> StudyDocument:
        """The document with paths made absolute.

        To be called before the document is validated: validating imports a kind's code.

        Raises:
            StudyError: It names what it may not; ``issues`` are all of that.
        """
        look = _PolicyCheck(self)
        values = look.study(document.values)
        if look.wrong:
            raise StudyError.from_issues(document.issue(path, text) for path, text in look.wrong)
        return document.with_values(values)

    def find_file(self, path: str) -> Path | None:
        """The file of that name inside one of the folders, links followed; ``None`` if none is."""
        if "\0" in path:
            return None
        for folder in self.folders:
            root = folder.resolve()
            found = (root / path).resolve()
            if found.is_relative_to(root) and found.is_file():
                return found
        return None


class _PolicyCheck:
    """One walk through a document; ``wrong`` are the complaints by their place."""

    def __init__(self, policy: StudyPolicy) -> None:
        self.policy = policy
        self.wrong: list[tuple[Place, str]] = []

    def study(self, document: dict[str, Any]) -> dict[str, Any]:
        changed = dict(document)
        changed["task"] = self._task(document.get("task"))
        if "task" not in document:
            del changed["task"]
        self._model(document.get("model"))
        if document.get("models"):
            self._say(("models",), "no other endpoint is asked here; leave this key out")
        for index, name in enumerate(_listed(document.get("objectives"))):
            self._metric(name, ("objectives", index), _COSTS)
        if "regression" in document and document["regression"] is not None:
            changed["regression"] = self._file(document["regression"], ("regression",))
        for key in ("candidates", "methods"):
            if isinstance(document.get(key), list):
                changed[key] = [
                    self._group(entry, (key, index)) for index, entry in enumerate(document[key])
                ]
        self._budget(document)
        return changed

    def _task(self, task: Any) -> Any:
        path: Place = ("task", "data") if isinstance(task, dict) else ("task",)
        given = task.get("data") if isinstance(task, dict) else task
        found = self._data(given, path, task)
        if not isinstance(task, dict):
            return found
        self._metric(task.get("metric"), ("task", "metric"), ())
        return task if "data" not in task else task | {"data": found}

    def _data(self, given: Any, path: Place, task: Any) -> Any:
        if not isinstance(given, str) or given in DATASETS:
            return given  # validation has its say about what is no text
        if is_reasoning(given):
            self._computed(given, path, task)
            return given
        if is_data_file(given) and (found := self.policy.find_file(given)):
            return str(found)
        self._say(
            path,
            f"{given!r:.80} is no data set that is on offer here; it is one of "
            f"{', '.join(DATASETS)}, reasoning-gym:NAME, or a file that was uploaded here",
        )
        return given

    def _computed(self, given: str, path: Place, task: Any) -> None:
        if any(len(n) > _MOST_DIGITS for n in _NUMBER.findall(given.partition("?")[2])):
            self._say(path, f"{given!r:.80}: options of puzzles go up to 999 here")
        for split in ("train", "dev", "test"):
            size = task.get(split) if isinstance(task, dict) else None
            if isinstance(size, int | float) and size > _MOST_COMPUTED:
                self._say(("task", split), f"at most {_MOST_COMPUTED:,} puzzles a split here")

    def _model(self, model: Any) -> None:
        if isinstance(model, str):
            self._on_offer(model, ("model",))
        if not isinstance(model, dict):
            return
        for key, value in model.items():
            if key not in _MODEL_KEYS and value is not None:
                self._say(
                    ("model", str(key)),
                    "models are chosen among those on offer here; leave this key out",
                )
        if "name" in model:
            self._on_offer(model["name"], ("model", "name"))
        device = model.get("device")
        if device is not None and device not in self.policy.devices:
            told = ", ".join(self.policy.devices)
            self._say(("model", "device"), f"{device!r:.40} is none of this machine's: {told}")

    def _on_offer(self, name: Any, path: Place) -> None:
        if name is not None and name not in self.policy.models:
            told = ", ".join(self.policy.models)
            self._say(path, f"the model {name!r:.80} is not on offer here; there are {told}")

    def _metric(self, name: Any, path: Place, more: tuple[str, ...]) -> None:
        if isinstance(name, str) and not _METRIC.fullmatch(name):
            told = ", ".join((*metric_names(), *more))
            self._say(path, f"{name!r:.80} is no metric by name; here are {told}")

    def _group(self, entry: Any, path: Place) -> Any:
        if not isinstance(entry, dict):
            return entry
        kind = str(entry.get("kind", "template"))
        if kind not in BUILT_IN:
            told = ", ".join(sorted(BUILT_IN))
            self._say((*path, "kind"), f"{kind!r:.80} is no shipped kind; they are {told}")
            return entry
        changed = dict(entry)
        for key in ("unlabelled", "passages", "corpus", "pairs"):
            of_task = key in ("passages", "pairs") and entry.get(key) == "train"
            if isinstance(entry.get(key), str) and not of_task:
                changed[key] = self._file(entry[key], (*path, key))
        self._code(entry, path)
        self._values(entry, path)
        if isinstance(entry.get("inner"), dict):
            changed["inner"] = self._group(entry["inner"], (*path, "inner"))
        return changed

    def _code(self, entry: Mapping[str, Any], path: Place) -> None:
        """Names that would import code or load another model."""
        for index, name in enumerate(_listed(entry.get("program"))):
            if ":" in str(name):
                self._say((*path, "program", index), f"{name!r:.80}: code is not imported here")
        if ":" in str(entry.get("problem") or ""):
            self._say((*path, "problem"), "code is not imported here; game24 is shipped")
        pipeline = entry.get("pipeline")
        if pipeline is not None and not SPACY_PIPELINE.fullmatch(str(pipeline)):
            self._say(
                (*path, "pipeline"),
                f"{pipeline!r:.80} is no pipeline of spaCy's own, such as en_core_web_sm",
            )
        for key in ("prompt_model", "writer", "filler", "forward", "backward"):
            if key in entry:
                self._on_offer(entry[key], (*path, key))

    def _values(self, value: Any, path: Place) -> None:
        """Sizes that no machine has, and regular expressions, anywhere inside a group."""
        for place, found in _walk(value, path):
            if isinstance(found, dict) and found.get("type") == "regex" and "pattern" in found:
                self._say(
                    (*place, "pattern"),
                    "a regular expression can take forever, so none is run here; use a parser "
                    "of the type number, choice, text or json",
                )
            if isinstance(found, str):
                counts = _LEARNED.findall(found)
                if any(len(n) > 6 or int(n) > _MOST_LEARNED for n in counts):
                    self._say(place, f"at most {_MOST_LEARNED} learned tokens in a place here")
            numeric = isinstance(found, int | float) and not isinstance(found, bool)
            if numeric and "seed" not in place and abs(found) > self.policy.most:
                self._say(place, f"{found:.6g} is too large; at most {self.policy.most:,} here")

    def _budget(self, document: Mapping[str, Any]) -> None:
        budget = document.get("budget")
        trials = budget.get("trials") if isinstance(budget, dict) else None
        sizes = {("budget", "trials"): trials} | {(k,): document.get(k) for k in ("batch", "block")}
        for path, size in sizes.items():
            if isinstance(size, int) and size > self.policy.most_trials:
                self._say(path, f"{size:,} is too many; at most {self.policy.most_trials:,} here")

    def _file(self, given: Any, path: Place) -> Any:
        if not isinstance(given, str):
            return given
        found = self.policy.find_file(given)
        if found is None:
            self._say(path, f"{given!r:.80} is no file that was uploaded here; upload it first")
        return given if found is None else str(found)

    def _say(self, path: Place, text: str) -> None:
        self.wrong.append((path, text))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _walk(value: Any, path: Place) -> Iterator[tuple[Place, Any]]:
    """Every value inside of ``value`` with its place; inner groups are walked on their own."""
    yield path, value
    if isinstance(value, dict):
        for key, part in value.items():
            if key != "inner":
                yield from _walk(part, (*path, str(key)))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _walk(part, (*path, index))
