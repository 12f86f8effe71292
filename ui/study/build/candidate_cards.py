"""The form's groups of candidates: a card each, drawn anew when groups come and go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

import promptlab as pl
from promptlab.candidates import kind_names

from ...components.html import note
from ...components.listeners import PRIVATE, on_latest
from .candidate_groups import with_default, with_double, with_group, with_setting, without_group
from .form_fields import group_names, groups_key, groups_of, templates_for
from .kind_settings import (
    KindSetting,
    displayed_settings,
    format_setting,
    kind_settings,
    other_settings,
)
from .yaml_edit import edit_yaml, parse_yaml_text

Outputs = list[Any]
Change = Callable[[str], str]


class CandidateCards:
    """Draws the groups of ``yaml`` when ``version`` changes.

    ``settle`` takes a changed text (or what was wrong) and gives the values of ``outputs``; with
    ``anew`` the cards are drawn again.
    """

    def __init__(
        self,
        yaml: gr.Code,
        version: gr.State,
        settle: Callable[..., Any],
        outputs: Outputs,
    ) -> None:
        self._yaml, self._settle, self._outputs = yaml, settle, outputs

        def cards(text: str) -> None:
            try:
                document = parse_yaml_text(text)
            except pl.PromptlabError:
                return
            names = templates_for(document)
            for index, (group, name) in enumerate(
                zip(groups_of(document), group_names(document), strict=True)
            ):
                self._card(index, group, name, names, method=groups_key(document) == "methods")
            self._new()

        rendered: Any = gr.render
        rendered(inputs=[yaml], triggers=[version.change], show_progress="hidden")(cards)

    def _card(
        self, index: int, group: dict[str, Any], name: str, templates: list[str], *, method: bool
    ) -> None:
        kind = str(group.get("kind", ""))
        with gr.Group(elem_classes="pl-build-card", elem_id=f"group-{index}"):
            with gr.Row(elem_classes="pl-build-card-head"):
                title = f"{index + 1}. {name}".replace("_", " ")
                gr.HTML(note(title), elem_classes="pl-build-title", apply_default_css=False)
                double = gr.Button("Duplicate", size="sm", scale=0, min_width=96)
                remove = gr.Button("Remove", size="sm", scale=0, min_width=84, variant="secondary")
            if kind not in kind_names():
                gr.HTML(note("Not a shipped kind: mend it in the YAML."), apply_default_css=False)
            else:
                self._boxes(index, kind, group, templates, method=method)
        self._click(double, lambda text: with_double(text, index))
        self._click(remove, lambda text: without_group(text, index))

    def _boxes(
        self, index: int, kind: str, group: dict[str, Any], templates: list[str], *, method: bool
    ) -> None:
        if method:
            box = gr.Textbox(str(group.get("name", "")), label="Name of the line")
            self._edit(box, lambda text, given: edit_yaml(text, ("methods", index, "name"), given))
        with gr.Row(elem_classes="pl-build-boxes"):
            for setting in displayed_settings(kind, group):
                made = _box(setting, group.get(setting.name), templates)
                self._edit(
                    made,
                    lambda text, given, setting=setting: with_setting(text, index, setting, given),
                )
        others = [name for name in other_settings(kind, group) if name != "name" or not method]
        left = [
            n
            for n in kind_settings(kind)
            if n not in {s.name for s in displayed_settings(kind, group)}
        ]
        left = [n for n in left if n not in group]
        with gr.Row(elem_classes="pl-build-more"):
            if others:
                told = "Also set, in the YAML: " + ", ".join(others) + "."
                gr.HTML(note(told), apply_default_css=False)
            if left:
                more = gr.Dropdown(
                    left,
                    value=None,
                    label="Add a setting",
                    scale=0,
                    min_width=200,
                    elem_classes="pl-build-add",
                )
                self._edit(more, lambda text, n: with_default(text, index, n), anew=True)

    def _new(self) -> None:
        with gr.Row(elem_classes="pl-build-new"):
            kind = gr.Dropdown(
                kind_names(),
                value="template",
                label="Kind of the new group",
                scale=1,
                min_width=180,
                elem_id="new-kind",
            )
            button = gr.Button("Add group", scale=0, min_width=140, elem_id="add-group")
        self._click(button, with_group, kind)

    def _edit(self, box: Any, change: Callable[..., str], *, anew: bool = False) -> None:
        """A box's edits go into the YAML; texts when they are left, so that typing is no storm."""
        events = [box.blur, box.submit] if isinstance(box, gr.Textbox) else [box.input]

        def take(text: str, given: Any, *known: Any) -> Any:
            return self._settle(text, lambda t: change(t, given), *known, anew=anew)

        on_latest(events, take, [self._yaml, box, *self._outputs[-2:]], self._outputs)

    def _click(self, button: gr.Button, change: Callable[..., str], *inputs: Any) -> None:
        def take(text: str, *given: Any) -> Any:
            mine, known = given[: len(inputs)], given[len(inputs) :]
            return self._settle(text, lambda t: change(t, *mine), *known, anew=True)

        button.click(
            take,
            [self._yaml, *inputs, *self._outputs[-2:]],
            self._outputs,
            **PRIVATE,
        )


def _box(setting: KindSetting, value: Any, templates: list[str]) -> Any:
    """The component that holds a setting's value."""
    held = format_setting(setting, value)
    label, info = setting.label, None
    match setting.shape:
        case "templates":
            choices = list(dict.fromkeys([*templates, *held]))
            return gr.Dropdown(
                choices,
                value=held,
                multiselect=True,
                allow_custom_value=True,
                label=label,
                info="Names of the library, or texts with {mask}.",
                min_width=320,
                elem_classes="pl-build-wide",
            )
        case "choices" | "truths":
            return gr.Dropdown(
                list(setting.choices),
                value=held,
                multiselect=True,
                allow_custom_value=True,  # the text may name others: that is told beside it
                label=label,
                min_width=190,
            )
        case "number":
            return gr.Number(
                held, label=label, precision=0 if setting.whole else None, min_width=110
            )
        case "truth":
            return gr.Checkbox(bool(held), label=label)
        case "numbers":
            info = "2, 4, 8" if setting.whole else "0.1, 0.03 or 0.001 to 0.1 log"
    lines = 2 if setting.shape == "texts" else 1
    return gr.Textbox(held, label=label, placeholder=info, lines=lines, min_width=150)
