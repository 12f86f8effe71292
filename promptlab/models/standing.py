"""How one expected answer stands among everything that could be in a slot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from promptlab.errors import CapabilityError
from promptlab.models.language_model import LanguageModel
from promptlab.models.local import LocalModel
from promptlab.prompt import Prompt


@dataclass(frozen=True)
class Standing:
    """An answer's ``probability`` in the slot, its ``rank`` there (1 is best) and its ``tokens``.

    The rank is among the tokens of the vocabulary, so an answer of several tokens has none.
    """

    answer: str
    probability: float
    rank: int | None
    tokens: int


def standings(model: LanguageModel, prompts: Sequence[Prompt], answer: str) -> list[Standing]:
    """For every prompt how ``answer`` stands at its slot, exactly.

    What follows the slot counts for models that read both sides; a causal model's is left out,
    as in `LanguageModel.fill`. Raises `InputError` for an answer that the model cannot write.
    """
    model.require("fill")
    if not isinstance(model, LocalModel):
        raise CapabilityError(f"{model.name} does not show its vocabulary; use a local model")
    if model.family == "causal":
        prompts = [prompt.going_on("") for prompt in prompts]
    probabilities = np.exp(model.score(prompts, [answer]).logprobs[:, 0])
    found = []
    asked = model.asked(prompts, (answer,))
    contexts = [question.context for question in model.slot_contexts(prompts)]
    rows = model.engine.vocabulary(contexts)
    for row, items, probability in zip(rows, asked, probabilities, strict=True):
        (tokens,) = items[0].question.continuations
        rank = 1 + int((row > row[tokens[0]]).sum()) if len(tokens) == 1 else None
        found.append(Standing(answer, float(probability), rank, len(tokens)))
    return found
