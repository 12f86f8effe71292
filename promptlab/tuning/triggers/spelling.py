"""A prompt with its triggers written out as words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from promptlab.engine.scoring.request import AnswerRequest
from promptlab.models.local import LocalModel
from promptlab.prompts.prompt import Prompt, Segment, Slot, Text, Trigger
from promptlab.tuning.triggers.losses import Tokens
from promptlab.tuning.triggers.segments import split_trigger


class TriggerWriter:
    """Writes triggers into prompts as a reader would, and has the result tokenised.

    ``lengths`` are the tokens of each trigger segment. What a token adds to the text depends on
    what stands before it: a piece that continues a word adds no space.
    """

    def __init__(self, model: LocalModel, lengths: Sequence[int], answers: Sequence[str]) -> None:
        self.model = model
        self.lengths = tuple(lengths)
        self.answers = tuple(answers)

    def split(self, tokens: Tokens) -> tuple[Tokens, ...]:
        """The trigger's tokens, segment by segment."""
        return split_trigger(self.lengths, tokens)

    def written(self, prompt: Prompt, tokens: Tokens) -> Prompt:
        """The prompt in words alone.

        White space before a trigger is no word (the trigger's own text begins with its space).
        """
        parts = iter(self.split(tokens))
        segments: list[Segment] = []
        before: tuple[int, ...] = ()
        for segment in prompt.segments:
            if isinstance(segment, Trigger):
                part = next(parts)
                last = segments[-1] if segments else None
                if isinstance(last, Text):
                    segments[-1] = last.rstrip()
                segments.append(Text(self._added(before, part)))
                before = part[-1:]
                continue
            segments.append(segment)
            before = self._end(segment) or before
        return replace(prompt, segments=tuple(segments))

    def read_back(self, prompt: Prompt, tokens: Tokens) -> list[AnswerRequest]:
        """The questions that the tokenizer makes of the written prompt."""
        return self.model.scoring_requests([self.written(prompt, tokens)], self.answers)[0]

    def _added(self, before: tuple[int, ...], tokens: Tokens) -> str:
        """What tokens add to the text after the token ``before``."""
        decode = self.model.tokenizer.decode
        if not before:
            return str(decode(list(tokens)))
        carrier, whole = str(decode(list(before))), str(decode([*before, *tokens]))
        return whole[len(carrier) :] if whole.startswith(carrier) else str(decode(list(tokens)))

    def _end(self, segment: Segment) -> tuple[int, ...]:
        """The last token of a segment."""
        words = self.answers[0] if isinstance(segment, Slot) else ""
        if isinstance(segment, Text):
            words = segment.text
        words = words.rstrip().rpartition(" ")[2]
        return self.model.encoding.encode(words)[-1:] if words else ()
