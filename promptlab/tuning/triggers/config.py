"""All that makes a trigger search, but for the task: the method, its sizes, what may be found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from promptlab.errors import InputError
from promptlab.models.local import LocalModel
from promptlab.tuning.triggers.initialisation import COMMON, Start, starting_tokens
from promptlab.tuning.triggers.losses import AdversarialScorer, Tokens
from promptlab.tuning.triggers.objective import TriggerObjective
from promptlab.tuning.triggers.proposals import (
    AutoPrompt,
    CandidateProposal,
    GreedyCoordinate,
    UniversalTrigger,
)
from promptlab.tuning.triggers.search import SearchSettings, TokenSearch
from promptlab.tuning.triggers.state import AcceptedTrigger
from promptlab.tuning.triggers.vocabulary_filter import TokenFilter

Method = Literal["autoprompt", "universal", "gcg"]


@dataclass(frozen=True)
class TriggerSearchConfig:
    """How triggers are searched.

    ``start`` is *mask*, *random*, *text* (``start_text``) or *auto*: mask tokens where the model
    has them, else text. ``top`` entries a position are tried; ``width`` is the beam of
    *universal*; *gcg* draws ``sample`` candidates with ``swaps`` changes each, which become one
    by half of the steps. ``capitalised`` allows entries that begin with a capital, ``whole_words``
    nothing but words; with ``read_back`` a prompt with the trigger written out must be tokenised
    as it was searched. The others are those of `SearchSettings`. Raises `InputError`.
    """

    method: Method = "autoprompt"
    start: Start | Literal["auto"] = "auto"
    start_text: str = COMMON
    top: int = 32
    width: int = 1
    sample: int = 64
    swaps: int = 1
    steps: int = 100
    batch: int = 64
    accumulate: int = 1
    comparison: int | None = None
    blocks: int = 3
    momentum: float = 0.0
    patience: int | None = None
    capitalised: bool = True
    whole_words: bool = False
    read_back: bool = True
    seed: int = 13

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise InputError(
                f"unknown method {self.method!r} of a trigger search; use "
                f"{', '.join(get_args(Method))}"
            )
        if self.start not in (*get_args(Start), "auto"):
            raise InputError(
                f"a trigger search cannot start from {self.start!r}; use auto, "
                f"{', '.join(get_args(Start))}"
            )
        self.proposal()
        self.settings()

    def proposal(self) -> CandidateProposal:
        """How candidates are proposed."""
        match self.method:
            case "autoprompt":
                return AutoPrompt(self.top)
            case "universal":
                return UniversalTrigger(self.top, self.width)
            case _:
                settle = max(1, self.steps // 2)
                return GreedyCoordinate(self.top, self.sample, self.swaps, settle)

    def settings(self) -> SearchSettings:
        """How long and on how many examples the search works."""
        return SearchSettings(
            steps=self.steps,
            batch=self.batch,
            accumulate=self.accumulate,
            comparison=self.comparison,
            blocks=self.blocks,
            momentum=self.momentum,
            patience=self.patience,
            seed=self.seed,
        )

    def search(
        self,
        oracle: TriggerObjective,
        tokens: TokenFilter,
        *,
        adversarial: bool = False,
        on_accepted: Callable[[AcceptedTrigger], None] = lambda accepted: None,
        on_kept: Callable[[int, Tokens, float], None] = lambda step, tokens, loss: None,
    ) -> TokenSearch:
        """The search over an oracle's triggers, the answers' words kept out of them.

        ``adversarial`` looks for the trigger that makes the model as wrong as it can (Wallace et
        al. 2019); for one that makes it say a certain label give the oracle that ``target``.
        """
        allowed = tokens.allowed(
            answers=oracle.verbalizer.answers,
            capitalised=self.capitalised,
            whole_words=self.whole_words,
        )
        return TokenSearch(
            AdversarialScorer(oracle) if adversarial else oracle,
            self.proposal(),
            self.settings(),
            examples=len(oracle.train),
            allowed=allowed,
            survives=oracle.round_trips if self.read_back else lambda tokens: True,
            words=oracle.words,
            on_accepted=on_accepted,
            on_kept=on_kept,
        )

    def start_tokens(self, search: TokenSearch, model: LocalModel, length: int) -> Tokens:
        """The trigger of ``length`` tokens that the search starts from."""
        return starting_tokens(
            self.start_of(model),
            length,
            model.encoding,
            search.allowed,
            text=self.start_text,
            seed=self.seed,
            survives=search.survives,
        )

    def start_of(self, model: LocalModel) -> Start:
        """Where a search on this model starts."""
        if self.start != "auto":
            return self.start
        return "text" if model.tokenizer.mask_token_id is None else "mask"
