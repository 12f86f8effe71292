"""Jinja templates: what they can do, what the sandbox refuses, what field texts cannot do."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.errors import TemplateError
from promptlab.prompts.jinja.limits import MAX_SECONDS
from promptlab.prompts.jinja.render import compile_jinja, jinja_fields, render_jinja
from promptlab.prompts.prompt import Slot, Soft, Text, Trigger


def test_logic_and_segments() -> None:
    text = (
        "{% if context %}{{ context }}\n{% endif %}{{ soft(3) }}{{ soft(2, 'It was') }}"
        "{{ trigger(4) }} {{ text|upper }} {{ mask }}!"
    )
    assert render_jinja(text, {"context": "", "text": "ab"}) == (
        Soft(3),
        Soft(2, init="It was"),
        Trigger(4),
        Text(" AB ", ((1, 3),)),
        Slot(),
        Text("!"),
    )
    assert render_jinja(text, {"context": "c", "text": ""})[0] == Text("c\n", ((0, 1),))
    assert jinja_fields(text) == ("context", "text")
    assert render_jinja("{{ mask }}\n", {})[-1] == Text("\n")


def test_what_templates_usually_do_still_works() -> None:
    text = (
        "{% macro item(x) %}<{{ x }}>{% endmacro %}"
        "{% for x in text.split(' ') %}{{ loop.index }}/{{ loop.length }}{{ item(x) }}{% endfor %}"
        "{% for i in range(3) if i %}{{ i }}{% endfor %}{{ (', '.join(text.split())) ~ '!' }}"
        "{{ text.replace('b', 'c')|replace('a', 'A')|truncate(9)|trim }}{{ 7 % 4 + 2 * 3 }}"
        "{% set seen = namespace(n=0) %}{% for x in [1, 2] %}{% set seen.n = seen.n + x %}"
        "{% endfor %}{{ seen.n }}{{ mask }}"
    )
    assert jinja_fields(text) == ("text",)
    assert render_jinja(text, {"text": "a b"})[0].text == "1/2<a>2/2<b>12a, b!A c93"


def test_the_values_of_expressions_came_from_data() -> None:
    """What the author wrote did not, constants included; what a captured block is made of may."""
    for text, found in (
        ("{{ text }}[SEP]{{ '[SEP]' }}{{ mask }}", Text("a b[SEP][SEP]", ((0, 3),))),
        ("{% for w in text.split() %}{{ w }},{% endfor %}", Text("a,b,", ((0, 1), (2, 3)))),
        ("{% set x %}{{ text }}{% endset %}{{ x|length }}[SEP]", Text("3[SEP]", ((0, 6),))),
        ("{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(text) }}!", Text("<a b>!", ((0, 5),))),
    ):
        assert render_jinja(text, {"text": "a b"})[0] == found


def test_a_field_cannot_take_the_name_of_the_slot() -> None:
    assert Slot() in render_jinja("{{ mask }}", {"mask": "words"})


@pytest.mark.parametrize(
    "attack",
    [
        "{{ text.__class__ }}",
        "{{ text.__class__.__mro__ }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ mask.__init__.__globals__ }}",
        "{{ soft.__globals__ }}",
        "{{ self.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__.os }}",
        "{{ text|attr('__class__') }}",
        "{{ '{0.__class__}'.format(text) }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{{ open('/etc/passwd') }}",
        "{{ [].append(1) }}",
    ],
)
def test_nothing_outside_is_reached(attack: str) -> None:
    with pytest.raises(TemplateError):
        render_jinja(attack + "{{ mask }}", {"text": "x"})


@pytest.mark.parametrize(
    "attack",
    [
        "{{ 'a' * 1000000000 }}",
        "{{ 1000000000 * 'a' }}",
        "{{ [0] * 1000000000 }}",
        "{{ (text * 1000) * 1000 * 1000 }}",
        "{{ 10 ** 1000000000 }}",
        "{{ 10 ** 1000 ** 1000 }}",
        "{{ range(1000000000)|list }}",
        "{{ text|center(1000000000) }}",
        "{{ text.ljust(1000000000) }}",
        "{{ '%1000000000d'|format(1) }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{{ lipsum(n=1000000) }}",
        "{% for a in range(90000) %}{% for b in range(90000) %}x{% endfor %}{% endfor %}",
        "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}",
        "{% set ns = namespace(x='aaaaaaaa') %}{% for a in range(60) %}"
        "{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% set ns = namespace(x='aaaaaaaa') %}{% for a in range(60) %}"
        "{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set r = range(90000)|list %}{% for a in r %}{% for b in r %}{% endfor %}{% endfor %}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}"
        "{{ f(40) }}",
        "{% for a in [1, 2] recursive %}{% if loop.depth < 40 %}{{ loop([1, 2]) }}{% endif %}"
        "{% endfor %}",
        "{{ text|indent(1000000000) }}",
        "{{ ['a', 'b']|join('x' * 90000)|replace('x', 'y' * 90000) }}",
    ],
)
def test_huge_results_are_refused_at_once(attack: str) -> None:
    with pytest.raises(TemplateError):
        render_jinja(attack + "{{ mask }}", {"text": "x"})


FREEZING = [
    # integers that square themselves, and powers that are multiplied
    "{% set ns = namespace(n=7) %}{% for i in range(60) %}{% set ns.n = ns.n * ns.n %}{% endfor %}",
    "{{ (7**999999) * (7**999999) * (7**999999) }}",
    "{{ ('f' * 9999999)|int(0, 16) }}",
    "{{ 5.5|round(1000000000) }}",
    "{{ 5.5|round(1000000000, 'floor') }}",
    "{{ (1).to_bytes(10000000000, 'big') }}",
    # much that is made and thrown away
    "{% for x in range(20000) %}{% set y = ('a' * 9999999)|upper %}{% endfor %}",
    "{% set x %}{% for i in range(99999) %}{{ 'a' * 9999999 }}{% endfor %}{% endset %}{{ x }}",
    "{{ ('a' * 9999999).split('a')|map('length')|sum }}",
    "{{ range(99999)|map('center', 9999999)|list|length }}",
    "{{ ([none] * 100000)|map('default', 'a' * 9999999, true)|join|length }}",
    # what takes the square of a length
    "{{ ('a' * 9999999)|wordwrap(1) }}",
    "{{ ('a' * 9000000).rfind('b' ~ 'a' * 4000000) }}",
    "{{ ('a' * 9000000)|trim('b' * 9000000 ~ 'a') }}",
    "{{ ('\u00e4' * 1000000).encode('punycode') }}",
    "{{ ('<!-- -->' * 1000000)|striptags }}",
    "{{ ([[1] * 10] * 9000)|sum(start=[])|length }}",
    "{{ dict(range(0, (2**61 - 1) * 100000, 2**61 - 1)|batch(2)) }}",
    "{{ {}.fromkeys(range(0, (2**61 - 1) * 100000, 2**61 - 1)) }}",
    # lists in lists: little memory, endless when written out or compared
    "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}"
    "{% endfor %}{{ ns.x }}",
    "{% set ns = namespace(x=[1]) %}{% for i in range(25) %}{% set ns.x = [ns.x, ns.x] %}"
    "{% endfor %}{{ ns.x|tojson }}",
    "{% set ns = namespace(x=(1,), y=(1,)) %}{% for i in range(40) %}"
    "{% set ns.x = (ns.x, ns.x) %}{% set ns.y = (ns.y, ns.y) %}{% endfor %}{{ ns.x == ns.y }}",
    "{% set ns = namespace(x={}) %}{% for i in range(40) %}{% set ns.x = {1: ns.x, 2: ns.x} %}"
    "{% endfor %}{{ ns.x.values()|string }}",
    "{% set ns = namespace(c=cycler(1, 1)) %}{% for i in range(60) %}"
    "{% set ns.c = cycler(ns.c.items, ns.c.items) %}{% endfor %}{{ ns.c.items }}",
    "{% macro f(n) %}{% if n %}{{ f(n - 1, varargs, varargs) }}{% else %}{{ varargs }}{% endif %}"
    "{% endmacro %}{{ f(90, 1, 1) }}",
    # loops that nobody would count
    "{% for a in range(99) recursive %}{{ loop(range(100000)) }}{% endfor %}",
    "{{ [1, 2, 3]|batch(1000000000, 'x')|list }}",
    "{{ [[[[1]]]]|tojson(1000000000) }}",
    "{{ ('a\n' * 1000000)|indent('b' * 9999) }}",
    "{{ 'aaa'.translate({97: 'b' * 99999999}) }}",
    "{{ '%9999999999d'.encode() % 1 }}",
    # what is huge or deep before it is rendered
    "{{ " + "(" * 300 + "1" + ")" * 300 + " }}",
    "{{ " + "-" * 5000 + "1 }}",
    "{{ " + "+".join(["1"] * 3000) + " }}",
    "{{ [" + "1," * 90000 + "] }}",
    "{{ a }}" * 25000,
    "{% if a %}" * 5000,
    "{{ 0x" + "f" * 60000 + " }}",
    "{{ 1" + "|upper" * 500 + " }}",
    "{% for a in range(2) %}" * 25 + "x" + "{% endfor %}" * 25,
    "x" * 200_001 + "{{ text }}",
]


@pytest.mark.parametrize("attack", FREEZING, ids=lambda attack: attack[:60])
def test_what_would_freeze_is_refused_in_time(attack: str) -> None:
    """Of processor time: other work on the machine does not count."""
    begun = time.thread_time()
    with pytest.raises(TemplateError):
        render_jinja(attack + "{{ mask }}", {"text": "x", "a": "y"})
    assert time.thread_time() - begun < 3 * MAX_SECONDS


@pytest.mark.parametrize(
    "wrong",
    [
        "{% macro f(a) %}{{ f(a) }}{% endmacro %}{{ f(1) }}",
        "{% block a %}{{ self.a() }}{% endblock %}",
        "{{ 5|dictsort }}",
        "{{ '1e999'|float|int }}",
        "{{ 1 / 0 }}",
        "{{ [1].index(2) }}",
        "{{ {}['a'] }}",
        "{{ cycler() }}",
        "{{ range(10**30) }}",
        "{{ [1, 'a']|sort }}",
        "{{ joiner()(1, 2) }}",
        "{{ ('a' * 99999).encode('idna') }}",
        "{{ 'x'.encode('nope') }}",
        "{{ '\\x' }}",
        "{% extends 'x' %}",
        "{{ soft('x') }}",
        "{{ soft(99999) }}",
        "{{ trigger(-1) }}",
    ],
)
def test_whatever_is_wrong_with_a_template_is_a_template_error(wrong: str) -> None:
    with pytest.raises(TemplateError):
        render_jinja(wrong + "{{ mask }}", {"text": "x"})


def test_large_texts_are_rendered_as_they_were() -> None:
    """A document of a million characters, through filters and a loop over its words."""
    text = "many words and\nlines " * 50_000
    template = (
        "{{ text|upper|replace('MANY', 'few')|trim|length }} {{ text.split()|length }} "
        "{{ text|truncate(9) }} {% for word in text.split()[:9000] %}"
        "{% if loop.index < 9000 and word|length > 4 %}{{ word[0] }}{% endif %}{% endfor %}"
        "{{ (text.splitlines()|join('+'))|length }}{{ [3, 4]|sum }}{{ [[1], [2]]|sum(start=[]) }}"
        "{{ {'a': [1, {'b': (2, 3)}]}|tojson }}{{ 2**64 }}{{ mask }}"
    )
    (found, slot) = render_jinja(template, {"text": text})
    assert slot == Slot() and isinstance(found, Text)
    words = ["many", "words", "and", "lines"] * 2250
    letters = "".join(word[0] for word in words[:-1] if len(word) > 4)
    joined = "+".join(text.splitlines())
    assert found.text == (
        f"{len(text.replace('many', 'few').strip())} 200000 many... {letters}{len(joined)}7[1, 2]"
        '{"a": [1, {"b": [2, 3]}]}18446744073709551616'
    )


def test_syntax_faults_show_the_line() -> None:
    with pytest.raises(TemplateError, match="Jinja") as caught:
        compile_jinja("fine\n{% if %}\n{{ mask }}")
    assert str(caught.value).splitlines()[1:] == ["  {% if %}", "  ^"]


def test_a_missing_field_names_those_there_are() -> None:
    with pytest.raises(TemplateError, match=r"'txt' is undefined.*fields body, text"):
        render_jinja("{{ txt }} {{ mask }}", {"text": "a", "body": "b"})


MARKERS = ("\ue000mask\ue001", "\ue000soft:9\ue001", "&#xE000;mask&#xE001;", "{{ mask }}", "{mask}")
FORGED = st.lists(st.one_of(st.text(max_size=8), st.sampled_from(MARKERS)), max_size=6)


@given(FORGED.map("".join))
@pytest.mark.parametrize(
    "template",
    [
        "{{ text }} It was {{ mask }}.",
        "{{ text|striptags }} It was {{ mask }}.",
        "{{ text|replace('a', '')|safe }} {{ mask }} {{ text|upper }}",
    ],
)
def test_field_texts_never_make_a_segment(template: str, text: str) -> None:
    segments = render_jinja(template, {"text": text})
    assert [type(s) for s in segments if not isinstance(s, Text)] == [Slot]
