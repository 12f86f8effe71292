"""The library's tab without a browser: search, render, edit, exchange, the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import promptlab as pl
from promptlab.study import parse_yaml

gr = pytest.importorskip("gradio")

from promptlab.ui.components.pick_list import page_within, pages_html, picked_name, picked_page  # noqa: E402
from promptlab.ui.context import AppContext  # noqa: E402
from promptlab.ui.library import (  # noqa: E402
    components,
    endpoints,
    exchange_section,
    template_draft,
    template_editor,
    template_list,
    template_view,
)

HOSTILE = "<script>alert(1)</script> {{ 7 * 7 }}"


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "own"
    monkeypatch.setenv("PROMPTLAB_TEMPLATES", str(folder))
    return folder


@pytest.fixture
def context(tmp_path: Path) -> AppContext:
    return AppContext(("none",), tmp_path / "runs")


def saved(name: str = "sentiment/mine", **changes: Any) -> Any:
    entry = {
        "text": "{text} Mine: {mask}",
        "answers": {"negative": ["bad"], "positive": ["good"]},
        "example": {"text": HOSTILE},
    }
    return pl.TemplateLibrary().save(name, entry | changes)


def test_search_counts_and_pages() -> None:
    saved(note="a remark nobody else has")
    assert [item.name for item in template_list.find_templates("remark")] == ["mine"]
    assert [item.name for item in template_list.find_templates(whose="mine")] == ["mine"]
    count = len(pl.templates("sentiment"))
    assert (f"sentiment ({count})", "sentiment") in template_list.task_choices()
    everything = pl.templates()
    first, last = (
        template_list.template_list_html(everything),
        template_list.template_list_html(everything, 99),
    )
    assert first.count("data-pick=") == template_list.SIZE > last.count("data-pick=") > 0
    assert 'data-page="1" >Next' in first and 'data-page="-1" disabled>Previous' in first
    assert "1 your own" in first and "No template holds" in template_list.template_list_html([])
    assert (
        template_list.template_list_html(everything, 0, everything[1].full_name).count(
            'aria-current="true"'
        )
        == 1
    )
    assert pages_html(0, 5, 5) == "" and page_within(7, 11, 5) == 2 and page_within(7, 0, 5) == 0


def test_what_a_browser_says_is_only_text() -> None:
    for data, name, page in (
        ({"pick": "a"}, "a", 0),
        ({"pick": 3, "page": 2}, "3", 2),
        ({"page": -4}, "", 0),
        ({"page": "x"}, "", 0),
        (None, "", 0),
    ):
        event = gr.EventData(None, data)
        assert (picked_name(event), picked_page(event)) == (name, page)


def test_one_template_in_full() -> None:
    item = saved(name="sentiment/mine", note=HOSTILE, source=HOSTILE)
    drawn = "".join(str(part) for part in components.show_template(item) if isinstance(part, str))
    assert "yours" in drawn and "scored by accuracy" in drawn
    shown = [
        template_view.template_header(item),
        template_view.template_facts(item),
        template_view.rendered_html(item.template, item.example),
    ]
    assert "<script" not in "".join(shown) and "{{ 7 * 7 }}" in shown[1]
    assert "in it" in template_view.rendered_text(item.template, "text = in it")
    assert "expected name = value" in template_view.rendered_text(item.template, "in it")
    assert "no field &#39;text&#39;" in template_view.rendered_text(item.template, "x = y")
    for name in ("named-entities", "capitals", "arithmetic", "yes-no"):
        for other in pl.templates(name):
            assert template_view.template_facts(other) and template_view.parsing_facts(other)
    assert "no template" in components.look_up_template("../x")[1]


def test_every_template_goes_through_the_editor_unchanged() -> None:
    for item in pl.templates():
        entry, again = (
            pl.TemplateLibrary().entry(item.full_name),
            template_draft.template_draft(item).entry(),
        )
        if any(str(text) != str(text).strip() for text in item.example.values()):
            entry.pop("example"), again.pop("example")
        assert {k: v for k, v in again.items() if v is not None} == {
            key: value for key, value in entry.items() if key != "name"
        }, item.full_name


def test_a_draft_is_checked_and_saved() -> None:
    begun = template_draft.starting_draft()
    assert "is no name" in template_draft.draft_html(begun, None)
    named = template_draft.TemplateDraft(**vars(begun) | {"name": "said-so"})
    assert "It can be saved" in template_draft.draft_html(named, None)
    faulty = template_draft.TemplateDraft(**vars(named) | {"text": "{text} It was {mask"})
    assert "<pre>" in template_draft.draft_html(faulty, None) and "^" in template_draft.draft_html(
        faulty, None
    )
    for change, message in (
        ({"settings": "name: x"}, "does not belong here"),
        ({"settings": "answers: [*a]"}, "alias|valid YAML"),
        ({"text": "x" * 60_000}, "at most 50,000"),
        ({"example": "no equals"}, "expected name = value"),
    ):
        with pytest.raises(pl.InputError, match=message):
            template_draft.check_draft(template_draft.TemplateDraft(**vars(named) | change), None)
    assert template_editor.save_draft(named.values(), None) == "sentiment/said-so"
    item = template_view.find_template("sentiment/said-so")
    assert item.is_own and template_draft.copy_template(item).name == "said-so-own"
    renamed = template_draft.TemplateDraft(
        **vars(template_draft.template_draft(item)) | {"name": "said-it"}
    )
    assert (
        template_editor.save_draft(renamed.values(), template_draft.template_draft(item))
        == "sentiment/said-it"
    )
    with pytest.raises(pl.InputError, match="no template"):
        template_editor.save_draft(renamed.values(), template_draft.template_draft(item))
    opened = template_draft.template_draft(template_view.find_template("sentiment/said-it"))
    pl.TemplateLibrary().save(
        "sentiment/said-it", opened.entry() | {"note": "theirs"}, replace=True
    )
    with pytest.raises(pl.InputError, match="changed meanwhile"):
        template_editor.save_draft(opened.values(), opened)
    assert [one.name for one in template_list.find_templates(whose="mine")] == ["said-it"]
    with pytest.raises(pl.InputError, match="not yours"):
        template_editor.save_draft(
            template_draft.template_draft(template_view.find_template("sentiment/it-was")).values(),
            None,
        )


def test_what_an_import_leaves_out_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "templates.yaml"
    prompts = "".join(
        f"  u{index}: !Template\n    name: {name}\n    jinja: '{jinja}'\n"
        for index, (name, jinja) in enumerate(
            {"good": "{{ a }} ||| {{ b }}", "bad": "{{ a.c }} ||| {{ b }}"}.items()
        )
    )
    path.write_text(f"dataset: x\ntemplates:\n{prompts}")
    drawn, names = exchange_section.import_templates(str(path), False)
    assert names == ["x-b/good"] and "1 template imported" in drawn and "1 left out" in drawn
    assert "<code>x/bad</code> it reads inside the field &#39;a&#39;" in drawn


def test_import_and_export(context: AppContext, tmp_path: Path) -> None:
    saved()
    path = exchange_section.export_templates(context.download_path, ["sentiment/mine"])
    assert path.name == "sentiment-mine.yaml" and path.is_relative_to(context.files)
    pl.TemplateLibrary().delete("sentiment/mine")
    drawn, names = exchange_section.import_templates(str(path), False)
    assert names == ["sentiment/mine"] and "1 template imported" in drawn
    assert "1 was there already" in exchange_section.import_templates(str(path), False)[0]
    path.write_text(f"task: {HOSTILE!r}\ntemplates: [{{name: x}}]")
    drawn, names = exchange_section.import_templates(str(path), True)
    assert not names and "pl-error" in drawn and "<script" not in drawn
    assert exchange_section.import_templates(None, False) == ("", [])


def test_the_api() -> None:
    row = endpoints.save("sentiment/api", 'text: "{text} {mask}"\nparser: {type: text}')
    assert row["own"] and row["name"] == "sentiment/api" and "path" not in row
    assert endpoints.templates(whose="mine") == [row]
    assert endpoints.render("sentiment/api", "text = x") == "x {mask}"
    assert parse_yaml(endpoints.export(["sentiment/api"]), "")[0]["task"] == "sentiment"
    for call in (
        lambda: endpoints.save("../x", "text: x"),
        lambda: endpoints.save("sentiment/it-was", "text: '{mask}'\nparser: {type: text}"),
        lambda: endpoints.export([]),
        lambda: endpoints.render("nothing"),
    ):
        with pytest.raises(pl.InputError):
            call()
