"""Discrete trigger tokens found by gradient: one search, three ways to propose candidates.

`find_trigger` is the whole way; helpful, towards a label, or adversarial.
"""

from promptlab.tuning.triggers.config import TriggerSearchConfig
from promptlab.tuning.triggers.objective import TriggerObjective
from promptlab.tuning.triggers.run import TriggerSearchRun, find_trigger

__all__ = ["TriggerObjective", "TriggerSearchConfig", "TriggerSearchRun", "find_trigger"]
