"""What writers of prompts cost, estimated without asking them, and held against what they take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from promptlab.events import Event, Events, Step
from promptlab.models.local import LocalModel
from promptlab.study.estimate.estimate import estimate_study
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from tests.helpers.fake_endpoint import Answer, Call, Endpoint, said, serving
from tests.helpers.study_fixtures import study_document, write_reviews

OWN = {"negative": "terrible", "positive": "great"}
TEMPLATE = {"text": "{text} It was {mask}", "answers": OWN}


def writes(call: Call, number: int) -> Answer:
    """Another instruction for every request, of a known price."""
    told = f"Say how the critic felt about it in words of kind {len(call.words)} {number}."
    return said(told, usage=(100, 10))


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Endpoint]:
    monkeypatch.setenv("PROMPTLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PROMPTLAB_API_KEY", "sk-of-no-worth-0123456789")
    with serving(writes) as opened:
        yield opened


def spec_of(tmp_path: Path, group: dict[str, Any], **changes: Any) -> Any:
    data = tmp_path / "reviews.csv"
    data = data if data.exists() else write_reviews(data)
    return load_spec(study_document(data, candidates=[group], **changes), source="")


def instructions(**changes: Any) -> dict[str, Any]:
    group = {"kind": "instruction_search", "templates": [TEMPLATE], "proposals": 3}
    return group | {"methods": ["induction"]} | changes


def test_a_remote_writer_is_counted_and_not_asked(
    endpoint: Endpoint, tmp_path: Path, causal: LocalModel
) -> None:
    spec = spec_of(tmp_path, instructions(writer=endpoint.name), budget={"trials": 4})
    found = estimate_study(spec, causal)
    assert not endpoint.calls  # an estimate costs nothing
    (group,) = found.groups
    assert group.writer_in.low > 0 and 0 < group.writer_out.low < group.writer_out.high
    assert found.tokens.high > group.tokens_in.high + group.tokens_out.high
    assert found.dollars is None  # it says no price
    assert any("writes: " in note and "time is not counted" in note for note in group.notes)
    assert not any("was not tried" in note for note in group.notes)


def test_the_studys_own_model_as_a_writer(tmp_path: Path, causal: LocalModel) -> None:
    spec = spec_of(tmp_path, instructions(tries=1), budget={"trials": 4})
    found = estimate_study(spec, causal)
    (group,) = found.groups
    heard: list[Event] = []
    board = StudyRun(spec, out=tmp_path, model=causal, events=Events(heard.append)).run()
    steps = [event for event in heard if isinstance(event, Step)]
    wrote = sum(step.values["tokens"] for step in steps)
    assert len(steps) == len(board["trials"]) - 1
    low, high = (getattr(group.writer_in + group.writer_out, end) for end in ("low", "high"))
    # Of the candidates a share is the template itself, which nobody writes.
    assert low / 1.5 < wrote < high * 1.5
    assert found.seconds is not None and found.dollars is None


def test_what_stands_behind_the_slot_is_read_for_every_word(
    tmp_path: Path, causal: LocalModel, masked: LocalModel
) -> None:
    def learned(model: LocalModel, text: str) -> Any:
        group = {"kind": "answer_search", "templates": [text], "candidates": [6]}
        (found,) = estimate_study(spec_of(tmp_path, group), model).groups
        return found.learning

    last, cloze = "{text} It was {mask}", "{text} It was {mask} ."
    assert learned(causal, last).low == learned(causal, last).high
    behind = learned(causal, cloze)
    # Twelve words at 20 slots of train, each with what is behind it; dev's 30 at the most, too.
    assert behind.high - learned(causal, last).high >= 12 * (20 + 30) * 2
    assert learned(causal, last).high < behind.low < behind.high
    assert learned(masked, cloze).low == learned(masked, cloze).high


def test_paraphrases_are_asked_for_a_label_at_a_time(
    endpoint: Endpoint, tmp_path: Path, causal: LocalModel
) -> None:
    group = {
        "kind": "answer_search", "templates": [TEMPLATE], "method": ["paraphrase"],
        "paraphrases": ["writer"], "writer": endpoint.name, "tries": 2,
        "writing": {"max_tokens": 40, "temperature": 1.0},
    }  # fmt: skip
    (found,) = estimate_study(spec_of(tmp_path, group), causal).groups
    assert not endpoint.calls
    assert (found.writer_out.low, found.writer_out.high) == (0.15 * 40 * 2, 40 * 2 * 2)
    assert found.writer_in.high == 2 * found.writer_in.low > 0
