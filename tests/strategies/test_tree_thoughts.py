"""How a tree's thoughts are written, valued and voted on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from promptlab.errors import InputError
from promptlab.evaluation.trace import Trace
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.parsers.parsers import RegexParser
from promptlab.prompts.template import Template
from promptlab.strategies.self_consistency.strategy import SelfConsistency
from promptlab.strategies.tree_of_thoughts.evaluation import StateEvaluator
from promptlab.strategies.tree_of_thoughts.problem import (
    FreeProblem,
    Problem,
    Thought,
    find_problem,
)
from promptlab.strategies.tree_of_thoughts.search import TreeSearch
from promptlab.strategies.tree_of_thoughts.strategy import TreeOfThoughts
from promptlab.strategies.tree_of_thoughts.thoughts import ThoughtGenerator
from tests.helpers.scripted_model import ScriptedModel
from tests.helpers.tree_fixtures import (
    PROPOSE,
    VALUE,
    VOTE,
    all_moves,
    examples,
    facts,
    oracle,
    tree,
)

ALLOWED_CODE = ("no.such",)


def test_votes_are_scored_over_the_candidates_numbers() -> None:
    def rate(prompt: str, answer: str) -> float:
        wanted = next(n for n, line in enumerate(prompt.splitlines()[1:], 1) if "13 - 9" in line)
        return 0.0 if answer == str(wanted) else -5.0

    model = ScriptedModel(all_moves, rate)
    search = TreeSearch(beam=1, depth=1)
    (row,) = tree(model, judgement=StateEvaluator(VOTE, "vote"), search=search).predict(
        examples("4 9 10 13")
    )
    trace = Trace.from_record(row.trace)
    (chosen,) = [s for s in trace if s.notes.get("chosen")]
    assert chosen.reply == "13 - 9 = 4 (left: 4 4 10)"
    values = [s.notes["value"] for s in trace if "value" in s.notes]
    assert sum(values) == pytest.approx(1.0)
    assert len(model.scored) == 1
    assert row.label == "4, 10, 13 - 9" or sorted((row.label or "").split(", ")) == [
        "10", "13 - 9", "4",
    ]  # fmt: skip


def test_written_votes_and_values_are_parsed() -> None:
    def write(prompt: str, sample: int) -> str:
        if "The best is" in prompt:
            return ("2", "I choose 2.", "none of them", "77")[sample]
        if "Reach 24" in prompt:
            return "sure" if " 6" in prompt else ("impossible", "hm")[sample]
        return "4 + 4 = 8\n4 * 4 = 16\n6 + 8 = 14"

    warm = Decoding(max_tokens=4, temperature=0.7)
    votes = StateEvaluator(VOTE, "vote_text", samples=4, decoding=warm)
    (row,) = tree(
        ScriptedModel(write), judgement=votes, search=TreeSearch(beam=1, depth=1)
    ).predict(examples("4 4 6 8"))
    values = [s.notes.get("value") for s in Trace.from_record(row.trace) if s.name == "thought"]
    assert values == [0.0, 0.5, 0.0]
    rated = StateEvaluator(VALUE, "value_text", samples=2, decoding=warm)
    (row,) = tree(
        ScriptedModel(write), judgement=rated, search=TreeSearch(beam=1, depth=1)
    ).predict(examples("4 4 6 8"))
    thoughts = [s for s in Trace.from_record(row.trace) if s.name == "thought"]
    assert [s.notes["value"] for s in thoughts] == [20.0, 20.0, 0.0005]
    assert thoughts[2].notes["unparsed"] == 1


def test_sampled_thoughts_without_rules() -> None:
    """Creative writing in small: plans are sampled, one is voted for, and an answer follows."""

    def write(prompt: str, sample: int) -> str:
        if prompt.endswith("Poem:{mask}"):
            return f" about {prompt.count('sea')} seas"
        return ("the sea", "a hill", "the sea", "")[sample]

    strategy = TreeOfThoughts(
        ThoughtGenerator(Template("Topic: {topic}\n{steps}Plan: {mask}"), "sample", 4,
                 Decoding(temperature=1.0)),
        StateEvaluator(Template("{topic}\n{candidates}\nBest: {mask}"), "vote"),
        ScriptedModel(write, lambda prompt, answer: -float(answer)),
        search=TreeSearch(depth=2, beam=2),
        answer="Topic: {topic}\n{steps}Poem:{mask}",
        parser=RegexParser(r"about (.*)"),
    )  # fmt: skip
    assert strategy.fields == ("topic",)
    (row,) = strategy.predict(["rain"])
    assert row.label == "2 seas"
    assert row.text == " about 2 seas"
    trace = Trace.from_record(row.trace)
    first = [s for s in trace if s.name == "thought"][:3]
    assert [s.reply for s in first] == ["the sea", "a hill", "the sea"]
    assert first[2].notes["merged_with"] == first[0].number
    assert facts(row)["ended"] == "depth"
    assert strategy.example_prompt("rain") == "Topic: rain\nPlan: {mask}"


def test_depth_first_without_rules_takes_the_first_whole_path() -> None:
    write = lambda prompt, sample: "a\nb"  # noqa: E731
    strategy = TreeOfThoughts(
        ThoughtGenerator(Template("{q}\n{steps}{mask}")),
        StateEvaluator(Template("{steps}? {mask}")),
        ScriptedModel(write, lambda prompt, answer: float(prompt.count("b") * (answer == "sure"))),
        search=TreeSearch("depth", depth=3),
    )
    (row,) = strategy.predict(["go"])
    trace = Trace.from_record(row.trace)
    assert [s.reply for s in trace if s.notes.get("chosen")] == ["b", "b", "b"]
    assert row.label == "b"


class Halves(Problem):
    """Go from a number to 1 by halving."""

    fields = ("start",)

    def begin(self, fields: Mapping[str, str]) -> str:
        return fields["start"]

    def follow(self, state: str, thought: str) -> Thought | str:
        return Thought(thought, thought) if int(thought) * 2 == int(state) else "no half"

    def solved(self, state: str) -> bool:
        return state == "1"

    def answer(self, fields: Mapping[str, str], thoughts: Any) -> str:
        return " ".join(thoughts)


def test_problems_of_ones_own() -> None:
    write = lambda prompt, sample: "1\n2\n3\n4"  # noqa: E731
    made = TreeOfThoughts(
        ThoughtGenerator(Template("{state}: {mask}")), StateEvaluator(method="random"),
        ScriptedModel(write), search=TreeSearch(depth=5), problem=Halves(),
    )  # fmt: skip
    assert made.predict([{"start": "8"}])[0].label == "4 2 1"
    assert made.settings()["problem"] == f"{__name__}:Halves"
    assert isinstance(find_problem(f"{__name__}:Halves"), Halves)
    assert isinstance(find_problem(None), FreeProblem)
    with pytest.raises(InputError, match="unknown problem 'chess'; problems are game24"):
        find_problem("chess")
    with pytest.raises(InputError, match="cannot be imported"):
        find_problem("no.such:Thing")
    with pytest.raises(InputError, match="none that promptlab ships"):
        find_problem("promptlab.errors:InputError")


def test_votes_of_several_trees() -> None:
    def some(prompt: str, sample: int) -> str:
        lines = all_moves(prompt, sample).splitlines()[1:-1]
        return lines[sample * 7 % len(lines)]

    inner = tree(
        ScriptedModel(some, oracle),
        thoughts=ThoughtGenerator(PROPOSE, "sample", 4, Decoding(temperature=0.7)),
        search=TreeSearch(beam=2),
    )
    votes = SelfConsistency(inner, samples=3)
    (row,) = votes.predict(examples("4 4 6 8"))
    trace = Trace.from_record(row.trace)
    assert sum(step.name == "start" for step in trace) == 3
    asked = {number for call in inner.model.calls for _, number in call}  # type: ignore[attr-defined]
    assert asked == set(range(12))  # every solution has samples of its own
    again = SelfConsistency.from_settings(votes.settings(), inner.model)
    assert again.predict(examples("4 4 6 8")).labels == [row.label]
