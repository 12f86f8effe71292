"""Templates filled in by an encoder-decoder and by a causal model; what is dropped, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from promptlab.cancellation import Cancellation
from promptlab.data.example import Example
from promptlab.engine.generation import shared_decoder
from promptlab.errors import Cancelled, CapabilityError, InputError
from promptlab.models.local import LocalModel
from promptlab.prompts.template import Template
from promptlab.tuning.infilling import infill
from promptlab.tuning.infilling.fillers import (
    HoleTexts,
    MiddleFiller,
    SentinelFiller,
    Sides,
    find_filler,
)
from promptlab.tuning.infilling.infill import InfillingOptions, InfillingResult, infill_templates
from tests.conftest import wrapped
from tests.helpers import tiny_models

ANSWERS = {"bad": "terrible", "good": "great"}
EXAMPLES = [
    Example(str(n), {"text": f"the {thing} was {word}"}, label)
    for n, (thing, word, label) in enumerate(
        [("film", "fine", "good"), ("plot", "dull", "bad"), ("joke", "witty", "good"),
         ("soup", "cold", "bad"), ("hour", "long", "bad")]
    )
]  # fmt: skip
QUICK = InfillingOptions(beams=6, most_tokens=3, per_label=2, top=5)


@pytest.fixture(scope="module")
def middle() -> LocalModel:
    """A tiny causal model whose tokenizer has fill-in-the-middle tokens."""
    network, tokenizer = tiny_models.llama()
    tokenizer.add_special_tokens(
        {"additional_special_tokens": ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"]}
    )
    network.resize_token_embeddings(len(tokenizer))
    return wrapped((network, tokenizer), "tiny_middle")


def scores(result: InfillingResult) -> list[float]:
    return [template.score for template in result.templates]


@pytest.mark.parametrize("name", ["seq2seq", "middle"])
@pytest.mark.parametrize("shape", ["after", "before"])
def test_templates_are_those_that_reading_anew_finds(
    name: str, shape: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    model: LocalModel = request.getfixturevalue(name)
    options = InfillingOptions((shape,), beams=4, most_tokens=2, per_label=1, top=5)  # type: ignore[arg-type]
    monkeypatch.setattr(infill, "_fault", lambda *given: None)  # words of noise
    quick = infill_templates(model, EXAMPLES, ANSWERS, ["text"], options)
    monkeypatch.setattr(shared_decoder, "_agrees", lambda *given: False)
    plain = infill_templates(model, EXAMPLES, ANSWERS, ["text"], options)
    assert quick.templates and [t.text for t in quick.templates] == [
        t.text for t in plain.templates
    ]
    assert scores(quick) == pytest.approx(scores(plain), abs=1e-3)
    assert scores(quick) == sorted(scores(quick), reverse=True)


def test_templates_can_be_rendered_and_hold_field_and_slot(seq2seq: LocalModel) -> None:
    result = infill_templates(seq2seq, EXAMPLES, ANSWERS, ["text"], QUICK)
    assert result.examples == {"bad": 2, "good": 2}
    for one in result.templates:
        template = Template(one.text)
        assert template.fields == ("text",) and one.text.index("{text}") == 0
        template.render({"text": "a film"})
    total = len(result.templates) + sum(result.dropped.values())
    assert 0 < total <= 6 and "5 examples" not in result.describe()[0]


def test_pairs_are_filled_between_their_texts(seq2seq: LocalModel) -> None:
    pairs = [Example(e.id, {"a": e.fields["text"], "b": "it rains"}, e.label) for e in EXAMPLES]
    options = InfillingOptions(("between",), beams=4, most_tokens=2, per_label=1)
    filler = find_filler(seq2seq)
    seen: list[Sides] = []
    whole = SentinelFiller.fill

    def fill(self: SentinelFiller, sides: Any, *given: Any) -> list[HoleTexts]:
        seen.extend(sides)
        return whole(self, sides, *given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SentinelFiller, "fill", fill)
        patch.setattr(infill, "_fault", lambda *given: None)
        found = infill_templates(seq2seq, pairs, ANSWERS, ["a", "b"], options)
    assert isinstance(filler, SentinelFiller)
    assert all(side.after == "it rains" and side.before.startswith("the ") for side in seen)
    for one in found.templates:
        assert one.text.startswith("{a}") and one.text.endswith("{b}")


class Scripted(SentinelFiller):
    """Fills in what a test says."""

    texts: tuple[HoleTexts, ...] = ()

    def __init__(self) -> None:
        pass

    def fill(self, sides: Any, size: Any, on_step: Any) -> list[HoleTexts]:
        on_step("a step")
        return list(self.texts)


@pytest.mark.parametrize(
    ("left", "right", "text", "reason"),
    [
        (" It was ", ".", "{text} It was {mask}.", None),
        (" A {b} ", "", "{text} A \\{b\\} {mask}", None),
        ("  All  in all, ", " !", "{text} All in all, {mask} !", None),
        (" ", "", None, "it has no word"),
        (" ... ", ".", None, "it has no word"),
        (" A Great one: ", "", None, "it holds an answer"),
    ],
)
def test_what_becomes_a_template(
    monkeypatch: pytest.MonkeyPatch, seq2seq: LocalModel, left: str, right: str, text: str | None,
    reason: str | None,
) -> None:  # fmt: skip
    filler = Scripted()
    filler.texts = (HoleTexts(left, right, -1.0), HoleTexts(left, right, -2.0))
    monkeypatch.setattr(infill, "find_filler", lambda model: filler)
    result = infill_templates(seq2seq, EXAMPLES, ANSWERS, ["text"], QUICK)
    if reason is None:
        assert [one.text for one in result.templates] == [text]
        assert result.dropped == {"it repeats another one": 1}
    else:
        assert not result.templates and result.dropped == {reason: 2}
        assert f"2 dropped: {reason}" in result.describe()


def test_tokens_that_do_not_read_back_are_told(
    monkeypatch: pytest.MonkeyPatch, seq2seq: LocalModel
) -> None:
    filler = Scripted()
    filler.texts = (HoleTexts(" It was ", ".", -1.0, reads_back=False),)
    monkeypatch.setattr(infill, "find_filler", lambda model: filler)
    result = infill_templates(seq2seq, EXAMPLES, ANSWERS, ["text"], QUICK)
    assert result.dropped == {"its tokens do not read back": 1}


def test_models_that_fill_no_holes(masked: LocalModel, causal: LocalModel, tiny_bart: Any) -> None:
    for model in (masked, causal, wrapped(tiny_bart, "tiny_bart")):
        with pytest.raises(CapabilityError, match=r"fills no holes.*Qwen"):
            find_filler(model)


def test_both_kinds_are_recognised(seq2seq: LocalModel, middle: LocalModel) -> None:
    assert isinstance(find_filler(seq2seq), SentinelFiller)
    assert isinstance(find_filler(middle), MiddleFiller)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"answers": {"good": "great"}}, "at least two labels"),
        ({"answers": {"good": "great", "bad": " "}}, "'bad' has an empty answer"),
        ({"answers": {"x": "great", "y": "bad"}}, "no training example has one of the labels x, y"),
        ({"fields": []}, "one or two fields; found 0"),
        ({"options": InfillingOptions(("between",))}, "two fields"),
    ],
)
def test_bad_input(seq2seq: LocalModel, changes: dict[str, Any], match: str) -> None:
    given = {"answers": ANSWERS, "fields": ["text"], "options": QUICK} | changes
    with pytest.raises(InputError, match=match):
        infill_templates(seq2seq, EXAMPLES, **given)


def test_a_label_without_examples_is_told_and_a_long_example_refused(seq2seq: LocalModel) -> None:
    result = infill_templates(seq2seq, EXAMPLES, ANSWERS | {"odd": "strange"}, ["text"], QUICK)
    assert result.unused_labels == ("odd",)
    assert "no training example is labelled odd" in result.describe()
    long = [Example("x", {"text": "word " * 9_000}, "good")]
    with pytest.raises(CapabilityError, match="an example has"):
        infill_templates(seq2seq, long, ANSWERS, ["text"], QUICK)


def test_a_search_tells_how_far_it_is_and_can_be_stopped(seq2seq: LocalModel) -> None:
    told: list[str] = []
    cancellation = Cancellation()

    def step(text: str) -> None:
        told.append(text)
        cancellation.request()

    with pytest.raises(Cancelled):
        infill_templates(
            seq2seq, EXAMPLES, ANSWERS, ["text"], QUICK, on_step=step, cancellation=cancellation
        )
    assert told == ["infilling: 0 of 6 tokens"]


def test_records(tmp_path: Path, seq2seq: LocalModel) -> None:
    record = infill_templates(seq2seq, EXAMPLES, ANSWERS, ["text"], QUICK).record()
    assert record["examples"] == {"bad": 2, "good": 2} and record["model"] == seq2seq.name
