"""What spaCy's documents become, and what is said when it or its pipeline is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from promptlab.data.corpus.entity_matcher import EntityMention
from promptlab.data.corpus.entity_pairs import PairOccurrence
from promptlab.errors import InputError
from promptlab.library.mining.dependency_path import dependency_template
from promptlab.library.mining.spacy_parser import SPACY_PIPELINE, DependencyParser, tree_of


def test_a_document_with_heads_is_a_tree() -> None:
    spacy = pytest.importorskip("spacy")
    from spacy.tokens import Doc

    document = Doc(
        spacy.blank("en").vocab,
        words=["The", "capital", "of", "France", "is", "Paris", "."],
        spaces=[True, True, True, True, True, False, False],
        heads=[1, 4, 1, 2, 4, 4, 4],
        deps=["det", "nsubj", "prep", "pobj", "ROOT", "attr", "punct"],
    )
    tree = tree_of(document)
    assert tree.heads == (1, 4, 1, 2, 4, 4, 4)
    assert tree.starts == (0, 4, 12, 15, 22, 25, 30)
    found = PairOccurrence(0, EntityMention(0, 15, 21), EntityMention(1, 25, 30))
    text = "The capital of France is Paris."
    assert document.text == text
    assert dependency_template(tree, text, found, "x") == "capital of {x} is {mask}"


def test_without_spacy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(
        InputError, match=r"spaCy, which is not installed: pip install .*\[mining\]"
    ):
        DependencyParser("en_core_web_sm")


def test_a_missing_pipeline_is_told_with_what_gets_it() -> None:
    pytest.importorskip("spacy")
    with pytest.raises(InputError, match=r"cannot load the pipeline 'xx_core_web_sm'.* download"):
        DependencyParser("xx_core_web_sm")


def test_a_pipeline_without_a_parser_is_refused(tmp_path: Path) -> None:
    spacy = pytest.importorskip("spacy")
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(InputError, match="has no dependency parser"):
        DependencyParser(str(tmp_path / "blank"))


def test_another_package_is_code_that_must_be_allowed() -> None:
    pytest.importorskip("spacy")
    with pytest.raises(InputError, match="--allow-code my_pipeline"):
        DependencyParser("my_pipeline")
    assert SPACY_PIPELINE.fullmatch("de_dep_news_trf")
    assert not SPACY_PIPELINE.fullmatch("os")
