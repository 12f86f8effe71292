"""Retrieval: the passages that are like an example stand in its prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from promptlab.compat.earlier_names import earlier_names
from promptlab.data.example import Example
from promptlab.data.inputs import Input, Inputs, as_examples
from promptlab.data.readers import read_rows
from promptlab.errors import DataError, InputError
from promptlab.evaluation.predictions import Predictions
from promptlab.evaluation.trace import TraceCursor
from promptlab.files.provenance import note_file
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import Predictor, not_fitted_error
from promptlab.predictors.model_calls import StrategyResult, StrategyRun
from promptlab.predictors.retrieval import Hit, Index, Similarity, make_index
from promptlab.predictors.wrapper import WrappingStrategy, inner_from_settings

TEXT = "text"
"""The column of a table that holds the passages."""


def read_passages(path: str | Path, column: str = TEXT) -> list[str]:
    """The passages of a file: the ``column`` of a table (JSONL, CSV, Parquet), or a text's
    paragraphs, which empty lines set apart (its lines, where there are none).

    Raises `DataError` for a file without passages.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: there is no such file of passages")
    if path.suffix.lower() in (".txt", ".md"):
        note_file(path)
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: is no UTF-8 text ({error.reason})") from error
        found = paragraphs(text)
    else:
        rows = read_rows(path)
        if column not in rows.columns:
            raise DataError(
                f"{path}: has no column {column!r} with passages; its columns are "
                f"{', '.join(rows.columns)}"
            )
        found = rows.texts(column)
    passages = [passage for passage in found if passage]
    if not passages:
        raise DataError(f"{path}: holds no passage")
    return passages


def paragraphs(text: str) -> list[str]:
    """Paragraphs with their lines joined, or the lines of a text that has one paragraph only."""
    blocks = [block for block in text.replace("\r\n", "\n").split("\n\n") if block.strip()]
    if len(blocks) == 1:
        return [line.strip() for line in blocks[0].splitlines() if line.strip()]
    return [" ".join(block.split()) for block in blocks]


def training_passage(example: Example, fields: Sequence[str]) -> str:
    """A solved training example as a passage: its fields and its answer."""
    words = [example.fields[name] for name in fields if name in example.fields]
    return "\n".join([*words, *([] if example.label is None else [f"Answer: {example.label}"])])


TRAIN = "train"
"""The passages are the training examples with their answers."""
SEPARATOR = "\n"
MAX_CACHED_SEARCHES = 10_000
"""At most about so many searches are remembered."""


class PassageIndex:
    """Passages, and which of them are near an example.

    ``owners`` are the ids of the training examples that the passages are made of: an example
    never finds its own.
    """

    def __init__(
        self,
        passages: Sequence[str],
        k: int,
        method: Similarity,
        model: LanguageModel,
        owners: Sequence[str] | None = None,
    ) -> None:
        if k < 1:
            raise InputError(f"k is {k}; at least one passage is looked for")
        if not passages:
            raise InputError("there are no passages to look in; give at least one")
        self.k = k
        self.owners = None if owners is None else tuple(owners)
        self.index: Index = make_index(method, passages, model)
        self._places = {owner: place for place, owner in enumerate(self.owners or ())}
        self._remembered: dict[tuple[str, int], list[Hit]] = {}

    @classmethod
    def of_training(
        cls, train: Sequence[Example], fields: Sequence[str], k: int, method: Similarity,
        model: LanguageModel,
    ) -> PassageIndex:  # fmt: skip
        """The training examples' texts and answers as passages."""
        owners = [example.id for example in train]
        return cls([training_passage(e, fields) for e in train], k, method, model, owners)

    def search(
        self, examples: Sequence[Example], fields: Sequence[str], *, training: bool = False
    ) -> list[list[Hit]]:
        """At most ``k`` passages an example, nearest first; none without a word in common."""
        queries = ["\n".join(example.fields[name] for name in fields) for example in examples]
        found = self._search(queries, self.k + training)
        chosen = []
        for example, hits in zip(examples, found, strict=True):
            own = self._places.get(example.id) if training else None
            kept = [(place, value) for place, value in hits if place != own]
            if self.index.similarity == "bm25":
                kept = [(place, value) for place, value in kept if value > 0]
            chosen.append(kept[: self.k])
        return chosen

    def _search(self, queries: Sequence[str], count: int) -> list[list[Hit]]:
        """What the index finds, remembered: several solutions of an example search for the same."""
        if len(self._remembered) > MAX_CACHED_SEARCHES:
            self._remembered.clear()
        new = [q for q in dict.fromkeys(queries) if (q, count) not in self._remembered]
        for query, hits in zip(new, self.index.search(new, count), strict=True):
            self._remembered[query, count] = hits
        return [self._remembered[query, count] for query in queries]

    def text(self, hits: Sequence[Hit]) -> str:
        """The passages as they stand in the prompt."""
        return SEPARATOR.join(self.index.texts[place] for place, _ in hits)

    def augmented(
        self,
        examples: Sequence[Example],
        fields: Sequence[str],
        field: str,
        *,
        training: bool = False,
    ) -> list[Example]:
        """The examples with their passages in ``field``."""
        found = self.search(examples, fields, training=training)
        return [
            replace(example, fields={**example.fields, field: self.text(hits)})
            for example, hits in zip(examples, found, strict=True)
        ]

    def settings(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            "passages": list(self.index.texts),
            "k": self.k,
            "method": self.index.similarity,
            "owners": None if self.owners is None else list(self.owners),
        }


@earlier_names(shelf="passage_index")
class Retrieval(WrappingStrategy):
    """The ``k`` passages nearest to an example are put into the field ``field`` of ``inner``.

    With *bm25* only passages that share a word with the example are found; where there are none,
    the field is empty.

    Args:
        inner: The strategy that answers; its template reads the passages as ``{context}``.
        passages: Texts; the path of a file of them (a table's column ``text``, or the paragraphs
            of a .txt or .md file); or *train*, which makes passages of the training examples with
            their answers in ``fit``, where no example finds itself.
        k: At most so many passages stand in a prompt, the nearest first, each on a line.
        method: *bm25*, or *embedding*: the cosine of the model's centred vectors.
        field: The field of ``inner`` that holds the passages.
        query: The fields whose texts are searched with; all that ``inner`` reads but ``field``
            unless given.

    Raises:
        InputError: For an ``inner`` that does not read the field, an empty query, ``k`` below 1,
            or no passages.
        DataError: For a file of passages that is missing, cannot be read or has none.
        CapabilityError: For *embedding* with a model that gives no vectors.

    Example:
        >>> from promptlab import PromptClassifier
        >>> words = {"yes": "yes", "no": "no"}
        >>> inner = PromptClassifier("{context}\\n{question} {mask}", words, model)
        >>> found = Retrieval(inner, ["Cats have nine lives.", "Dogs bark."], k=1)
        >>> found.example_prompt("Do cats have nine lives?")
        'Cats have nine lives.\\nDo cats have nine lives? {mask}'
    """

    def __init__(
        self,
        inner: Predictor,
        passages: Sequence[str] | str | Path,
        *,
        k: int = 3,
        method: Similarity = "bm25",
        field: str = "context",
        query: Sequence[str] | None = None,
    ) -> None:
        super().__init__(inner)
        self.k, self.method, self.field = k, method, field
        if field not in self.inner.fields:
            raise InputError(
                f"the inner strategy reads {', '.join(self.inner.fields)} and not the passages; "
                f"put {{{field}}} into its template"
            )
        self.query = self.inner_fields if query is None else tuple(query)
        if not self.query:
            raise InputError("nothing is left to search with: name the fields in query")
        self.passage_index: PassageIndex | None = None
        if isinstance(passages, str) and passages == TRAIN:
            return
        texts = read_passages(passages) if isinstance(passages, str | Path) else list(passages)
        self.passage_index = PassageIndex(texts, k, method, self.model)

    @property
    def inner_fields(self) -> tuple[str, ...]:
        """The example's own fields that the inner strategy reads."""
        return tuple(name for name in self.inner.fields if name != self.field)

    @property
    def fields(self) -> tuple[str, ...]:
        """What is searched with, and what the inner strategy reads."""
        return tuple(dict.fromkeys((*self.inner_fields, *self.query)))

    @property
    def labels(self) -> tuple[str, ...]:
        """The inner strategy's labels, if it has some."""
        return tuple(getattr(self.inner, "labels", ()))

    def learn(self, train: Sequence[Example]) -> None:
        """Shelve the training examples, if these are the passages."""
        if self.passage_index is None or self.passage_index.owners is not None:
            self.passage_index = PassageIndex.of_training(
                train, self.query, self.k, self.method, self.model
            )

    def augmented(self, examples: Sequence[Input], *, training: bool = False) -> list[Example]:
        """The examples with their passages."""
        rows = as_examples(examples, self.fields)
        return self._known.augmented(rows, self.query, self.field, training=training)

    def predict(self, examples: Inputs) -> Predictions:
        """One prediction an example; all are searched for at once."""
        rows = as_examples(examples, self.fields)
        self._known.search(rows, self.query)  # all searched for at once, and remembered
        return super().predict(rows)

    def solve(
        self, example: Example, branch: TraceCursor, sample: int = 0
    ) -> StrategyRun[StrategyResult]:
        """The inner strategy's answer to the example with its passages."""
        (hits,) = self._known.search([example], self.query)
        text = self._known.text(hits)
        places = [place for place, _ in hits]
        after = branch.step("retrieve", reply=text, passages=places)
        given = replace(example, fields={**example.fields, self.field: text})
        found = yield from self.inner.solve(given, after, sample)
        return replace(found, facts={**found.facts, "passages": places})

    @property
    def _known(self) -> PassageIndex:
        if self.passage_index is None:
            raise not_fitted_error("the passages are the training examples")
        return self.passage_index

    def example_prompt(self, example: Input) -> str:
        """The inner strategy's prompt with the example's passages."""
        rows = as_examples([example], self.fields)
        return self.inner.example_prompt(self._known.augmented(rows, self.query, self.field)[0])

    def settings(self) -> dict[str, Any]:
        """Plain JSON data, the passages included once they are known."""
        return super().settings() | {
            "k": self.k,
            "method": self.method,
            "field": self.field,
            "query": list(self.query),
            "shelf": None if self.passage_index is None else self.passage_index.settings(),
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], model: LanguageModel) -> Self:
        """The inverse of `settings`."""
        made = cls(
            inner_from_settings(settings["inner"], model),
            TRAIN,
            k=settings["k"],
            method=settings["method"],
            field=settings["field"],
            query=settings["query"],
        )
        if (kept := settings["shelf"]) is not None:
            made.passage_index = PassageIndex(
                kept["passages"], kept["k"], kept["method"], model, owners=kept["owners"]
            )
        return made
