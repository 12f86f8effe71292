"""Round trips ranked by hand, rewriting, and models of no use."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from promptlab.cancellation import Cancellation
from promptlab.engine.generation import shared_decoder
from promptlab.errors import Cancelled, CapabilityError, InputError
from promptlab.models.local import LocalModel
from promptlab.tuning.paraphrasing.paraphrase import (
    paraphrase_by_rewriting,
    paraphrase_by_translation,
)
from promptlab.tuning.paraphrasing.translator import Translation, Translator
from tests.conftest import wrapped
from tests.helpers.scripted_model import ScriptedModel

SOURCE = "{text} It was {mask}."


class Scripted:
    """Translates by a table; marks of other forms than the first are lost."""

    def __init__(self, table: Mapping[str, Sequence[tuple[str, float]]]) -> None:
        self.table = table
        self.asked: list[str] = []

    def translate(self, text: str, beams: int) -> list[Translation]:
        self.asked.append(text)
        return [Translation(*one) for one in self.table.get(text, ())][:beams]


THERE = Scripted(
    {"[0] It was [1].": [("[0] Es war [1].", -1.0), ("[0] Das war [1].", -2.0)]}
)  # fmt: skip
BACK = {
    "[0] Es war [1].": [("[0] It was [1].", -0.5), ("[0] This was [1].", -3.0)],
    "[0] Das war [1].": [("[0] This was [1].", -0.5), ("[0] That was [1].", -0.6)],
}


def test_round_trip_ranks_by_hand() -> None:
    """This: -1 - 3 = -4 by Es, -2 - .5 = -2.5 by Das; that: -2 - .6 = -2.6. The template is none.

    Averages of the two directions would rank alike; their product alone gives these numbers, and
    the other order of models asks for texts that nobody has.
    """
    found = paraphrase_by_translation(SOURCE, THERE, Scripted(BACK), beams=2)
    got = [(one.text, one.logprob, one.through) for one in found.paraphrases]
    assert got == [
        ("{text} This was {mask}.", pytest.approx(-2.5), "[0] Das war [1]."),
        ("{text} That was {mask}.", pytest.approx(-2.6), "[0] Das war [1]."),
    ]
    assert found.tried == 4
    assert found.dropped == {"it is the template itself": 1, "it repeats another one": 1}
    swapped = paraphrase_by_translation(SOURCE, Scripted(BACK), THERE, beams=2)
    assert not swapped.paraphrases and swapped.tried == 0


def test_a_narrow_beam_and_the_top() -> None:
    one = paraphrase_by_translation(SOURCE, THERE, Scripted(BACK), beams=1)
    assert one.tried == 1 and not one.paraphrases
    top = paraphrase_by_translation(SOURCE, THERE, Scripted(BACK), beams=2, top=1)
    assert len(top.paraphrases) == 1


def test_marks_that_a_model_loses_are_tried_in_another_form() -> None:
    there = Scripted({"<0> It was <1>.": [("<0> Es war <1>.", -1.0)],
                      "[0] It was [1].": [("Es war.", -1.0)]})  # fmt: skip
    back = Scripted({"<0> Es war <1>.": [("<0> This was <1>.", -1.0)],
                     "Es war.": [("It was.", -1.0)]})  # fmt: skip
    found = paraphrase_by_translation(SOURCE, there, back)
    assert [one.text for one in found.paraphrases] == ["{text} This was {mask}."]
    assert there.asked == ["[0] It was [1].", "<0> It was <1>."]


def test_a_wrong_direction_is_told() -> None:
    same = Scripted({"[0] It was [1].": [("[0] It was [1].", -0.1)]})
    assert (
        "gives the text back as it is" in paraphrase_by_translation(SOURCE, same, same).remarks[0]
    )
    back = Scripted({"[0] Es war [1].": [("[0] Estaba [1].", -0.1)],
                     "[0] Das war [1].": [("[0] Eso era [1].", -0.1)]})  # fmt: skip
    found = paraphrase_by_translation(SOURCE, THERE, back)
    assert "may translate in the wrong direction" in found.remarks[0]
    assert any("wrong direction" in line for line in found.describe())


def test_a_translation_can_be_stopped() -> None:
    cancellation = Cancellation()
    cancellation.request()
    with pytest.raises(Cancelled):
        paraphrase_by_translation(SOURCE, THERE, Scripted(BACK), cancellation=cancellation)


def writer(*replies: str) -> ScriptedModel:
    return ScriptedModel(lambda prompt, sample: replies[sample % len(replies)])


def test_rewriting_keeps_field_and_slot_and_ranks_by_probability() -> None:
    """The scripted model gives every word of a reply -.1 nats; a label is left out."""
    model = writer("[0] All in all it was so very [1].", "New sentence: [0] So [1].", "It was [1].")
    found = paraphrase_by_rewriting(SOURCE, model, samples=3)
    got = [(one.text, round(one.logprob or 0.0, 3)) for one in found.paraphrases]
    assert got == [("{text} So {mask}.", -0.5), ("{text} All in all it was so very {mask}.", -0.9)]
    assert found.dropped == {"it lost or repeated a field or the slot": 1} and found.tried == 3
    prompt, samples = model.calls[0][0]
    assert "[0] It was [1]." in prompt and samples == 0


def test_a_writer_without_probabilities_is_told_and_gives_json(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = writer("[0] All in all it was [1].", "[0] So [1].")
    whole = model._one
    monkeypatch.setattr(model, "_one", lambda *given: replace(whole(*given), logprob=None))
    found = paraphrase_by_rewriting(SOURCE, model, samples=2)
    assert [one.logprob for one in found.paraphrases] == [None, None]
    assert found.paraphrases[0].text == "{text} All in all it was {mask}."
    assert found.remarks == (
        "scripted tells no probabilities: its wordings stand in the order of its replies",
    )
    json.dumps(found.record(), allow_nan=False)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "it is empty"),
        ("[0] It was [1].", "it is the template itself"),
        ("I'm sorry, I cannot.", "it lost or repeated a field or the slot"),
        ("word " * 4_000, "it has more than 1,000 characters"),
        (
            "Say this sentence in other words. Keep every mark such as that.",
            "it repeats the request",
        ),
        ("!broken", "no reply (broken)"),
    ],
)
def test_a_writer_of_no_use_is_counted(reply: str, reason: str) -> None:
    found = paraphrase_by_rewriting(SOURCE, writer(reply), samples=4)
    assert not found.paraphrases and found.dropped == {reason: 4} and found.tried == 4
    assert f"4 dropped: {reason}" in found.describe()


def test_bad_input(masked: LocalModel) -> None:
    with pytest.raises(CapabilityError):
        paraphrase_by_rewriting(SOURCE, masked)
    with pytest.raises(InputError, match="samples is 0"):
        paraphrase_by_rewriting(SOURCE, writer("x"), samples=0)
    with pytest.raises(InputError):
        paraphrase_by_rewriting("no slot", writer("x"))


def test_a_translator_gives_what_reading_anew_gives(
    tiny_bart: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    translator = Translator(wrapped(tiny_bart, "tiny_bart"), most_tokens=3)
    found = translator.translate("a film", 4)
    assert len(found) == 4 and all(one.logprob < 0 for one in found)
    assert [one.logprob for one in found] == sorted((o.logprob for o in found), reverse=True)
    monkeypatch.setattr(shared_decoder, "_agrees", lambda *given: False)
    plain = translator.translate("a film", 4)
    assert [one.text for one in found] == [one.text for one in plain]
    assert [o.logprob for o in found] == pytest.approx([o.logprob for o in plain], abs=1e-3)
    assert translator.translate("another text", 1)[0].logprob != found[0].logprob


def test_models_that_translate_nothing(masked: LocalModel, seq2seq: LocalModel) -> None:
    with pytest.raises(CapabilityError, match="translates nothing"):
        Translator(masked)
    piece = next(token for token in seq2seq.tokenizer.get_vocab() if token.isalpha())
    for name in ("de", piece):  # a word piece is no language
        with pytest.raises(InputError, match=f"knows no language '{name}'"):
            Translator(seq2seq, target=name)


def test_how_a_translation_begins(
    tiny_bart: Any, seq2seq: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = seq2seq.engine.network.model
    known = seq2seq.tokenizer.get_vocab()
    monkeypatch.setattr(seq2seq.tokenizer, "get_vocab", lambda: {**known, ">>deu<<": 7})
    monkeypatch.setattr(seq2seq.tokenizer, "get_added_vocab", lambda: {"__de__": 8})
    start = int(network.config.decoder_start_token_id)
    assert Translator(seq2seq, target="deu").prefix.startswith(">>deu<< ")  # before the text
    assert Translator(seq2seq, target="deu").start == (start,)
    assert Translator(seq2seq, target="de").start == (start, 8)
    monkeypatch.setattr(network.config, "decoder_start_token_id", None)
    assert Translator(seq2seq, target="de").start == (8,)
    with pytest.raises(InputError, match="does not say what a translation begins with"):
        Translator(seq2seq)
