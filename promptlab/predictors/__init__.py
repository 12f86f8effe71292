"""What answers examples: classifiers, generators, demonstrations, ensembles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptlab import lazy_getattr

if TYPE_CHECKING:
    from promptlab.predictors.answer_vectors import AnswerVectorClassifier
    from promptlab.predictors.comparison_grid import ComparisonGrid, PairedTest, paired_tests
    from promptlab.predictors.knowledge_probe.probe import probe_knowledge
    from promptlab.predictors.knowledge_probe.relation import Fact, Relation
    from promptlab.predictors.knowledge_probe.relation_files import read_relations
    from promptlab.predictors.knowledge_probe.result import KnowledgeProbe
    from promptlab.predictors.prototypes import PrototypeClassifier
    from promptlab.predictors.rescoring import Rescorer
    from promptlab.predictors.strategy import Strategy, solve
    from promptlab.predictors.truncation import render_truncated
    from promptlab.prompts.template import Demonstration

__all__ = [
    "AnswerVectorClassifier",
    "ComparisonGrid",
    "Demonstration",
    "Fact",
    "KnowledgeProbe",
    "PairedTest",
    "PrototypeClassifier",
    "Relation",
    "Rescorer",
    "Strategy",
    "paired_tests",
    "probe_knowledge",
    "read_relations",
    "render_truncated",
    "solve",
]

_HOMES = {
    "AnswerVectorClassifier": "promptlab.predictors.answer_vectors",
    "ComparisonGrid": "promptlab.predictors.comparison_grid",
    "Demonstration": "promptlab.prompts.template",
    "Fact": "promptlab.predictors.knowledge_probe.relation",
    "KnowledgeProbe": "promptlab.predictors.knowledge_probe.result",
    "PairedTest": "promptlab.predictors.comparison_grid",
    "PrototypeClassifier": "promptlab.predictors.prototypes",
    "Relation": "promptlab.predictors.knowledge_probe.relation",
    "Rescorer": "promptlab.predictors.rescoring",
    "Strategy": "promptlab.predictors.strategy",
    "paired_tests": "promptlab.predictors.comparison_grid",
    "probe_knowledge": "promptlab.predictors.knowledge_probe.probe",
    "read_relations": "promptlab.predictors.knowledge_probe.relation_files",
    "render_truncated": "promptlab.predictors.truncation",
    "solve": "promptlab.predictors.strategy",
}

if not TYPE_CHECKING:
    __getattr__ = lazy_getattr(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
