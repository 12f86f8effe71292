"""The dollars of a study's budget: a limit of what all of its endpoints cost together."""

from __future__ import annotations

from collections.abc import Sequence

from promptlab.cancellation import TimeOver
from promptlab.errors import StudyError
from promptlab.models.base import LanguageModel
from promptlab.models.pool import load_model
from promptlab.models.remote.cost import dollars_text
from promptlab.models.remote.cost_ledger import current as current_ledger

_PRICE = "{price: {input: ..., output: ...}}"


class DollarsSpent(TimeOver):
    """The dollars of a study's budget are spent; what is finished stays."""


class DollarLimit:
    """Looks into the ledger in force: the requests of all runs, of writers of prompts, too.

    Args:
        most: Dollars; ``None`` for no limit.
        model: The study's own model.
        writers: The names of other models that write for its candidates.

    Raises:
        StudyError: For a limit and an endpoint without a price, which nothing could hold.
    """

    def __init__(
        self, most: float | None, model: LanguageModel, writers: Sequence[str] = ()
    ) -> None:
        self._most = most
        if most is None:
            return
        if _has_no_price(model):
            raise _unknown(f"{model.name} has no price; give it under model")
        for name in writers:
            if _has_no_price(load_model(name)):
                raise _unknown(f"{name} has no price; give it under models: {{{name}: {_PRICE}}}")

    def check(self) -> None:
        """Raise `DollarsSpent` when the limit is reached.

        Raises `StudyError` when something was asked whose price is not known.
        """
        ledger = current_ledger()
        if self._most is None or ledger is None or (sums := ledger.sums) is None:
            return
        if sums["dollars"] is None:
            raise _unknown(
                "an endpoint that candidates name was asked and has no price; give it under "
                f"models: {{remote:MODEL@URL: {_PRICE}}}"
            )
        if sums["dollars"] >= self._most:
            paid, most = dollars_text(sums["dollars"]), dollars_text(self._most)
            raise DollarsSpent(f"the dollars of the budget are spent: {paid} of {most}")


def _has_no_price(model: LanguageModel) -> bool:
    """Whether asking the model costs what nobody knows; a local one costs nothing."""
    spent = model.usage_cost()
    return spent is not None and spent["dollars"] is None


def _unknown(reason: str) -> StudyError:
    return StudyError(f"budget, dollars: {reason}, so that the limit can be held")
