"""The kind *answer_search*: dimensions, refusals, and searches through a study."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

import promptlab as pl
from promptlab.candidates.answer_search import AnswerSearchKind, AnswerSearchSettings
from promptlab.candidates.base import find_kind
from promptlab.data.task import Task
from promptlab.errors import CapabilityError, InputError, StudyError
from promptlab.models.local import LocalModel
from promptlab.predictors.answer_vectors import AnswerVectorClassifier
from promptlab.predictors.candidate import Candidate
from promptlab.predictors.classifier import PromptClassifier
from promptlab.predictors.prototypes import PrototypeClassifier
from promptlab.predictors.rescoring import Rescorer
from promptlab.study.report.composition import describe_answer_search, describe_composition
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from promptlab.tuning.fit_context import FitContext, FitRequest
from tests.helpers.scripted_model import ScriptedModel
from tests.helpers.study_fixtures import study_document, write_reviews

Fresh = Callable[..., LocalModel]
TEXT = "{text} It was {mask} ."
QUICK: dict[str, Any] = {"candidates": [6]}


def kind(task: Task, **given: Any) -> AnswerSearchKind:
    settings: dict[str, Any] = {"kind": "answer_search", "templates": [TEXT]}
    return AnswerSearchKind(AnswerSearchSettings(**settings | QUICK | given), task)


def candidates(made: AnswerSearchKind, count: int = 1) -> list[Candidate]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    return [made.suggest(study.ask(), "answers.") for _ in range(count)]


def test_the_kind_is_known() -> None:
    assert find_kind("answer_search") is AnswerSearchKind
    assert AnswerSearchKind.saves_fitted


def test_lists_are_dimensions_and_only_those_that_matter(task: Task) -> None:
    made = kind(
        task,
        method=["ratio", "assignment", "many_to_one", "prototypes"],
        words=[2, 3],
        ranking=["likelihood", "ratio"],
        calibration=["none", "contextual"],
    )
    settings = [candidate.settings["answer_search"] for candidate in candidates(made, 80)]
    assert {s["method"] for s in settings} == {"ratio", "assignment", "many_to_one", "prototypes"}
    assert {"method": "prototypes"} in settings
    settings = [one for one in settings if one["method"] != "prototypes"]
    for one in settings:
        assert ("aggregation" in one) == (one["method"] != "assignment")
        assert ("words" in one) == (one["method"] != "assignment")
        assert ("ranking" in one) == (one["method"] != "ratio")
        assert ("beam" in one) == (one["method"] == "many_to_one")
    assert {s["calibration"] for s in settings} == {"none", "contextual"}
    names = {candidate.name for candidate in candidates(made, 60)}
    assert any("many to one" in name and "words 3" in name for name in names)


@pytest.mark.parametrize("method", ["ratio", "assignment", "many_to_one"])
def test_what_is_found_is_a_classifier_with_notes_that_is_saved_and_loaded(
    fresh: Fresh, task: Task, tmp_path: Path, method: str
) -> None:
    model = fresh("tiny_masked")
    made = kind(task, method=[method], words=[2], calibration=["contextual"])
    made.check(model)
    fitting = FitContext("accuracy", folder=tmp_path)
    ((number, fitted),) = made.fit_many([FitRequest(7, candidates(made)[0])], model, fitting)
    assert number == 7
    assert isinstance(fitted, PromptClassifier)
    assert fitted.labels == task.labels and fitted.calibration == "contextual"
    notes = fitted.facts()["answer_search"]
    assert notes["answers"] == str(fitted.verbalizer)
    assert notes["method"] == method
    assert notes["tried"] == 1 if method == "ratio" else notes["tried"] > 10
    rows = fitted.predict(task.dev)
    assert notes["value"] == pytest.approx(sum(rows.correct) / len(rows))
    again = pl.load(fitted.save(tmp_path / "saved"), model)
    assert again.facts() == fitted.facts()
    assert [row.scores for row in again.predict(task.dev)] == [row.scores for row in rows]
    other = Rescorer(fitted, task.dev)._changed(fitted.verbalizer, "none")
    assert not other.notes


def test_prototypes_need_no_words(fresh: Fresh, task: Task, tmp_path: Path) -> None:
    model = fresh("tiny_masked")
    made = kind(task, method=["prototypes"])
    fitted = made.fit(candidates(made)[0], model)
    assert isinstance(fitted, PrototypeClassifier)
    assert fitted.labels == task.labels
    again = pl.load(fitted.save(tmp_path / "saved"), model)
    rows = fitted.predict(task.dev)
    assert [row.scores for row in again.predict(task.dev)] == [row.scores for row in rows]


GIVEN = {"negative": ["bad"], "positive": "good"}


def test_answer_vectors_begin_at_given_answers(fresh: Fresh, task: Task, tmp_path: Path) -> None:
    model = fresh("tiny_masked")
    made = kind(task, method=["answer_vectors"], given=GIVEN, folds=4)
    (candidate,) = candidates(made)
    assert candidate.settings["answer_search"] == {
        "method": "answer_vectors",
        "folds": 4,
        "seed": 13,
        "given": {"negative": ["bad"], "positive": ["good"]},
    }
    fitted = made.fit(candidate, model)
    assert isinstance(fitted, AnswerVectorClassifier)
    notes = fitted.facts()["answer_search"]
    assert notes["start"] == "negative=bad, positive=good" and notes["folds"] == 4
    again = pl.load(fitted.save(tmp_path / "saved"), model)
    rows = fitted.predict(task.dev)
    assert [row.scores for row in again.predict(task.dev)] == [row.scores for row in rows]
    bare = kind(task, method=["answer_vectors"])
    assert bare.fit(candidates(bare)[0], model).facts()["answer_search"]["start"] is None


def test_paraphrases_from_the_vocabulary_and_from_a_writer(fresh: Fresh, task: Task) -> None:
    made = kind(task, method=["paraphrase"], given=GIVEN, words=[2])
    model = fresh("tiny_masked")
    made.check(model)
    fitted = made.fit(candidates(made)[0], model)
    notes = fitted.facts()["answer_search"]
    assert notes["paraphrases"] == "nearest" and notes["proposed"] == 10
    assert notes["given"] == "negative=bad, positive=good" and notes["tried"] > 36
    (sentence,) = describe_composition(fitted.facts())
    assert "10 paraphrases, nearest in the vocabulary; " in sentence
    made = kind(task, method=["paraphrase"], paraphrases=["writer"], given=GIVEN)
    with pytest.raises(CapabilityError):
        made.check(model)
    writer = ScriptedModel(lambda prompt, sample: "great, terrible, a word, xqz")
    made.__dict__["_named_writer"] = writer
    made.check(model)
    (candidate,) = candidates(made)
    asked = [FitRequest(1, candidate), FitRequest(2, candidate)]
    first, second = (one for _, one in made.fit_many(asked, model, FitContext("accuracy")))
    assert isinstance(first, PromptClassifier) and isinstance(second, PromptClassifier)
    # Both words were written for both labels; the two given ones are left.
    assert first.verbalizer.mapping() == {"negative": {"bad": 1.0}, "positive": {"good": 1.0}}
    assert first.fitting_tokens > 0 and second.fitting_tokens == 0  # asked once a template
    assert first.facts()["answer_search"]["dropped"]["several words"] == 6
    assert "several words" in describe_answer_search(first.facts()["answer_search"])


def test_answers_to_paraphrase_must_be_there(task: Task) -> None:
    with pytest.raises(StudyError, match="no answers of its own to be paraphrased"):
        kind(task, method=["paraphrase"])
    with pytest.raises(StudyError, match="given: the verbalizer has no answer for the label"):
        kind(task, given={"negative": "bad", "mixed": "so"})
    template = {"text": TEXT, "answers": GIVEN}
    (candidate,) = candidates(kind(task, method=["paraphrase"], templates=[template]))
    assert candidate.settings["answer_search"]["given"]["positive"] == ["good"]


def test_searches_of_one_template_share_its_slots(fresh: Fresh, task: Task) -> None:
    model = fresh("tiny_masked")
    made = kind(task, method=["ratio", "assignment", "many_to_one"], words=[1, 2])
    asked = [FitRequest(n, c) for n, c in enumerate(candidates(made, 6))]
    fitting = FitContext("accuracy")
    done = made.fit_many(asked, model, fitting)
    next(done)
    computed = model.usage.computed_tokens
    found = dict(done)
    assert all(isinstance(one, PromptClassifier) for one in found.values()), found
    assert model.usage.computed_tokens == computed


def test_the_same_candidate_finds_the_same_answers(fresh: Fresh, task: Task) -> None:
    (candidate,) = candidates(kind(task, method=["many_to_one"]))
    first, second = (
        kind(task, method=["many_to_one"]).fit(candidate, fresh("tiny_gpt2")) for _ in range(2)
    )
    assert first.settings() == second.settings()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"words": [0]}, "words of an answer search is 0"),
        ({"folds": 1}, "folds of an answer search is 1"),
        ({"templates": ["{body} {mask}"]}, "reads the field 'body'"),
    ],
)
def test_what_can_never_work_is_refused_at_once(
    task: Task, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(StudyError, match=message):
        kind(task, **given)


def test_a_generated_reply_has_no_answers_to_search(task: Task) -> None:
    template = {
        "text": TEXT,
        "parser": {"type": "choice", "choices": {"negative": ["bad"], "positive": ["good"]}},
    }
    with pytest.raises(StudyError, match="generates replies"):
        kind(task, templates=[template])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": ()}, "no training examples"),
        ({"dev": ()}, "no dev examples"),
        ({"labels": ()}, "open answers"),
    ],
)
def test_tasks_that_nothing_can_be_found_from(
    task: Task, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        kind(replace(task, **change))


def test_a_label_without_a_training_example_is_told(task: Task) -> None:
    one_sided = replace(task, train=tuple(e for e in task.train if e.label == "positive"))
    with pytest.raises(InputError, match="train has the label 'negative'"):
        kind(one_sided)


def test_learned_parts_are_refused(fresh: Fresh, task: Task) -> None:
    made = kind(task, templates=["{text} {soft:2} {mask}"])
    with pytest.raises(StudyError, match="templates of words"):
        made.check(fresh("tiny_masked"))


def test_a_model_that_shows_no_vocabulary_is_refused(fresh: Fresh, task: Task) -> None:
    model = fresh("tiny_masked")
    model.capabilities = model.capabilities - {"features"}
    with pytest.raises(CapabilityError, match="features"):
        kind(task).check(model)


def test_a_study_shows_how_many_were_tried_and_the_corrected_score(
    tmp_path: Path, masked: LocalModel
) -> None:
    group = {
        "kind": "answer_search",
        "templates": [TEXT, "{text} All in all it was {mask} ."],
        "method": ["ratio", "assignment", "many_to_one", "prototypes", "answer_vectors"],
    }
    document = study_document(write_reviews(tmp_path / "reviews.csv"))
    document["candidates"] = [document["candidates"][0], group | QUICK]
    run = StudyRun(load_spec(document, source="test"), out=tmp_path / "runs", model=masked)
    run.run()
    folder = tmp_path / "runs" / run.spec.study
    board = json.loads((folder / "leaderboard.json").read_text())
    rows = [row for row in board["trials"] if row["kind"] == "answer_search"]
    assert rows and {row["state"] for row in rows} == {"complete"}
    assert sum("notes" not in row for row in rows) == 2  # the prototypes of two templates
    for row in rows:
        if "notes" not in row:
            continue
        found = row["notes"]["answer_search"]
        if found["chosen_on"] == "dev":
            assert found["value"] == pytest.approx(row["dev"]["accuracy"])
        assert found["corrected"] is not None
    report = (folder / "report.html").read_text()
    assert "answers searched" in report and "cross-fitting" in report
    assert not any("notes" in row for row in board["trials"] if row["kind"] == "template")


def test_the_search_in_words() -> None:
    found = {"tried": 2500, "kept": 100, "value": 0.81, "corrected": 0.74, "folds": 5,
             "chosen_on": "dev"}  # fmt: skip
    assert describe_answer_search(found) == (
        "2,500 tried on train, the best 100 of them judged on dev, which chose; 0.810 on dev as "
        "chosen, 0.740 when the choice is repeated without each of 5 folds and judged on it "
        "(cross-fitting)"
    )
    alone = describe_answer_search(found | {"chosen_on": "train", "kept": 0})
    assert "dev took no part" in alone and "0.810 on train as chosen" in alone
    assert "too few texts" in describe_answer_search(found | {"corrected": None})
    assert "none chosen on dev" in describe_answer_search(found | {"kept": 1, "tried": 1})
    (sentence,) = describe_composition({"answer_search": found | {"answers": "no=bad, yes=good"}})
    assert sentence.startswith("The winner's answers were searched (no=bad, yes=good): 2,500 tried")
