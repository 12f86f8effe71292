"""Which levels are measured: those that the model can answer, in a design of a bearable size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from promptlab.data.task import FEW_SHOT_SEEDS
from promptlab.errors import Cancelled, DiskError, InputError, StudyError
from promptlab.models.base import LanguageModel
from promptlab.predictors.demonstrations.choice import (
    MODEL_SCORED_ORDERS,
    DemonstrationConfig,
    Order,
)
from promptlab.study.sensitivity.alternatives import (
    Answers,
    PromptAlternatives,
    Wording,
    answers_key,
    answers_name,
    choose_answers,
)
from promptlab.study.sensitivity.design import (
    FACTORS,
    USUAL_LEVELS,
    Factor,
    FactorialDesign,
    plan_levels,
)
from promptlab.study.sensitivity.formats import PromptFormat, draw_formats
from promptlab.study.sensitivity.measurement import PromptLevels

_ORDERS: tuple[Order, ...] = ("random", "grouped", "alternating", "given")


def plan_measurement(
    alternatives: PromptAlternatives,
    model: LanguageModel,
    asked: Mapping[str, int] | None,
    most: int,
    seed: int,
) -> tuple[PromptLevels, FactorialDesign, list[str]]:
    """Levels that the model can answer, their design, and what was left out.

    Raises `StudyError` where nothing is left to vary.
    """
    remarks: list[str] = list(alternatives.remarks)
    wanted = dict(USUAL_LEVELS) | dict(asked or {})
    alternatives, told = _drop_unusable(alternatives, model)
    remarks += told
    answers, wordings, left_out = choose_answers(alternatives, max(1, wanted["answers"]))
    remarks += left_out
    orders, seeds, told = _demonstration_levels(alternatives.demonstrations)
    remarks += told
    templates = [wording.template for wording in wordings]
    formats = draw_formats(templates[: wanted["wording"]], max(1, wanted["format"]), seed)
    available = {
        "wording": len(wordings),
        "format": len(formats),
        "answers": max(1, len(answers)),
        "order": len(orders),
        "seed": len(seeds),
    }
    planned = plan_levels(available, asked, most)
    remarks += _too_few(available, asked)
    levels = PromptLevels(
        wordings=wordings[: planned["wording"]],
        formats=tuple(formats[: planned["format"]]),
        answers=answers[: planned["answers"]],
        demonstrations=tuple(
            tuple(
                replace(alternatives.demonstrations, order=order, seed=drawn)
                for drawn in seeds[: planned["seed"]]
            )
            for order in orders[: planned["order"]]
        ),
        alternatives=alternatives,
    )
    design = _design(levels)
    if not design.varied:
        raise StudyError(
            "there is nothing to vary: one wording, one format and one set of answers are left; "
            + (" ".join(f"{remark}." for remark in remarks) or "ask for more levels")
        )
    return levels, design, remarks


def _drop_unusable(
    alternatives: PromptAlternatives, model: LanguageModel
) -> tuple[PromptAlternatives, list[str]]:
    """Without sets of answers and wordings that the model cannot answer, each told with why.

    What is started from must do. Raises `InputError` when it does not.
    """
    plain = DemonstrationConfig()
    start = alternatives.wordings[0]
    remarks: list[str] = []

    def check(wording: Wording, answers: Answers | None) -> str | None:
        if "{soft:" in wording.template.source or "{trigger:" in wording.template.source:
            return "it has learned tokens, and nobody has learned them here"
        sets = () if answers is None else (answers,)
        levels = PromptLevels((wording,), (PromptFormat(),), sets, ((plain,),), alternatives)
        try:
            levels.predictor(dict.fromkeys(FACTORS, 0), model)
        except (Cancelled, DiskError):
            raise
        except InputError as error:
            return str(error)
        return None

    first = alternatives.answers[0] if alternatives.answers else None
    if (wrong := check(start, first)) is not None:
        raise InputError(f"the prompt that is started from, {start.name}: {wrong}")
    answers = []
    for each in alternatives.answers:
        wrong = check(start, each)
        if wrong is None:
            answers.append(each)
        else:
            remarks.append(f"the answers {answers_name(each)} take no part: {wrong}")
    keys = {answers_key(each) for each in answers}
    wordings = []
    for wording in alternatives.wordings:
        own = [each for each in wording.written_for if answers_key(each) in keys]
        wrong = check(wording, own[0] if own else first)
        if wrong is None:
            wordings.append(wording)
        else:
            remarks.append(f"the template {wording.name} takes no part: {wrong}")
    return replace(alternatives, wordings=tuple(wordings), answers=tuple(answers)), remarks


def _demonstration_levels(
    config: DemonstrationConfig,
) -> tuple[tuple[Order, ...], tuple[int, ...], list[str]]:
    """Orders and seeds of the demonstrations, those of the configuration first."""
    own = (config.order or "random",), (config.seed,)
    if not config.count:
        told = (
            "the prompts show no demonstrations, whose order and draw are not varied (ask for some)"
        )
        return *own, [told]
    if config.selection != "random" or config.order in MODEL_SCORED_ORDERS:
        told = (
            f"demonstrations are selected ({config.selection}) and ordered ({config.order}) by a "
            "rule of the prompt's own, so that their order and draw are not varied"
        )
        return *own, [told]
    orders = tuple(dict.fromkeys((*own[0], *_ORDERS))) if config.count > 1 else own[0]
    return orders, tuple(dict.fromkeys((*own[1], *FEW_SHOT_SEEDS))), []


def _too_few(available: Mapping[str, int], asked: Mapping[str, int] | None) -> list[str]:
    return [
        f"{FACTORS[name]}: {number} levels are asked for and there are {available[name]}"
        for name, number in (asked or {}).items()
        if number > available[name]
    ]


def _design(levels: PromptLevels) -> FactorialDesign:
    """The design of these levels, by names."""
    config = levels.demonstrations[0][0]
    orders = [row[0].order for row in levels.demonstrations]
    seeds = [each.seed for each in levels.demonstrations[0]]
    shown = bool(config.count)
    none = ("no demonstrations",)
    return FactorialDesign(
        (
            Factor("wording", _distinct([wording.name for wording in levels.wordings])),
            Factor("format", tuple(rule.name for rule in levels.formats)),
            Factor(
                "answers",
                _distinct([answers_name(each) for each in levels.answers]) or ("as parsed",),
            ),
            Factor("order", tuple(map(str, orders)) if shown else none),
            Factor("seed", tuple(f"seed {number}" for number in seeds) if shown else none),
        )
    )


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """The names, numbered where they repeat."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(found)


def cell_name(design: FactorialDesign, cell: Sequence[int]) -> str:
    """The levels of a prompt's varied factors in words."""
    names = design.level_names(cell)
    return " · ".join(names[design.factors[place].name] for place in design.varied)
