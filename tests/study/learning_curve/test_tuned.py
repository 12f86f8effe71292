"""Tuned models, heads, soft prompts and plain prompts in one learning curve, from no labels on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from promptlab.models.local import LocalModel
from promptlab.study.learning_curve.run import CurveRun
from promptlab.study.spec.curve_spec import CurveSpec
from promptlab.study.spec.load import find_study_file, load_spec
from tests.helpers.learning_curve_fixtures import TEMPLATE, curve_document, method
from tests.helpers.study_fixtures import write_reviews

QUICK: dict[str, Any] = {"steps": 2, "evaluate_every": 1, "learning_rate": [0.001]}
PROMPTED = QUICK | {"templates": [TEMPLATE], "length": [2]}


def test_every_method_at_every_size(tmp_path: Path, masked: LocalModel) -> None:
    methods = [
        method(),
        {"name": "tuned", "kind": "finetune", "mode": ["model"], **PROMPTED},
        {"name": "both", "kind": "finetune", "mode": ["both"], **PROMPTED},
        {"name": "soft", "kind": "soft_prompt", **PROMPTED},
        {"name": "head", "kind": "head", **QUICK},
    ]
    before = {k: t.clone() for k, t in masked.engine.network.model.state_dict().items()}
    data = write_reviews(tmp_path / "reviews.csv")
    document = curve_document(data, methods=methods, sizes=[0, 4], baseline="head")
    spec = load_spec(document, source="test.yaml")
    assert isinstance(spec, CurveSpec)
    found = CurveRun(spec, out=tmp_path / "runs", model=masked).run()
    cells = {(c["method"], c["size"], c["seed"]): c for c in found["cells"]}
    without = [key for key, cell in cells.items() if cell["state"] != "complete"]
    assert without == [("soft", 0, 13), ("soft", 0, 21)]
    assert cells["tuned", 0, 13]["value"] == pytest.approx(cells["plain", 0, 13]["value"])
    after = masked.engine.network.model.state_dict()
    assert all(torch.equal(before[k], tensor) for k, tensor in after.items())
    assert not list((tmp_path / "runs").rglob("checkpoints"))


def test_the_shipped_curve_can_be_read() -> None:
    spec = load_spec(find_study_file("learning-curve"))
    assert isinstance(spec, CurveSpec)
    assert [m.settings.kind for m in spec.methods] == [
        "finetune", "finetune", "soft_prompt", "head",
    ]  # fmt: skip
    assert spec.sizes == [0, 16, 32, 64, 128, 256]
