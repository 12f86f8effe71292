"""Kept replies belong to the model that gave them, not to its name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from promptlab.models.remote.response_cache import response_cache_path

ONE, OTHER = {"id": "a", "root": "1"}, {"id": "a", "root": "2"}


def test_another_model_behind_the_name_has_a_file_of_its_own(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    first = response_cache_path(tmp_path, "key", ONE, "m")
    assert first == tmp_path / "key.db"  # as earlier versions called it
    assert response_cache_path(tmp_path, "key", ONE, "m") == first
    assert not capfd.readouterr().err
    second = response_cache_path(tmp_path, "key", OTHER, "m")
    assert second != first
    assert "m: the endpoint says something else" in capfd.readouterr().err
    assert response_cache_path(tmp_path, "key", OTHER, "m") == second
    assert (
        response_cache_path(tmp_path, "key", ONE, "m") == first
    )  # it is back, and so are its replies


def test_an_endpoint_that_says_nothing_is_what_it_was(tmp_path: Path) -> None:
    assert response_cache_path(tmp_path, "key", {}, "m") == tmp_path / "key.db"
    response_cache_path(tmp_path, "key", ONE, "m")
    second = response_cache_path(tmp_path, "key", OTHER, "m")
    assert response_cache_path(tmp_path, "key", {}, "m") == second
    assert response_cache_path(tmp_path, "key", {"id": "a"}, "m") == second  # it says less


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[1]", '[{"file": "../x.db", "told": {}}]', '[{"file": "key/../../x", "told": {}}]',
     '[{"file": "key.db"}]', '[{"file": "key.db", "told": {"id": 3}}]', "\x00", "[" * 99_999],
)  # fmt: skip
def test_a_damaged_list_is_told_and_written_anew(
    tmp_path: Path, content: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "key.json").write_text(content)
    assert response_cache_path(tmp_path, "key", ONE, "m") == tmp_path / "key.db"
    assert "what the endpoint said before is not known" in capfd.readouterr().err
    assert json.loads((tmp_path / "key.json").read_text()) == [{"file": "key.db", "told": ONE}]


def test_a_list_that_is_no_file_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "key.json").mkdir()
    (tmp_path / "key.json" / "x").write_text("")
    assert response_cache_path(tmp_path, "key", ONE, "m") == tmp_path / "key.db"
    assert "cannot be kept" in capfd.readouterr().err
