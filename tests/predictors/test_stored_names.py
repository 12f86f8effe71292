"""Names of predictors in saved documents, which stay as they were written."""

from __future__ import annotations

import pytest

from promptlab.predictors.base import STORED_PREDICTORS, predictor_class, stored_name

WRITTEN = (
    "AnswerVectorClassifier", "Cascade", "Chain", "ChainOfThought", "DspyProgram", "Ensemble",
    "GeneratedKnowledge", "HeadClassifier", "MixtureClassifier", "PromptClassifier",
    "PromptGenerator",
    "PrototypeClassifier", "Retrieval", "SelfConsistency", "SpanDecomposition", "TreeOfThoughts",
)  # fmt: skip
"""What versions so far have written into ``predictor.json``."""


@pytest.mark.parametrize("name", WRITTEN)
def test_what_was_written_is_loaded_and_written_again(name: str) -> None:
    if name == "DspyProgram":
        pytest.importorskip("dspy")
    assert stored_name(predictor_class(name)) == name


def test_every_name_is_pinned() -> None:
    assert set(WRITTEN) == set(STORED_PREDICTORS)
