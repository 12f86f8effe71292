"""The kind *instruction_search*: what proposals are made from, and studies of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import FixedTrial

import promptlab as pl
from promptlab.cancellation import Cancellation
from promptlab.candidates.instruction_search import (
    InstructionSearchKind,
    InstructionSearchSettings,
)
from promptlab.candidates.template import TemplateKind, TemplateSettings
from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.errors import Cancelled, CapabilityError, Pruned, StudyError
from promptlab.events import Event, Events, Step, TrialFinished
from promptlab.models.local import LocalModel
from promptlab.predictors.candidate import Candidate
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from promptlab.tuning.fit_context import FitContext, FitRequest
from promptlab.tuning.instruction_search.judged import JudgedInstruction
from tests.helpers.scripted_model import ScriptedModel
from tests.helpers.study_fixtures import study_document, write_reviews

TEMPLATE = {
    "name": "mood",
    "text": "{text} It was {mask}.",
    "answers": {"bad": "terrible", "good": "great"},
}


def example(number: int, label: str) -> Example:
    words = {"good": "a fine film", "bad": "a dull film"}[label]
    return Example(f"e{number}", {"text": f"{words} number {number}"}, label)


TRAIN = tuple(example(n, "good" if n % 2 else "bad") for n in range(12))
TASK = Task("moods", TRAIN, (example(20, "good"),), (example(30, "bad"),), labels=("bad", "good"))


def made_kind(**given: Any) -> InstructionSearchKind:
    settings = {"kind": "instruction_search", "templates": [TEMPLATE], "proposals": 8} | given
    return InstructionSearchKind(InstructionSearchSettings.model_validate(settings), TASK)


def suggested(kind: InstructionSearchKind, number: int) -> Candidate:
    return kind.suggest(FixedTrial({"proposal": number}), "")


def judge(kind: InstructionSearchKind, **values: tuple[float, tuple[bool, ...]]) -> None:
    """The kind as if the study had judged instructions: their values, and what they had right."""
    kind._judged = {
        number: JudgedInstruction(number, "mood", text.replace("_", " "), value, correct)
        for number, (text, (value, correct)) in enumerate(values.items())
    }


def critic(prompt: str, sample: int) -> str:
    return f"Instruction: Judge the mood, version {sample}."


def fair(prompt: str, answer: str) -> float:
    """Right where the prompt asks to judge; else it always says terrible."""
    right = "great" if "fine" in prompt.rsplit("\n\n", 1)[-1] else "terrible"
    return 0.0 if answer == (right if "Judge" in prompt else "terrible") else -5.0


def template_candidate() -> Candidate:
    """The template as a group of templates suggests it."""
    given: dict[str, Any] = {"kind": "template", "templates": [TEMPLATE]}
    return TemplateKind(TemplateSettings.model_validate(given), TASK).suggest(FixedTrial({}), "")


def test_the_first_proposal_is_the_template_as_it_is() -> None:
    kind, model = made_kind(), ScriptedModel(critic, fair)
    candidate = suggested(kind, 0)
    assert candidate.kind == "template" and candidate.name == "mood"
    assert candidate == template_candidate()
    predictor = kind.fit(candidate, model)
    assert predictor.template.source == TEMPLATE["text"]  # type: ignore[attr-defined]
    assert not model.calls and predictor.learning_tokens == 0


def test_methods_take_turns_and_begin_with_induction() -> None:
    kind = made_kind()
    methods = [suggested(kind, n).settings["method"] for n in range(1, 6)]
    assert methods == ["induction"] * 5  # nothing was judged yet
    judge(kind, Say_it=(0.5, (True, False)), Name_it=(0.6, (False, True)))
    methods = [suggested(kind, n).settings["method"] for n in range(1, 6)]
    assert methods == ["induction", "reflection", "crossover", "trajectory", "induction"]
    assert len({suggested(kind, n).key for n in range(9)}) == 9


def test_induction_writes_a_better_prompt() -> None:
    kind, model = made_kind(), ScriptedModel(critic, fair)
    predictor = kind.fit(suggested(kind, 1), model)
    ((prompt, sample),) = model.calls[0]
    assert prompt.count("Output: ") == 6 and sample == 3
    assert predictor.example_prompt("a fine film") == (
        "Judge the mood, version 3.\n\na fine film It was {mask}."
    )
    assert predictor.predict(["a fine film", "a dull film"]).labels == ["good", "bad"]
    assert predictor.learning_tokens > 0


def test_parents_are_those_who_lead_and_a_crossover_has_two() -> None:
    kind = made_kind(proposals=400)
    judge(
        kind,
        Leads_most=(0.75, (True, True, True, False)),
        Superfluous=(0.5, (True, True, False, False)),
        Specialist=(0.25, (False, False, False, True)),
    )
    parents = set()
    for number in range(3, 400, 4):  # crossovers
        first, second = suggested(kind, number).settings["parents"]
        assert first["instruction"] != second["instruction"]
        parents |= {first["instruction"], second["instruction"]}
    assert parents == {"Leads most", "Specialist"}


def test_a_trajectory_shows_the_best_with_the_best_last() -> None:
    kind, model = made_kind(remembered=2), ScriptedModel(critic, fair)
    judge(kind, One=(0.1, ()), Two=(0.9, ()), Three=(0.5, ()))
    kind.fit(suggested(kind, 4), model)
    prompt = model.calls[0][0][0]
    assert "One" not in prompt and "Three\nScore: 0.500\n\nTwo\nScore: 0.900" in prompt


def test_reflection_shows_failures_on_training_examples() -> None:
    kind, model = made_kind(reflected=12, shown=3), ScriptedModel(critic, fair)
    judge(kind, Say_it=(0.5, (True, False)))
    steps: list[Event] = []
    fitting = FitContext(events=Events(steps.append))
    ((_, predictor),) = kind.fit_many([FitRequest(4, suggested(kind, 2))], model, fitting)
    prompt = model.calls[0][0][0]
    assert prompt.count("Right output: good") == 3 and "Its output: bad" in prompt
    assert "Say it" in prompt and "number 20" not in prompt and "number 30" not in prompt
    (step,) = steps
    assert isinstance(step, Step) and step.notes["method"] == "reflection"
    assert isinstance(predictor, pl.PromptClassifier)
    # the parent's answers to training examples are paid for, too
    assert predictor.learning_tokens > sum(len(prompt.split()) for prompt in model.scored[:12])


def test_who_is_right_on_all_is_not_reflected_on() -> None:
    kind, model = made_kind(), ScriptedModel(critic, fair)
    judge(kind, Judge_it=(1.0, (True, True)))
    steps: list[Event] = []
    fitting = FitContext(events=Events(steps.append))
    list(kind.fit_many([FitRequest(4, suggested(kind, 2))], model, fitting))
    assert "was wrong" not in model.calls[0][0][0]
    (step,) = steps
    assert isinstance(step, Step) and step.notes["method"] == "induction"
    assert step.notes["instead of"] == (
        "reflection: its parent is wrong on none of 12 training examples"
    )


def test_failures_are_not_looked_for_among_what_a_parent_shows() -> None:
    kind, model = made_kind(demonstrations=3, reflected=12), ScriptedModel(critic, fair)
    kind._judged = {
        1: JudgedInstruction(1, "mood", "Say", 0.5, (True,), demonstrations=("e1", "e3"))
    }
    candidate = suggested(kind, 2)
    assert candidate.settings["method"] == "reflection"
    kind.fit(candidate, model)
    asked = [prompt.rsplit("\n\n", 1)[-1] for prompt in model.scored]
    assert len(asked) == 10 and not any(
        "number 1 " in text or "number 3 " in text for text in asked
    )


def test_a_batch_does_not_repeat_itself() -> None:
    kind, model = made_kind(), ScriptedModel(lambda prompt, sample: "Judge the mood.", fair)
    asked = [FitRequest(n, suggested(kind, n)) for n in (1, 2)]
    (_, first), (_, second) = kind.fit_many(asked, model, FitContext())
    assert isinstance(first, pl.PromptClassifier)
    assert isinstance(second, Pruned) and "repeats an earlier one" in str(second)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "empty"),
        ("I cannot do that.", "refuses"),
        ("mood " * 4_000, "more than"),
        ("Say that a fine film number 1 is good.", "text of the data"),
    ],
)
def test_a_writer_of_no_use(reply: str, reason: str) -> None:
    kind, model = made_kind(), ScriptedModel(lambda prompt, sample: reply, fair)
    with pytest.raises(Pruned, match=f"3 dropped.*{reason}"):
        kind.fit(suggested(kind, 1), model)


def test_a_stronger_model_writes(monkeypatch: pytest.MonkeyPatch, masked: LocalModel) -> None:
    """A masked model can answer by an instruction that it could not write."""
    writer = ScriptedModel(critic)
    monkeypatch.setattr("promptlab.candidates.instruction_search.load_model", lambda name: writer)
    predictor = made_kind(writer="other").fit(suggested(made_kind(), 1), masked)
    assert predictor.example_prompt("a film").startswith("Judge the mood, version 3.")
    assert predictor.model is masked and len(writer.calls) == 1


def test_what_cannot_be_searched(masked: LocalModel) -> None:
    with pytest.raises(CapabilityError):
        made_kind().check(masked)
    jinja = TEMPLATE | {"text": "{{ text }} {{ mask }}"}
    with pytest.raises(StudyError, match="Jinja"):
        made_kind(templates=[jinja])


def start_study(
    folder: Path, model: LocalModel, cancellation: Cancellation | None = None, **changes: Any
) -> tuple[StudyRun, list[Event]]:
    data = write_reviews(folder.parent / "reviews.csv")
    own = {"negative": "terrible", "positive": "great"}
    templates = [{"name": "mood", "text": "{text} It was {mask}.", "answers": own}]
    writing = {"max_tokens": 12, "temperature": 1.0}
    group = {
        "kind": "instruction_search", "templates": templates, "proposals": 5, "writing": writing,
        "reflected": 4,
    }  # fmt: skip
    seeds = {"kind": "template", "templates": templates}
    document = study_document(data, candidates=[seeds, group], baseline="template", batch=2)
    heard: list[Event] = []
    run = StudyRun(
        load_spec(document | changes, source="test"),
        out=folder,
        events=Events(heard.append),
        cancellation=cancellation,
        model=model,
    )
    return run, heard


def lineage(board: Mapping[str, Any]) -> list[Any]:
    return sorted(
        (row["number"], row["state"], str(row["candidate"]), str(row["dev"]))
        for row in board["trials"]
    )


def test_a_study_judges_every_proposal(tmp_path: Path, causal: LocalModel) -> None:
    run, heard = start_study(tmp_path / "runs", causal)
    board = run.run()
    rows = [row for row in board["trials"] if row["kind"] == "instruction_search"]
    assert {row["candidate"]["proposal"] for row in rows} == set(range(1, 6))
    given = [row for row in board["trials"] if row["kind"] == "template"]
    assert len(given) == 1 and given[0]["state"] == "complete"  # judged once, though in both groups
    assert any("parents" in row["candidate"] or "tried" in row["candidate"] for row in rows)
    judged = [row for row in rows if row["state"] == "complete" and row["candidate"]["proposal"]]
    assert judged and all(row["learning_tokens"] > 0 for row in judged)
    assert any(row.get("why") for row in board["comparisons"])  # with the best of what was given
    if board["best"]["kind"] == "instruction_search" and board["verdict"]["action"] == "keep":
        given = pl.load(run.folder.given_folder, causal)
        assert given.example_prompt("a") == "a It was {mask}."
    steps = [event for event in heard if isinstance(event, Step)]
    assert {step.notes["method"] for step in steps} > {"induction"}


def test_cancelled_and_continued_is_the_same_lineage(
    tmp_path: Path, fresh: Callable[..., LocalModel]
) -> None:
    whole = start_study(tmp_path / "whole", fresh("tiny_causal"))[0].run()
    for stopped_after in (1, 3, 5):
        cancellation = Cancellation()
        run, _ = start_study(tmp_path / "cut", fresh("tiny_causal"), cancellation)

        def stop(event: Event, most: int = stopped_after, asked: Any = cancellation) -> None:
            if isinstance(event, TrialFinished) and event.number >= most:
                asked.request()

        run.events.subscribe(stop)
        with pytest.raises(Cancelled):
            run.run()
    continued = start_study(tmp_path / "cut", fresh("tiny_causal"))[0].run()
    assert lineage(continued) == lineage(whole)
    assert continued["best"]["candidate"] == whole["best"]["candidate"]


def test_a_saved_proposal_knows_what_it_cost(tmp_path: Path) -> None:
    kind, model = made_kind(), ScriptedModel(critic, fair)
    predictor = kind.fit(suggested(kind, 1), model)
    again = pl.load(predictor.save(tmp_path / "saved"), model)
    assert again.learning_tokens == predictor.learning_tokens > 0
