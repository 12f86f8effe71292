"""What a knowledge probe has found, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import typer

from promptlab.cli.output import print_listing, printable, table_cell
from promptlab.predictors.knowledge_probe.result import MODEL
from promptlab.predictors.knowledge_probe.run import CHOSEN, GIVEN, LEARNED, MEAN

if TYPE_CHECKING:
    from promptlab.predictors import KnowledgeProbe
    from promptlab.predictors.knowledge_probe.ranks import RankFigures
    from promptlab.predictors.knowledge_probe.result import RelationResult

_TOLD = {
    MEAN: "mean of the prompts",
    GIVEN: "weights of the file",
    CHOSEN: "best prompt of the train part",
    LEARNED: "learned weights",
}
_FIGURES = ("P@1", "P@10", "MRR")
_MAX_PROMPT = 60  # characters of a prompt that are shown


def print_probe(found: KnowledgeProbe) -> None:
    """One relation prompt by prompt, several a line each; then what all come to."""
    if len(found.relations) == 1:
        _print_relation(found, found.relations[0])
    else:
        _print_relations(found)
    for line in _sentences(found):
        typer.echo(printable(line))


def _print_relation(found: KnowledgeProbe, one: RelationResult) -> None:
    controls = _controls(found)
    own = one.prompt_figures()
    others = {run: one.prompt_figures(run) for run in controls}
    weights = one.runs[MODEL].weights
    rows: list[Sequence[object]] = [
        (
            table_cell(template.source, _MAX_PROMPT),
            *_cells(own[number]),
            *(_share(others[run][number].p_at_1) for run in controls),
            *(() if weights is None else (f"{weights[number]:.3f}",)),
        )
        for number, template in enumerate(one.plan.templates)
    ]
    for method in one.runs[MODEL].together if len(rows) > 1 else ():
        rows.append(
            (
                _TOLD[method],
                *_cells(one.figures(MODEL, method)),
                *(_share(one.figures(run, method).p_at_1) for run in controls),
                *(() if weights is None else ("",)),
            )
        )
    titles = (*_FIGURES, *map(_control_title, controls), *(() if weights is None else ("weight",)))
    print_listing(("prompt", *titles), rows, numbers=titles)


def _print_relations(found: KnowledgeProbe) -> None:
    controls, methods = _controls(found), found.methods
    more = [method for method in methods if method != MEAN]
    titles = (
        "n",
        *_FIGURES,
        *(f"P@1 {_TOLD[method]}" for method in more),
        *map(_control_title, controls),
    )
    rows = [
        (
            one.name,
            len(one.plan.counted),
            *_cells(one.figures()),
            *(_share(_at_1(one, method)) for method in more),
            *(_share(one.figures(run).p_at_1) for run in controls),
        )
        for one in found.relations
    ]
    rows.append(
        (
            "all facts",
            found.figures().n,
            *_cells(found.figures()),
            *(_share(found.figures(MODEL, method).p_at_1) for method in more),
            *(_share(found.figures(run).p_at_1) for run in controls),
        )
    )
    over = found.over_relations()
    rows.append(
        (
            "mean of relations",
            over["relations"],
            *(
                _with_interval(over[key], over[f"{key}_ci95"])
                for key in ("p_at_1", "p_at_10", "mrr")
            ),
            *(_share(found.over_relations(MODEL, method)["p_at_1"]) for method in more),
            *(_share(found.over_relations(run)["p_at_1"]) for run in controls),
        )
    )
    print_listing(("relation", *titles), rows, numbers=titles)


def _at_1(one: RelationResult, method: str) -> float | None:
    return one.figures(MODEL, method).p_at_1 if method in one.runs[MODEL].together else None


def _sentences(found: KnowledgeProbe) -> Iterator[str]:
    """What the figures are about, what was left out, and what the controls say."""
    n = found.figures().n
    space = {"closed": "the relation's objects", "open": "the words of the vocabulary"}
    sizes = sorted({one.plan.space.size for one in found.relations})
    size = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
    yield ""
    among = f"each ranked among {size} answers, {space[found.answers]}"
    yield f"{found.model}: {n:,} facts counted, {among}."
    if found.common:
        yield f"Objects are one token in {found.model}, {', '.join(found.common)}."
    trained = sum(len(one.plan.train) for one in found.relations)
    if trained:
        yield f"Not counted: {trained:,} facts by which prompts were chosen and weights learned."
    yield from _left_out(found)
    naming = [rank for one in found.relations for rank in one.runs[MODEL].naming.tolist()]
    if naming:
        first = sum(rank <= 1 for rank in naming)
        facts = "1 fact" if len(naming) == 1 else f"{len(naming):,} facts"
        yield f"Not counted: {facts} whose subject names the object (ranked first: {first:,})."
    for one in found.relations if len(found.relations) == 1 else ():
        if (share := one.most_frequent["p_at_1"]) is not None:
            yield f"Always answering {one.most_frequent['object']!r} has P@1 {_share(share)}."
    for control in _controls(found):
        if (compared := found.compare(control)) is not None:
            yield (
                f"P@1 of the mean less that with {control.replace('_', ' ')}: "
                f"{compared.difference:+.3f} ({compared.ci95[0]:+.3f} to {compared.ci95[1]:+.3f}), "
                f"exact McNemar p = {compared.p_value:.2g}."
            )


def _left_out(found: KnowledgeProbe) -> Iterator[str]:
    counts: dict[str, int] = {}
    for one in found.relations:
        for reason, number in one.plan.left_out.items():
            counts[reason] = counts.get(reason, 0) + number
    if counts:
        told = ", ".join(f"{number:,} facts {reason}" for reason, number in counts.items())
        yield f"Left out: {told}."
    for one in found.relations:
        for source, reason in one.plan.templates_left_out.items():
            yield f"Template left out of {one.name}: {table_cell(source, 80)!r}: {reason}."


def _controls(found: KnowledgeProbe) -> list[str]:
    return [run for run in found.runs if run != MODEL]


def _control_title(control: str) -> str:
    return f"P@1 {control.replace('_', ' ')}"


def _cells(figures: RankFigures) -> list[str]:
    """P@1, P@10 and the reciprocal rank with their intervals."""
    return [
        _with_interval(figures.p_at_1, figures.p_at_1_ci95),
        _with_interval(figures.p_at_10, figures.p_at_10_ci95),
        _with_interval(figures.mrr, figures.mrr_ci95),
    ]


def _with_interval(value: float | None, ci95: Sequence[float] | None) -> str:
    if value is None or ci95 is None:
        return _share(value)
    return f"{_share(value)} ({_share(ci95[0])} to {_share(ci95[1])})"


def _share(value: float | None) -> str:
    """``.423``, ``1.000``, and nothing for what is not known."""
    return "" if value is None else f"{value:.3f}".removeprefix("0")
