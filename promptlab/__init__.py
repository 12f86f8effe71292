"""A workbench for prompt engineering and prompt learning.

``import promptlab as pl`` is quick: names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "BatchPrediction": "batch.prediction",
    "Cancellation": "cancellation",
    "Cancelled": "cancellation",
    "Cascade": "ensemble.cascade",
    "Chain": "strategies.chain",
    "ChainOfThought": "strategies.thought",
    "CurveRun": "study.curve_run",
    "CurveSpec": "study.curve_spec",
    "Decoding": "decoding",
    "Demonstration": "template",
    "DemonstrationChoice": "demonstrations",
    "Ensemble": "ensemble.ensemble",
    "Evaluation": "evaluation",
    "Event": "events",
    "Events": "events",
    "Example": "example",
    "FailureLog": "failures",
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
    "RemoteModel": "models.remote.model",
    "Retrieval": "strategies.retrieval",
    "SelfConsistency": "strategies.consistency",
    "SoftPrompt": "kinds.estimators",
    "SpanDecomposition": "strategies.decomposition",
    "Step": "strategies.chain",
    "StudyRun": "study.run",
    "StudySpec": "study.spec",
    "StudyStarted": "events",
    "Task": "task",
    "Template": "template",
    "TreeOfThoughts": "strategies.tree",
    "Triggers": "kinds.estimators",
    "Verbalizer": "verbalizer",
    "WorkError": "errors",
    "build_spec": "study.spec",
    "cluster_failures": "clusters",
    "data_set_names": "datasets",
    "delete_template": "library_file",
    "explain": "tuning.explanation",
    "export_templates": "library_exchange",
    "guess_columns": "batch.records",
    "import_templates": "library_exchange",
    "load": "predictor",
    "load_model": "models.pool",
    "load_task": "datasets",
    "load_template": "catalog",
    "model_names": "models.convert",
    "parse_yaml": "study.places",
    "predict_file": "batch.file",
    "read_leaderboard": "study.folder",
    "read_rows": "readers",
    "read_spec": "study.spec",
    "read_steps": "study.steps",
    "rename_template": "library_file",
    "save_template": "library_file",
    "shipped_studies": "study.spec",
    "spreadsheet_safe": "spreadsheet",
    "tasks": "catalog",
    "templates": "catalog",
    "write_rows": "batch.file",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"promptlab.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'promptlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
