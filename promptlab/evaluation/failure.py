"""A failure: the prompt, the reply, the expected answer, and how a person corrects it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any, Literal, Self

from promptlab.compat.earlier_names import earlier_names
from promptlab.data.example import Example
from promptlab.evaluation.predictions import Prediction
from promptlab.evaluation.trace import Trace

SLOT = "{mask}"
BLANK = "____"


@dataclass(frozen=True)
class Correction:
    """How a person corrects a failure: another ``expected`` answer, or the reply accepted."""

    example_id: str
    expected: str | None = None
    accept: bool = False
    note: str = ""


@dataclass(frozen=True)
class AskedPrompt:
    """A prompt as a model read it, and the words by which it says each label (if it has them)."""

    prompt: str
    answers: dict[str, str] = field(default_factory=dict)
    name: str = ""


@earlier_names(
    of="from_prediction",
    right="wanted_answer",
    dialogues="fine_tuning_records",
    check="regression_record",
)
@dataclass(frozen=True)
class Failure:
    """A wrong prediction, a reply that could not be parsed, or a request without an answer.

    ``actual`` is the predicted label, or the reply where none could be read; ``reply`` the text
    itself. ``prompt`` is that of the last step of a strategy; ``members`` holds the prompts of an
    ensemble's members. ``trace`` is the prediction's.
    """

    example_id: str
    fields: dict[str, str]
    prompt: str
    expected: str | None
    actual: str | None
    split: str = ""
    unparsed: bool = False
    scores: dict[str, float] | None = None
    reply: str | None = None
    error: str | None = None
    answers: dict[str, str] = field(default_factory=dict)
    members: list[dict[str, Any]] = field(default_factory=list)
    trace: Any = None
    correction: Correction | None = None

    @classmethod
    def from_prediction(
        cls, row: Prediction, example: Example, asked: Sequence[AskedPrompt], split: str
    ) -> Self:
        """A wrong prediction; ``asked`` is one prompt, or those of an ensemble's members."""
        last = _last_step(row.trace)
        alone = asked[0] if len(asked) == 1 else AskedPrompt("\n\n".join(a.prompt for a in asked))
        return cls(
            example_id=row.example_id,
            fields=dict(example.fields),
            prompt=last.get("prompt") or alone.prompt,
            expected=row.target,
            actual=row.text if row.unparsed else row.label,
            split=split,
            unparsed=row.unparsed,
            scores=row.scores,
            reply=row.text if row.text is not None else last.get("reply"),
            error=row.error,
            answers=alone.answers,
            members=[asdict(one) for one in asked] if len(asked) > 1 else [],
            trace=row.trace,
        )

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """The inverse of `record`; keys that are unknown here are ignored.

        Raises pydantic's ``ValidationError`` for a value of another type.
        """
        known = {name: record[name] for name in cls.__dataclass_fields__ if name in record}
        members = _adapter(list[AskedPrompt]).validate_python(known.get("members", []))
        known |= {"correction": None, "members": [asdict(one) for one in members]}
        own: Any = cls  # a class is hashable, which its type does not say
        found: Self = _adapter(own).validate_python(known)
        return found

    def record(self) -> dict[str, Any]:
        """Plain JSON data, the correction beside it."""
        found = asdict(self)
        return found if self.correction else {k: v for k, v in found.items() if k != "correction"}

    @property
    def kind(self) -> Literal["wrong", "unparsed", "error"]:
        """How it failed: a wrong answer, a reply that none could be read from, no reply."""
        if self.error is not None:
            return "error"
        return "unparsed" if self.unparsed else "wrong"

    @property
    def confusion(self) -> tuple[str, str]:
        """Expected and actual answer as words; what is no answer stands in brackets."""
        expected = "(none)" if self.expected is None else self.expected
        if self.kind == "wrong":
            return expected, "(none)" if self.actual is None else self.actual
        return expected, "(error)" if self.kind == "error" else "(unparsed)"

    @property
    def wanted_answer(self) -> str | None:
        """The answer that is wanted: the corrected one, or the data's."""
        if self.correction is None:
            return self.expected
        return self.actual if self.correction.accept else self.correction.expected

    def fine_tuning_records(self) -> list[dict[str, Any]]:
        """Supervised fine-tuning records, one a prompt; none where nothing is wanted of it."""
        if self.wanted_answer is None:
            return []
        asked = [AskedPrompt(**one) for one in self.members] or [
            AskedPrompt(self.prompt, self.answers)
        ]
        return [
            {
                "messages": [
                    {"role": "user", "content": _question(one.prompt)},
                    {
                        "role": "assistant",
                        "content": one.answers.get(self.wanted_answer, self.wanted_answer),
                    },
                ]
            }
            for one in asked
        ]

    def regression_record(self, source: str) -> dict[str, Any] | None:
        """A regression suite's record; none where nothing is wanted of it."""
        if self.wanted_answer is None:
            return None
        note = self.correction.note if self.correction else ""
        return {
            "id": self.example_id,
            "fields": self.fields,
            "label": self.wanted_answer,
            "prompt": self.prompt,
            "source": source,
        } | ({"note": note} if note else {})


@cache
def _adapter(kind: Any) -> Any:
    """What checks a record's values by the types of ``kind``."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _last_step(trace: Any) -> dict[str, str]:
    """Prompt and reply of the last step that has a prompt."""
    if not isinstance(trace, Mapping) or "steps" not in trace:
        return {}
    for step in reversed(Trace.from_record(trace).steps):
        if step.prompt:
            return {"prompt": step.prompt, "reply": step.reply}
    return {}


def _question(prompt: str) -> str:
    """The prompt as a user says it: without its slot at the end, with a blank for one inside."""
    return prompt.rstrip().removesuffix(SLOT).rstrip().replace(SLOT, BLANK)
