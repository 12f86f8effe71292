"""Prompts with learned segments become the right token ids, whatever stands beside them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from promptlab.data.example import Example
from promptlab.models.learned_parts import LearnedParts
from promptlab.models.local import LocalModel
from promptlab.models.segments import (
    MARK,
    EncodedSides,
    left_side,
    mask_learned,
    right_side,
    unmask_learned,
)
from promptlab.predictors.truncation import render_truncated
from promptlab.prompts.prompt import Prompt, Segment, Slot, Soft, Text
from promptlab.prompts.template import Template
from tests.helpers.learned_fixtures import drawn
from tests.helpers.reference_learned import answer_scores
from tests.helpers.tiny_models import Pair

Fresh = Callable[..., LocalModel]
ANSWERS = ("great", "not one joke", "terrible")
words = st.lists(
    st.sampled_from(["the", "film", "was", "Great", "sou", ".", ",", "x1", "\u00e9"]), max_size=4
)
texts = st.builds(
    lambda before, found, after: Text(before + " ".join(found) + after),
    st.sampled_from(["", " ", "  "]),
    words,
    st.sampled_from(["", " "]),
)
softs = st.builds(
    lambda count, name: Soft(count if name is None else 2, id=name),
    st.integers(1, 3),
    st.sampled_from([None, None, "a"]),
)
sides = st.lists(st.one_of(texts, softs), max_size=4)


def prompt_of(left: list[Segment], right: list[Segment]) -> Prompt:
    """The segments around a slot, neighbouring texts joined as `Template.render` joins them."""
    merged: list[Segment] = []
    for segment in [*left, Slot(), *right]:
        if segment == Text(""):
            continue
        if isinstance(segment, Text) and merged and isinstance(merged[-1], Text):
            merged[-1] = Text(merged[-1].text + segment.text)
        else:
            merged.append(segment)
    return Prompt(tuple(merged))


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(left=sides, right=sides, prefix=st.sampled_from([0, 0, 2]))
@pytest.mark.parametrize("name", ["causal", "masked"])
def test_any_template_scores_as_the_plain_reference(
    name: str,
    left: list[Segment],
    right: list[Segment],
    prefix: int,
    request: pytest.FixtureRequest,
) -> None:
    model: LocalModel = request.getfixturevalue(name)
    pair: Pair = (model.engine.network.model, model.tokenizer)
    prompt = prompt_of(left, right)
    made = drawn(model, prompt, prefix=prefix)
    found = model.with_learned_parts(made.learned, keep=False).score([prompt], ANSWERS).logprobs[0]
    with torch.no_grad():
        expected = answer_scores(pair, prompt, ANSWERS, made.parts)
    torch.testing.assert_close(torch.tensor(found).float(), expected, atol=1e-4, rtol=1e-5)


def test_white_space_before_a_learned_segment_is_no_word(causal: LocalModel) -> None:
    encoding = causal.encoding
    one, two = (700,), (701, 702)
    words = [Text("a film "), one, Text(" was  "), two, Text(" all in")]
    ids, rest = left_side(words, encoding)
    assert ids == (*encoding.encode("a film"), *one, *encoding.encode(" was"), *two)
    assert rest == Text(" all in")
    assert left_side([Text("all words ")], encoding) == ((), Text("all words "))
    assert left_side([Text(" "), one], encoding) == (one, Text(""))
    assert right_side([Text(" it "), one, Text(" was "), two], encoding) == (
        Text(" it"),
        (*one, *encoding.encode(" was"), *two),
    )
    assert right_side([Text(" it ")], encoding) == (Text(" it "), ())
    assert EncodedSides((), Text("a"), Text("b"), ()).before == ()


def test_marks_of_a_chat_template_are_not_forged() -> None:
    segments = (Text("a" + MARK.format(0) + "b"), Soft(2), Text("c"), Soft(1))
    assert unmask_learned(mask_learned(segments), [(7, 8), (9,)]) == [
        Text("a0b"),
        (7, 8),
        Text("c"),
        (9,),
        Text(""),
    ]


@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_causal", "tiny_masked", "tiny_seq2seq"])
@pytest.mark.parametrize("prefix", [0, 20])
def test_the_window_counts_what_was_learned(name: str, prefix: int, fresh: Fresh) -> None:
    """Long fields are cut so that the whole row, learned tokens included, fits and fills it."""
    model = fresh(name)
    template = Template("{soft:7}sou{text}{soft:5 #a}p It was {soft:5 #a} {mask}")
    made = drawn(model, template.render({"text": "x"}), prefix=prefix)
    view = model.with_learned_parts(made.learned)
    view.max_tokens = 64
    example = Example("1", {"text": "the soup was cold and nobody apologised . " * 30})
    prompt = render_truncated(template, example, (), view, 4)
    assert prompt.shortened == ("text",)
    ((asked,),) = view.scoring_requests([prompt], ["great"])
    row = len(asked.context.ids)
    if name != "tiny_gpt2" and name != "tiny_causal":
        row += prefix  # those carry it beside the row
    assert 64 - 4 - 6 <= row <= 64 - 4
    counted = view.count_tokens(prompt)
    assert row <= counted <= row + 3


def test_words_that_learned_tokens_part_are_counted_apart(fresh: Fresh) -> None:
    model = fresh("tiny_gpt2")
    view = model.with_learned_parts(LearnedParts(torch.zeros(1, 32), (("0", 1),)))
    joined = Template("terrible {mask}").render({})
    parted = Template("terr{soft:1}ible {mask}").render({})
    assert view.count_tokens(parted) > model.count_tokens(joined) + 1
