"""The examples in docstrings run, and show what they say."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import promptlab
from promptlab.models.local import LocalModel
from tests.helpers.scripted_model import ScriptedModel

ROOT = Path(promptlab.__file__).parent
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
MODULES = sorted(
    ".".join(("promptlab", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)

GENERATING = {
    f"promptlab.{name}"
    for name in (
        "predictors.classifier", "predictors.ensemble.cascade", "predictors.ensemble.ensemble",
        "predictors.generator", "strategies.chain_of_thought.strategy",
        "strategies.self_consistency.strategy",
    )
}  # fmt: skip
"""Their examples show what replies become, or figures, which random weights do not give."""


@pytest.mark.parametrize("name", MODULES)
def test_examples(
    name: str, tmp_path: Path, masked: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Examples know ``pl`` and some ``model``."""
    monkeypatch.chdir(tmp_path)  # what an example writes is gone afterwards
    model = ScriptedModel(lambda prompt, sample: "7") if name in GENERATING else masked
    names = {"pl": promptlab, "model": model}
    failed, tried = doctest.testmod(import_module(name), extraglobs=names, optionflags=FLAGS)
    assert tried and not failed
