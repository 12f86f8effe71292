"""Templates and patterns in processes of their own: the same results, limits, nobody waits."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from promptlab.cancellation import Cancellation
from promptlab.errors import Cancelled, InputError, PromptlabError, TemplateError, WorkError
from promptlab.library.promptsource import ConvertedTemplate, convert_rows, read_promptsource
from promptlab.prompts.jinja import isolated as isolated_jinja
from promptlab.prompts.jinja import render
from promptlab.prompts.jinja.isolation import pool as pools
from promptlab.prompts.jinja.isolation.messages import segments_from_json
from promptlab.prompts.jinja.isolation.operations import operation
from promptlab.prompts.parsers.parsers import RegexParser
from promptlab.prompts.template import Template

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")

ENDLESS = "{{ ('a b ' * 1000000)|title }}{{ mask }}"
"""Stays within all sizes, and takes more time than there is."""


@pytest.fixture
def isolated() -> Iterator[pools.WorkerPool]:
    isolated_jinja.isolate_rendering()
    assert isolated_jinja._pool is not None
    yield isolated_jinja._pool
    isolated_jinja.end_isolation()


ORDINARY = [
    ("{{ text }}[SEP]{{ mask }}", {"text": "a b"}),
    ("{{ soft(3, 'It was') }}{{ trigger(2) }} {{ text|upper }} {{ mask }}!\n", {"text": "ä😀"}),
    ("{% for w in text.split() %}{{ loop.index }}{{ w }},{% endfor %}{{ mask }}", {"text": "x y"}),
    ("{% set x %}{{ text }}{% endset %}{{ x|length }}{{ mask }}", {"text": "", "other": "unread"}),
    ("{{ '\ud800' }}{{ mask }}", {"text": "\udfff"}),
]  # fmt: skip


def test_results_are_those_of_this_process(isolated: pools.WorkerPool) -> None:
    for text, fields in ORDINARY:
        assert isolated_jinja.jinja_fields(text) == render.jinja_fields(text)
        assert isolated_jinja.render_jinja(text, fields) == render.render_jinja(text, fields)


def test_faults_are_those_of_this_process(isolated: pools.WorkerPool) -> None:
    for text in (
        "{% if %}\n{{ mask }}", "{{ txt }}{{ mask }}", "{{ 5|dictsort }}", "{{ 1|nope }}",
        "{% macro f(a) %}{{ f(a) }}{% endmacro %}{{ f(1) }}", "{{ trigger(0) }}",
    ):  # fmt: skip
        told = []
        for module in (render, isolated_jinja):
            with pytest.raises(TemplateError) as caught:
                module.render_jinja(text, {"text": "x", "body": "y"})
            told.append((str(caught.value), caught.value.summary))
        assert told[0] == told[1]


def test_what_takes_too_long_is_a_template_error(isolated: pools.WorkerPool) -> None:
    with pytest.raises(TemplateError, match=r"takes more than|too much memory"):
        Template(ENDLESS).render({})


def test_a_worker_that_does_not_look_at_the_clock_is_ended(
    isolated: pools.WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One long step, here a search that is not given up, is ended by the system."""
    lane = isolated._lanes["slow"]
    for other in ("quick", "slow"):
        monkeypatch.setattr(isolated._lanes[other], "seconds", 1000.0)
    monkeypatch.setattr(lane, "most", 0.2)
    with pytest.raises(InputError, match="repetition inside a repetition"):
        RegexParser("(a+)+(b)").read("a" * 3000)
    assert RegexParser("(a+)(b)").read("aab") == "aa"


def test_patterns(isolated: pools.WorkerPool) -> None:
    assert RegexParser(r"is (\w+)").parse("it is so") == "so"
    assert RegexParser(r"is (\w+)").parse("it was") is None
    for pattern in ("(?a)(?u)(x)", "(x{99999999})", "("):
        with pytest.raises(InputError, match="parser regex"):
            RegexParser(pattern)


def test_promptsource_is_converted_apart(isolated: pools.WorkerPool, tmp_path: Path) -> None:
    text = (
        "dataset: d\ntemplates:\n  a: !Template\n    jinja: '{{ text }} Is it {{ good }}?|||"
        "{{ answer_choices[label] }}'\n    answer_choices: no ||| yes\n    name: one\n"
    )
    assert read_promptsource(text, "x") == [
        ConvertedTemplate(*row) for row in convert_rows(text, "x")
    ]
    with pytest.raises(InputError, match="expected"):
        read_promptsource("- a", "x")


def test_many_who_ask_for_what_takes_long_keep_nobody_waiting(isolated: pools.WorkerPool) -> None:
    """Each sends a new text all the time; another one's is rendered meanwhile."""
    over = threading.Event()
    told: list[str] = []

    def attack(number: int) -> None:
        turn = 0
        while not over.is_set():
            turn += 1
            with pytest.raises(PromptlabError) as caught:
                isolated_jinja.jinja_fields(f"{ENDLESS}{{# {number} {turn} #}}")
                isolated_jinja.render_jinja(f"{ENDLESS}{{# {number} {turn} #}}", {})
            told.append(type(caught.value).__name__)

    threads = [threading.Thread(target=attack, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    try:
        waited = []
        for number in range(20):
            begun = time.monotonic()
            isolated_jinja.render_jinja("{{ text|upper }}{{ mask }}", {"text": f"x{number}"})
            waited.append(time.monotonic() - begun)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert sorted(waited)[10] < 1
    assert set(told) <= {"TemplateError", "WorkError"}


def test_work_that_can_be_cancelled_waits_for_its_turn(
    isolated: pools.WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page is told that others are before it; a study waits, and stops when it is asked to."""
    slow = isolated._lanes["slow"]
    for _ in range(slow.places):
        slow.turn.acquire()
    with pytest.raises(WorkError, match="others"):
        isolated_jinja.render_jinja(ENDLESS, {})
    cancellation = Cancellation()
    threading.Timer(0.5, cancellation.request).start()
    begun = time.monotonic()
    with cancellation.in_force(), pytest.raises(Cancelled):
        isolated_jinja.render_jinja(ENDLESS, {})
    assert time.monotonic() - begun >= 0.5
    for _ in range(slow.places):
        slow.turn.release()


def test_workers_that_were_killed_are_replaced(isolated: pools.WorkerPool) -> None:
    for number, end in enumerate((_kill_workers, _kill_server, _kill_server)):
        text = f"{{{{ text }}}}{number}{{{{ mask }}}}"
        end(isolated)
        assert isolated_jinja.render_jinja(text, {"text": "x"}) == render.render_jinja(
            text, {"text": "x"}
        )


def _kill_workers(pool: pools.WorkerPool) -> None:
    for lane in pool._lanes.values():
        for worker in lane.idle:
            worker.kill()


def _kill_server(pool: pools.WorkerPool) -> None:
    _kill_workers(pool)
    if pool._process is not None:
        pool._process.kill()
        pool._process.wait()


def test_a_worker_knows_no_keys(
    isolated: pools.WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    assert "OPENAI_API_KEY" not in pools._environment()


@pytest.mark.parametrize(
    "wrong", [[["text", 1, []]], [["slot", 1]], [["soft", "1", None, None]], [["?"]], [[]], 3]
)
def test_only_segments_are_read_of_an_answer(wrong: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        segments_from_json(json.loads(json.dumps(wrong)))


def test_a_worker_runs_functions_of_this_project_alone() -> None:
    assert operation("promptlab.library.promptsource:convert_rows") is convert_rows
    with pytest.raises(ValueError, match="no operation"):
        operation("os:system")
