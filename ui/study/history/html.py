"""Studies over time as HTML: a chart a task, a table, tests in pairs, and what was changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from promptlab.study import SettingChange, StudyComparisonPair, StudySummary

from ...components.html import card, chip, join_markup, note, share_text
from ...components.markup import Markup

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 720, 230, 46, 52, 14
_MODELS = 6
_LONGEST = 60


def history_charts_html(rows: Sequence[StudySummary]) -> Markup:
    """A chart for every task and objective: the winners on test by date, with their intervals."""
    kinds: dict[tuple[str, str], list[StudySummary]] = {}
    for row in rows:
        kinds.setdefault((row.task, row.objective), []).append(row)
    return join_markup(
        card(task, _chart(found), aside=f"{objective.replace('_', ' ')} on test, oldest first")
        for (task, objective), found in kinds.items()
    )


def _chart(rows: Sequence[StudySummary]) -> Markup:
    """Dots with whiskers, evenly apart; a colour a model, a filled dot a test set."""
    low = min(row.value if row.low is None else row.low for row in rows)
    high = max(row.value if row.high is None else row.high for row in rows)
    room = max(high - low, 0.02) * 0.15
    bottom, top = max(low - room, min(low, 0.0)), min(high + room, max(high, 1.0))
    models = list(dict.fromkeys(row.model for row in rows))
    step = (_WIDTH - _LEFT - 20) / max(len(rows), 1)

    def y(value: float) -> float:
        return float(_TOP) + (_HEIGHT - _TOP - _BOTTOM) * (top - value) / (top - bottom)

    marks = [bottom + (top - bottom) * share for share in (0.1, 0.5, 0.9)]
    lines = [
        Markup('<line x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/><text x="{}" y="{:.1f}">{}</text>')
        .format(_LEFT, _WIDTH, y(m), y(m), 2, y(m) + 4, _value(m))
        for m in marks
    ]  # fmt: skip
    dots = [
        _dot(row, _LEFT + step * (n + 0.5), y, models.index(row.model) % _MODELS, step)
        for n, row in enumerate(rows)
    ]
    legend = join_markup(
        Markup('<li class="pl-model-{}">{}</li>').format(n % _MODELS, model)
        for n, model in enumerate(models)
    )
    return Markup(
        '<ul class="pl-time-legend">{}</ul><div class="pl-time-scroll">'
        '<svg class="pl-time" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}</svg></div>'
    ).format(legend, _WIDTH, _HEIGHT, _spoken(rows), join_markup(lines), join_markup(dots))


def _dot(row: StudySummary, x: float, y: Any, model: int, step: float) -> Markup:
    whisker = Markup("")
    if row.low is not None and row.high is not None:
        whisker = Markup(
            '<line class="pl-ends" x1="{0:.1f}" x2="{0:.1f}" y1="{1:.1f}" y2="{2:.1f}"/>'
        ).format(x, y(row.low), y(row.high))
    most = max(4, int(step / 6.6))
    name = row.name if len(row.name) <= most else f"{row.name[: most - 1]}…"
    return Markup(
        '<g class="pl-model-{}"><title>{}</title>{}<circle cx="{:.1f}" cy="{:.1f}" r="5"/>'
        '<text x="{:.1f}" y="{:.1f}" class="pl-at">{}</text>'
        '<text x="{:.1f}" y="{}" class="pl-under">{}</text>'
        '<text x="{:.1f}" y="{}" class="pl-under pl-day">{}</text></g>'
    ).format(
        model,
        f"{row.name}, {row.decided[:16].replace('T', ' ')}: {_with_ends(row)}; {row.winner}",
        whisker,
        x, y(row.value),
        x + 9, y(row.value) + 4, _value(row.value),
        x, _HEIGHT - 30, name,
        x, _HEIGHT - 13, row.decided[:10],
    )  # fmt: skip


def history_table_html(rows: Sequence[StudySummary]) -> Markup:
    """A row a study, the newest first."""
    body = join_markup(
        Markup(
            "<tr><td><b>{}</b><small>{}</small></td><td>{}</td><td>{}</td>"
            '<td class="pl-figure"><b>{}</b><small>{}</small></td><td class="pl-winner">{} {}</td>'
            '<td class="pl-figure pl-wide">{:,}</td></tr>'
        ).format(
            row.name,
            row.decided[:16].replace("T", " "),
            row.task,
            row.model,
            _value(row.value),
            _ends(row),
            chip(row.kind.replace("_", " ")),
            row.winner.replace("\n", " ⏎ "),
            row.tokens,
        )
        for row in reversed(rows)
    )
    return Markup(
        '<div class="pl-time-scroll"><table class="pl-time-table"><thead><tr><th>study</th>'
        '<th>task</th><th>model</th><th>on test</th><th>winner</th><th class="pl-wide">tokens</th>'
        "</tr></thead><tbody>{}</tbody></table></div>"
    ).format(body)


def paired_tests_html(pairs: Sequence[StudyComparisonPair]) -> Markup:
    """The pairs that judged the same test examples, in words."""
    if not pairs:
        return note(
            "No two of these studies judged the same test examples by the same measure, so none "
            "of them is tested against another."
        )
    return Markup('<ul class="pl-time-tests">{}</ul>').format(join_markup(map(_test, pairs)))


def _test(pair: StudyComparisonPair) -> Markup:
    clear = pair.p_holm < 0.05
    better, worse = (pair.a, pair.b) if pair.difference >= 0 else (pair.b, pair.a)
    verdict = "is better than" if clear else "is not distinguishable from"
    p = "p < 0.001" if pair.p_holm < 0.001 else f"p = {pair.p_holm:.2g}"
    ends = sorted(abs(end) if pair.difference >= 0 else -end for end in pair.ci95)
    if pair.difference >= 0:
        ends = list(pair.ci95)
    return Markup("<li>{} <b>{}</b> {} <b>{}</b> <small>{}</small></li>").format(
        chip("measured" if clear else "open", "pl-good" if clear else ""),
        better,
        verdict,
        worse,
        f"{100 * abs(pair.difference):.1f} points of {pair.objective.replace('_', ' ')} on the "
        f"same {pair.n:,} examples, 95 % interval {100 * ends[0]:+.1f} to {100 * ends[1]:+.1f}, "
        f"{pair.n_discordant:,} of them differ; {p} after Holm ({pair.test.replace('_', ' ')})",
    )


def changes_html(found: Sequence[SettingChange], before: str, after: str) -> Markup:
    """Settings of two studies that differ."""
    if not found:
        return note("Their settings are the same.")
    rows = join_markup(
        Markup('<tr><th>{}</th><td class="pl-old">{}</td><td class="pl-new">{}</td></tr>').format(
            one.key, _setting(one.before), _setting(one.after)
        )
        for one in found
    )
    return Markup(
        '<div class="pl-time-scroll"><table class="pl-time-diff"><thead><tr><th>setting</th>'
        "<th>{}</th><th>{}</th></tr></thead><tbody>{}</tbody></table></div>"
    ).format(before, after, rows)


def winners_html(rows: Sequence[StudySummary]) -> Markup:
    """Two studies' winning prompts side by side."""
    cards = [
        card(
            row.name,
            Markup('<p>{} {}</p><pre class="pl-prompt">{}</pre>').format(
                chip(row.kind.replace("_", " ")), row.winner, row.prompt
            ),
            aside=_with_ends(row),
        )
        for row in rows
    ]
    return Markup('<div class="pl-time-pair">{}</div>').format(join_markup(cards))


def _setting(value: Any) -> Markup:
    if value is None:
        return Markup("<i>not set</i>")
    if isinstance(value, list) and not any(isinstance(item, Mapping) for item in value):
        return join_markup(Markup("<code>{}</code>").format(str(item)) for item in value)
    if isinstance(value, Mapping) and "kind" in value:
        most = ", ".join(f"{k}: {v}" for k, v in value.items() if k != "kind")
        shown = most if len(most) <= 3 * _LONGEST else f"{most[: 3 * _LONGEST]}…"
        return Markup("<b>{}</b> <small>{}</small>").format(str(value["kind"]), shown)
    return Markup("<code>{}</code>").format(str(value))


def _spoken(rows: Sequence[StudySummary]) -> str:
    return "; ".join(f"{row.name} {_with_ends(row)}" for row in rows)


def _with_ends(row: StudySummary) -> str:
    return f"{_value(row.value)} ({_ends(row)})" if row.low is not None else _value(row.value)


def _ends(row: StudySummary) -> str:
    if row.low is None or row.high is None:
        return f"{row.n:,} examples"
    return f"{_value(row.low)} – {_value(row.high)}"


def _value(value: float) -> str:
    return share_text(value) if 0 <= value <= 1 else f"{value:.3f}"
