"""What answers examples: classifiers, generators, demonstrations, ensembles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptlab import lazy_getattr

if TYPE_CHECKING:
    from promptlab.predictors.comparison_grid import Grid, PairedTest, paired_tests
    from promptlab.predictors.rescoring import Rescorer
    from promptlab.predictors.strategy import Strategy, solve
    from promptlab.predictors.truncation import render_within
    from promptlab.prompts.template import Demonstration

__all__ = [
    "Demonstration",
    "Grid",
    "PairedTest",
    "Rescorer",
    "Strategy",
    "paired_tests",
    "render_within",
    "solve",
]

_HOMES = {
    "Demonstration": "promptlab.prompts.template",
    "Grid": "promptlab.predictors.comparison_grid",
    "PairedTest": "promptlab.predictors.comparison_grid",
    "Rescorer": "promptlab.predictors.rescoring",
    "Strategy": "promptlab.predictors.strategy",
    "paired_tests": "promptlab.predictors.comparison_grid",
    "render_within": "promptlab.predictors.truncation",
    "solve": "promptlab.predictors.strategy",
}

if not TYPE_CHECKING:
    __getattr__ = lazy_getattr(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
