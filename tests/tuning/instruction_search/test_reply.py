"""Instructions read out of replies."""

from __future__ import annotations

import pytest

from promptlab.tuning.instruction_search.reply import read_instruction, repeats_request


@pytest.mark.parametrize(
    ("reply", "instruction"),
    [
        ("Name the mood.", "Name the mood."),
        ("  Instruction: Name the mood.\n\nHope this helps!", "Name the mood."),
        ("Instruction:\n\nName the mood.\nBe brief.", "Name the mood. Be brief."),
        ('**"Name the mood."**', "Name the mood."),
        ("The new instruction is: “Name it.”", "Name it."),
        ("", ""),
        ("\n \n", ""),
        ('Say "yes" or "no"', 'Say "yes" or "no"'),
        ('"Yes" if it praises, else "no"', '"Yes" if it praises, else "no"'),
        ("The instruction provided was to identify the mood.", "Identify the mood."),
        ("The instruction is to classify the text.", "Classify the text."),
        ("This instruction is to analyze the text and name it.", "Analyze the text and name it."),
        ("The instruction you provided was to name the mood.", "Name the mood."),
        ('The instruction provided is: "Name the mood."', "Name the mood."),
        ('The instruction is "Name the mood."', 'The instruction is "Name the mood."'),
        ("This instruction states:", ""),
        ("This instruction states:\n\nName the mood.", "Name the mood."),
        ("Sure! Here is a better instruction:\n\nName the mood.", "Name the mood."),
        ("Here's the instruction: Name the mood.", "Name the mood."),
        ("A: Sum the text up.", "Sum the text up."),
        ("A good text is praised; name the mood.", "A good text is praised; name the mood."),
        ("Read the text: is it good?", "Read the text: is it good?"),
        ("Instructions help; name the mood.", "Instructions help; name the mood."),
        ("Follow the instruction to name the mood.", "Follow the instruction to name the mood."),
    ],
)
def test_what_is_read(reply: str, instruction: str) -> None:
    assert read_instruction(reply) == instruction


@pytest.mark.parametrize(
    ("instruction", "is_copied"),
    [
        ("Think of an instruction that differs from all of these.", True),
        ("think of an instruction, that differs from ALL", True),
        ("Think of an instruction that differs", False),
        ("Name the mood of the text in a single word, and no more than that.", False),
        ("", False),
    ],
)
def test_a_copy_of_the_request(instruction: str, is_copied: bool) -> None:
    request = "Think of an instruction that differs from all of these and gets a higher score."
    assert repeats_request(instruction, request) is is_copied
