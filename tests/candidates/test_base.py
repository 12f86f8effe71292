"""What every kind of candidate shares."""

from __future__ import annotations

import warnings
from typing import Any

from promptlab.candidates.base import Kind


def test_hooks_of_a_users_kind_under_their_old_names_still_work_and_warn() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")

        class Old(Kind):  # a kind of the version before
            keeps = True

            def know(self, finished: Any) -> None:
                self.seen = finished

            def suggest(self, trial: Any, prefix: str) -> Any: ...

            def fit(self, candidate: Any, model: Any) -> Any: ...

    told = [str(warning.message) for warning in caught]
    assert "this hook of a kind is called observe_trials now" in told[0]
    assert "this hook of a kind is called saves_fitted now" in told[1]
    made = Old(None, None)  # type: ignore[arg-type]
    made.observe_trials([])
    assert made.seen == [] and Old.saves_fitted
