"""The documented place of `Problem` in version 0.1; goes in the next version."""

import warnings

from promptlab.strategies.tree_of_thoughts.problem import Problem

__all__ = ["Problem"]

warnings.warn(
    "promptlab.strategies.problem is promptlab.strategies.tree_of_thoughts.problem now; import "
    "Problem from promptlab.strategies",
    DeprecationWarning,
    stacklevel=2,
)
