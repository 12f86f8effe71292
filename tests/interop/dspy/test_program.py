"""DSPy programs as predictors: every optimizer, saving, traces, faults; predictors in programs."""

from __future__ import annotations

import json
import logging
import random
import sys
from pathlib import Path
from typing import Any

import pytest

import promptlab as pl
from promptlab.errors import Cancelled, CapabilityError, InputError, WorkError
from promptlab.evaluation.trace import Trace
from promptlab.interop.dspy import DspyProgram, Optimizer, as_dspy_module, dspy_program
from promptlab.interop.dspy.adapters import AdapterChoice
from promptlab.interop.dspy.fit import FitPlan
from promptlab.interop.dspy.metric import DspyMetric
from promptlab.interop.dspy.optimizer import DEFAULTS
from promptlab.interop.dspy.silence import silence_dspy
from promptlab.interop.dspy.task_signature import TaskSignature
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import load
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.parsers.parsers import NumberParser
from tests.helpers.dspy_fixtures import CACHE, FORM, LABELS, ROWS, TASK, dspy, model, rate, write
from tests.helpers.scripted_model import ScriptedModel

ALLOWED_CODE = (
    "tests.helpers.dspy_fixtures",
    "os",
    "nowhere",
)

OWN = "tests.helpers.dspy_fixtures:TwoSteps"


def fitted(optimizer: str, program: str = "chain_of_thought", **options: Any) -> DspyProgram:
    plan = FitPlan(Optimizer.of(optimizer))
    made = DspyProgram(FORM, model(), program=program, plan=plan, **options)
    return made.fit(TASK.train, dev=TASK.dev)


@pytest.mark.parametrize("name", DEFAULTS)
def test_every_optimizer_compiles_and_its_program_is_saved(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    made = fitted(name)
    rows = made.predict(TASK.test)
    assert rows.labels == [row.label for row in TASK.test]
    assert made.save(tmp_path / "saved") == tmp_path / "saved"
    again = load(tmp_path / "saved", model())
    assert again.settings() == made.settings()
    assert again.predict(TASK.test).labels == rows.labels
    assert not list((tmp_path / "saved").glob("*.pkl"))
    assert capfd.readouterr() == ("", "")


def test_a_program_for_a_task() -> None:
    made = dspy_program(TASK, model(), optimizer={"name": "labeled_few_shot", "k": 2})
    assert made.fit(TASK.train).evaluate(TASK.test).accuracy == 1.0
    assert made.predict_proba(TASK.test).shape == (4, 2)
    assert len(made.module.demos) == 2


def test_the_saved_state_is_dspys_own(tmp_path: Path) -> None:
    made = fitted("bootstrap_few_shot")
    made.save(tmp_path)
    program = dspy.ChainOfThought(FORM.signature())
    program.load(str(tmp_path / "program.json"))
    demos = program.predictors()[0].demos
    assert len(demos) == 4 and demos[0]["reasoning"] == "take 0 on it"
    document = json.loads((tmp_path / "program.json").read_text())
    assert "dependency_versions" in document["metadata"]
    assert made.learning["tokens"] > 0 and made.learning_tokens == made.learning["tokens"]


def test_own_programs_and_what_they_ask() -> None:
    made = fitted("bootstrap_few_shot", OWN)
    row = made.predict(TASK.test[:1])[0]
    assert row.label == TASK.test[0].label and row.scores is not None
    steps = Trace.from_record(row.trace).steps
    assert [step.name for step in steps] == ["summary", "label"]
    assert row.tokens_in == sum(step.tokens_in for step in steps) > 0
    alone = fitted("none", "tests.helpers.dspy_fixtures:Alone").predict(ROWS[:2])
    assert alone.labels == ["positive", None] and alone.unparsed_rate == 0.5
    assert alone[1].text == "neutral"
    with pytest.raises(WorkError, match=r"dspy_fixtures:Broken failed on example .*KeyError"):
        fitted("none", "tests.helpers.dspy_fixtures:Broken").predict(ROWS[:1])
    for name in ("neither", "os:path", "nowhere:Name", "tests.helpers.dspy_fixtures:FORM"):
        with pytest.raises(InputError, match=name.partition(":")[0]):
            DspyProgram(FORM, model(), program=name)


def test_stock_adapters_count_what_they_cannot_parse() -> None:
    def markers(prompt: str, sample: int) -> str:
        if "bad" in prompt:
            return "no markers here"
        return "[[ ## label ## ]]\npositive\n\n[[ ## completed ## ]]"

    made = DspyProgram(FORM, ScriptedModel(markers), adapter=AdapterChoice("chat"))
    rows = made.predict(ROWS[:2])
    assert rows.labels == ["positive", None] and rows[1].unparsed
    assert rows[1].text == "no markers here" and rows[1].error is None
    assert rows[0].scores is None and rows[0].tokens_out > 0
    assert "[[ ## text ## ]]" in made.example_prompt(ROWS[0])


def test_a_stock_program_is_fitted_although_nothing_parses() -> None:
    for name in ("bootstrap_random_search", "miprov2", "simba", "gepa"):
        made = DspyProgram(
            FORM,
            ScriptedModel(lambda prompt, sample: f"something else {sample}"),
            program="chain_of_thought",
            adapter=AdapterChoice("chat"),
            plan=FitPlan(Optimizer(name)),
        )
        assert made.fit(TASK.train, dev=TASK.dev).predict(ROWS[:3]).unparsed_rate == 1.0


def test_a_failed_request_stays_with_its_example() -> None:
    failing = ScriptedModel(lambda p, n: "!gone" if "first" in p else " so", rate)
    rows = DspyProgram(FORM, failing, program="chain_of_thought").predict(ROWS)
    assert len(rows.errors) == 4 and all("gone" in error for error in rows.errors)
    assert sum(rows.correct) == 12


def test_open_answers_are_parsed() -> None:
    form = TaskSignature(("question",), parser=NumberParser())
    rows = [pl.Example(str(n), {"question": f"{n} and 1"}, str(n + 1)) for n in range(6)]

    def count(prompt: str, sample: int) -> str:
        number = int(prompt.rsplit("Question:", 1)[1].split()[0])
        return " who knows" if number == 5 else f" The answer is {number + 1}."

    plan = FitPlan(Optimizer("bootstrap_few_shot"), metric="numeric_match")
    made = DspyProgram(form, ScriptedModel(count), plan=plan)
    found = made.fit(rows[:3]).predict(rows)
    assert found.labels == ["1", "2", "3", "4", "5", None]
    assert found[5].text == "who knows"
    assert "Answer: The answer is 1." in made.example_prompt(rows[4])


def test_the_prompt_shows_instructions_and_demonstrations() -> None:
    form = TaskSignature(("text",), LABELS, "Judge the film.")
    plan = FitPlan(Optimizer("labeled_few_shot", {"k": 2}))
    made = DspyProgram(form, model(), plan=plan).fit(TASK.train)
    prompt = made.example_prompt(TASK.test[0])
    assert prompt.startswith("Judge the film.\nLabel is one of: negative, positive.\n\nText: the")
    assert prompt.count("Label: ") == 3 and prompt.endswith("was good\nLabel: ")


def test_the_same_seed_gives_the_same_program() -> None:
    def once(seed: int) -> Any:
        sampling = Decoding(max_tokens=9, temperature=1.0)
        plan = FitPlan(Optimizer("bootstrap_few_shot"), seed=seed, train_examples=6)
        made = DspyProgram(FORM, model(), program="chain_of_thought", plan=plan, decoding=sampling)
        random.seed()  # what is drawn elsewhere must not matter
        return made.fit(TASK.train, dev=TASK.dev).settings()["state"]

    assert once(3) == once(3)
    assert once(3) != once(4)


def test_a_tiny_model_end_to_end(causal: LanguageModel) -> None:
    plan = FitPlan(Optimizer("bootstrap_few_shot", {"max_bootstrapped_demos": 1}))
    made = DspyProgram(
        FORM, causal, program="chain_of_thought", plan=plan, decoding=Decoding(max_tokens=6)
    )
    rows = made.fit(TASK.train[:3]).predict(TASK.test)
    assert rows.unparsed_rate == 0
    assert all(row.scores is not None and row.seconds > 0 for row in rows)
    alone = made.predict(TASK.test[:1])
    assert alone[0].label == rows[0].label and alone[0].trace["prompts"] == rows[0].trace["prompts"]


def test_feedback_says_what_was_wrong() -> None:
    judge = DspyMetric(FORM, "macro_f1")
    gold = FORM.example(ROWS[0])
    right, wrong, none = (dspy.Prediction(label=x) for x in ("positive", "negative", "neutral"))
    assert [judge(gold, pred) for pred in (right, wrong, none)] == [1.0, 0.0, 0.0]
    told = judge(gold, wrong, None, "predict", None)
    assert told.score == 0.0 and told.feedback == "Wrong: the label is positive, not negative."
    assert "could be read from 'neutral'" in judge(gold, none, None, "predict", None).feedback


def test_cancelling_ends_the_optimizer() -> None:
    made = DspyProgram(FORM, model(), plan=FitPlan(Optimizer("bootstrap_few_shot")))
    made.lm.engine.desk.cancellation.request()
    with pytest.raises(Cancelled):
        made.fit(TASK.train)


def test_wrong_settings_are_told(masked: LanguageModel) -> None:
    for given, told in (
        ("bootstrap", "unknown optimizer 'bootstrap'"),
        ({"name": "miprov2", "trials": 3}, "unknown setting of miprov2 'trials'"),
        ({"name": "simba", "bsize": "8"}, "bsize is '8'; it is of type int"),
        ({"k": 2}, "needs a name"),
    ):
        with pytest.raises(InputError, match=told):
            Optimizer.of(given)
    with pytest.raises(CapabilityError, match="cannot generate"):
        DspyProgram(FORM, masked)
    with pytest.raises(InputError, match="labelled training examples"):
        fitted("bootstrap_few_shot").fit([])
    with pytest.raises(InputError, match="cannot be a field"):
        TaskSignature(("demos",))
    with pytest.raises(InputError, match="belong to the scoring adapter"):
        AdapterChoice("json", chat=True)


def test_only_the_quiet_are_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    level = logging.getLogger("dspy").level
    with silence_dspy(), silence_dspy():
        print("unheard")
    print("heard", file=sys.stderr)
    assert capsys.readouterr() == ("", "heard\n")
    assert logging.getLogger("dspy").level == level


def test_a_predictor_inside_a_program() -> None:
    class Cautious(dspy.Module):  # type: ignore[misc,name-defined,unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.first = as_dspy_module(
                pl.PromptClassifier(
                    "Text: {text} It was {mask}", {name: name for name in LABELS}, model()
                )
            )
            self.second = dspy.ChainOfThought(FORM.signature())

        def forward(self, text: str) -> Any:
            found = self.first(text=text)
            if found.probabilities[found.label] > 0.99:
                return found
            return self.second(text=text)

    program = Cautious()
    copied = program.deepcopy()
    assert copied.first.predictor is program.first.predictor
    found = program.first(text="a good film")
    assert found.label == "positive"
    assert found.probabilities["positive"] == pytest.approx(0.731, abs=1e-3)
    lm = DspyProgram(FORM, model()).lm
    with silence_dspy(), dspy.context(lm=lm, adapter=AdapterChoice().make()):
        optimizer = dspy.BootstrapFewShot(metric=DspyMetric(FORM, "accuracy"), max_labeled_demos=0)
        compiled = optimizer.compile(program, trainset=[FORM.example(row) for row in TASK.train])
        assert compiled(text="a good film").label == "positive"
    assert len(compiled.second.predictors()[0].demos) == 4
    with pytest.raises(InputError, match="reads the field 'text'"):
        program.first(words="a film")


def test_nothing_is_written_to_dspys_cache() -> None:
    fitted("bootstrap_few_shot")
    assert not list(Path(CACHE.name).iterdir())


def test_write_and_rate_are_about_films() -> None:
    assert write("Text: a film", 1) == " take 1 on it"
    assert rate("Text: good", "positive") > rate("Text: good", "negative")
