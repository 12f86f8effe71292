"""A language model that writes instructions, asked again where its reply is of no use."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from promptlab.data.example import Example
from promptlab.errors import Pruned
from promptlab.models.base import LanguageModel
from promptlab.predictors.truncation import render_truncated
from promptlab.prompts.decoding import Decoding
from promptlab.tuning.instruction_search.proposal import ProposalFilter
from promptlab.tuning.instruction_search.reply import read_instruction, repeats_request
from promptlab.tuning.instruction_search.requests import WritingRequest


@dataclass
class Writing:
    """What a writer was asked, and what came of it.

    Args:
        instruction: The instruction; empty when no reply was of use.
        tokens: Prompt and reply tokens of all replies.
        dropped: How many replies were dropped, by reason.
        shortened: The fields of the request that were cut to fit the writer's window.
        replies: The replies as they came.

    Example:
        >>> Writing(dropped=Counter({"it is empty": 2})).dropped_text
        '2 dropped: it is empty'
    """

    instruction: str = ""
    tokens: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    shortened: tuple[str, ...] = ()
    replies: list[str] = field(default_factory=list)

    @property
    def dropped_text(self) -> str:
        """The dropped replies in words, empty if there are none."""
        return "; ".join(f"{n} dropped: {why}" for why, n in self.dropped.most_common())


class InstructionWriter:
    """Writes an instruction for a request, in at most ``tries`` replies.

    Args:
        model: A model that generates; with a chat template it is asked in a conversation.
        decoding: How it writes; above temperature 0 every try is another sample.
        tries: Replies at most.

    Raises:
        CapabilityError: For a model that does not generate.

    Example:
        >>> from promptlab.tuning.instruction_search.writer import InstructionWriter
        >>> InstructionWriter.__name__
        'InstructionWriter'
    """

    def __init__(self, model: LanguageModel, decoding: Decoding, tries: int = 3) -> None:
        model.require("generate")
        self.model = model
        self.decoding = decoding
        self.tries = tries

    def write(self, request: WritingRequest, keep: ProposalFilter, number: int) -> Writing:
        """The first instruction that is kept, sampled for proposal ``number``.

        Returns:
            The writing. Its ``instruction`` is empty where every reply was dropped.
        """
        template = replace(request.template, chat="chat" in self.model.capabilities)
        example = Example(f"request {number}", dict(request.fields))
        prompt = render_truncated(template, example, (), self.model, self.decoding.max_tokens)
        found = Writing(shortened=prompt.shortened)
        for attempt in range(self.tries):
            sample = number * self.tries + attempt
            (reply,) = self.model.generate([prompt], self.decoding, samples=[sample])
            found.tokens += reply.tokens_in + reply.tokens_out
            if reply.error is not None:
                found.dropped[f"no reply ({reply.error})"] += 1
                continue
            found.replies.append(reply.text)
            text = read_instruction(reply.split_reply.answer or "")
            is_copied = repeats_request(text, request.template.source)
            reason = "it repeats the request" if is_copied else keep.reason(text)
            if reason is None:
                found.instruction = text
                return found
            found.dropped[reason] += 1
            if self.decoding.temperature == 0:
                break  # it would say the same again
        return found


def require_instruction(found: Writing) -> str:
    """The instruction of a writing. Raises `Pruned` with what was dropped where there is none."""
    if not found.instruction:
        raise Pruned(f"the writer wrote no new instruction ({found.dropped_text})")
    return found.instruction
