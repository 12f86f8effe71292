"""Calibration: priors by hand, and the prompts without content."""

from __future__ import annotations

import numpy as np
import pytest

from promptlab.errors import InputError
from promptlab.predictors.calibration import (
    CONTENT_FREE,
    calibration_prior,
    calibration_prompts,
    check_calibration,
)
from promptlab.prompts.template import Demonstration, Template
from promptlab.prompts.verbalizer import Verbalizer


def test_the_prior_is_the_mean_probability_over_the_answer_space() -> None:
    # two content-free prompts: (.6, .2) and (.01, .03) become (.75, .25) and (.25, .75)
    logprobs = np.log(np.array([[0.6, 0.2], [0.01, 0.03]]))
    for name in ("contextual", "pmi", "batch"):
        np.testing.assert_allclose(np.exp(calibration_prior(name, logprobs)), [0.5, 0.5])
    np.testing.assert_allclose(np.exp(calibration_prior("pmi", logprobs[:1])), [0.75, 0.25])
    np.testing.assert_array_equal(calibration_prior("none", logprobs), [0, 0])


def test_calibrated_labels_by_hand() -> None:
    # Zhao et al. 2021: q = softmax-free division of p by the content-free p, normalised again
    found, content_free = np.array([[0.6, 0.3]]), np.array([[0.8, 0.2]])
    verbalizer = Verbalizer({"bad": "terrible", "good": "great"})
    scores = verbalizer.label_scores(
        np.log(found) - calibration_prior("contextual", np.log(content_free))
    )
    ratios = np.array([0.6 / 0.8, 0.3 / 0.2])
    np.testing.assert_allclose(np.exp(scores[0]), ratios / ratios.sum())
    assert scores[0].argmax() == 1  # without calibration it was 0


def test_an_impossible_answer_keeps_the_prior_finite() -> None:
    assert np.isfinite(calibration_prior("contextual", np.array([[0.0, -np.inf]]))).all()


def test_content_free_prompts() -> None:
    template = Template("{text} It was {mask}.")
    shown = [str(p) for p in calibration_prompts("contextual", template, ())]
    assert shown == ["N/A It was {mask}.", "It was {mask}.", "[MASK] It was {mask}."]
    assert len(shown) == len(CONTENT_FREE)
    assert [str(p) for p in calibration_prompts("pmi", template, ())] == ["It was {mask}."]
    assert calibration_prompts("none", template, ()) == []
    assert calibration_prompts("batch", template, ()) == []


def test_content_free_prompts_keep_demonstrations_chat_and_every_field() -> None:
    template = Template("{a}/{b} {mask}", chat=True, demonstration_separator="\n")
    solved = Demonstration({"a": "1", "b": "2"}, "x")
    prompt = calibration_prompts("contextual", template, [solved])[0]
    assert str(prompt) == "1/2 x\nN/A/N/A {mask}"
    assert prompt.chat
    assert str(calibration_prompts("pmi", Template("{text}{mask}"), ())[0]) == "{mask}"


def test_unknown_calibration() -> None:
    check_calibration("pmi")
    with pytest.raises(InputError, match=r"unknown calibration 'context'.*none, contextual, pmi"):
        check_calibration("context")
