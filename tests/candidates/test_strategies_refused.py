"""Settings of strategies that cannot work, and models that cannot do what is asked."""

from __future__ import annotations

from typing import Any

import pytest

from promptlab.candidates.wrapper import read_group
from promptlab.errors import CapabilityError, StudyError
from promptlab.models.base import Capability
from tests.helpers.scripted_model import ScriptedModel
from tests.helpers.strategy_fixtures import (
    BARE,
    CHOICE,
    KNOW,
    KNOWING,
    ONE_STEP,
    READING,
    TASK,
    THOUGHT,
    WARM,
    space,
)


@pytest.mark.parametrize(
    ("group", "told"),
    [
        (THOUGHT | {"mode": ["manual"]}, "mode manual needs worked demonstrations"),
        (THOUGHT | {"reasoning_field": "solution"}, "demonstrations are for the mode manual"),
        (
            THOUGHT
            | {"mode": ["manual"], "demonstrations": [BARE]},
            "demonstration 1 has no field 'question'",
        ),
        (THOUGHT | {"mode": ["auto"], "count": [99]}, "99 worked examples are asked for"),
        (
            THOUGHT | {"templates": [KNOW | {"text": "{question} {mask}"}], "extract": ["reply"]},
            "extract reply reads the answer",
        ),
        ({"kind": "self_consistency", "inner": THOUGHT}, "temperature 0, so all would be alike"),
        (
            {"kind": "self_consistency", "inner": {"kind": "retrieval", "passages": "train",
             "inner": READING}},
            "has temperature 0",
        ),
        (
            {"kind": "self_consistency", "samples": [0], "inner": THOUGHT | {"decoding": WARM}},
            "samples is 0",
        ),
        (
            {"kind": "retrieval", "passages": [], "inner": READING},
            "there are no passages",
        ),
        (
            {"kind": "retrieval", "passages": "no.txt", "inner": READING},
            "no.txt: there is no such file of passages",
        ),
        (
            {"kind": "retrieval", "passages": "train", "field": "question", "inner": THOUGHT},
            "the data has a field 'question' itself",
        ),
        (
            {"kind": "retrieval", "passages": "train", "query": ["answer"],
             "inner": READING},
            "query names the field 'answer'",
        ),
        (
            {"kind": "knowledge", "templates": ["{topic} {mask}"], "inner": THOUGHT},
            "reads the field 'topic'",
        ),
        (
            {"kind": "chain", "steps": [{"name": "a", "templates": ["{nothing} {mask}"]}]},
            "read the field 'nothing'",
        ),
        (
            {"kind": "chain", "steps": [{"name": "a", "templates": ["{b} {mask}"]},
             {"name": "b", "templates": ["{question} {mask}"]}]},
            "not said before it",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(group: dict[str, Any], told: str) -> None:
    with pytest.raises(StudyError, match=told):
        space(group)


def test_calibration_is_refused_after_reasoning() -> None:
    with pytest.raises(ValueError, match="answers after reasoning are not calibrated"):
        read_group(THOUGHT | {"calibration": ["batch"]})


@pytest.mark.parametrize(
    "group",
    [
        THOUGHT,
        {"kind": "self_consistency", "inner": THOUGHT | {"decoding": WARM}},
        {"kind": "knowledge", "inner": KNOWING, "templates": ["{question} {mask}"]},
        {"kind": "chain", "steps": ONE_STEP},
        {"kind": "retrieval", "passages": "train", "inner": READING},
    ],
)  # fmt: skip
def test_a_masked_model_is_refused_before_anything_runs(group: dict[str, Any]) -> None:
    model = ScriptedModel()
    can: frozenset[Capability] = frozenset({"score", "fill", "features"})
    model.capabilities, model.family, model.name = can, "masked", "bert"
    task = CHOICE if group["kind"] == "knowledge" else TASK
    with pytest.raises(
        (StudyError, CapabilityError), match="bert is a masked model and cannot generate"
    ):
        space(group, task).check(model)
    assert model.calls == []


def test_a_model_without_a_chat_template_is_refused() -> None:
    model = ScriptedModel()
    model.capabilities = frozenset({"score", "generate"})
    for group in (
        THOUGHT | {"chat": [True]},
        {
            "kind": "chain",
            "chat": [True],
            "steps": ONE_STEP,
        },
    ):
        with pytest.raises(StudyError, match="cannot chat; use an instruct model"):
            space(group).check(model)
    with pytest.raises(StudyError, match="gives no vectors"):
        space(THOUGHT | {"mode": ["auto"], "by": ["embedding"]}).check(model)
