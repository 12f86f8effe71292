"""``report.html``: a study's folder as one page that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from promptlab.errors import DataError, StudyError
from promptlab.evaluation.failure_log import read_lines
from promptlab.files.cache import atomic_write
from promptlab.files.text_file import is_there, read_text_file
from promptlab.security.untrusted_text import sanitize
from promptlab.study import formatting
from promptlab.study.decision.regression import regression_sentence
from promptlab.study.decision.verdict import study_verdict
from promptlab.study.folder.documents import (
    BRING_BACK,
    DECIDE_AGAIN,
    check_file_types,
    check_unchanged,
    find_leaderboard,
    use_document,
)
from promptlab.study.lineage import group_by_parent
from promptlab.study.report import composition, leaderboard_rows, plots
from promptlab.study.report.curve import curve_page
from promptlab.study.report.leaderboard_rows import comparison_rows, gain_rows
from promptlab.study.report.learning import learning_page
from promptlab.study.report.scale import scale_over
from promptlab.study.report.search_sentences import search_sentence
from promptlab.study.spec.curve_spec import LEARNING_CURVE
from promptlab.study.study import Study

SHOWN_FAILURES = 500


def write_report(folder: Path) -> Path:
    """Write ``report.html`` from ``leaderboard.json`` and the files beside it; return its path.

    ``study.yaml`` and ``failures.jsonl`` are shown when they are there. The page holds its style,
    script and plots, and its content policy forbids any request. Every text of the study is
    escaped. Raises StudyError when the folder holds no leaderboard that can be read.
    """
    folder = Path(folder)
    check_file_types(folder)
    board = _read_leaderboard(folder)
    failures = _read_failures(folder / "failures.jsonl")
    yaml = folder / "study.yaml"
    settings = read_text_file(yaml, BRING_BACK) if is_there(yaml) else ""
    template, page = use_document(
        lambda: _fill_template(board, failures, folder), folder / "leaderboard.json"
    )
    path = folder / "report.html"
    with atomic_write(path) as partial:
        partial.write_text(render_page(template, page | {"settings": settings}), encoding="utf-8")
    return path


def _fill_template(
    board: Mapping[str, Any], failures: Sequence[Mapping[str, Any]], folder: Path
) -> tuple[str, dict[str, Any]]:
    """The template of a result, and all that it shows."""
    if board.get("kind") == LEARNING_CURVE:
        return "curve.html.jinja", curve_page(board)
    return "report.html.jinja", _page(board, failures, folder)


def render_page(name: str, page: Mapping[str, Any], package: str = "promptlab.study.report") -> str:
    """Fill a template of a package; style and script are let through the content policy by hash.

    The templates of reports, such as the page around them, are found from every package.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    here = resources.files("promptlab.study.report")
    own = resources.files(package)

    def read(part: str) -> str:
        file = own.joinpath(part)
        return (file if file.is_file() else here.joinpath(part)).read_text(encoding="utf-8")

    style = here.joinpath("report.css").read_text(encoding="utf-8")
    script = here.joinpath("report.js").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True,
        finalize=_sanitize_value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(read),
    )
    return environment.get_template(name).render(
        page,
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        style_hash=_content_hash(style),
        script_hash=_content_hash(script),
    )


def _sanitize_value(value: Any) -> Any:
    """What stands on the page: texts come from endpoints, files and names."""
    is_text = isinstance(value, str) and not hasattr(value, "__html__")
    return sanitize(value, longest=None) if is_text else value


def _page(
    board: Mapping[str, Any], failures: Sequence[Mapping[str, Any]], folder: Path
) -> dict[str, Any]:
    """Everything the template of a search shows but its settings."""
    best = board.get("best") or None
    trials = list(board["trials"])
    complete = [trial for trial in trials if trial["state"] == "complete"]
    measure = formatting.leading_metric((best or {}).get("dev") or {}, board)
    winner = best["number"] if best else None
    importances = board.get("importances") or {}
    baselines = board.get("baselines") or []
    scale = scale_over(_values(board, complete, measure))
    verdict = study_verdict(board)
    facts = (best or {}).get("facts") or {}
    chance = _baseline_value(baselines, measure)
    return {
        "study": board["study"],
        "objective": board["objective"],
        "about": leaderboard_rows.facts_about(board),
        "best": best,
        "measure": formatting.in_words(measure),
        "headline": verdict.headline,
        "evidence": verdict.because,
        "next": verdict.next,
        "trusted": verdict.trusted,
        "untried": search_sentence(board),
        "statements": board.get("statements") or [],
        "tiles": leaderboard_rows.tiles(board, complete, measure),
        "prompt": leaderboard_rows.prompt_parts(best["prompt"]) if best else [],
        "ticks": scale.ticks(lambda value: plots.axis_text(measure, value)),
        "chance": None if chance is None else scale.at(chance),
        "trials": [
            leaderboard_rows.trial_row(trial, rank, scale, measure)
            for rank, trial in enumerate(trials, 1)
        ],
        "spread": plots.spread_plot(complete, measure, scale, importances, winner),
        "history": plots.history_chart(board.get("history") or [], str(board["objective"])),
        "cost": plots.cost_chart(complete, measure, winner),
        "importances": plots.importance_bars(importances),
        "confusion": plots.confusion_grid(board.get("confusion") or {}),
        "controls": leaderboard_rows.control_rows(best, baselines, scale, measure),
        "gains": gain_rows(board),
        "comparisons": comparison_rows(board),
        "learning": learning_page(board, folder),
        "lineage": group_by_parent(Study(folder).lineage()),
        "members": composition.member_rows(facts),
        "members_by": "goes on below" if "measure" in facts.get("ensemble", {}) else "weight",
        "regression": _regression(board),
        "failures": [leaderboard_rows.failure_row(row) for row in failures[:SHOWN_FAILURES]],
        "n_failures": len(failures),
        "confusions": leaderboard_rows.confusions(failures[:SHOWN_FAILURES]),
    }


def _regression(board: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the table of earlier failures shows; none without a suite."""
    found = board.get("regression")
    if not found:
        return None
    return {**found, "told": regression_sentence(found), "rows": found["rows"][:SHOWN_FAILURES]}


def _values(
    board: Mapping[str, Any], complete: Sequence[Mapping[str, Any]], measure: str
) -> list[float]:
    """Every value and interval limit that shares the report's horizontal axis."""
    best = board.get("best") or {}
    sets = [trial.get("dev") for trial in complete]
    for row in [best, *(board.get("baselines") or [])]:
        sets += [row.get("dev"), row.get("test")]
    values: list[float] = []
    for scores in sets:
        if scores and (value := formatting.as_number(scores.get(measure))) is not None:
            values += [value, *(formatting.interval_of(scores, measure) or ())]
    return values


def _baseline_value(baselines: Sequence[Mapping[str, Any]], measure: str) -> float | None:
    """What the majority baseline reaches on dev, for the reference line."""
    for row in baselines:
        if row["name"] == "majority":
            return formatting.as_number((row.get("dev") or row.get("test") or {}).get(measure))
    return None


def _content_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _read_leaderboard(folder: Path) -> dict[str, Any]:
    """The result document: a search's trials, or a learning curve's cells."""
    board = find_leaderboard(folder)
    if board is None:
        raise StudyError(
            f"{folder / 'leaderboard.json'}: no such file; a report needs the folder of a study "
            "that has run (promptlab study run)"
        )
    return board


def _read_failures(path: Path) -> list[dict[str, Any]]:
    """The rows of ``failures.jsonl``; none when there is no such file."""
    if not is_there(path):
        return []
    check_unchanged(path.parent, path.name, DECIDE_AGAIN)
    try:
        return [record for _, record in read_lines(path)]
    except DataError as error:
        raise StudyError(f"{error}; {DECIDE_AGAIN}") from error
