"""Kinds around other kinds: settings, dimensions, fitting, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import Field

from promptlab.candidates.base import KindSettings, Trial
from promptlab.candidates.dimensions import suggest_choice
from promptlab.candidates.wrapper import WrappingKind, WrappingSettings
from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.errors import InputError, StudyError
from promptlab.evaluation.trace import TraceCursor
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import Predictor
from promptlab.predictors.candidate import Candidate
from promptlab.predictors.generator import PromptGenerator
from promptlab.predictors.head import HeadClassifier
from promptlab.predictors.model_calls import StrategyResult, StrategyRun
from promptlab.predictors.strategy import Strategy
from promptlab.predictors.wrapper import WrappingStrategy, inner_from_settings, inner_settings
from promptlab.prompts.parsers.parsers import TextParser
from promptlab.study.spec.load import load_spec
from promptlab.study.spec.space import SearchSpace
from tests.helpers.scripted_model import ScriptedModel
from tests.helpers.strategy_fixtures import Given
from tests.helpers.study_fixtures import study_document, write_reviews, write_study

ALLOWED_CODE = (__name__,)

HERE = f"{__name__}:LoudKind"


class Loud(WrappingStrategy):
    """Says what its inner strategy says, louder."""

    def __init__(self, inner: Predictor, marks: int) -> None:
        super().__init__(inner)
        self.marks = marks

    def solve(
        self, example: Example, branch: TraceCursor, sample: int = 0
    ) -> StrategyRun[StrategyResult]:
        found = yield from self.inner.solve(example, branch, sample)
        return StrategyResult(
            None if found.label is None else found.label.upper() + "!" * self.marks
        )

    def settings(self) -> dict[str, Any]:
        return super().settings() | {"marks": self.marks}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], model: LanguageModel) -> Loud:
        return cls(inner_from_settings(settings["inner"], model), settings["marks"])


class LoudSettings(WrappingSettings):
    marks: list[int] = Field(default=[1, 2], min_length=1)


class LoudKind(WrappingKind):
    name: ClassVar[str] = "loud"
    Settings: ClassVar[type[KindSettings]] = LoudSettings

    def own_dimensions(self, trial: Trial, prefix: str, labels: list[str]) -> dict[str, Any]:
        marks = suggest_choice(trial, f"{prefix}marks", self.settings.marks)
        labels.append(f"{marks} marks")
        return {"marks": marks}

    def wrap(
        self, inner: Strategy, settings: Mapping[str, Any], model: LanguageModel
    ) -> WrappingStrategy:
        return Loud(inner, settings["marks"])


def example(number: int, label: str) -> Example:
    return Example(str(number), {"text": f"text {number}"}, label)


TASK = Task("echo", (example(1, "a"),), (example(2, "b"),), (example(3, "c"),))
TEMPLATE = {
    "kind": "template",
    "templates": [
        {"name": "say", "text": "Say {text}: {mask}", "parser": {"type": "text"}},
        {"name": "tell", "text": "Tell {text}: {mask}", "parser": {"type": "text"}},
    ],
}


def group(inner: Mapping[str, Any], **own: Any) -> LoudSettings:
    return LoudSettings.model_validate({"kind": HERE, "inner": inner, **own})


def candidates(space: SearchSpace) -> list[Candidate]:
    found = []
    for params in space.enumerate(100) or []:
        found.append(space.suggest(Given(params))[1])
    return found


def test_inner_dimensions_have_their_own_names() -> None:
    space = SearchSpace([group(TEMPLATE)], TASK)
    params = space.enumerate(100)
    assert params is not None
    assert len(params) == 4
    assert set(params[0]) == {"loud.inner.template", "loud.marks"}
    assert sorted(c.name for c in candidates(space)) == [
        "say · 1 marks", "say · 2 marks", "tell · 1 marks", "tell · 2 marks",
    ]  # fmt: skip


def test_candidates_hold_the_inner_one_and_are_fitted_around_it() -> None:
    space = SearchSpace([group({"kind": HERE, "inner": TEMPLATE, "marks": [1]}, marks=[2])], TASK)
    candidate = candidates(space)[0]
    inner = candidate.settings["inner"]
    assert (candidate.settings["marks"], inner["kind"], inner["name"]) == (
        2,
        "loud",
        "say · 1 marks",
    )
    assert inner["settings"]["inner"]["kind"] == "template"
    model = ScriptedModel(lambda prompt, sample: f"{prompt.split()[0]} it")
    fitted = space.kinds["loud"].fit(candidate, model)
    assert fitted.predict(TASK.dev).labels == ["SAY IT!!!"]
    again = type(fitted).from_settings(fitted.settings(), model)
    assert again.settings() == fitted.settings()
    assert again.predict(TASK.dev).labels == ["SAY IT!!!"]


def test_what_no_strategy_is_cannot_be_wrapped() -> None:
    labelled = Task("labelled", TASK.train, TASK.dev, TASK.test, labels=("a", "b", "c"))
    with pytest.raises(StudyError, match=r"group 1 \(.*LoudKind\): inner \(head\): .*no strategy"):
        SearchSpace([group({"kind": "head"})], labelled)
    with pytest.raises(StudyError, match=r"inner \(words\): its candidates build on others"):
        SearchSpace([group({"kind": "words"})], TASK)
    with pytest.raises(StudyError, match=r"inner \(template\): .*reads the field 'nothing'"):
        SearchSpace([group({"kind": "template", "templates": ["{nothing} {mask}"]})], TASK)

    with pytest.raises(InputError, match="Loud wraps strategies"):
        Loud(object.__new__(HeadClassifier), 1)


def test_the_inner_check_is_asked() -> None:
    space = SearchSpace([group(TEMPLATE)], TASK)
    model = ScriptedModel()
    model.capabilities = frozenset({"score"})
    with pytest.raises(StudyError, match=r"group 1 .*: inner \(template\): .*cannot generate"):
        space.check(model)
    space.check(ScriptedModel())


def test_inner_settings_name_their_class() -> None:
    model = ScriptedModel(lambda prompt, sample: "x")
    inner = PromptGenerator("{text} {mask}", TextParser(), model)
    data = inner_settings(Loud(inner, 1))
    assert (data["predictor"], data["settings"]["inner"]["predictor"]) == (
        "Loud",
        "PromptGenerator",
    )
    assert inner_from_settings(data, model).settings() == data["settings"]
    with pytest.raises(InputError, match=r"the predictor 'Lout' is unknown here; known are .*Loud"):
        inner_from_settings({"predictor": "Lout", "settings": {}}, model)


@pytest.mark.parametrize(
    ("inner", "told"),
    [
        ({"kind": "tempalte"}, ["candidates.0.inner", "did you mean 'template'"]),
        ({"templates": ["x"]}, ["candidates.0.inner", "a mapping with the key 'kind'"]),
        (
            {"kind": "template", "templates": ["{text} {mask}"], "calibratoin": ["none"]},
            ["line 14", "candidates.0.inner.calibratoin", "did you mean 'calibration'"],
        ),
        (
            {"kind": "template", "templates": ["{text} {mask}"], "calibration": ["nine"]},
            ["candidates.0.inner.calibration.0", "found 'nine'"],
        ),
    ],
)
def test_the_study_file_is_told_of_by_line(
    tmp_path: Path, inner: dict[str, Any], told: list[str]
) -> None:
    document = study_document(write_reviews(tmp_path / "reviews.csv"))
    document["candidates"] = [{"kind": HERE, "inner": inner}]
    with pytest.raises(StudyError) as caught:
        load_spec(write_study(tmp_path / "study.yaml", document))
    for part in told:
        assert part in str(caught.value)


def test_a_spec_is_written_out_whole(tmp_path: Path) -> None:
    document = study_document(write_reviews(tmp_path / "reviews.csv"))
    document["candidates"] = [{"kind": HERE, "inner": document["candidates"][0], "marks": [3]}]
    path = write_study(tmp_path / "study.yaml", document)
    spec = load_spec(path)
    written = spec.document()
    assert len(written["candidates"][0]["inner"]["templates"]) == 3
    again = load_spec(write_study(tmp_path / "again.yaml", written))
    assert again.fingerprint == spec.fingerprint
