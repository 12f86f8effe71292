"""A trigger survives when its prompt, written out, is tokenised as its ids."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from promptlab.data.task import Task
from promptlab.models.local import LocalModel
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.tuning.triggers.losses import Tokens
from promptlab.tuning.triggers.objective import TriggerObjective

Fresh = Callable[..., LocalModel]
MODELS = ("tiny_causal", "tiny_gpt2", "tiny_masked", "tiny_roberta", "tiny_seq2seq")
TEMPLATES = (
    "{text} {trigger:2} {mask}",
    "{trigger:2} {text} It was {mask}.",
    "{text} It was {mask} {trigger:2} .",
    "{text} {trigger:1} it was{trigger:1} {mask}",
)


def oracle(model: LocalModel, template: str, task: Task) -> TriggerObjective:
    answers = {"negative": "bad", "positive": "good"}
    return TriggerObjective(model, Template(template), Verbalizer(answers), task.train)


def tokens_of(model: LocalModel, text: str) -> Tokens:
    return model.encoding.encode(text)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("template", TEMPLATES)
def test_whole_words_survive(fresh: Fresh, task: Task, name: str, template: str) -> None:
    model = fresh(name)
    words = tokens_of(model, " great plot")
    assert len(words) == 2
    made = oracle(model, template, task)
    assert made.round_trips(words)
    assert made.words(words) == ("great | plot" if len(made.lengths) == 2 else "great plot")


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_gpt2", "tiny_masked", "tiny_roberta"])
def test_pieces_that_merge_do_not_survive(fresh: Fresh, task: Task, name: str) -> None:
    """*gre* + *at* would be read as *great*."""
    model = fresh(name)
    head = tokens_of(model, " g")[-1]
    tail = model.tokenizer.convert_tokens_to_ids("##r" if name == "tiny_masked" else "r")
    made = oracle(model, TEMPLATES[0], task)
    again = tokens_of(model, " gr")
    assert made.round_trips((head, tail)) == (again == (head, tail))


@pytest.mark.parametrize("name", MODELS)
def test_neighbours_matter(fresh: Fresh, task: Task, name: str) -> None:
    """A piece that continues a word merges with the template's word before it, or does not."""
    model = fresh(name)
    tail = model.tokenizer.convert_tokens_to_ids("##s" if name == "tiny_masked" else "s")
    plot = tokens_of(model, " plot")[0]
    after_word = oracle(model, "{text} good film {trigger:2} {mask}", task)
    joined = tokens_of(model, " good films plot")
    assert after_word.round_trips((tail, plot)) == (joined[-2:] == (tail, plot))


def test_only_what_survives_is_admitted_of_all_pairs(fresh: Fresh, task: Task) -> None:
    model = fresh("tiny_gpt2")
    made = oracle(model, TEMPLATES[0], task)
    start = tokens_of(model, " plot")[0]
    for entry in range(1, made.vocabulary, 7):
        text = model.tokenizer.decode([start, entry])
        if "\ufffd" in text:
            continue
        whole = task.train[0].fields["text"] + text + " good"
        found = tokens_of(model, whole)
        fits = found[-3:-1] == (start, entry) and found[-1:] == tokens_of(model, " good")
        assert made.round_trips((start, entry)) == fits, text
