"""Whole studies of written instructions: every method, continued, for a vote, and bad writers."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest

import promptlab as pl
from promptlab.cancellation import Cancellation
from promptlab.errors import Cancelled
from promptlab.events import Event, Events, Step, TrialFinished
from promptlab.prompts.decoding import Generation
from promptlab.prompts.prompt import Prompt
from promptlab.studies.bench.simulated_search import SimulatedModel
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from promptlab.study.spec.spec import StudySpec
from promptlab.tuning.instruction_search.requests import Method
from tests.helpers.interrupted_studies import Killed, switched

TEMPLATE = {"name": "given", "text": "{text} Answer: {mask}", "answers": {"no": "no", "yes": "yes"}}
METHODS: tuple[Method, ...] = get_args(Method)


def start(
    folder: Path,
    model: SimulatedModel,
    groups: Sequence[Mapping[str, Any]] = (),
    cancellation: Cancellation | None = None,
    **search: Any,
) -> tuple[StudyRun, list[Event]]:
    folder.mkdir(parents=True, exist_ok=True)
    data = model.write_examples(folder / "questions.csv", 150)
    group = {"kind": "instruction_search", "templates": [TEMPLATE], "proposals": 14} | search
    document = {
        "study": "written",
        "task": {"data": str(data), "train": 30, "dev": 60, "test": 60},
        "candidates": [{"kind": "template", "templates": [TEMPLATE]}, group, *groups],
        "baseline": "template",
        "budget": {"trials": 30},
        "batch": 1,
    }
    spec = load_spec(document, source="a test")
    assert isinstance(spec, StudySpec)
    heard: list[Event] = []
    events = Events(heard.append)
    run = StudyRun(spec, out=folder, model=model, events=events, cancellation=cancellation)
    return run, heard


ALL: dict[str, Any] = {
    "methods": list(METHODS), "demonstrations": 2, "signal": "probability", "population": 3,
    "length_penalty": 0.05,
}  # fmt: skip
MERGED = ALL | {
    "methods": ["induction", "reflection", "merge", "crossover", "differential", "trajectory"],
    "proposals": 16,
}  # fmt: skip
"""Methods in an order and a number in which the simulated world of seed 6 comes to a merge."""


def lineage(board: Mapping[str, Any]) -> list[Any]:
    return sorted(
        (row["number"], str(row["candidate"]), str(row["dev"])) for row in board["trials"]
    )


def test_every_method_has_its_turn(tmp_path: Path) -> None:
    run, heard = start(tmp_path, SimulatedModel(4, gain=0.15, better_proposal=3), **ALL)
    board = run.run()
    rows = [row for row in board["trials"] if row["kind"] == "instruction_search"]
    by_number = {row["candidate"]["proposal"]: row for row in rows}
    assert sorted(by_number) == list(range(1, 15))
    for number, row in by_number.items():
        turn = METHODS[(number - 1) % len(METHODS)]
        made = row["candidate"]
        assert made["method"] == turn or made["instead_of"] == turn
        assert len(made["examples"]) <= 2
    assert {row["candidate"]["method"] for row in rows} >= set(METHODS) - {"merge"}
    told = [event.notes.get("instead of", "") for event in heard if isinstance(event, Step)]
    replaced = [row for row in rows if "instead_of" in row["candidate"]]
    assert replaced and sum(bool(text) for text in told) == len(replaced)


def test_demonstrations_stand_in_the_prompt_and_stay_when_saved(tmp_path: Path) -> None:
    run, _ = start(tmp_path, model := SimulatedModel(4), methods=["induction"], demonstrations=2)
    board = run.run()
    shown = [row for row in board["trials"] if row["candidate"].get("examples")]
    assert shown
    saved = [
        pl.load(path.parent, model) for path in run.folder.path.glob("fitted/*/predictor.json")
    ]
    prompts = [predictor.example_prompt("case 0") for predictor in saved]
    texts = {example.id: example.fields["text"] for example in run.context.task.train}
    for row in shown:
        wanted = [texts[name] for name in row["candidate"]["examples"]]
        lines = [f"{text} Answer: {model.labels[text]}" for text in wanted]
        assert any(all(line in prompt for line in lines) for prompt in prompts), lines


def test_stopped_at_any_trial_and_continued_is_the_same_lineage(tmp_path: Path) -> None:
    whole = start(tmp_path / "whole", SimulatedModel(6), **MERGED)[0].run()
    for most in (1, 7, 9):
        cancellation = Cancellation()
        run, _ = start(tmp_path / "cut", SimulatedModel(6), (), cancellation, **MERGED)

        def stop(event: Event, most: int = most, asked: Cancellation = cancellation) -> None:
            if isinstance(event, TrialFinished) and event.number >= most:
                asked.request()

        run.events.subscribe(stop)
        with pytest.raises(Cancelled):
            run.run()
    continued = start(tmp_path / "cut", SimulatedModel(6), **MERGED)[0].run()
    assert lineage(continued) == lineage(whole)
    assert continued["best"]["candidate"] == whole["best"]["candidate"]


@pytest.mark.parametrize("changes", [{}, {"parents": "vote"}], ids=["pareto", "vote"])
def test_killed_at_any_write_and_continued_is_the_same_lineage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    """Every method has a turn, and the process dies at writes by chance, again and again."""
    settings = MERGED | changes
    whole = start(tmp_path / "whole", SimulatedModel(6), **settings)[0].run()
    made = [row["candidate"] for row in whole["trials"] if row["kind"] == "instruction_search"]
    assert {one["method"] for one in made} == set(METHODS)
    chance, kills, board = random.Random("kills"), 0, None
    with switched(monkeypatch) as switch:
        while board is None:
            run, _ = start(tmp_path / "cut", SimulatedModel(6), **settings)
            run.events.subscribe(switch)
            switch.arm(chance.randint(10, 60 + 9 * kills))
            try:
                board = run.run()
            except Killed:
                kills += 1
            switch.arm(0)
    assert kills > 3
    assert lineage(board) == lineage(whole)
    assert board["best"]["candidate"] == whole["best"]["candidate"]


@pytest.mark.parametrize(
    ("signal", "together"), [("objective", "majority"), ("probability", "mean")]
)
def test_members_evolve_for_the_vote_of_an_ensemble(
    tmp_path: Path, signal: str, together: str
) -> None:
    group = {
        "kind": "ensemble", "of": ["instruction_search"], "top": [3], "method": [together],
        "diverse": True,
    }  # fmt: skip
    run, _ = start(
        tmp_path, SimulatedModel(8), [group], parents="vote", members=3, signal=signal,
        methods=["induction", "crossover", "reflection"],
    )  # fmt: skip
    board = run.run()
    (ensemble,) = (row for row in board["trials"] if row["kind"] == "ensemble")
    assert ensemble["state"] == "complete"
    members = {row["name"]: row for row in board["trials"]}
    values = [members[name]["dev"]["accuracy"] for name in ensemble["candidate"]["names"]]
    assert ensemble["dev"]["accuracy"] >= min(values)
    assert board["verdict"]["action"] in ("use", "use_cheaper", "keep", "none", "undecided")


class BadWriter(SimulatedModel):
    """Writes one and the same thing of no use."""

    reply = ""

    def _write(self, prompt: Prompt, sample: int) -> Generation:
        text = str(prompt) if self.reply == "repeat" else self.reply
        return Generation(text, 10, len(text.split()), 0.0)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "it is empty"),
        ("repeat", "it repeats the request"),
        ("I'm sorry, I cannot help with that.", "the writer refuses"),
        ("good " * 4_000, "it has more than 1,000 characters"),
        ("{% for x in y %}", "it holds marks of a template language"),
        ("Name {the} {mask} of {text", None),
    ],
)
def test_a_writer_of_no_use_costs_no_verdict(
    tmp_path: Path, reply: str, reason: str | None
) -> None:
    """It is told and counted for every proposal, and what was given is still judged and kept."""
    model = BadWriter(3)
    model.reply = reply
    run, _ = start(tmp_path, model, proposals=3, methods=["induction", "crossover"])
    board = run.run()
    rows = [row for row in board["trials"] if row["kind"] == "instruction_search"]
    given = [row for row in board["trials"] if row["kind"] == "template"]
    assert len(given) == 1 and given[0]["state"] == "complete" and len(rows) == 3
    if reason is None:  # braces are words: the slot cannot be lost
        assert rows[0]["state"] == "complete"
        assert [row["state"] for row in rows[1:]] == ["pruned", "pruned"]  # they repeat the first
        return
    assert all(row["state"] == "pruned" for row in rows)
    reasons = [str(row["reason"]) for row in rows]
    assert all("the writer wrote no new instruction (3 dropped: " in told for told in reasons)
    assert all(reason in told for told in reasons)
    assert board["best"]["kind"] == "template" and board["best"]["test"] is not None
