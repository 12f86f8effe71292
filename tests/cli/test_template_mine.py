"""``promptlab template mine``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from promptlab.errors import DataError
from tests.conftest import cache_at
from tests.helpers.corpus_fixtures import TEMPLATE, write_corpus, write_pairs
from tests.helpers.template_command import document, refused, run, user_folder  # noqa: F401 - a fixture


@pytest.fixture(autouse=True)
def own_cache_folder(tmp_path: Path) -> Iterator[None]:
    with cache_at(str(tmp_path / "cache")):
        yield


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    return str(write_corpus(tmp_path)), str(write_pairs(tmp_path))


def test_the_list_says_what_supports_each_template(files: tuple[str, str]) -> None:
    result = run("mine", *files)
    assert result.exit_code == 0, result.exception
    head, first, second, *_ = result.stdout.splitlines()
    assert head.split()[:3] == ["template", "pairs", "sentences"]
    assert first.startswith(TEMPLATE) and first.endswith("score given answers")
    assert second.startswith("{country} is {mask}") and second.endswith("write or score")
    assert "5 of 5 pairs together in 17 sentences" in result.stderr
    assert "templates dropped: 2 too few pairs" in result.stderr
    assert "cannot write into it" in result.stderr


def test_json_has_all_counts(files: tuple[str, str]) -> None:
    found = document("mine", *files, "--top", "1", "--field", "land")
    assert [t["text"] for t in found["templates"]] == ["{mask} is the capital city of {land}"]
    assert found["field"] == "land" and found["file"] is None
    assert found["places_left_out"] == {"no word": 4, "another name within": 1}
    assert found["templates_dropped"]["beyond the number asked for"] == 2


def test_the_file_is_imported(
    files: tuple[str, str],
    tmp_path: Path,
    user_folder: Path,
) -> None:
    out = tmp_path / "mined.yaml"
    assert run("mine", *files, "--out", str(out), "--task", "capital-mining").exit_code == 0
    assert json.loads(run("check", str(out), "--json").stdout)["faults"] == []
    assert len(document("import", str(out))["saved"]) == 3
    row = document("show", "capital-mining/mined-1-is-the-capital-city-of")
    assert row["text"] == TEMPLATE
    assert "exists already" in refused("mine", *files, "--out", str(out))
    assert "end in .yaml" in refused("mine", *files, "--out", str(tmp_path / "mined.txt"))


def test_what_is_wrong_is_told_before_anything_is_written(
    files: tuple[str, str], tmp_path: Path
) -> None:
    corpus, pairs = files
    assert "no such corpus" in refused("mine", str(tmp_path / "none.txt"), pairs)
    assert "no such file" in refused("mine", corpus, str(tmp_path / "none.csv"))
    assert "--pipeline en_core_web_sm" in refused("mine", *files, "--method", "both")
    assert "has no column 'town'" in refused("mine", *files, "--subject", "town")
    out = tmp_path / "mined.yaml"
    result = run("mine", *files, "--min-pairs", "9", "--out", str(out))
    assert isinstance(result.exception, DataError) and not out.exists()
    assert run("mine", *files, "--top", "0").exit_code == 2
