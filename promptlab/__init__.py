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
    "Change": "study.comparison",
    "ChainOfThought": "strategies.thought",
    "Complaint": "study.text",
    "CurveRun": "study.curve_run",
    "CurveSpec": "study.curve_spec",
    "Decoding": "decoding",
    "Demonstration": "template",
    "DemonstrationChoice": "demonstrations",
    "Ensemble": "ensemble.ensemble",
    "Estimate": "study.group_cost",
    "Evaluation": "evaluation",
    "Event": "events",
    "Events": "events",
    "Example": "example",
    "FailureLog": "failures",
    "FineTuned": "kinds.estimators",
    "GeneratedKnowledge": "strategies.knowledge",
    "Grid": "grid",
    "Head": "kinds.estimators",
    "InputError": "errors",
    "Judgement": "strategies.judgement",
    "LanguageModel": "models.language_model",
    "Library": "catalog.own",
    "PairedTest": "grid",
    "Phase": "events",
    "Prediction": "predictions",
    "Predictions": "predictions",
    "Predictor": "predictor",
    "Prefix": "kinds.estimators",
    "Prompt": "prompt",
    "PromptClassifier": "classifier",
    "PromptGenerator": "generator",
    "PromptlabError": "errors",
    "Rescorer": "rescoring",
    "Retrieval": "strategies.retrieval",
    "Search": "strategies.search",
    "SelfConsistency": "strategies.consistency",
    "SoftPrompt": "kinds.estimators",
    "SpanDecomposition": "strategies.decomposition",
    "Step": "strategies.chain",
    "Study": "study.study",
    "StudyComparison": "study.comparison",
    "StudyPolicy": "study.policy",
    "StudyPair": "study.comparison",
    "StudyRow": "study.comparison",
    "StudyRun": "study.run",
    "StudySpec": "study.spec",
    "StudyStarted": "events",
    "Task": "task",
    "Template": "template",
    "Thoughts": "strategies.thoughts",
    "Token": "models.tokens",
    "Trace": "trace",
    "TreeOfThoughts": "strategies.tree",
    "Triggers": "kinds.estimators",
    "Verbalizer": "verbalizer",
    "WorkError": "errors",
    "allow_code": "own_code",
    "build_spec": "study.spec",
    "cluster_failures": "clusters",
    "compare_studies": "study.comparison",
    "csv_text": "spreadsheet",
    "data_set_facts": "pinned",
    "data_set_names": "pinned",
    "estimate_study": "study.estimate",
    "explain": "tuning.explanation",
    "fill_words": "models.filling",
    "guess_columns": "batch.records",
    "isolate_rendering": "rendering",
    "json_lines": "outside_text",
    "json_text": "outside_text",
    "kind_names": "kinds.kind",
    "kind_schema": "kinds.kind",
    "load": "predictor",
    "load_model": "models.pool",
    "load_task": "datasets",
    "load_template": "catalog",
    "make_printable": "outside_text",
    "model_names": "models.convert",
    "paired_tests": "grid",
    "parse_yaml": "study.places",
    "parser_from_settings": "parser_settings",
    "predict_file": "batch.file",
    "propose": "study.proposal",
    "read_rows": "readers",
    "read_spec": "study.spec",
    "read_study": "study.text",
    "render_within": "window",
    "shipped_studies": "study.spec",
    "solve": "strategy",
    "spreadsheet_safe": "spreadsheet",
    "standings": "models.standing",
    "study_complaints": "study.text",
    "study_verdict": "study.verdict",
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
