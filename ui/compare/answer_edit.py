"""A column under the pen: other answer words and calibrations for prompts that were read once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import promptlab as pl
from promptlab.predictors import Rescorer

from ..components.markup import Markup
from ..components.text_fields import LONGEST, format_answers, read_answers
from . import answer_edit_view
from .comparison_sheet import ComparisonSheet


@dataclass(eq=False)
class AnswerEdit:
    """A column and its kept slots; ``shown`` is the last drawing.

    ``refused`` is what the model was asked and could not score, with the reason.
    """

    sheet: ComparisonSheet
    letter: str
    rescorer: Rescorer
    shown: str = ""
    refused: tuple[tuple[str, str], pl.PromptlabError] | None = None

    @property
    def own(self) -> tuple[str, str]:
        """The column's own answers and calibration, as they stand in the boxes."""
        classifier = self.rescorer.classifier
        return format_answers(classifier.verbalizer), classifier.calibration


def begin_answer_edit(sheet: ComparisonSheet, column: str) -> AnswerEdit:
    """Read the slots of a column's prompts once. Raises `InputError` for one without answers."""
    head = sheet.head(column)
    predictor = sheet.grid.predictors.get(head.letter)
    if head.letter not in sheet.complete() or predictor is None:
        raise pl.InputError(f"column {head.letter} is not filled to the end")
    if not isinstance(predictor, pl.PromptClassifier):
        raise pl.InputError(f"column {head.letter} writes its replies: it has no answer words")
    rescorer = Rescorer(predictor, sheet.examples, train=sheet.task.train)
    return AnswerEdit(sheet, head.letter, rescorer)


def change_answers(editing: AnswerEdit, answers: str, calibration: str) -> str:
    """The figures with these answers; where the model has to be asked, that is told instead.

    Raises `InputError` for answers that cannot be read, and what the model said when it was asked.
    """
    words = verbalizer(editing, answers)
    name: Any = calibration  # the rescorer checks it
    if editing.refused is not None and editing.refused[0] == (answers, calibration):
        raise editing.refused[1]
    waiting = editing.rescorer.needs_model(words, name)
    if waiting:
        told = _waiting(waiting, len(words.answers))
        return f'{told}<div class="pl-compare-old">{editing.shown}</div>'
    found = editing.rescorer.predict(words, name)
    editing.shown = str(
        answer_edit_view.answer_edit_html(
            editing.sheet, editing.rescorer.base, found, editing.letter
        )
    )
    return editing.shown


def score_unread_answers(editing: AnswerEdit, answers: str, calibration: str) -> None:
    """Let the model score the answers that it has not read; the scores are kept."""
    name: Any = calibration
    try:
        editing.rescorer.predict(verbalizer(editing, answers), name)
    except pl.PromptlabError as problem:
        editing.refused = (answers, calibration), problem


def verbalizer(editing: AnswerEdit, answers: str) -> pl.Verbalizer:
    """The box's answers; weights and aggregation stay those of the column.

    Raises `InputError` for answers that cannot be read.
    """
    if len(answers) > LONGEST:
        raise pl.InputError(f"answers have at most {LONGEST:,} characters here")
    own = editing.rescorer.classifier.verbalizer
    known: dict[str, float] = dict(zip(own.answers, own.weights, strict=True))
    weighted = {
        label: {word: known.get(word, 1.0) for word in words}
        for label, words in read_answers(answers).items()
    }
    return pl.Verbalizer(
        weighted, aggregation=own.aggregation, length_normalise=own.length_normalise
    )


def _waiting(answers: tuple[str, ...], of: int) -> Markup:
    if len(answers) == of and of > 1:
        told = "The prompts themselves change with this, so the model has to read them"
    else:
        several = "they are no single token at" if len(answers) > 1 else "it is no single token at"
        told = f"{', '.join(answers)}: {several} the slot, so the model has to be asked"
    return Markup('<p class="pl-compare-asks" role="status">{}</p>').format(
        f"{told} (below: the last answers that were scored)."
    )


def yaml_of(editing: AnswerEdit, answers: str, calibration: str) -> str:
    """The edited prompt as YAML."""
    prompt = editing.sheet.head(editing.letter).prompt
    return answer_edit_view.as_yaml(prompt, read_answers(answers), calibration)
