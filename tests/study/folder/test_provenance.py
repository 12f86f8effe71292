"""What a study rests on: recorded, compared when it goes on, refused by name, accepted and told."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from promptlab.cancellation import Cancellation
from promptlab.errors import Cancelled, StudyError
from promptlab.events import Event, Events, TrialFinished
from promptlab.files import provenance
from promptlab.models import pool, precision
from promptlab.study.comparison import setting_changes
from promptlab.study.folder import provenance as study_provenance
from promptlab.study.learning_curve.run import CurveRun
from promptlab.study.run import StudyRun
from promptlab.study.spec.curve_spec import CurveSpec
from promptlab.study.spec.load import load_spec
from tests.helpers.command_line import Command, command, here, models  # noqa: F401 - fixtures
from tests.helpers.learning_curve_fixtures import curve_document
from tests.helpers.provenance_fixtures import OWN, Begun, begun, change_weights, groups, module  # noqa: F401 - fixtures
from tests.helpers.study_fixtures import study_document, write_study

ALLOWED_CODE = ("my_kind", "my_metric")
REFUSED = r"rests on something else than before: {}.*--accept-changes"


def record(begun: Begun) -> dict[str, Any]:
    path = begun.folder / "runs" / "reviews" / "study.yaml"
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def refused(begun: Begun, what: str, **changes: Any) -> None:
    """Going on is refused for ``what``, nothing is judged, and the study is as it was."""
    before, judged = record(begun), list(begun.finished)
    with pytest.raises(StudyError, match=REFUSED.format(what)):
        begun.run(**changes)
    assert begun.finished == judged
    assert record(begun) == before


def test_other_weights_are_refused_and_named(begun: Begun) -> None:
    begun.run(stop=2)
    kept = (begun.model / "model.safetensors").read_bytes()
    change_weights(begun.model, 5)
    refused(begun, r"weights \([0-9a-f]{8} → [0-9a-f]{8}\)")
    (begun.model / "model.safetensors").write_bytes(kept)
    board = begun.run()
    assert not board["mixed"]
    assert len({row["rests_on"] for row in board["trials"]}) == 1


@pytest.mark.parametrize(
    "name", ["tokenizer.json", "config.json", "chat_template.jinja", "generation_config.json"]
)
def test_every_file_of_a_model_counts(begun: Begun, name: str) -> None:
    begun.run(stop=2)
    path = begun.model / name
    if path.suffix == ".json":
        document = json.loads(path.read_text()) if path.exists() else {"max_length": 9}
        path.write_text(json.dumps(document, indent=7))
    else:
        path.write_text("{{ messages }}")
    refused(begun, "(engine.*)?weights")


def test_changed_and_accepted_it_goes_on_and_says_which_trials_rest_on_what(begun: Begun) -> None:
    begun.run(stop=2)
    change_weights(begun.model, 5)
    board = begun.run(accept=True)
    assert any("goes on although it rests on something else: weights" in t for t in begun.told)
    keys = {row["number"]: row["rests_on"] for row in board["trials"]}
    early = {key for number, key in keys.items() if number < 2}
    late = {key for number, key in keys.items() if number >= 2}
    assert len(early) == len(late) == 1 and early != late
    (told,) = [text for text in board["statements"] if text == board["mixed"]]
    assert "trials 0–1" in told and "differ in weights" in told and "test was read by" in told
    assert board["verdict"]["because"].startswith("Not all trials rest on the same")
    report = (begun.folder / "runs" / "reviews" / "report.html").read_text()
    assert "Not all trials rest on the same" in report
    records = record(begun)["resolved"]["rests_on"]
    assert [r["key"] for r in records] == [*early, *late]
    again = begun.run()  # it is decided, and shown as it is
    assert again["mixed"] == board["mixed"]


def test_accepted_once_it_need_not_be_accepted_again(begun: Begun) -> None:
    begun.run(stop=2)
    change_weights(begun.model, 5)
    begun.run(stop=1, accept=True)
    board = begun.run()
    assert "trials 0–1" in board["mixed"]


def test_put_back_after_it_was_accepted_is_a_change_again(begun: Begun) -> None:
    kept = (begun.model / "model.safetensors").read_bytes()
    begun.run(stop=2)
    change_weights(begun.model, 5)
    begun.run(stop=1, accept=True)
    (begun.model / "model.safetensors").write_bytes(kept)
    refused(begun, "weights")
    board = begun.run(accept=True)
    first, *_, last = sorted((row["number"], row["rests_on"]) for row in board["trials"])
    assert first[1] == last[1]  # the same again, by the same key


def test_other_software_is_refused_and_a_decided_study_is_shown_all_the_same(
    begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun.run(stop=2)
    version = provenance.package_version

    def other(name: str) -> str:
        return "99.0" if name == "torch" else version(name)

    with monkeypatch.context() as patched:
        patched.setattr(provenance, "package_version", other)
        refused(begun, r"package torch \(.* → 99.0\)")
    board = begun.run()
    with monkeypatch.context() as patched:
        patched.setattr(provenance, "package_version", other)
        assert begun.run()["best"] == json.loads(json.dumps(board["best"]))
        refused(begun, "package torch", budget={"trials": 40})


def test_another_processor_is_told_and_not_refused(
    begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    from promptlab.models import local_provenance
    from promptlab.models.processor import Processor

    begun.run(stop=2)
    other = Processor("another processor", frozenset())
    monkeypatch.setattr(local_provenance, "this_processor", lambda: other)
    board = begun.run()
    assert any("another processor" in text for text in begun.told)
    assert not board["mixed"]


def test_a_template_of_the_library_is_what_it_says(
    begun: Begun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    library = tmp_path / "templates"
    library.mkdir()
    monkeypatch.setenv("PROMPTLAB_TEMPLATES", str(library))
    entry = {"name": "one", "text": "{text} To me {mask}.", "answers": OWN, "source": "me"}

    def write(**changes: Any) -> None:
        document = {"task": "mine", "templates": [entry | changes]}
        (library / "mine.yaml").write_text(yaml.safe_dump(document))

    write()
    changed = groups(templates=["mine/one"], calibration=["none", "contextual", "batch"])
    begun.run(stop=1, **changed)
    write(text="{text} For me {mask}.")
    refused(begun, r"template mine/one \(", **changed)
    write(note="a remark for people", source="her")
    assert not begun.run(**changed)["mixed"]


def test_a_template_more_in_a_task_of_the_library_is_another_study(
    begun: Begun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    library = tmp_path / "templates"
    library.mkdir()
    monkeypatch.setenv("PROMPTLAB_TEMPLATES", str(library))
    entries = [
        {"name": name, "text": f"{{text}} {name} {{mask}}.", "answers": OWN, "source": "me"}
        for name in ("one", "two", "three")
    ]
    path = library / "mine.yaml"
    path.write_text(yaml.safe_dump({"task": "mine", "templates": entries[:2]}))
    changed = groups(templates={"task": "mine"})
    begun.run(stop=1, **changed)
    path.write_text(yaml.safe_dump({"task": "mine", "templates": entries}))
    refused(begun, r"template mine/three \(none → ", **changed)


def test_passages_of_a_file_count(begun: Begun, tmp_path: Path) -> None:
    path = tmp_path / "passages.txt"
    path.write_text("great films\n\nbad soups\n\nloud jokes")
    inner = groups()["candidates"][0]
    inner["templates"] = [{"text": "{context} {text} It was {mask}.", "answers": OWN}]
    group = {"kind": "retrieval", "inner": inner, "passages": str(path), "k": [1, 2]}
    begun.run(stop=1, candidates=[group])
    path.write_text("great films\n\nbad soups\n\nloud jokes!")
    refused(begun, r"file passages.txt \(", candidates=[group])


def test_unlabelled_and_regression_files_count(begun: Begun, tmp_path: Path) -> None:
    texts, suite = tmp_path / "more.csv", tmp_path / "suite.jsonl"
    texts.write_text("text\nthe film was long .\nthe soup was red .\n")
    row = {"id": "x", "fields": {"text": "the joke was old ."}, "label": "negative"}
    suite.write_text(json.dumps(row) + "\n")
    student = {"kind": "distillation", "top": [2], "unlabelled": str(texts), "epochs": 1}
    changed = {"candidates": [*groups()["candidates"], student], "regression": str(suite)}
    begun.run(stop=1, **changed)
    texts.write_text("text\nthe film was long .\nthe soup was blue .\n")
    refused(begun, r"file more.csv \(", **changed)
    texts.write_text("text\nthe film was long .\nthe soup was red .\n")
    suite.write_text(json.dumps(row | {"label": "positive"}) + "\n")
    refused(begun, r"file suite.jsonl \(", **changed)


KIND = """
from promptlab.candidates.template import TemplateKind, TemplateSettings
from {helper} import WORDS

class Mine(TemplateKind):
    name = "mine"
    Settings = TemplateSettings
"""
METRIC = """
from promptlab.evaluation.metrics import Accuracy

class Mine(Accuracy):
    name = "mine"
"""


def test_the_code_of_a_kind_and_what_it_imports_count(
    begun: Begun, module: Callable[[str, str], Path]
) -> None:
    module("my_words", "WORDS = 1\n")
    module("my_kind", KIND.format(helper="my_words"))
    changed = groups(kind="my_kind:Mine")
    begun.run(stop=1, **changed)
    module("my_words", "WORDS = 2\n")
    refused(begun, r"code my_kind \(", **changed)
    module("my_words", "WORDS = 1\n")
    assert not begun.run(**changed)["mixed"]


def test_the_code_of_an_objective_counts(begun: Begun, module: Callable[[str, str], Path]) -> None:
    module("my_metric", METRIC)
    changed = {"objectives": ["my_metric:Mine"]}
    begun.run(stop=1, **changed)
    module("my_metric", METRIC + "\n    higher_is_better = True\n")
    refused(begun, r"code my_metric \(", **changed)


def test_the_format_that_auto_chose_is_held_to(
    begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = {"model": {"name": str(begun.model), "device": "cpu"}}
    monkeypatch.setattr(precision, "_remembered", lambda processor: "float32")
    begun.run(stop=2, **section)
    monkeypatch.setattr(precision, "_remembered", lambda processor: "bfloat16")
    monkeypatch.setattr(pool, "POOL", pool.ModelPool())  # as in another process
    board = begun.run(**section)
    assert board["model"]["dtype"] == "float32"
    assert not board["mixed"]
    assert begun.run(**section | {"study": "another"})["model"]["dtype"] == "bfloat16"


def test_a_device_that_is_gone_is_refused(begun: Begun) -> None:
    section = {"model": {"name": str(begun.model), "dtype": "float32"}}
    begun.run(stop=2, **section)
    path = begun.folder / "runs" / "reviews" / "study.yaml"
    document = record(begun)
    document["resolved"]["model"]["device"] = "cuda:0"
    for one in document["resolved"]["rests_on"]:
        one["fixed"]["device"] = "cuda"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    refused(begun, r"device \(cuda → cpu\)", **section)


def test_a_study_of_an_earlier_version_goes_on_and_is_told_once(begun: Begun) -> None:
    begun.run(stop=2)
    forget_what_it_rests_on(begun)
    begun.run(stop=1)
    assert sum("was not recorded when it began" in text for text in begun.told) == 1
    board = begun.run()
    assert sum("was not recorded when it began" in text for text in begun.told) == 1
    assert not board["mixed"]
    assert (
        "What trials rest on was not recorded when these were judged: 0–1." in board["statements"]
    )


def forget_what_it_rests_on(begun: Begun) -> None:
    """The folder and the storage as an earlier version wrote them."""
    path = begun.folder / "runs" / "reviews" / "study.yaml"
    document = record(begun)
    del document["resolved"]["rests_on"]
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    with closing(sqlite3.connect(path.with_name("study.db"))) as storage, storage:
        storage.execute("DELETE FROM study_user_attributes WHERE key = 'rests_on'")
        table = "trial_user_attributes WHERE key = 'found'"
        for number, text in storage.execute(f"SELECT trial_id, value_json FROM {table}").fetchall():
            found = {key: value for key, value in json.loads(text).items() if key != "rests_on"}
            change = f"UPDATE {table.replace('WHERE', 'SET value_json = ? WHERE')} AND trial_id = ?"
            storage.execute(change, (json.dumps(found), number))


def test_a_study_of_an_earlier_version_has_its_model_compared(begun: Begun) -> None:
    begun.run(stop=2)
    forget_what_it_rests_on(begun)
    change_weights(begun.model, 5)
    refused(begun, r"model \(weights, dtype or engine\)")


@pytest.mark.parametrize(
    "damage", ["text", [], [1], [{"key": "a"}], [{"key": 1, "fixed": {}, "noted": {}}],
               [{"key": "a", "fixed": {"weights": 3}, "noted": {}}]],
)  # fmt: skip
def test_a_damaged_record_is_named(begun: Begun, damage: Any) -> None:
    begun.run(stop=2)
    path = begun.folder / "runs" / "reviews" / "study.yaml"
    document = record(begun)
    document["resolved"]["rests_on"] = damage
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    with pytest.raises(StudyError, match=r"record of what the study rests on.*is damaged"):
        begun.run()


def test_a_storage_that_folders_share_is_compared(begun: Begun, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    section = {"name": str(begun.model), "device": "cpu", "dtype": "float32"}

    def run(out: str, **options: Any) -> Any:
        document = study_document(begun.data, **({"model": section} | groups()))
        spec = load_spec(document, source="test")
        return StudyRun(spec, out=tmp_path / out, storage=url, **options).run()

    run("here")
    change_weights(begun.model, 5)
    with pytest.raises(StudyError, match=r"rests on something else than before: weights"):
        run("there")
    shutil.rmtree(tmp_path / "there", ignore_errors=True)


def test_values_are_told_short() -> None:
    found = study_provenance._differences({"a": "0" * 40, "b": "1"}, {"a": "f" * 40, "c": "2"})
    assert list(map(str, found)) == ["a (00000000 → ffffffff)", "b (1 → none)", "c (none → 2)"]
    alike = study_provenance._differences({"a": "0" * 40}, {"a": "0" * 39 + "1"})
    assert list(map(str, alike)) == [f"a ({'0' * 40} → {'0' * 39}1)"]


def test_the_cells_of_a_learning_curve_are_compared_too(begun: Begun) -> None:
    def run(*, stop: int | None = None, accept: bool = False) -> Any:
        cancellation, cells = Cancellation(), 0

        def hear(event: Event) -> None:
            nonlocal cells
            cells += isinstance(event, TrialFinished)
            if cells == stop:
                cancellation.request()

        section = {"name": str(begun.model), "device": "cpu", "dtype": "float32"}
        spec = load_spec(curve_document(begun.data, model=section), source="test")
        assert isinstance(spec, CurveSpec)
        return CurveRun(
            spec, out=begun.folder / "runs", events=Events(hear), cancellation=cancellation,
            accept_changes=accept,
        ).run()  # fmt: skip

    with pytest.raises(Cancelled):
        run(stop=3)
    change_weights(begun.model, 5)
    with pytest.raises(StudyError, match=REFUSED.format("weights")):
        run()
    document = run(accept=True)
    assert "cells 0–3" in document["mixed"] and document["mixed"] in document["statements"]
    assert len({cell["rests_on"] for cell in document["cells"]}) == 2


def test_the_command_accepts_changes_when_it_is_told_to(
    begun: Begun,
    command: Command,
    tmp_path: Path,
) -> None:
    section = {"name": str(begun.model), "device": "cpu", "dtype": "float32"}
    document = study_document(begun.data, **({"model": section} | groups()))
    path = write_study(tmp_path / "reviews.yaml", document)
    begun.run(stop=2)
    change_weights(begun.model, 5)
    arguments = ("study", "run", path, "--out", tmp_path / "runs")
    command(*arguments).refuses("rests on something else than before: weights")
    found = command(*arguments, "--accept-changes")
    assert found.code == 0
    assert "Not all trials rest on the same" in " ".join(found.out.split())


def test_two_studies_are_compared_by_what_they_rest_on_too(begun: Begun) -> None:
    begun.run(study="one")
    change_weights(begun.model, 5)
    begun.run(study="two")
    runs = begun.folder / "runs"
    (change,) = setting_changes(runs / "one", runs / "two")
    assert change.key == "rests on: weights" and change.before != change.after
