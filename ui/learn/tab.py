"""The tab *Learn*: something is learned and watched, step by step, while it is learned."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ..components.errors import endpoint
from ..context import Workbench
from . import start_section, watch_section
from . import step_log as steps


def tab(app: gr.Blocks, bench: Workbench, page: gr.Tab) -> None:
    """Lay the tab out: the form that starts, and what is watched below it."""
    with gr.Accordion("Start something", open=True, elem_id="learn-form") as box:
        form = start_section.lay_out(bench)
    watch_section.section(bench, page, form, box)
    _endpoints(bench)


def _endpoints(bench: Workbench) -> None:
    def learning_trials(study: str) -> list[int]:
        """Numbers of the trials of a study that have taken steps."""
        return steps.trials(bench.runs, study)

    def learning_steps(study: str, trial: int) -> list[dict[str, Any]]:
        """The steps of a trial so far: step, values and notes."""
        return steps.read(bench.runs, study, int(trial))

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
        return start_section.begin_named(bench, method, data, model, rates, steps)

    endpoint(learning_trials)
    endpoint(learning_steps)
    endpoint(learn)
