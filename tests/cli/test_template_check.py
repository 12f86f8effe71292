"""`promptlab template check`: every fault of a file, told with its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from promptlab import library
from promptlab.errors import InputError
from tests.helpers.template_command import FILE, document, refused, run, user_folder  # noqa: F401 - a fixture
from tests.helpers.tiny_models import Pair


def test_check_finds_no_fault_in_the_shipped_library() -> None:
    assert document("check") == {
        "checked": len(library.templates()),
        "faults": [],
        "notes": [],
    }


def test_check_takes_names_tasks_files_and_folders(user_folder: Path) -> None:
    (user_folder / "mood.yaml").write_text(FILE)
    assert document("check", "mood/it-was")["checked"] == 1
    assert document("check", "mood")["checked"] == 1
    assert document("check", str(user_folder))["checked"] == 1
    assert document("check", str(user_folder / "mood.yaml"), "sentiment/it-was")["checked"] == 2


def test_check_refuses_what_is_not_there(tmp_path: Path) -> None:
    assert "did you mean" in refused("check", "sentiment/it-waz")
    assert "no such file" in refused("check", str(tmp_path / "none.yaml"))
    assert "holds no .yaml file" in refused("check", str(tmp_path))


BROKEN = r"""
task: Mood
tsak: mood
metric: acuracy
labels: [low, high]
examples:
  - {text: "a fine day", label: good}
  - {text: 3, label: low}
templates:
  - {name: two-slots, text: "{text} {mask} {mask}", answers: {low: bad, high: good}, source: own}
  - {name: no-slot, text: "{text}", answers: {low: bad, high: good}, source: own}
  - {name: no-field, text: "{body} {mask}", answers: {low: bad, high: good}, source: own}
  - {name: no-label, text: "{text} {mask}", answers: {low: bad}, source: own}
  - {name: other-label, text: "{text} {mask}", answers: {low: bad, hihg: good}, source: own}
  - {name: yaml-words, text: "{text} {mask}", answers: {low: no, high: "yes"}, source: own}
  - {name: no-reading, text: "{text} {mask}", source: own}
  - {name: no-source, text: "{text} {mask}", answers: {low: bad, high: good}}
  - {name: Bad_Name, text: "{text} {mask}", answers: {low: bad, high: good}, source: own}
  - {name: number, text: 5, answers: {low: bad, high: good}, source: own}
  - {name: no-parser, text: "{text} {mask}", parser: {type: coice}, source: own}
  - {name: keys, text: "{text} {mask}", anwsers: {}, sorce: own}
  - {name: chatty, text: "{text} {mask}.", chat: true, answers: {low: bad, high: good}, source: own}
  - {name: twice, text: "{text} {mask}", answers: {low: bad, high: good}, source: own}
  - {name: twice, text: "{text} {mask}", answers: {low: bad, high: good}, source: own}
  - {name: jinja, text: "{{ text.nothing() }} {{ mask }}", parser: {type: text}, source: own}
  - name: choices
    text: "{text} {mask}"
    parser: {type: choice, choices: {low: [bad], hi: [good]}}
    source: own
  - just words
"""


def test_check_lists_every_fault(tmp_path: Path) -> None:
    path = tmp_path / "mood.yaml"
    path.write_text(BROKEN)
    result = run("check", str(path), "--json")
    assert isinstance(result.exception, InputError)
    report = json.loads(result.stdout)
    found: dict[str, str] = {}
    for fault in report["faults"]:
        place = fault["place"].removeprefix(str(path)).removeprefix(", template ")
        found[place] = found.get(place, "") + fault["message"] + "\n"
    assert report["checked"] == 18
    for place, words in {
        "": ["'Mood'", "'tsak'", "acuracy", "'good' is none of", "text is 3"],
        "two-slots": ["second one"],
        "no-slot": ["no answer slot"],
        "no-field": ["example 1 lacks 'body'", "example 2"],
        "no-label": ["two labels"],
        "other-label": ["'hihg'"],
        "yaml-words": ["False", "quotes"],
        "no-reading": ["neither answers nor a parser"],
        "no-source": ["'source' is missing"],
        "Bad_Name": ["hyphens"],
        "number": ["text is 5"],
        "no-parser": ["coice"],
        "keys": ["'answers'", "'source'", "missing"],
        "chatty": ["nothing may follow"],
        "twice": ["used twice"],
        "jinja": ["nothing"],
        "choices": ["'hi'"],
        "number 18": ["mapping"],
    }.items():
        assert place in found, place
        for word in words:
            assert word in found[place], (place, found[place])


def test_check_prints_faults_for_people(tmp_path: Path) -> None:
    path = tmp_path / "mood.yaml"
    path.write_text(FILE.replace("{text} It", "{txt} It"))
    message = refused("check", str(path))
    assert message.startswith("2 faults in the 1 templates checked:\n- ")
    assert f"{path}, template it-was: example 1 lacks 'txt'" in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("task: [mood", "no valid YAML"),
        ("- a\n- b", "expected a mapping"),
        ("task: mood", "'templates' is missing"),
        ("task: mood\ntemplates:", "empty"),
        ("task: mood\ntemplates: []", "empty"),
        ("task: mood\nlabels: 5\nexamples: 6\ntemplates: 7", "labels is 5"),
        (FILE.replace("task: mood", "task: 5"), "task is 5"),
    ],
)
def test_check_survives_any_yaml(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "mood.yaml"
    path.write_text(text)
    assert words in refused("check", str(path))


def test_check_refuses_a_file_in_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "mood.yaml"
    path.write_bytes(FILE.replace("fine", "für").encode("latin-1"))
    assert "no UTF-8" in refused("check", str(path))


def test_check_tells_a_clash_with_the_library(user_folder: Path) -> None:
    path = user_folder / "mine.yaml"
    path.write_text(FILE.replace("task: mood", "task: sentiment"))
    message = refused("check")
    assert "template sentiment/it-was is also defined in" in message
    assert "mine.yaml" in message


def test_check_with_a_model_tells_answers_of_several_tokens(
    tmp_path: Path, tiny_masked: Pair, folder_of: Callable[..., Path]
) -> None:
    path = tmp_path / "mood.yaml"
    path.write_text(FILE.replace("[good]", "[good, wonderful movie]"))
    report = document("check", str(path), "--model", str(folder_of(tiny_masked)))
    assert report["faults"] == []
    assert [note["message"].split(": ", 1)[1] for note in report["notes"]] == [
        "'wonderful movie' (2)"
    ]


def test_check_with_a_model_tells_what_it_cannot_do(
    tmp_path: Path, tiny_masked: Pair, folder_of: Callable[..., Path]
) -> None:
    path = tmp_path / "mood.yaml"
    path.write_text(FILE.replace("answers: {low: [bad], high: [good]}", "parser: {type: text}"))
    report = document("check", str(path), "--model", str(folder_of(tiny_masked)))
    assert "cannot generate" in report["notes"][0]["message"]


def test_answers_that_the_model_reads_as_one_are_a_fault(
    tmp_path: Path, tiny_masked: Pair, folder_of: Callable[..., Path]
) -> None:
    path = tmp_path / "mood.yaml"
    path.write_text(FILE.replace("[bad]", "[Good]"))
    message = refused("check", str(path), "--model", str(folder_of(tiny_masked)))
    assert "'Good' and 'good' are the same tokens" in message
