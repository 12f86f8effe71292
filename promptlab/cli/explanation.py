"""What a predictor is, as text for the terminal."""

from __future__ import annotations

from typing import Any

import typer

from promptlab.cli.output import print_listing, printable, table_cell


def print_explanation(document: dict[str, Any]) -> None:
    """The facts a line each, the vectors' words as a table, and the results."""
    for name, value in _facts(document):
        typer.echo(f"{name:15} {printable(value)}")
    if document["nearest"]:
        typer.echo("")
        _print_nearest(document["nearest"])
    typer.echo("")
    if document["words"] is None:
        typer.echo(f"in words: {document['no_words']}")
    else:
        typer.echo(f"in words: {printable(document['words'])}")
    for line in _results(document):
        typer.echo(line)


def _facts(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and values, a line each."""
    model = document["model"]
    known: list[tuple[str, Any]] = [
        ("predictor", document["kind"]),
        ("model", f"{model['name']} ({model['family']})"),
        ("template", document.get("template")),
        ("input", document.get("input")),
        ("verbalizer", _answers(document.get("verbalizer"))),
        ("labels", ", ".join(document.get("labels", ()))),
        ("calibration", document.get("calibration")),
        ("parser", document.get("parser", {}).get("type")),
        ("mixture", ", ".join(f"{weight:.3f}" for weight in document.get("mixture", ()))),
        *(
            ("demonstration", f"{' · '.join(shown['fields'].values())} → {shown['answer']}")
            for shown in document.get("demonstrations", ())
        ),
        ("demonstrations", _nearest(document.get("own_demonstrations"))),
        *_learned_facts(document["learned"] or {}),
    ]
    return [(name, table_cell(value, 400)) for name, value in known if value not in (None, "")]


def _nearest(choice: dict[str, Any] | None) -> str:
    """Demonstrations that every input has of its own."""
    if choice is None:
        return ""
    return (
        f"for every input the {choice['count']} nearest of {choice['pool']} training examples "
        f"({choice['similarity']}, {choice['order'].replace('_', ' ')})"
    )


def _answers(settings: dict[str, Any] | None) -> str:
    if settings is None:
        return ""
    from promptlab.prompts.verbalizer import Verbalizer

    return str(Verbalizer.from_settings(settings))


def _learned_facts(learned: dict[str, Any]) -> list[tuple[str, Any]]:
    """What was learned, and how."""
    found: list[tuple[str, Any]] = []
    if "vectors" in learned:
        found.append(("vectors", f"{learned['vectors']} of width {learned['width']}"))
    found += [
        ("trigger", f"{item['words']!r} (tokens {' '.join(map(str, item['tokens']))})")
        for item in learned.get("triggers", ())
    ]
    if "prefix" in learned:
        prefix = learned["prefix"]
        found.append(
            (
                "prefix",
                f"{prefix['tokens']} tokens in {prefix['layers']} layers, {prefix['heads']} heads "
                f"of size {prefix['size']}",
            )
        )
    if "weights" in learned:
        weights = learned["weights"]
        told = "all trained" if weights == "all" else f"LoRA of rank {weights.get('r')}"
        found.append(("weights", told))
    if "head" in learned:
        found.append(("head", f"{learned['head']['labels']} x {learned['head']['width']}"))
    found.append(("started from", (learned.get("start") or {}).get("init")))
    if "steps" in learned:
        found.append(("trained", f"{learned['steps']} steps, best at {learned.get('best_step')}"))
    if "method" in learned:
        found.append(("searched", f"{learned['method']}, best at step {learned.get('step')}"))
    return found


def _print_nearest(nearest: list[dict[str, Any]]) -> None:
    mixed = any(row["member"] for row in nearest)
    most = len(nearest[0]["tokens"])
    columns = ("vector", *(f"nearest {place}" for place in range(1, most + 1)))
    rows = [
        (
            f"{row['member'] + 1}.{row['vector'] + 1}" if mixed else row["vector"] + 1,
            *(f"{near['token']!r} {near['cosine']:.2f}" for near in row["tokens"]),
        )
        for row in nearest
    ]
    print_listing(columns, rows, numbers=("vector",))


def _results(document: dict[str, Any]) -> list[str]:
    """What it is worth, in lines; none without data."""
    lines = []
    for name, told in (("data", "accuracy"), ("reading", "accuracy in words")):
        if name in document:
            found = document[name]
            low, high = found["ci95"]
            lines.append(
                f"{told} {found['accuracy']:.3f} (95 % interval {low:.3f} to {high:.3f}, "
                f"n = {found['n']})"
            )
    if "comparison" in document:
        found = document["comparison"]
        low, high = found["ci95"]
        lines.append(
            f"its own prompt minus its words {found['difference']:+.3f} (95 % interval {low:+.3f} "
            f"to {high:+.3f}), exact McNemar p = {found['p_value']:.2g}, {found['n_discordant']} "
            "examples differ"
        )
    return lines
