"""A workbench for prompt engineering and prompt learning.

``import promptlab as pl`` is quick: names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Cancellation": "cancellation",
    "Cancelled": "cancellation",
    "Cascade": "ensemble.cascade",
    "Chain": "strategies.chain",
    "ChainOfThought": "strategies.thought",
    "Decoding": "decoding",
    "Demonstration": "template",
    "DemonstrationChoice": "demonstrations",
    "Ensemble": "ensemble.ensemble",
    "Events": "events",
    "Evaluation": "evaluation",
    "Example": "example",
    "FineTuned": "kinds.estimators",
    "GeneratedKnowledge": "strategies.knowledge",
    "Head": "kinds.estimators",
    "InputError": "errors",
    "LanguageModel": "models.language_model",
    "Prediction": "predictions",
    "Predictions": "predictions",
    "Predictor": "predictor",
    "Prefix": "kinds.estimators",
    "Prompt": "prompt",
    "PromptClassifier": "classifier",
    "PromptGenerator": "generator",
    "PromptlabError": "errors",
    "Retrieval": "strategies.retrieval",
    "SelfConsistency": "strategies.consistency",
    "RemoteModel": "models.remote.model",
    "SoftPrompt": "kinds.estimators",
    "SpanDecomposition": "strategies.decomposition",
    "Step": "strategies.chain",
    "StudyRun": "study.run",
    "Task": "task",
    "Template": "template",
    "TreeOfThoughts": "strategies.tree",
    "Triggers": "kinds.estimators",
    "Verbalizer": "verbalizer",
    "WorkError": "errors",
    "data_set_names": "datasets",
    "explain": "tuning.explanation",
    "load": "predictor",
    "load_model": "models.pool",
    "load_task": "datasets",
    "load_template": "catalog",
    "model_names": "models.convert",
    "read_leaderboard": "study.folder",
    "read_steps": "study.steps",
    "spreadsheet_safe": "spreadsheet",
    "tasks": "catalog",
    "templates": "catalog",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"promptlab.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'promptlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
