"""What is to be seen of one study that learns: its trials' curves, and the words of one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import promptlab as pl

from ..components.html import chip, error, grid, note
from ..components.markup import Markup
from ..context import AppContext
from ..study.run.formatting import ACTIVE, state_text, state_tone
from . import step_log as taken
from .curves_svg import curves_svg, legend
from .token_table import step_html, step_tokens, tokens_table_html

PREFIX = "learn-"
"""Studies that were started here begin with it."""
_MOST_LINES = 8


@dataclass(frozen=True)
class LearningView:
    """A study, one of its trials, one of that trial's steps; each may be missing."""

    names: list[str]
    study: str | None = None
    trial: int | None = None
    step: int | None = None
    progress: Mapping[str, Any] = field(default_factory=dict)
    steps: Mapping[int, taken.Steps] = field(default_factory=dict)
    problem: str = ""

    @classmethod
    def of(
        cls, context: AppContext, study: str | None, trial: int | None, step: float | None
    ) -> LearningView:
        """With what is asked for where it is there; else with what learns now, or was the last."""
        names = learning_studies(context)
        study = study if study in names else next(iter(names), None)
        if study is None:
            return cls(names)
        try:
            progress = context.queue.progress(study)
            folder = context.runs / study / "steps"
            files = sorted(int(path.stem) for path in folder.glob("*.jsonl") if path.stem.isdigit())
            steps = {number: taken.known(folder / f"{number}.jsonl") for number in files}
        except (pl.PromptlabError, OSError) as problem:
            return cls(names, study, problem=str(problem))
        if trial not in steps:
            best = progress.get("best")
            trial = best if best in steps else next(iter(steps), None)
        at = None
        if trial is not None and steps[trial]:
            last = int(steps[trial][-1]["step"])
            at = last if step is None else int(min(max(step, 0), last))
        return cls(names, study, trial, at, progress, steps)

    @property
    def state(self) -> str:
        """The study's."""
        return str(self.progress.get("state", ""))

    @property
    def active(self) -> bool:
        """Whether there is more to come."""
        return self.state in ACTIVE

    @property
    def last(self) -> int:
        """The trial's last step."""
        own = self.steps.get(self.trial, ()) if self.trial is not None else ()
        return int(own[-1]["step"]) if own else 0

    @property
    def titles(self) -> dict[int, str]:
        """The trials by their numbers, each with its name."""
        rows = [*(self.progress.get("trials") or ()), *(self.progress.get("running") or ())]
        names = {row["number"]: str(row.get("name") or "") for row in rows if "number" in row}
        told = distinguishing_parts({number: names.get(number, "") for number in self.steps})
        return {
            number: f"trial {number}: {text}" if text else f"trial {number}"
            for number, text in told.items()
        }

    def head(self) -> str:
        """Name, state and how far."""
        if self.study is None:
            return str(note("Nothing has been learned here yet: start something above."))
        if self.problem:
            return str(error(self.problem))
        failed = [
            error(f"Trial {row['number']} failed. {row['reason']}")
            for row in self.progress.get("trials") or ()
            if row.get("state") == "failed" and row.get("reason")
        ]
        message = self.progress.get("message")
        return str(
            Markup('<p class="pl-learn-head">{} <span>{}</span></p>{}{}').format(
                chip(state_text(self.progress), state_tone(self.state)),
                self._told(),
                error(message) if message else "",
                Markup("").join(failed[:3]),
            )
        )

    def _told(self) -> str:
        told = [str(self.progress.get("model") or "")]
        if self.trial is not None:
            told.append(f"{self.last} steps")
            scores = taken.curve_points(self.steps[self.trial], "dev")
            if scores:
                step, value = max(scores, key=lambda point: point[1])
                told.append(f"best dev score {value:.4g} at step {step:.0f}")
        elif self.active:
            told.append("being prepared: data and model are read")
        return " · ".join(part for part in told if part)

    def curves(self) -> str:
        """Loss and dev score of all trials by step, and which colour is which."""
        numbers = list(self.steps)[-_MOST_LINES:]
        if self.trial is not None and self.trial not in numbers:
            numbers = [self.trial, *numbers[1:]]
        if not numbers:
            return ""
        at = None if self.step == self.last else self.step
        taken_steps = [row["step"] for n in numbers for row in self.steps[n]] or [0]
        ends = (float(min(taken_steps)), float(max(taken_steps)))
        drawn = [
            curves_svg(
                title,
                {n: taken.curve_points(self.steps[n], key) for n in numbers},
                self.trial,
                at,
                noisy=key == "loss",
                ends=ends,
            )
            for key, title in (("loss", "Training loss, nats"), ("dev", "Dev score"))
        ]
        titles = self.titles
        best = [self.progress["best"]] if self.state == "decided" and len(numbers) > 1 else []
        left = len(self.steps) - len(numbers)
        return str(
            grid(one for one in drawn if one)
            + legend({n: titles[n] for n in numbers}, self.trial, best)
            + (note(f"{left} earlier trials are not drawn.") if left > 0 else "")
        )

    def words(self) -> tuple[str, str]:
        """The step looked at, and all readings of the trial."""
        if self.trial is None:
            return "", ""
        found = step_tokens(self.steps[self.trial])
        if not found:
            return "", str(note("What is learned here is near to no words: watch the curves."))
        at = max((row.step for row in found if row.step <= (self.step or 0)), default=found[0].step)
        return str(step_html(found, at)), str(tokens_table_html(found, at))


def distinguishing_parts(names: Mapping[int, str]) -> dict[int, str]:
    """Names without the parts that all of them have, if there are several."""
    parts = {number: name.split(" · ") for number, name in names.items()}
    common = set.intersection(*map(set, parts.values())) if len(parts) > 1 else set()
    return {
        number: " · ".join(part for part in row if part not in common)
        for number, row in parts.items()
    }


def learning_studies(context: AppContext) -> list[str]:
    """Studies that learn or have learned: what was started here and is at work comes first."""
    rows = context.queue.rows()
    mine = [row["name"] for row in rows if row["state"] in ACTIVE and _is_mine(row["name"])]
    known = taken.learning_folders(context.runs)
    active = {row["name"] for row in rows if row["state"] in ACTIVE}
    others = [row["name"] for row in rows if row["state"] == "failed" and _is_mine(row["name"])]
    order = [*mine, *(n for n in known if n in active), *known, *others]
    return list(dict.fromkeys(order))


def _is_mine(name: str) -> bool:
    return name.startswith(PREFIX)
