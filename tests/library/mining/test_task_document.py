"""Mined templates as a file that the template library takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptlab.cli.template_check import check_templates
from promptlab.errors import InputError
from promptlab.files.yaml_dump import dump_yaml
from promptlab.library.entry import read_task_file
from promptlab.library.mining.mine import MiningResult, mine_templates
from promptlab.library.mining.task_document import kebab, task_document
from tests.helpers.corpus_fixtures import TEMPLATE, write_corpus, write_pairs


@pytest.fixture
def result(tmp_path: Path) -> MiningResult:
    return mine_templates(write_corpus(tmp_path), write_pairs(tmp_path))


def test_the_file_is_read_by_the_library_without_faults(
    tmp_path: Path, result: MiningResult
) -> None:
    file = tmp_path / "mined.yaml"
    file.write_text(dump_yaml(task_document(result, Path("wiki.txt"), "capitals-mined")))
    report = check_templates([str(file)])
    assert (report.checked, report.faults) == (3, [])
    task = read_task_file(file)
    first = task.templates["mined-1-is-the-capital-city-of"]
    assert first.template.text == TEMPLATE and first.open_vocabulary
    assert first.source.startswith("mined from wiki.txt (middle words; Jiang et al. 2020): 5 of 5")
    assert "a causal model cannot see" in first.note
    assert task.examples[0] == {"country": "Poland", "label": "Warsaw"}


def test_names_are_those_of_the_library(result: MiningResult) -> None:
    assert kebab("Hauptst\u00e4dte (2026)") == "hauptst-dte-2026"
    with pytest.raises(InputError, match="--task NAME"):
        task_document(result, Path("wiki.txt"), "My Task")
