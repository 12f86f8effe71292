"""A predictor whose predictions of some examples are known already."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from promptlab.data.example import Example
from promptlab.data.inputs import Input, Inputs, as_examples
from promptlab.errors import InputError
from promptlab.evaluation.predictions import Prediction, Predictions
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import Predictor


class CachedPredictor(Predictor, register=False):
    """Answers ``examples`` from their ``table`` of kept predictions; asks the member otherwise.

    An example is known by its text to the letter, whatever its id; one without an answer is asked
    again. The member itself is made by ``make`` when it is first needed. ``prompt`` is its prompt
    for the first of ``examples``. Kept rows say the tokens and seconds that they have cost once.
    Raises `InputError` when the table is another one than that of the examples.
    """

    def __init__(
        self,
        make: Callable[[], Predictor],
        table: Predictions,
        examples: Sequence[Example],
        model: LanguageModel,
        *,
        prompt: str = "",
    ) -> None:
        rows = {row.example_id: row for row in table}
        missing = [example.id for example in examples if example.id not in rows]
        if missing:
            raise InputError(
                f"the kept predictions lack {len(missing)} of {len(examples)} examples, the first "
                f"is {missing[0]}"
            )
        self.model = model
        self._make = make
        self._made: Predictor | None = None
        self._known = {_exact(e): rows[e.id] for e in examples if not rows[e.id].missing}
        self._fields = tuple(examples[0].fields) if examples else ()
        self._first = _exact(examples[0]) if examples else None
        self._prompt = prompt

    @property
    def member(self) -> Predictor:
        """The predictor itself."""
        if self._made is None:
            self._made = self._make()
        return self._made

    @property
    def fields(self) -> tuple[str, ...]:
        """The example fields that are read; all of them before the member is made."""
        return self._fields if self._made is None else self._made.fields

    def predict(self, examples: Inputs) -> Predictions:
        """One prediction an example, in order; only unknown examples are asked."""
        rows = as_examples(examples, self.fields)
        found: list[Prediction | None] = [self._known.get(_exact(row)) for row in rows]
        open_rows = [row for row, known in zip(rows, found, strict=True) if known is None]
        asked = iter(self.member.predict(open_rows) if open_rows else ())
        return Predictions(
            next(asked) if known is None else replace(known, example_id=row.id, target=row.label)
            for row, known in zip(rows, found, strict=True)
        )

    def example_prompt(self, example: Input) -> str:
        """The member's prompt, or the one that is kept."""
        (row,) = as_examples([example], self.fields)
        if self._made is None and self._prompt and _exact(row) == self._first:
            return self._prompt
        return self.member.example_prompt(row)

    def settings(self) -> dict[str, Any]:
        """The member's."""
        return self.member.settings()

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], model: LanguageModel) -> Self:
        """Nothing to load: the member is what is saved. Raises `InputError`."""
        raise InputError("kept predictions are no predictor of their own; load the member")

    def save(self, folder: str | Path) -> Path:
        """Save the member."""
        return self.member.save(folder)


def _exact(example: Example) -> tuple[tuple[str, str], ...]:
    """The fields as they are: another case or a blank more is another prompt."""
    return tuple(sorted(example.fields.items()))
