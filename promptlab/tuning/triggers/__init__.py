"""Discrete trigger tokens found by gradient: one search, three ways to propose candidates.

`find_trigger` is the whole way; helpful, towards a label, or adversarial.
"""

from promptlab.tuning.triggers.config import Recipe
from promptlab.tuning.triggers.objective import ScoredTriggers
from promptlab.tuning.triggers.run import Hunt, find_trigger

__all__ = ["Hunt", "Recipe", "ScoredTriggers", "find_trigger"]
