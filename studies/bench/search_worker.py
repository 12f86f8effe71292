"""A worker and a writer behind one meter, for optimisers of instructions that are compared."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from promptlab.data.example import Example
from promptlab.errors import Cancelled
from promptlab.models.base import Capability, Family, Fill, LanguageModel, Scores
from promptlab.predictors.classifier import PromptClassifier
from promptlab.prompts.decoding import Decoding, Generation, OnText
from promptlab.prompts.prompt import Prompt
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.tuning.instruction_search.proposal import with_instruction

WRITING = Decoding(max_tokens=96, temperature=0.9, top_p=0.95)
"""How the writer writes for everybody."""


class BudgetSpent(Cancelled):
    """All model calls of a run are made; whoever optimises stops with what it has."""


@dataclass
class CallMeter:
    """Counts model calls before any cache: an example that is answered, a reply that is written.

    Args:
        limit: Calls after which `BudgetSpent` is raised; 0: none.
    """

    limit: int = 0
    worker_calls: int = 0
    writer_calls: int = 0
    tokens: int = 0
    begun: float = field(default_factory=time.perf_counter)

    @property
    def calls(self) -> int:
        """Of worker and writer together."""
        return self.worker_calls + self.writer_calls

    @property
    def seconds(self) -> float:
        """Since the meter was made."""
        return time.perf_counter() - self.begun

    def take(self, *, worker: int = 0, writer: int = 0) -> None:
        """Count calls before they are made. Raises `BudgetSpent` where there are none left."""
        if self.limit and self.calls + worker + writer > self.limit:
            raise BudgetSpent(f"{self.calls} of {self.limit} model calls are made")
        self.worker_calls += worker
        self.writer_calls += writer

    def record(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "worker_calls": self.worker_calls, "writer_calls": self.writer_calls,
            "calls": self.calls, "tokens": self.tokens, "seconds": self.seconds,
        }  # fmt: skip


class MeteredModel(LanguageModel):
    """A model whose calls are counted; it gives no features, so that nothing is left uncounted."""

    def __init__(self, model: LanguageModel, meter: CallMeter) -> None:
        self.inner = model
        self.meter = meter
        self.name = model.name
        self.key = model.key
        self.family: Family = model.family
        self.max_tokens = model.max_tokens
        counted: frozenset[Capability] = frozenset({"score", "generate", "chat"})
        self.capabilities = counted & model.capabilities

    def check(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> None:
        """As the model does."""
        self.inner.check(prompts, answers)

    def score(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> Scores:
        """As the model does, counted."""
        self.meter.take(worker=len(prompts))
        found = self.inner.score(prompts, answers)
        self.meter.tokens += int(found.prompt_tokens.sum())
        return found

    def fill(self, prompts: Sequence[Prompt], top: int = 5) -> list[list[Fill]]:
        """Nobody asks for words."""
        raise NotImplementedError

    def generate(
        self, prompts: Sequence[Prompt], decoding: Decoding, *,
        samples: Sequence[int] | None = None, on_text: OnText | None = None,
    ) -> list[Generation]:  # fmt: skip
        """As the model does, counted."""
        self.meter.take(writer=len(prompts))
        found = self.inner.generate(prompts, decoding, samples=samples, on_text=on_text)
        self.meter.tokens += sum(reply.tokens_in + reply.tokens_out for reply in found)
        return found

    def count_tokens(self, prompt: Prompt) -> int:
        """As the model does."""
        return self.inner.count_tokens(prompt)

    def truncate(self, text: str, tokens: int) -> str:
        """As the model does."""
        return self.inner.truncate(text, tokens)

    def describe(self) -> Any:
        """As the model does."""
        return self.inner.describe()

    def provenance(self) -> Any:
        """As the model does."""
        return self.inner.provenance()


@dataclass
class SearchProblem:
    """What every optimiser is given: the same worker, writer, rows and prompt to be improved.

    Args:
        name: The data set's.
        template: The prompt that is improved, with its instruction.
        verbalizer: What says a label.
        rows: Labelled examples that an optimiser may use as it likes; the first ``train`` of them
            are shown to writers.
        train: How many of the rows are for training.
        test: Rows that no optimiser sees.
        worker: The model that answers.
        writer: The model that writes.
        seed: Of the run.
    """

    name: str
    template: Template
    verbalizer: Verbalizer
    rows: Sequence[Example]
    train: int
    test: Sequence[Example]
    worker: LanguageModel
    writer: LanguageModel
    seed: int

    @property
    def text_field(self) -> str:
        """The name of the one field that is the input."""
        (name,) = self.template.fields
        return name

    @property
    def instruction(self) -> str:
        """The instruction to be improved."""
        return str((self.template.parts or {}).get("description", ""))

    def answer(
        self, instruction: str, texts: Sequence[str], model: LanguageModel | None = None
    ) -> list[str]:
        """The worker's labels under an instruction, which may hold demonstrations."""
        template = with_instruction(self.template, instruction)
        asked = PromptClassifier(template, self.verbalizer, model or self.worker)
        asked.fit(self.rows[: self.train])
        examples = [Example(str(n), {self.text_field: text}) for n, text in enumerate(texts)]
        return [str(row.label) for row in asked.predict(examples)]

    def write(self, request: str, sample: int) -> str:
        """A reply of the writer, in its chat template if it has one."""
        parts = {"request": request}
        template = Template("{request}{mask}", chat="chat" in self.writer.capabilities)
        prompt = template.render(parts)
        (reply,) = self.writer.generate([prompt], WRITING, samples=[sample])
        return str(reply.split_reply.answer or "")
