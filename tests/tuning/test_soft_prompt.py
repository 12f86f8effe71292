"""Where learned vectors stand in a template and where they start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from promptlab.errors import CapabilityError, InputError
from promptlab.models.learned_parts import LearnedParts
from promptlab.models.local import LocalModel
from promptlab.prompts.prompt import Soft
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.tuning.initialisation import initial_ids, initial_vectors
from promptlab.tuning.objectives import LabelLoss
from promptlab.tuning.parameters import flat_prefix
from promptlab.tuning.reparameterisation import make_encoder
from promptlab.tuning.soft_prompt import (
    SoftPromptInit,
    make_parameters,
    soft_segments,
    with_soft,
    with_soft_words,
)
from tests.helpers.learned_fixtures import drawn

Fresh = Callable[..., LocalModel]
ANSWERS = ("great", "terrible")


def test_vectors_stand_in_front_where_the_template_has_none() -> None:
    assert with_soft(Template("{text} {mask}"), None).text == "{soft:20}{text} {mask}"
    assert with_soft(Template("{text} {mask}"), 3).text == "{soft:3}{text} {mask}"
    parts = with_soft(Template(parts={"description": "a", "cue": "{mask}"}), 2).parts
    assert parts == {"description": "{soft:2}a", "cue": "{mask}"}
    found = with_soft(Template('\\{ {soft:9 #a "a film"} \\} {text} {soft:1}{mask}'), 4)
    assert found.text == '\\{ {soft:4 #a "a film"} \\} {text} {soft:4}{mask}'
    assert with_soft(found, None) is found
    assert soft_segments(found) == {"#a": Soft(4, "a film", "a"), "0": Soft(4)}


@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_masked"])
def test_a_template_whose_words_are_vectors_begins_as_the_template(name: str, fresh: Fresh) -> None:
    """OptiPrompt: before any step the soft prompt scores as the hard one."""
    model = fresh(name)
    hard = Template("{text} it was a {mask}")
    made = with_soft_words(hard, model)
    soft, starts = made if isinstance(made, tuple) else (made, {})
    options: dict[str, Any] = {"starts": starts} if starts else {}
    learner = make_parameters(model, soft, SoftPromptInit("vocabulary", 1), **options)
    view = model.with_learned_parts(learner.learned()[0])
    fields = {"text": "the film was great ."}
    left = model.score([hard.render(fields)], ANSWERS).logprobs
    right = view.score([soft.render(fields)], ANSWERS).logprobs
    if name == "tiny_masked":  # a causal answer after a vector has lost the space before it
        np.testing.assert_allclose(left, right, atol=1e-5)
    assert "it" not in (soft.text or "").replace('"', " ").split("{text}")[0].split()


def test_a_prefix_that_starts_from_words_is_these_words(fresh: Fresh) -> None:
    """Before any step it does what the words themselves would do in front."""
    model = fresh("tiny_gpt2")
    words = "a gorgeous witty film"
    ids = model.encoding.encode(words)
    template = Template("{text} It was {mask}")
    learner = make_parameters(model, template, SoftPromptInit("text", 1, words), prefix=len(ids))
    view = model.with_learned_parts(learner.learned()[0])
    found = view.score([template.render({"text": " ."})], ANSWERS).logprobs
    expected = model.score([template.render({"text": f"{words} ."})], ANSWERS).logprobs
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_starts_are_seeded_and_of_their_words(causal: LocalModel) -> None:
    def ids(init: Any, seed: int = 1, **options: Any) -> tuple[int, ...] | None:
        return initial_ids(causal, 6, init, seed=seed, **options)

    assert ids("random") is None
    assert ids("vocabulary") == ids("vocabulary") != ids("vocabulary", 2)
    special = set(causal.tokenizer.all_special_ids)
    assert not special & set(ids("vocabulary") or ())
    film = causal.encoding.encode("a film")
    assert ids("text", text="a film") == tuple(film[i % len(film)] for i in range(6))
    found = ids("labels", answers=ANSWERS) or ()
    assert found[:2] == tuple(causal.encoding.encode(f" {word}")[-1] for word in ANSWERS)
    assert len(found) == 6
    for init, options in (("text", {"text": "  "}), ("text", {}), ("labels", {})):
        with pytest.raises(InputError):
            ids(init, **options)
    one, same, other = (initial_vectors(causal, None, 4, seed=s) for s in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    table = causal.engine.network.model.get_input_embeddings().weight
    assert torch.equal(initial_vectors(causal, (3, 5), 2, seed=0), table[[3, 5]])


@pytest.mark.parametrize("name", ["none", "mlp", "lstm"])
def test_an_encoder_begins_exactly_at_its_start(name: Any) -> None:
    start = torch.randn(5, 12)
    made = make_encoder(name, start, hidden=7, seed=3)
    assert torch.equal(made(), start)
    made().sum().backward()
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in made.parameters())
    state = torch.random.get_rng_state()
    again = make_encoder(name, start, hidden=7, seed=3)
    assert torch.equal(torch.random.get_rng_state(), state)
    for left, right in zip(made.parameters(), again.parameters(), strict=True):
        assert torch.equal(left, right)


def test_a_prefix_is_laid_flat_and_back(causal: LocalModel) -> None:
    learner = make_parameters(
        causal, Template("{text} {mask}"), SoftPromptInit("random", 1), prefix=4
    )
    prefix = learner.prefix()
    assert prefix is not None
    assert prefix.shape == (2, 2, 2, 4, 8)
    assert learner.prefix_made is not None
    assert torch.equal(flat_prefix(prefix), learner.prefix_made())


def test_there_must_be_something_to_learn(causal: LocalModel, fresh: Fresh) -> None:
    with pytest.raises(InputError, match="there is nothing to learn"):
        make_parameters(causal, Template("{text} {mask}"), SoftPromptInit("random", 1))
    with pytest.raises(CapabilityError, match="tiny_sliding takes no learned prefix"):
        make_parameters(
            fresh("tiny_sliding"), Template("{mask}"), SoftPromptInit("random", 1), prefix=2
        )


@pytest.mark.parametrize("aggregation", ["sum", "mean", "max"])
@pytest.mark.parametrize("normalise", [False, True])
def test_the_loss_is_about_the_verbalizers_own_scores(aggregation: Any, normalise: bool) -> None:
    verbalizer = Verbalizer(
        {"a": {"x": 2.0, "y": 1.0}, "b": ["z"], "c": ["u", "v", "w"]},
        aggregation=aggregation,
        length_normalise=normalise,
    )
    logs = torch.randn(4, 6)
    tokens = torch.randint(1, 4, (4, 6))
    given = (logs / tokens if normalise else logs).double().numpy()
    found = LabelLoss(verbalizer).label_scores(logs, tokens)
    np.testing.assert_allclose(found.numpy(), verbalizer.label_scores(given), atol=1e-5)


def test_learned_parts_that_do_not_fit_a_prompt_or_model(causal: LocalModel) -> None:
    def refused(learned: LearnedParts, text: str, *parts: str) -> None:
        prompt = Template(text).render({})
        with pytest.raises(InputError) as caught:
            causal.with_learned_parts(learned).score([prompt], ["great"])
        for part in parts:
            assert part in str(caught.value)

    table = torch.zeros(3, 32)
    refused(
        LearnedParts(table, (("0", 3),)), "{soft:2} {mask}", "has 2 soft tokens", "3 vectors were"
    )
    refused(LearnedParts(table, (("0", 3),)), "{soft:3 #a} {mask}", "none were learned")
    refused(
        LearnedParts(triggers=((3, 4),)), "{trigger:3} {mask}", "3 trigger tokens", "2 were found"
    )
    refused(
        LearnedParts(torch.zeros(3, 16), (("0", 3),)), "{soft:3} {mask}", "width 16", "width 32"
    )
    top = causal.engine.network.virtual_tokens.first_id
    refused(LearnedParts(triggers=((top,),)), "{trigger:1} {mask}", f"token {top}", f"{top} tokens")
    refused(
        LearnedParts(prefix=torch.zeros(3, 2, 2, 1, 8)),
        "a {mask}",
        "3 layers, 2 heads",
        "(2, 2, 8)",
    )


def test_the_key_is_of_all_that_is_computed_with(causal: LocalModel) -> None:
    prompt = Template("{soft:2} {trigger:2} {mask}").render({})
    one, same, other = (drawn(causal, prompt, prefix=2, seed=s).learned for s in (1, 1, 2))
    assert one.key == same.key != other.key
    keys = {causal.key, causal.with_learned_parts(one).key, causal.with_learned_parts(other).key}
    assert len(keys) == 3
    assert (
        causal.with_learned_parts(one).with_learned_parts(other).key
        == causal.with_learned_parts(other).key
    )
