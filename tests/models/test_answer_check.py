"""Answers that a model reads as one, or that are not text, are told when a classifier is made."""

from __future__ import annotations

from typing import Any

import pytest

import promptlab as pl
from promptlab.candidates.template import TemplateKind, TemplateSettings
from promptlab.data.task import Task
from promptlab.errors import StudyError, VerbalizerError
from promptlab.models.local import LocalModel
from promptlab.predictors import Rescorer

PREFIX, CLOZE = "{text} It was {mask}", "{text} It was {mask}."


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({"a": "Good", "b": "good"}, "'Good' and 'good' are the same tokens"),
        ({"a": "gōod", "b": "good"}, "are the same tokens"),
        ({"a": ["great", "good  bad"], "b": "good bad"}, "are the same tokens"),
        ({"a": ["good", "Good"], "b": "bad"}, "are the same tokens"),
        ({"a": "\U0001f600", "b": "\U0001f622"}, "outside of this model's vocabulary"),
        ({"a": "\u200b", "b": "good"}, "no tokens in this model's vocabulary"),
    ],
)
@pytest.mark.parametrize("template", [PREFIX, CLOZE])
def test_an_uncased_model(masked: LocalModel, template: str, answers: Any, told: str) -> None:
    with pytest.raises(VerbalizerError, match=told):
        pl.PromptClassifier(template, answers, masked)


def test_a_model_that_tells_letters_apart_takes_them(causal: LocalModel, seq2seq: Any) -> None:
    for model in (causal, seq2seq):
        for template in (PREFIX, CLOZE) if model is causal else (CLOZE,):
            pl.PromptClassifier(template, {"a": "good", "b": "goods"}, model)
    pl.PromptClassifier(PREFIX, {"a": "Good", "b": "good"}, causal)


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({"a": " great", "b": " bad"}, "begins with a blank.*write 'great'"),
        ({"a": "great ", "b": "bad"}, "ends with a blank.*write 'great'"),
        ({"a": "\u0120worse", "b": "good"}, "spelling of a token.*'worse'"),
        ({"a": "\u2581worse", "b": "good"}, "spelling of a token.*'worse'"),
        ({"a": "##worse", "b": "good"}, "spelling of a token.*'worse'"),
        ({"a": "worse</w>", "b": "good"}, "spelling of a token.*'worse'"),
    ],
)
@pytest.mark.parametrize("name", ["causal", "masked", "seq2seq", "gpt2"])
def test_answers_that_are_not_written_as_text(
    request: pytest.FixtureRequest, name: str, answers: Any, told: str
) -> None:
    with pytest.raises(VerbalizerError, match=told):
        pl.PromptClassifier(PREFIX, answers, request.getfixturevalue(name))


def test_a_blank_may_be_the_answers_own_where_the_template_has_none(causal: LocalModel) -> None:
    own = pl.PromptClassifier("{text} It was{mask}", {"a": " good", "b": " bad"}, causal)
    usual = pl.PromptClassifier(PREFIX, {"a": "good", "b": "bad"}, causal)
    found, wanted = (clf.predict("A film.")[0].scores for clf in (own, usual))
    assert found == pytest.approx(wanted, abs=1e-5)
    dotted = "G\u0307unju"  # the Maltese letter, taken apart, is no mark of a vocabulary
    pl.PromptClassifier(PREFIX, {"a": dotted, "b": "Mejju"}, causal)


def test_what_was_saved_is_loaded(causal: LocalModel, tmp_path: Any) -> None:
    clf = pl.PromptClassifier(PREFIX, {"a": "great", "b": "bad"}, causal)
    settings = clf.settings()
    settings["verbalizer"]["answers"]["a"] = {"great ": 1.0}
    assert pl.PromptClassifier.from_settings(settings, causal).predict(["x"]).labels


def test_a_study_tells_before_it_runs(masked: LocalModel, task: Task) -> None:
    settings = TemplateSettings(
        kind="template",
        templates=[CLOZE],
        verbalizers=[{"negative": "Bad", "positive": "bad"}],
    )
    with pytest.raises(StudyError, match="'Bad' and 'bad' are the same tokens"):
        TemplateKind(settings, task).check(masked)


def test_other_answers_of_a_rescorer_are_checked(masked: LocalModel, task: Task) -> None:
    clf = pl.PromptClassifier(CLOZE, {"negative": "bad", "positive": "good"}, masked)
    with pytest.raises(VerbalizerError, match="are the same tokens"):
        Rescorer(clf, task.dev).predict({"negative": "Bad", "positive": "bad"})
