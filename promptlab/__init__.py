"""A workbench for prompt engineering and prompt learning.

``import promptlab as pl`` is quick: names are imported when they are first used. Editors and type
checkers see all of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptlab import batch as batch
    from promptlab import candidates as candidates
    from promptlab import data as data
    from promptlab import errors as errors
    from promptlab import evaluation as evaluation
    from promptlab import events as events
    from promptlab import library as library
    from promptlab import models as models
    from promptlab import predictors as predictors
    from promptlab import prompts as prompts
    from promptlab import security as security
    from promptlab import strategies as strategies
    from promptlab import study as study
    from promptlab.cancellation import Cancellation
    from promptlab.data.example import Example
    from promptlab.data.load_task import load_task
    from promptlab.data.task import Task
    from promptlab.errors import InputError, PromptlabError
    from promptlab.estimators.builtin import (
        FineTuner,
        HeadTuner,
        PrefixTuner,
        SoftPromptTuner,
        TriggerSearch,
    )
    from promptlab.evaluation.evaluation import Evaluation
    from promptlab.evaluation.predictions import Prediction, Predictions
    from promptlab.library.library import TemplateLibrary
    from promptlab.library.sources import load_template, templates
    from promptlab.models.base import LanguageModel
    from promptlab.models.pool import load_model
    from promptlab.predictors.base import Predictor, load
    from promptlab.predictors.classifier import PromptClassifier
    from promptlab.predictors.demonstrations.choice import DemonstrationConfig
    from promptlab.predictors.ensemble.cascade import Cascade
    from promptlab.predictors.ensemble.ensemble import Ensemble
    from promptlab.predictors.generator import PromptGenerator
    from promptlab.prompts.decoding import Decoding
    from promptlab.prompts.parsers.parsers import (
        ChoiceParser,
        JsonParser,
        NumberParser,
        RegexParser,
        TextParser,
    )
    from promptlab.prompts.prompt import Prompt
    from promptlab.prompts.template import Template
    from promptlab.prompts.verbalizer import Verbalizer
    from promptlab.strategies.chain import Chain
    from promptlab.strategies.chain_of_thought.strategy import ChainOfThought
    from promptlab.strategies.generated_knowledge import GeneratedKnowledge
    from promptlab.strategies.retrieval import Retrieval
    from promptlab.strategies.self_consistency.strategy import SelfConsistency
    from promptlab.strategies.span_decomposition.strategy import SpanDecomposition
    from promptlab.strategies.tree_of_thoughts.strategy import TreeOfThoughts
    from promptlab.study.comparison import compare_studies
    from promptlab.study.estimate.estimate import estimate_study
    from promptlab.study.improvement import optimize_prompt
    from promptlab.study.proposal.proposal import propose_study
    from promptlab.study.spec.load import load_spec
    from promptlab.study.start import run_study
    from promptlab.study.study import Study
    from promptlab.tuning.explanation import explain

__version__ = "0.2.0"

__all__ = [
    "Cancellation",
    "Cascade",
    "Chain",
    "ChainOfThought",
    "ChoiceParser",
    "Decoding",
    "DemonstrationConfig",
    "Ensemble",
    "Evaluation",
    "Example",
    "FineTuner",
    "GeneratedKnowledge",
    "HeadTuner",
    "InputError",
    "JsonParser",
    "LanguageModel",
    "NumberParser",
    "Prediction",
    "Predictions",
    "Predictor",
    "PrefixTuner",
    "Prompt",
    "PromptClassifier",
    "PromptGenerator",
    "PromptlabError",
    "RegexParser",
    "Retrieval",
    "SelfConsistency",
    "SoftPromptTuner",
    "SpanDecomposition",
    "Study",
    "Task",
    "Template",
    "TemplateLibrary",
    "TextParser",
    "TreeOfThoughts",
    "TriggerSearch",
    "Verbalizer",
    "compare_studies",
    "estimate_study",
    "explain",
    "load",
    "load_model",
    "load_spec",
    "load_task",
    "load_template",
    "optimize_prompt",
    "propose_study",
    "run_study",
    "templates",
]

_HOMES = {
    "Cancellation": "promptlab.cancellation",
    "Cascade": "promptlab.predictors.ensemble.cascade",
    "Chain": "promptlab.strategies.chain",
    "ChainOfThought": "promptlab.strategies.chain_of_thought.strategy",
    "ChoiceParser": "promptlab.prompts.parsers.parsers",
    "Decoding": "promptlab.prompts.decoding",
    "DemonstrationConfig": "promptlab.predictors.demonstrations.choice",
    "Ensemble": "promptlab.predictors.ensemble.ensemble",
    "Evaluation": "promptlab.evaluation.evaluation",
    "Example": "promptlab.data.example",
    "FineTuner": "promptlab.estimators.builtin",
    "GeneratedKnowledge": "promptlab.strategies.generated_knowledge",
    "HeadTuner": "promptlab.estimators.builtin",
    "InputError": "promptlab.errors",
    "JsonParser": "promptlab.prompts.parsers.parsers",
    "LanguageModel": "promptlab.models.base",
    "NumberParser": "promptlab.prompts.parsers.parsers",
    "Prediction": "promptlab.evaluation.predictions",
    "Predictions": "promptlab.evaluation.predictions",
    "Predictor": "promptlab.predictors.base",
    "PrefixTuner": "promptlab.estimators.builtin",
    "Prompt": "promptlab.prompts.prompt",
    "PromptClassifier": "promptlab.predictors.classifier",
    "PromptGenerator": "promptlab.predictors.generator",
    "PromptlabError": "promptlab.errors",
    "RegexParser": "promptlab.prompts.parsers.parsers",
    "Retrieval": "promptlab.strategies.retrieval",
    "SelfConsistency": "promptlab.strategies.self_consistency.strategy",
    "SoftPromptTuner": "promptlab.estimators.builtin",
    "SpanDecomposition": "promptlab.strategies.span_decomposition.strategy",
    "Study": "promptlab.study.study",
    "Task": "promptlab.data.task",
    "Template": "promptlab.prompts.template",
    "TemplateLibrary": "promptlab.library.library",
    "TextParser": "promptlab.prompts.parsers.parsers",
    "TreeOfThoughts": "promptlab.strategies.tree_of_thoughts.strategy",
    "TriggerSearch": "promptlab.estimators.builtin",
    "Verbalizer": "promptlab.prompts.verbalizer",
    "compare_studies": "promptlab.study.comparison",
    "estimate_study": "promptlab.study.estimate.estimate",
    "explain": "promptlab.tuning.explanation",
    "load": "promptlab.predictors.base",
    "load_model": "promptlab.models.pool",
    "load_spec": "promptlab.study.spec.load",
    "load_task": "promptlab.data.load_task",
    "load_template": "promptlab.library.sources",
    "propose_study": "promptlab.study.proposal.proposal",
    "optimize_prompt": "promptlab.study.improvement",
    "run_study": "promptlab.study.start",
    "templates": "promptlab.library.sources",
}
"""The module of every public name: what the imports above say to type checkers."""

_PUBLIC_MODULES = (
    "batch",
    "candidates",
    "data",
    "errors",
    "evaluation",
    "events",
    "library",
    "models",
    "predictors",
    "prompts",
    "security",
    "strategies",
    "study",
)
"""Subpackages and modules that are part of the public face, each with an ``__all__``."""

_RENAMED = {
    "BatchPrediction": "promptlab.batch.BatchPrediction",
    "Cancelled": "promptlab.errors.Cancelled",
    "Change": "promptlab.study.SettingChange",
    "Complaint": "promptlab.errors.ValidationIssue",
    "CurveRun": "promptlab.study.CurveRun",
    "CurveSpec": "promptlab.study.CurveSpec",
    "Demonstration": "promptlab.predictors.Demonstration",
    "DemonstrationChoice": "promptlab.DemonstrationConfig",
    "Estimate": "promptlab.study.Estimate",
    "Event": "promptlab.events.Event",
    "Events": "promptlab.events.Events",
    "FailureLog": "promptlab.evaluation.FailureLog",
    "FineTuned": "promptlab.FineTuner",
    "Grid": "promptlab.predictors.ComparisonGrid",
    "Head": "promptlab.HeadTuner",
    "Judgement": "promptlab.strategies.StateEvaluator",
    "Library": "promptlab.TemplateLibrary",
    "PairedTest": "promptlab.predictors.PairedTest",
    "Phase": "promptlab.events.Phase",
    "Prefix": "promptlab.PrefixTuner",
    "Rescorer": "promptlab.predictors.Rescorer",
    "Search": "promptlab.strategies.TreeSearch",
    "SoftPrompt": "promptlab.SoftPromptTuner",
    "Step": "promptlab.strategies.ChainStep",
    "StudyComparison": "promptlab.study.StudyComparison",
    "StudyPair": "promptlab.study.StudyComparisonPair",
    "StudyPolicy": "promptlab.study.StudyPolicy",
    "StudyRow": "promptlab.study.StudySummary",
    "StudyRun": "promptlab.study.StudyRun",
    "StudySpec": "promptlab.study.StudySpec",
    "StudyStarted": "promptlab.events.StudyStarted",
    "Thoughts": "promptlab.strategies.ThoughtGenerator",
    "Token": "promptlab.models.Token",
    "Trace": "promptlab.evaluation.Trace",
    "Triggers": "promptlab.TriggerSearch",
    "WorkError": "promptlab.errors.WorkError",
    "allow_code": "promptlab.security.allow_code",
    "build_spec": "promptlab.load_spec",
    "cluster_failures": "promptlab.evaluation.cluster_failures",
    "csv_text": "promptlab.batch.csv_text",
    "data_set_facts": "promptlab.data.data_set_facts",
    "data_set_names": "promptlab.data.data_set_names",
    "fill_words": "promptlab.models.fill_words",
    "guess_columns": "promptlab.batch.guess_columns",
    "isolate_rendering": "promptlab.prompts.isolate_rendering",
    "json_lines": "promptlab.security.json_lines",
    "json_text": "promptlab.security.json_text",
    "kind_names": "promptlab.candidates.kind_names",
    "kind_schema": "promptlab.candidates.kind_schema",
    "make_printable": "promptlab.security.make_printable",
    "model_names": "promptlab.models.model_names",
    "paired_tests": "promptlab.predictors.paired_tests",
    "parse_yaml": "promptlab.study.parse_yaml",
    "parser_from_settings": "promptlab.prompts.parser_from_settings",
    "predict_file": "promptlab.batch.predict_file",
    "propose": "promptlab.propose_study",
    "read_rows": "promptlab.data.read_rows",
    "read_spec": "promptlab.load_spec",
    "read_study": "promptlab.load_spec",
    "render_within": "promptlab.predictors.render_truncated",
    "shipped_studies": "promptlab.study.shipped_studies",
    "solve": "promptlab.predictors.solve",
    "spreadsheet_safe": "promptlab.batch.spreadsheet_safe",
    "standings": "promptlab.models.rank_answer",
    "study_complaints": "promptlab.study.validate_study",
    "study_verdict": "promptlab.study.study_verdict",
    "tasks": "promptlab.library.tasks",
    "write_rows": "promptlab.batch.write_rows",
}
"""Public names of the version before, and what they are called now; they work with a warning."""


def lazy_getattr(
    package: str,
    homes: Mapping[str, str],
    renamed: Mapping[str, str] | None = None,
    modules: Collection[str] = (),
) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package whose names are imported when they are first used.

    Args:
        package: The package's full name.
        homes: The module of every public name.
        renamed: Names of the version before, with the full names that took their place.
        modules: Modules of the package that are imported when they are first used.
    """

    def get(name: str) -> Any:
        if name in homes:
            return getattr(import_module(homes[name]), name)
        if name in modules:
            return import_module(f"{package}.{name}")
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
    __getattr__ = lazy_getattr(__name__, _HOMES, _RENAMED, _PUBLIC_MODULES)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
