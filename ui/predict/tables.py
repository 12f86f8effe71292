"""Drawings of rows: what was uploaded, how far it is, what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..components.html import bar, card, chip, count_text, join_markup, note, share_text, whisker
from ..components.markup import Markup

_LONGEST_CELL = 240
_MOST_COLUMNS = 12
_MOST_LABELS = 20
SCORE = "score_"


def rows_html(
    columns: Sequence[str], rows: Iterable[Mapping[str, Any]], caption: str, marked: Iterable[str]
) -> Markup:
    """The first rows of a file; the ``marked`` columns are the ones that are read."""
    shown, read = list(columns)[:_MOST_COLUMNS], set(marked)
    head = join_markup(
        Markup('<th class="{}">{}</th>').format("pl-predict-read" if c in read else "", c)
        for c in shown
    )
    body = join_markup(
        Markup("<tr>{}</tr>").format(
            join_markup(Markup("<td>{}</td>").format(_cell(row.get(c))) for c in shown)
        )
        for row in rows
    )
    left = len(columns) - len(shown)
    return Markup(
        '<div class="pl-predict-wide"><table class="pl-predict-rows"><caption>{}</caption>'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>{}"
    ).format(caption, head, body, note(f"{left} more columns.") if left > 0 else "")


def progress_html(rows: int, total: int | None, seconds: float, state: str = "") -> Markup:
    """How far it is, how fast it goes, and how long it takes."""
    share = rows / total if total else 0.0
    speed = rows / seconds if seconds > 0 else 0.0
    told = [f"{rows:,} of {total:,} rows" if total else f"{rows:,} rows"]
    if rows and speed:
        told.append(f"{speed:,.1f} rows/s")
    if rows and total and rows < total and speed:
        told.append(f"{time_text((total - rows) / speed)} left")
    elif rows:
        told.append(f"took {time_text(seconds)}")
    if state:
        told.append(state)
    return Markup(
        '<div class="pl-predict-progress" role="progressbar" aria-valuemin="0" aria-valuemax="100"'
        ' aria-valuenow="{:.0f}" aria-label="rows predicted"><span class="pl-predict-track">'
        '<span style="width:{:.2f}%"></span></span><p>{}</p></div>'
    ).format(100 * share, 100 * share, " · ".join(told))


def results_html(
    rows: Sequence[Mapping[str, Any]], fields: Sequence[str], label: str | None
) -> Markup:
    """Predicted rows: what was read, the prediction, and the probabilities behind it."""
    lines = []
    for row in rows:
        text = join_markup(
            Markup('<span class="pl-predict-field">{}</span>').format(_cell(row.get(c)))
            for c in fields
        )
        lines.append(
            Markup("<tr><td>{}</td><td>{}</td><td>{}</td></tr>").format(
                text, _verdict(row, label), _shares(row)
            )
        )
    return Markup(
        '<div class="pl-predict-wide"><table class="pl-predict-rows pl-predict-results">'
        "<caption>The first {} results</caption><thead><tr><th>{}</th><th>prediction</th>"
        "<th>probabilities</th></tr></thead><tbody>{}</tbody></table></div>"
    ).format(len(rows), ", ".join(fields) or "row", join_markup(lines))


def summary_cards(summary: Mapping[str, Any], predicted: Counter[str]) -> Markup:
    """What it came to: counts, accuracy with its interval, confusion."""
    cards = [_predicted(summary, predicted)]
    if summary["accuracy"] is not None:
        cards.append(_accuracy(summary))
    if summary["confusion"]:
        cards.append(_confusion(summary["confusion"]))
    told = Markup("")
    if summary["unknown_labels"]:
        names = ", ".join(map(repr, summary["unknown_labels"][:5]))
        told = note(
            f"No accuracy: the column {summary['label_column']!r} holds {names}, which the prompt "
            "does not know. Choose another label column."
        )
    if summary["n_seen"]:
        told += note(
            f"{summary['n_seen']:,} rows with a label are texts that this prompt was fitted on or "
            f"chosen by ({share_text(summary['accuracy_seen'])} of them right): they count in no "
            "accuracy."
        )
    if summary["failed"]:
        told += note(f"{summary['failed']:,} rows failed: {summary['first_error']}")
    if summary["cut"]["examples"]:
        told += note(
            f"{summary['cut']['examples']:,} rows do not fit the model's window: their texts were "
            f"cut, {summary['cut']['tokens']:,} tokens were not read."
        )
    return Markup('<div class="pl-predict-cards">{}</div>{}').format(join_markup(cards), told)


def _predicted(summary: Mapping[str, Any], predicted: Counter[str]) -> Markup:
    rows = max(summary["rows"], 1)
    bars = join_markup(
        bar(label, count / rows, f"{count:,}", detail=share_text(count / rows))
        for label, count in predicted.most_common(_MOST_LABELS)
    )
    parts = [f"{summary['unparsed']:,} unparsed", f"{summary['failed']:,} failed"]
    return card("Predictions", bars + note(", ".join(parts)), aside=f"{summary['rows']:,} rows")


def _accuracy(summary: Mapping[str, Any]) -> Markup:
    low, high = summary["ci95"]
    told = f"95 % interval {share_text(low)} to {share_text(high)}"
    body = Markup('<p class="pl-predict-number">{}</p>{}{}').format(
        share_text(summary["accuracy"]),
        whisker(summary["accuracy"], low, high, told),
        note(
            f"{told}, on {count_text(summary)[4:]} rows with a label in {summary['label_column']!r}"
        ),
    )
    return card("Accuracy", body)


def _confusion(pairs: Sequence[Mapping[str, Any]]) -> Markup:
    table = {(row["label"], row["prediction"]): row["rows"] for row in pairs}
    labels = sorted({label for label, _ in table})
    made = sorted({*labels, *(name for _, name in table if name is not None)})
    columns: list[str | None] = [*made]
    if any(name is None for _, name in table):
        columns.append(None)
    most = max(table.values())
    head = join_markup(
        Markup("<th>{}</th>").format("unparsed" if c is None else c) for c in columns
    )
    body = join_markup(
        Markup("<tr><th>{}</th>{}</tr>").format(
            label,
            join_markup(
                Markup('<td class="{}" style="--share:{:.3f}">{:,}</td>').format(
                    "pl-predict-right" if label == column else "",
                    table.get((label, column), 0) / most,
                    table.get((label, column), 0),
                )
                for column in columns
            ),
        )
        for label in labels
    )
    return card(
        "Confusion",
        Markup(
            '<div class="pl-predict-wide"><table class="pl-predict-confusion"><thead><tr>'
            "<td>label ↓ prediction →</td>{}</tr></thead><tbody>{}</tbody></table></div>"
        ).format(head, body),
    )


def _verdict(row: Mapping[str, Any], label: str | None) -> Markup:
    if row.get("error"):
        return chip("failed", "pl-bad") + note(str(row["error"]))
    if row.get("unparsed"):
        return chip("unparsed", "pl-bad")
    shown = Markup("<b>{}</b>").format(_cell(row.get("prediction")))
    truth = None if label is None else str(row.get(label) if row.get(label) is not None else "")
    if not truth or not truth.strip():
        return shown
    if truth.strip() == str(row.get("prediction")):
        return shown + Markup(' <span class="pl-predict-yes" title="as labelled">✓</span>')
    return shown + Markup(' <span class="pl-predict-no">✗ labelled {}</span>').format(_cell(truth))


def _shares(row: Mapping[str, Any]) -> Markup:
    found = {
        name.removeprefix(SCORE): value
        for name, value in row.items()
        if name.startswith(SCORE) and isinstance(value, float)
    }
    best = sorted(found.items(), key=lambda item: -item[1])[:3]
    return join_markup(
        bar(label, share, share_text(share), strong=index == 0)
        for index, (label, share) in enumerate(best)
    )


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}…"


def time_text(seconds: float) -> str:
    """A duration as people say it: "8 s", "3 min 20 s", "2 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s" if seconds >= 1 else "under 1 s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
