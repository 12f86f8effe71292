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
    from promptlab.batch.file import predict_file, write_rows
    from promptlab.batch.prediction import BatchPrediction
    from promptlab.batch.records import guess_columns
    from promptlab.cancellation import Cancellation, Cancelled
    from promptlab.catalog import load_template, tasks, templates
    from promptlab.catalog.own import Library
    from promptlab.classifier import PromptClassifier
    from promptlab.clusters import cluster_failures
    from promptlab.datasets import load_task
    from promptlab.decoding import Decoding
    from promptlab.demonstrations import DemonstrationChoice
    from promptlab.ensemble.cascade import Cascade
    from promptlab.ensemble.ensemble import Ensemble
    from promptlab.errors import InputError, PromptlabError, WorkError
    from promptlab.evaluation import Evaluation
    from promptlab.events import Event, Events, Phase, StudyStarted
    from promptlab.example import Example
    from promptlab.failures import FailureLog
    from promptlab.generator import PromptGenerator
    from promptlab.grid import Grid, PairedTest, paired_tests
    from promptlab.kinds.estimators import FineTuned, Head, Prefix, SoftPrompt, Triggers
    from promptlab.kinds.kind import kind_names, kind_schema
    from promptlab.models.convert import model_names
    from promptlab.models.filling import fill_words
    from promptlab.models.language_model import LanguageModel
    from promptlab.models.pool import load_model
    from promptlab.models.standing import standings
    from promptlab.models.tokens import Token
    from promptlab.outside_text import json_lines, json_text, make_printable
    from promptlab.own_code import allow_code
    from promptlab.parser_settings import parser_from_settings
    from promptlab.pinned import data_set_facts, data_set_names
    from promptlab.predictions import Prediction, Predictions
    from promptlab.predictor import Predictor, load
    from promptlab.prompt import Prompt
    from promptlab.readers import read_rows
    from promptlab.rendering import isolate_rendering
    from promptlab.rescoring import Rescorer
    from promptlab.spreadsheet import csv_text, spreadsheet_safe
    from promptlab.strategies.chain import Chain, Step
    from promptlab.strategies.consistency import SelfConsistency
    from promptlab.strategies.decomposition import SpanDecomposition
    from promptlab.strategies.judgement import Judgement
    from promptlab.strategies.knowledge import GeneratedKnowledge
    from promptlab.strategies.retrieval import Retrieval
    from promptlab.strategies.search import Search
    from promptlab.strategies.thought import ChainOfThought
    from promptlab.strategies.thoughts import Thoughts
    from promptlab.strategies.tree import TreeOfThoughts
    from promptlab.strategy import solve
    from promptlab.study.comparison import (
        Change,
        StudyComparison,
        StudyPair,
        StudyRow,
        compare_studies,
    )
    from promptlab.study.curve_run import CurveRun
    from promptlab.study.curve_spec import CurveSpec
    from promptlab.study.estimate import estimate_study
    from promptlab.study.group_cost import Estimate
    from promptlab.study.places import parse_yaml
    from promptlab.study.policy import StudyPolicy
    from promptlab.study.proposal import propose
    from promptlab.study.run import StudyRun
    from promptlab.study.spec import StudySpec, build_spec, read_spec, shipped_studies
    from promptlab.study.study import Study
    from promptlab.study.text import Complaint, read_study, study_complaints
    from promptlab.study.verdict import study_verdict
    from promptlab.task import Task
    from promptlab.template import Demonstration, Template
    from promptlab.trace import Trace
    from promptlab.tuning.explanation import explain
    from promptlab.verbalizer import Verbalizer
    from promptlab.window import render_within

__version__ = "0.1.0"

__all__ = [
    "BatchPrediction",
    "Cancellation",
    "Cancelled",
    "Cascade",
    "Chain",
    "ChainOfThought",
    "Change",
    "Complaint",
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
    "FineTuned",
    "GeneratedKnowledge",
    "Grid",
    "Head",
    "InputError",
    "Judgement",
    "LanguageModel",
    "Library",
    "PairedTest",
    "Phase",
    "Prediction",
    "Predictions",
    "Predictor",
    "Prefix",
    "Prompt",
    "PromptClassifier",
    "PromptGenerator",
    "PromptlabError",
    "Rescorer",
    "Retrieval",
    "Search",
    "SelfConsistency",
    "SoftPrompt",
    "SpanDecomposition",
    "Step",
    "Study",
    "StudyComparison",
    "StudyPair",
    "StudyPolicy",
    "StudyRow",
    "StudyRun",
    "StudySpec",
    "StudyStarted",
    "Task",
    "Template",
    "Thoughts",
    "Token",
    "Trace",
    "TreeOfThoughts",
    "Triggers",
    "Verbalizer",
    "WorkError",
    "allow_code",
    "build_spec",
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
    "load_task",
    "load_template",
    "make_printable",
    "model_names",
    "paired_tests",
    "parse_yaml",
    "parser_from_settings",
    "predict_file",
    "propose",
    "read_rows",
    "read_spec",
    "read_study",
    "render_within",
    "shipped_studies",
    "solve",
    "spreadsheet_safe",
    "standings",
    "study_complaints",
    "study_verdict",
    "tasks",
    "templates",
    "write_rows",
]

_HOMES = {
    "BatchPrediction": "promptlab.batch.prediction",
    "Cancellation": "promptlab.cancellation",
    "Cancelled": "promptlab.cancellation",
    "Cascade": "promptlab.ensemble.cascade",
    "Chain": "promptlab.strategies.chain",
    "ChainOfThought": "promptlab.strategies.thought",
    "Change": "promptlab.study.comparison",
    "Complaint": "promptlab.study.text",
    "CurveRun": "promptlab.study.curve_run",
    "CurveSpec": "promptlab.study.curve_spec",
    "Decoding": "promptlab.decoding",
    "Demonstration": "promptlab.template",
    "DemonstrationChoice": "promptlab.demonstrations",
    "Ensemble": "promptlab.ensemble.ensemble",
    "Estimate": "promptlab.study.group_cost",
    "Evaluation": "promptlab.evaluation",
    "Event": "promptlab.events",
    "Events": "promptlab.events",
    "Example": "promptlab.example",
    "FailureLog": "promptlab.failures",
    "FineTuned": "promptlab.kinds.estimators",
    "GeneratedKnowledge": "promptlab.strategies.knowledge",
    "Grid": "promptlab.grid",
    "Head": "promptlab.kinds.estimators",
    "InputError": "promptlab.errors",
    "Judgement": "promptlab.strategies.judgement",
    "LanguageModel": "promptlab.models.language_model",
    "Library": "promptlab.catalog.own",
    "PairedTest": "promptlab.grid",
    "Phase": "promptlab.events",
    "Prediction": "promptlab.predictions",
    "Predictions": "promptlab.predictions",
    "Predictor": "promptlab.predictor",
    "Prefix": "promptlab.kinds.estimators",
    "Prompt": "promptlab.prompt",
    "PromptClassifier": "promptlab.classifier",
    "PromptGenerator": "promptlab.generator",
    "PromptlabError": "promptlab.errors",
    "Rescorer": "promptlab.rescoring",
    "Retrieval": "promptlab.strategies.retrieval",
    "Search": "promptlab.strategies.search",
    "SelfConsistency": "promptlab.strategies.consistency",
    "SoftPrompt": "promptlab.kinds.estimators",
    "SpanDecomposition": "promptlab.strategies.decomposition",
    "Step": "promptlab.strategies.chain",
    "Study": "promptlab.study.study",
    "StudyComparison": "promptlab.study.comparison",
    "StudyPair": "promptlab.study.comparison",
    "StudyPolicy": "promptlab.study.policy",
    "StudyRow": "promptlab.study.comparison",
    "StudyRun": "promptlab.study.run",
    "StudySpec": "promptlab.study.spec",
    "StudyStarted": "promptlab.events",
    "Task": "promptlab.task",
    "Template": "promptlab.template",
    "Thoughts": "promptlab.strategies.thoughts",
    "Token": "promptlab.models.tokens",
    "Trace": "promptlab.trace",
    "TreeOfThoughts": "promptlab.strategies.tree",
    "Triggers": "promptlab.kinds.estimators",
    "Verbalizer": "promptlab.verbalizer",
    "WorkError": "promptlab.errors",
    "allow_code": "promptlab.own_code",
    "build_spec": "promptlab.study.spec",
    "cluster_failures": "promptlab.clusters",
    "compare_studies": "promptlab.study.comparison",
    "csv_text": "promptlab.spreadsheet",
    "data_set_facts": "promptlab.pinned",
    "data_set_names": "promptlab.pinned",
    "estimate_study": "promptlab.study.estimate",
    "explain": "promptlab.tuning.explanation",
    "fill_words": "promptlab.models.filling",
    "guess_columns": "promptlab.batch.records",
    "isolate_rendering": "promptlab.rendering",
    "json_lines": "promptlab.outside_text",
    "json_text": "promptlab.outside_text",
    "kind_names": "promptlab.kinds.kind",
    "kind_schema": "promptlab.kinds.kind",
    "load": "promptlab.predictor",
    "load_model": "promptlab.models.pool",
    "load_task": "promptlab.datasets",
    "load_template": "promptlab.catalog",
    "make_printable": "promptlab.outside_text",
    "model_names": "promptlab.models.convert",
    "paired_tests": "promptlab.grid",
    "parse_yaml": "promptlab.study.places",
    "parser_from_settings": "promptlab.parser_settings",
    "predict_file": "promptlab.batch.file",
    "propose": "promptlab.study.proposal",
    "read_rows": "promptlab.readers",
    "read_spec": "promptlab.study.spec",
    "read_study": "promptlab.study.text",
    "render_within": "promptlab.window",
    "shipped_studies": "promptlab.study.spec",
    "solve": "promptlab.strategy",
    "spreadsheet_safe": "promptlab.spreadsheet",
    "standings": "promptlab.models.standing",
    "study_complaints": "promptlab.study.text",
    "study_verdict": "promptlab.study.verdict",
    "tasks": "promptlab.catalog",
    "templates": "promptlab.catalog",
    "write_rows": "promptlab.batch.file",
}
"""The module of every public name: what the imports above say to type checkers."""

_RENAMED: dict[str, str] = {}
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
