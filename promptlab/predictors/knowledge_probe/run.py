"""One model asked for all facts of a relation: the ranks of every prompt and of all together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from promptlab.models.base import LanguageModel
from promptlab.predictors.ensemble.weights import mixture_weights
from promptlab.predictors.knowledge_probe.plan import RelationPlan
from promptlab.predictors.knowledge_probe.ranks import answer_ranks

MEAN, GIVEN, CHOSEN, LEARNED = "mean", "given_weights", "chosen_prompt", "learned_weights"
METHODS = (MEAN, GIVEN, CHOSEN, LEARNED)
"""What several prompts come to together; the last ones rest on the facts of the train part."""

Asked = Callable[[int], None]
"""Told how many facts more were asked; may raise to stop."""


@dataclass(frozen=True, eq=False)
class RelationRun:
    """The ranks of one model.

    ``alone`` are those of every prompt ``[fact, prompt]`` and ``together`` those of `METHODS`, both
    for the counted facts; ``naming`` are the mean's for facts whose subject names the object.
    ``first`` and ``naming_first`` are the columns of the answers that the mean puts first.
    """

    alone: Float[np.ndarray, "fact prompt"]
    together: Mapping[str, Float[np.ndarray, " fact"]]
    naming: Float[np.ndarray, " fact"]
    first: Int[np.ndarray, " fact"]
    naming_first: Int[np.ndarray, " fact"]
    weights: tuple[float, ...] | None
    chosen: int | None


@dataclass(frozen=True, eq=False)
class _Answers:
    """What all prompts say of some facts: ranks and probabilities of the right answers.

    ``first`` are the columns of the best answers of the first mixture.
    """

    ranks: Float[np.ndarray, "fact prompt"]
    right: Float[np.ndarray, "fact prompt"]
    mixed: Float[np.ndarray, "fact mixture"]
    first: Int[np.ndarray, " fact"]


def run_relation(plan: RelationPlan, model: LanguageModel, asked: Asked) -> RelationRun:
    """Ask the model for all facts of the plan; first for those that weights are learned from.

    The probabilities of several prompts are averaged, as in ensembles of predictors; LPAQA averages
    their logarithms. Learned weights maximise the likelihood of the right objects of the train
    part, and the chosen prompt has the best mean reciprocal rank there.
    """
    count = len(plan.templates)
    mixtures = {MEAN: np.full(count, 1 / count)}
    if plan.weights is not None and sum(plan.weights) > 0:
        mixtures[GIVEN] = np.array(plan.weights) / sum(plan.weights)
    learned: Float[np.ndarray, " prompt"] | None = None
    chosen: int | None = None
    if plan.train:
        known = _ask(plan, model, plan.train, {}, asked)
        learned = mixture_weights(known.right, np.ones_like(known.right))
        mixtures[LEARNED] = learned
        chosen = int((1 / known.ranks).mean(axis=0).argmax())
    counted = _ask(plan, model, plan.counted, mixtures, asked)
    together = dict(zip(mixtures, counted.mixed.T, strict=True))
    if chosen is not None:
        together[CHOSEN] = counted.ranks[:, chosen]
    naming = _ask(plan, model, plan.naming, {MEAN: mixtures[MEAN]}, asked)
    return RelationRun(
        counted.ranks,
        {name: together[name] for name in METHODS if name in together},
        naming.mixed[:, 0],
        counted.first,
        naming.first,
        None if learned is None else tuple(learned.tolist()),
        chosen,
    )


def _ask(
    plan: RelationPlan,
    model: LanguageModel,
    facts: Sequence[int],
    mixtures: Mapping[str, Float[np.ndarray, " prompt"]],
    asked: Asked,
) -> _Answers:
    """Block by block, all prompts of a fact in the same call."""
    count = len(plan.templates)
    weights = np.array(list(mixtures.values())).reshape(len(mixtures), count)
    step = max(1, plan.space.prompts_at_once // count)
    ranks, right, mixed = (np.empty((len(facts), n)) for n in (count, count, len(mixtures)))
    first = np.zeros(len(facts), dtype=np.int64)
    for start in range(0, len(facts), step):
        block = list(facts[start : start + step])
        prompts = [prompt for fact in block for prompt in plan.prompts[fact]]
        logprobs = plan.space.logprobs(model, prompts).reshape(len(block), count, -1)
        columns, others = plan.columns[block], [plan.others[fact] for fact in block]
        at = slice(start, start + len(block))
        for place in range(count):
            ranks[at, place] = answer_ranks(logprobs[:, place], columns, others)
            right[at, place] = np.exp(logprobs[np.arange(len(block)), place, columns])
        for place, row in enumerate(weights):
            # in logarithms: what is too unlikely for a probability still has its place
            mixture = np.logaddexp.reduce(logprobs[:, row > 0] + np.log(row[row > 0])[:, None], 1)
            mixed[at, place] = answer_ranks(mixture, columns, others)
            if not place:
                first[at] = mixture.argmax(axis=1)
        asked(len(block))
    return _Answers(ranks, right, mixed, first)
