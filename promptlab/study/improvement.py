"""From a prompt that exists to a better one, or to the answer that none was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from promptlab.cancellation import Cancellation
from promptlab.data.labelled_file import LabelledFileKeywords
from promptlab.errors import InputError, StudyError
from promptlab.events import Events
from promptlab.files.saved_predictor.folder import DOCUMENT, read_saved
from promptlab.library.sources import find_template
from promptlab.models.base import LanguageModel
from promptlab.study.decision.power import examples_needed
from promptlab.study.formatting import format_p_value
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from promptlab.study.spec.spec import StudySpec

if TYPE_CHECKING:
    from promptlab.tuning.instruction_search.requests import Method

ALPHA = 0.05
"""A gain on test is one when chance makes it in at most so many cases."""


@dataclass(frozen=True)
class Improvement:
    """What a search for a better prompt has come to.

    Args:
        is_better: Whether the new prompt was shown to be better on test, which chose nothing.
        before: The prompt that was given.
        after: The best one found, which is to be kept only if it is better.
        difference: On test, of ``after`` less ``before``, by the study's objective.
        ci95: Its 95 % interval.
        p_value: Of the paired test.
        n: Test examples that were compared.
        tokens: What the whole search took.
        folder: The study's folder.
        sentence: The result in words.

    Example:
        >>> found = Improvement(False, "a", "b", 0.01, (-0.1, 0.1), 0.8, 50, 900, "runs/x", "No.")
        >>> found.prompt
        'a'
    """

    is_better: bool
    before: str
    after: str
    difference: float
    ci95: tuple[float, float]
    p_value: float
    n: int
    tokens: int
    folder: str
    sentence: str

    @property
    def prompt(self) -> str:
        """The prompt to use: the new one where it is better, else the one that was given."""
        return self.after if self.is_better else self.before

    def row(self) -> dict[str, Any]:
        """As JSON data."""
        return asdict(self) | {"ci95": list(self.ci95), "prompt": self.prompt}


def optimize_prompt(
    prompt: str | Path,
    data: str | Path,
    *,
    model: LanguageModel | str | None = None,
    writer: str | None = None,
    answers: Mapping[str, Any] | None = None,
    proposals: int = 12,
    methods: Sequence[Method] | None = None,
    demonstrations: int = 0,
    calibration: str | None = None,
    train: int | None = None,
    dev: int | None = None,
    test: int | None = None,
    seed: int = 13,
    name: str | None = None,
    out: str | Path = "runs",
    events: Events | None = None,
    cancellation: Cancellation | None = None,
    **reading: Unpack[LabelledFileKeywords],
) -> Improvement:
    """Let a language model write better instructions for a prompt, and test the best of them.

    It is a study of two groups, what was given and *instruction_search*, and can be continued,
    reported and shown like any other.

    Args:
        prompt: The folder of a saved prompt, a template of the library, or a text with ``{mask}``.
        data: A labelled file, or a pinned data set.
        model: Who answers; a saved prompt's own by default, else smollm2-135m.
        writer: The name of a model that writes; who answers, by default.
        answers: The answers of every label, for a text; others have their own.
        proposals: How many instructions are written and judged.
        methods: Those of the kind *instruction_search*; its usual ones by default.
        demonstrations: How many training examples a new prompt may show beside its instruction.
        calibration: *none*, *contextual*, *pmi* or *batch*; a saved prompt's own, else *none*.
        train: Examples that the writer may be shown.
        dev: Examples that judge.
        test: Examples on which the best one is compared with what was given.
        seed: Of splits, parents and the order of examples.
        name: The study's name; *improve-* and the data's by default.
        out: The folder that holds the studies' folders.
        events: Is told what happens, and before it what the budget buys.
        cancellation: Stops the work; the same call continues it.
        **reading: The columns and the form of the file (`LabelledFileOptions`).

    Returns:
        The new prompt with its gain on test, or that what was given stays.

    Raises:
        InputError: For a prompt or data that cannot be used.
        Cancelled: When it was stopped.

    Example:
        >>> pl.optimize_prompt("sentiment/no-such-template", "sst2")
        Traceback (most recent call last):
            ...
        promptlab.errors.InputError: ...
    """
    given = read_prompt(prompt, answers)
    name = name or f"improve-{Path(data).name.partition('.')[0]}"
    named = model if isinstance(model, str) else None
    opened = model if isinstance(model, LanguageModel) else None
    sizes = {"train": train, "dev": dev, "test": test}
    sizes = {split: size for split, size in sizes.items() if size is not None}
    document = {
        "study": name,
        "task": {"data": str(data), "seed": seed} | sizes | reading,
        "model": named or given.model or "smollm2-135m",
        "candidates": _groups(given, writer, proposals, methods, demonstrations, calibration, seed),
        "baseline": "template",
        "pruner": "sequential",
        "budget": {"trials": proposals + 2},
        "block": 25,
        "batch": 1,  # every proposal knows all those before it
        "seed": seed,
    }
    if opened is not None:
        document["model"] = opened.name
    spec = load_spec(document, source="improve")
    assert isinstance(spec, StudySpec)
    run = StudyRun(spec, out=Path(out), events=events, cancellation=cancellation, model=opened)
    return read_improvement(run.run(), given, str(Path(out) / name))


@dataclass(frozen=True)
class GivenPrompt:
    """A prompt to be improved, as a study file writes it: a template with answers or a parser."""

    entry: str | dict[str, Any]
    text: str
    model: str | None = None
    calibration: str = "none"


def read_prompt(prompt: str | Path, answers: Mapping[str, Any] | None = None) -> GivenPrompt:
    """What is to be improved. Raises `InputError` for what has no instruction to write."""
    folder = Path(prompt)
    if (folder / DOCUMENT).is_file():
        return _read_saved_prompt(folder)
    if "{" in str(prompt):
        if not answers:
            raise InputError(
                "a template written out needs the answers of its labels, such as "
                '--answer "positive=great" --answer "negative=terrible"'
            )
        entry = {"name": "given", "text": str(prompt), "answers": dict(answers)}
        return GivenPrompt(entry, str(prompt))
    found = find_template(str(prompt))
    return GivenPrompt(found.full_name, found.template.source)


def _read_saved_prompt(folder: Path) -> GivenPrompt:
    document = read_saved(folder)
    settings = document["settings"]
    template = settings.get("template")
    if template is None or not ("verbalizer" in settings or "parser" in settings):
        raise InputError(
            f"{folder} holds a {document['predictor']}, which has no template of its own; improve "
            "a prompt that is a template with answers or a parser"
        )
    entry = {key: value for key, value in template.items() if key not in ("chat", "name")}
    entry["name"] = template.get("name") or "given"
    if "verbalizer" in settings:
        entry["answers"] = settings["verbalizer"]["answers"]
    else:
        entry["parser"] = settings["parser"]
    source = template.get("text") or template.get("separator", "\n\n").join(
        (template.get("parts") or {}).values()
    )
    return GivenPrompt(
        entry, source, document["model"]["name"], settings.get("calibration") or "none"
    )


def _groups(
    given: GivenPrompt,
    writer: str | None,
    proposals: int,
    methods: Sequence[Method] | None,
    demonstrations: int,
    calibration: str | None,
    seed: int,
) -> list[dict[str, Any]]:
    shared = {"templates": [given.entry], "calibration": [calibration or given.calibration]}
    search: dict[str, Any] = {"kind": "instruction_search", "proposals": proposals, "seed": seed}
    if demonstrations:
        search["demonstrations"] = demonstrations
    if writer is not None:
        search["writer"] = writer
    if methods is not None:
        search["methods"] = list(methods)
    return [{"kind": "template"} | shared, search | shared]


def read_improvement(board: Mapping[str, Any], given: GivenPrompt, folder: str) -> Improvement:
    """The result of such a study. Raises `StudyError` for one that compares with nothing."""
    best, tokens = board["best"], int(board["tokens"])
    if best["kind"] == "template":  # what was given is best on dev
        sentence = "None of the prompts that were written is better on dev: keep what you have."
        n = int(best["test"]["n"])
        return Improvement(
            False, given.text, given.text, 0.0, (0.0, 0.0), 1.0, n, tokens, folder, sentence
        )
    row = next((row for row in board.get("comparisons") or [] if "why" in row), None)
    if row is None:
        raise StudyError(f"{folder} compares its winner with no prompt that was given")
    sign = 1 if board.get("maximise", True) else -1
    difference, p_value = float(row["difference"]), float(row["p_value"])
    low, high = (float(end) for end in row["ci95"])
    is_better = sign * difference > 0 and p_value < ALPHA
    found = f"{difference:+.3f} on {row['n']} test examples ({low:+.3f} to {high:+.3f}, "
    found += f"{format_p_value(p_value)})"
    sentence = (
        f"Better: {found}. It is saved as best in {folder}."
        if is_better
        else f"No measurable gain: {found}. Keep what you have.{_examples_for(row, sign)}"
    )
    after = _written_template(Path(folder) / "best", str(best["prompt"]))
    return Improvement(
        is_better, given.text, after, difference, (low, high), p_value, int(row["n"]), tokens,
        folder, sentence,
    )  # fmt: skip


def _examples_for(row: Mapping[str, Any], sign: int) -> str:
    """How many test examples would show the difference, if it were the true one."""
    difference, discordant = sign * float(row["difference"]), row.get("n_discordant")
    if difference <= 0 or not discordant or row.get("measure", "accuracy") != "accuracy":
        return ""
    needed = examples_needed(difference, int(discordant) / int(row["n"]))
    return f" If the difference is true, about {needed:,} test examples would show it."


def _written_template(folder: Path, otherwise: str) -> str:
    """The winner's template as it was saved."""
    from promptlab.prompts.template import Template

    if not (folder / DOCUMENT).is_file():
        return otherwise
    return Template.from_settings(read_saved(folder)["settings"]["template"]).source
