"""One reading of inputs: what is one input, what is many, and what is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from promptlab import Task, Verbalizer
from promptlab.data.example import Example
from promptlab.data.inputs import as_examples
from promptlab.errors import InputError
from promptlab.models.local import LocalModel
from promptlab.predictors.classifier import PromptClassifier
from promptlab.predictors.generator import PromptGenerator
from promptlab.prompts.parsers.parsers import ChoiceParser

ROWS = [{"text": "good", "label": "1"}, {"text": "bad", "label": "0"}]


class Rows:
    """Rows as ``datasets.Dataset`` gives them: a length, an index, and mappings when iterated."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self.column_names = list(rows[0])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.rows[index]


def read(inputs: Any, *fields: str, labels: Any = None) -> list[Example]:
    return as_examples(inputs, fields or ("text",), labels)


def test_a_text_is_one_input() -> None:
    assert read("I cannot log in") == [Example("0", {"text": "I cannot log in"})]
    assert read(np.str_("a")) == [Example("0", {"text": "a"})]


def test_a_mapping_is_one_input_and_its_label_is_none_of_its_fields() -> None:
    assert read({"text": "good", "label": "1", "id": 7}) == [Example("7", {"text": "good"}, "1")]


def test_label_and_id_are_fields_where_the_prompt_reads_them() -> None:
    found = read({"label": "x", "id": "y"}, "label", "id")
    assert found == [Example("0", {"label": "x", "id": "y"})]


@pytest.mark.parametrize(
    "table",
    [
        ROWS,
        tuple(ROWS),
        iter(ROWS),
        pd.DataFrame(ROWS),
        pd.DataFrame(ROWS, index=[5, 9]),
        pa.Table.from_pylist(ROWS),
        Rows(ROWS),
    ],
    ids=["list", "tuple", "iterator", "frame", "indexed", "arrow", "dataset"],
)
def test_a_table_is_its_rows(table: Any) -> None:
    assert read(table) == [Example("0", {"text": "good"}, "1"), Example("1", {"text": "bad"}, "0")]


@pytest.mark.parametrize(
    "column",
    [["a", "b"], np.array(["a", "b"]), pd.Series(["a", "b"], index=[3, 1]), {"a": 0}.keys()],
)
def test_a_column_is_texts(column: Any) -> None:
    assert [e.fields["text"] for e in read(column)] == list(column)


def test_numbers_are_read_as_their_text() -> None:
    frame = pd.DataFrame({"text": [5, 6], "label": [True, False]})
    assert read(frame) == [
        Example("0", {"text": "5"}, "true"),
        Example("1", {"text": "6"}, "false"),
    ]
    assert read({"text": np.float32(0.5)})[0].fields["text"] == "0.5"


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        (5, "inputs are an int"),
        (None, "inputs are None"),
        (b"text", "inputs are a bytes"),
        (Path("a.csv"), "Task.from_file"),
        ([None], "input 0 is None"),
        (["a", 5], "input 1 is an int"),
        ([["a"]], "input 0 is a list"),
        (np.array([["a"]]), "array of shape"),
        ({"text": ["a", "b"]}, "many values each"),
        ({"train": ROWS, "test": ROWS}, "one split"),
        ([{"text": None}], "the field 'text' is None"),
        ([{"text": float("nan")}], "missing (NaN)"),
        (pd.DataFrame({"text": ["a", None]}), "input 1: the field 'text'"),
        ([{"text": ["a"]}], "the field 'text' is a list"),
        ([{"text": "a", "label": ["x", "y"]}], "the label is a list"),
    ],
)
def test_anything_else_is_refused_in_one_sentence(inputs: Any, told: str) -> None:
    with pytest.raises(InputError) as refused:
        read(inputs)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_fields_that_nobody_reads_need_not_be_texts() -> None:
    found = read([{"text": "a", "more": None, "tags": ["x"], "n": 3}])
    assert found == [Example("0", {"text": "a", "n": "3"})]


def test_a_text_alone_cannot_stand_for_two_fields() -> None:
    with pytest.raises(InputError, match="one field and the prompt reads premise, hypothesis"):
        read(["a"], "premise", "hypothesis")


def test_labels_beside_the_inputs() -> None:
    assert [e.label for e in read(["a", "b"], labels=pd.Series([1, 0], index=[8, 2]))] == ["1", "0"]
    assert read({"text": "a"}, labels="m")[0].label == "m"
    assert [e.label for e in read(ROWS, labels=["x", "y"])] == ["x", "y"]
    for labels, told in ((["1"], "2 examples and 1"), ([None, "0"], "label 0 is None")):
        with pytest.raises(InputError, match=told):
            read(ROWS, labels=labels)


def test_every_predictor_reads_alike(causal: LocalModel) -> None:
    made = PromptClassifier("{text} It was {mask}.", {"0": "bad", "1": "good"}, causal)
    alone = made.predict("I cannot log in")
    assert len(alone) == 1
    assert alone[0].scores == pytest.approx(made.predict(["I cannot log in"])[0].scores, abs=1e-5)
    assert made.predict(pd.DataFrame(ROWS)).targets == ["1", "0"]
    assert made.fit(ROWS).evaluate(ROWS).n == 2


def test_a_label_that_is_never_predicted_is_refused(causal: LocalModel) -> None:
    verbalizer = Verbalizer({"neg": "bad", "pos": "good"})
    made = PromptClassifier("{text} It was {mask}.", verbalizer, causal)
    with pytest.raises(InputError, match=r"'0', '1', which is never predicted.*'neg', 'pos'"):
        made.evaluate(ROWS)
    with pytest.raises(InputError, match="never predicted"):
        made.score(["a"], ["positive"])
    parser = ChoiceParser((("neg", ("bad",)), ("pos", ("good",))))
    with pytest.raises(InputError, match="never predicted"):
        PromptGenerator("{text} It was {mask}", parser, causal).evaluate(ROWS)


def test_training_examples_keep_their_labels(causal: LocalModel) -> None:
    rows = [{"text": f"film {i}", "label": str(i % 2)} for i in range(8)]
    made = PromptClassifier(
        "{text} It was {mask}.", {"0": "bad", "1": "good"}, causal, demonstrations=4
    ).fit(rows)
    assert sorted(d.answer for d in made.demonstrations or ()) == ["bad", "bad", "good", "good"]


def test_a_task_is_not_taken_for_one_of_its_splits() -> None:
    task = Task("t", (Example("a", {"text": "a"}),), (), ())
    with pytest.raises(InputError, match="inputs are a Task"):
        read(task)
