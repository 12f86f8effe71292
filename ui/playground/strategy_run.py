"""Any strategy on one example: found by name, run, watched, and drawn with its cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import promptlab as pl
from promptlab.evaluation import Trace
from promptlab.predictors import solve

from ..components.html import chip, join_markup, note
from ..components.markup import Markup
from ..components.text_fields import LONGEST, read_fields
from ..context import AppContext
from ..queue.queue_folder import study_folder
from . import strategy_presets, strategy_presets_context, strategy_presets_tree
from .live_worker import LiveWorker, Tell
from .strategy_preset import StrategyPreset
from .strategy_settings import read_settings
from .trace_html import trace_html

RECIPES: Mapping[str, StrategyPreset] = {
    recipe.name: recipe
    for recipe in (
        *strategy_presets.RECIPES,
        *strategy_presets_context.RECIPES,
        *strategy_presets_tree.RECIPES,
    )
}
SAVED = "saved: "
"""Before the name of a decided study: its saved predictor."""
_MOST_SHOWN = 600


@dataclass(frozen=True)
class StrategyStep:
    """Where a strategy is: its trace so far as data, and the text that is being written."""

    record: Mapping[str, Any]
    steps: int
    tokens: int
    text: str


def saved_strategies(runs: Path) -> list[str]:
    """Decided studies with a saved predictor, as names of strategies, the newest first."""
    found = {
        path.parent.parent.name: path.stat().st_mtime for path in runs.glob("*/best/predictor.json")
    }
    return [SAVED + name for name in sorted(found, key=lambda name: (-found[name], name))]


def build_strategy(
    context: AppContext, strategy: str, given: Mapping[str, Any], model: tuple[str, ...]
) -> tuple[Any, dict[str, str]]:
    """The predictor of a strategy's name with its settings, and the example's fields.

    A saved predictor is loaded with the model that it was saved with. Raises `InputError`.
    """
    for name, value in given.items():
        if isinstance(value, str) and len(value) > LONGEST:
            raise pl.InputError(f"{name} has {len(value):,} characters; at most {LONGEST:,}")
    if strategy.startswith(SAVED):
        fields = read_fields(str(given.get("fields", "")))
        return _loaded(context.runs, strategy.removeprefix(SAVED)), fields
    if strategy not in RECIPES:
        known = ", ".join([*RECIPES, *saved_strategies(context.runs)])
        raise pl.InputError(f"unknown strategy {strategy!r}; there are {known}")
    recipe = RECIPES[strategy]
    values = read_settings(recipe.settings, given)
    made = recipe.build(context.load_model(*model), values)
    return made, read_fields(str(values["fields"]))


def _loaded(runs: Path, name: str) -> Any:
    folder: Path = study_folder(runs, name) / "best"
    if not (folder / "predictor.json").is_file():
        raise pl.InputError(f"the study {name!r} has no saved predictor yet")
    return pl.load(folder)


def saved_fields(runs: Path, strategy: str) -> str:
    """The fields that a saved predictor reads, as lines to fill in."""
    try:
        fields = _loaded(runs, strategy.removeprefix(SAVED)).fields
    except pl.PromptlabError:  # told when it is run
        return ""
    return "\n".join(f"{name} = " for name in fields)


def start_strategy(
    predictor: Any, fields: Mapping[str, str], cancellation: pl.Cancellation
) -> LiveWorker[StrategyStep, Any]:
    """The solution of one example as work that is watched; its result is a `Prediction`."""
    missing = [name for name in predictor.fields if name not in fields]
    if missing:
        raise pl.InputError(
            f"the example has no field {missing[0]!r}; write a line {missing[0]} = …"
        )

    def work(tell: Tell[StrategyStep]) -> Any:
        record: Mapping[str, Any] = {}
        known = -1

        def watch(trace: Trace, text: str) -> None:
            nonlocal record, known
            if len(trace) != known:
                record, known = trace.record(), len(trace)
            tell(StrategyStep(record, known, trace.tokens_in + trace.tokens_out, text))

        return solve(predictor, fields, watch)

    return LiveWorker(work, cancellation)


def strategy_record(prediction: Any, seconds: float) -> dict[str, Any]:
    """What an API endpoint answers: the prediction, its ``trace`` whole, ``seconds`` in all."""
    found = asdict(prediction)
    return found | {"answer": found.pop("label"), "wall_seconds": seconds}


def running_strategy_html(step: StrategyStep, seconds: float) -> Markup:
    """Where it is, what is being written, and the trace so far."""
    status = f"Working … {step.steps} steps, {step.tokens:,} tokens, {seconds:.1f} s"
    shown = step.text if len(step.text) <= _MOST_SHOWN else "…" + step.text[-_MOST_SHOWN:]
    writing = Markup('<pre class="pl-generated pl-writing">{}</pre>').format(shown)
    return join_markup(
        [
            Markup('<p class="pl-live" role="status">{}</p>').format(status),
            writing if step.text else "",
            trace_html(step.record) if step.steps else "",
        ]
    )


def solved_html(prediction: Any, seconds: float, model: str) -> Markup:
    """The answer, by which model and at what cost, the scores of labels, and the trace."""
    label = prediction.label
    answer = note("No answer could be read.") if label is None else _answer(str(label))
    facts = (
        f"{model}: {prediction.tokens_in:,} tokens in, {prediction.tokens_out:,} out, "
        f"{len((prediction.trace or {}).get('steps', ())):,} steps, {seconds:.2f} s"
    )
    tree = (prediction.trace or {}).get("tree")
    chips = [
        chip(f"{name.replace('_', ' ')}: {_plain(value)}") for name, value in (tree or {}).items()
    ]
    return join_markup(
        [
            Markup(
                '<section class="pl-answer">{}{}<div class="pl-answer-facts">{}</div></section>'
            ).format(answer, note(facts), join_markup(chips)),
            trace_html(prediction.trace, prediction.error),
        ]
    )


def stopped_strategy_html(step: StrategyStep | None, seconds: float) -> Markup:
    """What had been found when it was stopped."""
    told = note(f"Stopped after {seconds:.1f} s; the steps that were taken stay.")
    return join_markup([told, trace_html(step.record) if step is not None and step.steps else ""])


def _answer(label: str) -> Markup:
    if "\n" in label or len(label) > 120:
        return Markup('<pre class="pl-generated">{}</pre>').format(label)
    return Markup('<p class="pl-answer-text">{}</p>').format(label)


def _plain(value: Any) -> str:
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)
