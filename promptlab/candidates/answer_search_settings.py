"""What a study file says of the kind *answer_search*, and what of it is a dimension."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from promptlab.candidates.template import Answers, DecodingSettings, TemplateSettings
from promptlab.tuning.answer_search.config import AnswerSearchConfig, Chooser, Ranking

_SEARCHED = ("candidates", "ranking", "distinct", "max_assignments", "kept")
_PARAPHRASED = tuple(name for name in _SEARCHED if name != "distinct")
ParaphraseSource = Literal["nearest", "writer"]
AnswerMethod = Literal[
    "ratio", "assignment", "many_to_one", "paraphrase", "prototypes", "answer_vectors"
]
PROTOTYPES = "prototypes"
"""The method without words: a label is the mean of its examples' slot features (ProtoVerb)."""
VECTORS = "answer_vectors"
"""The method whose labels are learned vectors (WARP)."""
WITHOUT_WORDS = (PROTOTYPES, VECTORS)
_EVERY = ("choose_on", "capitalised", "folds", "train_examples", "seed", "calibration")
DIMENSIONS: dict[str, tuple[str, ...]] = {
    "ratio": (*_EVERY, "words", "aggregation"),
    "assignment": (*_EVERY, *_SEARCHED),
    "many_to_one": (*_EVERY, *_SEARCHED, "words", "beam", "aggregation"),
    "paraphrase": (*_EVERY, *_PARAPHRASED, "words", "beam", "aggregation", "paraphrases"),
    PROTOTYPES: (),
    VECTORS: ("folds", "seed"),
}
"""What is searched over, or given, for each method; the rest does not matter to it."""
WRITING = DecodingSettings(max_tokens=96, temperature=0.9, top_p=0.95)


class AnswerSearchSettings(TemplateSettings):
    """How the answer words of a template group are found; every list is a search dimension.

    The names are those of `AnswerSearchConfig`: *ratio* takes the best ``words`` of each label,
    *assignment* tries one of the ``candidates`` of each label in all combinations, *many_to_one*
    adds further words to the best of them. Train proposes, dev chooses. *paraphrase* does as
    *many_to_one* with words that mean what the ``given`` answers (without them the template's own)
    mean: the *nearest* ones in the model's own vocabulary, or those that a ``writer`` writes (a
    model's name; without it the study's own). *prototypes* needs no words: a label is the mean of
    its training examples' features at the slot. *answer_vectors* learns a vector for each label,
    which begins at the given answers if there are any.
    """

    verbalizers: list[Literal["search"]] = Field(default=["search"], min_length=1)  # type: ignore[assignment]
    length_normalise: list[Literal[False]] = Field(default=[False], min_length=1)  # type: ignore[assignment]
    method: list[AnswerMethod] = Field(default=["assignment"], min_length=1)
    given: Answers | None = None
    paraphrases: list[ParaphraseSource] = Field(default=["nearest"], min_length=1)
    writer: str | None = None
    writing: DecodingSettings = WRITING
    tries: int = Field(default=3, ge=1)
    words: list[int] = Field(default=[AnswerSearchConfig.words], min_length=1)
    candidates: list[int] = Field(default=[AnswerSearchConfig.candidates], min_length=1)
    ranking: list[Ranking] = Field(default=[AnswerSearchConfig.ranking], min_length=1)
    distinct: list[bool] = Field(default=[AnswerSearchConfig.distinct], min_length=1)
    beam: list[int] = Field(default=[AnswerSearchConfig.beam], min_length=1)
    choose_on: list[Chooser] = Field(default=[AnswerSearchConfig.choose_on], min_length=1)
    capitalised: list[bool] = Field(default=[AnswerSearchConfig.capitalised], min_length=1)
    kept: int = AnswerSearchConfig.kept
    max_assignments: int = AnswerSearchConfig.max_assignments
    folds: int = AnswerSearchConfig.folds
    train_examples: int = AnswerSearchConfig.train_examples
    seed: int = AnswerSearchConfig.seed
