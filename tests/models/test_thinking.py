"""Chat templates that open a block of reasoning: labels are scored behind it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import transformers
from typer.testing import CliRunner

import promptlab as pl
from promptlab.cli.app import app
from promptlab.errors import CapabilityError, InputError
from promptlab.models.loading import from_transformers, load
from promptlab.models.local import LocalModel
from promptlab.models.thinking import closing_marks, thinking_switches
from promptlab.predictors.classifier import PromptClassifier
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.prompt import Prompt
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from tests.helpers.tiny_models import byte_tokenizer

TURNS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
)
QWEN = (
    TURNS + "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n"
    "\n{% endif %}{% endif %}"
)
ALWAYS = TURNS + "<think>\n{% endif %}"
SWITCHED = TURNS + "{% if thinking %}<think>{% else %}</think>{% endif %}{% endif %}"
HARMONY = (
    "{% for m in messages %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>{% endfor %}"
    "{# <|channel|> #}{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
TEMPLATE = Template("{text} Good or bad? {mask}", chat=True)
PROMPT = TEMPLATE.render({"text": "a dull film"})


def made(template: str, **options: Any) -> tuple[Any, Any]:
    """A tiny model and a tokenizer with this chat template."""
    specials = {"eos_token": "<|im_end|>", "bos_token": "<|im_start|>", "pad_token": "<|end|>"}
    tokenizer = byte_tokenizer(specials=specials)
    tokenizer.add_tokens(["<think>", "</think>"])
    for name in ("<|channel|>", "<|message|>", "<|start|>"):
        tokenizer.add_tokens([transformers.AddedToken(name, special=True)])
    tokenizer.chat_template = template
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer), n_positions=256, n_embd=32, n_layer=1, n_head=2,
        bos_token_id=1, eos_token_id=0,
    )  # fmt: skip
    return transformers.GPT2LMHeadModel(config), tokenizer


def model(template: str, **options: Any) -> LocalModel:
    return from_transformers(*made(template), **options)


def read(model: LocalModel, prompt: Prompt, *, writes: bool = False) -> str:
    """What is read before the slot is filled."""
    return str(model.tokenizer.decode(model.prompt_token_ids([prompt], writes=writes)[0]))


@pytest.mark.parametrize(
    ("template", "done", "end", "thought"),
    [
        (QWEN, "off", "assistant\n<think>\n\n</think>\n\n", "assistant\n"),
        (ALWAYS, "closed", "assistant\n<think>\n\n</think>\n\n", "assistant\n<think>\n"),
        (SWITCHED, "off", "assistant\n</think>", "assistant\n<think>"),
        (HARMONY, "closed", "assistant<|channel|>final<|message|>", "<|start|>assistant"),
    ],
)
def test_labels_are_scored_where_the_answer_begins(
    template: str, done: str, end: str, thought: str
) -> None:
    plain = model(template)
    assert plain.thinking == plain.describe()["thinking"] == done
    assert "options" not in plain.describe()
    assert read(plain, PROMPT).endswith(end) and read(plain, PROMPT, writes=True).endswith(end)
    assert "".join(t.text for t in plain.tokens(PROMPT) if t.read).endswith(end)
    thinks = model(template, thinking=True)
    assert thinks.thinking == "on" and thinks.describe()["options"] == {"thinking": True}
    assert read(thinks, PROMPT).endswith(end)
    assert read(thinks, PROMPT, writes=True).endswith(thought)


def test_a_reply_that_begins_within_reasoning_says_so() -> None:
    for template, opened in ((ALWAYS, True), (QWEN, False), (HARMONY, False)):
        (reply,) = model(template, thinking=True).generate([PROMPT], Decoding(max_tokens=3))
        assert reply.opened is opened
        (reply,) = model(template).generate([PROMPT], Decoding(max_tokens=3))
        assert not reply.opened
    written = Template("{text} <think>{mask}").render({"text": "so"})
    (reply,) = model(QWEN).generate([written], Decoding(max_tokens=3))
    assert reply.opened


def test_marks_of_reasoning_stay_in_a_reply() -> None:
    """Also where they are special tokens, which a reply's text leaves out."""
    from promptlab.engine.generation.detokenizer import decode_reply

    tokenizer = made(HARMONY)[1]
    text = "<|channel|>analysis<|message|>no<|end|><|start|>assistant<|channel|>final<|message|>yes"
    ids = tokenizer(text + "<|im_end|>", add_special_tokens=False)["input_ids"]
    assert decode_reply(tokenizer, ids) == text.replace("<|end|>", "")
    plain = tokenizer("a film<|im_end|>", add_special_tokens=False)["input_ids"]
    assert decode_reply(tokenizer, plain) == "a film"


def test_a_template_without_reasoning_has_nothing_to_switch_on() -> None:
    assert model(TURNS + "{% endif %}").thinking is None
    with pytest.raises(InputError, match="no reasoning to switch on"):
        model(TURNS + "{% endif %}", thinking=True)
    bare, tokenizer = made(QWEN)
    tokenizer.chat_template = None
    with pytest.raises(InputError, match="no chat template"):
        from_transformers(bare, tokenizer, thinking=True)


def test_a_block_that_nothing_closes_is_refused() -> None:
    opened = model(TURNS + "<|open|>think<|sep|>{% endif %}")
    with pytest.raises(CapabilityError, match="nothing is known that closes it"):
        opened.score([PROMPT], ["good", "bad"])


def test_closing_marks() -> None:
    for end, mark in (
        ("a <think>\n", "\n</think>\n\n"),
        ("a <seed:think>", "\n\n</seed:think>\n\n"),
        ("a [THINK]", "\n\n[/THINK]\n\n"),
        ("a <|START_THINKING|>", "\n\n<|END_THINKING|>\n\n"),
        ("a <think> b", ""),
        ("a <think>\n</think>\n", ""),
        ("a", ""),
    ):
        assert closing_marks(end, "") == mark
    assert thinking_switches("{% if enable_thinking %}") == ("enable_thinking",)
    assert thinking_switches("thinking_budget") == ()


def test_it_is_a_setting_that_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the folder's model, of a study's section, and of a saved predictor."""
    folder = tmp_path / "m"
    for part in made(ALWAYS):
        part.save_pretrained(folder)
    capsys.readouterr()
    assert load(str(folder)).thinking == "closed"
    assert "opens a block of reasoning" in capsys.readouterr().err
    thinks = pl.load_model(str(folder), thinking=True)
    assert thinks.thinking == "on"  # type: ignore[attr-defined]
    assert "opens a block" not in capsys.readouterr().err
    saved = PromptClassifier(TEMPLATE, Verbalizer({"p": "good", "n": "bad"}), thinks).save(
        tmp_path / "saved"
    )
    assert pl.load(saved).model is thinks
    plain = PromptClassifier(
        TEMPLATE, Verbalizer({"p": "good", "n": "bad"}), pl.load_model(str(folder))
    )
    assert pl.load(plain.save(tmp_path / "plain")).model.thinking == "closed"  # type: ignore[attr-defined]


def test_a_study_s_section() -> None:
    from promptlab.study.spec.sections import ModelSection

    assert ModelSection(name="m", thinking=True).model_dump()["thinking"] is True
    assert "thinking" not in ModelSection(name="m", thinking=False).model_dump()
    with pytest.raises(ValueError, match="only local models"):
        ModelSection(name="remote:m@http://127.0.0.1:1/v1", thinking=True)


def test_model_check_says_what_is_done(tmp_path: Path) -> None:
    for part in made(QWEN):
        part.save_pretrained(tmp_path)
    run = CliRunner().invoke
    found = run(app, ["model", "check", str(tmp_path)])
    assert "reasoning" in found.stdout and "off: the chat template is told so" in found.stdout
    told = run(app, ["model", "check", str(tmp_path), "--model-option", "thinking=true", "--json"])
    assert json.loads(told.stdout)["thinking"] == "on"
    with pytest.raises(InputError, match="only remote models"):
        run(
            app,
            ["model", "check", str(tmp_path), "--model-option", "api=chat"],
            catch_exceptions=False,
        )
