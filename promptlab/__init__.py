"""A workbench for prompt engineering and prompt learning.

``import promptlab as pl`` is quick: names are imported when they are first used. Editors and type
checkers see all of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptlab.batch.input import guess_columns
    from promptlab.batch.predict_file import predict_file, write_rows
    from promptlab.batch.prediction import BatchPrediction
    from promptlab.cancellation import Cancellation, Cancelled
    from promptlab.candidates.base import kind_names, kind_schema
    from promptlab.data.builtin import data_set_facts, data_set_names
    from promptlab.data.example import Example
    from promptlab.data.load_task import load_task
    from promptlab.data.readers import read_rows
    from promptlab.data.task import Task
    from promptlab.errors import InputError, PromptlabError, ValidationIssue, WorkError
    from promptlab.estimators.builtin import (
        FineTuner,
        HeadTuner,
        PrefixTuner,
        SoftPromptTuner,
        TriggerSearch,
    )
    from promptlab.evaluation.evaluation import Evaluation
    from promptlab.evaluation.failure_clusters import cluster_failures
    from promptlab.evaluation.failure_log import FailureLog
    from promptlab.evaluation.predictions import Prediction, Predictions
    from promptlab.evaluation.trace import Trace
    from promptlab.events import Event, Events, Phase, StudyStarted
    from promptlab.files.code_permission import allow_code
    from promptlab.files.safe_yaml import parse_yaml
    from promptlab.files.spreadsheet import csv_text, spreadsheet_safe
    from promptlab.library import load_template, tasks, templates
    from promptlab.library.library import Library
    from promptlab.models.base import LanguageModel
    from promptlab.models.builtin import model_names
    from promptlab.models.fill_words import fill_words, standings
    from promptlab.models.pool import load_model
    from promptlab.models.token_view import Token
    from promptlab.predictors.base import Predictor, load
    from promptlab.predictors.classifier import PromptClassifier
    from promptlab.predictors.comparison_grid import Grid, PairedTest, paired_tests
    from promptlab.predictors.demonstrations.choice import DemonstrationChoice
    from promptlab.predictors.ensemble.cascade import Cascade
    from promptlab.predictors.ensemble.ensemble import Ensemble
    from promptlab.predictors.generator import PromptGenerator
    from promptlab.predictors.rescoring import Rescorer
    from promptlab.predictors.strategy import solve
    from promptlab.predictors.truncation import render_within
    from promptlab.prompts.decoding import Decoding
    from promptlab.prompts.jinja.isolated import isolate_rendering
    from promptlab.prompts.parsers.parsers import parser_from_settings
    from promptlab.prompts.prompt import Prompt
    from promptlab.prompts.template import Demonstration, Template
    from promptlab.prompts.verbalizer import Verbalizer
    from promptlab.security.untrusted_text import json_lines, json_text, make_printable
    from promptlab.strategies.chain import Chain, Step
    from promptlab.strategies.chain_of_thought.strategy import ChainOfThought
    from promptlab.strategies.generated_knowledge import GeneratedKnowledge
    from promptlab.strategies.retrieval import Retrieval
    from promptlab.strategies.self_consistency.strategy import SelfConsistency
    from promptlab.strategies.span_decomposition.strategy import SpanDecomposition
    from promptlab.strategies.tree_of_thoughts.evaluation import Judgement
    from promptlab.strategies.tree_of_thoughts.search import Search
    from promptlab.strategies.tree_of_thoughts.strategy import TreeOfThoughts
    from promptlab.strategies.tree_of_thoughts.thoughts import Thoughts
    from promptlab.study.comparison import (
        SettingChange,
        StudyComparison,
        StudyComparisonPair,
        StudySummary,
        compare_studies,
    )
    from promptlab.study.decision.verdict import study_verdict
    from promptlab.study.estimate.cost_range import Estimate
    from promptlab.study.estimate.estimate import estimate_study
    from promptlab.study.learning_curve.run import CurveRun
    from promptlab.study.proposal.proposal import propose_study
    from promptlab.study.run import StudyRun
    from promptlab.study.spec.check import validate_study
    from promptlab.study.spec.curve_spec import CurveSpec
    from promptlab.study.spec.load import load_spec, shipped_studies
    from promptlab.study.spec.policy import StudyPolicy
    from promptlab.study.spec.spec import StudySpec
    from promptlab.study.study import Study
    from promptlab.tuning.explanation import explain

__version__ = "0.2.0"

__all__ = [
    "BatchPrediction",
    "Cancellation",
    "Cancelled",
    "Cascade",
    "Chain",
    "ChainOfThought",
    "CurveRun",
    "CurveSpec",
    "Decoding",
    "Demonstration",
    "DemonstrationChoice",
    "Ensemble",
    "Estimate",
    "Evaluation",
    "Event",
    "Events",
    "Example",
    "FailureLog",
    "FineTuner",
    "GeneratedKnowledge",
    "Grid",
    "HeadTuner",
    "InputError",
    "Judgement",
    "LanguageModel",
    "Library",
    "PairedTest",
    "Phase",
    "Prediction",
    "Predictions",
    "Predictor",
    "PrefixTuner",
    "Prompt",
    "PromptClassifier",
    "PromptGenerator",
    "PromptlabError",
    "Rescorer",
    "Retrieval",
    "Search",
    "SelfConsistency",
    "SettingChange",
    "SoftPromptTuner",
    "SpanDecomposition",
    "Step",
    "Study",
    "StudyComparison",
    "StudyComparisonPair",
    "StudyPolicy",
    "StudyRun",
    "StudySpec",
    "StudyStarted",
    "StudySummary",
    "Task",
    "Template",
    "Thoughts",
    "Token",
    "Trace",
    "TreeOfThoughts",
    "TriggerSearch",
    "ValidationIssue",
    "Verbalizer",
    "WorkError",
    "allow_code",
    "cluster_failures",
    "compare_studies",
    "csv_text",
    "data_set_facts",
    "data_set_names",
    "estimate_study",
    "explain",
    "fill_words",
    "guess_columns",
    "isolate_rendering",
    "json_lines",
    "json_text",
    "kind_names",
    "kind_schema",
    "load",
    "load_model",
    "load_spec",
    "load_task",
    "load_template",
    "make_printable",
    "model_names",
    "paired_tests",
    "parse_yaml",
    "parser_from_settings",
    "predict_file",
    "propose_study",
    "read_rows",
    "render_within",
    "shipped_studies",
    "solve",
    "spreadsheet_safe",
    "standings",
    "study_verdict",
    "tasks",
    "templates",
    "validate_study",
    "write_rows",
]

_HOMES = {
    "BatchPrediction": "promptlab.batch.prediction",
    "Cancellation": "promptlab.cancellation",
    "Cancelled": "promptlab.cancellation",
    "Cascade": "promptlab.predictors.ensemble.cascade",
    "Chain": "promptlab.strategies.chain",
    "ChainOfThought": "promptlab.strategies.chain_of_thought.strategy",
    "CurveRun": "promptlab.study.learning_curve.run",
    "CurveSpec": "promptlab.study.spec.curve_spec",
    "Decoding": "promptlab.prompts.decoding",
    "Demonstration": "promptlab.prompts.template",
    "DemonstrationChoice": "promptlab.predictors.demonstrations.choice",
    "Ensemble": "promptlab.predictors.ensemble.ensemble",
    "Estimate": "promptlab.study.estimate.cost_range",
    "Evaluation": "promptlab.evaluation.evaluation",
    "Event": "promptlab.events",
    "Events": "promptlab.events",
    "Example": "promptlab.data.example",
    "FailureLog": "promptlab.evaluation.failure_log",
    "FineTuner": "promptlab.estimators.builtin",
    "GeneratedKnowledge": "promptlab.strategies.generated_knowledge",
    "Grid": "promptlab.predictors.comparison_grid",
    "HeadTuner": "promptlab.estimators.builtin",
    "InputError": "promptlab.errors",
    "Judgement": "promptlab.strategies.tree_of_thoughts.evaluation",
    "LanguageModel": "promptlab.models.base",
    "Library": "promptlab.library.library",
    "PairedTest": "promptlab.predictors.comparison_grid",
    "Phase": "promptlab.events",
    "Prediction": "promptlab.evaluation.predictions",
    "Predictions": "promptlab.evaluation.predictions",
    "Predictor": "promptlab.predictors.base",
    "PrefixTuner": "promptlab.estimators.builtin",
    "Prompt": "promptlab.prompts.prompt",
    "PromptClassifier": "promptlab.predictors.classifier",
    "PromptGenerator": "promptlab.predictors.generator",
    "PromptlabError": "promptlab.errors",
    "Rescorer": "promptlab.predictors.rescoring",
    "Retrieval": "promptlab.strategies.retrieval",
    "Search": "promptlab.strategies.tree_of_thoughts.search",
    "SelfConsistency": "promptlab.strategies.self_consistency.strategy",
    "SettingChange": "promptlab.study.comparison",
    "SoftPromptTuner": "promptlab.estimators.builtin",
    "SpanDecomposition": "promptlab.strategies.span_decomposition.strategy",
    "Step": "promptlab.strategies.chain",
    "Study": "promptlab.study.study",
    "StudyComparison": "promptlab.study.comparison",
    "StudyComparisonPair": "promptlab.study.comparison",
    "StudyPolicy": "promptlab.study.spec.policy",
    "StudyRun": "promptlab.study.run",
    "StudySpec": "promptlab.study.spec.spec",
    "StudyStarted": "promptlab.events",
    "StudySummary": "promptlab.study.comparison",
    "Task": "promptlab.data.task",
    "Template": "promptlab.prompts.template",
    "Thoughts": "promptlab.strategies.tree_of_thoughts.thoughts",
    "Token": "promptlab.models.token_view",
    "Trace": "promptlab.evaluation.trace",
    "TreeOfThoughts": "promptlab.strategies.tree_of_thoughts.strategy",
    "TriggerSearch": "promptlab.estimators.builtin",
    "ValidationIssue": "promptlab.errors",
    "Verbalizer": "promptlab.prompts.verbalizer",
    "WorkError": "promptlab.errors",
    "allow_code": "promptlab.files.code_permission",
    "cluster_failures": "promptlab.evaluation.failure_clusters",
    "compare_studies": "promptlab.study.comparison",
    "csv_text": "promptlab.files.spreadsheet",
    "data_set_facts": "promptlab.data.builtin",
    "data_set_names": "promptlab.data.builtin",
    "estimate_study": "promptlab.study.estimate.estimate",
    "explain": "promptlab.tuning.explanation",
    "fill_words": "promptlab.models.fill_words",
    "guess_columns": "promptlab.batch.input",
    "isolate_rendering": "promptlab.prompts.jinja.isolated",
    "json_lines": "promptlab.security.untrusted_text",
    "json_text": "promptlab.security.untrusted_text",
    "kind_names": "promptlab.candidates.base",
    "kind_schema": "promptlab.candidates.base",
    "load": "promptlab.predictors.base",
    "load_model": "promptlab.models.pool",
    "load_spec": "promptlab.study.spec.load",
    "load_task": "promptlab.data.load_task",
    "load_template": "promptlab.library",
    "make_printable": "promptlab.security.untrusted_text",
    "model_names": "promptlab.models.builtin",
    "paired_tests": "promptlab.predictors.comparison_grid",
    "parse_yaml": "promptlab.files.safe_yaml",
    "parser_from_settings": "promptlab.prompts.parsers.parsers",
    "predict_file": "promptlab.batch.predict_file",
    "propose_study": "promptlab.study.proposal.proposal",
    "read_rows": "promptlab.data.readers",
    "render_within": "promptlab.predictors.truncation",
    "shipped_studies": "promptlab.study.spec.load",
    "solve": "promptlab.predictors.strategy",
    "spreadsheet_safe": "promptlab.files.spreadsheet",
    "standings": "promptlab.models.fill_words",
    "study_verdict": "promptlab.study.decision.verdict",
    "tasks": "promptlab.library",
    "templates": "promptlab.library",
    "validate_study": "promptlab.study.spec.check",
    "write_rows": "promptlab.batch.predict_file",
}
"""The module of every public name: what the imports above say to type checkers."""

_RENAMED: dict[str, str] = {
    "Change": "promptlab.study.comparison.SettingChange",
    "Complaint": "promptlab.errors.ValidationIssue",
    "FineTuned": "promptlab.estimators.builtin.FineTuner",
    "Head": "promptlab.estimators.builtin.HeadTuner",
    "Prefix": "promptlab.estimators.builtin.PrefixTuner",
    "SoftPrompt": "promptlab.estimators.builtin.SoftPromptTuner",
    "StudyPair": "promptlab.study.comparison.StudyComparisonPair",
    "StudyRow": "promptlab.study.comparison.StudySummary",
    "Triggers": "promptlab.estimators.builtin.TriggerSearch",
    "build_spec": "promptlab.study.spec.load.load_spec",
    "propose": "promptlab.study.proposal.proposal.propose_study",
    "read_spec": "promptlab.study.spec.load.load_spec",
    "read_study": "promptlab.study.spec.load.load_spec",
    "study_complaints": "promptlab.study.spec.check.validate_study",
}
"""Public names of the version before, and what they are called now; they work with a warning."""


def lazy_getattr(
    package: str, homes: Mapping[str, str], renamed: Mapping[str, str] | None = None
) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package whose names are imported when they are first used.

    Args:
        package: The package's full name.
        homes: The module of every public name.
        renamed: Names of the version before, with the full names that took their place.
    """

    def get(name: str) -> Any:
        if name in homes:
            return getattr(import_module(homes[name]), name)
        if renamed is not None and name in renamed:
            module, _, now = renamed[name].rpartition(".")
            value = getattr(import_module(module), now)
            warnings.warn(
                f"{package}.{name} is called {renamed[name]} now; the old name goes in the next "
                "version",
                DeprecationWarning,
                stacklevel=2,
            )
            return value
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get


if not TYPE_CHECKING:  # else every misspelt name would have a type
    __getattr__ = lazy_getattr(__name__, _HOMES, _RENAMED)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
