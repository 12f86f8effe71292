"""Which sentences of a corpus hold both entities of a pair: found once, and kept in the cache.

The index is a folder ``corpora/KEY`` of the cache folder. Its key is made of the content of the
corpus and of the pairs, so that the same question is answered without reading the corpus again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from promptlab.cancellation import Cancellation
from promptlab.data.corpus.entity_matcher import EntityMention
from promptlab.data.corpus.entity_pairs import PairLocator
from promptlab.data.corpus.reader import CorpusProgress, CorpusReader, OnCorpusProgress
from promptlab.data.corpus.sentences import sentence_spans
from promptlab.files.build_once import build_once
from promptlab.files.cache import cache_dir
from promptlab.files.file_hash import file_hash

FOLDER = "corpora"
SENTENCES, FACTS = "sentences.jsonl", "facts.json"
_VERSION = 1
_EVERY = 500
"""Documents between two looks at whether to stop, and between two reports."""
READING = "reading the corpus"


class MatchedSentence(NamedTuple):
    """A sentence that holds both entities of a pair, with all the mentions in it."""

    text: str
    mentions: tuple[EntityMention, ...]


@dataclass(frozen=True)
class CorpusFacts:
    """What reading a corpus came to, in counts.

    ``subjects`` and ``objects`` count the distinct ones that were seen in any sentence, ``pairs``
    those that stand in one sentence together, ``matched`` the sentences that hold such a pair;
    ``left_out`` counts lines by the reason.
    """

    documents: int = 0
    sentences: int = 0
    subjects: int = 0
    objects: int = 0
    pairs: int = 0
    matched: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    left_out_text: str = ""

    def record(self) -> dict[str, Any]:
        """Plain JSON data."""
        return asdict(self)


@dataclass(frozen=True)
class CorpusIndex:
    """The sentences of a corpus that hold a pair, on disk."""

    folder: Path
    facts: CorpusFacts

    def __iter__(self) -> Iterator[MatchedSentence]:
        """The sentences in the order of the corpus, a line of the file at a time."""
        with (self.folder / SENTENCES).open(encoding="utf-8") as stream:
            for line in stream:
                text, mentions = json.loads(line)
                yield MatchedSentence(text, tuple(EntityMention(*m) for m in mentions))


def open_corpus_index(
    corpus: CorpusReader,
    locator: PairLocator,
    *,
    on_progress: OnCorpusProgress | None = None,
    cancellation: Cancellation | None = None,
) -> CorpusIndex:
    """Open the index of a corpus and pairs; it is built when there is none yet, or a damaged one.

    Args:
        corpus: The corpus.
        locator: The pairs that are looked for.
        on_progress: Is told how far reading is.
        cancellation: By which reading is asked to stop; nothing is kept then.

    Returns:
        The index.

    Raises:
        DataError: For a corpus that cannot be read.
        DiskError: When the cache folder cannot be written.
        Cancelled: It was asked to stop.
    """

    def build(folder: Path) -> None:
        folder.mkdir()
        _write_index(folder, corpus, locator, on_progress, cancellation or Cancellation())

    folder = build_once(
        cache_dir() / FOLDER / _key(corpus, locator),
        build,
        purpose=f"Looking for pairs in {corpus.path}",
    )
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    return CorpusIndex(folder, CorpusFacts(**facts))


def _key(corpus: CorpusReader, locator: PairLocator) -> str:
    """Equal for the same content of the corpus, read alike, and the same pairs in their order."""
    matcher = locator.matcher
    said = [
        _VERSION,
        file_hash(corpus.path).hex(),
        corpus.column if corpus.is_json_lines else None,
        matcher.ignore_case,
        [list(pair) for pair in locator.pairs.pairs],
    ]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]


def _write_index(
    folder: Path,
    corpus: CorpusReader,
    locator: PairLocator,
    on_progress: OnCorpusProgress | None,
    cancellation: Cancellation,
) -> None:
    """Read the corpus and write its matched sentences and the facts."""
    sentences = matched = 0
    seen: set[int] = set()
    pairs: set[int] = set()
    size = corpus.size
    with (folder / SENTENCES).open("w", encoding="utf-8", newline="\n") as stream:
        for number, text in enumerate(corpus):
            if number % _EVERY == 0:
                cancellation.check()
                if on_progress is not None:
                    on_progress(CorpusProgress(READING, corpus.position, size, sentences))
            mentions = locator.matcher.find(text)
            spans = sentence_spans(text, [(m.start, m.stop) for m in mentions])
            sentences += len(spans)
            seen.update(mention.entity for mention in mentions)
            for sentence in _matched(text, spans, mentions):
                found = locator.occurrences(sentence.mentions)
                if found:
                    matched += 1
                    pairs.update(occurrence.pair for occurrence in found)
                    line = [sentence.text, [list(mention) for mention in sentence.mentions]]
                    stream.write(json.dumps(line, ensure_ascii=False) + "\n")
    facts = CorpusFacts(
        documents=corpus.documents,
        sentences=sentences,
        subjects=len(seen & locator.subjects),
        objects=len(seen & locator.objects),
        pairs=len(pairs),
        matched=matched,
        left_out=dict(corpus.left_out),
        left_out_text=corpus.describe_left_out(),
    )
    (folder / FACTS).write_text(json.dumps(facts.record(), ensure_ascii=False), encoding="utf-8")


def _matched(
    text: str, spans: Sequence[tuple[int, int]], mentions: Sequence[EntityMention]
) -> Iterator[MatchedSentence]:
    """The sentences with two mentions or more; the mentions count from the sentence's beginning."""
    waiting = iter(mentions)
    mention = next(waiting, None)
    for start, stop in spans:
        inside = []
        while mention is not None and mention.start < stop:
            inside.append(
                EntityMention(mention.entity, mention.start - start, mention.stop - start)
            )
            mention = next(waiting, None)
        if len(inside) > 1:
            yield MatchedSentence(text[start:stop], tuple(inside))
