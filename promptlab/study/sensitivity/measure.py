"""`measure_sensitivity`: how far a prompt's accuracy moves while what it means stays the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from promptlab.cancellation import Cancellation
from promptlab.data.duplicates import text_key
from promptlab.data.example import Example
from promptlab.data.labelled_file import LabelledFileKeywords
from promptlab.data.task import Task
from promptlab.errors import InputError, UnansweredError
from promptlab.evaluation.distinct_texts import text_means
from promptlab.events import Events, Phase, StudyStarted, Warned
from promptlab.models.base import LanguageModel
from promptlab.models.pool import as_model
from promptlab.study.sensitivity.alternatives import with_demonstrations
from promptlab.study.sensitivity.analysis import analyse_design
from promptlab.study.sensitivity.decomposition import Cells
from promptlab.study.sensitivity.design import MAX_PROMPTS, FactorialDesign, check_levels
from promptlab.study.sensitivity.measurement import KEPT, CellAnswers, Measured
from promptlab.study.sensitivity.plan import cell_name, plan_measurement
from promptlab.study.sensitivity.result import Sensitivity
from promptlab.study.sensitivity.subject import Subject, open_subject
from promptlab.study.trials.blocks import evaluation_order

EXAMPLES = 100
"""Examples of dev that every prompt answers where nobody asks for another number."""
MIN_TEXTS = 10
"""Fewer different texts than this say nothing about variances."""


def measure_sensitivity(
    subject: Subject,
    *,
    model: LanguageModel | str | None = None,
    levels: Mapping[str, int] | None = None,
    examples: int = EXAMPLES,
    demonstrations: int | None = None,
    max_prompts: int = MAX_PROMPTS,
    seed: int = 13,
    library_task: str | None = None,
    out: str | Path | None = None,
    events: Events | None = None,
    cancellation: Cancellation | None = None,
    **reading: Unpack[LabelledFileKeywords],
) -> Sensitivity:
    """Measure how far accuracy moves with wording, format, answer words and demonstrations.

    Every level of every factor is crossed with every other (a full factorial design); all prompts
    answer the same examples of dev. Test is never read. Formats are those of Sclar et al. 2023
    (FormatSpread): casing, separators, white space, order of fields. The variance between prompts
    is divided by ANOVA, the noise of the sample of examples estimated and taken off.

    Args:
        subject: A decided study (its folder, or a `Study`), whose winner is started from and whose
            other prompts are the wordings; a study file, a shipped study's name, a spec or its
            values; a data file; a pinned data set's name; or a `Task`, with the library's
            templates.
        model: A model or its name; by default the study's, else ``smollm2-135m``.
        levels: How many levels a factor has: ``wording``, ``format``, ``answers``, ``order`` and
            ``seed`` (both of demonstrations). 1 leaves it as it is.
        examples: Examples of dev at most.
        demonstrations: Solved examples in every prompt; by default as in the study's winner, or
            4 where there is none.
        max_prompts: Prompts at most; factors lose levels until they are no more.
        seed: Of the draw of formats, the choice of examples, and the resamples.
        library_task: Take the templates of this task of the library.
        out: A folder for the result, its page, and the answers so far: the same call with it goes
            on where it was stopped.
        events: Is told what happens, see `promptlab.events`.
        cancellation: Stops the work at its next block, from another thread.
        **reading: The columns of a data file and how it is written, as for `load_task`.

    Returns:
        Spreads, shares of variance, worst case and rank stability, with 95 % intervals.

    Raises:
        InputError: The subject cannot be read, nothing can be varied, or a number is out of range.
        Cancelled: The work was stopped.
        WorkError: Nothing was answered.

    Example:
        >>> rows = [f"film {n} was {'good' if n % 2 else 'bad'},{n % 2}" for n in range(60)]
        >>> _ = Path("films.csv").write_text("\\n".join(["text,label", *rows]))
        >>> found = measure_sensitivity(
        ...     "films.csv", model=model, demonstrations=0, levels={"wording": 2, "answers": 2}
        ... )
        >>> {name: len(levels) for name, levels in found.factors.items()}
        {'wording': 2, 'format': 4, 'answers': 2, 'order': 1, 'seed': 1}
    """
    events, cancellation = events or Events(), cancellation or Cancellation()
    if examples < MIN_TEXTS:
        raise InputError(
            f"examples: {examples} say nothing about variances; use {MIN_TEXTS} or more"
        )
    check_levels(levels or {})
    found = open_subject(subject, library_task, reading)
    chosen = _choose_examples(found.task, examples, seed)
    worker = found.load_model(events) if model is None else as_model(model)
    with cancellation.in_force(), events.in_force():
        alternatives = with_demonstrations(
            found.find_alternatives(worker), demonstrations, found.task
        )
        prompts, design, remarks = plan_measurement(alternatives, worker, levels, max_prompts, seed)
        kept = None if out is None else Path(out) / KEPT
        answering = CellAnswers(prompts, found.task, chosen, worker, kept)
        if answering.remark:
            remarks.append(answering.remark)
        for remark in remarks:
            events.emit(Warned(remark))
        events.emit(
            StudyStarted(
                found.name, str(out or ""), design.size, 0, len(chosen), True, answering.metric.name
            )
        )
        events.emit(Phase(f"{design.size} prompts, each on {len(chosen)} examples of dev"))
        cells = list(design.cells())
        names = [cell_name(design, list(cell.values())) for cell in cells]
        measured = answering.measure(cells, names, events, cancellation)
        events.emit(Phase("intervals"))
        values, n_missing = _complete(measured, chosen, design)
    analysis = analyse_design(design, values, measured.prompts, seed)
    result = Sensitivity(
        name=found.name,
        task=found.task.name,
        model=worker.name,
        metric=measured.metric,
        started_from=alternatives.started_from,
        factors={factor.name: factor.levels for factor in design.factors},
        n=values.shape[-1],
        n_missing=n_missing,
        n_asked=measured.n_asked,
        n_reused=measured.n_reused,
        seed=seed,
        remarks=tuple(remarks),
        **vars(analysis),
    )
    if out is not None:
        result.write(out)
    return result


def _choose_examples(task: Task, count: int, seed: int) -> list[Example]:
    """Labelled examples of dev, drawn by the seed. Raises `InputError` for too few."""
    labelled = [example for example in task.dev if example.label is not None]
    chosen = evaluation_order(labelled, seed)[:count]
    texts = len({text_key(example) for example in chosen})
    if texts < MIN_TEXTS:
        raise InputError(
            f"dev of {task.name} has {texts} different labelled texts; {MIN_TEXTS} are the least "
            "by which a variance is told: give dev more rows (task: {dev: 100} in a study file)"
        )
    return chosen


def _complete(
    measured: Measured, examples: Sequence[Example], design: FactorialDesign
) -> tuple[Cells, int]:
    """The values ``[*levels, text]`` of what every prompt has answered; a text counts once.

    Raises `UnansweredError` where too few are left.
    """
    known: Any = ~np.isnan(measured.values).any(axis=0)
    texts = [text_key(e) for e, is_known in zip(examples, known, strict=True) if is_known]
    left_out = int((~known).sum())
    if len(set(texts)) < MIN_TEXTS:
        raise UnansweredError(
            f"every prompt has answered {len(set(texts))} of {len(examples)} examples; "
            f"{MIN_TEXTS} are the least"
        )
    rows = [text_means(row[known].tolist(), texts) for row in measured.values]
    return np.array(rows).reshape(*design.shape, -1), left_out
