"""Discrete trigger tokens found by gradient: one search, three ways to propose candidates.

`find_trigger` is the whole way; helpful, towards a label, or adversarial.
"""

from promptlab.tuning.triggers.hunt import Hunt, find_trigger
from promptlab.tuning.triggers.recipe import Recipe
from promptlab.tuning.triggers.scored import ScoredTriggers

__all__ = ["Hunt", "Recipe", "ScoredTriggers", "find_trigger"]
