"""``import promptlab``: quick, and every public name is there."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import promptlab


def test_public_names_are_sorted_and_there() -> None:
    assert promptlab.__all__ == sorted(set(promptlab.__all__))
    for name in promptlab.__all__:
        assert getattr(promptlab, name) is not None
    assert set(promptlab.__all__) <= set(dir(promptlab))
    assert "__version__" in dir(promptlab)


def test_a_star_import_gives_them_all() -> None:
    names: dict[str, object] = {}
    exec("from promptlab import *", names)
    assert set(promptlab.__all__) <= set(names)


def test_an_unknown_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'promptlab' has no attribute 'Tempalte'"):
        _ = promptlab.Tempalte


def loaded_after(code: str) -> set[str]:
    """Top-level modules that are loaded after ``code`` ran in a process of its own."""
    show = "import sys, json; print(json.dumps(sorted({m.partition('.')[0] for m in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{show}"], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout))


HEAVY = {
    "datasets", "dspy", "gradio", "numpy", "optuna", "pandas", "peft", "plotly", "pyarrow",
    "pydantic", "scipy", "sklearn", "torch", "transformers",
}  # fmt: skip


def test_the_import_loads_nothing_heavy() -> None:
    assert not HEAVY & loaded_after("import promptlab")


def test_plain_values_need_no_torch() -> None:
    code = (
        "import promptlab as pl; pl.Template('{text} {mask}'); pl.Verbalizer({'a': 'x', 'b': 'y'});"
        "pl.templates(); pl.load_template('sentiment/it-was'); pl.Task; pl.load_task"
    )
    heavy = {"torch", "transformers", "sklearn", "scipy", "pandas", "plotly", "optuna"}
    assert not heavy & loaded_after(code)
