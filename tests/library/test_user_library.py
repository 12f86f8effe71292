"""The user's own templates: saved, changed, deleted, given to others and taken from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import promptlab as pl
from promptlab.files.yaml_dump import dump_yaml
from promptlab.library import tasks
from promptlab.library.entry import to_entry
from promptlab.library.yaml_edit import read_documents

MINE: dict[str, Any] = {
    "text": "{text} To me it was {mask}.",
    "answers": {"negative": ["awful"], "positive": ["lovely", "fine"]},
    "source": "own wording: a person says it",
}
HOSTILE = "<script>alert(1)</script> {{ 7 * 7 }}"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "own"
    monkeypatch.setenv("PROMPTLAB_TEMPLATES", str(folder))
    return folder


def found(name: str) -> Any:
    return next((item for item in pl.templates() if item.full_name == name), None)


def test_a_template_is_saved_found_and_deleted(own: Path) -> None:
    saved = pl.TemplateLibrary().save("sentiment/to-me", MINE)
    assert saved == found("sentiment/to-me") and saved.is_own
    assert not found("sentiment/it-was").is_own
    assert saved.path == own / "sentiment.yaml"
    assert str(saved.template.render(saved.example)).endswith("To me it was {mask}.")
    assert saved.example["label"] == "positive"  # the task's own example, kept with it
    with pytest.raises(pl.InputError, match="you have a template sentiment/to-me already"):
        pl.TemplateLibrary().save("sentiment/to-me", MINE)
    again = pl.TemplateLibrary().save("sentiment/to-me", MINE | {"note": "kept"}, replace=True)
    assert again.note == "kept" and found("sentiment/to-me").note == "kept"
    assert pl.TemplateLibrary().rename("sentiment/to-me", "sentiment/for-me").name == "for-me"
    moved = pl.TemplateLibrary().rename("sentiment/for-me", "opinions/for-me")
    assert moved.path == own / "opinions.yaml" and not (own / "sentiment.yaml").exists()
    pl.TemplateLibrary().delete("opinions/for-me")
    assert found("opinions/for-me") is None and not list(own.glob("*.yaml"))


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("sentiment/it-was", {}, "sentiment.yaml, which is not yours to change"),
        ("../evil/x", {}, "is no name"),
        ("..", {}, "is no name"),
        ("a/../../b", {}, "is no name"),
        ("sentiment/a\nb", {}, "is no name"),
        ("sentiment/" + "a" * 99, {}, "is no name"),
        ("sentiment/x", {"text": "{text} no slot"}, "no answer slot.*\n.*\n *\\^"),
        ("sentiment/x", {"answers": {"negative": ["bad"]}}, "two labels or more"),
        ("sentiment/x", {"answers": {"a": ["b"], "c": ["d"]}}, "no answer for the label"),
        ("sentiment/x", {"answers": None}, "neither answers nor a parser"),
        ("sentiment/x", {"colour": "red"}, "unknown key 'colour'"),
        ("sentiment/x", {"text": "{other} {mask}"}, "there is no example"),
        ("sentiment/x", {"parts": {"cue": "{mask}"}}, "either text or parts"),
        ("sentiment/x", {"answers": None, "parser": {"type": "odd"}}, "'type' must be one of"),
    ],
)
def test_what_cannot_be_saved_is_told(
    own: Path, name: str, change: dict[str, Any], told: str
) -> None:
    with pytest.raises(pl.InputError, match=f"(?s){told}"):
        pl.TemplateLibrary().save(name, MINE | change)
    assert not list(own.glob("*.yaml")) and not list(own.parent.glob("*.yaml"))


def test_an_entry_may_be_yaml(own: Path) -> None:
    text = 'text: "{text} Well, {mask}."\nanswers: {negative: [bad], positive: [good]}'
    checked = pl.TemplateLibrary().check("sentiment/well", text)
    assert checked.template.shape == "cloze" and found("sentiment/well") is None
    assert pl.TemplateLibrary().save("sentiment/well", text) == checked
    with pytest.raises(pl.InputError, match="expected keys with values"):
        pl.TemplateLibrary().check("sentiment/x", "- a")
    with pytest.raises(pl.InputError, match="neither answers"):
        pl.TemplateLibrary().check("sentiment/x", "text: '{text} {mask}'")


def test_a_task_of_ones_own(own: Path) -> None:
    entry = {
        "parts": {"description": "Rate it.", "input": "{body}", "cue": "Rating: {mask}"},
        "separator": "\n",
        "parser": {"type": "choice", "choices": {"low": ["low"], "high": ["high"]}},
        "example": {"body": HOSTILE, "label": "low"},
    }
    saved = pl.TemplateLibrary().save(
        "rating/three-parts", entry, about={"description": "Low or high."}
    )
    task = next(task for task in tasks() if task.name == "rating")
    assert (task.labels, task.metric, task.description) == (
        ("low", "high"),
        "accuracy",
        "Low or high.",
    )
    assert str(saved.template.render(saved.example)) == f"Rate it.\n{HOSTILE}\nRating: {{mask}}"
    assert saved.source == "own wording"
    with pytest.raises(pl.InputError, match="not yours to change"):
        pl.TemplateLibrary().delete("sentiment/it-was")


def test_comments_in_a_hand_written_file_stay(own: Path) -> None:
    own.mkdir()
    text = (
        "# mine\ntask: moods\nexamples:\n  - {text: oh}\ntemplates:\n  # the first\n"
        '  - name: one\n    text: "{text} {mask}"   # short\n    answers: vocabulary\n'
        "    source: me\n\n  # the second\n  - name: two\n    text: |\n      # {text}\n"
        "      {mask}\n    answers: vocabulary\n    source: me\n# the end\n"
    )
    (own / "hand.yaml").write_text(text)
    pl.TemplateLibrary().rename("moods/two", "moods/three")
    now = (own / "hand.yaml").read_text()
    for remark in ("# mine", "# the first", "# short", "# the second", "# the end"):
        assert remark in now
    assert found("moods/three").template.text == "# {text}\n{mask}\n"
    pl.TemplateLibrary().delete("moods/one")
    now = (own / "hand.yaml").read_text()
    assert "# the second" in now and "# the end" in now and "one" not in now
    line = "{task: moods, templates: [{name: a, text: '{mask}', answers: vocabulary, "
    (own / "hand.yaml").write_text(line + "source: me, example: {x: y}}]}")
    pl.TemplateLibrary().rename("moods/a", "moods/b")
    assert found("moods/b") and not found("moods/a")


@pytest.mark.parametrize(
    "text",
    ["a\nb", "a\n", "\n a", " a\n b \n", "a\u2028b\n", "\ttab\nx", "# no: {comment}", "no", "1.5",
     "\U0001f600 {x}\r\nq", "a: b\n- c\n\n\nd", "'\"\\", "", "…\x07", "---\n...\n"],
)  # fmt: skip
def test_every_text_is_read_back(text: str) -> None:
    data = {"task": "t", "templates": [{"name": text, "parts": {text: text}, "list": [text, 1]}]}
    assert [one.data for one in read_documents(dump_yaml(data), "x")] == [data]


def test_what_is_exported_is_imported_just_so(own: Path, tmp_path: Path) -> None:
    names = [item.full_name for item in pl.templates()]
    text = pl.TemplateLibrary().export(names)
    path = tmp_path / "all.yaml"
    path.write_text(text.replace("name: ", "name: x-"))
    entries = {item.full_name: to_entry(item) for item in pl.templates()}
    done = pl.TemplateLibrary().import_file(path)
    assert len(done.saved) == len(names) and not done.unchanged
    for name, entry in entries.items():
        task, short = name.split("/")
        assert to_entry(found(f"{task}/x-{short}")) == entry | {"name": f"x-{short}"}
    path.write_text(text)
    assert pl.TemplateLibrary().import_file(path) == type(done)((), tuple(names))
    with pytest.raises(pl.InputError, match="no template 'sentiment/nothing'"):
        pl.TemplateLibrary().export(["sentiment/nothing"])


def test_an_import_is_all_or_nothing(own: Path, tmp_path: Path) -> None:
    pl.TemplateLibrary().save("sentiment/to-me", MINE)
    before = (own / "sentiment.yaml").read_bytes()
    path = tmp_path / "theirs.yaml"
    good = {"name": "good", "text": "{text} {mask}", "answers": MINE["answers"], "source": "s"}
    entries = [good, good | {"name": "to-me"}, good | {"name": "it-was"}, good | {"name": "../x"},
               good | {"name": "bad", "text": "{text}"}, good]  # fmt: skip
    path.write_text(dump_yaml({"task": "sentiment", "templates": entries}))
    with pytest.raises(pl.InputError) as told:
        pl.TemplateLibrary().import_file(path)
    lines = str(told.value).splitlines()
    assert lines[0] == "nothing was imported from theirs.yaml, which has 5 faults:"
    for text in (
        ", template sentiment/to-me: you have another",
        "sentiment.yaml has another",
        "'sentiment/../x' is no name",
        "template sentiment/bad: this template has no answer slot",
        "the name stands twice",
    ):
        assert any(text in line for line in lines), text
    assert (own / "sentiment.yaml").read_bytes() == before
    path.write_text(dump_yaml({"task": "sentiment", "templates": entries[:2]}))
    assert pl.TemplateLibrary().import_file(path, replace=True).saved == (
        "sentiment/good",
        "sentiment/to-me",
    )
    assert found("sentiment/to-me").template.text == "{text} {mask}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: &a [x]\nb: *a", "line 2: an alias"),
        ("[" * 5000, "line 1: nested too deeply"),
        ("a:\n- " + "{a: " * 5000, "line 2: nested too deeply"),
        ("a: x\nb: " + "[" * 1100 + "]" * 1100, "line 2: nested too deeply"),
        ("[" * 900, "line 1: nested too deeply"),
        ('a: "' + "[" * 40 + '"\nb: [}', "line 2: this is no valid YAML"),
        ("a: 1\na: 2", "line 2: the key 'a' stands twice"),
        ("!!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("task: t\ntemplates: nothing", "'templates' is no list"),
        ("task: t\ntemplates: [x]", "line 2: a template is a mapping, found str"),
        ("task: [t]\ntemplates: [{name: x}]", "is no name"),
        ("{", "no valid YAML"),
        ("d: 2001-99-99", "no valid YAML"),
        ("", "holds no templates"),
        ("x" * 1_000_001, "more than 1,000,000"),
        ("task: t\nevil: 1\ntemplates: []", "unknown key 'evil'"),
    ],
)
def test_a_hostile_file_is_refused(own: Path, tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "theirs.yaml"
    path.write_text(text)
    with pytest.raises(pl.InputError, match=told.replace("(", "\\(")):
        pl.TemplateLibrary().import_file(path)
    assert not list(own.glob("*.yaml"))


def test_a_write_that_fails_leaves_everything(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from promptlab.library import transaction

    pl.TemplateLibrary().save("sentiment/to-me", MINE)
    before = (own / "sentiment.yaml").read_bytes()
    write = transaction._write

    def failing(path: Path, content: bytes | None) -> None:
        if path.name == "topic.yaml" and content is not None:
            raise OSError("no room")
        write(path, content)

    monkeypatch.setattr(transaction, "_write", failing)
    with pytest.raises(OSError, match="no room"), transaction.library_transaction() as change:
        change.remove(found("sentiment/to-me"))
        entry = {"name": "x", "text": "{text} {mask}", "parser": {"type": "text"}}
        change.put("topic", entry, None)
    assert (own / "sentiment.yaml").read_bytes() == before and not (own / "topic.yaml").exists()


def test_the_command_line(own: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from promptlab.cli.app import app

    path = tmp_path / "some.yaml"
    run = CliRunner()
    done = run.invoke(app, ["template", "export", "sentiment/it-was", "topic", "--out", str(path)])
    assert done.exit_code == 0, done.output
    assert run.invoke(app, ["template", "export", "topic", "--out", str(path)]).exception
    shown = run.invoke(app, ["template", "export", "sentiment/it-was"]).stdout
    assert path.read_text().startswith(shown)
    path.write_text(shown.replace("it-was", "it-is"))
    done = run.invoke(app, ["template", "import", str(path), "--json"])
    assert json.loads(done.stdout) == {"saved": ["sentiment/it-is"], "unchanged": [], "left": []}
    assert found("sentiment/it-is").is_own


def test_a_template_gets_another_name_and_text_at_once(own: Path) -> None:
    library = pl.TemplateLibrary()
    library.save("sentiment/to-me", MINE)
    entry = MINE | {"text": "{text} So {mask}", "example": {"text": "oh", "label": "positive"}}
    made = library.rename("sentiment/to-me", "opinions/for-me", entry)
    assert library.templates() == [made] and made.template.text == "{text} So {mask}"
    with pytest.raises(pl.InputError, match="no answer slot"):
        library.rename("opinions/for-me", "opinions/other", entry | {"text": "{text}"})
    assert library.templates() == [made] and library.folder == own
    assert library.entry("sentiment/it-was")["text"] == "{text} It was {mask}."
