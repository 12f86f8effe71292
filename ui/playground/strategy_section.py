"""The section *Strategy*: any strategy on one question, with its answer, cost and trace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

import promptlab as pl
from promptlab.errors import Cancelled

from ..components.errors import api_endpoint
from ..components.html import html_panel, note
from ..components.listeners import PRIVATE
from ..components.markup import Markup
from ..components.stop_button import QUEUE, connect_stoppable
from ..components.text_fields import read_fields
from ..context import AppContext
from .playground_state import PlaygroundState
from .strategy_preset import COMMON, LABELS, StrategyPreset
from .strategy_run import (
    RECIPES,
    SAVED,
    build_strategy,
    running_strategy_html,
    saved_fields,
    saved_strategies,
    solved_html,
    start_strategy,
    stopped_strategy_html,
    strategy_record,
)

START = "self_consistency"
_ABOUT = "Choose a strategy and press Run: its answer, its cost and every step appear here."


def build_strategy_section(
    app: gr.Blocks, context: AppContext, shared: PlaygroundState, page: gr.Tab
) -> None:
    """Lay the section out and connect it."""

    def run(cancellation: pl.Cancellation, name: str, *values: Any) -> Iterator[Markup]:
        predictor, example = build_strategy(context, name, form.given(name, values), values[-3:])
        work, step = start_strategy(predictor, example, cancellation), None
        for step in work.latest():
            yield running_strategy_html(step, work.seconds)
        try:
            yield solved_html(work.result, work.seconds, predictor.model.name)
        except Cancelled:
            yield stopped_strategy_html(step, work.seconds)

    with gr.Row():
        with gr.Column(scale=4, min_width=320):
            chosen = gr.Dropdown(
                _offered(context.runs), value=START, label="Strategy", elem_id="strategy-name"
            )
            form = _Form(RECIPES[START])
        with gr.Column(scale=7, min_width=320):
            result = html_panel(str(note(_ABOUT)), name="strategy-result")
    chosen.input(
        lambda name, *texts: form.changed(context, name, texts),
        [chosen, *form.kept],
        form.shown,
        **PRIVATE,
    )
    form.common["reads"].input(
        lambda reads: gr.Textbox(visible=reads == LABELS),
        form.common["reads"],
        form.common["labels"],
        **PRIVATE,
    )
    page.select(
        lambda: gr.Dropdown(choices=_offered(context.runs)),  # what is chosen is left alone
        None,
        chosen,
        queue=False,
        api_visibility="private",
    )
    connect_stoppable(run, form.button, form.stop, [chosen, *form.boxes, *shared.model], result)
    shared.carry(
        "strategy",
        template=form.common["template"],
        fields=form.common["fields"],
        chat=form.common["chat"],
        answers=form.common["labels"],
    )
    _offer(context)


def _offer(context: AppContext) -> None:
    """The documented endpoints."""

    def strategy(
        strategy: str, fields: str = "", settings: str = "", model: str = ""
    ) -> dict[str, Any]:
        """Solve one example (name = value lines) by a strategy, or by ``saved: STUDY``.

        ``settings`` are name = value lines that replace the strategy's defaults (\\n is a line
        break); without ``fields`` its own example is solved. Answers with the ``answer``, scores,
        tokens, seconds and the whole trace.
        """
        given = {**read_fields(settings), **({"fields": fields} if fields else {})}
        predictor, example = build_strategy(context, strategy, given, (model,))
        work = start_strategy(predictor, example, pl.Cancellation())
        for _ in work.latest():
            continue
        return strategy_record(work.result, work.seconds)

    def strategies() -> list[dict[str, Any]]:
        """Strategies by name, each with its settings and their defaults."""
        listed = [
            {"name": r.name, "about": r.about, "settings": {s.name: s.default for s in r.settings}}
            for r in RECIPES.values()
        ]
        return listed + [
            {"name": name, "about": "a saved predictor", "settings": {}}
            for name in saved_strategies(context.runs)
        ]

    api_endpoint(strategy, **QUEUE)
    api_endpoint(strategies)


def _offered(runs: Path) -> list[tuple[str, str]]:
    """Titles and names for the choice."""
    own = [(recipe.title, name) for name, recipe in RECIPES.items()]
    return own + [(f"Saved: {name.removeprefix(SAVED)}", name) for name in saved_strategies(runs)]


class _Form:
    """The boxes of all strategies; those of the chosen one are seen.

    ``common`` are the boxes that several strategies share, ``own`` those of each.
    """

    def __init__(self, start: StrategyPreset) -> None:
        self.about = gr.Markdown(start.about, elem_classes="pl-about")
        self.common: dict[str, Any] = {}
        values = {setting.name: setting for setting in start.settings}
        for setting in COMMON[:5]:
            self.common[setting.name] = self._box(
                values.get(setting.name, setting), setting.name in values
            )
        with gr.Row():
            self.button = gr.Button("Run", variant="primary", elem_id="strategy-run")
            self.stop = gr.Button(
                "Cancel", variant="stop", interactive=False, elem_id="strategy-stop"
            )
        self.own: dict[str, dict[str, Any]] = {}
        self.groups: dict[str, Any] = {}
        for name, recipe in RECIPES.items():
            if recipe.own:
                with gr.Column(visible=recipe is start) as group:
                    self.own[name] = {setting.name: setting.box() for setting in recipe.own}
                self.groups[name] = group
        with gr.Row():
            for setting in COMMON[5:]:
                used = setting.name in values
                self.common[setting.name] = values.get(setting.name, setting).box(visible=used)
        self.kept = [self.common["template"], self.common["fields"]]
        self.boxes = [
            *self.common.values(),
            *(b for own in self.own.values() for b in own.values()),
        ]
        self.shown = [self.about, *self.common.values(), *self.groups.values()]

    def _box(self, setting: Any, used: bool) -> Any:
        return setting.box(visible=used and setting.name != "labels")

    def given(self, name: str, values: Any) -> dict[str, Any]:
        """The settings of a strategy among the values of all boxes."""
        common = dict(zip(self.common, values, strict=False))
        if name not in RECIPES:
            return {"fields": common["fields"]}
        found = {key: common[key] for key in RECIPES[name].common}
        place = len(self.common)
        for other, own in self.own.items():
            if other == name:
                found |= dict(zip(own, values[place : place + len(own)], strict=True))
            place += len(own)
        return found

    def changed(self, context: AppContext, name: str, texts: Any) -> list[Any]:
        """What is seen once another strategy is chosen; what the user wrote is kept if it fits."""
        if name not in RECIPES:
            fields = {"fields": saved_fields(context.runs, name)}
            about = "The predictor that this study has decided for, with the model of its own."
            return self._updates(about, fields, "", ())
        recipe = RECIPES[name]
        template, fields = texts
        defaults = dict(recipe.common)
        own = _written("template", template) and _reads(template, recipe)
        if own and "template" in defaults:
            defaults["template"] = template
        if _written("fields", fields) and (own or _has(fields, recipe)):
            defaults["fields"] = fields
        return self._updates(recipe.about, defaults, name, recipe.common)

    def _updates(self, about: str, values: Any, name: str, used: Any) -> list[Any]:
        found: list[Any] = [about]
        for key, box in self.common.items():
            seen = key in values
            if key == "labels":
                seen = seen and values.get("reads", LABELS) == LABELS
            update = {"visible": seen, **({"value": values[key]} if key in values else {})}
            found.append(type(box)(**update))
        found.extend(gr.Column(visible=other == name) for other in self.groups)
        return found


def _written(key: str, text: str) -> bool:
    """Whether a text is the user's own and no strategy's example."""
    return bool(text.strip()) and text not in {r.common.get(key) for r in RECIPES.values()}


def _reads(template: str, recipe: StrategyPreset) -> bool:
    """Whether a template reads what a strategy puts into it."""
    try:
        return set(recipe.needs) <= set(pl.Template(template).fields)
    except pl.PromptlabError:
        return False


def _has(fields: str, recipe: StrategyPreset) -> bool:
    """Whether an example has what a strategy's own texts read."""
    try:
        return set(recipe.sections) <= set(read_fields(fields))
    except pl.PromptlabError:
        return False
