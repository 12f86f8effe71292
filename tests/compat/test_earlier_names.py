"""Old names of members warn and lead to the new ones, on classes and on objects."""

from __future__ import annotations

import pytest

import promptlab as pl
from promptlab.compat.earlier_names import earlier_names
from promptlab.evaluation import FailureLog
from promptlab.evaluation.failure import Failure
from promptlab.predictors import Rescorer
from promptlab.predictors.template_predictor import TemplatePredictor
from promptlab.prompts.prompt import Prompt
from promptlab.strategies import ChainStep

KEPT = {
    Prompt: {
        "going_on": "continued_with", "spelled": "with_trigger_words", "is_words": "is_text_only",
    },
    pl.Template: {"cue_apart": "has_separate_cue"},
    pl.Evaluation: {"of": "from_predictions", "counted": "sample_size_text"},
    Failure: {"right": "wanted_answer", "dialogues": "fine_tuning_records"},
    FailureLog: {"fine_tuning": "fine_tuning_records", "suite": "regression_records"},
    TemplatePredictor: {
        "prompt": "render_prompt", "choice": "demonstration_config",
        "neighbours": "nearest_demonstrations", "demonstrates": "has_demonstrations",
        "alone": "predict_zero_shot", "columns": "label_columns",
    },
    Rescorer: {"unread": "needs_model"},
    pl.ChainOfThought: {"prompt": "render_prompt", "answering": "answer_reader"},
    pl.SpanDecomposition: {"prompt": "render_prompt"},
    pl.Retrieval: {"shelf": "passage_index"},
    pl.GeneratedKnowledge: {"writer": "knowledge_generator"},
    ChainStep: {"answering": "answer_reader"},
}  # fmt: skip


@pytest.mark.parametrize("owner", KEPT, ids=lambda owner: owner.__name__)
def test_what_was_renamed_is_still_there(owner: type) -> None:
    for old, now in KEPT[owner].items():
        assert vars(owner)[old]._now == now


def test_an_old_name_leads_to_the_new_one() -> None:
    @earlier_names(old="new", made="build")
    class Thing:
        new = 3

        @classmethod
        def build(cls) -> Thing:
            return cls()

    with pytest.warns(DeprecationWarning, match=r"Thing.old is called new now"):
        assert Thing().old == 3  # type: ignore[attr-defined]
    with pytest.warns(DeprecationWarning, match=r"Thing.made is called build now"):
        assert isinstance(Thing.made(), Thing)  # type: ignore[attr-defined]


def test_an_old_name_of_an_object_of_ours() -> None:
    template = pl.Template("{text} It was {mask}.")
    prompt = template.render({"text": "fine"})
    with pytest.warns(DeprecationWarning, match=r"Prompt.is_words is called is_text_only now"):
        assert prompt.is_words == prompt.is_text_only  # type: ignore[attr-defined]
