"""The schema of each shipped predictor's settings."""

from __future__ import annotations

from promptlab.files.saved_predictor.schemas.base import SavedSchema
from promptlab.files.saved_predictor.schemas.dspy_program import DspyProgramSchema
from promptlab.files.saved_predictor.schemas.ensembles import CascadeSchema, EnsembleSchema
from promptlab.files.saved_predictor.schemas.prompts import (
    AnswerVectorClassifierSchema,
    HeadClassifierSchema,
    MixtureClassifierSchema,
    PromptClassifierSchema,
    PromptGeneratorSchema,
    PrototypeClassifierSchema,
)
from promptlab.files.saved_predictor.schemas.strategies import (
    ChainOfThoughtSchema,
    ChainSchema,
    GeneratedKnowledgeSchema,
    RetrievalSchema,
    SelfConsistencySchema,
    SpanDecompositionSchema,
)
from promptlab.files.saved_predictor.schemas.tree_of_thoughts import TreeOfThoughtsSchema

SETTINGS_SCHEMAS: dict[str, type[SavedSchema]] = {
    "AnswerVectorClassifier": AnswerVectorClassifierSchema,
    "Cascade": CascadeSchema,
    "Chain": ChainSchema,
    "ChainOfThought": ChainOfThoughtSchema,
    "DspyProgram": DspyProgramSchema,
    "Ensemble": EnsembleSchema,
    "GeneratedKnowledge": GeneratedKnowledgeSchema,
    "HeadClassifier": HeadClassifierSchema,
    "MixtureClassifier": MixtureClassifierSchema,
    "PromptClassifier": PromptClassifierSchema,
    "PromptGenerator": PromptGeneratorSchema,
    "PrototypeClassifier": PrototypeClassifierSchema,
    "Retrieval": RetrievalSchema,
    "SelfConsistency": SelfConsistencySchema,
    "SpanDecomposition": SpanDecompositionSchema,
    "TreeOfThoughts": TreeOfThoughtsSchema,
}
"""By the class name that stands in ``predictor.json``, which never changes."""
