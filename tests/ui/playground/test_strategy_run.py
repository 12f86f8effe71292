"""Strategies in the workbench: settings, what is built from them, runs that are watched."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.scripted_model import ScriptedModel

pytest.importorskip("gradio")

import promptlab as pl
from promptlab.errors import Cancelled
from promptlab.ui.components.text_fields import read_fields
from promptlab.ui.context import AppContext
from promptlab.ui.playground import strategy_run
from promptlab.ui.playground.strategy_preset import LABELS, NUMBER
from promptlab.ui.playground.strategy_run import RECIPES, SAVED, build_strategy, start_strategy
from promptlab.ui.playground.strategy_settings import StrategySetting, read_settings

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppContext:
    """Over a scripted model, which says 7 whatever it is asked."""
    model = ScriptedModel(lambda prompt, n: "so it is 7\nand more")
    monkeypatch.setattr(AppContext, "load_model", lambda self, *names: model)
    return AppContext(("scripted",), tmp_path)


def solved(context: AppContext, name: str, **given: Any) -> Any:
    predictor, fields = build_strategy(context, name, given, ("",))
    work = start_strategy(predictor, fields, pl.Cancellation())
    drawn = [str(strategy_run.running_strategy_html(step, 1.0)) for step in work.latest()]
    assert all("Working" in one for one in drawn)
    return work.result


@pytest.mark.parametrize("name", sorted(set(RECIPES) - {"retrieval"}))
def test_every_strategy_solves_its_own_example(name: str, context: AppContext) -> None:
    found = solved(context, name)
    assert found.error is None and found.trace and found.trace["steps"]
    if RECIPES[name].common.get("reads") == NUMBER:
        assert found.label == "7"
    drawn = str(strategy_run.solved_html(found, 1.0, "tiny"))
    assert "tokens in" in drawn and ("pl-step" in drawn or "pl-tree" in drawn)


def test_retrieval_finds_the_passage(context: AppContext) -> None:
    found = solved(context, "retrieval", passages="Honey keeps.\nWarsaw is the capital of Poland.")
    assert found.label == "so it is 7"
    assert "Warsaw is the capital" in str(found.trace)


def test_settings_change_what_is_built(context: AppContext) -> None:
    made, fields = build_strategy(
        context,
        "self_consistency",
        {"samples": "5", "vote": "weighted", "temperature": 0.5, "fields": "question = 1 + 1?"},
        ("",),
    )
    assert (made.samples, made.vote, made.inner.decoding.temperature) == (5, "weighted", 0.5)
    assert fields == {"question": "1 + 1?"}
    scored = {"reads": LABELS, "labels": "yes: yes\nno: no"}
    made, _ = build_strategy(context, "direct", {**scored, "template": "{question} {mask}"}, ("",))
    assert isinstance(made, pl.PromptClassifier)
    made, _ = build_strategy(context, "chain_of_thought", scored, ("",))
    assert made.labels == ("yes", "no")
    made, _ = build_strategy(context, "tree_game24", {"search": "depth", "prune": 1.5}, ("",))
    assert (made.search.method, made.search.threshold) == ("depth", 1.5)
    made, _ = build_strategy(context, "few_shot", {"examples": "question = a\nanswer = 1"}, ("",))
    assert len(made.demonstrations) == 1


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("nothing", {}, "unknown strategy 'nothing'; there are direct"),
        ("direct", {"colour": "red"}, "unknown setting 'colour'; there are template"),
        ("direct", {"max_tokens": "many"}, "max_tokens: expected a number"),
        ("direct", {"max_tokens": 9999}, "outside of 1 to 512"),
        ("direct", {"reads": "runes"}, "reads: expected one of"),
        ("direct", {"chat": "perhaps"}, "expected true or false"),
        ("direct", {"template": "no slot"}, "no answer slot"),
        ("direct", {"fields": "x" * 60_000}, "at most"),
        ("few_shot", {"examples": "question = a"}, "has no answer"),
        ("self_consistency", {"temperature": 0.0}, "temperature"),
        ("chain", {"steps": "no colon"}, "steps, line 1"),
        (SAVED + "../secret", {}, "no study named"),
    ],
)
def test_what_cannot_be_is_told(
    name: str, given: dict[str, Any], told: str, context: AppContext
) -> None:
    with pytest.raises(pl.InputError, match=told):
        build_strategy(context, name, given, ("",))


def test_a_missing_field_is_named(context: AppContext) -> None:
    predictor, fields = build_strategy(context, "direct", {"fields": "text = a"}, ("",))
    with pytest.raises(pl.InputError, match="no field 'question'"):
        start_strategy(predictor, fields, pl.Cancellation())


def test_a_saved_predictor_is_on_offer_and_solves(
    tmp_path: Path, fresh: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fresh("tiny_causal")
    classifier = pl.PromptClassifier("{text} It was {mask}.", {"a": "great", "b": "bad"}, model)
    (tmp_path / "done").mkdir()
    (tmp_path / "done" / "study.yaml").write_text("study: done\n")
    classifier.save(tmp_path / "done" / "best")
    context = AppContext(("tiny_causal",), tmp_path)
    assert strategy_run.saved_strategies(context.runs) == ["saved: done"]
    monkeypatch.setattr("promptlab.models.pool.load_model", lambda *_, **__: model)
    assert strategy_run.saved_fields(context.runs, "saved: done") == "text = "
    found = solved(context, "saved: done", fields="text = a film")
    assert found.label == classifier.predict(["a film"])[0].label
    data = strategy_run.strategy_record(found, 0.5)
    assert data["answer"] == found.label and "label" not in data and data["wall_seconds"] == 0.5


def test_a_strategy_is_cancelled_between_its_steps(context: AppContext) -> None:
    predictor, fields = build_strategy(context, "tree", {}, ("",))

    cancellation, written = pl.Cancellation(), list[int]()

    def slow(prompt: str, n: int) -> str:
        """The first answer comes at once, the others when the page has asked to stop."""
        if written and n == 0:
            deadline = time.monotonic() + 60
            while not cancellation.requested and time.monotonic() < deadline:
                time.sleep(0.01)
        written.append(n)
        return f"step {n}"

    predictor.model.write = slow
    work = start_strategy(predictor, fields, cancellation)
    step = None
    for step in work.latest():  # noqa: B007 - the last one is drawn
        cancellation.request()
    with pytest.raises(Cancelled):
        assert work.result
    assert "Stopped after" in strategy_run.stopped_strategy_html(step, 1.0)


def test_settings_read_what_a_page_and_an_api_give() -> None:
    number = StrategySetting("n", "N", 3, low=1, high=5)
    part = StrategySetting("p", "P", 0.5, low=0, high=1, step=0.1)
    switch = StrategySetting("s", "S", False)
    assert read_settings((number, part, switch), {"n": 4.0, "s": "yes"}) == {
        "n": 4, "p": 0.5, "s": True,
    }  # fmt: skip


def test_examples_of_all_recipes_have_the_fields_that_are_read() -> None:
    for recipe in RECIPES.values():
        fields = read_fields(str(recipe.common["fields"]))
        assert set(recipe.sections) <= set(fields), recipe.name
        if "template" in recipe.common:
            template = pl.Template(str(recipe.common["template"]))
            assert set(recipe.needs) <= set(template.fields), recipe.name


def test_hostile_texts_are_text(context: AppContext) -> None:
    template = f"{HOSTILE} {{question}} {{mask}}"
    found = solved(context, "direct", template=template, fields=f"question = {HOSTILE}")
    drawn = str(strategy_run.solved_html(found, 1.0, "tiny"))
    assert "<script" not in drawn and drawn.count("&lt;script&gt;") == 2
    step = strategy_run.StrategyStep(found.trace, 1, 2, HOSTILE)
    assert "<script" not in strategy_run.running_strategy_html(step, 1.0)
