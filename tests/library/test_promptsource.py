"""Files of PromptSource's kind: what keeps its meaning is imported, the rest is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import promptlab as pl
from promptlab.cli.app import app
from promptlab.library import tasks
from promptlab.library.promptsource import is_promptsource, read_promptsource
from promptlab.library.promptsource_jinja import template_text
from promptlab.library.promptsource_targets import fixed_choices, read_target


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "own"
    monkeypatch.setenv("PROMPTLAB_TEMPLATES", str(folder))
    return folder


def collection(*prompts: tuple[str, str | None], dataset: str = "two_seas", **more: Any) -> str:
    """A file of their form with these wordings and answers."""
    text = f"dataset: {dataset}\nsubset: north\ntemplates:\n"
    for number, (jinja, choices) in enumerate(prompts):
        text += f"  0000-{number}: !Template\n"
        told = {"answer_choices": choices, "jinja": jinja, "name": f"Wording {number}!", **more}
        text += "".join(f"    {key}: {json.dumps(value)}\n" for key, value in told.items())
        text += "    metadata: !TemplateMetadata\n      metrics: [ROUGE]\n"
    return text


CHOSEN = "{{ answer_choices[label] }}"


def test_answers_by_index_become_a_verbalizer(tmp_path: Path) -> None:
    path = tmp_path / "templates.yaml"
    path.write_text(
        collection(
            (f"Is the sea calm? {{{{ report }}}} ||| {CHOSEN}", "No ||| Yes"),
            ("{{report}}\n{% if port %}({{ port }}){% endif %} {{ answer_choices | join(' or ') }}?"
             f" ||| {{% if label != -1 %}}{CHOSEN}{{% endif %}}", "rough ||| calm"),
            ("{{ report }} In short: ||| {{ summary }}", None),
        ),
        encoding="utf-8",
    )  # fmt: skip
    done = pl.TemplateLibrary().import_file(path)
    assert done.saved == (
        "two-seas-north/wording-0", "two-seas-north/wording-1", "two-seas-north-summary/wording-2",
    )  # fmt: skip
    assert not done.left
    mine = {item.full_name: item for item in pl.TemplateLibrary().templates()}
    plain, logic, short = (mine[name] for name in done.saved)
    assert plain.template.text == (
        "{% filter trim %}Is the sea calm? {{ report }}{% endfilter %} {{ mask }}"
    )
    assert plain.answers == {"0": ["No"], "1": ["Yes"]}
    assert plain.source == "PromptSource, two_seas/north: Wording 0!"
    shown = str(logic.template.render({"report": "waves", "port": ""}))
    assert shown == "waves\n rough or calm? {mask}"
    assert short.parser == {"type": "text"} and "{{ report }} In short:" in str(short.template.text)
    task = next(task for task in tasks() if task.name == "two-seas-north-summary")
    assert (task.metric, task.labels) == ("rouge", ())
    assert pl.TemplateLibrary().import_file(path) == type(done)((), done.saved)


@pytest.mark.parametrize(
    ("jinja", "choices", "why"),
    [
        ("{{ a }}", None, "it has no target"),
        ("{{ a }} ||| {{ b }} ||| {{ c }}", None, "more than once"),
        ("{% if a %}{{ a }} ||| {{ b }}{% endif %}", None, "a condition encloses"),
        (f"{{{{ a }}}} ||| {CHOSEN}", None, "lists none"),
        (f"{{{{ a }}}} ||| {CHOSEN}", "{{ x }} ||| {{ y }}", "from example to example"),
        (f"{{{{ a }}}} ||| {CHOSEN}", "yes ||| yes", "cannot be told apart"),
        ("{{ a }} ||| {{ a }} and {{ b }}", None, "computed from the example"),
        ("{{ a }} ||| {% if b == 1 %}x{% else %}y{% endif %}", None, "computed from the example"),
        ("{{ a.b }} ||| {{ c }}", None, "reads inside the field 'a'"),
        ("{{ a['b'] }} ||| {{ c }}", None, "reads inside the field 'a'"),
        ("{% for x in a %}{{ x }}{% endfor %} ||| {{ c }}", None, "goes through the items"),
        ("{{ a | length }} ||| {{ c }}", None, "through 'length', which may need a list"),
        ("{% if a == 1 %}x{% endif %} ||| {{ c }}", None, "compares the field 'a' with a number"),
        ("{{ a + 1 }} ||| {{ c }}", None, "computes with the field 'a'"),
        ("{{ ['x', a] | choice }} ||| {{ c }}", None, "No filter named 'choice'"),
        ("{{ ['x', 'y'] | random }} {{ a }} ||| {{ c }}", None, "at random"),
        ("{{ zip(a, b) }} ||| {{ c }}", None, "which there is not here"),
        ("{{ mask }} ||| {{ c }}", None, "reads no field"),
        ("Tell me. ||| {{ c }}", None, "reads no field"),
        ("{{ a ||| {{ c }}", None, "Jinja"),
        ("{{ a.__class__.__mro__ }} ||| {{ c }}", None, "reads inside the field 'a'"),
        ("{{ " + "(" * 3000 + "a" + ")" * 3000 + " }} ||| {{ c }}", None, "nested"),
    ],
)
def test_what_would_mean_another_thing_is_told(jinja: str, choices: str | None, why: str) -> None:
    (one,) = read_promptsource(collection((jinja, choices)), "x")
    assert why in one.why and not one.entry


def test_the_rest_of_a_file_is_kept(tmp_path: Path, own: Path) -> None:
    path = tmp_path / "templates.yaml"
    good, bad = ("{{ a }} ||| {{ b }}", None), ("{{ a.c }} ||| {{ b }}", None)
    path.write_text(collection(good, bad, good, dataset="../../etc"))
    run = CliRunner().invoke(app, ["template", "import", str(path), "--json"])
    told = json.loads(run.stdout)
    assert told["saved"] == ["etc-north-b/wording-0", "etc-north-b/wording-2"]
    assert [one["name"] for one in told["left"]] == ["etc-north/wording-1"]
    assert [one.name for one in own.glob("*.yaml")] == ["etc-north-b.yaml"]
    run = CliRunner().invoke(app, ["template", "import", str(path)])
    assert "Left out 1" in run.stderr and "reads inside the field 'a'" in run.stderr
    path.write_text(collection(bad))
    with pytest.raises(pl.InputError, match=r"(?s)nothing was imported.*reads inside the field"):
        pl.TemplateLibrary().import_file(path)


def test_answers_that_two_templates_count_differently(tmp_path: Path) -> None:
    path = tmp_path / "templates.yaml"
    two, three = (
        (f"{{{{ a }}}} ||| {CHOSEN}", "x ||| y"),
        (f"{{{{ a }}}} ||| {CHOSEN}", "x|||y|||z"),
    )
    path.write_text(collection(two, three))
    done = pl.TemplateLibrary().import_file(path)
    assert done.saved == ("two-seas-north/wording-0",)
    assert "'2'" in done.left[0][1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: !Template\n  b: !!python/object/apply:os.system [ls]", "could not determine"),
        ("x:\n  a: !Template\n    b: 1", "expected 'dataset'"),
        ("x: &a [*a]\ntemplates:\n  a: !Template\n    jinja: *a", "it has no target"),
        (
            "b: &b [1, 1]\nc: &c [*b, *b]\nd: &d [*c, *c]\ntemplates:\n"
            "  a: !Template\n    jinja: *d\n    name: *d",
            "it has no target",
        ),
        ("templates:\n  a: !Template\n    - x", "no valid YAML"),
    ],
)
def test_a_hostile_file_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "templates.yaml"
    path.write_text(f"dataset: x\n{text}")
    with pytest.raises(pl.InputError, match=told):
        pl.TemplateLibrary().import_file(path)


def test_the_pieces() -> None:
    assert is_promptsource(collection(("", None))) and not is_promptsource("a: b")
    assert fixed_choices(None) == () and fixed_choices("a ||| b") == ("a", "b")
    assert read_target('{{ ["x", "y"][label | int] }}', ()).answers == (("0", "x"), ("1", "y"))
    assert read_target("{{ verdict }}", ("x", "y")).labels == ("x", "y")
    assert template_text("A {brace} {{ a }}.") == "A \\{brace\\} {a}. {mask}"
    assert template_text("{{ a | upper }}{% if b %}.{% endif %}").startswith("{% filter trim %}")
    assert str(pl.Template(template_text("{{ a }}\\")).render({"a": "x"})) == "x\\ {mask}"


FORMS = (
    "{{ a }} ||| {{ label }}",
    "  {{ a }}  \n|||\n  {{ label }}\n\n",
    "{{a}}|||{{label}}",
    "Text: {{ a }}\n\nIs it so? ||| {{ label }}",
    "Text: {{ a }}\n\nIs it so?\n ||| \n{{ label }}\n",
    "{{ a }}\n{{ b }}\n||| {{ label }}",
    "{{ a -}}\n {{- b }} ||| {{ label }}",
    "{%- if a %} {{ a }} {% endif %} {{ b }} ||| {{ label }}",
    "{% if a %}{{ a }}\n{% else %}nothing\n{% endif %}||| {{ label }}",
    "{{ b }}{% if a == 'Yes' %} ! {% endif -%}\n\n||| {{ label }}",
    "{{ a | trim }}. {{ b | upper }} ||| {{ label }}",
    "{{ a.strip() }}\n{{ b.lower() }}  ||| {{ label }}",
    "{# a note #}{{ a }}{# another #}\n||| {{ label }}",
    "{{ 'The text' }} {{ a }} ||| {{ label }}",
    "A \\ {brace} }} {{ a }} {b} ||| {{ label }}",
    "{% raw %}{{ a }}{% endraw %} {{ a }} ||| {{ label }}",
    "{{ a ~ ' - ' ~ b }} ||| {{ label }}",
    "{{ a }} |||| {{ label }}",
    "{{ a or 'none' }}? ||| {{ label }}",
    "\u2003{{ a }} wide\u3000||| {{ label }}",
)
CHOICE_FORMS = (
    "{{ a }}\n||| {{ answer_choices[label] }}",
    "{{ a }} {{ answer_choices[0] }} or {{ answer_choices[1] }}?\n ||| {{ answer_choices[label] }}",
    "{{ a }} {{ answer_choices | join(', ') }} ||| {% if label != -1 %}{{ answer_choices[label] }}"
    "\n{% endif %}",
    "{{ a }}\n\n{{ answer_choices[-1] }} ||| {{ ['no', 'yes'][label] }}",
    "{{ a }}:\n{% for c in answer_choices %}- {{ c }}\n{% endfor %}||| {{ answer_choices[label] }}",
)
VALUES = st.sampled_from(
    ["waves", " two  words \n", "", "  ", "\n\n", "a ||| b", "{{ x }}", "{mask}", "{soft:3} \\",
     "Yes", "\u2003x\u3000", "0", "line\r\n", "<b>"]
) | st.text(max_size=12)  # fmt: skip


def promptsource_apply(jinja: str, choices: str | None, example: dict[str, Any]) -> list[str]:
    """PromptSource's own rule, with Jinja alone: protect bars, render, cut, take blanks away."""
    environment = jinja2.Environment()
    bars = "\ue004\ue005\ue006"  # theirs is longer and has letters, which filters change
    fields = {
        name: value.replace("|||", bars) if isinstance(value, str) else value
        for name, value in example.items()
    }
    fields["answer_choices"] = (
        None
        if choices is None
        else [word.strip() for word in environment.from_string(choices).render().split("|||")]
    )
    rendered = environment.from_string(jinja).render(**fields)
    return [part.replace(bars, "|||").strip() for part in rendered.split("|||")]


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(a=VALUES, b=VALUES, label=VALUES)
def test_an_open_prompt_says_the_same_to_the_letter(form: str, a: str, b: str, label: str) -> None:
    (one,) = read_promptsource(collection((form, None)), "x")
    if form == "{{ a }} |||| {{ label }}":  # the fourth bar belongs to the target
        assert "computed from the example" in one.why
        return
    assert not one.why, one.why
    fields = {"a": a, "b": b, "label": label}
    prompt = pl.Template(str(one.entry["text"])).render(fields)
    assert [prompt.left, prompt.right] == [f"{promptsource_apply(form, None, fields)[0]} ", ""]
    target = promptsource_apply(form, None, fields)[1]
    assert pl.Example("0", fields, label).label == target


@pytest.mark.parametrize("form", CHOICE_FORMS)
@pytest.mark.parametrize("choices", ["no ||| yes", "no|||yes", "  no\n|||\n yes \n"])
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(a=VALUES, label=st.integers(0, 1))
def test_answers_by_index_say_the_same_to_the_letter(
    form: str, choices: str, a: str, label: int
) -> None:
    (one,) = read_promptsource(collection((form, choices)), "x")
    assert not one.why, one.why
    fields = {"a": a, "label": label}
    expected, target = promptsource_apply(form, choices, fields)
    prompt = pl.Template(str(one.entry["text"])).render({"a": a, "label": str(label)})
    assert [prompt.left, prompt.right] == [f"{expected} ", ""]
    assert pl.Verbalizer(one.entry["answers"]).first_answer(label) == target


@pytest.mark.parametrize(
    ("jinja", "choices"),
    [
        ("{% set answer = a %}{{ a }} ||| {{ answer }}", None),
        ("{{ a }} {% if b %}|||{% endif %} ||| {{ label }}", None),
        ("{{ a }} {{ '|||' }} ||| {{ label }}", None),
        ("{% set answer_choices = ['x', 'y'] %}{{ a }} ||| {{ answer_choices[label] }}", "x ||| z"),
        ("{% set label = 1 %}{{ a }} ||| {{ answer_choices[label] }}", "no ||| yes"),
    ],
)  # fmt: skip
def test_what_only_the_whole_text_says_is_left_out(jinja: str, choices: str | None) -> None:
    (one,) = read_promptsource(collection((jinja, choices)), "x")
    assert one.why and not one.entry
