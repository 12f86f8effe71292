"""Answers that begin with one another: the shorter one can lose, and shares nothing out twice."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import promptlab as pl
from promptlab.data.task import Task
from promptlab.models.local import LocalModel
from promptlab.models.nested_answers import (
    exclusive_logprobs,
    exclusive_logprobs_with_graph,
    longer_answers,
    may_be_nested,
)
from promptlab.predictors import Rescorer
from tests.helpers.reference_forward import causal_answer, seq2seq_answer
from tests.helpers.tiny_models import Pair

PREFIX = "{text} It was {mask}"
NESTED = {"short": "good", "long": "good film", "other": "bad"}


def test_who_begins_whom() -> None:
    assert longer_answers(((1,), (1, 2), (1, 2, 3), (1, 4), (5,))) == ((0, (1, 3)), (1, (2,)))
    assert longer_answers(((1,), (2,))) == ()
    assert may_be_nested(("yes", "no", "Yes please")) and not may_be_nested(("yes", "no"))


IDS = st.lists(
    st.lists(st.integers(0, 2), min_size=1, max_size=4).map(tuple), min_size=2, unique=True
)


@given(IDS, st.data())
def test_every_text_says_one_answer(ids: list[tuple[int, ...]], data: Any) -> None:
    """Over a tree with known chances: what is left of an answer is its chance less the longer."""
    chances = {token: data.draw(st.floats(0.05, 0.4)) for token in range(3)}

    def begins(one: tuple[int, ...]) -> float:
        return math.prod(chances[token] for token in one)

    logs = np.array([math.log(begins(one)) for one in ids])
    found = np.exp(exclusive_logprobs(logs, tuple(ids)))
    for one, value in zip(ids, found, strict=True):
        longer = [o for o in ids if len(o) > len(one) and o[: len(one)] == one]
        nearest = [o for o in longer if not any(o != p and o[: len(p)] == p for p in longer)]
        left = max(begins(one) - sum(map(begins, nearest)), 1e-6 * begins(one))
        assert value == pytest.approx(left, rel=1e-6)
    tensor = torch.tensor(logs, requires_grad=True)
    graph = exclusive_logprobs_with_graph(tensor, tuple(ids))
    np.testing.assert_allclose(
        graph.detach().numpy(), exclusive_logprobs(logs, tuple(ids)), rtol=1e-9
    )
    graph.sum().backward()
    assert tensor.grad is not None and torch.isfinite(tensor.grad).all()


def expected(pair: Pair, family: str, left: str) -> dict[str, float]:
    plain = causal_answer if family == "causal" else seq2seq_answer
    good, film, bad = (plain(pair, left, word) for word in ("good", "good film", "bad"))
    logs = {"short": math.log(math.exp(good) - math.exp(film)), "long": film, "other": bad}
    total = math.log(sum(map(math.exp, logs.values())))
    return {label: value - total for label, value in logs.items()}


@pytest.mark.parametrize("name", ["causal", "gpt2", "seq2seq"])
def test_the_shorter_answer_is_scored_to_its_end(
    request: pytest.FixtureRequest, name: str, task: Task
) -> None:
    model: LocalModel = request.getfixturevalue(name)
    pair = request.getfixturevalue(f"tiny_{name}")
    clf = pl.PromptClassifier(PREFIX, NESTED, model)
    rows = [example.fields["text"] for example in task.dev]
    for text, found in zip(rows, clf.predict(rows), strict=True):
        wanted = expected(pair, model.family, f"{text} It was ")
        assert found.scores == pytest.approx(wanted, abs=1e-3)
    rescored = Rescorer(
        pl.PromptClassifier(PREFIX, {"short": "great", "long": "so so", "other": "bad"}, model),
        [pl.Example(str(i), {"text": text}) for i, text in enumerate(rows)],
    )
    for ours, theirs in zip(rescored.predict(NESTED), clf.predict(rows), strict=True):
        assert ours.scores == pytest.approx(theirs.scores, abs=1e-4)


def test_the_shorter_answer_can_lose(causal: LocalModel) -> None:
    """After a demonstration's words the longer answer is what follows."""
    text = "It was good film. It was good film. It was good film."
    clf = pl.PromptClassifier(PREFIX, {"short": "good", "long": "good film"}, causal)
    (row,) = clf.predict([text])
    assert row.scores is not None
    prompt = clf.render_prompt(pl.Example("0", {"text": text}))
    logs = causal.score([prompt], ["good film"]).logprobs
    assert row.scores["long"] == pytest.approx(
        float(logs[0, 0] - causal.score([prompt], ["good"]).logprobs[0, 0]),
        abs=1e-4,
    )


def test_what_ends_an_answer_in_the_template_tells_them_apart(causal: LocalModel) -> None:
    (asked,) = causal.scoring_requests(
        [pl.Template("It was {mask}.").render({})], ("good", "good film")
    )
    assert longer_answers(asked[0].continuations) == ()


def test_it_is_learned_as_it_is_scored(causal: LocalModel, task: Task) -> None:
    from promptlab.tuning.objectives import LabelObjective

    rows = [pl.Example(e.id, e.fields, label) for e, label in zip(task.dev, NESTED, strict=False)]
    clf = pl.PromptClassifier(PREFIX, NESTED, causal)
    exercises = LabelObjective(clf, rows, shares=False)
    asked = [exercises.exercises[n].asked for n in range(len(rows))]
    scored = [
        [torch.tensor(causal.engine.score([one])[0], dtype=torch.float64) for one in questions]
        for questions in asked
    ]
    found = exercises.scores(range(len(rows)), scored, None)
    for row, one in zip(clf.predict(rows), found.tolist(), strict=True):
        assert list((row.scores or {}).values()) == pytest.approx(one, abs=1e-4)
