"""The keys and types of saved predictors' documents, kind by kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from promptlab.files.settings import LARGEST

Whole = Annotated[int, Field(ge=-LARGEST, le=LARGEST)]
Count = Annotated[int, Field(ge=0, le=100_000)]
"""Of demonstrations, samples, branches: of what is asked for one by one."""
Texts = list[str]
Fields = dict[str, str]


class _Saved(BaseModel):
    """Exactly these keys with values of exactly these types; no NaN, no infinity."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Anything(BaseModel):
    """The settings of a predictor that is defined elsewhere."""

    model_config = ConfigDict(extra="allow")


class _Template(_Saved):
    name: str | None = None
    text: str | None = None
    parts: Fields | None = None
    chat: bool = False
    separator: str | None = None
    demonstration_separator: str | None = None


class _Verbalizer(_Saved):
    answers: dict[str, str | Texts | dict[str, float]]
    aggregation: str = "sum"
    length_normalise: bool = False


class _Decoding(_Saved):
    max_tokens: Annotated[int, Field(ge=1, le=LARGEST)] = 64
    temperature: float = 0.0
    top_k: Whole | None = None
    top_p: float | None = None
    stop: Texts = []
    seed: Whole = 0


class _Demonstration(_Saved):
    fields: Fields
    answer: str


class _Worked(_Demonstration):
    reasoning: str


class _KnownExample(_Saved):
    id: str
    fields: Fields
    label: str | None = None


class _Choice(_Saved):
    count: Count = 0
    seed: Whole = 13
    order: str | None = None
    selection: str = "random"
    similarity: str = "bm25"
    balanced: bool | None = None
    placement: str = "before"
    permutations: Count = 24
    probes: Count = 32


class _OfTemplate(_Saved):
    template: _Template
    choice: _Choice
    demonstrations: list[_Demonstration] | None
    pool: list[_KnownExample] | None = None


class _PromptClassifier(_OfTemplate):
    verbalizer: _Verbalizer
    calibration: str
    prior: list[float] | None

    @model_validator(mode="after")
    def _one_number_an_answer(self) -> _PromptClassifier:
        answers = sum(
            1 if isinstance(words, str) else len(words)
            for words in self.verbalizer.answers.values()
        )
        if self.prior is not None and len(self.prior) != answers:
            raise ValueError(f"prior has {len(self.prior)} numbers for {answers} answers")
        return self


class _PromptGenerator(_OfTemplate):
    parser: dict[str, Any]
    decoding: _Decoding
    classes: Texts = []


class _HeadClassifier(_Saved):
    input: str
    labels: Texts


class _MixtureClassifier(_Saved):
    classifier: _PromptClassifier
    weights: Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=1)]

    @model_validator(mode="after")
    def _shares(self) -> _MixtureClassifier:
        if abs(sum(self.weights) - 1) > 1e-3:
            raise ValueError(f"the weights sum to {sum(self.weights):g} and not to 1")
        return self


class _Inner(_Saved):
    predictor: str
    settings: dict[str, Any]


class _Answering(_Saved):
    parser: dict[str, Any] | None
    verbalizer: _Verbalizer | None
    decoding: _Decoding


class _Step(_Saved):
    name: str
    template: _Template
    answering: _Answering
    map: str | None
    item: str


class _Chain(_Saved):
    steps: list[_Step]


class _Automatic(_Saved):
    by: str = "tfidf"
    question_tokens: Whole = 60
    steps: Whole = 5
    right_only: bool = True
    tries: Count = 8


class _ChainOfThought(_Saved):
    template: _Template
    answering: _Answering
    mode: str
    trigger: str | None
    extraction: str | None
    extract: str
    demonstrations: list[_Worked] | None
    reasoning_field: str | None
    count: Count
    seed: Whole
    automatic: _Automatic
    decoding: _Decoding


class _SelfConsistency(_Saved):
    inner: _Inner
    samples: Count
    vote: str
    adaptive: str
    threshold: float
    wave: Count | None
    similarity: float
    answers: Texts | None


class _Writer(_Saved):
    template: _Template
    decoding: _Decoding
    demonstrations: list[_Demonstration]


class _GeneratedKnowledge(_Saved):
    inner: _Inner
    writer: _Writer
    count: Count
    choose: str
    bare: bool
    field: str


class _Shelf(_Saved):
    passages: Texts
    k: Count
    method: str
    owners: Texts | None


class _Retrieval(_Saved):
    inner: _Inner
    k: Count
    method: str
    field: str
    query: Texts
    shelf: _Shelf | None


class _SpanDecomposition(_Saved):
    template: _Template
    verbalizer: _Verbalizer
    text: str | None
    outside: str | None
    longest: Count
    keep: str
    selection: str
    calibration: str
    bias: float | Literal["tuned"]
    demonstrations: Count
    seed: Whole
    tuned: float | None = None
    shown: list[_Demonstration] | None = None


class _Thoughts(_Saved):
    template: _Template | None
    method: str
    count: Count
    decoding: _Decoding


class _Judgement(_Saved):
    template: _Template | None
    method: str
    worths: dict[str, float]
    verbalizer: _Verbalizer
    samples: Count
    decoding: _Decoding
    seed: Whole


class _Search(_Saved):
    method: str
    depth: Count
    beam: Count
    threshold: float | None
    budget: dict[str, Whole | None]


class _TreeOfThoughts(_Saved):
    thoughts: _Thoughts
    judgement: _Judgement
    search: _Search
    problem: str | None
    answer: _Template | None
    parser: dict[str, Any] | None
    decoding: _Decoding


class _Panel(_Saved):
    members: Annotated[list[_Inner], Field(min_length=1)]
    names: Texts
    labels: Texts
    smoothing: float
    seed: Whole
    most_folds: Count
    folds: dict[str, Count]


class _Rule(_Saved):
    weights: list[float]
    bias: list[float]


class _Ensemble(_Panel):
    method: str
    given: list[float]
    select: Count | None
    rule: _Rule | None
    without: list[_Rule]

    @model_validator(mode="after")
    def _one_weight_a_member(self) -> _Ensemble:
        for rule in (*([self.rule] if self.rule else []), *self.without):
            if len(rule.weights) != len(self.members):
                raise ValueError(
                    f"a rule has {len(rule.weights)} weights for {len(self.members)} members"
                )
            if len(rule.bias) not in (0, len(self.labels)):
                raise ValueError(
                    f"a rule has {len(rule.bias)} biases for {len(self.labels)} labels"
                )
        _check_folds(self.folds, len(self.without))
        return self


class _Cascade(_Panel):
    measure: str
    target: float | Literal["best"]
    given: float | list[float] | None
    thresholds: list[Annotated[float, Field(ge=0)]] | None
    without: list[list[Annotated[float, Field(ge=0)]]]

    @model_validator(mode="after")
    def _one_threshold_a_step(self) -> _Cascade:
        for limits in (*([self.thresholds] if self.thresholds is not None else []), *self.without):
            if len(limits) != len(self.members) - 1:
                raise ValueError(
                    f"there are {len(limits)} thresholds for {len(self.members)} members"
                )
        _check_folds(self.folds, len(self.without))
        return self


def _check_folds(folds: Mapping[str, int], learned: int) -> None:
    beyond = max(folds.values(), default=-1) + 1
    if learned and beyond > learned:
        raise ValueError(f"there are {beyond} folds and what was learned without {learned}")


class _Form(_Saved):
    fields: Texts
    labels: Texts
    instructions: str | None
    parser: dict[str, Any]


class _DspyProgram(_Saved):
    form: _Form
    program: str
    adapter: dict[str, Any]
    plan: dict[str, Any]
    decoding: _Decoding
    state: dict[str, Any]
    learning: dict[str, float]
    train: list[_KnownExample]


KINDS: dict[str, type[_Saved]] = {
    kind.__name__.removeprefix("_"): kind
    for kind in (
        _Cascade, _Chain, _ChainOfThought, _DspyProgram, _Ensemble, _GeneratedKnowledge,
        _HeadClassifier, _MixtureClassifier, _PromptClassifier, _PromptGenerator, _Retrieval,
        _SelfConsistency, _SpanDecomposition, _TreeOfThoughts,
    )
}  # fmt: skip


class _Seen(_Saved):
    train: Texts = []
    dev: Texts = []


class _Columns(_Saved):
    fields: Fields
    label: str | None = None
    id: str | None = None
    renamed: dict[str, str | None] = {}


class _Model(BaseModel):
    """How a model was described; more is told of it than is read again."""

    model_config = ConfigDict(extra="allow", strict=True)

    name: str
    learned: str | None = None
    weights: str | None = None
    options: dict[str, Any] = {}


class Document(_Saved):
    """``predictor.json``; keys of later versions are refused by their ``format``."""

    format: int
    predictor: str
    model: _Model
    settings: dict[str, Any]
    fields: Texts | None = None
    seen: _Seen | None = None
    columns: _Columns | None = None
    files: Fields = {}


Id = Annotated[int, Field(ge=0, le=LARGEST)]


class _LoraFacts(_Saved):
    r: Annotated[int, Field(ge=1, le=LARGEST)]
    lora_alpha: float
    target_modules: Texts
    bias: Literal["none", "all", "lora_only"] = "none"
    fan_in_fan_out: bool = False
    peft_type: str = "LORA"


class _Weights(_Saved):
    lora: _LoraFacts | None


class Learned(_Saved):
    """``learned.json``: what was learned beside the tensors."""

    format: int
    fits: dict[str, Any]
    soft: list[tuple[str, Annotated[int, Field(ge=1, le=LARGEST)]]]
    triggers: list[list[Id]]
    facts: dict[str, Any]
    weights: _Weights | None = None

    @field_validator("soft", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        if isinstance(value, list):
            return [tuple(pair) if isinstance(pair, list) else pair for pair in value]
        return value
