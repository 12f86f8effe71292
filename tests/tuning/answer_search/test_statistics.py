from __future__ import annotations

import math

import numpy as np
import pytest

from promptlab.models.local import LocalModel
from promptlab.prompts.template import Template
from promptlab.tuning.answer_search.statistics import WordStatistics, vocabulary_blocks


def statistics(
    probabilities: np.ndarray, labels: list[int], folds: list[int] | None = None, block: int = 2
) -> WordStatistics:
    """The statistics of probabilities ``[example, word]``, given in blocks of two examples."""
    logs = np.log(probabilities)
    blocks = (logs[start : start + block] for start in range(0, len(logs), block))
    return WordStatistics.from_blocks(
        blocks,
        np.array(labels),
        np.array(folds or [0] * len(labels)),
        max(labels) + 1,
    )


def test_the_ratio_by_hand() -> None:
    """One word with 1/2 and 1/4 where the label is right, 1/10 where it is not.

    Log-odds: 0, -log 3, -log 9. Scale factor n0 / n1 = 1/2: ½ (0 - log 3) + log 9 = 1.5 log 3;
    for the other label 2 · (-log 9) - (0 - log 3) = -3 log 3.
    """
    found = statistics(np.array([[0.5], [0.25], [0.1]]), [0, 0, 1])
    expected = [[1.5 * math.log(3)], [-3 * math.log(3)]]
    assert found.likelihood_ratios() == pytest.approx(np.array(expected))
    assert found.mean_logprobs() == pytest.approx(np.log([[8**-0.5], [0.1]]))
    assert found.advantages()[0, 0] == pytest.approx(math.log(8**-0.5 / 0.1))


def slow_ratio(probabilities: np.ndarray, labels: list[int], label: int, word: int) -> float:
    """The score of the paper, example by example."""
    own = [i for i, of in enumerate(labels) if of == label]
    others = [i for i, of in enumerate(labels) if of != label]
    scale = len(others) / len(own)
    total = 0.0
    for i in own:
        total += scale * math.log(probabilities[i, word] / (1 - probabilities[i, word]))
    for i in others:
        total -= math.log(probabilities[i, word] / (1 - probabilities[i, word]))
    return total


def test_all_ratios_agree_with_the_plain_sums() -> None:
    chance = np.random.default_rng(0)
    probabilities = chance.uniform(0.001, 0.9, (9, 5))
    labels = [0, 1, 2, 0, 0, 1, 0, 2, 0]
    found = statistics(probabilities, labels, [0, 1, 0, 1, 2, 2, 0, 1, 2])
    for label in range(3):
        for word in range(5):
            expected = slow_ratio(probabilities, labels, label, word)
            assert found.likelihood_ratios()[label, word] == pytest.approx(expected)


def test_a_fold_is_left_out_as_if_it_had_not_been_there() -> None:
    chance = np.random.default_rng(1)
    probabilities = chance.uniform(0.01, 0.9, (8, 4))
    labels, folds = [0, 1, 0, 1, 0, 1, 0, 1], [0, 0, 1, 1, 2, 2, 0, 1]
    whole = statistics(probabilities, labels, folds)
    kept = [i for i, fold in enumerate(folds) if fold != 1]
    alone = statistics(probabilities[kept], [labels[i] for i in kept])
    part = whole.without_fold(1)
    assert part.mean_logprobs() == pytest.approx(alone.mean_logprobs())
    assert part.likelihood_ratios() == pytest.approx(alone.likelihood_ratios())


def test_a_certain_word_gives_a_number() -> None:
    found = statistics(np.array([[1.0], [0.5]]), [0, 1])
    assert np.isfinite(found.likelihood_ratios()).all()


def test_vocabulary_blocks_are_what_the_model_says(masked: LocalModel) -> None:
    template = Template("{text} It was {mask} .")
    prompts = [template.render({"text": f"the film was {word} ."}) for word in ("good", "bad")] * 40
    tokens = [7, 3, 20]
    blocks = list(vocabulary_blocks(masked.engine.network, masked.features(prompts), tokens))
    assert [len(block) for block in blocks] == [64, 16]
    expected = masked.vocabulary_logprobs(prompts)[:, tokens]
    assert np.concatenate(blocks) == pytest.approx(expected, abs=1e-5)
