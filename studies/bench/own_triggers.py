"""promptlab's side of the trigger search benchmark, and the same material for its peer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from promptlab.data.example import Example
from promptlab.models.local import LocalModel
from promptlab.predictors.classifier import PromptClassifier
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.studies.bench.autoprompt_peer import Evaluation, TriggerSearch, Work
from promptlab.studies.bench.comparison import require_same_ids
from promptlab.studies.bench.material import TriggerRow, trigger_rows
from promptlab.tuning.triggers.config import TriggerSearchConfig
from promptlab.tuning.triggers.objective import TriggerObjective
from promptlab.tuning.triggers.state import AcceptedTrigger
from promptlab.tuning.triggers.vocabulary_filter import TokenFilter

VERBALIZER = Verbalizer(
    {"negative": ["terrible", "bad", "awful"], "positive": ["great", "good", "wonderful"]}
)
WORDS = {"masked": "{text} {mask} .", "causal": "{text} {mask}"}
"""The prompts without triggers, which stand right before the slot."""


class SearchTask:
    """What both sides search on; promptlab's part is made anew for every search."""

    def __init__(
        self,
        model: LocalModel,
        train: Sequence[Example],
        dev: Sequence[Example],
        *,
        length: int,
        recipe: TriggerSearchConfig,
        verbalizer: Verbalizer = VERBALIZER,
    ) -> None:
        self.model, self.train, self.dev = model, train, dev
        self.recipe, self.verbalizer = recipe, verbalizer
        words = WORDS[model.family]
        self.template = Template(words.replace("{mask}", f"{{trigger:{length}}} {{mask}}"))
        classifier = PromptClassifier(Template(words), verbalizer, model)
        self.train_rows, self.words = trigger_rows(classifier, train, length=length)
        self.dev_rows, _ = trigger_rows(classifier, dev, length=length)
        self.tokens = TokenFilter(model.encoding, model.engine.network.virtual_tokens.first_id)
        oracle = self.oracle()
        search = recipe.search(oracle, self.tokens)
        self.allowed = search.allowed
        self.initial = recipe.start_tokens(search, model, length)
        require_same_ids(
            [_own_ids(oracle, number) for number in range(len(train))],
            [_without_triggers(row) for row in self.train_rows],
        )

    def oracle(self) -> TriggerObjective:
        """promptlab's losses and gradients, nothing computed yet."""
        return TriggerObjective(
            self.model, self.template, self.verbalizer, self.train, dev=self.dev
        )


def own_search(
    task: SearchTask, *, seed: int, until: float | None = None, limit_seconds: float | None = None
) -> TriggerSearch:
    """promptlab's search, until a dev accuracy is reached or the time is over."""
    oracle = task.oracle()
    recipe = replace(task.recipe, seed=seed)
    history: list[Evaluation] = []

    def accepted(found: AcceptedTrigger) -> None:
        history.append(Evaluation(time.perf_counter() - start, found.score, found.tokens))

    search = recipe.search(oracle, task.tokens, on_accepted=accepted)
    start = time.perf_counter()
    state = search.start(task.initial)
    states = search.run(state)
    while not (
        (until is not None and history[-1].dev_accuracy >= until)
        or (limit_seconds is not None and time.perf_counter() - start >= limit_seconds)
    ):
        following = next(states, None)
        if following is None:
            break
        state = following
    seconds = time.perf_counter() - start
    length = round(sum(len(row.ids) for row in task.train_rows) / len(task.train_rows))
    gradients = state.step * recipe.accumulate * min(recipe.batch, len(task.train))
    work = Work()
    work.forward[length] = search.losses.computed + len(history) * len(task.dev)
    work.training[length] = gradients
    return TriggerSearch(history, seconds, state.step, work)


def _own_ids(oracle: TriggerObjective, number: int) -> list[int]:
    ids = oracle.train.exercises[number].asked[0].context.ids
    return [-1 if token >= oracle.vocabulary else token for token in ids]


def _without_triggers(row: TriggerRow) -> list[int]:
    return [-1 if place in row.places else token for place, token in enumerate(row.ids)]
