"""The section *A file*: upload rows, match their columns, predict them, download the result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

import promptlab as pl

from ..components.html import error, html_panel, join_markup, note
from ..components.listeners import PRIVATE, on_latest
from ..components.markup import Markup
from ..context import MB, AppContext
from .batch import MOST_ROWS, NO_LABEL, BatchOutcome, UploadedRows, match_upload, predict_upload
from .saved_predictors import open_saved
from .tables import progress_html, results_html, rows_html, summary_cards

MOST_FIELDS = 6
_ENDINGS = [".csv", ".tsv", ".jsonl", ".json", ".parquet"]


@dataclass(frozen=True)
class FileSection:
    """Its components; ``columns`` are of the fields of ``fields``, ``flag`` of what runs."""

    upload: gr.File
    matching: gr.Group
    columns: Sequence[Any]
    label: gr.Dropdown
    start: gr.Button
    cancel: gr.Button
    going: gr.HTML
    files: gr.Row
    csv: gr.DownloadButton
    jsonl: gr.DownloadButton
    result: gr.HTML
    fields: gr.State
    flag: gr.State


def build_file_section(context: AppContext, study: gr.Dropdown) -> None:
    """Lay the section out and connect it; ``study`` is the chosen saved prompt."""
    parts = _laid_out(context.largest_upload)
    steering = [study, parts.start, parts.cancel, parts.flag]

    def looked(name: str | None, path: str | None, flag: pl.Cancellation | None) -> list[Any]:
        if flag is not None:
            flag.request()
        free = [gr.Dropdown(interactive=True), gr.Button(interactive=False), None]
        return [*_looked(context, name, path), *free]

    def run(
        name: str | None,
        path: str | None,
        truth: str,
        names: list[str],
        flag: pl.Cancellation,
        *columns: str | None,
    ) -> Iterator[list[Any]]:
        yield from _run(context, name, path, truth, names, flag, columns)

    shown = [parts.going, parts.files, parts.result]
    begun = parts.start.click(_prepared, None, [*steering, *shown], **PRIVATE)
    worked = begun.then(
        run,
        [study, parts.upload, parts.label, parts.fields, parts.flag, *parts.columns],
        [parts.going, parts.files, parts.csv, parts.jsonl, parts.result],
        concurrency_id="predict",
        concurrency_limit=1,
        **PRIVATE,
    )
    worked.then(_ended, None, steering, **PRIVATE)
    parts.cancel.click(_stopped, parts.flag, parts.cancel, queue=False, **PRIVATE)
    # another file ends what runs on the one before: its rows would stand under the new one
    on_latest(
        [parts.upload.change, study.change],
        looked,
        [study, parts.upload, parts.flag],
        [parts.matching, *parts.columns, parts.label, parts.fields, parts.start, *shown, study,
         parts.cancel, parts.flag],
        cancels=[worked],
    )  # fmt: skip


def _laid_out(largest_upload: int) -> FileSection:
    with gr.Row():
        with gr.Column(scale=4, min_width=300):
            upload = gr.File(
                label="File to predict", file_types=_ENDINGS, height=150, elem_id="predict-file"
            )
            html_panel(note(_limits(largest_upload)))
            with gr.Group(visible=False, elem_id="predict-columns") as matching:
                columns = [gr.Dropdown([], visible=False) for _ in range(MOST_FIELDS)]
                label = gr.Dropdown(
                    [NO_LABEL],
                    value=NO_LABEL,
                    label="Column with true labels",
                    info="Optional: gives accuracy and confusion.",
                )
            with gr.Row():
                start = gr.Button("Start", variant="primary", interactive=False, min_width=120)
                cancel = gr.Button("Cancel", variant="stop", interactive=False, min_width=120)
        with gr.Column(scale=7, min_width=300):
            going = html_panel(name="predict-progress")
            with gr.Row(visible=False) as files:
                csv = gr.DownloadButton("Download CSV", elem_id="predict-csv", min_width=150)
                jsonl = gr.DownloadButton("Download JSONL", elem_id="predict-jsonl", min_width=150)
            result = html_panel(str(_invitation()), name="predict-result")
    return FileSection(
        upload, matching, columns, label, start, cancel, going, files, csv, jsonl, result,
        fields=gr.State([]), flag=gr.State(),
    )  # fmt: skip


def _prepared() -> list[Any]:
    """The prompt stays as it is while it is at work."""
    waiting = progress_html(0, None, 0.0, "waiting for its turn …")
    off, on = gr.Button(interactive=False), gr.Button(interactive=True)
    locked = gr.Dropdown(interactive=False)
    return [locked, off, on, pl.Cancellation(), str(waiting), gr.Row(visible=False), ""]


def _ended() -> list[Any]:
    on, off = gr.Button(interactive=True), gr.Button(interactive=False)
    return [gr.Dropdown(interactive=True), on, off, None]


def _stopped(flag: pl.Cancellation | None) -> Any:
    if flag is not None:
        flag.request()
    return gr.Button(interactive=False)


def _limits(largest_upload: int) -> str:
    return (
        f"CSV or JSONL (also TSV, JSON, Parquet) in UTF-8, at most "
        f"{largest_upload / MB:.3g} MB and {MOST_ROWS:,} rows; larger files: promptlab "
        "predict. Uploads are deleted after an hour."
    )


def _invitation() -> Markup:
    return Markup('<div class="pl-predict-empty">{}{}</div>').format(
        Markup("<p>{}</p>").format("Upload a file: every row gets a prediction."),
        note(
            "All of its columns stay; prediction, unparsed and a probability for each label are "
            "added. With a column of true labels you also see how good the prompt is on them."
        ),
    )


def _looked(context: AppContext, name: str | None, path: str | None) -> list[Any]:
    """Values for the boxes below an upload, a look at it, or what is wrong with it."""
    hidden = [gr.Dropdown(visible=False)] * MOST_FIELDS
    quiet = ["", gr.Row(visible=False)]
    if not path or not name:
        off = gr.Button(interactive=False)
        return [gr.Group(visible=False), *hidden, gr.Dropdown(), [], off, *quiet, _invitation()]
    try:
        fields = open_saved(context, name).fields
        if len(fields) > MOST_FIELDS:
            raise pl.InputError(
                f"this prompt reads {len(fields)} fields, and the page matches {MOST_FIELDS}; use "
                "the command line: promptlab predict --column field=column"
            )
        found = match_upload(path, fields)
    except pl.PromptlabError as problem:
        off = gr.Button(interactive=False)
        return [gr.Group(visible=False), *hidden, gr.Dropdown(), [], off, *quiet, error(problem)]
    boxes = [
        gr.Dropdown(
            list(found.columns),
            value=column,
            label=f"Column for the field {field}",
            visible=True,
        )
        for field, column in found.fields.items()
    ]
    label = gr.Dropdown([NO_LABEL, *found.columns], value=found.label or NO_LABEL)
    return [
        gr.Group(visible=True),
        *boxes,
        *hidden[len(boxes) :],
        label,
        list(fields),
        gr.Button(interactive=True),
        *quiet,
        str(_preview(found)),
    ]


def _preview(found: UploadedRows) -> Markup:
    marked = [column for column in found.fields.values() if column]
    missing = [field for field, column in found.fields.items() if column is None]
    caption = (
        f"{found.count:,} rows, {len(found.columns)} columns; the first {len(found.first)} rows"
    )
    table = rows_html(found.columns, found.first, caption, marked)
    if not missing:
        return table
    told = f"Choose the column for {', '.join(missing)} on the left: the names do not tell."
    return error(told) + table


def _run(
    context: AppContext,
    name: str | None,
    path: str | None,
    truth: str,
    fields: list[str],
    flag: pl.Cancellation,
    columns: tuple[str | None, ...],
) -> Iterator[list[Any]]:
    """Progress and first results after every block, then the files."""
    hidden = [gr.Row(visible=False), gr.DownloadButton(), gr.DownloadButton()]
    asked = {field: c for field, c in zip(fields, columns, strict=False) if c}
    label = "" if truth == NO_LABEL else truth
    try:
        if not name or not path:
            raise pl.InputError("choose a saved prompt and upload a file first")
        for outcome in predict_upload(context, name, path, asked, label, flag):
            if outcome.done:
                yield [*_finished(outcome)]
                return
            bar = str(progress_html(outcome.rows, outcome.total, outcome.seconds))
            early = str(results_html(outcome.first, list(asked.values()), label or None))
            yield [bar, *hidden, early]
    except pl.PromptlabError as problem:
        yield ["", *hidden, str(error(problem))]


def _finished(outcome: BatchOutcome) -> list[Any]:
    summary = outcome.summary
    state = "cancelled: the finished rows are kept" if summary["cancelled"] else ""
    bar = progress_html(outcome.rows, outcome.total, outcome.seconds, state)
    told = []
    if outcome.made_text:
        told.append(
            note(
                f"{outcome.made_text:,} cells begin like a formula: in the CSV an apostrophe "
                "stands before them, so that no spreadsheet runs them. The JSONL has them as they "
                "were."
            )
        )
    drawn = [
        summary_cards(summary, outcome.predicted),
        *told,
        results_html(outcome.first, summary["fields"], summary["label_column"]),
    ]
    return [
        str(bar),
        gr.Row(visible=True),
        gr.DownloadButton(value=str(outcome.files["csv"])),
        gr.DownloadButton(value=str(outcome.files["jsonl"])),
        str(join_markup(drawn)),
    ]
