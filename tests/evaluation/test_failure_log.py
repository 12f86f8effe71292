"""The failure log: what a miss keeps, hand corrections, exports, the suite, and printed traces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.errors import DataError, InputError, StudyError
from promptlab.evaluation.failure import AskedPrompt, Correction, Failure
from promptlab.evaluation.failure_log import FailureLog, write_lines
from promptlab.evaluation.predictions import Prediction, Predictions
from promptlab.evaluation.trace import Trace
from promptlab.study.decision.leaderboard import wrong_predictions
from promptlab.study.decision.regression import read_regression_suite, regression_sentence
from tests.helpers.command_line import (
    Command,
    command,
    document,
    group,
    here,
    models,
    reviews,
    study,
)

__all__ = ["command", "document", "here", "models", "reviews", "study"]

EXAMPLE = Example("7", {"text": "so dull"}, "negative")
ANSWERS = {"negative": "terrible", "positive": "great"}


def miss(**changes: Any) -> Failure:
    row = Prediction("7", "positive", "negative", {"negative": -2.0, "positive": -0.1})
    made = Failure.from_prediction(
        row, EXAMPLE, [AskedPrompt("so dull It was {mask}", ANSWERS)], "dev"
    )
    return Failure(**vars(made) | changes)


def written(tmp_path: Path, *failures: Failure) -> FailureLog:
    folder = tmp_path / "runs" / "films"
    folder.mkdir(parents=True)
    write_lines(folder / "failures.jsonl", (one.record() for one in failures))
    return FailureLog(folder)


def test_open_answers_are_missed_as_the_metric_says() -> None:
    shown = (Example("1", {"text": "a"}, "1000"), Example("2", {"text": "b"}, "-5"))
    rows = Predictions([Prediction("1", "1,000", "1000"), Prediction("2", "5", "-5")])
    task = Task("sums", (), shown, (), metric="exact_match")
    assert [row.example_id for row in wrong_predictions(rows, task)] == ["2"]


def test_a_strategys_miss_keeps_its_last_prompt_reply_and_trace() -> None:
    trace = Trace()
    first = trace.root.step(
        "thought", prompt="Q: 2+3? Think. {mask}", reply="2+3 is 6", tokens_in=5
    )
    first.step("answer", prompt="So the answer is {mask}", reply="six", tokens_out=1)
    row = Prediction("7", None, "5", text="six", unparsed=True, trace=trace.record())
    failure = Failure.from_prediction(row, EXAMPLE, [AskedPrompt("Q: 2+3? Think. {mask}")], "dev")
    assert failure.prompt == "So the answer is {mask}"
    assert (failure.actual, failure.reply, failure.expected) == ("six", "six", "5")
    assert len(Trace.from_record(failure.trace)) == 2
    again = Failure.from_record(json.loads(json.dumps(failure.record())))
    assert again == failure
    failed = Prediction("7", None, "5", unparsed=True, error="timed out")
    assert Failure.from_prediction(failed, EXAMPLE, [AskedPrompt("p")], "dev").error == "timed out"


def test_fine_tuning_says_what_is_wanted_in_the_prompts_own_words() -> None:
    (record,) = miss().fine_tuning_records()
    assert record == {
        "messages": [
            {"role": "user", "content": "so dull It was"},
            {"role": "assistant", "content": "terrible"},
        ]
    }
    cloze = miss(prompt="so dull It was {mask} .", answers={}).fine_tuning_records()[0]["messages"]
    assert cloze[0]["content"] == "so dull It was ____ ."
    assert cloze[1]["content"] == "negative"
    accepted = miss(correction=Correction("7", accept=True))
    assert accepted.fine_tuning_records()[0]["messages"][1]["content"] == "great"
    members = [vars(AskedPrompt(f"{n} {{mask}}", {"negative": n}, n)) for n in ("bad", "poor")]
    several = [one["messages"][1]["content"] for one in miss(members=members).fine_tuning_records()]
    assert several == ["bad", "poor"]


def test_corrections_are_kept_beside_the_log(tmp_path: Path) -> None:
    log = written(tmp_path, miss(), miss(example_id="8"))
    log.correct("7", expected="negative", note="neither")
    log.correct("8", accept=True)
    log.correct("7", expected="positive", note="irony")
    again = FailureLog(log.path)
    assert [one.wanted_answer for one in again.failures] == ["positive", "positive"]
    lines = log.corrections_file.read_text().splitlines()
    assert [json.loads(line)["example_id"] for line in lines] == ["7", "8"]
    assert again.regression_records()[0] == {
        "id": "7",
        "fields": {"text": "so dull"},
        "label": "positive",
        "prompt": "so dull It was {mask}",
        "source": "films",
        "note": "irony",
    }
    with pytest.raises(DataError, match="one of the two"):
        log.correct("7", expected="x", accept=True)
    with pytest.raises(DataError, match="no failure 'nine'; there are 7, 8"):
        log.correct("nine", accept=True)
    with pytest.raises(DataError, match="holds no failure log"):
        FailureLog(tmp_path)
    log.corrections_file.write_text('{"who": 1}\n')
    with pytest.raises(DataError, match="line 1: not a record"):
        FailureLog(log.path)


def test_a_correction_is_a_label_and_keeps_an_earlier_note(tmp_path: Path) -> None:
    log = written(tmp_path, miss(), miss(example_id="8", scores=None, answers={}))
    for example_id in ("7", "8"):
        with pytest.raises(DataError, match=r"'nonsense' is no label.*'negative', 'positive'"):
            log.correct(example_id, expected="nonsense")
    log.correct("7", expected="negative", note="irony")
    assert log.correct("7", expected="positive").correction == Correction(
        "7", "positive", False, "irony"
    )
    assert log.correct("7", accept=True, note="").correction == Correction("7", accept=True)


def test_labels_of_replies_that_were_parsed_stand_in_the_leaderboard(tmp_path: Path) -> None:
    log = written(tmp_path, miss(scores=None, answers={}))
    assert log.correct("7", expected="anything").wanted_answer == "anything"
    (log.path.parent / "leaderboard.json").write_text('{"task": {"labels": ["no", "yes"]}}')
    with pytest.raises(DataError, match="is no label"):
        FailureLog(log.path).correct("7", expected="anything")


def test_a_suite_fits_its_task(tmp_path: Path, task: Task) -> None:
    good = {"id": "x", "fields": {"text": "odd"}, "label": "positive", "source": "s"}
    shared = {"id": "y", "fields": dict(task.test[0].fields), "label": "negative"}
    same = {"id": task.dev[0].id, "fields": {"text": "other"}, "label": "negative"}
    path = write_lines(tmp_path / "suite.jsonl", [good, shared, same])
    suite = read_regression_suite(str(path), task)
    assert suite.overlaps(task) == {"train": 0, "dev": 1, "test": 1}
    assert suite.sources == ("s", "", "")
    for change, message in (
        ({"label": "mixed"}, "expects 'mixed'"),
        ({"fields": {}}, "lacks the field 'text'"),
        ({"label": None}, "needs id, fields and label"),
    ):
        write_lines(path, [good, good | change])
        with pytest.raises(StudyError, match=f"line 2.*{message}"):
            read_regression_suite(str(path), task)
    path.write_text("")
    with pytest.raises(StudyError, match="no earlier failures"):
        read_regression_suite(str(path), task)


def test_a_suites_result_in_words() -> None:
    result = {
        "n": 5,
        "right": 2,
        "baseline": {"name": "plain", "right": 1},
        "overlaps": {"train": 0, "dev": 3, "test": 0},
    }
    assert regression_sentence(result) == (
        "2 of 5 earlier failures are right now (baseline plain: 1); they chose nothing. Some are "
        "among this study's own examples: 3 in dev."
    )


def test_from_a_studys_failures_to_the_next_studys_suite(
    study: Command, command: Command, here: Path
) -> None:
    calibrated = [group(), group(calibration=["contextual"])]
    assert study(stays=True, candidates=calibrated, budget={"trials": 4}).code == 0
    listed = json.loads(command("failures", "list", "reviews", "--json").out)
    assert {"prompt", "fields", "expected", "actual", "reply", "error", "trace"} <= set(listed[0])
    assert listed[0]["example_id"] in command("failures", "list", "reviews").out
    number = listed[0]["example_id"]
    assert command("failures", "correct", "reviews", number, "--accept", "--note", "fine").code == 0
    assert "accepted as it is (fine)" in command("failures", "list", "reviews").out
    command("failures", "correct", "reviews", number).refuses("one of the two")
    command("failures", "list", "nowhere").refuses("no failure log")

    done = command("failures", "export", "runs/reviews", "--format", "sft", "--out", "sft.jsonl")
    assert done.code == 0
    records = [json.loads(line) for line in (here / "sft.jsonl").read_text().splitlines()]
    assert len(records) == len(listed)
    assert {m["role"] for r in records for m in r["messages"]} == {"user", "assistant"}
    assert {r["messages"][1]["content"] for r in records} <= {"terrible", "great"}
    done = command("failures", "export", "reviews", "--format", "suite", "--out", "suite.jsonl")
    assert done.code == 0
    again = command("failures", "export", "reviews", "--format", "suite", "--out", "suite.jsonl")
    again.refuses("exists already")

    found = study("--name", "next", "--json", stays=True, regression="suite.jsonl",
                  candidates=calibrated, baseline="template", budget={"trials": 4})  # fmt: skip
    assert found.code == 0, found.err
    board = json.loads(found.out)
    result = board["regression"]
    assert result["n"] == len(listed) == len(result["rows"])
    assert result["right"] == sum(row["right"] for row in result["rows"])
    assert result["rows"][0]["source"] == "reviews"
    assert result["overlaps"] == {"train": 0, "dev": len(listed), "test": 0}
    assert board["best"]["number"] is not None
    assert any("earlier failures are right now" in one for one in board["statements"])
    assert "Earlier failures" in (here / "runs" / "next" / "report.html").read_text()
    (here / "suite.jsonl").write_text('{"id": "1", "fields": {"text": "x"}, "label": "odd"}\n')
    study("--name", "third", regression="suite.jsonl").refuses("line 1", "'odd'")


def test_traces_are_printed_as_trees(study: Command, command: Command, here: Path) -> None:
    together = {"kind": "ensemble", "top": [2], "method": ["majority"]}
    plain = group(calibration=["none", "contextual"])
    assert study(stays=True, candidates=[plain, together], budget={"trials": 4}).code == 0
    board = json.loads((here / "runs" / "reviews" / "leaderboard.json").read_text())
    numbers = {row["kind"]: row["number"] for row in board["trials"]}
    shown = command("study", "trace", "reviews", "--trial", numbers["ensemble"], "--limit", "2")
    assert shown.code == 0
    assert shown.out.count("└─ {text} It was {mask}.") == 2
    assert "probability=" in shown.out
    assert "28 more" in shown.err
    document = command("study", "trace", "reviews", "--trial", numbers["ensemble"], "--json")
    rows = json.loads(document.out)
    assert len(rows) == 10
    assert [step["notes"]["label"] for step in rows[0]["steps"]]
    one = command("study", "trace", "reviews", "--trial", numbers["ensemble"], "--prompts",
                  "--example", rows[3]["example_id"], "--json")  # fmt: skip
    assert json.loads(one.out) == [rows[3]]
    command("study", "trace", "reviews", "--trial", numbers["template"]).refuses("kept no steps")
    command("study", "trace", "reviews", "--trial", "99").refuses("no predictions of trial 99")
    command("study", "trace", "reviews", "--trial", numbers["ensemble"], "--example", "?").refuses(
        "no example '?'"
    )


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("failures.jsonl", '{"example_id": 3}', "line 1: not a record"),
        ("failures.jsonl", '{"example_id": "e", "fields": []}', "fields"),
        ("failures.jsonl", "[" * 5000, "line 1: no JSON object"),
        ("failures.jsonl", '{"example_id": "\\ud800"}', "line 1: no JSON object"),
        ("corrections.jsonl", '{"example_id": []}', "example_id"),
        ("corrections.jsonl", '{"expected": "a"}', "example_id"),
        ("leaderboard.json", "{", "leaderboard.json is not valid JSON"),
        ("leaderboard.json", '{"task": {"labels": 3}}', "task.labels is no list"),
        ("leaderboard.json", "[]", "holds a list"),
    ],
)
def test_a_damaged_log_is_told_by_file_and_place(
    tmp_path: Path, file: str, text: str, words: str
) -> None:
    good = Failure("e", {"text": "x"}, "x It was", "a", "b")
    write_lines(tmp_path / "failures.jsonl", [good.record()])
    (tmp_path / file).write_text(text + "\n")
    with pytest.raises(InputError, match=words) as told:
        _ = FailureLog(tmp_path).labels
    assert file in str(told.value)
