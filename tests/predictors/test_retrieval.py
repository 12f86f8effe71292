"""Indexes: BM25 against its formula, embeddings against brute force, ties, saved settings."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.errors import CapabilityError, InputError
from promptlab.models.local import LocalModel
from promptlab.predictors.retrieval import (
    BM25Index,
    EmbeddingIndex,
    index_from_settings,
    make_index,
)
from tests.helpers.scripted_model import ScriptedModel

TEXTS = ("the film was great", "The soup, the SOUP!", "", "a dull plot", "dull dull film", "…")
Fresh = Callable[..., LocalModel]


def robertson(query: list[str], text: list[str], texts: list[list[str]]) -> float:
    """BM25 of one text word by word, as the formula has it."""
    mean = sum(map(len, texts)) / len(texts)
    value = 0.0
    for word in query:
        having = sum(word in other for other in texts)
        often = text.count(word)
        if often:
            idf = math.log(1 + (len(texts) - having + 0.5) / (having + 0.5))
            value += idf * often / (often + 1.5 * (1 - 0.75 + 0.75 * len(text) / mean))
    return value


@given(
    st.lists(st.lists(st.sampled_from("abcde"), max_size=6), min_size=1, max_size=8),
    st.lists(st.sampled_from("abcdez"), max_size=5),
)
def test_bm25_is_the_formula(texts: list[list[str]], query: list[str]) -> None:
    index = BM25Index([" ".join(text) for text in texts])
    found = index.scores([" ".join(query)])[0]
    wanted = [robertson(query, text, texts) if text else 0.0 for text in texts]
    assert found == pytest.approx(wanted, abs=1e-9)


def test_words_have_no_case_and_ties_go_to_the_earlier() -> None:
    index = make_index("bm25", TEXTS)
    assert [position for position, _ in index.search(["SOUP"], 2)[0]] == [1, 0]
    assert [position for position, _ in index.search(["dull"], 9)[0]] == [4, 3, 0, 1, 2, 5]
    nothing = [(0, 0.0), (1, 0.0)]
    assert index.search(["", "unheard of"], 2) == [nothing, nothing]
    assert index.search([], 3) == []
    assert index.search(["soup"], 0) == [[]]
    assert make_index("bm25", []).search(["soup"], 3) == [[]]
    assert make_index("bm25", ["…", ""]).search(["soup"], 3) == [[(0, 0.0), (1, 0.0)]]


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_masked", "tiny_seq2seq"])
def test_embedding_search_is_the_brute_force_cosine(name: str, fresh: Fresh) -> None:
    model = fresh(name)
    index = EmbeddingIndex(TEXTS, model)
    queries = ["the plot was great", "dull soup"]
    prompts = [index.template.render({"text": text}) for text in (*TEXTS, *queries)]
    raw = model.engine.features(model.slot_contexts(prompts))
    raw = raw.astype(np.float64) - raw[: len(TEXTS)].astype(np.float64).mean(axis=0)
    for query, hits in zip(raw[len(TEXTS) :], index.search(queries, 6), strict=True):
        cosines = [
            float(query @ text / np.linalg.norm(query) / np.linalg.norm(text))
            for text in raw[: len(TEXTS)]
        ]
        # Which of two comes first that are alike to a few bits is the machine's, not ours.
        assert sorted(p for p, _ in hits) == list(range(6))
        assert [cosines[p] for p, _ in hits] == pytest.approx(
            sorted(cosines, reverse=True), abs=1e-5
        )
        assert [s for _, s in hits] == pytest.approx([cosines[p] for p, _ in hits], abs=1e-5)


def test_a_text_that_stands_twice_is_found_in_order(fresh: Fresh) -> None:
    again = [*TEXTS, *TEXTS[::-1], *TEXTS]
    index = make_index("embedding", again, fresh("tiny_causal"))
    for hits in index.search([*TEXTS, "the plot was great"], len(again)):
        by_text: dict[str, list[int]] = {}
        for position, _ in hits:
            by_text.setdefault(again[position], []).append(position)
        assert all(len(found) == 3 and found == sorted(found) for found in by_text.values())
        for found in by_text.values():
            assert len({dict(hits)[position] for position in found}) == 1


def test_a_text_is_its_own_nearest_and_is_computed_once(fresh: Fresh) -> None:
    model = fresh("tiny_causal")
    index = make_index("embedding", TEXTS, model)
    assert model.usage.computed_tokens == 0
    assert [hits[0][0] for hits in index.search(TEXTS, 1)] == list(range(len(TEXTS)))
    before = model.usage.computed_tokens
    again = index_from_settings(index.settings(), model)
    assert [hits[0][0] for hits in again.search(TEXTS, 1)] == list(range(len(TEXTS)))
    assert model.usage.computed_tokens == before


def test_a_text_longer_than_the_window_is_cut(fresh: Fresh) -> None:
    model = fresh("tiny_causal")
    index = make_index("embedding", ["film " * 5000, "the soup"], model)
    assert index.search(["the soup"], 1)[0][0][0] == 1


def test_settings_and_refusals(fresh: Fresh) -> None:
    index = make_index("bm25", TEXTS)
    assert index.settings() == {"similarity": "bm25", "texts": list(TEXTS)}
    again = index_from_settings(index.settings())
    assert again.search(["dull film"], 6) == index.search(["dull film"], 6)
    with pytest.raises(CapabilityError, match=r"scripted is a causal model.*use similarity bm25"):
        make_index("embedding", TEXTS, ScriptedModel())
    with pytest.raises(InputError, match="embedding needs a model"):
        make_index("embedding", TEXTS)
    with pytest.raises(InputError, match="unknown similarity 'words'; it is one of bm25, embed"):
        make_index("words", TEXTS)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="-1 texts"):
        index.search(["soup"], -1)
    with pytest.raises(CapabilityError, match="cannot give features"):
        ScriptedModel().features([])
