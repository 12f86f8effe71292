"""What a prediction came to, printed: the rows, and a few lines about the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from promptlab.cli.output import note, print_json, print_listing, printable, table_cell, warn

TEXT = "text"
"""The column of what --text gives."""


def print_predictions(
    summary: dict[str, Any], rows: Sequence[Mapping[str, Any]] | None, *, as_json: bool
) -> None:
    """Print the summary of a prediction, and the rows that were not written to a file."""
    if as_json:
        from promptlab.batch.output import to_plain_value

        print_json(summary if rows is None else summary | {"predictions": to_plain_value(rows)})
    elif rows is not None:
        _print_rows(rows)
    _print_summary(summary)


def _print_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Texts with their predictions, and the probabilities where there are some."""
    scores = [name for name in rows[0] if name.startswith("score_")] if rows else []
    print_listing(
        (TEXT, "prediction", *(name.removeprefix("score_") for name in scores)),
        [
            (
                row[TEXT],
                "(unparsed)" if row["unparsed"] else row["prediction"],
                *("" if row[name] is None else f"{row[name]:.3f}" for name in scores),
            )
            for row in rows
        ],
    )


def _print_summary(summary: dict[str, Any]) -> None:
    """A few lines about the whole on standard error."""
    from promptlab.evaluation.reply_counts import describe_reply_counts

    where = "" if summary["file"] is None else f" to {summary['file']}"
    unparsed = f", {summary['unparsed']:,} unparsed" if summary["unparsed"] else ""
    note(
        f"{summary['rows']:,} rows{where}{unparsed}, {summary['tokens']:,} tokens in "
        f"{summary['seconds']:.1f} s"
    )
    if summary["failed"]:
        warn(
            f"{summary['failed']:,} of {summary['rows']:,} examples failed: "
            f"{printable(summary['first_error'])}"
        )
    for words in describe_reply_counts(summary["replies"], summary["rows"]):
        warn(words)
    for remark in summary["remarks"]:
        warn(remark)
    if summary["cut"]["examples"]:
        from promptlab.evaluation.truncation_count import TruncationCount

        warn(f"{TruncationCount(**summary['cut']).sentence(summary['rows'])}")
    if summary["made_text"]:
        note(f"{summary['made_text']:,} cells got an apostrophe for spreadsheets")
    if summary["cost"] is not None:
        from promptlab.models.remote.cost import cost_summary

        note(f"cost: {cost_summary(summary['cost'])}")
    if summary["unknown_labels"]:
        names = table_cell(", ".join(map(repr, summary["unknown_labels"])))
        warn(
            f"no accuracy: the column {summary['label_column']!r} holds {names}, which the "
            "predictor does not know; --label names another column"
        )
    if summary["n_seen"]:
        warn(
            f"{summary['n_seen']:,} rows with a label are texts that this prompt was fitted on or "
            f"chosen by ({summary['accuracy_seen']:.3f} of them right): they count in no accuracy"
        )
    if summary["accuracy"] is not None:
        low, high = summary["ci95"]
        note(
            f"accuracy {summary['accuracy']:.3f} (95 % interval {low:.3f} to {high:.3f}) on "
            f"{_counted(summary)} with a label in the column {summary['label_column']!r}"
        )


def _counted(summary: dict[str, Any]) -> str:
    """The rows that an accuracy is over; missing answers and repeated texts are told."""
    n, distinct = summary["n"], summary["n_distinct"]
    repeated = f" ({distinct:,} distinct texts)" if distinct < n else ""
    if summary["n_missing"]:
        return f"{n:,} answered of {n + summary['n_missing']:,} rows{repeated}"
    return f"{n:,} rows{repeated}"
