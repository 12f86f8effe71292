"""What a knowledge probe has found, in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from promptlab.evaluation.statistics import Comparison, bootstrap_interval, mcnemar_exact
from promptlab.predictors.knowledge_probe.plan import RelationPlan
from promptlab.predictors.knowledge_probe.ranks import RankFigures, rank_means
from promptlab.predictors.knowledge_probe.run import (
    CHOSEN,
    GIVEN,
    LEARNED,
    MEAN,
    METHODS,
    RelationRun,
)
from promptlab.security.html import html_table

MODEL = "model"
"""What the probed model is called among its controls."""
_MIN_RELATIONS = 3
"""A mean over fewer relations has no interval."""


@dataclass(frozen=True, eq=False)
class RelationResult:
    """One relation: what was asked, and the runs of the model and its controls by name.

    Args:
        plan: What was asked.
        runs: The ranks, under *model* and the names of the controls.
        seed: Of the bootstrap's samples.
    """

    plan: RelationPlan
    runs: Mapping[str, RelationRun]
    seed: int

    @property
    def name(self) -> str:
        """What the relation is called."""
        return self.plan.relation.name

    def figures(self, run: str = MODEL, method: str = MEAN) -> RankFigures:
        """The figures of several prompts together, by *mean* or another of the run's methods."""
        return RankFigures.from_ranks(_ranks(self, run, method), self.seed)

    def prompt_figures(self, run: str = MODEL) -> list[RankFigures]:
        """The figures of every prompt alone."""
        return [RankFigures.from_ranks(r.tolist(), self.seed) for r in self.runs[run].alone.T]

    @cached_property
    def most_frequent(self) -> dict[str, Any]:
        """The object that is most frequent among the counted facts, and its share: P@1 for free."""
        objects = Counter(self.plan.facts[number].object for number in self.plan.counted)
        if not objects:
            return {"object": None, "p_at_1": None}
        answer, count = min(objects.items(), key=lambda item: (-item[1], item[0]))
        return {"object": answer, "p_at_1": count / len(self.plan.counted)}

    def record(self) -> dict[str, Any]:
        """As JSON data."""
        plan = self.plan
        return {
            "relation": self.name,
            "n": len(plan.counted),
            "n_train": len(plan.train),
            "n_subject_names_object": len(plan.naming),
            "answers": plan.space.size,
            "left_out": plan.left_out,
            "templates_left_out": plan.templates_left_out,
            "most_frequent_object": self.most_frequent,
            "runs": {name: self._record_of(name) for name in self.runs},
        }

    def rows(self, run: str = MODEL) -> list[dict[str, Any]]:
        """A row for every fact that was ranked: its rank, and the answer that came first.

        ``ranks`` are those of the prompts alone, of counted facts; ``first`` is the mean's answer.
        """
        made, plan = self.runs[run], self.plan
        answers, templates = plan.space.answers, [one.source for one in plan.templates]
        found = []
        for place, number in enumerate(plan.counted):
            alone = made.alone[place].tolist()
            found.append(
                {"relation": self.name, "run": run}
                | plan.facts[number].record()
                | {"counted": True, "first": answers[made.first[place]]}
                | {"rank": float(made.together[MEAN][place])}
                | {"ranks": dict(zip(templates, alone, strict=True))}
            )
        for place, number in enumerate(plan.naming):
            found.append(
                {"relation": self.name, "run": run}
                | plan.facts[number].record()
                | {"counted": False, "first": answers[made.naming_first[place]]}
                | {"rank": float(made.naming[place])}
            )
        return found

    def _record_of(self, name: str) -> dict[str, Any]:
        run, plan = self.runs[name], self.plan
        weights = {LEARNED: run.weights, GIVEN: plan.weights}
        prompts = [
            {"template": template.source}
            | {
                key: None if values is None else round(float(values[number]), 6)
                for key, values in weights.items()
            }
            | figures.record()
            for number, (template, figures) in enumerate(
                zip(plan.templates, self.prompt_figures(name), strict=True)
            )
        ]
        naming = RankFigures.from_ranks(run.naming.tolist(), self.seed)
        return {
            "prompts": prompts,
            "together": {m: self.figures(name, m).record() for m in run.together},
            CHOSEN: None if run.chosen is None else plan.templates[run.chosen].source,
            "subject_names_object": naming.record(),
        }


@dataclass(frozen=True, eq=False)
class KnowledgeProbe:
    """What `probe_knowledge` has found.

    Args:
        model: The model's name.
        answers: *closed* or *open*.
        relations: A result a relation.
        seed: What drew train parts, controls and bootstrap samples.
        unavailable: Controls that could not be made, with the reason.
        common: The models whose common vocabulary the objects are in.

    Example:
        >>> capitals = [("Poland", "Warsaw"), ("France", "Paris")]
        >>> relation = pl.predictors.Relation("capital", capitals, ["The capital of [X] is [Y] ."])
        >>> found = pl.predictors.probe_knowledge(
        ...     model, [relation], answers="closed", controls=()
        ... )
        >>> found.figures().n, found.record()["relations"][0]["answers"]
        (2, 2)
    """

    model: str
    answers: str
    relations: Sequence[RelationResult]
    seed: int
    unavailable: Mapping[str, str]
    common: Sequence[str] = ()

    @property
    def runs(self) -> list[str]:
        """*model* and the controls that there are."""
        return list(self.relations[0].runs)

    @property
    def methods(self) -> list[str]:
        """How prompts were put together, in any relation; *mean* is in all."""
        found = {m for one in self.relations for run in one.runs.values() for m in run.together}
        return [method for method in METHODS if method in found]

    def figures(self, run: str = MODEL, method: str = MEAN) -> RankFigures:
        """The figures over the counted facts of all relations.

        A relation without a method (too few facts to learn weights from) takes part by its mean.
        """
        return RankFigures.from_ranks(self._ranks(run, method), self.seed)

    def _ranks(self, run: str, method: str) -> list[float]:
        return [rank for one in self.relations for rank in _ranks(one, run, method)]

    def over_relations(self, run: str = MODEL, method: str = MEAN) -> dict[str, Any]:
        """Means over relations, each counting once, as LAMA reports them; bootstrap intervals."""
        rows = [rank_means(ranks) for one in self.relations if (ranks := _ranks(one, run, method))]
        found: dict[str, Any] = {"relations": len(rows)}
        for name in ("p_at_1", "p_at_10", "mrr"):
            values = [row[name] for row in rows]
            found[name] = float(np.mean(values)) if values else None
            wide = len(values) >= _MIN_RELATIONS
            found[f"{name}_ci95"] = list(bootstrap_interval(values, self.seed)) if wide else None
        return found

    def rows(self) -> list[dict[str, Any]]:
        """A row for every fact and run: its rank by the mean, the answer that came first."""
        return [row for one in self.relations for run in self.runs for row in one.rows(run)]

    def compare(self, control: str, method: str = MEAN) -> Comparison | None:
        """The model's first places against a control's, on the same facts (exact McNemar test).

        ``None`` when no fact is counted.
        """
        own, other = ([rank <= 1 for rank in self._ranks(run, method)] for run in (MODEL, control))
        return mcnemar_exact(own, other) if own else None

    def record(self) -> dict[str, Any]:
        """As JSON data."""
        controls = [run for run in self.runs if run != MODEL]
        return {
            "model": self.model,
            "answers": self.answers,
            "common_vocabulary": list(self.common),
            "seed": self.seed,
            "controls_left_out": dict(self.unavailable),
            "overall": {
                run: {
                    method: {
                        "facts": self.figures(run, method).record(),
                        "relations": self.over_relations(run, method),
                    }
                    for method in self.methods
                }
                for run in self.runs
            },
            "comparisons": {
                control: None if (found := self.compare(control)) is None else found.record()
                for control in controls
            },
            "relations": [one.record() for one in self.relations],
        }

    def _repr_html_(self) -> str:
        rows = [
            (one.name, run, figures.n, figures.p_at_1, figures.p_at_10, figures.mrr)
            for one in self.relations
            for run in self.runs
            for figures in [one.figures(run)]
        ]
        return html_table(
            f"What {self.model} knows", ("relation", "run", "n", "P@1", "P@10", "MRR"), rows
        )


def _ranks(relation: RelationResult, run: str, method: str) -> list[float]:
    """The ranks of a method; the mean's where a relation does not have it."""
    together = relation.runs[run].together
    return [float(rank) for rank in together.get(method, together[MEAN])]
