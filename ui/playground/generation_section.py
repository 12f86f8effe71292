"""The section *Generate*: text that continues a prompt, seen while it is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

import promptlab as pl
from promptlab.errors import Cancelled

from ..components.errors import api_endpoint
from ..components.html import html_panel, note
from ..components.markup import Markup
from ..components.stop_button import QUEUE, connect_stoppable
from ..context import AppContext, ModelLoader
from .generation_view import (
    generation_record,
    generation_request,
    read_prompt,
    start_generation,
    stopped_html,
    writing_html,
    written_html,
)
from .playground_state import PlaygroundState

PROMPT = "Q: What is 3 + 4?\nA:"
_ABOUT = "Write a prompt and press Generate: the text appears here, token by token."


def build_generate_section(
    app: gr.Blocks, context: AppContext, shared: PlaygroundState, page: gr.Tab
) -> None:
    """Lay the section out and connect it."""

    def write(cancellation: pl.Cancellation, *given: Any) -> Iterator[Markup]:
        boxes, model = given[:-3], given[-3:]
        asked = generation_request(*boxes)
        loaded = context.load_model(*model)
        loaded.require("generate")
        prompt, heard = read_prompt(loaded, asked.prompt), None
        work = start_generation(loaded, asked, cancellation)
        for heard in work.latest():
            yield writing_html(prompt, heard, work.seconds)
        try:
            yield written_html(generation_record(loaded, asked, work.result, work.seconds))
        except Cancelled:
            yield stopped_html(prompt, heard, work.seconds)

    with gr.Row():
        with gr.Column(scale=4, min_width=320):
            text, *boxes, button, stop = _boxes()
        with gr.Column(scale=7, min_width=320):
            result = html_panel(str(note(_ABOUT)), name="generate-result")
    connect_stoppable(write, button, stop, [text, *boxes, *shared.model], result)
    shared.carry("generate", template=text, fields=boxes[0], chat=boxes[1])
    _offer(context.load_model)


def _offer(load_model: ModelLoader) -> None:
    """The documented endpoint."""

    def generate(
        prompt: str,
        fields: str = "",
        chat: bool = False,
        max_tokens: int = 64,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int = 0,
        stop: str = "",
        samples: int = 1,
        model: str = "",
    ) -> dict[str, Any]:
        """Continue a prompt, or fill a template at its {mask} with ``fields`` (name = value lines).

        ``stop`` has a stop string a line; ``samples`` texts are drawn at a temperature above 0.
        Answers with the model, the prompt as it was read, its tokens, seconds, and the texts, each
        with its finish (stop, length), tokens and log-probability in nats.
        """
        asked = generation_request(
            prompt, fields, chat, max_tokens, temperature, top_k, top_p, seed, stop, samples
        )
        loaded = load_model(model)
        work = start_generation(loaded, asked, pl.Cancellation())
        for _ in work.latest():
            continue
        found: dict[str, Any] = generation_record(loaded, asked, work.result, work.seconds)
        return found

    api_endpoint(generate, **QUEUE)


def _boxes() -> list[Any]:
    """The boxes in the order of `generation_request`, then the two buttons."""
    text = gr.Textbox(
        PROMPT,
        label="Prompt",
        elem_id="generate-prompt",
        info="Continued as it stands; with {mask} it is a template, and {name} a field.",
        lines=4,
        max_lines=16,
    )
    fields = gr.Textbox(
        "", label="Fields", info="name = value, one a line; for a template.", lines=1, max_lines=8
    )
    chat = gr.Checkbox(
        False, label="As a chat", info="The prompt is the user's turn in the chat template."
    )
    with gr.Row():
        button = gr.Button("Generate", variant="primary", elem_id="generate-run")
        stop = gr.Button("Stop", variant="stop", interactive=False, elem_id="generate-stop")
    with gr.Row():
        max_tokens = gr.Slider(
            1, 1024, 64, step=1, label="Max tokens", min_width=140, elem_id="generate-tokens"
        )
        temperature = gr.Slider(
            0, 2, 0, step=0.05, label="Temperature", info="0 is greedy.", min_width=140
        )
    with gr.Accordion("More: top-k, top-p, samples, seed, stop strings", open=False):
        with gr.Row():
            top_k = gr.Slider(
                0, 200, 0, step=1, label="Top-k", info="0 keeps all tokens.", min_width=140
            )
            top_p = gr.Slider(
                0.05, 1, 1, step=0.05, label="Top-p", info="1 keeps all tokens.", min_width=140
            )
        with gr.Row():
            samples = gr.Slider(
                1, 8, 1, step=1, label="Samples side by side", info="Above temperature 0.",
                min_width=140,
            )  # fmt: skip
            seed = gr.Number(0, label="Seed", precision=0, minimum=0, min_width=140)
        stop_strings = gr.Textbox(
            "", label="Stop strings", info="One a line; \\n is a line break.", lines=2
        )
    order = [fields, chat, max_tokens, temperature, top_k, top_p, seed, stop_strings, samples]
    return [text, *order, button, stop]
