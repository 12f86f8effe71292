"""What a study will cost before it is run: tokens, seconds, dollars, per group and in all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from promptlab.candidates.dry_run import dry_run
from promptlab.data.task import Task
from promptlab.models.base import LanguageModel
from promptlab.models.pool import model_options
from promptlab.models.throughput import Throughput, measure_throughput
from promptlab.study.estimate.cost_range import NOTHING, CostRange, Estimate, GroupCost, add_costs
from promptlab.study.estimate.dry_run import DryGroup, DryRun
from promptlab.study.spec.check import Load, check_study
from promptlab.study.spec.curve_spec import CurveSpec
from promptlab.study.spec.space import SearchSpace
from promptlab.study.spec.spec import StudySpec

_COUNTED = 10_000
UNCOUNTED = (
    "what a pruner stops early and what a sampler asks twice (both make the study cheaper)",
    "loading the model, and the report",
)


def estimate_study(
    spec: StudySpec | CurveSpec, model: LanguageModel | None = None, *, load: Load | None = None
) -> Estimate:
    """Estimate what a study will cost before it is run; nothing is asked of an endpoint.

    Every group's candidates (some of them, where they are many) are fitted and tried on a few
    examples with a model that counts and does not compute; learners are counted by their
    settings. Low and high differ where replies may be short or long and training may stop early.
    A budget in seconds caps the search.

    Args:
        spec: A study or a learning curve, as `load_spec` gives it.
        model: The model that it will run on, by default loaded as the study names it. How fast it
            reads and writes here is measured for half a second.
        load: Opens the data, as `load_task` does by default.

    Returns:
        Tokens, seconds and dollars from a low to a high end, a group at a time and in all.

    Raises:
        InputError: The study cannot be run.

    Example:
        >>> from pathlib import Path
        >>> rows = [f"film {n} was {'good' if n % 2 else 'bad'},{n % 2}" for n in range(40)]
        >>> _ = Path("films.csv").write_text("\\n".join(["text,label", *rows]))
        >>> prompt = {"text": "{text} It was {mask}.", "answers": {"0": "bad", "1": "good"}}
        >>> group = {"kind": "template", "templates": [prompt]}
        >>> spec = pl.load_spec({"study": "films", "task": "films.csv", "candidates": [group]})
        >>> estimate_study(spec, model).trials
        1
    """
    with model_options(spec.model_options), dry_run():
        return _estimate(spec, model, load)


def _estimate(
    spec: StudySpec | CurveSpec, model: LanguageModel | None, load: Load | None
) -> Estimate:
    task, space = check_study(spec, **({} if load is None else {"load": load}))
    model = model or spec.model.load()
    if isinstance(spec, CurveSpec):
        return _Curve(spec, task, model).estimate()
    assert space is not None
    space.check(model)
    return _Search(spec, task, space, model).estimate()


class CostModel:
    """What both kinds of study share: groups tried dry, and a throughput measured once."""

    def __init__(self, task: Task, model: LanguageModel) -> None:
        self.task, self.model = task, model
        self.dry = DryRun(task, model)
        self._rate: Throughput | None = None

    def measure(self, groups: Sequence[DryGroup]) -> None:
        """Measure once how fast the model reads, writes and learns here."""
        prompts = [prompt for group in groups for prompt in group.prompts[:4]][:8]
        self._rate = measure_throughput(
            self.model,
            prompts,
            writes=any(
                group.high.written or (group.writer is self.model and group.high.writer_out)
                for group in groups
            ),
        )

    def cost(
        self, group: DryGroup, candidates: int | None, trials: CostRange, examples: int
    ) -> GroupCost:
        """A dry group's means, for so many trials on so many examples each."""
        low, high = group.low, group.high
        cost = GroupCost(
            name=group.name,
            kind=group.kind,
            candidates=candidates,
            trials=trials,
            tokens_in=CostRange(
                trials.low * (low.tokens_in * examples + low.fitting),
                trials.high * (high.tokens_in * examples + high.fitting),
            ),
            tokens_out=CostRange(
                trials.low * low.tokens_out * examples, trials.high * high.tokens_out * examples
            ),
            learning=CostRange(trials.low * low.learning, trials.high * high.learning),
            seconds=None,
            notes=group.notes,
            writer_in=CostRange(low.writer_in, high.writer_in).times(trials.low, trials.high),
            writer_out=CostRange(low.writer_out, high.writer_out).times(trials.low, trials.high),
        )
        dollars = _dollars(group.writer, cost.writer_in, cost.writer_out)
        seconds = self._seconds(group, trials, examples)
        return replace(cost, seconds=seconds, writer_dollars=dollars)

    def _seconds(self, group: DryGroup, trials: CostRange, examples: int) -> CostRange | None:
        rate = self._rate
        if rate is None:
            return None

        def of(side: Any) -> float:
            asked = side.fresh * examples + side.fitting * side.share_fresh
            written = side.written * examples / (rate.written or rate.read)
            read = side.read * examples / rate.read
            if group.writer is self.model:
                read += side.writer_in / rate.read
                written += side.writer_out / (rate.written or rate.read)
            return float(asked / rate.read + read + written + side.learning / rate.trained)

        return CostRange(of(group.low), of(group.high)).times(trials.low, trials.high)

    def dollars(self, costs: Sequence[GroupCost]) -> CostRange | None:
        """The price of all groups together, if there is an endpoint and each says its price."""
        tokens_in = sum((c.tokens_in for c in costs), NOTHING)
        tokens_out = sum((c.tokens_out for c in costs), NOTHING)
        own = _dollars(self.model, tokens_in, tokens_out)
        writers = [c.writer_dollars for c in costs]
        if own is None or None in writers:
            return None
        if self.model.family != "remote" and not any(one.high for one in writers if one):
            return None  # nobody is paid
        return sum((one for one in writers if one is not None), own)


def _dollars(
    model: LanguageModel | None, tokens_in: CostRange, tokens_out: CostRange
) -> CostRange | None:
    """What these tokens cost with a model; nothing with a local one, ``None`` without a price."""
    if model is None or model.family != "remote":
        return NOTHING
    price = getattr(getattr(model, "options", None), "price", None)
    if price is None:
        return None
    return CostRange(
        price.dollars(round(tokens_in.low), round(tokens_out.low)),
        price.dollars(round(tokens_in.high), round(tokens_out.high)),
    )


class _Search(CostModel):
    def __init__(
        self, spec: StudySpec, task: Task, space: SearchSpace, model: LanguageModel
    ) -> None:
        super().__init__(task, model)
        self.spec, self.space = spec, space

    def estimate(self) -> Estimate:
        every = self.space.enumerate(_COUNTED)
        counts = self._counts(every)
        limit = self.spec.budget.trials
        whole = every is not None and self.spec.sampler in ("auto", "exhaustive")
        trials = min(limit, len(every)) if whole and every is not None else limit
        dry = self.dry.groups(self.space.kinds)
        self.measure(dry)
        shares = self._shares(counts, trials, exhausted=whole and trials == len(every or ()))
        dev = len(self.task.dev)
        costs = [self.cost(g, counts[g.name], shares[g.name], dev) for g in dry]
        decision = self._decision(dry)
        seconds = None
        if all(c.seconds is not None for c in costs):
            seconds = sum((c.seconds for c in costs if c.seconds is not None), NOTHING)
            cap = self.spec.budget.seconds
            if cap is not None:
                seconds = CostRange(min(seconds.low, cap), min(seconds.high, cap))
            seconds += decision.seconds or NOTHING
        return Estimate(
            study=self.spec.study,
            model=self.model.name,
            candidates=None if every is None else len(every),
            trials=trials,
            groups=tuple(costs),
            decision=decision,
            seconds=seconds,
            dollars=self.dollars([*costs, decision]),
            uncounted=UNCOUNTED,
        )

    def _counts(self, every: Sequence[dict[str, Any]] | None) -> dict[str, int | None]:
        """How many candidates each group has."""
        names = list(self.space.kinds)
        if every is None:
            return {name: self.space.count(name, _COUNTED) for name in names}
        found: dict[str, int | None] = dict.fromkeys(names, 0)
        for params in every:
            name = params.get("group", names[0])
            found[name] = (found[name] or 0) + 1
        return found

    def _shares(
        self, counts: dict[str, int | None], trials: int, *, exhausted: bool
    ) -> dict[str, CostRange]:
        """Trials a group: all of its candidates, or as a sampler may divide them."""
        if exhausted:
            return {name: CostRange(count or 0, count or 0) for name, count in counts.items()}
        each = trials / len(counts)
        known = sum(count or 0 for count in counts.values())
        if None in counts.values() or not known:
            return {name: CostRange(each, each) for name in counts}
        shares = {name: trials * (count or 0) / known for name, count in counts.items()}
        return {name: CostRange(min(each, own), max(each, own)) for name, own in shares.items()}

    def _decision(self, dry: Sequence[DryGroup]) -> GroupCost:
        """The winner on test and with shuffled labels on dev; a reference on test beside it."""
        judged = [group for group in dry if group.high.tokens_in] or list(dry)
        test, dev = len(self.task.test), len(self.task.dev)
        low = min(judged, key=lambda g: g.low.tokens_in + g.low.tokens_out + g.low.learning)
        high = max(judged, key=lambda g: g.high.tokens_in + g.high.tokens_out + g.high.learning)
        compared = 2 if self.spec.baseline or any(g.high.learning for g in dry) else 1
        one = CostRange(1.0, 1.0)
        first = self.cost(low, None, one, test + dev)
        last = self.cost(high, None, one, test * compared + dev)
        seconds = None
        if first.seconds is not None and last.seconds is not None:
            seconds = CostRange(first.seconds.low, last.seconds.high)
        return GroupCost(
            name="decision",
            kind="decision",
            candidates=None,
            trials=one,
            tokens_in=CostRange(first.tokens_in.low, last.tokens_in.high),
            # The group of the most tokens may be one of short replies.
            tokens_out=CostRange(*sorted((first.tokens_out.low, last.tokens_out.high))),
            learning=CostRange(first.learning.low, last.learning.high),
            seconds=seconds,
            notes=("the winner on test, controls, and what it is compared with",),
        )


class _Curve(CostModel):
    """Every method on every draw of every size; each cell predicts all of test."""

    def __init__(self, spec: CurveSpec, task: Task, model: LanguageModel) -> None:
        super().__init__(task, model)
        self.spec = spec

    def estimate(self) -> Estimate:
        spec, seeds = self.spec, len(self.spec.seeds)
        found: list[tuple[DryGroup, GroupCost]] = []
        for method in spec.methods:
            sums: GroupCost | None = None
            for size in spec.sizes:
                task = self.task.few_shot(size, spec.seeds[0]) if size else self.task
                space = SearchSpace([method.for_seed(spec.seeds[0])], task, [method.name])
                group = DryRun(task, self.model).group(method.name, *space.kinds.values())
                if not size:
                    group = group.untrained()
                self.measure([group])
                cell = self.cost(group, 1, CostRange(seeds, seeds), len(self.task.test))
                sums = cell if sums is None else add_costs(sums, cell)
                found.append((group, cell))
            assert sums is not None
            found[-1] = (found[-1][0], sums)
            found[-len(spec.sizes) :] = [found[-1]]
        costs = tuple(cost for _, cost in found)
        nothing = GroupCost("decision", "decision", None, NOTHING, NOTHING, NOTHING, NOTHING, None)
        known = all(c.seconds is not None for c in costs)
        return Estimate(
            study=spec.study,
            model=self.model.name,
            candidates=len(spec.methods),
            trials=len(spec.methods) * len(spec.sizes) * seeds,
            groups=costs,
            decision=nothing,
            seconds=sum((c.seconds for c in costs if c.seconds), NOTHING) if known else None,
            dollars=self.dollars(costs),
            uncounted=UNCOUNTED[1:],
        )
