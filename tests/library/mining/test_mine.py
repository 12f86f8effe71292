"""Mining from a corpus written here: the book's template comes first; what is told when not."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from promptlab.cancellation import Cancellation
from promptlab.data.corpus.entity_pairs import EntityPairs
from promptlab.data.corpus.reader import CorpusReader
from promptlab.errors import Cancelled, DataError, InputError
from promptlab.library.mining import mine as module
from promptlab.library.mining.dependency_path import DependencyTree
from promptlab.library.mining.mine import MiningOptions, mine_templates, template_field
from tests.conftest import cache_at
from tests.helpers.corpus_fixtures import (
    CAPITALS,
    TEMPLATE,
    sentences,
    write_corpus,
    write_pairs,
)


@pytest.fixture(autouse=True)
def own_cache_folder(tmp_path: Path) -> Iterator[None]:
    with cache_at(str(tmp_path / "cache")):
        yield


def test_the_books_template_for_capitals_comes_first(tmp_path: Path) -> None:
    result = mine_templates(write_corpus(tmp_path), write_pairs(tmp_path))
    assert [(t.text, t.pairs, t.sentences) for t in result.templates] == [
        (TEMPLATE, 5, 5),
        ("{country} is {mask}", 3, 3),
        ("{country}'s capital, {mask}", 2, 2),
    ]
    first = result.templates[0]
    assert first.examples == tuple(sentences()[:3]) and first.methods == ("middle",)
    assert result.facts.sentences == len(sentences())
    assert (result.facts.pairs, result.facts.matched) == (5, 17)
    assert result.left_out == {"no word": 4, "another name within": 1}
    assert result.dropped == {"too few pairs": 2}
    assert json.loads(json.dumps(result.record()))["templates"][0]["text"] == TEMPLATE


def test_a_packed_corpus_of_json_lines_gives_the_same(tmp_path: Path) -> None:
    plain = mine_templates(write_corpus(tmp_path), write_pairs(tmp_path))
    file = tmp_path / "corpus.jsonl.gz"
    lines = [json.dumps({"body": text}) for text in sentences()] + ["{broken"]
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    found = mine_templates(file, write_pairs(tmp_path), MiningOptions(column="body"))
    assert found.templates == plain.templates
    assert found.facts.left_out == {"of broken JSON": 1}
    assert any("lines left out: 1 of broken JSON" in line for line in found.describe())


def test_options_bound_what_is_found(tmp_path: Path) -> None:
    corpus, pairs = write_corpus(tmp_path), write_pairs(tmp_path)
    top = mine_templates(corpus, pairs, MiningOptions(top=1, field="x"))
    assert [t.text for t in top.templates] == ["{mask} is the capital city of {x}"]
    assert top.dropped["beyond the number asked for"] == 2
    few = mine_templates(corpus, pairs, MiningOptions(max_words=2))
    assert [t.text for t in few.templates] == ["{country} is {mask}", "{country}'s capital, {mask}"]
    assert few.left_out["too many words"] == 9
    rare = mine_templates(corpus, pairs, MiningOptions(min_pairs=1))
    assert "like a better one" in rare.dropped


def test_names_in_any_case(tmp_path: Path) -> None:
    corpus = tmp_path / "small.txt"
    corpus.write_text("warsaw is in poland.\nPARIS is in france.\n")
    pairs = EntityPairs.from_texts(list(CAPITALS.items()), subject="country")
    with pytest.raises(DataError, match="ignore_case"):
        mine_templates(corpus, pairs)
    found = mine_templates(corpus, pairs, MiningOptions(ignore_case=True))
    assert [t.text for t in found.templates] == ["{mask} is in {country}"]


def test_no_match_is_told_with_counts(tmp_path: Path) -> None:
    corpus = tmp_path / "other.txt"
    corpus.write_text("Poland is flat. Oslo is cold.\nRome is in Italy.\n")
    with pytest.raises(DataError) as caught:
        mine_templates(corpus, write_pairs(tmp_path))
    told = str(caught.value)
    assert "3 sentences read, 1 of 5 subjects and 1 of 5 objects seen, 0 of 5 pairs" in told


def test_no_template_left_is_told_with_reasons(tmp_path: Path) -> None:
    corpus = tmp_path / "thin.txt"
    corpus.write_text("Lima, Peru.\nOslo is in Norway.\n")
    with pytest.raises(
        DataError, match=r"no template is left .*1 no word.*1 too few pairs"
    ) as told:
        mine_templates(corpus, write_pairs(tmp_path))
    assert "--min-pairs" in str(told.value)


def test_a_corpus_without_a_readable_line_is_told(tmp_path: Path) -> None:
    corpus = tmp_path / "broken.jsonl"
    corpus.write_text('{"title": "a"}\nnonsense\n')
    with pytest.raises(DataError, match="no text that can be read; lines left out: 1 without"):
        mine_templates(corpus, write_pairs(tmp_path))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "dependency"}, r"name its pipeline, such as en_core_web_sm"),
        ({"method": "between"}, "it is middle, dependency, both"),
        ({"top": 0}, "top is 0; it is at least 1"),
        ({"max_words": 0}, "max_words is 0"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        MiningOptions(**options)  # type: ignore[arg-type]


def test_columns_become_names_of_fields() -> None:
    assert template_field("sub_label") == "sub_label"
    assert template_field("country name") == "country_name"
    assert template_field("1st") == "_1st"
    for name in ("mask", "\u0441\u0442\u0440\u0430\u043d\u0430", ""):
        with pytest.raises(InputError, match="--field country"):
            template_field(name)


class Chains:
    """A parser to which every word hangs on the word before it: a path is all between two."""

    def __init__(self, pipeline: str) -> None:
        self.pipeline = pipeline

    def parse(self, texts: Iterable[str]) -> Iterator[DependencyTree]:
        for text in texts:
            words = text.replace(".", " .").replace("'s", " 's").replace(",", " ,").split()
            starts, position = [], 0
            for word in words:
                position = text.index(word, position)
                starts.append(position)
                position += len(word)
            heads = (0, *range(len(words) - 1))
            yield DependencyTree(tuple(words), tuple(starts), heads)


def test_dependency_paths_are_counted_beside_middle_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DependencyParser", Chains)
    corpus, pairs = write_corpus(tmp_path), write_pairs(tmp_path)
    both = mine_templates(corpus, pairs, MiningOptions(method="both", pipeline="chains"))
    middle = mine_templates(corpus, pairs)
    assert [(t.text, t.pairs, t.sentences) for t in both.templates] == [
        (t.text, t.pairs, t.sentences) for t in middle.templates
    ]
    assert {t.methods for t in both.templates} == {("middle", "dependency")}
    paths = mine_templates(corpus, pairs, MiningOptions(method="dependency", pipeline="chains"))
    assert {t.methods for t in paths.templates} == {("dependency",)}


def test_a_second_mining_reads_the_index_and_is_told_and_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, pairs = write_corpus(tmp_path), write_pairs(tmp_path)
    first = mine_templates(corpus, pairs)

    def read(self: CorpusReader) -> Iterator[str]:
        raise AssertionError("the corpus was read again")

    monkeypatch.setattr(CorpusReader, "__iter__", read)
    told: list[str] = []
    again = mine_templates(
        corpus, pairs, MiningOptions(top=2), on_progress=lambda found: told.append(found.stage)
    )
    assert again.templates == first.templates[:2]
    assert told == ["counting templates"]
    stopping = Cancellation()
    stopping.request()
    with pytest.raises(Cancelled):
        mine_templates(corpus, pairs, cancellation=stopping)
