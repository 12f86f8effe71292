"""DSPy beside everything else: the local engine as its model, its programs as candidates.

``dspy_lm`` makes a ``dspy.LM`` of a promptlab model, `ScoringAdapter` scores a signature's
choices, `DspyProgram` is a DSPy program as a predictor, `as_dspy_module` a predictor as a part of
a DSPy program, `trace_steps` keeps what a program asked. DSPy is imported when one of them is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptlab import lazy_getattr

if TYPE_CHECKING:
    from promptlab.interop.dspy.adapter import ScoringAdapter
    from promptlab.interop.dspy.engine import AsyncPromptlabEngine, PromptlabEngine, dspy_lm
    from promptlab.interop.dspy.module import as_dspy_module
    from promptlab.interop.dspy.optimizer import Optimizer
    from promptlab.interop.dspy.program import DspyProgram, dspy_program
    from promptlab.interop.dspy.state import export_program, import_program
    from promptlab.interop.dspy.tracing import trace_steps

_HOMES = {
    "AsyncPromptlabEngine": "promptlab.interop.dspy.engine",
    "DspyProgram": "promptlab.interop.dspy.program",
    "Optimizer": "promptlab.interop.dspy.optimizer",
    "PromptlabEngine": "promptlab.interop.dspy.engine",
    "ScoringAdapter": "promptlab.interop.dspy.adapter",
    "as_dspy_module": "promptlab.interop.dspy.module",
    "dspy_lm": "promptlab.interop.dspy.engine",
    "dspy_program": "promptlab.interop.dspy.program",
    "export_program": "promptlab.interop.dspy.state",
    "import_program": "promptlab.interop.dspy.state",
    "trace_steps": "promptlab.interop.dspy.tracing",
}

__all__ = [
    "AsyncPromptlabEngine",
    "DspyProgram",
    "Optimizer",
    "PromptlabEngine",
    "ScoringAdapter",
    "as_dspy_module",
    "dspy_lm",
    "dspy_program",
    "export_program",
    "import_program",
    "trace_steps",
]


if not TYPE_CHECKING:  # else every misspelt name would have a type
    __getattr__ = lazy_getattr(
        __name__, _HOMES, {"traced": "promptlab.interop.dspy.tracing.trace_steps"}
    )
