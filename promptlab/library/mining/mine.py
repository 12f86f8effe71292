"""Templates for a relation out of a corpus that names its pairs (Jiang et al. 2020)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import tee
from pathlib import Path
from typing import Any, Literal, get_args

from promptlab.cancellation import Cancellation
from promptlab.data.corpus.entity_pairs import (
    EntityPairs,
    PairLocator,
    PairOccurrence,
    read_entity_pairs,
)
from promptlab.data.corpus.index import (
    CorpusFacts,
    CorpusIndex,
    MatchedSentence,
    open_corpus_index,
)
from promptlab.data.corpus.reader import TEXT, CorpusProgress, CorpusReader, OnCorpusProgress
from promptlab.errors import DataError, InputError
from promptlab.library.mining.dependency_path import DependencyTree, dependency_template
from promptlab.library.mining.middle_words import middle_words_template
from promptlab.library.mining.ranking import Method, MinedTemplate, TemplateCounter
from promptlab.library.mining.spacy_parser import EXTRA, USUAL, DependencyParser
from promptlab.library.mining.wording import (
    LOST_SLOT,
    OTHER_ENTITY,
    WordingFilter,
    normalise,
)
from promptlab.prompts.template import Template

Methods = Literal["middle", "dependency", "both"]
PARSING, COUNTING = "parsing sentences", "counting templates"
_EVERY = 200
"""Sentences between two looks at whether to stop, and between two reports."""


@dataclass(frozen=True)
class MiningOptions:
    """How templates are mined.

    Args:
        method: *middle* words, *dependency* paths, or *both*.
        pipeline: The spaCy pipeline that parses, such as ``en_core_web_sm``.
        top: The most templates that are kept.
        min_pairs: The fewest distinct pairs that a template covers.
        max_words: The most words of a template beside its slots.
        ignore_case: Whether names are found in any case.
        column: The field of a JSON Lines corpus that holds the text.
        field: What the subject's field is called in the templates; by default as the pairs do.

    Raises:
        InputError: For values that mean nothing, and for paths without a pipeline.

    Example:
        >>> MiningOptions(top=5).method
        'middle'
    """

    method: Methods = "middle"
    pipeline: str | None = None
    top: int = 20
    min_pairs: int = 2
    max_words: int = 10
    ignore_case: bool = False
    column: str = TEXT
    field: str | None = None

    def __post_init__(self) -> None:
        if self.method not in get_args(Methods):
            raise InputError(f"method is {self.method!r:.40}; it is {', '.join(get_args(Methods))}")
        for name in ("top", "min_pairs", "max_words"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it is at least 1")
        if self.method != "middle" and not self.pipeline:
            raise InputError(
                f"dependency paths are parsed by spaCy ({EXTRA}): name its pipeline, such as "
                f"{USUAL} (pipeline; on the command line --pipeline {USUAL})"
            )

    @property
    def methods(self) -> tuple[Method, ...]:
        """The methods one by one."""
        return ("middle", "dependency") if self.method == "both" else (self.method,)


@dataclass(frozen=True)
class MiningResult:
    """The templates that were mined, best first, and all that was counted.

    `promptlab.library.mine_templates` gives it.

    Args:
        templates: The templates.
        field: The field that stands for the subject.
        pairs: The pairs that were looked for.
        facts: What reading the corpus came to.
        left_out: Places in sentences that gave no template, by the reason.
        dropped: Distinct templates that were not kept, by the reason.

    Example:
        >>> from promptlab.data.corpus.entity_pairs import EntityPairs
        >>> pairs = EntityPairs.from_texts([("Poland", "Warsaw")])
        >>> result = MiningResult((), "country", pairs, CorpusFacts(sentences=7), {}, {})
        >>> result.record()["sentences"]
        7
    """

    templates: tuple[MinedTemplate, ...]
    field: str
    pairs: EntityPairs
    facts: CorpusFacts
    left_out: Mapping[str, int]
    dropped: Mapping[str, int]

    def record(self) -> dict[str, Any]:
        """Plain JSON data."""
        facts = self.facts.record()
        facts.pop("left_out_text")
        return {
            "templates": [template.record() for template in self.templates],
            "field": self.field,
            "pairs_given": len(self.pairs.pairs),
            "pairs_left_out": dict(self.pairs.left_out),
            "documents": facts["documents"],
            "sentences": facts["sentences"],
            "subjects_seen": facts["subjects"],
            "objects_seen": facts["objects"],
            "pairs_seen": facts["pairs"],
            "sentences_with_a_pair": facts["matched"],
            "lines_left_out": facts["left_out"],
            "places_left_out": dict(self.left_out),
            "templates_dropped": dict(self.dropped),
        }

    def describe(self) -> list[str]:
        """What was read, found and left out, a sentence each."""
        told = [_reading(self.facts, self.pairs)]
        if self.facts.left_out_text:
            told.append(f"lines left out: {self.facts.left_out_text}")
        if self.pairs.left_out or self.pairs.nested:
            told.append(f"pairs: {self.pairs.describe()}")
        for what, counts in (
            ("places without a template", self.left_out),
            ("templates dropped", self.dropped),
        ):
            if counts:
                told.append(f"{what}: {_counted(counts)}")
        return told


def mine_templates(
    corpus: str | Path,
    pairs: EntityPairs | str | Path,
    options: MiningOptions | None = None,
    *,
    on_progress: OnCorpusProgress | None = None,
    cancellation: Cancellation | None = None,
) -> MiningResult:
    """Mine templates for a relation from a corpus that names its pairs (Jiang et al. 2020).

    What stands between a subject and its object in a sentence, in either order, is a template; so
    is the shortest dependency path between them. Templates are ranked by how many distinct pairs
    they cover. The sentences that hold a pair are kept in the cache, so that the same pairs are
    looked for in the same corpus once.

    Args:
        corpus: A text with a document or a sentence a line, or JSON Lines; maybe packed.
        pairs: Subjects and objects: a CSV, TSV or JSON Lines file, or `EntityPairs`.
        options: How templates are mined.
        on_progress: Is told how far the work is.
        cancellation: By which the work is asked to stop.

    Returns:
        The templates, best first, with all counts.

    Raises:
        DataError: When nothing can be read, no sentence holds a pair, or no template is left; with
            the counts.
        InputError: When spaCy or its pipeline is missing.
        Cancelled: It was asked to stop.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "corpus.txt").write_text(
        ...     "Warsaw is the capital city of Poland.\\nParis is the capital city of France.\\n"
        ... )
        >>> _ = (folder / "pairs.csv").write_text("country,city\\nPoland,Warsaw\\nFrance,Paris\\n")
        >>> found = mine_templates(folder / "corpus.txt", folder / "pairs.csv")
        >>> found.templates[0].text, found.templates[0].pairs
        ('{mask} is the capital city of {country}', 2)
    """
    options = options or MiningOptions()
    parser = None if options.pipeline is None else _parser(options)
    reader = CorpusReader(corpus, options.column)
    if not isinstance(pairs, EntityPairs):
        pairs = read_entity_pairs(pairs, ignore_case=options.ignore_case)
    field = template_field(options.field or pairs.subject)
    locator = PairLocator(pairs, ignore_case=options.ignore_case)
    stop = cancellation or Cancellation()
    index = open_corpus_index(reader, locator, on_progress=on_progress, cancellation=stop)
    _check_matches(reader, index.facts, pairs)
    mining = _Mining(options, field, locator, parser)
    for number, (sentence, tree) in enumerate(mining.sentences(index)):
        if number % _EVERY == 0:
            stop.check()
            if on_progress is not None:
                stage = COUNTING if parser is None else PARSING
                done = CorpusProgress(stage, number, index.facts.matched, number)
                on_progress(done)
        mining.count(sentence, tree)
    templates, dropped = mining.counter.rank(options.top, min_pairs=options.min_pairs)
    result = MiningResult(
        tuple(templates), field, pairs, index.facts, dict(mining.left_out), dropped
    )
    _check_templates(reader, result, options)
    return result


def template_field(name: str) -> str:
    """The name of a template's field for a column's name. Raises `InputError` for none."""
    field = "_".join("".join(c if c.isascii() and c.isalnum() else " " for c in name).split())
    field = f"_{field}" if field[:1].isdigit() else field
    if not field or field == "mask":
        raise InputError(
            f"the subject's field cannot be called {name!r:.40}; name it with letters and digits "
            "(field: country; on the command line --field country)"
        )
    Template(f"{{{field}}} {{mask}}")
    return field


class _Mining:
    """The templates of one sentence after the other, judged and counted."""

    def __init__(
        self,
        options: MiningOptions,
        field: str,
        locator: PairLocator,
        parser: DependencyParser | None,
    ) -> None:
        self.options, self.field, self.locator, self.parser = options, field, locator, parser
        self.filter = WordingFilter(field, options.max_words)
        self.counter = TemplateCounter()
        self.left_out: Counter[str] = Counter()

    def sentences(
        self, index: CorpusIndex
    ) -> Iterator[tuple[MatchedSentence, DependencyTree | None]]:
        """The sentences of the index, parsed where that is asked for."""
        if self.parser is None:
            yield from ((sentence, None) for sentence in index)
            return
        first, second = tee(index)
        trees = self.parser.parse(sentence.text for sentence in second)
        yield from zip(first, trees, strict=True)

    def count(self, sentence: MatchedSentence, tree: DependencyTree | None) -> None:
        """Count the templates of a sentence."""
        found: dict[tuple[str, int], set[Method]] = {}
        for occurrence in self.locator.occurrences(sentence.mentions):
            for method, text in self._templates(sentence, occurrence, tree):
                fault = LOST_SLOT if text is None else self.filter.fault(text)
                if text is None or fault is not None:
                    self.left_out[str(fault)] += 1
                elif self.locator.matcher.find(self.filter.words(text)):
                    self.left_out[OTHER_ENTITY] += 1
                else:
                    found.setdefault((text, occurrence.pair), set()).add(method)
        if found:
            self.counter.add(found, sentence.text)

    def _templates(
        self, sentence: MatchedSentence, found: PairOccurrence, tree: DependencyTree | None
    ) -> Iterator[tuple[Method, str | None]]:
        if "middle" in self.options.methods:
            yield "middle", normalise(middle_words_template(sentence.text, found, self.field))
        if tree is not None:
            text = dependency_template(tree, sentence.text, found, self.field)
            yield "dependency", None if text is None else normalise(text)


def _parser(options: MiningOptions) -> DependencyParser | None:
    if options.method == "middle":
        return None
    assert options.pipeline is not None
    return DependencyParser(options.pipeline)


def _check_matches(corpus: CorpusReader, facts: CorpusFacts, pairs: EntityPairs) -> None:
    """Raise `DataError` when no sentence holds a pair, with all that was seen."""
    if facts.matched:
        return
    left_out = f"; lines left out: {facts.left_out_text}" if facts.left_out_text else ""
    if not facts.documents:
        raise DataError(f"{corpus.path} holds no text that can be read{left_out}")
    raise DataError(
        f"no sentence of {corpus.path} holds both names of a pair: {_reading(facts, pairs)}"
        f"{left_out}. Names are found as they are written, in any case by ignore_case "
        "(--ignore-case); check that the pairs' columns and language are those of the corpus"
    )


def _check_templates(corpus: CorpusReader, result: MiningResult, options: MiningOptions) -> None:
    """Raise `DataError` when nothing is left, with the reasons."""
    if result.templates:
        return
    told = "; ".join(
        f"{what}: {_counted(counts)}"
        for what, counts in (
            ("places without a template", result.left_out),
            ("templates dropped", result.dropped),
        )
        if counts
    )
    raise DataError(
        f"{corpus.path}: no template is left of {_reading(result.facts, result.pairs)} ({told}). "
        f"Admit more: min_pairs is {options.min_pairs} and max_words {options.max_words} "
        "(--min-pairs, --max-words)"
    )


def _reading(facts: CorpusFacts, pairs: EntityPairs) -> str:
    subjects = len({pair.subject for pair in pairs.pairs})
    objects = len({pair.object for pair in pairs.pairs})
    return (
        f"{facts.sentences:,} sentences read, {facts.subjects:,} of {subjects:,} subjects and "
        f"{facts.objects:,} of {objects:,} objects seen, {facts.pairs:,} of {len(pairs.pairs):,} "
        f"pairs together in {facts.matched:,} sentences"
    )


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in counts.items())
