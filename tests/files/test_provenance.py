"""What is looked up by a name is noted with what it holds; outside of that nothing is kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from promptlab.data.readers import read_rows
from promptlab.evaluation.failure_log import read_lines
from promptlab.files import provenance
from promptlab.files.provenance import Provenance, code_hash, collect_inputs, note_file, note_input
from promptlab.strategies.retrieval import read_passages
from tests.helpers.provenance_fixtures import module  # noqa: F401 - a fixture


def noted(look: Callable[[], object]) -> dict[str, str]:
    found: dict[str, str] = {}
    with collect_inputs(found):
        look()
    return found


def test_a_file_is_noted_by_its_name_and_content_wherever_it_lies(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "rows.csv").write_text("text\none\n")
    first = noted(lambda: read_rows(tmp_path / "a" / "rows.csv"))
    assert list(first) == ["file rows.csv"]
    assert first == noted(lambda: read_rows(tmp_path / "b" / "rows.csv"))
    (tmp_path / "b" / "rows.csv").write_text("text\ntwo\n")
    assert first != noted(lambda: read_rows(tmp_path / "b" / "rows.csv"))


def test_two_files_of_one_name_are_both_noted(tmp_path: Path) -> None:
    def look() -> None:
        for folder in ("a", "b", "a"):
            note_file(tmp_path / folder / "rows.csv")

    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "rows.csv").write_text(folder)
    assert list(noted(look)) == ["file rows.csv", "file rows.csv (2)"]


def test_every_reader_of_a_file_notes_it(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("one\n\ntwo")
    (tmp_path / "p.jsonl").write_text(json.dumps({"text": "one"}) + "\n")
    assert list(noted(lambda: read_passages(tmp_path / "p.txt"))) == ["file p.txt"]
    assert list(noted(lambda: read_passages(tmp_path / "p.jsonl"))) == ["file p.jsonl"]
    assert list(noted(lambda: read_lines(tmp_path / "p.jsonl"))) == ["file p.jsonl"]


def test_outside_nothing_is_noted(tmp_path: Path) -> None:
    found: dict[str, str] = {}
    with pytest.raises(ZeroDivisionError), collect_inputs(found):
        raise ZeroDivisionError
    note_input("a", "1")
    assert not found


def test_the_code_of_a_module_is_its_source_and_what_it_imports_beside_itself(
    module: Callable[[str, str], Path],
) -> None:
    import importlib

    module("own_pack.__init__", "")
    module("own_pack.words", "from . import deeper\nX = 1\n")
    module("own_pack.deeper", "import json\n")
    module("own_pack.other", "")
    module("beside", "X = 1\n")
    module("own_pack.main", "import beside\nfrom .words import X\n")
    importlib.import_module("own_pack.main")
    before = code_hash("own_pack.main")
    for name, changes in (("other", False), ("deeper", True), ("words", True), ("main", True)):
        path = module("beside", "X = 1\n").parent / "own_pack" / f"{name}.py"
        path.write_text(path.read_text() + "Y = 2\n")
        importlib.import_module("own_pack.main")
        assert (code_hash("own_pack.main") != before) is changes, name
        before = code_hash("own_pack.main")
    module("beside", "X = 2\n")
    importlib.import_module("own_pack.main")
    assert code_hash("own_pack.main") != before


def test_code_without_source_is_said_to_have_none() -> None:
    assert code_hash("sys") == "no source"
    assert len(code_hash("pytest")) == 12


def test_promptlabs_own_source_is_noted_whole(tmp_path: Path) -> None:
    copy = tmp_path / "promptlab"
    shutil.copytree(
        Path(provenance.__file__).parents[1], copy, ignore=shutil.ignore_patterns("*.pyc")
    )
    hashes = set()
    for change in ("", "\n# another comment\n"):
        path = copy / "study" / "decision" / "verdict.py"
        path.write_text(path.read_text(encoding="utf-8") + change, encoding="utf-8")
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(provenance, "__file__", str(copy / "files" / "provenance.py"))
            hashes.add(provenance.own_source.__wrapped__())
    assert len(hashes) == 2


def test_a_package_that_is_not_there_has_no_version() -> None:
    found = noted(lambda: provenance.note_package("numpy", "no-such-package-anywhere"))
    assert found["package no-such-package-anywhere"] == "not installed"
    assert found["package numpy"][0].isdigit()


def test_a_record_is_read_again_and_its_key_is_that_of_what_is_fixed() -> None:
    one = Provenance({"weights": "a"}, {"threads": "2"})
    assert Provenance.from_record(json.loads(json.dumps(one.record()))) == one
    assert one.key == Provenance({"weights": "a"}, {"threads": "3"}).key
    assert one.key != Provenance({"weights": "b"}).key
    for damaged in (None, 3, {}, {"fixed": {}}, {"fixed": {}, "noted": {"a": 1}}, {"fixed": []}):
        with pytest.raises(ValueError, match="it holds no fixed and noted of texts by name"):
            Provenance.from_record(damaged)
