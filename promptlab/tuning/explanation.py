"""What a fitted predictor is, in plain data: its prompt, its learned parts, and them in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from promptlab.models.learned_parts import LearnedParts
from promptlab.models.local import LocalModel
from promptlab.predictors.base import Predictor
from promptlab.predictors.classifier import PromptClassifier
from promptlab.predictors.generator import PromptGenerator
from promptlab.predictors.head import HeadClassifier
from promptlab.predictors.soft_prompt_mixture import MixtureClassifier
from promptlab.prompts.template import Template
from promptlab.tuning.nearest_tokens import nearest_tokens, with_nearest_words, with_trigger_text

_KEPT = ("start", "steps", "best_step", "training", "method", "step", "loss", "dev", "label_words")
"""Notes of learners that are told."""


def explain(predictor: Predictor, top: int = 3) -> dict[str, Any]:
    """Describe a predictor, loaded or just fitted, in plain JSON data.

    Args:
        predictor: The predictor; of a tuner what it has learned is described.
        top: How many nearest tokens are given for every learned vector.

    Returns:
        ``kind`` (its class), ``model``, and what its prompt is made of, such as ``template``;
        ``learned``: numbers of vectors, trigger tokens with their words, a prefix, weights, a
        head, where they started and how long they were trained (``None`` if nothing was learned);
        ``nearest``: for every vector its nearest tokens with their cosines; ``words``: the prompt
        in words, or ``None``, and then ``no_words``: why there is none.

    Raises:
        NotFittedError: For a tuner that has learned nothing yet.

    Example:
        >>> words = {"negative": "terrible", "positive": "great"}
        >>> classifier = pl.PromptClassifier("{text} It was {mask}.", words, model)
        >>> found = explain(classifier)
        >>> found["kind"], found["template"]
        ('PromptClassifier', '{text} It was {mask}.')
        >>> found["no_words"]
        'nothing was learned: the template is words already'
    """
    predictor = predictor.fitted_predictor
    found: dict[str, Any] = {"kind": type(predictor).__name__, "model": predictor.model.describe()}
    found |= _prompt(predictor)
    learned = _learned(predictor)
    found["learned"] = None if learned is None else _parts(predictor, learned)
    found["nearest"] = _nearest(predictor, learned, top)
    reading, reason = _reading(predictor)
    if reading is None:
        return found | {"words": None, "no_words": reason}
    return found | {"words": _in_text(reading), "no_words": None}


def with_words(predictor: Predictor) -> Predictor | None:
    """The same predictor with a prompt of words alone in the place of what was learned in it.

    Vectors become their nearest tokens, exactly these; found trigger tokens become the text that
    they are read as; of a mixture it is the heaviest member. Tuned weights and a prefix stay.
    ``None`` when nothing of the prompt was learned, or nothing of it is words.
    """
    return _reading(predictor.fitted_predictor)[0]


def _prompt(predictor: Predictor) -> dict[str, Any]:
    """What the predictor's prompt is made of; of a head the text that it reads."""
    if isinstance(predictor, HeadClassifier):
        return {"input": predictor.input, "labels": list(predictor.labels)}
    found: dict[str, Any] = {}
    if isinstance(predictor, MixtureClassifier):
        found["mixture"] = list(predictor.weights)
        predictor = predictor.classifier
    if isinstance(predictor, PromptClassifier):
        found["verbalizer"] = predictor.verbalizer.settings()
        found["calibration"] = predictor.calibration
    if isinstance(predictor, PromptGenerator):
        found["parser"] = predictor.parser.settings()
        found["decoding"] = predictor.decoding.settings()
    if isinstance(predictor, PromptClassifier | PromptGenerator):
        found["template"] = predictor.template.source
        found["demonstrations"] = [
            {"fields": dict(shown.fields), "answer": shown.answer}
            for shown in predictor.demonstrations or []
        ]
        if predictor.nearest_demonstrations is not None:
            found["own_demonstrations"] = {
                "count": predictor.demonstration_config.count,
                "similarity": predictor.demonstration_config.similarity,
                "order": predictor.demonstration_config.order,
                "pool": len(predictor.nearest_demonstrations.pool),
            }
    return found


def _learned(predictor: Predictor) -> LearnedParts | None:
    model = predictor.model
    return model.learned if isinstance(model, LocalModel) else None


def _parts(predictor: Predictor, learned: LearnedParts) -> dict[str, Any]:
    """Learned parts by their numbers, and the notes that were kept with them."""
    found: dict[str, Any] = {}
    if learned.vectors is not None:
        found["vectors"] = len(learned.vectors)
        found["width"] = int(learned.vectors.shape[1])
    if learned.triggers:
        model = predictor.model
        assert isinstance(model, LocalModel)
        found["triggers"] = [
            {"tokens": list(ids), "words": str(model.tokenizer.decode(list(ids)))}
            for ids in learned.triggers
        ]
    if learned.prefix is not None:
        layers, _, heads, tokens, size = learned.prefix.shape
        found["prefix"] = {"tokens": tokens, "layers": layers, "heads": heads, "size": size}
    if learned.weights is not None:
        found["weights"] = learned.weights.lora or "all"
    if learned.head is not None:
        found["head"] = {"labels": len(learned.head), "width": int(learned.head.shape[1])}
    return found | {key: learned.facts[key] for key in _KEPT if key in learned.facts}


def _nearest(predictor: Predictor, learned: LearnedParts | None, top: int) -> list[dict[str, Any]]:
    """Of every vector its nearest tokens; of a mixture member by member."""
    if learned is None or learned.vectors is None:
        return []
    model = predictor.model
    assert isinstance(model, LocalModel)
    members = len(predictor.weights) if isinstance(predictor, MixtureClassifier) else 1
    size = len(learned.vectors) // members
    return [
        {"member": place // size, "vector": place % size, "tokens": [vars(one) for one in near]}
        for place, near in enumerate(nearest_tokens(model, learned.vectors, top))
    ]


def _reading(predictor: Predictor) -> tuple[Predictor | None, str]:
    """The prompt in words as a predictor, or why there is none."""
    if isinstance(predictor, HeadClassifier):
        return None, "a head reads the model's hidden state of the text: there is no prompt"
    if isinstance(predictor, MixtureClassifier):
        heaviest = max(range(len(predictor.weights)), key=predictor.weights.__getitem__)
        member = predictor.members[heaviest]
        return _reading(_over(member, predictor.classifier.template, member.model))
    model = predictor.model
    if not isinstance(predictor, PromptClassifier | PromptGenerator):
        return None, f"{type(predictor).__name__} has no template"
    if not isinstance(model, LocalModel) or model.learned is None:
        return None, "nothing was learned: the template is words already"
    learned = model.learned
    if learned.vectors is not None:
        template, words = with_nearest_words(predictor.template, learned, model)
        return _over(predictor, template, model.with_learned_parts(words)), ""
    if learned.triggers:
        rest = replace(learned, triggers=(), facts={})
        plain = rest.prefix is None and rest.weights is None
        template = with_trigger_text(predictor.template, learned, model)
        return _over(
            predictor, template, model.base if plain else model.with_learned_parts(rest)
        ), ""
    if learned.prefix is not None:
        return None, "a prefix is keys and values of every layer, which are near to no words"
    if learned.weights is not None:
        return None, "the model's weights alone were learned: the template is words already"
    return None, "learning has left all as it was: the template is words already"


def _over(
    predictor: PromptClassifier | PromptGenerator, template: Template, model: LocalModel | Any
) -> Predictor:
    """The predictor with another prompt; the prior of its own prompt is found anew where it can."""
    settings = predictor.settings() | {"template": template.settings()}
    if settings.get("calibration", "batch") != "batch":
        settings["prior"] = None
    return type(predictor).from_settings(settings, model)


def _in_text(reading: Predictor) -> str:
    """A reading's template as text, its tokens as their words."""
    assert isinstance(reading, PromptClassifier | PromptGenerator)
    learned = _learned(reading)
    if learned is None or not learned.triggers:
        return reading.template.source
    assert isinstance(reading.model, LocalModel)
    return with_trigger_text(reading.template, learned, reading.model).source
