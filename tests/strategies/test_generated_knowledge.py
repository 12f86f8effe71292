"""Generated knowledge: statements, an answer with each, and the choice among them."""

from __future__ import annotations

from typing import Any

import pytest

from promptlab.data.example import Example
from promptlab.errors import CapabilityError, InputError
from promptlab.predictors.classifier import PromptClassifier
from promptlab.predictors.demonstrations.choice import DemonstrationConfig
from promptlab.predictors.generator import PromptGenerator
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.parsers.parsers import TextParser
from promptlab.prompts.template import Demonstration
from promptlab.strategies.generated_knowledge import GeneratedKnowledge
from tests.helpers.scripted_model import ScriptedModel

TELL = "Tell me about {text}: {mask}"
FACTS = ("Penguins are birds.", "Penguins swim.", "Penguins are birds.", "Penguins fly.")


def example(text: str = "penguins", label: str | None = None) -> Example:
    return Example(text, {"text": text}, label)


def write(prompt: str, sample: int) -> str:
    if prompt.startswith("Tell"):
        return f" {FACTS[sample % 4]}"
    return " no" if "swim" in prompt or "fly" in prompt else " yes"


def rate(prompt: str, answer: str) -> float:
    sure = 3.0 if "swim" in prompt else 1.0 if "birds" in prompt else 0.1
    return sure if answer == ("no" if "swim" in prompt else "yes") else 0.0


def scoring(model: ScriptedModel, **options: Any) -> GeneratedKnowledge:
    inner = PromptClassifier("{knowledge} {text}? {mask}", {"no": "no", "yes": "yes"}, model)
    return GeneratedKnowledge(inner, TELL, **options)


def writing(model: ScriptedModel, **options: Any) -> GeneratedKnowledge:
    inner = PromptGenerator("{knowledge} {text}? {mask}", TextParser(), model)
    return GeneratedKnowledge(inner, TELL, choose="vote", **options)


def test_the_most_confident_statement_decides() -> None:
    model = ScriptedModel(write, rate)
    (found,) = scoring(model, count=4).predict([example(label="no")])
    assert (found.label, found.correct) == ("no", True)
    assert found.trace["knowledge"] == "Penguins swim."
    assert found.trace["votes"] == {"yes": 3, "no": 1}
    assert [n for _, n in model.calls[0]] == [0, 1, 2, 3]
    assert sorted(model.scored) == [
        " penguins? {mask}",
        "Penguins are birds. penguins? {mask}",
        "Penguins fly. penguins? {mask}",
        "Penguins swim. penguins? {mask}",
    ]
    steps = found.trace["steps"]
    assert [s["name"] for s in steps].count("knowledge") == 4
    assert [s["parent"] for s in steps if s["name"] == "label"].count(None) == 1  # the bare one


def test_votes_and_their_ties() -> None:
    model = ScriptedModel(write, rate)
    (found,) = scoring(model, count=4, choose="vote").predict([example()])
    assert found.label == "yes"
    assert list(found.scores or {}) == ["no", "yes"]
    (tie,) = scoring(ScriptedModel(write, rate), count=2, choose="vote", bare=False).predict(
        [example()]
    )
    assert tie.label == "no"  # one vote each, and this one is surer


def test_generated_answers_vote() -> None:
    (found,) = writing(ScriptedModel(write), count=4, bare=False).predict([example()])
    assert (found.label, found.trace["votes"]) == ("no", {"yes": 1, "no": 2})
    with pytest.raises(InputError, match="without scores of labels; use choose vote"):
        GeneratedKnowledge(
            PromptGenerator("{knowledge} {mask}", TextParser(), ScriptedModel()), TELL
        )


def test_failed_statements_are_left_out() -> None:
    def some(prompt: str, sample: int) -> str:
        return ["!busy", " ", " It swims."][sample] if prompt.startswith("Tell") else " yes"

    (found,) = writing(ScriptedModel(some), count=3, bare=False).predict([example()])
    assert (found.label, found.trace["knowledge"]) == ("yes", "It swims.")
    none = ScriptedModel(lambda prompt, n: "!busy")
    assert writing(none, count=2, bare=False).predict([example()])[0].error == "busy"
    assert writing(none, count=2).predict([example()])[0].error == "busy"
    unparsed = ScriptedModel(lambda prompt, n: "It swims." if prompt.startswith("Tell") else " ")
    (row,) = writing(unparsed, count=2).predict([example()])
    assert (row.label, row.unparsed, row.error) == (None, True, None)


def test_other_samples_write_other_statements() -> None:
    model = ScriptedModel(write, rate)
    strategy = scoring(model, count=2, decoding=Decoding(temperature=0.5))
    from promptlab.strategies.self_consistency.strategy import SelfConsistency

    SelfConsistency(strategy, samples=2).predict([example()])
    assert [n for _, n in model.calls[0]] == [0, 1, 2, 3]


def test_demonstrations_of_the_inner_prompt_have_knowledge_too() -> None:
    model = ScriptedModel(write, rate)
    inner = PromptClassifier(
        "{knowledge} {text}? {mask}",
        {"no": "no", "yes": "yes"},
        model,
        demonstrations=DemonstrationConfig(1),
    )
    strategy = GeneratedKnowledge(
        inner, TELL, count=2, demonstrations=[Demonstration({"text": "ice"}, "Ice is cold.")]
    )
    strategy.fit([example("cats", "yes")])
    shown = strategy.example_prompt(example())
    assert shown == "Penguins are birds. cats? yes\n\n{knowledge} penguins? {mask}"
    strategy.predict([example()])
    assert model.calls[-1][0][0].startswith("Tell me about ice: Ice is cold.\n\nTell me about peng")
    again = GeneratedKnowledge.from_settings(strategy.settings(), model)
    assert again.settings() == strategy.settings()
    assert again.predict([example()]).labels == strategy.predict([example()]).labels


def test_what_is_refused() -> None:
    model = ScriptedModel(write, rate)
    for options, told in [
        ({"choose": "luck"}, "unknown choose 'luck'"),
        ({"count": 0}, "count is 0"),
        ({"decoding": Decoding()}, "temperature is 0, so all would be alike"),
        ({"field": "facts"}, r"put \{facts\} into its template"),
    ]:
        with pytest.raises(InputError, match=told):
            scoring(model, **options)  # type: ignore[arg-type]
    assert scoring(model).fields == ("text",)
    assert scoring(model).labels == ("no", "yes")
    masked = ScriptedModel()
    masked.capabilities, masked.family = frozenset({"score"}), "masked"
    with pytest.raises(CapabilityError, match="cannot generate"):
        scoring(masked)
