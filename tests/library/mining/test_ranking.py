"""Templates counted over sentences and ranked by the distinct pairs that they cover."""

from __future__ import annotations

import pytest

from promptlab.library.mining.ranking import Method, TemplateCounter


def counted(found: list[tuple[str, int]], **options: int) -> TemplateCounter:
    """A counter of templates, each with the pair of its sentence, a sentence each."""
    counter = TemplateCounter(**options)
    for number, (text, pair) in enumerate(found):
        methods: set[Method] = {"middle"}
        counter.add({(text, pair): methods}, f"sentence {number}")
    return counter


def test_pairs_count_before_sentences() -> None:
    often = [("{x} a {mask}", 0)] * 5
    widely = [("{x} b {mask}", 0), ("{x} b {mask}", 1)]
    shorter = [("{x} c c {mask}", 3), ("{x} d {mask}", 3)]
    templates, dropped = counted([*often, *shorter, *widely]).rank(10, min_pairs=1)
    assert [template.text for template in templates] == [
        "{x} b {mask}", "{x} a {mask}", "{x} d {mask}", "{x} c c {mask}",
    ]  # fmt: skip
    assert (templates[0].pairs, templates[0].sentences) == (2, 2)
    assert (templates[1].pairs, templates[1].sentences) == (1, 5)
    assert templates[0].examples == ("sentence 7", "sentence 8")
    assert templates[1].examples == ("sentence 0",)
    assert not dropped


def test_every_drop_has_its_reason() -> None:
    found = [(f"{{x}} {word} {{mask}}", pair) for word in ("a1", "b1", "c1") for pair in (0, 1)]
    found += [("{x} the a1, {mask}", 2), ("{x} the a1, {mask}", 3), ("{x} once {mask}", 0)]
    templates, dropped = counted(found).rank(2, min_pairs=2)
    assert [template.text for template in templates] == ["{x} a1 {mask}", "{x} b1 {mask}"]
    assert dropped == {"like a better one": 1, "beyond the number asked for": 1, "too few pairs": 1}


def test_a_secret_of_this_machine_gets_into_no_template(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "correct-horse-battery-staple")
    found = [("{x} correct-horse-battery-staple {mask}", 0), ("{x} is {mask}", 0)]
    templates, dropped = counted(found).rank(5, min_pairs=1)
    assert [template.text for template in templates] == ["{x} is {mask}"]
    assert dropped == {"that no template may hold": 1}


def test_a_sentence_counts_once_and_tells_how_it_was_found() -> None:
    counter = TemplateCounter()
    counter.add({("{x} a {mask}", 0): ["dependency"], ("{x} a {mask}", 1): ["middle"]}, "both")
    ((template,), _) = counter.rank(1, min_pairs=1)
    assert (template.pairs, template.sentences) == (2, 1)
    assert template.methods == ("middle", "dependency")
    assert template.examples == ("both", "both")


def test_memory_is_bounded_by_forgetting_what_stood_once() -> None:
    found = [("{x} often {mask}", number % 2) for number in range(4)]
    found += [(f"{{x}} once {number} {{mask}}", 0) for number in range(10)]
    counter = counted(found, max_distinct=4)
    assert len(counter) <= 4
    templates, dropped = counter.rank(10, min_pairs=2)
    assert [template.text for template in templates] == ["{x} often {mask}"]
    assert dropped["of one sentence, forgotten to keep memory bounded"] == 8
