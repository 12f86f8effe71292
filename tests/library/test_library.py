"""The template library: every shipped template works, and other sources add to it in the open."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from promptlab import library
from promptlab.errors import InputError
from promptlab.evaluation.metrics import get_metric
from promptlab.library import sources
from promptlab.prompts.parsers.parsers import parser_from_settings
from promptlab.prompts.template import Demonstration, Template

SHIPPED = [item.full_name for item in library.templates()]
SEVENTEEN = {
    "sentiment", "author-attribution", "spam", "emotion", "intent", "language-identification",
    "hate-speech", "part-of-speech", "named-entities", "chunking", "dependency-relation",
    "constituent-category", "semantic-role", "coreference", "summarisation",
    "question-answering", "translation",
}  # fmt: skip


def letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).lower()


@pytest.mark.parametrize("name", SHIPPED)
def test_every_template_renders_and_comes_back(name: str) -> None:
    item = sources.find_template(name)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", item.name)
    assert len(item.source) > 10
    assert set(item.template.fields) <= set(item.example)
    prompt = item.template.render(item.example)
    for field in item.template.fields:  # Jinja templates may respell what they are given
        assert letters(item.example[field]) in letters(str(prompt))
    solved = Demonstration(item.example, "so")
    again = Template.from_settings(json.loads(json.dumps(item.template.settings())))
    assert again == item.template
    assert again.render(item.example, [solved]) == item.template.render(item.example, [solved])
    row = item.to_row()
    assert row["name"] == name
    assert row["shape"] in ("prefix", "cloze")
    json.dumps(row)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_template_has_answers_or_a_parser(name: str) -> None:
    item = sources.find_template(name)
    assert (item.answers is not None) + (item.parser is not None) + item.open_vocabulary == 1
    if item.answers is not None:
        labels = sources.load_library()[item.task].labels
        if labels:
            item.verbalizer.check_labels(labels)
    elif item.parser is not None:
        parser = parser_from_settings(item.parser)
        assert parser_from_settings(parser.settings()) == parser
        with pytest.raises(InputError, match="its reply is generated and parsed"):
            _ = item.verbalizer
    else:
        with pytest.raises(InputError, match="its reply is any token"):
            _ = item.verbalizer


def test_the_library_is_as_wide_as_promised() -> None:
    known = {task.name: task for task in library.tasks()}
    assert SEVENTEEN | {"capitals", "arithmetic"} <= set(known)
    assert len(SHIPPED) >= 100
    assert len(set(SHIPPED)) == len(SHIPPED)
    for task in known.values():
        get_metric(task.metric)
        assert task.description.endswith(".")
        assert len(task.examples) >= 2
        shapes = Counter(item.template.shape for item in task.templates.values())
        assert shapes["prefix"] >= 1
        for example in task.examples:
            assert not task.labels or example.get("label") in task.labels


def test_finding() -> None:
    assert library.load_template("sentiment/it-was").text == "{text} It was {mask}."
    assert [t.task for t in library.templates("sentiment")] == ["sentiment"] * len(
        sources.load_library()["sentiment"].templates
    )
    with pytest.raises(InputError, match=r"no template 'sentiment/itwas'; did you mean sentiment/"):
        sources.find_template("sentiment/itwas")
    with pytest.raises(InputError, match="no template 'qqqq'; `promptlab template list` shows"):
        sources.find_template("qqqq")
    with pytest.raises(InputError, match="no task 'sentimant'; did you mean sentiment"):
        library.templates("sentimant")


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own folder of templates."""
    monkeypatch.setenv("PROMPTLAB_TEMPLATES", str(tmp_path))
    return tmp_path


def document(**changes: Any) -> dict[str, Any]:
    template = {
        "name": "mine",
        "text": "{text} So {mask}.",
        "answers": {"negative": "bad", "positive": "good"},
        "source": "own wording",
    }
    entry = changes.pop("template", {})
    return {
        "task": "sentiment",
        "labels": ["negative", "positive"],
        "templates": [template | entry],
    } | changes


def write(folder: Path, content: Any, name: str = "own.yaml") -> Path:
    text = content if isinstance(content, str) else yaml.safe_dump(content, allow_unicode=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_a_users_folder_adds(own: Path) -> None:
    before = len(library.templates("sentiment"))
    assert before == len([n for n in SHIPPED if n.startswith("sentiment/")])
    path = write(own, document())
    assert len(library.templates("sentiment")) == before + 1
    item = sources.find_template("sentiment/mine")
    assert item.path == path
    assert item.example == sources.find_template("sentiment/it-was").example or item.example == {}
    write(own, document(task="weather", template={"name": "new"}), "weather.yaml")
    assert library.load_template("weather/new").name == "weather/new"
    path.unlink()
    assert len(library.templates("sentiment")) == before


def test_an_edited_file_is_read_again(own: Path) -> None:
    path = write(own, document())
    assert library.load_template("sentiment/mine").text == "{text} So {mask}."
    write(own, document(template={"text": "{text} Thus {mask}."}))
    os.utime(path, ns=(10**18, 10**18))
    assert library.load_template("sentiment/mine").text == "{text} Thus {mask}."


def test_a_clash_names_both_files(own: Path) -> None:
    path = write(own, document(template={"name": "it-was"}))
    with pytest.raises(InputError, match=r"sentiment/it-was is defined twice") as caught:
        library.templates()
    assert str(path) in str(caught.value)
    assert str(catalog_file("sentiment.yaml")) in str(caught.value)


def catalog_file(name: str) -> Path:
    return Path(str(files("promptlab.library.shipped"))) / name


def test_another_package_adds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "their_templates"
    package.mkdir()
    (package / "__init__.py").write_text("")
    write(package, document(task="theirs"))
    monkeypatch.syspath_prepend(str(tmp_path))
    point = SimpleNamespace(value="their_templates")
    monkeypatch.setattr(sources, "entry_points", lambda group: [point])
    assert sources.find_template("theirs/mine").path == package / "own.yaml"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (document(template={"answer": "x"}), r"template 'mine': unknown key 'answer'.*'answers'\?"),
        (document(tasks="x"), r"unknown key 'tasks'; did you mean 'task'\?"),
        (document(xyzzy=1), r"unknown key 'xyzzy'; known are"),
        ({"task": "x"}, "the key 'templates' is missing"),
        ({"task": "x", "templates": None}, "'templates' is a list"),
        ({"task": "x", "templates": "none"}, "'templates' is a list"),
        ({"task": "x", "templates": ["{text} {mask}"]}, "'templates' is a list of templates"),
        ("- just\n- a list\n", "expected a mapping, found list"),
        ("", "expected a mapping, found NoneType"),
        ("task: [unclosed", "own.yaml"),
        ("task: !!python/object/apply:os.system ['true']\ntemplates: []", "own.yaml"),
        (document(template={"text": "{text} no slot"}), "template 'mine': .*no answer slot"),
        (document(template={"text": 5}), r"template 'mine': 'text' is text, found 5; put it in"),
        (document(template={"parts": {"cue": None}}), "'parts' maps names of parts to text"),
        (document(template={"parts": {"cue": "{mask}"}}), "either text or parts"),
        (document(template={"name": 1}), "'name' is text, found 1"),
        (document(template={"answers": {"negative": "bad"}}), "two labels or more"),
        (document(template={"answers": {"negative": "a", "neutral": "b"}}), "for the label"),
        (
            document(template={"answers": {"negative": "no", "positive": True}}),
            r"template 'mine': label 'positive' has the answer True; .*quote words such as yes",
        ),
        (document(template={"answers": ["bad", "good"]}), "answers map each label to its words"),
        (document(template={"aggregation": "average"}), "unknown aggregation 'average'"),
        (document(templates=document()["templates"] * 2), "the name is used twice in this file"),
        (document(examples=["just text"]), "'examples' is a list of mappings"),
        (document(labels="negative"), "'labels' is a list of class names"),
        (document(task=3), "'task' is text, found 3"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_faults_name_the_file_and_the_entry(own: Path, content: Any, message: str) -> None:
    path = write(own, content)
    with pytest.raises(InputError, match=message) as caught:
        library.templates()
    assert str(path) in str(caught.value)


def test_a_file_in_another_encoding(own: Path) -> None:
    (own / "own.yaml").write_bytes("task: café".encode("latin-1"))
    with pytest.raises(InputError, match=r"own\.yaml"):
        library.templates()
