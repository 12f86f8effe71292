"""The index of a corpus: counted by hand, kept, read again without the corpus, made anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from promptlab.cancellation import Cancellation
from promptlab.data.corpus import index as module
from promptlab.data.corpus.entity_pairs import EntityPairs, PairLocator
from promptlab.data.corpus.index import CorpusIndex, open_corpus_index
from promptlab.data.corpus.reader import CorpusProgress, CorpusReader
from promptlab.errors import Cancelled
from tests.conftest import cache_at

TEXT = (
    "Warsaw is the capital of Poland. It is large.\n"
    "Paris lies on the Seine. Paris is in France.\n"
    "\n"
    "Oslo is cold. Norway is cold.\n"
)
PAIRS = [("Poland", "Warsaw"), ("France", "Paris"), ("Norway", "Oslo"), ("Peru", "Lima")]


@pytest.fixture(autouse=True)
def own_cache_folder(tmp_path: Path) -> Iterator[None]:
    with cache_at(str(tmp_path / "cache")):
        yield


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    file = tmp_path / "corpus.txt"
    file.write_text(TEXT)
    return file


def opened(corpus: Path, pairs: Sequence[tuple[str, str]] = PAIRS, **options: Any) -> CorpusIndex:
    locator = PairLocator(EntityPairs.from_texts(pairs))
    return open_corpus_index(CorpusReader(corpus), locator, **options)


def test_sentences_and_counts(corpus: Path) -> None:
    found = opened(corpus)
    assert [sentence.text for sentence in found] == [
        "Warsaw is the capital of Poland.",
        "Paris is in France.",
    ]
    second = list(found)[1]
    assert [second.text[m.start : m.stop] for m in second.mentions] == ["Paris", "France"]
    facts = found.facts
    assert (facts.documents, facts.sentences, facts.matched) == (3, 6, 2)
    assert (facts.subjects, facts.objects, facts.pairs) == (3, 3, 2)


def test_a_second_time_the_corpus_is_not_read(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opened(corpus)

    def read(self: CorpusReader) -> Iterator[str]:
        raise AssertionError("the corpus was read again")

    monkeypatch.setattr(CorpusReader, "__iter__", read)
    again = opened(corpus)
    assert list(again) == list(first) and again.facts == first.facts
    with pytest.raises(AssertionError):
        opened(corpus, PAIRS[:2])


def test_a_copy_of_the_corpus_has_the_same_index(corpus: Path, tmp_path: Path) -> None:
    copy = tmp_path / "other-name.txt"
    copy.write_text(TEXT)
    assert opened(copy).folder == opened(corpus).folder
    copy.write_text(TEXT + "Lima is in Peru.\n")
    assert opened(copy).folder != opened(corpus).folder
    assert opened(copy).facts.matched == 3


def test_a_damaged_index_is_told_and_made_anew(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = opened(corpus)
    before = list(found)
    file = found.folder / module.SENTENCES
    file.write_text(file.read_text().replace("capital", "village"))
    assert list(opened(corpus)) == before
    assert "is made anew" in capsys.readouterr().err


def test_reading_is_told_and_stops_when_asked(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_EVERY", 1)
    stopping = Cancellation()
    told: list[CorpusProgress] = []

    def tell(found: CorpusProgress) -> None:
        told.append(found)
        if len(told) == 2:
            stopping.request()

    with pytest.raises(Cancelled):
        opened(corpus, on_progress=tell, cancellation=stopping)
    assert [found.sentences for found in told] == [0, 2]
    assert all(found.total == len(TEXT) for found in told)
    assert not list((tmp_path / "cache" / module.FOLDER).rglob("*.jsonl"))
    assert opened(corpus).facts.matched == 2
