"""Calibration: what the answers would score without the example is taken off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

from promptlab.errors import InputError
from promptlab.prompts.prompt import Prompt, Text
from promptlab.prompts.template import Demonstration, Placement, Template

Calibration = Literal["none", "contextual", "pmi", "batch"]
CONTENT_FREE = ("N/A", "", "[MASK]")
"""Inputs without content (Zhao et al. 2021)."""


def check_calibration(name: str) -> None:
    """Raise `InputError` for an unknown calibration."""
    if name not in get_args(Calibration):
        raise InputError(
            f"unknown calibration {name!r}; it is one of {', '.join(get_args(Calibration))}"
        )


def calibration_prompts(
    calibration: Calibration,
    template: Template,
    demonstrations: Sequence[Demonstration],
    placement: Placement = "before",
) -> list[Prompt]:
    """The prompts without content whose scores make the prior (none for *none* and *batch*).

    *contextual* puts each content-free input in every field (Zhao et al. 2021); *pmi* leaves the
    fields empty, so that only the domain is left (Holtzman et al. 2021).
    """
    inputs: tuple[str, ...] = {"contextual": CONTENT_FREE, "pmi": ("",)}.get(calibration, ())
    prompts = []
    for content in inputs:
        fields = dict.fromkeys(template.fields, content)
        prompt = template.render(fields, demonstrations, placement)
        prompts.append(_strip_leading_space(prompt))
    return prompts


def calibration_prior(
    calibration: Calibration, logprobs: Float[np.ndarray, "prompt answer"]
) -> Float[np.ndarray, " answer"]:
    """What is subtracted from the answers' log-likelihoods, in nats.

    The log of the mean probability of each answer, normalised over the answer space, over the
    content-free prompts (*contextual*, *pmi*) or over unlabelled examples (*batch*; Zhou et al.
    2023).
    """
    if calibration == "none":
        return np.zeros(logprobs.shape[1])
    shifted = logprobs - logprobs.max(axis=1, keepdims=True)
    probabilities = np.exp(shifted)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    mean: Float[np.ndarray, " answer"] = np.log(np.maximum(probabilities.mean(axis=0), 1e-30))
    return mean


def _strip_leading_space(prompt: Prompt) -> Prompt:
    """Without the white space that an empty field leaves at the start."""
    first, *rest = prompt.segments
    if isinstance(first, Text):
        words = first.lstrip()
        kept = (words, *rest) if words.text else tuple(rest)
        return Prompt(kept, chat=prompt.chat)
    return prompt
