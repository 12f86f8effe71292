"""The likeliest label at one prompt's slot, as a step of a strategy."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from promptlab.evaluation.trace import TraceCursor
from promptlab.models.base import LanguageModel
from promptlab.predictors.model_calls import ScoreCall, StrategyResult, StrategyRun, traced_score
from promptlab.prompts.prompt import Prompt
from promptlab.prompts.verbalizer import Verbalizer


def choose_label(
    model: LanguageModel,
    prompt: Prompt,
    verbalizer: Verbalizer,
    cursor: TraceCursor,
    name: str,
    prior: Float[np.ndarray, " answer"] | float = 0.0,
) -> StrategyRun[tuple[StrategyResult, TraceCursor]]:
    """Score a verbalizer's answers in the slot and take the best label.

    Args:
        model: Scores the answers.
        prompt: The prompt whose slot is filled.
        verbalizer: Labels and their answers.
        cursor: Where in the trace the step is added.
        name: The step's name.
        prior: What calibration takes off the answers' log-likelihoods, in nats.

    Returns:
        The label with the log-probabilities of all, and the place in the trace after the step.
    """
    found, after = yield from traced_score(
        cursor, name, ScoreCall(model, prompt, tuple(verbalizer.answers))
    )
    logprobs = np.array(found.logprobs)
    if verbalizer.length_normalise:
        logprobs = logprobs / np.array(found.answer_tokens)
    values = verbalizer.label_scores(logprobs[None] - prior)[0]
    scores = {label: float(v) for label, v in zip(verbalizer.labels, values, strict=True)}
    best = max(scores, key=scores.__getitem__)
    after.annotate(label=best, probability=float(np.exp(scores[best])))
    return StrategyResult(best, scores=scores), after
