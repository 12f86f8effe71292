"""The section *Build*: a form and the study's YAML in step, checked as it is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import gradio as gr

import promptlab as pl
from promptlab.errors import ValidationIssue
from promptlab.data import data_set_names

from ...components.errors import html_or_error
from ...components.html import error, note
from ...components.listeners import MODEL_QUEUE, PRIVATE, on_latest
from ...components.uploads import uploaded_name
from ...context import AppContext
from . import cost_chart, validation
from .candidate_cards import CandidateCards
from .candidate_groups import with_corpus
from .components import BuildComponents
from .endpoints import add_build_endpoints
from .form_fields import BOXES, form_values, group_names, groups_of, with_box
from .starting_points import list_starting_points, proposed_study_yaml, starting_yaml
from .yaml_edit import parse_yaml_text

Change = Callable[[str], str]


class BuildSection(BuildComponents):
    """The section's components and what connects them.

    The YAML is the study; a box of the form rewrites its own key there. Text that is typed sets
    the boxes, and since setting a box is no input of a person, nothing runs in a circle. ``known``
    are the groups that the cards show, ``version`` counts how often they must be drawn anew.
    """

    def __init__(self, context: AppContext, page: gr.Tab, part: gr.Tab, stages: gr.Tabs) -> None:
        super().__init__(context)
        self.version, self.known = gr.State(0), gr.State("")
        ordered = [self.boxes[box.name] for box in BOXES]
        self.settled = [self.yaml, self.status, self.estimate, *ordered, self.version, self.known]
        with self.cards:
            CandidateCards(self.yaml, self.version, self._settle, self.settled)
        self._connect(page, part, stages)

    def _connect(self, page: gr.Tab, part: gr.Tab, stages: gr.Tabs) -> None:
        state = [self.version, self.known]
        first = gr.State(True)
        gr.on(
            [page.select, part.select],
            self._opened,
            [self.yaml, first, *state],
            [first, self.start_from, *self.settled],
            **PRIVATE,
        )
        on_latest(self.yaml.input, self._typed, [self.yaml, *state], self.settled[1:])
        for box in BOXES:
            self._edit(box.name)
        self.start_from.input(
            self._begin,
            [self.start_from, self.yaml, *state],
            [*self.settled, self.begun],
            **PRIVATE,
        )
        self.propose.click(
            self._propose,
            [
                *self.own.boxes,
                self.boxes["model"],
                self.yaml,
                *state,
            ],
            [*self.settled, self.begun],
            api_visibility="private",
        )
        self.corpus.upload(
            self._take_corpus,
            [self.corpus, self.yaml, *state],
            [*self.settled, self.begun],
            **PRIVATE,
        )
        self.ask.click(
            self._estimate, self.yaml, self.estimate,
            api_visibility="private", **MODEL_QUEUE,
        )  # fmt: skip
        self.start.click(
            self._start, self.yaml, [self.status, self.rename, stages], api_visibility="private"
        )
        self.rename.click(self._rename, [self.yaml, *state], [*self.settled, self.rename], **PRIVATE)
        self.download.click(self._file, self.yaml, self.download, **PRIVATE)
        add_build_endpoints(self.context)

    def _edit(self, name: str) -> None:
        box = self.boxes[name]
        events = [box.input]
        if isinstance(box, gr.Textbox | gr.Number):
            events = [box.blur, box.submit]

        def take(text: str, given: Any, version: int, known: str) -> list[Any]:
            return self._settle(text, lambda t: with_box(t, name, given), version, known)

        on_latest(events, take, [self.yaml, box, self.version, self.known], self.settled)

    def _settle(
        self, text: str, change: Change, version: int, known: str, *, anew: bool = False
    ) -> list[Any]:
        """What the section shows after a change; one that cannot be made is told, nothing else."""
        try:
            made = change(text)
        except pl.PromptlabError as problem:
            wrong = [ValidationIssue(str(problem))]
            skipped = [gr.skip() for _ in BOXES]
            return [
                gr.skip(),
                str(validation.issues_html(wrong)),
                gr.skip(),
                *skipped,
                gr.skip(),
                known,
            ]
        if made == text and not anew:
            return [gr.skip() for _ in self.settled[:-1]] + [known]
        shown = self._shown(made, version, known)
        if not anew:
            shown[-2] = version
        return [gr.skip() if made == text else made, *shown]

    def _typed(self, text: str, version: int, known: str) -> list[Any]:
        """The boxes of a text that was typed."""
        return self._shown(text, version, known)

    def _shown(self, text: str, version: int, known: str) -> list[Any]:
        """All of `settled` but the text itself."""
        complaints = validation.validate_study_text(self.context.policy, text)
        told = str(validation.issues_html(complaints))
        try:
            document = parse_yaml_text(text)
        except pl.PromptlabError:
            return [told, "", *(gr.skip() for _ in BOXES), gr.skip(), known]
        groups = json.dumps(groups_of(document), sort_keys=True, default=str)
        anew = version + 1 if groups != known else version
        return [told, "", *self._values(document), anew, groups]

    def _values(self, document: dict[str, Any]) -> list[Any]:
        values = form_values(document)
        file = str(values["data"] or "") not in data_set_names()
        updates: list[Any] = []
        for box in BOXES:
            value = values[box.name]
            if box.name == "baseline":
                names = ["", *group_names(document)]
                updates.append(gr.update(choices=names, value=value))
            elif box.name in ("text", "label"):
                updates.append(gr.update(value=value, visible=file))
            elif box.name in ("sampler", "pruner", "trials", "seconds", "objectives"):
                updates.append(gr.update(value=value, visible="methods" not in document))
            else:
                updates.append(gr.update(value=value))
        return updates

    def _opened(self, text: str, first: bool, version: int, known: str) -> list[Any]:
        names = gr.update(choices=list_starting_points(self.context.runs))
        if not first:
            return [False, names, *(gr.skip() for _ in self.settled)]
        return [False, names, gr.skip(), *self._shown(text, version, known)]

    def _begin(self, chosen: str, text: str, version: int, known: str) -> list[Any]:
        shown = self._settle(
            text, lambda _: starting_yaml(self.context, chosen), version, "", anew=True
        )
        return [*shown, ""]

    def _propose(
        self, data: str, text: str, label: str, model: str, yaml: str, version: int, known: str
    ) -> list[Any]:
        told: list[str] = []

        def change(_: str) -> str:
            made, remarks = proposed_study_yaml(self.context, data, text, label, model)
            told.append(remarks)
            return made

        shown = self._settle(yaml, change, version, "", anew=True)
        return [*shown, str(note(" · ".join(told[0].splitlines()))) if told else gr.skip()]

    def _take_corpus(self, path: str, text: str, version: int, known: str) -> list[Any]:
        """Keep a corpus, and name it where templates are mined."""
        name = uploaded_name(self.context.keep_upload, path)
        shown = self._settle(text, lambda old: with_corpus(old, name), version, known, anew=True)
        return [*shown, str(note(f"Templates are mined from {name}."))]

    @html_or_error
    def _estimate(self, text: str) -> str:
        return str(cost_chart.cost_html(validation.estimate_study_text(self.context, text)))

    def _start(self, text: str) -> list[Any]:
        """Queue the study and show it at work; a name that is taken gets a free one offered."""
        complaints = validation.validate_study_text(self.context.policy, text)
        if complaints:
            return [str(validation.issues_html(complaints)), gr.update(visible=False), gr.skip()]
        spec = validation.parse_study_text(self.context.policy, text)
        try:
            name = self.context.queue.submit(text)
        except pl.PromptlabError as problem:
            free = self.context.queue.free_name(spec.study)
            button = gr.update(value=f"Rename to {free}", visible=free != spec.study)
            return [str(error(problem)), button, gr.skip()]
        told = str(note(f"{name} is queued."))
        return [told, gr.update(visible=False), gr.Tabs(selected="run")]

    def _rename(self, text: str, version: int, known: str) -> list[Any]:
        def change(old: str) -> str:
            return with_box(
                old, "name", self.context.queue.free_name(str(parse_yaml_text(old).get("study")))
            )

        return [*self._settle(text, change, version, known), gr.update(visible=False)]

    def _file(self, text: str) -> Any:
        path = self.context.download_path("study.yaml")
        path.write_text(text, encoding="utf-8")
        return gr.DownloadButton(value=str(path))


def build_editor_section(context: AppContext, page: gr.Tab, part: gr.Tab, stages: gr.Tabs) -> None:
    """Lay the section out and connect it; ``stages`` are the tabs of which ``part`` is one."""
    BuildSection(context, page, part, stages)
