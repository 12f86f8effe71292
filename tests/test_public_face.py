"""``import promptlab``: quick, and every public name is there."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest

import promptlab

ROOT = Path(promptlab.__file__).parent.parent


def test_public_names_are_sorted_and_there() -> None:
    assert promptlab.__all__ == sorted(set(promptlab.__all__))
    for name in promptlab.__all__:
        assert getattr(promptlab, name) is not None
    assert set(promptlab.__all__) <= set(dir(promptlab))
    assert "__version__" in dir(promptlab)


def type_checking_imports(path: Path) -> dict[str, str]:
    """Every name that a file imports for type checkers alone, with its module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    blocks = [
        node.body
        for node in tree.body
        if isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    ]
    imports = [node for body in blocks for node in body if isinstance(node, ast.ImportFrom)]
    imports = [node for node in imports if node.module != "promptlab"]  # its modules
    return {alias.asname or alias.name: str(n.module) for n in imports for alias in n.names}


FACES = sorted(
    ".".join(path.relative_to(ROOT).parts[:-1])
    for path in (ROOT / "promptlab").rglob("__init__.py")
    if "= lazy_getattr(" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", FACES)
def test_type_checkers_see_what_a_face_gives(name: str) -> None:
    face = import_module(name)
    assert type_checking_imports(Path(str(face.__file__))) == face._HOMES
    assert face.__all__ == sorted(face._HOMES)
    for public, home in face._HOMES.items():
        assert getattr(face, public) is getattr(import_module(home), public)
        with pytest.raises(ModuleNotFoundError):  # else the module would stand before the name
            import_module(f"{name}.{public}")


def test_the_faces_are_those_of_the_public_modules() -> None:
    faces = {f"promptlab.{name}" for name in promptlab._PUBLIC_MODULES} & set(FACES)
    assert len(faces) >= 10 and "promptlab" in FACES


def test_about_fifty_names_to_begin_with() -> None:
    assert 40 <= len(promptlab.__all__) <= 55


def test_old_names_work_and_warn() -> None:
    names = {"Tempalte": "promptlab.Template"}
    get = promptlab.lazy_getattr("promptlab", promptlab._HOMES, names)
    warning = "promptlab.Tempalte is called promptlab.Template now"
    with pytest.warns(DeprecationWarning, match=warning) as told:
        assert get("Tempalte") is promptlab.Template
    assert told[0].filename == __file__
    for name, now in promptlab._RENAMED.items():
        with pytest.warns(DeprecationWarning, match=now):
            assert getattr(promptlab, name) is not None
        assert name not in promptlab.__all__


def test_a_star_import_gives_them_all() -> None:
    names: dict[str, object] = {}
    exec("from promptlab import *", names)
    assert set(promptlab.__all__) <= set(names)


def test_public_modules_are_there_without_an_import_of_their_own() -> None:
    names = ", ".join(f"pl.{name}.__all__" for name in promptlab._PUBLIC_MODULES)
    loaded = loaded_after(f"import promptlab as pl; assert all([{names}])")
    assert HEAVY & loaded <= {"numpy"}


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


USERS_SCRIPT = """\
import promptlab as pl
reveal_type(pl.Template)
reveal_type(pl.load_model("gpt2"))
pl.Tempalte
reveal_type(pl.study.StudyRun)
pl.study.StudyRum
pl.Template("{text} {mask}", verbaliser=None)
def score(predictor: pl.Predictor) -> float:
    return predictor.evaluate(["good"], ["good"], metric=("accuracy",)).accuracy
"""


def test_type_checkers_find_a_users_slips(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    script = tmp_path / "script.py"
    script.write_text(USERS_SCRIPT, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"MYPY_FORCE_COLOR": "0"},
    )
    lines = [line.partition("script.py:")[2] for line in done.stdout.splitlines()]
    told = [line for line in lines if " defined in " not in line]
    assert told[0].startswith('2: note: Revealed type is "def (')
    assert told[0].endswith(f'-> {promptlab.Template.__module__}.Template"')
    model = f"{promptlab.LanguageModel.__module__}.LanguageModel"
    assert told[1] == f'3: note: Revealed type is "{model}"'
    assert told[2].startswith('4: error: Module has no attribute "Tempalte"; maybe "Template"')
    assert told[3].startswith("5: note: Revealed type is") and told[3].endswith('.StudyRun"')
    assert told[4].startswith('6: error: Module has no attribute "StudyRum"; maybe "StudyRun"')
    assert told[5].startswith('7: error: Unexpected keyword argument "verbaliser" for "Template"')
    assert told[6].startswith('9: error: Unexpected keyword argument "metric" for "evaluate"')
    assert len(told) == 7


def seconds_of(code: str) -> float:
    """The quickest of three runs, each in a process of its own."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
        times.append(time.perf_counter() - start)
    return min(times)


def test_the_import_takes_less_than_half_a_second() -> None:
    assert seconds_of("import promptlab") - seconds_of("") < 0.5


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
