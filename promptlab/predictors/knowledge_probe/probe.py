"""Probes of what a model knows: P@1, P@10 and reciprocal ranks of facts, beside two controls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext

from promptlab.cancellation import Cancellation
from promptlab.errors import CapabilityError, InputError
from promptlab.models.base import LanguageModel
from promptlab.models.local import LocalModel
from promptlab.models.tuned_weights import free_memory
from promptlab.predictors.knowledge_probe.answer_space import word_tokens
from promptlab.predictors.knowledge_probe.answer_tokens import one_token_answers
from promptlab.predictors.knowledge_probe.controls import CONTROLS, ControlName, control_model
from promptlab.predictors.knowledge_probe.plan import (
    Answers,
    plan_relation,
)
from promptlab.predictors.knowledge_probe.relation import Relation
from promptlab.predictors.knowledge_probe.result import MODEL, KnowledgeProbe, RelationResult
from promptlab.predictors.knowledge_probe.run import RelationRun, run_relation
from promptlab.prompts.prompt import Prompt, Slot, Text

_IN_A_SENTENCE = Prompt((Text("It is "), Slot()))
"""Where a word is looked for in a vocabulary: behind a blank, as most stand in texts."""

OnProgress = Callable[[str, int, int], None]
"""Told the run (*model* or a control), how many facts were asked, and of how many in all."""


def probe_knowledge(
    model: LanguageModel,
    relations: Iterable[Relation],
    *,
    answers: Answers = "open",
    controls: Sequence[ControlName] = CONTROLS,
    common_vocabulary: Iterable[LanguageModel] = (),
    train_share: float = 0.25,
    limit: int | None = None,
    seed: int = 13,
    on_progress: OnProgress | None = None,
    cancellation: Cancellation | None = None,
) -> KnowledgeProbe:
    """Measure how many facts a model knows, and how much of that needs no knowledge.

    Every fact's object is ranked among all answers (Petroni et al. 2019, LAMA): by every template
    alone, by the mean of their probabilities, by the prompt that is best on a train part of the
    facts, and by weights learned there (Jiang et al. 2020, LPAQA). The figures count other facts
    alone. Facts whose subject names the object (*Mexico City* is in Mexico) are counted apart
    (Poerner et al. 2020). The controls (Zhong et al. 2021, OptiPrompt) do the same with copies of
    the model that know nothing.

    Args:
        model: A local model of any family; for closed answers any model that scores.
        relations: Facts with their templates, as `read_relations` gives them.
        answers: *open* ranks the words of the vocabulary, as LAMA and OptiPrompt do, so that facts
            whose object is not one token are left out (and their number told); *closed* the
            objects of the relation, those of several tokens scored exactly, which takes a forward
            for every such object after every prompt.
        controls: *random_weights* and *random_embeddings*, or fewer.
        common_vocabulary: Other models: facts count whose object is one token in all of them and
            in ``model`` behind a blank, and open answers are such words (the common vocabulary of
            LAMA and OptiPrompt). They may come one at a time, from a generator.
        train_share: The share of subjects whose facts weights are learned from; 0 learns none.
            Fewer than eight facts are counted instead.
        limit: At most so many facts a relation, drawn by ``seed``; all objects stay candidates.
        seed: Of train parts, draws, controls and bootstrap samples.
        on_progress: Told the run, the facts asked so far and how many there are.
        cancellation: Stops or pauses the work between two calls of the model.

    Returns:
        The figures; its ``record()`` is JSON data.

    Raises:
        InputError: When a relation has no template that the model can answer or no fact that can
            be asked, and for options out of range.
        CapabilityError: When the model scores nothing, or does not show its vocabulary.
        Cancelled: When the work was stopped.

    Example:
        >>> facts = [("Poland", "Warsaw"), ("France", "Paris")]
        >>> relation = pl.predictors.Relation("capital", facts, ["The capital of [X] is [Y] ."])
        >>> found = pl.predictors.probe_knowledge(model, [relation])
        >>> found.runs
        ['model', 'random_weights', 'random_embeddings']
        >>> found.figures().n, 0 <= found.figures("random_weights").p_at_1 <= 1
        (2, True)
    """
    asked = list(relations)
    _check(model, asked, answers, controls, train_share, limit)
    common, words, others = _common(model, asked, answers, common_vocabulary)
    plans = [
        plan_relation(
            relation,
            model,
            answers,
            train_share=train_share,
            limit=limit,
            seed=seed,
            common=common,
            common_words=words,
        )
        for relation in asked
    ]
    unavailable: dict[str, str] = {}
    runs: dict[str, list[RelationRun]] = {}
    total = sum(plan.size for plan in plans) * (1 + len(controls))
    counter = _Counter(on_progress, cancellation, total)
    with nullcontext() if cancellation is None else cancellation.in_force():
        runs[MODEL] = [run_relation(plan, model, counter.of(MODEL)) for plan in plans]
        for control in controls:
            try:
                other = control_model(model, control, seed)
            except CapabilityError as error:
                unavailable[control] = str(error)
                counter.total -= total // (1 + len(controls))
                continue
            runs[control] = [run_relation(plan, other, counter.of(control)) for plan in plans]
            del other
            free_memory()
    results = [
        RelationResult(plan, {name: made[number] for name, made in runs.items()}, seed)
        for number, plan in enumerate(plans)
    ]
    return KnowledgeProbe(model.name, answers, results, seed, unavailable, others)


def _check(
    model: LanguageModel,
    relations: Sequence[Relation],
    answers: str,
    controls: Sequence[str],
    train_share: float,
    limit: int | None,
) -> None:
    """Raise `InputError` or `CapabilityError` for what cannot be asked."""
    if answers not in ("closed", "open"):
        raise InputError(f"answers is {answers!r}; it is closed or open")
    for control in controls:
        if control not in CONTROLS:
            raise InputError(f"the control {control!r} is unknown; use {', '.join(CONTROLS)}")
    if not 0 <= train_share < 1:
        raise InputError(f"train_share is {train_share}; it is a share from 0 to below 1")
    if limit is not None and limit < 1:
        raise InputError(f"limit is {limit}; it is at least 1")
    if not relations:
        raise InputError("there are no relations to probe; give one with facts and templates")
    names = [relation.name for relation in relations]
    for relation in relations:
        if names.count(relation.name) > 1:
            raise InputError(f"two relations are called {relation.name!r}; join or rename them")
        if not relation.facts:
            raise InputError(f"the relation {relation.name} has no facts")
        if not relation.templates:
            raise InputError(
                f"the relation {relation.name} has no templates; give one such as "
                "'The capital of [X] is [Y].'"
            )
    model.require("score" if answers == "closed" else "fill")


def _common(
    model: LanguageModel,
    relations: Sequence[Relation],
    answers: Answers,
    others: Iterable[LanguageModel],
) -> tuple[set[str] | None, set[str] | None, list[str]]:
    """The objects (and for open answers the words) that are one token in every model; the models.

    ``None`` for both without other models.
    """
    objects: set[str] | None = None
    words: set[str] | None = None
    names: list[str] = []
    for other in others:
        if objects is None:
            local = _local(model)
            known = dict.fromkeys(answer for relation in relations for answer in relation.objects)
            objects = one_token_answers(local, [_IN_A_SENTENCE], list(known))
            if answers == "open":
                words = set(word_tokens(local, pieces=False))
        names.append(other.name)
        objects = one_token_answers(_local(other), [_IN_A_SENTENCE], sorted(objects))
        if words is not None:
            words = one_token_answers(_local(other), [_IN_A_SENTENCE], sorted(words))
    return objects, words, names


def _local(model: LanguageModel) -> LocalModel:
    if not isinstance(model, LocalModel):
        raise CapabilityError(
            f"{model.name} does not show its tokens, so it has no vocabulary in common with "
            "others; use local models"
        )
    return model


class _Counter:
    """Counts the facts that were asked, tells them, and looks whether to stop."""

    def __init__(
        self, on_progress: OnProgress | None, cancellation: Cancellation | None, total: int
    ) -> None:
        self._on_progress = on_progress
        self._cancellation = cancellation
        self.total = total
        self._done = 0

    def of(self, run: str) -> Callable[[int], None]:
        """What a run calls after every block."""

        def count(facts: int) -> None:
            self._done += facts
            if self._on_progress is not None:
                self._on_progress(run, self._done, self.total)
            if self._cancellation is not None:
                self._cancellation.check()

        return count
