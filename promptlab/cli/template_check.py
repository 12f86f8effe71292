"""Everything that is wrong with templates, all faults at once rather than the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptlab.errors import CapabilityError, InputError
from promptlab.library import check
from promptlab.library.check import Fault, check_document
from promptlab.library.sources import find_template, load_library, source_files, templates

if TYPE_CHECKING:
    from promptlab.library import LibraryTemplate
    from promptlab.models.base import LanguageModel
    from promptlab.prompts.prompt import Prompt


def check_entry(
    entry: Any, document: Mapping[str, Any], path: Path, model: LanguageModel | None
) -> tuple[list[str], list[str]]:
    """Faults and notes of one template."""
    checked = check.check_entry(entry, document, path)
    faults = list(checked.faults)
    if model is None or not checked.prompts or checked.item is None:
        return faults, []
    more, notes = _model_findings(checked.item, checked.prompts, model)
    return faults + more, notes


def _model_findings(
    item: LibraryTemplate, prompts: Sequence[Prompt], model: LanguageModel
) -> tuple[list[str], list[str]]:
    """Faults and notes about what the model's tokenizer makes of prompts and answers."""
    from promptlab.models.local import LocalModel

    if item.answers is None:
        verb = "fill" if item.open_vocabulary else "generate"
        return [], [] if verb in model.capabilities else [f"{model.name} cannot {verb}"]
    answers = item.verbalizer.answers
    try:
        model.check(prompts, answers)
    except CapabilityError as error:
        return [], [str(error)]
    except InputError as error:
        return [str(error)], []
    if not isinstance(model, LocalModel):
        return [], []
    counts = _token_counts(model, prompts[0], answers)
    longer = [f"{word!r} ({count})" for word, count in counts.items() if count > 1]
    if not longer:
        return [], []
    return [], [f"answers of several tokens in {model.name}: {', '.join(longer)}"]


def _token_counts(model: Any, prompt: Prompt, answers: Sequence[str]) -> dict[str, int]:
    """Tokens of each answer where it stands, without what follows the slot."""
    from promptlab.prompts.prompt import Prompt

    before = Prompt(prompt.segments[: prompt.slot + 1], chat=prompt.chat)
    counts = {}
    for asked in model.scoring_requests([before], answers)[0]:
        for index, ids in zip(asked.answers, asked.continuations, strict=True):
            counts[answers[index]] = len(ids)
    return counts


@dataclass(frozen=True)
class Finding:
    """What was found and where: a file, and the template in it."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


@dataclass
class CheckReport:
    """How many templates were looked at, and what was found; notes are no faults."""

    checked: int = 0
    faults: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        """The report as JSON data."""
        return {
            "checked": self.checked,
            "faults": [vars(finding) for finding in self.faults],
            "notes": [vars(finding) for finding in self.notes],
        }


def check_templates(targets: Sequence[str], model: LanguageModel | None = None) -> CheckReport:
    """Check library names, tasks, files and folders (none: every file of the library).

    With ``model`` its tokenizer is asked, too: an answer without tokens is a fault; an answer of
    several tokens is a note (it is scored exactly, at a higher price). Raises `InputError` for a
    target that is not there.
    """
    report = CheckReport()
    wanted: dict[Path, set[str] | None] = {}
    for path, name in [found for target in targets for found in _resolve_paths(target)] or [
        (path, None) for path in source_files()
    ]:
        known = wanted.setdefault(path, set())
        if name is None or known is None:
            wanted[path] = None
        else:
            known.add(name)
    for path, names in wanted.items():
        _check_file(path, names, model, report)
    _check_clashes(wanted, report)
    return report


def _resolve_paths(target: str) -> list[tuple[Path, str | None]]:
    """The files of a target, each with the one template that is meant, or None for all."""
    path = Path(target).expanduser()
    if path.suffix in (".yaml", ".yml") or target.startswith((".", "/", "~")):
        return [(file, None) for file in _yaml_files(path)]
    try:
        if target in load_library():
            return [(entry.path, entry.name) for entry in templates(target)]
        entry = find_template(target)
    except InputError:
        if path.exists():
            return [(file, None) for file in _yaml_files(path)]
        raise
    return [(entry.path, entry.name)]


def _yaml_files(path: Path) -> list[Path]:
    if path.is_dir():
        files = sorted(path.glob("*.yaml"))
        if not files:
            raise InputError(f"{path} holds no .yaml file; templates stand in files of that ending")
        return files
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    return [path]


def _check_file(
    path: Path, names: set[str] | None, model: LanguageModel | None, report: CheckReport
) -> None:
    def fault(message: object) -> None:
        report.faults.append(Finding(str(path), str(message)))

    document = _read(path, fault)
    if document is None:
        return
    check_document(document, fault)
    entries = document.get("templates")
    seen: set[str] = set()
    for index, entry in enumerate(entries if isinstance(entries, list) else [], start=1):
        name = entry.get("name") if isinstance(entry, dict) else None
        if names is not None and str(name) not in names:
            continue
        report.checked += 1
        place = f"{path}, template {name or f'number {index}'}"
        faults, notes = check_entry(entry, document, path, model)
        if name is not None and str(name) in seen:
            faults.append("the name is used twice in this file")
        seen.add(str(name))
        report.faults += [Finding(place, message) for message in faults]
        report.notes += [Finding(place, message) for message in notes]


def _read(path: Path, fault: Fault) -> dict[str, Any] | None:
    import yaml

    from promptlab.files.safe_yaml import yaml_loader

    try:
        document = yaml.load(path.read_text(encoding="utf-8"), yaml_loader())  # noqa: S506
    except yaml.YAMLError as error:
        fault(f"no valid YAML: {error}")
    except UnicodeDecodeError as error:
        fault(f"no UTF-8 text: {error}")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    else:
        if isinstance(document, dict):
            return document
        fault(f"expected a mapping with task and templates, found {type(document).__name__}")
    return None


def _check_clashes(wanted: Mapping[Path, set[str] | None], report: CheckReport) -> None:
    """Names that another file of the library has, or that two of the checked files share."""
    files = {path.resolve(): path for path in [*source_files(), *wanted]}
    places: dict[str, Path] = {}
    for path in files.values():
        for name in _names(path):
            other = places.setdefault(name, path)
            if other != path and (path in wanted or other in wanted):
                report.faults.append(
                    Finding(f"{path}", f"template {name} is also defined in {other}; rename one")
                )


def _names(path: Path) -> list[str]:
    document = _read(path, lambda _: None) or {}
    entries = document.get("templates")
    return [
        f"{document.get('task')}/{entry['name']}"
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict) and "name" in entry
    ]
