"""The tab *Learn*: something is learned and watched, step by step, while it is learned."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ..components.errors import api_endpoint
from ..context import AppContext
from . import start_section, watch_section
from . import step_log as steps


def build_learn_tab(app: gr.Blocks, context: AppContext, page: gr.Tab) -> None:
    """Lay the tab out: the form that starts, and what is watched below it."""
    with gr.Accordion("Start something", open=True, elem_id="learn-form") as box:
        form = start_section.build_learn_form(context)
    watch_section.build_watch_section(context, page, form, box)
    _endpoints(context)


def _endpoints(context: AppContext) -> None:
    def learning_trials(study: str) -> list[int]:
        """Numbers of the trials of a study that have taken steps."""
        return steps.learning_trials(context.runs, study)

    def learning_steps(study: str, trial: int) -> list[dict[str, Any]]:
        """The steps of a trial so far: step, values and notes."""
        return steps.read_steps(context.runs, study, int(trial))

    def learn(
        method: str = "soft_prompt",
        data: str = "rotten-tomatoes",
        model: str = "",
        rates: str = "",
        steps: int = 0,
    ) -> str:
        """Queue something to be learned; the study's name. Empty settings are the page's own.

        Methods: soft_prompt, p_tuning, prefix, triggers, finetune, head. Data sets:
        rotten-tomatoes, sst2, boolq, rte. ``rates`` are learning rates between commas.
        """
        return start_section.submit_learning_by_name(context, method, data, model, rates, steps)

    api_endpoint(learning_trials)
    api_endpoint(learning_steps)
    api_endpoint(learn)
