"""A fault of promptlab's is logged once a place; a request that cannot be read is none."""

from __future__ import annotations

import json
import logging

import pytest

pytest.importorskip("gradio")

import gradio as gr

import promptlab as pl
from promptlab.ui.components.errors import error_for
from promptlab.ui.server.fault_log import is_own, log_once


def own_fault() -> Exception:
    try:
        _ = object.__new__(pl.Template).source  # never made, so that it has nothing
    except (AttributeError, AssertionError) as problem:
        return problem
    raise RuntimeError("it did not fail")


def foreign_fault() -> Exception:
    try:
        json.loads("{")
    except ValueError as problem:
        return problem
    raise AssertionError


def test_a_fault_is_logged_once_however_often_it_is_met(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "promptlab.ui"):
        answers = [error_for(own_fault()) for _ in range(5)]
    assert len(caplog.records) == 1
    assert all("a fault of its own" in answer.message for answer in answers)


def test_a_request_that_cannot_be_read_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    problem = foreign_fault()
    assert not is_own(problem)
    assert is_own(own_fault())
    with caplog.at_level(logging.ERROR, "promptlab.ui"):
        log_once(problem)
        assert "does not fit the page" in error_for(problem).message
    assert not caplog.records


def test_what_was_foreseen_is_told_as_it_is() -> None:
    answer = error_for(pl.InputError("no such study"))
    assert answer.message == "no such study"
    own = gr.Error("Value: 3 is not in the list of choices")
    assert error_for(own) is own
    assert not own.print_exception
