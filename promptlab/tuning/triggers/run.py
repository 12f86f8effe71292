"""A trigger search on its whole way: told, kept, judged, and given up when others are better."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from promptlab.data.example import Example
from promptlab.errors import InputError, Pruned
from promptlab.events import Step, Warned
from promptlab.models.local import LocalModel
from promptlab.predictors.classifier import PromptClassifier
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.tuning.fit_context import FitContext
from promptlab.tuning.triggers.config import TriggerSearchConfig
from promptlab.tuning.triggers.losses import Tokens
from promptlab.tuning.triggers.objective import TriggerObjective
from promptlab.tuning.triggers.state import AcceptedTrigger, SearchState
from promptlab.tuning.triggers.vocabulary_filter import TokenFilter

EVALUATED = 5
"""The best dev score so far is reported every so many steps."""


class TriggerSearchRun:
    """One search for a trigger.

    Every step is a `Step` event of the trial ``number``, with a ``dev`` score if it took a new
    trigger on. Among its notes are the ``pieces`` (the tokens' texts), the best that were
    ``tried`` (both as JSON), of how many ``candidates``, and the ``template`` they stand in. The
    state is kept in the file ``kept`` after every step, and a file that is there already is gone
    on from; one that is damaged is told, and the search starts anew.
    """

    def __init__(
        self,
        recipe: TriggerSearchConfig,
        oracle: TriggerObjective,
        tokens: TokenFilter,
        fitting: FitContext | None = None,
        *,
        number: int = 0,
        kept: Path | None = None,
        adversarial: bool = False,
    ) -> None:
        self.recipe = recipe
        self.oracle = oracle
        self.fitting = fitting or FitContext()
        self.number = number
        self.kept = kept
        self.search = recipe.search(
            oracle,
            tokens,
            adversarial=adversarial,
            on_accepted=self._tell_accepted,
            on_kept=self._tell_kept,
        )

    def run(self) -> AcceptedTrigger:
        """The best trigger on dev. Raises `Pruned` when it is given up."""
        state = self._first()
        states = self.search.run(state)
        while True:
            self._keep(state)
            if state.step % EVALUATED == 0:
                self._report(state)
            self.fitting.cancellation.check()
            if self.fitting.is_time_up():
                told = f"the time is over after {state.step} steps; their best by dev is taken"
                self.fitting.events.emit(Warned(told))
                return state.best
            following = next(states, None)
            if following is None:
                return state.best
            state = following

    def _first(self) -> SearchState:
        if self.kept is not None and self.kept.exists():
            try:
                return SearchState.load(self.kept)
            except InputError as error:  # it costs time, nothing else
                self.fitting.events.emit(Warned(f"{error}; the search of this trial starts anew"))
        tokens = self.recipe.start_tokens(self.search, self.oracle.model, self.oracle.length)
        return self.search.start(tokens)

    def _keep(self, state: SearchState) -> None:
        if self.kept is not None:
            self.kept.parent.mkdir(parents=True, exist_ok=True)
            state.save(self.kept)

    def _report(self, state: SearchState) -> None:
        best = state.best
        if self.fitting.should_prune(self.number, state.step, best.score):
            raise Pruned(
                f"after {state.step} steps the best trigger, {best.words!r}, has a dev score of "
                f"{best.score:.3f}, which is behind the other trials"
            )

    def _tell_accepted(self, accepted: AcceptedTrigger) -> None:
        values = {"loss": accepted.loss, "dev": accepted.score}
        self._tell(accepted.step, accepted.tokens, values, accepted.words)

    def _tell_kept(self, step: int, tokens: Tokens, loss: float) -> None:
        self._tell(step, tokens, {"loss": loss}, self.search.words(tokens))

    def _tell(self, step: int, tokens: Tokens, values: dict[str, float], words: str) -> None:
        notes = {"tokens": " ".join(map(str, tokens)), "words": words}
        notes["pieces"] = json.dumps(self._pieces(tokens), ensure_ascii=False)
        tried = [
            [self._pieces(tokens), round(loss, 6)]
            for tokens, loss in self.search.tried
            if isfinite(loss)
        ]
        if tried:
            notes["tried"] = json.dumps(tried, ensure_ascii=False)
            notes["candidates"] = str(self.search.candidates)
        notes["template"] = self.oracle.template.source
        self.fitting.events.emit(Step(self.number, step, values, notes))

    def _pieces(self, tokens: Tokens) -> list[str]:
        """The text of every token by itself."""
        encoding = self.oracle.model.encoding
        return [encoding.token(token) for token in tokens]


def find_trigger(
    template: Template | str,
    verbalizer: Verbalizer | Mapping[str, Any],
    model: LocalModel,
    examples: Sequence[Example],
    *,
    dev: Sequence[Example] = (),
    recipe: TriggerSearchConfig | None = None,
    target: str | None = None,
    adversarial: bool = False,
    fitting: FitContext | None = None,
) -> tuple[PromptClassifier, AcceptedTrigger]:
    """The template with the best trigger that a search finds, ready to predict.

    Helpful by default. With ``target`` the trigger makes the model say that label whatever the
    example's is; ``adversarial`` makes it as wrong as it can be (both Wallace et al. 2019). ``dev``
    (else the examples) chooses among the triggers of the search.
    """
    oracle = TriggerObjective(
        model,
        template if isinstance(template, Template) else Template(template),
        verbalizer if isinstance(verbalizer, Verbalizer) else Verbalizer(verbalizer),
        examples,
        dev=dev,
        judge=fitting.score_dev if fitting is not None else None,
        target=target,
    )
    tokens = TokenFilter(model.encoding, oracle.vocabulary)
    recipe = recipe or TriggerSearchConfig()
    best = TriggerSearchRun(recipe, oracle, tokens, fitting, adversarial=adversarial).run()
    facts = {"method": recipe.method, "step": best.step, "loss": best.loss, "dev": best.score}
    return oracle.predictor(best.tokens, facts), best
