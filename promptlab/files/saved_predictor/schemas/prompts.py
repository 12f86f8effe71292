"""What is saved of prompts, and of the predictors made of them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from promptlab.files.saved_predictor.schemas.base import Count, Fields, SavedSchema, Texts, Whole
from promptlab.files.settings import LARGEST


class TemplateSchema(SavedSchema):
    """A template: its text or its parts, and how demonstrations are joined to it."""

    name: str | None = None
    text: str | None = None
    parts: Fields | None = None
    chat: bool = False
    separator: str | None = None
    demonstration_separator: str | None = None


class VerbalizerSchema(SavedSchema):
    """The answer words of each label, and how their probabilities are added up."""

    answers: dict[str, str | Texts | dict[str, float]]
    aggregation: str = "sum"
    length_normalise: bool = False


class DecodingSchema(SavedSchema):
    """How text is generated."""

    max_tokens: Annotated[int, Field(ge=1, le=LARGEST)] = 64
    temperature: float = 0.0
    top_k: Whole | None = None
    top_p: float | None = None
    stop: Texts = Field(default=[])
    seed: Whole = 0


class DemonstrationSchema(SavedSchema):
    """A solved example as it stands in a prompt."""

    fields: Fields
    answer: str


class WorkedExampleSchema(DemonstrationSchema):
    """A demonstration that shows its reasoning."""

    reasoning: str


class ExampleSchema(SavedSchema):
    """A labelled example that demonstrations are chosen from."""

    id: str
    fields: Fields
    label: str | None = None


class DemonstrationChoiceSchema(SavedSchema):
    """How many demonstrations are shown, which, and in which order."""

    count: Count = 0
    seed: Whole = 13
    order: str | None = None
    selection: str = "random"
    similarity: str = "bm25"
    balanced: bool | None = None
    placement: str = "before"
    permutations: Count = 24
    probes: Count = 32


class TemplatePredictorSchema(SavedSchema):
    """What predictors of one template share."""

    template: TemplateSchema
    choice: DemonstrationChoiceSchema
    demonstrations: list[DemonstrationSchema] | None
    pool: list[ExampleSchema] | None = None


class PromptClassifierSchema(TemplatePredictorSchema):
    """A template with answer words, calibrated or not."""

    verbalizer: VerbalizerSchema
    calibration: str
    prior: list[float] | None
    notes: dict[str, Any] = Field(default={})

    @model_validator(mode="after")
    def _one_number_an_answer(self) -> PromptClassifierSchema:
        answers = sum(
            1 if isinstance(words, str) else len(words)
            for words in self.verbalizer.answers.values()
        )
        if self.prior is not None and len(self.prior) != answers:
            raise ValueError(f"prior has {len(self.prior)} numbers for {answers} answers")
        return self


class PromptGeneratorSchema(TemplatePredictorSchema):
    """A template whose reply is parsed."""

    parser: dict[str, Any]
    decoding: DecodingSchema
    classes: Texts = Field(default=[])


class PrototypeClassifierSchema(SavedSchema):
    """Labels as points among the slot's features; none before it is fitted."""

    template: TemplateSchema
    labels: Texts
    points: list[list[float]] | None
    scale: list[Annotated[float, Field(gt=0)]] | None
    sharpness: Annotated[float, Field(gt=0)] | None

    @model_validator(mode="after")
    def _one_point_a_label(self) -> PrototypeClassifierSchema:
        found = (self.points, self.scale, self.sharpness)
        if all(part is None for part in found):
            return self
        if self.points is None or self.scale is None or self.sharpness is None:
            raise ValueError("points, scale and sharpness are there together, or none of them")
        if len(self.points) != len(self.labels) or len(self.labels) < 2:
            raise ValueError(f"there are {len(self.points)} points for {len(self.labels)} labels")
        if any(len(point) != len(self.scale) for point in self.points):
            raise ValueError(f"every point has the {len(self.scale)} numbers of the scale")
        return self


class AnswerVectorClassifierSchema(SavedSchema):
    """Labels as learned vectors, which lie beside it; none before it is fitted."""

    template: TemplateSchema
    labels: Texts
    answers: VerbalizerSchema | None
    folds: Annotated[int, Field(ge=2, le=LARGEST)]
    seed: Whole


class HeadClassifierSchema(SavedSchema):
    """A classification head over a frozen model."""

    input: str
    labels: Texts


class MixtureClassifierSchema(SavedSchema):
    """A classifier that weighs several learned prompts."""

    classifier: PromptClassifierSchema
    weights: Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=1)]

    @model_validator(mode="after")
    def _shares(self) -> MixtureClassifierSchema:
        if abs(sum(self.weights) - 1) > 1e-3:
            raise ValueError(f"the weights sum to {sum(self.weights):g} and not to 1")
        return self


class InnerPredictorSchema(SavedSchema):
    """A predictor inside another one."""

    predictor: str
    settings: dict[str, Any]


class AnsweringSchema(SavedSchema):
    """How an answer is read: parsed from a reply, or scored by answer words."""

    parser: dict[str, Any] | None
    verbalizer: VerbalizerSchema | None
    decoding: DecodingSchema
