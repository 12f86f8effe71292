"""Prompts: what stands on each side of the slot, and how a reader sees it."""

from __future__ import annotations

from promptlab.prompts.prompt import Prompt, Slot, Soft, Text, Trigger


def test_sides_and_filling() -> None:
    prompt = Prompt((Text("It was "), Slot(), Text(".")))
    assert (prompt.slot, prompt.left, prompt.right) == (1, "It was ", ".")
    assert prompt.fill("great") == "It was great."
    assert str(prompt) == "It was {mask}."
    assert prompt.is_text_only


def test_learned_segments_are_shown_and_no_words() -> None:
    prompt = Prompt(
        (Soft(20), Soft(3, init="It was", id="shared"), Text(" so "), Trigger(5), Slot())
    )
    assert str(prompt) == '{soft:20}{soft:3 #shared "It was"} so {trigger:5}{mask}'
    assert prompt.left == " so "
    assert prompt.right == ""
    assert not prompt.is_text_only


def test_prompts_are_values() -> None:
    assert Prompt((Slot(),)) == Prompt((Slot(),))
    assert len({Prompt((Slot(),)), Prompt((Slot(),)), Prompt((Slot(),), chat=True)}) == 2


def test_trigger_words_stand_a_blank_apart() -> None:
    slot = Slot()
    for segments, shown in (
        ((Text("a film "), Trigger(2), Text(" "), slot), "a film odd words {mask}"),
        ((Text("a film"), Trigger(2), slot, Text(".")), "a film odd words {mask}."),
        ((Trigger(2), Text("a film. It was "), slot), "odd words a film. It was {mask}"),
        ((slot, Trigger(2), Text(", it was.")), "{mask} odd words, it was."),
    ):
        assert str(Prompt(segments).with_trigger_words([" odd words"])) == shown
