"""Where wordings and answer words come from, and which of them go together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.errors import StudyError
from promptlab.predictors.demonstrations.choice import DemonstrationConfig
from promptlab.prompts.template import Template
from promptlab.study.sensitivity.alternatives import (
    PromptAlternatives,
    Wording,
    alternatives_of_groups,
    alternatives_of_library,
    alternatives_of_study,
    answers_name,
    choose_answers,
    with_demonstrations,
)
from promptlab.study.spec.load import load_spec
from promptlab.study.spec.spec import StudySpec

GREAT = {"negative": "terrible", "positive": "great"}
GOOD = {"negative": "bad", "positive": "good"}
REVERSED = {"negative": "great", "positive": "terrible"}
VERBS = {"negative": "hated", "positive": "liked"}


def wording(name: str, *sets: Any) -> Wording:
    return Wording(name, Template(f"{{text}} {name} {{mask}}."), sets)


def found(*wordings: Wording, answers: Any) -> PromptAlternatives:
    return PromptAlternatives(wordings, answers, "here", DemonstrationConfig())


def trial(number: int, text: str, answers: Any, **settings: Any) -> dict[str, Any]:
    candidate = {
        "template": Template(text).settings(),
        "verbalizer": {"answers": answers, "aggregation": "sum", "length_normalise": False},
        "calibration": "none",
    }
    return {
        "number": number, "state": "complete", "kind": "template", "name": text,
        "candidate": candidate | settings,
    }  # fmt: skip


def test_wordings_take_part_that_were_written_for_such_words() -> None:
    made = found(
        wording("was", GREAT), wording("is", GOOD), wording("it", GREAT, GOOD),
        wording("not", REVERSED), wording("I", VERBS), answers=(GREAT, GOOD, REVERSED, VERBS),
    )  # fmt: skip
    answers, wordings, told = choose_answers(made, 2)
    assert answers == (GREAT, GOOD)
    assert [each.name for each in wordings] == ["was", "is", "it"]
    assert told[0].startswith("2 of 5 templates")
    answers, wordings, told = choose_answers(made, 3)  # reversed words are none to choose
    assert answers == (GREAT, GOOD, VERBS) and len(wordings) == 4


def test_where_every_template_has_words_of_its_own_they_are_crossed() -> None:
    made = found(wording("was", GREAT), wording("I", VERBS), wording("not", REVERSED),
                 answers=(GREAT, VERBS, REVERSED))  # fmt: skip
    answers, wordings, _ = choose_answers(made, 1)
    assert answers == (GREAT,) and [each.name for each in wordings] == ["was", "I"]


def test_a_study_starts_from_its_winner(task: Task) -> None:
    solved = {"demonstrations": {"count": 2, "seed": 21, "order": "grouped"}}
    rows = [
        trial(4, "{text} A {mask} one.", GOOD),
        trial(2, "{text} It was {mask}.", GREAT, calibration="pmi", **solved),
        trial(1, "{text} It was {mask}.", GOOD),
        trial(3, "{text} {mask}", GREAT) | {"state": "failed"},
        {"number": 5, "state": "complete", "kind": "head", "name": "head", "candidate": {}},
    ]
    board = {"study": "s", "best": {"number": 2}, "trials": rows}
    made = alternatives_of_study(board, task)
    assert [each.template.text for each in made.wordings] == [
        "{text} It was {mask}.", "{text} A {mask} one.",
    ]  # fmt: skip
    assert [answers_name(each) for each in made.answers] == [
        "terrible | great", "bad | good", "negative | positive",
    ]  # fmt: skip
    assert made.wordings[0].written_for == (GREAT, GOOD)
    assert made.calibration == "pmi" and made.demonstrations.seed == 21
    assert "trial 2" in made.started_from and not made.remarks
    learned = alternatives_of_study(board | {"best": {"number": 5}}, task)
    assert "trial 4" in learned.started_from and "no prompt in words" in learned.remarks[0]
    found_words = {
        "template": Template("{text} Just {mask}!").settings(), "calibration": "none",
        "verbalizer": {"answers": VERBS}, "choice": {"count": 3}, "demonstrations": [],
    }  # fmt: skip
    winner = board | {"best": {"number": 5, "name": "words", "kind": "answer_search"}}
    fitted = alternatives_of_study(winner, task, found_words)
    assert fitted.wordings[0].template.text == "{text} Just {mask}!" and not fitted.remarks
    assert fitted.answers[0] == VERBS and fitted.demonstrations.count == 3
    assert "trial 5" in fitted.started_from and len(fitted.wordings) == 3
    with pytest.raises(StudyError, match="no words to vary"):
        alternatives_of_study(board | {"trials": rows[-1:]}, task)


def test_a_study_files_groups(task: Task) -> None:
    groups: Any = [
        {"kind": "template", "templates": ["sentiment/it-was", {"text": "{text} {mask}"}],
         "verbalizers": [GREAT, GOOD], "calibration": ["batch", "none"]},
        {"kind": "demonstrations", "templates": ["sentiment/it-was"], "count": [2, 3]},
        {"kind": "head"},
    ]  # fmt: skip
    spec = load_spec({"study": "s", "task": "sst2", "candidates": groups})
    assert isinstance(spec, StudySpec)
    made = alternatives_of_groups(spec.candidates, task, scores=True)
    assert made is not None
    assert [each.name for each in made.wordings] == ["sentiment/it-was", "{text} {mask}"]
    assert list(map(answers_name, made.answers[:2])) == ["terrible | great", "bad | good"]
    assert (made.calibration, made.demonstrations.count) == ("batch", 3)
    assert alternatives_of_groups(spec.candidates[2:], task, scores=True) is None
    assert alternatives_of_groups(spec.candidates, task, scores=False) is None  # none is parsed


def test_the_librarys_templates_under_the_datas_labels(task: Task) -> None:
    made = alternatives_of_library(None, task, scores=True)
    assert made.wordings[0].name.startswith("sentiment/") and len(made.wordings) > 10
    renamed = replace(
        task,
        labels=("NEG", "POS"),
        **{
            split: tuple(replace(e, label=str(e.label)[:3].upper()) for e in examples)
            for split, examples in task.splits.items()
        },
    )
    other = alternatives_of_library(None, renamed, scores=True)
    assert set(other.answers[0]) == {"NEG", "POS"}
    assert [each.name for each in other.wordings] == [each.name for each in made.wordings]
    written = alternatives_of_library("sentiment", task, scores=False)
    assert not written.answers and all(each.parser for each in written.wordings)
    with pytest.raises(StudyError, match="no task 'sentimant'"):
        alternatives_of_library("sentimant", task, scores=True)
    strange = Task("odd", (), (Example("1", {"text": "a"}, "x"),), (), labels=("x", "y"))
    with pytest.raises(StudyError, match="no task for odd"):
        alternatives_of_library(None, strange, scores=True)


def test_the_number_of_demonstrations(task: Task) -> None:
    made = found(wording("was", GREAT), answers=(GREAT,))
    assert with_demonstrations(made, None, task).demonstrations.count == 0
    assert with_demonstrations(made, 3, task).demonstrations.count == 3
    with pytest.raises(StudyError, match=r"17 demonstrations .* 16 labelled"):
        with_demonstrations(made, 17, task)
    few = replace(task, train=task.train[:2])
    four = replace(made, demonstrations=DemonstrationConfig(4))
    fewer = with_demonstrations(four, None, few)
    assert fewer.demonstrations.count == 2 and "not 4" in fewer.remarks[0]
