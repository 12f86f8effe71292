"""How an answer is got at a prompt's slot: generated and parsed, or chosen among labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from promptlab.errors import InputError, WordlessError
from promptlab.evaluation.trace import TraceCursor
from promptlab.models.base import LanguageModel
from promptlab.predictors.label_choice import choose_label
from promptlab.predictors.model_calls import (
    GenerateCall,
    StrategyResult,
    StrategyRun,
    traced_generate,
)
from promptlab.prompts.decoding import Decoding, Generation
from promptlab.prompts.parsers.parsers import Parser, TextParser, parser_from_settings
from promptlab.prompts.prompt import Prompt
from promptlab.prompts.verbalizer import Verbalizer


@dataclass(frozen=True)
class AnswerReader:
    """A reply that ``parser`` reads, or with a ``verbalizer`` the likeliest label.

    A scored label is always one of the labels, so that nothing is unparsed.

    Args:
        parser: How the reply is read; its text, without a parser or a verbalizer.
        verbalizer: The answers that are scored instead.
        decoding: How the reply is written, at most 16 tokens by default.

    Raises:
        InputError: For a parser and a verbalizer.

    Example:
        >>> reader = AnswerReader(verbalizer=pl.Verbalizer({"no": "no", "yes": "yes"}))
        >>> reader.labels
        ('no', 'yes')
    """

    parser: Parser | None = None
    verbalizer: Verbalizer | None = None
    decoding: Decoding = field(default_factory=lambda: Decoding(max_tokens=16))

    def __post_init__(self) -> None:
        if self.verbalizer is not None and self.parser is not None:
            raise InputError(
                "an answer is either parsed from a reply or scored among labels; give a parser or "
                "a verbalizer"
            )
        if self.verbalizer is None and self.parser is None:
            object.__setattr__(self, "parser", TextParser())

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels to choose among; none for replies that are parsed."""
        return self.verbalizer.labels if self.verbalizer else ()

    @property
    def max_answer_tokens(self) -> int:
        """Tokens of the window that the answer may take."""
        if self.verbalizer is None:
            return self.decoding.max_tokens
        return max(len(answer.encode()) for answer in self.verbalizer.answers) + 1

    def require(self, model: LanguageModel) -> None:
        """Raise `CapabilityError` for a model that cannot answer so."""
        model.require("score" if self.verbalizer else "generate")

    def parse(self, reply: str) -> str | None:
        """What the parser reads in a reply."""
        assert self.parser is not None
        return self.parser.parse(reply)

    def answer(
        self,
        model: LanguageModel,
        prompt: Prompt,
        branch: TraceCursor,
        name: str,
        sample: int = 0,
        read: Callable[[str], str | None] | None = None,
    ) -> StrategyRun[tuple[StrategyResult, TraceCursor]]:
        """The answer at the prompt's slot, and the place in the trace after the step ``name``.

        ``read`` reads a reply in the place of the parser. Raises `WordlessError` naming the step
        for an empty reply.
        """
        if self.verbalizer is not None:
            return (yield from choose_label(model, prompt, self.verbalizer, branch, name))
        ask = GenerateCall(model, prompt, self.decoding, sample)
        reply, after = yield from traced_generate(branch, name, ask)
        label = (
            None
            if reply.unreadable_reason
            else (read or self.parse)(require_reply(reply, name, model))
        )
        after.annotate(label=label)
        return (
            StrategyResult(
                label,
                reply.text,
                logprob=reply.logprob,
                tokens=reply.tokens_out,
                facts={"unread": reply.unreadable_reason} if reply.unreadable_reason else {},
            ),
            after,
        )

    def settings(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            "parser": None if self.parser is None else self.parser.settings(),
            "verbalizer": None if self.verbalizer is None else self.verbalizer.settings(),
            "decoding": self.decoding.settings(),
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> AnswerReader:
        """The inverse of `settings`."""
        parser, verbalizer = settings["parser"], settings["verbalizer"]
        return cls(
            None if parser is None else parser_from_settings(parser),
            None if verbalizer is None else Verbalizer.from_settings(verbalizer),
            Decoding.from_settings(settings["decoding"]),
        )


def require_reply(reply: Generation, step: str, model: LanguageModel) -> str:
    """What a reply says beside hidden reasoning. `WordlessError` naming the step when empty."""
    if reply.answer.strip():
        return reply.answer
    if reply.unreadable_reason:
        raise WordlessError(
            f"step {step!r}: {model.name} gave no answer: {reply.unreadable_reason}"
        )
    raise WordlessError(
        f"step {step!r}: {model.name} wrote nothing; use another template, an instruct model with "
        "its chat template (chat: true), or sampling (temperature above 0)"
    )


def continue_prompt(prompt: Prompt, said: str) -> Prompt:
    """`Prompt.continued_with`, exactly one blank or line end between the prompt and ``said``.

    A reply begins with the blank that the prompt's end may have already, or without one where an
    endpoint strips it.
    """
    before = prompt.prefill if prompt.chat else prompt.left
    if not before or before[-1].isspace():
        return prompt.continued_with(said.lstrip())
    return prompt.continued_with(said if not said or said[0].isspace() else f" {said}")
