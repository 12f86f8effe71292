"""The documented API of saved prompts: which there are, rows predicted, a file predicted."""

from __future__ import annotations

from math import exp
from typing import Any

import gradio as gr

import promptlab as pl
from promptlab.batch import BatchPrediction
from promptlab.errors import WorkError

from ..components.errors import api_endpoint, raise_gradio_errors
from ..components.listeners import MODEL_QUEUE
from ..components.text_fields import read_fields
from ..context import AppContext
from .batch import predict_upload
from .saved_predictors import describe_saved, open_saved, saved_predictors

_MOST_ROWS = 1000


def predict_rows(
    context: AppContext, study: str, rows: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """One answer a row: ``prediction``, ``unparsed``, ``probabilities`` by label and ``error``.

    Raises `InputError` for what cannot be predicted, and for more than 1,000 rows.
    """
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise pl.InputError('rows are a list of objects, such as [{"text": "a gorgeous film"}]')
    if len(rows) > _MOST_ROWS:
        raise pl.InputError(f"{len(rows):,} rows; at most {_MOST_ROWS:,} at once, or send a file")
    batch = BatchPrediction(open_saved(context, study), rows, label="")
    found = []
    for _ in batch.blocks():
        found += [
            {
                "prediction": row.label,
                "unparsed": row.unparsed,
                "probabilities": {k: exp(v) for k, v in (row.scores or {}).items()},
                "error": row.error,
            }
            for row in batch.last
        ]
    return found


def add_predict_endpoints(context: AppContext) -> None:
    """Add the endpoints to the page that is being laid out."""

    def saved_prompts() -> list[dict[str, Any]]:
        """The saved prompts, newest first: ``study``, ``kind``, ``model``, ``template``, scores."""
        found = []
        for name in saved_predictors(context.runs):
            try:
                found.append(describe_saved(context, name))
            except pl.PromptlabError as problem:
                found.append({"study": name, "error": str(problem)})
        return found

    def predict(study: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Predict up to 1,000 rows with a study's winner; a row is an object of the fields.

        Gives for each row ``prediction``, ``unparsed``, ``probabilities`` and ``error``.
        """
        return predict_rows(context, study, rows)

    @raise_gradio_errors()
    def predict_file(study: str, file: str, columns: str, label: str, form: str) -> str:
        """Predict a CSV, TSV, JSONL, JSON or Parquet file; gives the file with the predictions.

        ``columns`` names columns as ``field = column``, one a line, where names do not tell,
        ``label`` the column with true labels; ``form`` is csv or jsonl. In a CSV, cells that a
        spreadsheet would run have an apostrophe before them.
        """
        if not file:
            raise pl.InputError("send a file")
        given = read_fields(columns or "")
        for outcome in predict_upload(context, study, file, given, label or None):
            if outcome.done:
                return str(outcome.files["jsonl" if form == "jsonl" else "csv"])
        raise WorkError("nothing was predicted")

    api_endpoint(saved_prompts)
    api_endpoint(predict, **MODEL_QUEUE)
    with gr.Group(visible=False):
        boxes = [
            gr.Textbox(label="study"),
            gr.File(label="file"),
            gr.Textbox("", label="columns"),
            gr.Textbox("", label="label"),
            gr.Radio(["csv", "jsonl"], value="csv", label="form"),
        ]
        result = gr.File(label="the file with predictions")
        gr.Button().click(
            predict_file,
            boxes,
            result,
            api_name="predict_file",
            concurrency_id="predict",
            concurrency_limit=1,
        )
