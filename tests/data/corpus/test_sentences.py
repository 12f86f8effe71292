"""Where sentences end, and where they do not."""

from __future__ import annotations

import pytest

from promptlab.data.corpus.sentences import sentence_spans


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("He said \u201cgo.\u201d Then he went.", ["He said \u201cgo.\u201d", "Then he went."]),
        ("Dr. J. K. Smith came. He left.", ["Dr. J. K. Smith came.", "He left."]),
        ("It has ports, e.g. for ships.", ["It has ports, e.g. for ships."]),
        ("It cost 3.5 euros.  \u00c9lan followed.", ["It cost 3.5 euros.", "\u00c9lan followed."]),
        ("A heading\n\nA line\nanother", ["A heading", "A line", "another"]),
        ("\u6771\u4eac\u3002\u5927\u962a\u3002", ["\u6771\u4eac\u3002", "\u5927\u962a\u3002"]),
        ("  ", []),
        ("", []),
    ],
)  # fmt: skip
def test_sentences(text: str, sentences: list[str]) -> None:
    assert [text[start:stop] for start, stop in sentence_spans(text)] == sentences


def test_a_name_is_never_divided() -> None:
    text = "I like Yahoo! Inc and Jeopardy! Many do."
    assert len(sentence_spans(text)) == 3
    within = [(7, 17), (22, 31)]
    found = [text[start:stop] for start, stop in sentence_spans(text, within)]
    assert found == ["I like Yahoo! Inc and Jeopardy!", "Many do."]
