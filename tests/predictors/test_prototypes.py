"""Labels as means of slot features: by hand, saved, refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import promptlab as pl
from promptlab.data.task import Task
from promptlab.errors import InputError, NotFittedError
from promptlab.models.local import LocalModel
from promptlab.predictors.prototypes import PrototypeClassifier, Prototypes

TEXT = "{text} It was {mask} ."


def test_points_and_distances_by_hand() -> None:
    """Means (1, 0) and (5, 8); deviations within: 1 and 2 along the two features."""
    features = np.array([[0.0, -2.0], [2.0, 2.0], [4.0, 6.0], [6.0, 10.0]])
    made = Prototypes.learn(features, np.array([0, 0, 1, 1]), 2)
    assert made.points.tolist() == [[1, 0], [5, 8]]
    # Squares 1 and 4 with mean 2.5, and a tenth of that mean in each.
    assert made.scale == pytest.approx(np.sqrt([0.9 * 1 + 0.25, 0.9 * 4 + 0.25]))
    expected = [(4**2 / 1.15 + 8**2 / 3.85) / 2, 0.0]
    assert made.distances(np.array([[5.0, 8.0]]))[0] == pytest.approx(expected)
    assert made.log_probabilities(features).argmax(axis=1).tolist() == [0, 0, 1, 1]
    assert np.exp(made.log_probabilities(features)).sum(axis=1) == pytest.approx(np.ones(4))


def test_the_sharpness_is_judged_by_examples_that_are_left_out() -> None:
    chance = np.random.default_rng(0)
    targets = np.repeat([0, 1], 20)
    noise = chance.normal(size=(40, 30))
    apart = noise + 3.0 * targets[:, None]
    unsure, sure = Prototypes.learn(noise, targets, 2), Prototypes.learn(apart, targets, 2)
    assert unsure.sharpness < sure.sharpness
    likely = unsure.log_probabilities(chance.normal(size=(200, 30)))
    assert likely.max(axis=1).mean() < np.log(0.75)  # where labels say nothing, it is not sure


def test_leaving_an_example_out_is_done_in_closed_form() -> None:
    """With the means and the scale that are known, only the own label's distance changes."""
    chance = np.random.default_rng(1)
    features, targets = chance.normal(size=(9, 4)), np.array([0, 0, 0, 0, 1, 1, 1, 2, 2])
    made = Prototypes.learn(features, targets, 3)
    for place, own in enumerate(targets):
        others = [i for i in np.flatnonzero(targets == own) if i != place]
        mean = features[others].mean(axis=0)
        slow = (((features[place] - mean) / made.scale) ** 2).mean()
        count = len(others) + 1
        known = made.distances(features[place : place + 1])[0, own]
        assert known * (count / (count - 1)) ** 2 == pytest.approx(slow)


def test_one_example_a_label_is_enough() -> None:
    made = Prototypes.learn(np.array([[0.0, 1.0], [4.0, 1.0]]), np.array([0, 1]), 2)
    assert made.log_probabilities(np.array([[3.0, 0.0]])).argmax() == 1


def test_prompts_are_read_once(fresh: object, task: Task) -> None:
    model = fresh("tiny_masked")  # type: ignore[operator]
    made = PrototypeClassifier(TEXT, model).fit(task.train)
    rows = made.predict(task.dev)
    computed = model.usage.computed_tokens
    assert [row.scores for row in made.predict(task.dev)] == [row.scores for row in rows]
    assert model.usage.computed_tokens == computed
    assert made.evaluate(task.train).accuracy > 0.5
    assert rows[0].tokens_in == model.count_tokens(pl.Template(TEXT).render(task.dev[0]))
    assert "{mask}" in made.example_prompt(task.dev[0])
    assert not made.predict([])


def test_saved_and_loaded(masked: LocalModel, gpt2: LocalModel, task: Task, tmp_path: Path) -> None:
    made = PrototypeClassifier(TEXT, masked).fit(task.train)
    folder = made.save(tmp_path / "saved")
    again = pl.load(folder, masked)
    assert [row.scores for row in again.predict(task.dev)] == [
        row.scores for row in made.predict(task.dev)
    ]
    document = json.loads((folder / "predictor.json").read_text())
    document["settings"]["points"] = document["settings"]["points"][:1]
    (folder / "predictor.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match="1 points for 2 labels"):
        pl.load(folder, masked)
    PrototypeClassifier(TEXT, masked).save(tmp_path / "empty")
    with pytest.raises(NotFittedError, match="call fit"):
        pl.load(tmp_path / "empty", masked).predict(task.dev)


def test_points_of_another_width_are_refused(masked: LocalModel, task: Task) -> None:
    made = PrototypeClassifier(TEXT, masked).fit(task.train)
    settings = made.settings()
    settings["points"] = [[*point, 0.0] for point in settings["points"]]
    settings["scale"] = [*settings["scale"], 1.0]
    wider = PrototypeClassifier.from_settings(settings, masked)
    with pytest.raises(InputError, match="use the model that they were learned on"):
        wider.predict(task.dev)


def test_one_label_alone_is_refused(masked: LocalModel) -> None:
    with pytest.raises(InputError, match="two labels or more"):
        PrototypeClassifier(TEXT, masked).fit(["a film"], ["good"])
