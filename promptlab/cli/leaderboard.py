"""A decided study in the terminal: leaderboard, comparisons, controls, prompt and result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from promptlab.cli.output import console, printable


def print_curve(document: dict[str, Any], folder: Path) -> None:
    """Means by size with their intervals, a method a line; then the result in words."""
    from rich.table import Table

    from promptlab.study.report.curve_sentences import unit_of

    terminal = console()
    if not terminal.is_terminal:
        terminal.width = 160
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(f"{document['objective']} by {unit_of(document)}", overflow="fold")
    for size in document["sizes"]:
        table.add_column(str(size), justify="right")
    for method in document["methods"]:
        cells = [_cell(document, method["name"], size) for size in document["sizes"]]
        table.add_row(printable(method["name"], lines=False), *cells)
    terminal.print(table)
    terminal.print()
    for statement in document["statements"]:
        terminal.print(printable(statement))
    terminal.print(
        f"\n{document['tokens']:,} tokens, {document['seconds']:.0f} s. Everything is in "
        f"{folder}; open {folder / 'report.html'}"
    )


def _cell(document: dict[str, Any], method: str, size: int) -> str:
    """The mean, and half the width of its interval where there are several seeds."""
    for row in document["curves"]:
        if (row["method"], row["size"]) == (method, size):
            spread = "" if row["low"] is None else f" ±{(row['high'] - row['low']) / 2:.3f}"
            return f"{row['mean']:.3f}{spread}"
    return "-"


def print_leaderboard(board: dict[str, Any], folder: Path) -> None:
    """A study's leaderboard, or a learning curve's table, and the result in words."""
    from promptlab.cli.leaderboard import print_curve
    from promptlab.study.folder.documents import use_document
    from promptlab.study.spec.curve_spec import LEARNING_CURVE

    printed = print_curve if board.get("kind") == LEARNING_CURVE else _print_table
    use_document(lambda: printed(board, folder), folder / "leaderboard.json")


def _print_table(board: dict[str, Any], folder: Path) -> None:
    from rich.table import Table
    from rich.text import Text

    from promptlab.study.decision.verdict import study_verdict
    from promptlab.study.report.search_sentences import search_sentence

    terminal = console()
    if not terminal.is_terminal:
        terminal.width = 160
    if untried := search_sentence(board):
        terminal.print(printable(untried))
        terminal.print()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("", board["objective"], "95 %", "n", "p vs best", "tokens", "candidate"):
        numeric = title not in ("", "candidate", "95 %")
        table.add_column(
            title, justify="right" if numeric else "left", no_wrap=numeric, overflow="fold"
        )
    for rank, row in enumerate(board["trials"], start=1):
        table.add_row(*_board_cells(row, rank, board["objective"]))
    terminal.print(table)
    terminal.print()
    for line in _comparison_lines(board):
        terminal.print(printable(line))
    for baseline in _control_rows(board):
        values = [
            f"{baseline[split][board['objective']]:.3f} on {split}"
            for split in ("dev", "test")
            if baseline[split]
        ]
        told = "; ".join(filter(None, [*values, baseline["note"]]))
        terminal.print(printable(f"control {baseline['name']}: {told}", lines=False))
    task = board.get("task") or {}
    if task.get("normalization"):
        terminal.print(printable(f"{task['metric']}: {task['normalization']}"))
    terminal.print()
    terminal.print(Text("The winning prompt:", style="bold"))
    terminal.print(printable(shorten(board["best"]["prompt"])), style="cyan")
    terminal.print()
    verdict = study_verdict(board)
    terminal.print(
        Text(printable(verdict.headline), style="bold" if verdict.trusted else "bold red")
    )
    for text in filter(None, (verdict.because, verdict.next)):
        terminal.print(printable(text))
    terminal.print()
    for statement in board["statements"]:
        terminal.print(printable(statement))
    terminal.print(
        f"\n{board['tokens']:,} tokens, {board['seconds']:.0f} s. Everything is in {folder}; "
        f"open {folder / 'report.html'}"
    )


def _board_cells(row: dict[str, Any], rank: int, objective: str) -> list[str]:
    dev = row["dev"]
    if row["state"] == "failed" or dev is None:
        return ["failed", "", "", "", "", "", f"{row['name']}: {row['reason']}"]
    ends = dev.get("ci95" if objective == "accuracy" else f"{objective}_ci95")
    p = row["p_vs_best"]
    missing = dev.get("n_missing") or 0
    return [
        str(rank) if row["state"] == "complete" else row["state"],
        f"{dev[objective]:.3f}",
        "" if ends is None else f"{ends[0]:.2f}-{ends[1]:.2f}",
        f"{dev['n']} of {dev['n'] + missing}" if missing else str(dev["n"]),
        "" if p is None else "<.001" if p < 0.001 else f"{p:.3f}",
        f"{row['tokens_per_example']:.0f}",
        row["name"],
    ]


def shorten(text: str, longest: int = 2_000) -> str:
    """A long text with its middle left out, and how much that was."""
    if len(text) <= longest:
        return text
    half = longest // 2
    left = len(text) - 2 * half
    return f"{text[:half]}\n … ({left:,} characters left out) …\n{text[-half:]}"


def _candidate_comparisons(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Comparisons with candidates of the study; the others are with controls."""
    return [row for row in board.get("comparisons") or [] if "why" in row]


def _control_rows(board: dict[str, Any]) -> list[dict[str, Any]]:
    """The baselines that are no candidates."""
    names = {row["baseline"] for row in _candidate_comparisons(board)}
    return [row for row in board["baselines"] if row["name"] not in names]


def _comparison_lines(board: dict[str, Any]) -> list[str]:
    """The winner beside each chosen candidate on test, a line each."""
    from promptlab.study.formatting import TESTS, format_p_value

    objective, own = board["objective"], board["best"]["test"]
    tests = {row["name"]: row["test"] for row in board["baselines"]}
    lines = []
    for row in _candidate_comparisons(board):
        low, high = row["ci95"]
        lines.append(
            f"compared with {row['baseline']} ({row['why']}): {own[objective]:.3f} against "
            f"{tests[row['baseline']][objective]:.3f} on test, difference "
            f"{row['difference']:+.3f} (95 % interval {low:+.3f} to {high:+.3f}), "
            f"{format_p_value(row['p_value'])} ({TESTS.get(row['test'], row['test'])}, "
            f"{row['n_discordant']} examples differ)"
        )
    return lines
