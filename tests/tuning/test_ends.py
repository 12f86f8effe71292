"""Prompts that are learned for open answers learn where a reply ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import transformers

import promptlab as pl
from promptlab.data.example import Example
from promptlab.engine.generation.sequence import StopTokens
from promptlab.errors import CapabilityError
from promptlab.models.end_token import end_token
from promptlab.models.loading import from_transformers
from promptlab.models.local import LocalModel
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.parsers.parsers import TextParser
from promptlab.prompts.template import Template
from promptlab.tuning.objectives import make_text_objective
from tests.helpers.tiny_models import Pair, byte_tokenizer

Fresh = Callable[..., LocalModel]
REPLIES = {
    "a dull film": "it never lands",
    "the soup was cold": "nobody apologised",
    "a witty plot": "a charming journey",
    "loud and empty": "one joke",
    "the capital": "Warsaw",
    "a minute": "all my friends",
}
WORDS = {
    "great": "great",
    "terrible": "terrible",
    "good": "good",
    "bad": "bad",
    "film": "movie",
    "Poland": "Warsaw",
}
"""Replies of a word, which ten vectors in front of a network with random weights can tell it."""
RARE: dict[str, Any] = {"evaluate_every": 50, "patience": 100}
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def examples(split: str, replies: dict[str, str] = REPLIES) -> list[Example]:
    """The six questions; a field that no template reads tells the splits apart."""
    return [
        Example(f"{split}{number}", {"text": text, "split": split}, reply)
        for number, (text, reply) in enumerate(replies.items())
    ]


def soft(model: LocalModel, **options: Any) -> pl.SoftPromptTuner:
    settings = {"learning_rate": 0.3, "epochs": 250, **RARE} | options
    return pl.SoftPromptTuner("{text}{soft:10} : {mask}", TextParser(), model, **settings)


def prefix(model: LocalModel) -> pl.PrefixTuner:
    return pl.PrefixTuner(
        "{text} : {mask}", TextParser(), model, length=10, learning_rate=0.3, epochs=200
    )


def tuned(model: LocalModel, chat: bool = False, **options: Any) -> pl.FineTuner:
    template = Template("{text} : {mask}", chat=chat)
    settings = {"learning_rate": 0.003, "epochs": 100, "batch_size": 6, **RARE} | options
    return pl.FineTuner(template, TextParser(), model, **settings)


LEARN: dict[str, tuple[str, Callable[[LocalModel], Any]]] = {
    "vectors": ("tiny_gpt2", soft),
    "vectors through an LSTM": ("tiny_gpt2", lambda m: soft(m, encoder="lstm", learning_rate=0.01)),
    "a prefix": ("tiny_gpt2", prefix),
    "weights": ("tiny_causal", tuned),
    "low-rank updates": (
        "tiny_causal", lambda m: tuned(m, weights="lora", learning_rate=0.02),
    ),
    "weights, in the chat template": ("tiny_causal", lambda m: tuned(m, chat=True)),
    "weights of T5": ("tiny_seq2seq", tuned),
    "weights of BART": ("tiny_bart", tuned),
}  # fmt: skip


@pytest.mark.parametrize("what", LEARN)
def test_six_replies_are_learned_to_the_letter(what: str, fresh: Fresh) -> None:
    name, method = LEARN[what]
    replies = WORDS if what.startswith("vectors") or " of " in what else REPLIES
    train = examples("train", replies)
    fitted = method(fresh(name)).fit(train, dev=examples("dev", replies))
    assert [row.label for row in fitted.predict(train)] == list(replies.values())


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_gpt2", "tiny_seq2seq", "tiny_bart"])
def test_what_is_learned_is_what_would_be_written(name: str, fresh: Fresh) -> None:
    """A reply that was written and ended has the likelihood that training would give it."""
    model = fresh(name)
    prompt = Template("{text} :{mask}", chat=False).render({"text": "a dull film"})
    decoding = Decoding(max_tokens=6, temperature=1.0)
    replies = model.generate([prompt] * 1000, decoding, samples=range(1000))
    ended = [r for r in replies if r.finish == "stop" and r.text.strip()]
    asked = model.reply_requests([prompt] * len(ended), [reply.text for reply in ended])
    likely = model.engine.score(asked)
    alike = [
        abs(float(found[0]) - float(reply.logprob or 0.0)) < 1e-3
        for found, reply in zip(likely, ended, strict=True)
    ]
    # the others have another end, or tokens into which no tokenizer cuts their text
    assert any(alike)
    assert all(one.continuations[0][-1] == model.tokenizer.eos_token_id for one in asked)


def test_which_token_ends_a_reply(fresh: Fresh, tiny_gpt2: Pair) -> None:
    tokenizer = byte_tokenizer(specials={"eos_token": "</s>", "bos_token": "<|im_end|>"})
    tokenizer.chat_template = CHATML
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer), n_positions=64, n_embd=8, n_layer=1, n_head=1
    )
    model: Any = transformers.GPT2LMHeadModel(config)
    end, turn = tokenizer.eos_token_id, tokenizer.bos_token_id
    model.generation_config.eos_token_id = [end, turn]
    assert end_token(model, tokenizer, "m", chat=False) == end
    assert end_token(model, tokenizer, "m", chat=True) == turn
    model.generation_config.eos_token_id = end  # writing would not stop at the turn's end
    assert end_token(model, tokenizer, "m", chat=True) == end
    tokenizer.eos_token = None
    model.generation_config.eos_token_id = model.config.eos_token_id = None
    with pytest.raises(CapabilityError, match="no token that ends a text"):
        end_token(model, tokenizer, "m", chat=False)


def test_a_target_is_words_alone(fresh: Fresh) -> None:
    model = fresh("tiny_causal")
    prompt = Template("{text} : {mask}").render({"text": "a"})
    (asked,) = model.reply_requests([prompt], ["good</s> bad"])
    assert asked.continuations[0].count(model.tokenizer.eos_token_id) == 1


def test_learned_tokens_behind_the_slot_are_refused(fresh: Fresh) -> None:
    with pytest.raises(CapabilityError, match="never reads what stands behind"):
        pl.SoftPromptTuner(
            "{text} {mask}{soft:2}.", TextParser(), fresh("tiny_gpt2"), epochs=1
        ).fit(examples("train"), dev=examples("dev"))


def test_a_model_that_thinks_is_not_taught_answers() -> None:
    from tests.models.test_thinking import QWEN, made

    model = from_transformers(*made(QWEN), thinking=True)
    generator = pl.PromptGenerator("{text}{mask}", TextParser(), model)  # type: ignore[attr-defined]
    with pytest.raises(pl.InputError, match="set to think"):
        make_text_objective(generator, examples("train"), shares=False)


def test_ends_hold_the_token_that_is_taught(fresh: Fresh) -> None:
    for name in ("tiny_causal", "tiny_gpt2", "tiny_seq2seq", "tiny_bart"):
        model = fresh(name)
        network = model.engine.network.model
        found = end_token(network, model.tokenizer, name, chat="chat" in model.capabilities)
        assert found in StopTokens.from_model(network, model.tokenizer).tokens
