"""Writers: asked again where a reply is of no use, everything counted."""

from __future__ import annotations

import pytest

from promptlab.data.example import Example
from promptlab.errors import CapabilityError, Pruned
from promptlab.models.local import LocalModel
from promptlab.prompts.decoding import Decoding
from promptlab.tuning.instruction_search.proposal import ProposalFilter
from promptlab.tuning.instruction_search.requests import (
    WritingRequest,
    list_examples,
    list_failures,
    list_tried,
)
from promptlab.tuning.instruction_search.writer import InstructionWriter, require_instruction
from tests.helpers.scripted_model import ScriptedModel

SAMPLED = Decoding(max_tokens=20, temperature=1.0)
REQUEST = WritingRequest("induction", {"examples": "Input: a\nOutput: b"})


def test_the_first_good_reply_is_taken() -> None:
    replies = ["", "Name the mood.", "!down", "Judge the text."]
    model = ScriptedModel(lambda prompt, sample: replies[sample % 4])
    writer = InstructionWriter(model, SAMPLED, tries=4)
    found = writer.write(REQUEST, ProposalFilter(["name the mood"]), 5)
    assert found.instruction == "Judge the text." == require_instruction(found)
    assert found.dropped == {
        "it is empty": 1, "it repeats an earlier one": 1, "no reply (down)": 1,
    }  # fmt: skip
    assert [sample for call in model.calls for _, sample in call] == [20, 21, 22, 23]
    assert found.tokens > 0 and "Input: a" in model.calls[0][0][0]


def test_nothing_of_use_gives_the_proposal_up() -> None:
    model = ScriptedModel(lambda prompt, sample: "I'm sorry, no.")
    found = InstructionWriter(model, SAMPLED).write(REQUEST, ProposalFilter([]), 0)
    assert len(model.calls) == 3
    with pytest.raises(Pruned, match="3 dropped: the writer refuses"):
        require_instruction(found)


def test_a_greedy_writer_is_asked_once() -> None:
    model = ScriptedModel(lambda prompt, sample: "")
    InstructionWriter(model, Decoding(max_tokens=20)).write(REQUEST, ProposalFilter([]), 0)
    assert len(model.calls) == 1


def test_a_request_too_long_is_shortened_and_told() -> None:
    model = ScriptedModel(lambda prompt, sample: "Name the mood.", max_tokens=120)
    request = WritingRequest("induction", {"examples": "word " * 4_000})
    found = InstructionWriter(model, SAMPLED).write(request, ProposalFilter([]), 0)
    assert found.shortened == ("examples",) and found.instruction


def test_a_model_that_does_not_write(masked: LocalModel) -> None:
    with pytest.raises(CapabilityError):
        InstructionWriter(masked, SAMPLED)


def test_requests_show_what_they_say() -> None:
    example = Example("1", {"text": "A bore."}, "bad")
    assert list_examples([example], ["text"]) == "Input: A bore.\nOutput: bad"
    told = list_failures([(example, None)], ["text"])
    assert "Its output: (none that can be read)" in told and "Right output: bad" in told
    assert (
        list_tried([("best", 0.9), ("", 0.5)])
        == "(no instruction)\nScore: 0.500\n\nbest\nScore: 0.900"
    )
    two = Example("2", {"premise": "a", "claim": "b"}, "no")
    assert list_examples([two], ["premise", "claim"]) == "premise: a\nclaim: b\nOutput: no"
