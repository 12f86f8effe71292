"""Jinja templates of somebody who wants to freeze, fill or break out of the process."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from promptlab.prompts.jinja import render
from promptlab.prompts.jinja.isolated import isolate_rendering
from promptlab.prompts.template import Template
from tests.fuzz.harness import Attempt

_FIELDS = {"text": "some words and <b>more</b>\nlines", "x": "a " * 200, "y": "", "z": "ä😀"}
_VALUES = [
    "text", "x", "y", "z", "nothing", "1", "0", "-1", "2.5", "1e308", "true", "none", "'a'", "''",
    "'ä😀'", "'<!-- -->'", "'a\\nb'", "[]", "[1, 'a', none]", "(1,)", "{}", "{'a': 1, 2: [3]}",
    "7**99",
    "10**1200", "2**61 - 1", "9999999", "range(9)", "range(99999)", "range(0, 2**70, 2**61 - 1)",
    "ns",
    "ns.v", "ns.w", "loop", "loop.index", "f", "varargs", "kwargs", "caller", "self",
    "cycler(1, 2)",
    "joiner('x')", "namespace(a=1)", "dict(a=1)", "('a' * 9999999)", "([1] * 99999)", "mask",
    "soft(3)", "trigger(2)", "soft(99999)", "('ab' * 999999)", "('-' * 99999)", "'\\ud800'",
    "text.__class__", "''.__class__.__mro__", "f.__globals__", "ns.__init__", "x.split()",
]  # fmt: skip
_FILTERS = [
    *sorted(render._environment().filters), "attr('__class__')", "map(attribute='__class__')",
    "center(9999999)",
    "indent(99999)", "wordwrap(1)", "wordwrap(1, true, 'xxx')", "replace('a', 'aaaaaaaaaa')",
    "replace('', 'xx')",
    "batch(3, 'x')", "slice(99)", "batch(10**9, 'x')", "round(10**9)", "round(2, 'floor')",
    "int(0, 16)",
    "tojson(9999)", "truncate(9)", "join('x' * 9999)", "map('upper')", "map('list')",
    "map('default', x)",
    "select('odd')", "reject('none')", "selectattr('a')", "groupby(0)", "sort(reverse=true)",
    "sum(start=[])",
    "sum(start='')", "unique", "default('x' * 999999, true)", "trim('abc' * 99999)", "format(1)",
    "xmlattr", "nope",
    "dictsort(true, 'value')", "random", "max", "urlize", "pprint", "map('map', 'upper')",
    "map('sum')",
]  # fmt: skip
_METHODS = [
    "upper()", "split('a')", "split()", "join(['a'] * 9999)", "replace('a', 'b' * 9999)",
    "encode('punycode')",
    "encode('utf-32')", "encode('idna')", "center(10**9)", "zfill(9999999)",
    "translate({97: 'b' * 9999})",
    "rfind('b' ~ x)", "format(1)", "format_map({})", "ljust(99, 'xx')", "expandtabs(10**8)",
    "splitlines()",
    "items()", "values()", "keys()", "get('a')", "to_bytes(10**9, 'big')", "bit_length()",
    "as_integer_ratio()",
    "append(1)", "fromkeys(range(99))", "copy()", "index(1)", "count('a')", "next()",
    "cycle(1, 2)", "changed(x)",
    "decode('idna')", "mro()", "rsplit('ab')", "strip(x)", "maketrans('a', 'b')",
    "from_bytes(z.encode(), 'big')",
]  # fmt: skip
_OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "<", "in", "not in", "and", "or"]
_TESTS = [
    "defined",
    "odd",
    "divisibleby(0)",
    "in x",
    "sameas(1)",
    "iterable",
    "none",
    "nope",
    "mapping",
]
_ODD = [
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "#}",
    "-",
    "\x00",
    "\ue000",
    "(",
    "[",
    "'",
    "\\",
    "\ud800",
    "{% raw %}",
]


_GROWING = [
    "v * v", "v ~ v", "v + v", "v ** 2", "v - v * 3", "[v, v]", "(v, v)", "{1: v, 2: v}", "[v]",
    "(v)|string|upper", "(v)|tojson", "cycler(v, v).items", "namespace(a=v, b=v)", "[[v, v]]",
    "[v]|list + [v]", "[v, v]|map('list')|list", "dict(a=v, b=v)", "range(99)|list + [v]",
]  # fmt: skip
_RECURSION = (
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(30) }}"
)
_TEXTS = ["text", "x", "z", "('ab ' * 99999)", "('<a>' * 9999)", "('a' * 9999999)", "'-' * 999999"]


def attempts(rng: random.Random, folder: Path) -> Iterator[Attempt]:
    """Templates of random blocks; every fourth one in a process of its own."""
    isolate_rendering()
    Template("{{ text }}{{ mask }}").render({"text": ""})
    while True:
        text = _blocks(rng, rng.randrange(1, 4)) + "{{ mask }}"
        if rng.random() < 0.4:
            text = _chain(rng)
        if rng.random() < 0.1:
            text = _damaged(rng, text)
        if rng.random() < 0.03:
            text = _nested(rng)
        if rng.random() < 0.25:
            yield f"apart {text}", lambda text=text: Template(text).render(_FIELDS)
        else:
            yield text, lambda text=text: render.render_jinja(text, _FIELDS)


def _blocks(rng: random.Random, depth: int) -> str:
    return "".join(_block(rng, depth) for _ in range(rng.randrange(1, 4)))


def _block(rng: random.Random, depth: int) -> str:
    if depth <= 0:
        return (
            f"{{{{ {_expression(rng, 2)} }}}}"
            if rng.random() < 0.7
            else rng.choice(["a", "\n", " "])
        )
    inner = _blocks(rng, depth - 1)
    one, other = _expression(rng, depth), _expression(rng, depth - 1)
    turns = rng.choice(["range(60)", "range(25)", "range(9999)", "[1, 2]", one])
    return rng.choice(
        [
            f"{{{{ {one} }}}}",
            f"{{% if {one} %}}{inner}{{% else %}}{other}{{% endif %}}",
            f"{{% for i in {turns} %}}{inner}{{% endfor %}}",
            f"{{% for i in {turns} if {other} %}}{inner}{{% else %}}x{{% endfor %}}",
            f"{{% for i in {turns} recursive %}}{inner}{{{{ loop({one}) }}}}{{% endfor %}}",
            "{% set ns = namespace(v=7, w=[1]) %}"
            f"{{% for i in {turns} %}}{{% set ns.v = {_growing(rng, 'ns.v')} %}}"
            f"{{% set ns.w = {_growing(rng, 'ns.w')} %}}{{% endfor %}}{inner}{{{{ ns.w }}}}",
            f"{{% macro f(n) %}}{inner}{{{{ f({one}, varargs, varargs) }}}}{{% endmacro %}}"
            "{{ f(1) }}",
            _RECURSION,
            f"{{% call f(1) %}}{inner}{{% endcall %}}",
            f"{{% filter {rng.choice(_FILTERS)} %}}{inner}{{% endfilter %}}",
            f"{{% set v %}}{inner}{{% endset %}}{{{{ v }}}}",
            f"{{% with v = {one} %}}{inner}{{% endwith %}}",
            f"{{% block b %}}{inner}{{{{ self.b() }}}}{{% endblock %}}",
            f"{{% set ns = namespace(v={one}) %}}{inner}",
            f"{{% include {one} %}}{{% import {other} as q %}}",
            inner,
        ]
    )


def _chain(rng: random.Random) -> str:
    """Filters of a text, one after the other, perhaps in a loop: most of these can be rendered."""
    value = f"({rng.choice(_TEXTS)})"
    for _ in range(rng.randrange(1, 4)):
        value += f".{rng.choice(_METHODS)}" if rng.random() < 0.2 else f"|{rng.choice(_FILTERS)}"
    if rng.random() < 0.5:
        return f"{{{{ {value} }}}}{{{{ mask }}}}"
    return f"{{% for i in {value} %}}{{{{ {value} }}}}{{{{ i }}}}{{% endfor %}}{{{{ mask }}}}"


def _growing(rng: random.Random, name: str) -> str:
    """An expression that makes more of a value at each turn."""
    return rng.choice(_GROWING).replace("v", name)


def _expression(rng: random.Random, depth: int) -> str:
    if depth <= 0:
        return rng.choice(_VALUES)
    one, other = _expression(rng, depth - 1), _expression(rng, depth - 1)
    return rng.choice(
        [
            f"({one} {rng.choice(_OPERATORS)} {other})",
            f"({one})|{rng.choice(_FILTERS)}",
            f"({one}|{rng.choice(_FILTERS)}|{rng.choice(_FILTERS)})",
            f"({one}).{rng.choice(_METHODS)}",
            f"({one})[{other}]",
            f"({one})[{rng.choice(['1:', ':-1', '::-1', '::2', '0:9999999999'])}]",
            f"({one} if {other} else {one})",
            f"({one} is {rng.choice(_TESTS)})",
            f"[{one}, {other}]",
            f"{{{one}: {other}}}",
            f"(-({one}))",
            f"({one})({other})",
            f"({one} {rng.choice(['*', '~', '+', '**'])} {rng.choice(['9999999', '99', one])})",
            one,
        ]
    )


def _damaged(rng: random.Random, text: str) -> str:
    for _ in range(rng.randrange(1, 4)):
        place = rng.randrange(len(text))
        text = text[:place] + rng.choice(_ODD) + text[place + rng.randrange(3) :]
    return text


def _nested(rng: random.Random) -> str:
    """One thing very often, within itself or behind itself."""
    before, middle, after = rng.choice(
        [
            ("{{ (", "1", ") }}"), ("(", "1", ")"), ("[", "", "]"), ("{% if 1 %}", "",
            "{% endif %}"),
            ("{% for a in x %}", "a", "{% endfor %}"), ("{{ a }}", "", ""), ("-", "1", ""),
            ("not ", "1", ""),
            ("1 < ", "1", ""), ("1 ~ ", "1", ""), ("1 if 1 else ", "1", ""), ("x[1:", "", "]"),
            ("{#", "", "#}"),
            ("{% macro f() %}", "", "{% endmacro %}"), ("", "1", "|upper"), ("", "x", ".a"), ("f(",
            "", ")"),
            ("{% set v %}", "", "{% endset %}"), ("{% filter upper %}", "", "{% endfilter %}"),
            ("'", "", "'"),
        ]
    )  # fmt: skip
    times = rng.choice([20, 60, 150, 500, 3000, 9000])
    text = before * times + middle + after * times
    return text if "{" in before else f"{{{{ {text} }}}}{{{{ mask }}}}"
