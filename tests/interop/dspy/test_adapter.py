"""The scoring adapter: what it shows, what it scores, and what it refuses."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from typing import Any, Literal

import pytest

from promptlab.errors import CapabilityError, InputError
from promptlab.interop.dspy import ScoringAdapter, dspy_lm, trace_steps
from promptlab.interop.dspy.closed_choices import choices_of
from promptlab.models.base import LanguageModel
from promptlab.prompts.prompt import Prompt, Slot, Text
from tests.helpers.dspy_fixtures import dspy
from tests.helpers.scripted_model import ScriptedModel


class Mood(Enum):
    GLAD = "glad"
    SAD = 2


SENTIMENT = dspy.Signature(
    {
        "text": (str, dspy.InputField()),
        "label": (Literal["negative", "positive"], dspy.OutputField()),
    },
    "Judge the review.",
)


def rate(prompt: str, answer: str) -> float:
    return 0.0 if (answer == "positive") == ("good" in prompt.rsplit("Text:", 1)[-1]) else -2.0


def ask(model: LanguageModel, program: Any, /, *, adapter: Any = None, **inputs: Any) -> Any:
    lm = dspy_lm(model, max_tokens=9, cache=False)
    with dspy.context(lm=lm, adapter=adapter or ScoringAdapter()):
        return program(**inputs)


def test_a_choice_is_scored_and_never_parsed() -> None:
    model = ScriptedModel(rate=rate)
    assert ask(model, dspy.Predict(SENTIMENT), text="a good film").label == "positive"
    assert ask(model, dspy.Predict(SENTIMENT), text="a dull film").label == "negative"
    assert not model.calls
    assert model.scored[0] == (
        "Judge the review.\nLabel is one of: negative, positive.\n\n"
        "Text: a good film\nLabel: {mask}"
    )


def test_reasoning_is_written_and_the_choice_scored_behind_it() -> None:
    model = ScriptedModel(lambda prompt, sample: " It is good.\n", rate)
    with trace_steps() as trace:
        found = ask(model, dspy.ChainOfThought(SENTIMENT), text="a film")
    assert (found.reasoning, found.label) == ("It is good.", "positive")
    thought, choice = trace.steps
    assert (thought.name, choice.name) == ("reasoning", "label")
    assert thought.prompt.endswith("Text: a film\nReasoning:{mask}")
    assert choice.prompt.endswith("Text: a film\nReasoning: It is good.\nLabel: {mask}")
    assert choice.notes["value"] == "positive"
    assert choice.notes["probabilities"]["positive"] == pytest.approx(0.8808, abs=1e-4)
    assert model.decodings[0].stop == ("\nText:", "\nReasoning:", "\nLabel:")
    assert model.decodings[0].max_tokens == 9


def test_demonstrations_are_shown_whole_or_in_part() -> None:
    model = ScriptedModel(lambda prompt, sample: "so", rate)
    program = dspy.ChainOfThought(SENTIMENT)
    program.predict.demos = [
        dspy.Example(augmented=True, text="fine", reasoning="why", label="positive"),
        dspy.Example(text="poor", label="negative"),
        dspy.Example(text="nothing said"),
    ]
    ask(model, program, text="a film")
    assert (
        "\n\nText: fine\nReasoning: why\nLabel: positive\n\nText: poor\nLabel: negative\n\n"
        "Text: a film\nReasoning:" in model.calls[0][0][0]
    )
    assert "nothing said" not in model.calls[0][0][0]


def test_the_chat_template_gets_turns() -> None:
    model = ScriptedModel(lambda prompt, sample: " so", rate)
    program = dspy.ChainOfThought(SENTIMENT)
    program.predict.demos = [dspy.Example(text="fine", reasoning="why", label="positive")]
    ask(model, program, adapter=ScoringAdapter(chat=True), text="a film")
    assert model.scored == [
        "[system] Judge the review.\nLabel is one of: negative, positive.\n\n"
        "[user] Text: fine\n\n[assistant] Reasoning: why\nLabel: positive\n\n"
        "[user] Text: a film\n\n[assistant] Reasoning: so\nLabel: {mask}"
    ]


def test_bools_enums_and_nothing_are_choices() -> None:
    assert choices_of(bool) == {"yes": True, "no": False}
    assert choices_of(Mood) == {"glad": Mood.GLAD, "SAD": Mood.SAD}
    assert choices_of(Literal["a", 2] | None) == {"a": "a", "2": 2, "none": None}
    assert choices_of(str) is None and choices_of(list[str]) is None
    with pytest.raises(InputError, match="two values"):
        choices_of(Literal["1", 1])
    model = ScriptedModel(rate=lambda prompt, answer: 0.0 if answer in ("SAD", "no") else -1.0)
    signature = dspy.Signature(
        {
            "text": (str, dspy.InputField()),
            "mood": (Mood, dspy.OutputField(desc="how it feels")),
            "kind": (bool, dspy.OutputField()),
        }
    )
    found = ask(model, dspy.Predict(signature), text="rain")
    assert found.mood is Mood.SAD and found.kind is False
    assert "Mood: how it feels\nMood is one of: glad, SAD." in model.scored[0]
    assert model.scored[1].endswith("Mood: SAD\nKind: {mask}")


def test_other_types_are_written_and_read() -> None:
    model = ScriptedModel(lambda prompt, sample: " 42\n" if "Count" in prompt else " many")
    assert ask(model, dspy.Predict("text -> count: int"), text="a b").count == 42
    bad = ScriptedModel(lambda prompt, sample: " many")
    with pytest.raises(dspy.AdapterParseError, match="many"):
        ask(bad, dspy.Predict("text -> count: int"), text="a b")


def test_contextual_calibration_takes_the_prior_off() -> None:
    def biased(prompt: str, answer: str) -> float:
        return (3.0 if answer == "positive" else 0.0) + (0.5 if answer in prompt else 0.0)

    model = ScriptedModel(rate=lambda p, a: biased(p.rsplit("Text:", 1)[-1], a))
    program = dspy.Predict(SENTIMENT)
    assert ask(model, program, text="quite negative").label == "positive"
    calibrated = ScoringAdapter(calibration="contextual")
    assert ask(model, program, adapter=calibrated, text="quite negative").label == "negative"
    assert any("Text: N/A\nLabel:" in prompt for prompt in model.scored)


def test_several_completions_and_rollouts_differ(causal: LanguageModel) -> None:
    lm = dspy_lm(causal, max_tokens=8, temperature=1.0, cache=False)
    with dspy.context(lm=lm, adapter=ScoringAdapter()):
        found = dspy.ChainOfThought(SENTIMENT, n=4)(text="the film")
        assert len(set(found.completions.reasoning)) > 1
        assert len(found.completions.label) == 4


def test_scores_are_the_models_own(causal: LanguageModel) -> None:
    with trace_steps() as trace:
        found = ask(causal, dspy.Predict(SENTIMENT), text="the film")
    prompt = Prompt((Text(trace.steps[0].prompt.removesuffix("{mask}")), Slot()))
    scores = causal.score([prompt], ["negative", "positive"]).logprobs[0]
    assert found.label == ("negative", "positive")[int(scores.argmax())]


def test_usage_and_history_are_dspys() -> None:
    model = ScriptedModel(lambda prompt, sample: " so", rate)
    lm = dspy_lm(model, cache=False)
    with dspy.context(lm=lm, adapter=ScoringAdapter(), track_usage=True):
        found = dspy.ChainOfThought(SENTIMENT)(text="a good film")
    (usage,) = found.get_lm_usage().values()
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0
    assert lm.history[-1]["outputs"] == ["Reasoning: so\nLabel: positive"]
    assert "Text: a good film" in lm.history[-1]["prompt"]
    lm.inspect_history()


def test_threads_and_asynchronous_calls_agree(causal: LanguageModel) -> None:
    texts = [f"the film {number}" for number in range(12)]
    alone = [ask(causal, dspy.ChainOfThought(SENTIMENT), text=text).toDict() for text in texts]
    lm = dspy_lm(causal, max_tokens=9, cache=False)
    program = dspy.ChainOfThought(SENTIMENT)

    def one(text: str) -> Any:
        with dspy.context(lm=lm, adapter=ScoringAdapter()):
            return program(text=text).toDict()

    async def all_of_them() -> list[Any]:
        with dspy.context(lm=lm, adapter=ScoringAdapter()):
            return await asyncio.gather(*(program.acall(text=text) for text in texts))

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(one, texts)) == alone
    assert [found.toDict() for found in asyncio.run(all_of_them())] == alone


def test_what_cannot_be_scored_is_refused(masked: LanguageModel) -> None:
    other = dspy.context(lm=dspy.LM("openai/gpt-4o-mini"), adapter=ScoringAdapter())
    with pytest.raises(InputError, match="reads log-likelihoods"), other:
        dspy.Predict(SENTIMENT)(text="a film")
    with pytest.raises(CapabilityError, match="cannot generate"):
        dspy_lm(masked)
    with pytest.raises(InputError, match="unknown calibration"):
        ScoringAdapter(calibration="pmi")  # type: ignore[arg-type]
    with pytest.raises(dspy.ContextWindowExceededError, match="tokens"):
        ask(ScriptedModel(max_tokens=20), dspy.ChainOfThought(SENTIMENT), text="film " * 40)
    failing = ScriptedModel(lambda prompt, sample: "!gone")
    with pytest.raises(dspy.LMProviderError, match="gone"):
        ask(failing, dspy.ChainOfThought(SENTIMENT), text="a film")
    silent = ScriptedModel(rate=rate)
    silent.capabilities = frozenset({"generate", "chat"})
    with pytest.raises(CapabilityError, match="cannot score"):
        ask(silent, dspy.Predict(SENTIMENT), text="a film")
