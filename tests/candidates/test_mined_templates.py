"""The kind *mined_templates*: its candidates, what it rests on, and a study that holds it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import promptlab as pl
from promptlab.cancellation import Cancellation
from promptlab.candidates.base import find_kind
from promptlab.candidates.mined_templates import MinedTemplatesKind, MinedTemplatesSettings
from promptlab.data.corpus.reader import CorpusReader
from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.errors import Cancelled, InputError, Location
from promptlab.events import Event, Events
from promptlab.models.local import LocalModel
from promptlab.predictors.classifier import PromptClassifier
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from promptlab.study.spec.policy import StudyPolicy
from promptlab.study.spec.space import SearchSpace
from tests.conftest import cache_at
from tests.helpers.corpus_fixtures import CAPITALS, TEMPLATE, write_corpus, write_pairs
from tests.helpers.strategy_fixtures import candidates


@pytest.fixture(autouse=True)
def own_cache_folder(tmp_path: Path) -> Iterator[None]:
    with cache_at(str(tmp_path / "cache")):
        yield


def capitals(train: int = 3) -> Task:
    examples = [Example(country, {"country": country}, city) for country, city in CAPITALS.items()]
    return Task(
        "capitals",
        tuple(examples[:train]),
        tuple(examples[train:4]),
        tuple(examples[4:]),
        metric="precision_at_1",
        fields=("country",),
    )


def space(task: Task, **given: Any) -> SearchSpace:
    return SearchSpace([MinedTemplatesSettings(kind="mined_templates", **given)], task)


def test_the_kind_is_known() -> None:
    assert find_kind("mined_templates") is MinedTemplatesKind


def test_templates_times_endings_times_calibrations(tmp_path: Path) -> None:
    corpus = str(write_corpus(tmp_path))
    found = candidates(
        space(capitals(), corpus=corpus, ending=["", "."], calibration=["none", "pmi"])
    )
    texts = [TEMPLATE, f"{TEMPLATE}.", "{country} is {mask}", "{country} is {mask}."]
    assert {c.settings["template"]["text"] for c in found} == set(texts)
    labels = (" \u00b7 targets", " \u00b7 targets \u00b7 pmi")
    assert {c.name for c in found} == {text + label for text in texts for label in labels}
    first = next(c for c in found if c.name == f"{TEMPLATE}. \u00b7 targets")
    assert first.kind == "mined_templates"
    assert first.settings["mined"] == {"pairs": 3, "sentences": 3, "by": ["middle"]}
    assert set(first.settings["verbalizer"]["answers"]) == set(CAPITALS.values())


def test_a_candidate_is_fitted_and_saved(tmp_path: Path, gpt2: LocalModel) -> None:
    made = space(capitals(), corpus=str(write_corpus(tmp_path)))
    made.check(gpt2)
    (kind,) = made.kinds.values()
    candidate = next(c for c in candidates(made) if c.name.startswith(TEMPLATE))
    predictor = kind.fit(candidate, gpt2)
    assert isinstance(predictor, PromptClassifier) and predictor.template.text == TEMPLATE
    rows = predictor.predict(capitals().dev)
    again = pl.load(predictor.save(tmp_path / "saved"), gpt2)
    assert [row.scores for row in again.predict(capitals().dev)] == [row.scores for row in rows]


def test_the_corpus_is_not_read_while_a_study_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = str(write_corpus(tmp_path))

    def read(self: CorpusReader) -> Iterator[str]:
        raise AssertionError("the corpus was read")

    monkeypatch.setattr(CorpusReader, "__iter__", read)
    made = space(capitals(), corpus=corpus)
    with pytest.raises(AssertionError):
        candidates(made)


def test_pairs_of_dev_and_test_are_not_mined_with(tmp_path: Path) -> None:
    corpus, pairs = str(write_corpus(tmp_path)), str(write_pairs(tmp_path))
    (kind,) = space(capitals(), corpus=corpus, pairs=pairs).kinds.values()
    assert isinstance(kind, MinedTemplatesKind)
    assert [pair.subject for pair in kind.pairs.pairs] == ["Poland", "France", "Norway"]
    assert kind.pairs.left_out == {"of dev or test": 2}
    with pytest.raises(InputError, match="all 5 pairs are of dev or test"):
        space(capitals(train=0), corpus=corpus, pairs=pairs)


def test_files_are_looked_for_beside_the_study(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    settings = MinedTemplatesSettings(kind="mined_templates", corpus="corpus.txt")
    settings.set_location(Location(str(tmp_path / "study.yaml"), 3))
    assert len(candidates(SearchSpace([settings], capitals()))) == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"corpus": "nowhere.txt"}, "no such corpus"),
        ({"field": "town"}, "is 'town', which the data lacks; it is the subject: one of country"),
        ({"method": "both"}, "name its pipeline"),
        ({"pairs": "nowhere.csv"}, "no such file"),
        ({"verbalizers": [{"a": "b"}], "pairs": "train"}, None),
    ],
)
def test_what_can_never_work_is_refused_at_once(
    tmp_path: Path, given: dict[str, Any], message: str | None
) -> None:
    given = {"corpus": str(write_corpus(tmp_path))} | given
    if message is None:
        assert space(capitals(), **given)
        return
    with pytest.raises(InputError, match=message):
        space(capitals(), **given)


def test_without_training_examples_a_file_of_pairs_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="train gives no pairs"):
        space(capitals(train=0), corpus=str(write_corpus(tmp_path)))


def test_a_stranger_names_uploaded_files_and_spacys_pipelines_alone(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    group = {"kind": "mined_templates", "corpus": "/etc/passwd", "pipeline": "os"}
    document = {"study": "s", "task": "capitals", "model": "tiny", "candidates": [group]}
    policy = StudyPolicy(models=["tiny"], folders=[tmp_path])
    with pytest.raises(InputError) as caught:
        load_spec(document, source="test", policy=policy)
    told = str(caught.value)
    assert "'/etc/passwd' is no file that was uploaded" in told
    assert "'os' is no pipeline of spaCy's own" in told
    group |= {"corpus": "corpus.txt", "pairs": "train", "pipeline": "en_core_web_sm"}
    spec = load_spec(document, source="test", policy=policy)
    assert spec.candidates[0].corpus == str(tmp_path / "corpus.txt")  # type: ignore[union-attr]


def document(folder: Path) -> dict[str, Any]:
    data = folder / "data.csv"
    words = [f"{city},{country}" for country, city in CAPITALS.items()]
    data.write_text("\n".join(["label,country", *words]) + "\n")
    groups = [
        {"kind": "template", "templates": ["{country}: {mask}"], "verbalizers": ["targets"]},
        {"kind": "mined_templates", "corpus": str(folder / "corpus.txt")},
    ]
    return {
        "study": "capitals",
        "task": {"data": str(data), "train": 3, "dev": 1, "test": 1, "labels": []},
        "model": "tiny",
        "candidates": groups,
        "objectives": ["precision_at_1"],
        "budget": {"trials": 10},
    }


def test_a_study_holds_mined_templates_beside_hard_ones(tmp_path: Path, gpt2: LocalModel) -> None:
    write_corpus(tmp_path)
    heard: list[Event] = []
    spec = load_spec(document(tmp_path), source="test")
    run = StudyRun(spec, out=tmp_path / "runs", model=gpt2, events=Events(heard.append))
    run.run()
    board = json.loads((tmp_path / "runs" / "capitals" / "leaderboard.json").read_text())
    rows = [row for row in board["trials"] if row["kind"] == "mined_templates"]
    assert rows and {row["state"] for row in rows} == {"complete"}
    assert any("sentences read" in str(event.record()) for event in heard)
    record = yaml.safe_load((tmp_path / "runs" / "capitals" / "study.yaml").read_text())
    (basis,) = record["resolved"]["rests_on"]
    assert "file corpus.txt" in basis["fixed"]


def test_a_study_that_mines_is_stopped_when_asked(tmp_path: Path, gpt2: LocalModel) -> None:
    write_corpus(tmp_path)
    stopping = Cancellation()
    stopping.request()
    spec = load_spec(document(tmp_path), source="test")
    run = StudyRun(spec, out=tmp_path / "runs", model=gpt2, cancellation=stopping)
    with pytest.raises(Cancelled):
        run.run()
    assert not (tmp_path / "cache" / "corpora").exists() or not list(
        (tmp_path / "cache" / "corpora").glob("[!.]*")
    )
