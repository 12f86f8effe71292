"""Generated knowledge: the model writes facts first, and answers with each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp
from typing import Any, Literal, Self, get_args

from promptlab.compat.earlier_names import earlier_names
from promptlab.data.example import Example
from promptlab.data.inputs import Input, as_examples
from promptlab.errors import AskError, InputError
from promptlab.evaluation.trace import Trace, TraceCursor
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import Predictor
from promptlab.predictors.generator import PromptGenerator
from promptlab.predictors.model_calls import (
    Gather,
    GenerateCall,
    StrategyResult,
    StrategyRun,
    traced_generate,
)
from promptlab.predictors.scheduler import run_concurrently
from promptlab.predictors.truncation import render_truncated
from promptlab.predictors.wrapper import WrappingStrategy, inner_from_settings
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.template import Demonstration, Template
from promptlab.strategies.answering import require_reply
from promptlab.strategies.self_consistency.voting import log_shares

AnswerChoice = Literal["confidence", "vote"]
DEFAULT_DECODING = Decoding(max_tokens=48, temperature=0.7, top_p=0.9, stop=("\n",))


@dataclass(frozen=True)
class KnowledgeGenerator:
    """Writes one statement about an example, as ``demonstrations`` show how."""

    template: Template
    model: LanguageModel
    decoding: Decoding = DEFAULT_DECODING
    demonstrations: tuple[Demonstration, ...] = ()

    def generate(
        self, example: Example, branch: TraceCursor, sample: int
    ) -> StrategyRun[tuple[str, TraceCursor]]:
        """A statement, and the place in the trace after it. `AskError` for an empty one."""
        prompt = render_truncated(
            self.template, example, self.demonstrations, self.model, self.decoding.max_tokens
        )
        ask = GenerateCall(self.model, prompt, self.decoding, sample)
        reply, after = yield from traced_generate(branch, "knowledge", ask)
        return " ".join(require_reply(reply, "knowledge", self.model).split()), after

    def settings(self) -> dict[str, Any]:
        """Plain JSON data."""
        shown = [{"fields": dict(d.fields), "answer": d.answer} for d in self.demonstrations]
        return {
            "template": self.template.settings(),
            "decoding": self.decoding.settings(),
            "demonstrations": shown,
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], model: LanguageModel) -> KnowledgeGenerator:
        """The inverse of `settings`."""
        return cls(
            Template.from_settings(settings["template"]),
            model,
            Decoding.from_settings(settings["decoding"]),
            tuple(Demonstration(**d) for d in settings["demonstrations"]),
        )


@earlier_names(writer="knowledge_generator")
class GeneratedKnowledge(WrappingStrategy):
    """The model writes statements, answers with each of them, and one of the answers is chosen.

    This is generated knowledge prompting (Liu et al. 2022). Equal statements are asked about once.
    A statement or an answer that fails is left out; the example fails if all do.

    Args:
        inner: The strategy that answers; its template reads a statement as ``{knowledge}``.
        template: The prompt that asks for a statement. Its slot is where the statement begins.
        count: How many statements are sampled for an example.
        choose: *confidence*: the answer whose label has the highest probability with any of the
            statements, for which ``inner`` must score labels; *vote*: the answer given with most
            statements (ties go to the more confident answer, then to the earlier one).
        bare: Whether the question is answered without a statement (an empty field) as well, as in
            the paper.
        field: The field of ``inner`` that holds the statement.
        decoding: How statements are sampled; unless given at most 48 tokens, of one line, at
            temperature 0.7 and ``top_p`` 0.9.
        demonstrations: Solved examples that stand before the prompt for a statement; their answers
            are statements.

    Raises:
        InputError: For settings that do not go together, such as several statements at
            temperature 0, or an ``inner`` that does not read the field.
        CapabilityError: For a model that does not generate.

    Example:
        >>> remote = pl.load_model("remote:my-model@http://localhost:8000/v1", cache=False)
        >>> yes_or_no = pl.ChoiceParser((("yes", ("yes",)), ("no", ("no",))))
        >>> inner = pl.PromptGenerator("{knowledge}\\n{question} {mask}", yes_or_no, remote)
        >>> told = pl.GeneratedKnowledge(inner, "A fact about {question} {mask}", choose="vote")
        >>> told.example_prompt("Can penguins fly?")
        '{knowledge}\\nCan penguins fly? {mask}'
    """

    def __init__(
        self,
        inner: Predictor,
        template: Template | str,
        *,
        count: int = 5,
        choose: AnswerChoice = "confidence",
        bare: bool = True,
        field: str = "knowledge",
        decoding: Decoding | None = None,
        demonstrations: Sequence[Demonstration] = (),
    ) -> None:
        super().__init__(inner)
        template = Template(template) if isinstance(template, str) else template
        self.knowledge_generator = KnowledgeGenerator(
            template, self.model, decoding or DEFAULT_DECODING, tuple(demonstrations)
        )
        self.count, self.choose, self.bare, self.field = count, choose, bare, field
        self._check()

    def _check(self) -> None:
        self.model.require("generate")
        if self.choose not in get_args(AnswerChoice):
            raise InputError(
                f"unknown choose {self.choose!r}; it is one of {', '.join(get_args(AnswerChoice))}"
            )
        if self.count < 1:
            raise InputError(f"count is {self.count}; at least one statement is written")
        if self.count > 1 and self.knowledge_generator.decoding.temperature == 0:
            raise InputError(
                f"{self.count} statements are to be sampled and the decoding's temperature is 0, "
                "so all would be alike; set it above 0, such as 0.7"
            )
        if self.field not in self.inner.fields:
            raise InputError(
                f"the inner strategy reads {', '.join(self.inner.fields)} and not the knowledge; "
                f"put {{{self.field}}} into its template"
            )
        if self.choose == "confidence" and isinstance(self.inner, PromptGenerator):
            raise InputError(_NO_CONFIDENCE)

    @property
    def fields(self) -> tuple[str, ...]:
        """What the writer and the inner strategy read of an example."""
        own = (*self.knowledge_generator.template.fields, *self.inner.fields)
        return tuple(name for name in dict.fromkeys(own) if name != self.field)

    @property
    def labels(self) -> tuple[str, ...]:
        """The inner strategy's labels, if it has some."""
        return tuple(getattr(self.inner, "labels", ()))

    @property
    def decodings(self) -> tuple[Decoding, ...]:
        """The statements', and the inner strategy's."""
        return (self.knowledge_generator.decoding, *self.inner.decodings)

    def augmented(self, examples: Sequence[Input], *, training: bool = False) -> list[Example]:
        """The examples with a statement each, written for training examples alone."""
        rows = as_examples(examples, self.fields)
        return augment_with_knowledge(rows, self.knowledge_generator, self.field, write=training)

    def solve(
        self, example: Example, branch: TraceCursor, sample: int = 0
    ) -> StrategyRun[StrategyResult]:
        """The chosen answer; the facts hold the statement that it was chosen with."""
        numbers = range(sample * self.count, (sample + 1) * self.count)
        written: list[tuple[str, TraceCursor] | AskError] = yield Gather(
            [self.knowledge_generator.generate(example, branch, n) for n in numbers],
            return_errors=True,
        )
        places: dict[str, TraceCursor] = {}
        for said, after in (w for w in written if isinstance(w, tuple)):
            places.setdefault(said, after)
        if self.bare:
            places[""] = branch
        if not places:
            raise next(w for w in written if isinstance(w, AskError))
        found: list[StrategyResult | AskError] = yield Gather(
            [
                self.inner.solve(_with(example, self.field, said), after, sample)
                for said, after in places.items()
            ],
            return_errors=True,
        )
        answered = [
            (said, outcome)
            for said, outcome in zip(places, found, strict=True)
            if isinstance(outcome, StrategyResult)
        ]
        if not answered:
            raise next(f for f in found if isinstance(f, AskError))
        return self._chosen(answered)

    def _chosen(self, answered: Sequence[tuple[str, StrategyResult]]) -> StrategyResult:
        labelled = [(said, o) for said, o in answered if o.label is not None]
        if not labelled:
            return replace(answered[0][1], scores=None, facts={"statements": len(answered)})
        votes = Counter(o.label for _, o in labelled)
        if self.choose == "confidence":
            said, best = max(labelled, key=lambda pair: _confidence(pair[1], required=True))
            scores = best.scores
        else:
            said, best = max(
                labelled, key=lambda pair: (votes[pair[1].label], _confidence(pair[1]))
            )
            totals = {str(label): float(number) for label, number in votes.items()}
            scores = log_shares(totals, self.labels)
        facts = {"knowledge": said, "statements": len(answered), "votes": dict(votes)}
        return replace(best, scores=scores, facts={**best.facts, **facts})

    def example_prompt(self, example: Input) -> str:
        """The inner strategy's prompt, ``{knowledge}`` in the place of a statement."""
        (row,) = as_examples([example], self.fields)
        return self.inner.example_prompt(_with(row, self.field, f"{{{self.field}}}"))

    def settings(self) -> dict[str, Any]:
        """Plain JSON data."""
        return super().settings() | {
            "writer": self.knowledge_generator.settings(),
            "count": self.count,
            "choose": self.choose,
            "bare": self.bare,
            "field": self.field,
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], model: LanguageModel) -> Self:
        """The inverse of `settings`."""
        writer = KnowledgeGenerator.from_settings(settings["writer"], model)
        return cls(
            inner_from_settings(settings["inner"], model),
            writer.template,
            count=settings["count"],
            choose=settings["choose"],
            bare=settings["bare"],
            field=settings["field"],
            decoding=writer.decoding,
            demonstrations=writer.demonstrations,
        )


def augment_with_knowledge(
    examples: Sequence[Example], writer: KnowledgeGenerator, field: str, *, write: bool
) -> list[Example]:
    """The examples with a statement in ``field``; an empty one where none is written."""
    if not write:
        return [_with(example, field, "") for example in examples]
    found = run_concurrently([writer.generate(example, Trace().root, 0) for example in examples])
    return [
        _with(example, field, "" if isinstance(said, AskError) else said[0])
        for example, said in zip(examples, found, strict=True)
    ]


_NO_CONFIDENCE = (
    "answers are chosen by confidence, and the inner strategy generates them without scores of "
    "labels; use choose vote, or an inner prompt with answers to score (a verbalizer)"
)


def _confidence(outcome: StrategyResult, *, required: bool = False) -> float:
    if outcome.scores is None:
        if required:
            raise InputError(_NO_CONFIDENCE)
        return 0.0
    return exp(max(outcome.scores.values()))


def _with(example: Example, field: str, value: str) -> Example:
    return replace(example, fields={**example.fields, field: value})
