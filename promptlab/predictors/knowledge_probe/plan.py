"""What of a relation is asked: templates that the model can answer, facts that can be ranked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from promptlab.data.example import Example
from promptlab.errors import InputError, PromptlabError
from promptlab.models.base import LanguageModel
from promptlab.predictors.knowledge_probe.answer_space import (
    AnswerSpace,
    ClosedAnswers,
    OpenVocabulary,
)
from promptlab.predictors.knowledge_probe.relation import Fact, Relation
from promptlab.predictors.truncation import render_truncated
from promptlab.prompts.prompt import Prompt
from promptlab.prompts.template import Template

Answers = Literal["closed", "open"]
MIN_TRAIN_FACTS = 8
"""Weights of prompts are learned from so many facts at least."""
NOT_COMMON = "with an object that is not one token in every given model"
NOT_DRAWN = "not drawn (limit)"
_UNSEEN = "the subject stands behind the slot, which the model does not see"
_RESERVED_TOKENS = 32


@dataclass(frozen=True, eq=False)
class RelationPlan:
    """What is asked of a relation, the same for the model and its controls.

    ``columns`` are the facts' right answers in the space, ``others`` the other right answers of
    their subjects. Facts are told by their numbers: ``train`` learns the weights of prompts,
    ``counted`` is what the figures are about, ``naming`` are facts whose subject names the object.
    """

    relation: Relation
    templates: tuple[Template, ...]
    prompts: tuple[tuple[Prompt, ...], ...]
    space: AnswerSpace
    facts: tuple[Fact, ...]
    columns: np.ndarray
    others: tuple[tuple[int, ...], ...]
    train: tuple[int, ...]
    counted: tuple[int, ...]
    naming: tuple[int, ...]
    weights: tuple[float, ...] | None
    left_out: dict[str, int]
    templates_left_out: dict[str, str]

    @property
    def size(self) -> int:
        """How many facts are asked about."""
        return len(self.train) + len(self.counted) + len(self.naming)


def usable_templates(
    relation: Relation, model: LanguageModel, answers: Answers
) -> tuple[dict[int, Prompt], dict[str, str]]:
    """A prompt of each template (by its number) that the model can answer, and why not the others.

    Raises `InputError` when none is left.
    """
    fact = relation.facts[0]
    found: dict[int, Prompt] = {}
    reasons: dict[str, str] = {}
    for number, template in enumerate(relation.templates):
        try:
            prompt = render_fact(template, fact, model)
            model.check([prompt], ())
        except PromptlabError as error:
            reasons[template.source] = str(error).splitlines()[0]
            continue
        sees_all = model.family == "masked" or _fills_any_slot(model, answers)
        if not sees_all and fact.subject not in prompt.left:
            reasons[template.source] = _UNSEEN
            continue
        found[number] = prompt
    if not found:
        told = "; ".join(f"{source!r}: {reason}" for source, reason in reasons.items())
        raise InputError(f"{model.name} can answer no template of {relation.name}: {told}")
    return found, reasons


def _fills_any_slot(model: LanguageModel, answers: Answers) -> bool:
    """Whether what stands behind the slot counts: only a causal model's next token sees nothing."""
    return model.family != "causal" or answers == "closed"


def render_fact(template: Template, fact: Fact, model: LanguageModel) -> Prompt:
    """The prompt that asks for the fact's object; a subject that is too long is cut."""
    example = Example(fact.subject, {template.fields[0]: fact.subject})
    return render_truncated(template, example, (), model, _RESERVED_TOKENS)


def plan_relation(
    relation: Relation,
    model: LanguageModel,
    answers: Answers,
    *,
    train_share: float,
    limit: int | None,
    seed: int,
    common: Collection[str] | None = None,
    common_words: Collection[str] | None = None,
) -> RelationPlan:
    """Decide what is asked; ``common`` are the objects that are one token in every given model.

    Raises `InputError` when no template or no fact is left.
    """
    samples, reasons = usable_templates(relation, model, answers)
    templates = tuple(relation.templates[number] for number in samples)
    objects = [o for o in relation.objects if common is None or o in common]
    prompts = list(samples.values())
    space: AnswerSpace = (
        ClosedAnswers(model, prompts, objects)
        if answers == "closed"
        else OpenVocabulary(model, prompts, objects, common_words)
    )
    counts = Counter(relation.left_out)
    facts = []
    for fact in relation.facts:
        if common is not None and fact.object not in common:
            counts[NOT_COMMON] += 1
        elif fact.object not in space.columns:
            counts[space.reason] += 1
        else:
            facts.append(fact)
    if not facts:
        told = ", ".join(f"{number:,} {reason}" for reason, number in counts.items())
        raise InputError(f"no fact of {relation.name} can be asked of {model.name}: {told}")
    others = _other_objects(facts, space)
    drawn = _draw(len(facts), limit, seed)
    if len(drawn) < len(facts):
        counts[NOT_DRAWN] += len(facts) - len(drawn)
    facts, others = [facts[i] for i in drawn], [others[i] for i in drawn]
    train, counted, naming = _split(facts, train_share if len(templates) > 1 else 0.0, seed)
    weights = relation.weights
    return RelationPlan(
        relation,
        templates,
        tuple(tuple(render_fact(one, fact, model) for one in templates) for fact in facts),
        space,
        tuple(facts),
        np.array([space.columns[fact.object] for fact in facts]),
        tuple(others),
        train,
        counted,
        naming,
        None if weights is None else tuple(weights[number] for number in samples),
        dict(counts),
        reasons,
    )


def _other_objects(facts: Sequence[Fact], space: AnswerSpace) -> list[tuple[int, ...]]:
    """For every fact the columns of its subject's other objects."""
    of_subject: dict[str, set[int]] = defaultdict(set)
    for fact in facts:
        of_subject[fact.subject].add(space.columns[fact.object])
    return [
        tuple(sorted(of_subject[fact.subject] - {space.columns[fact.object]})) for fact in facts
    ]


def _draw(count: int, limit: int | None, seed: int) -> list[int]:
    """The numbers of at most ``limit`` facts, in their order."""
    if limit is None or limit >= count:
        return list(range(count))
    return sorted(np.random.default_rng(seed).choice(count, limit, replace=False).tolist())


def _split(
    facts: Sequence[Fact], share: float, seed: int
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Numbers of facts to learn from, to count, and of those whose subject names the object.

    All facts of a subject are on one side. Too few to learn from are all counted.
    """
    naming = tuple(i for i, fact in enumerate(facts) if fact.names_object)
    asked = [i for i, fact in enumerate(facts) if not fact.names_object]
    subjects = list(dict.fromkeys(facts[i].subject for i in asked))
    np.random.default_rng(seed).shuffle(subjects)
    taken = set(subjects[: round(share * len(subjects))])
    train = tuple(i for i in asked if facts[i].subject in taken)
    if len(train) < MIN_TRAIN_FACTS or len(train) == len(asked):
        return (), tuple(asked), naming
    return train, tuple(i for i in asked if facts[i].subject not in taken), naming
