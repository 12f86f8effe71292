"""Run in a process of its own: OpenPrompt's templates and verbalizers on three families.

Nothing else has been imported before OpenPrompt is loaded. Prints one JSON document.
"""

# ruff: noqa: E402 - the order of the imports is what is tried here
from __future__ import annotations

import json

from promptlab.interop.openprompt import (
    load_openprompt,
    manual_template,
    mixed_template,
    openprompt_examples,
    openprompt_model,
    ptuning_template,
    soft_template,
)

load_openprompt()

from typing import Any

import torch
from openprompt import PromptDataLoader, PromptForClassification
from openprompt.prompts import (
    AutomaticVerbalizer,
    KnowledgeableVerbalizer,
    ManualVerbalizer,
    ProtoVerbalizer,
    SoftVerbalizer,
)

from promptlab.data.example import Example
from tests.helpers import tiny_models

LABELS = ("negative", "positive")
WORDS = {"negative": ["bad"], "positive": ["good"]}
MANY = {"negative": ["bad", "awful"], "positive": ["good", "great"]}
TEXTS = ("a dull slow film", "a charming journey", "the soup was cold", "a gorgeous witty film")
EXAMPLES = [Example(str(n), {"text_a": text}, LABELS[n % 2]) for n, text in enumerate(TEXTS)]

FIELD = '{"placeholder": "text_a", "post_processing": lambda s: s.rstrip(".") + " ."}'
PLAIN = FIELD + ' It was {"mask"}'
MIXED = FIELD + ' {"soft": "It was"} {"mask"}'
SHARED = '{"placeholder": "text_a"} {"soft": None, "duplicate": 3, "same": True} It was {"mask"}'
VECTORS = (
    '{"placeholder": "text_a"} {"soft": None, "duplicate": 2} {"soft_id": 1, "soft": "It"} was '
    '{"soft_id": 1} {"mask"}'
)
VERBALIZERS = ("manual", "soft", "automatic", "proto", "knowledgeable")


def templates(plm: Any, tokenizer: Any) -> dict[str, Any]:
    """One of every kind."""
    return {
        "manual": manual_template(tokenizer, PLAIN),
        "mixed": mixed_template(plm, tokenizer, MIXED),
        "mixed, shared": mixed_template(plm, tokenizer, SHARED),
        "mixed, soft_id": mixed_template(plm, tokenizer, VECTORS),
        "soft": soft_template(plm, tokenizer, PLAIN, tokens=3),
        "p-tuning, lstm": ptuning_template(plm, tokenizer, VECTORS),
        "p-tuning, mlp": ptuning_template(plm, tokenizer, VECTORS, encoder="mlp"),
    }


def verbalizer(name: str, plm: Any, tokenizer: Any) -> Any:
    """One of OpenPrompt's own."""
    classes, words = list(LABELS), {label: list(words) for label, words in WORDS.items()}
    match name:
        case "manual":
            return ManualVerbalizer(tokenizer, classes=classes, label_words=words)
        case "soft":
            return SoftVerbalizer(tokenizer, plm, classes=classes, label_words=["bad", "good"])
        case "automatic":
            return AutomaticVerbalizer(
                tokenizer, classes=classes, num_candidates=20, label_word_num_per_class=2
            )
        case "proto":
            return ProtoVerbalizer(tokenizer, plm, classes=classes, label_words=words, mid_dim=8)
        case _:
            return KnowledgeableVerbalizer(tokenizer, classes=classes, label_words=MANY)


def run(pair: tuple[Any, Any]) -> dict[str, Any]:
    """Every template with every verbalizer on one model."""
    found: dict[str, Any] = {}
    for kind in templates(*openprompt_model(*pair)[:2]):
        for name in VERBALIZERS:
            torch.manual_seed(13)
            plm, tokenizer, _, wrapper = openprompt_model(*pair)
            template = templates(plm, tokenizer)[kind]
            model = PromptForClassification(
                plm, template, verbalizer(name, plm, tokenizer), freeze_plm=True
            )
            loader = PromptDataLoader(
                openprompt_examples(EXAMPLES, LABELS),
                template,
                tokenizer=tokenizer,
                tokenizer_wrapper_class=wrapper,
                max_seq_length=48,
                decoder_max_length=4,
                batch_size=len(EXAMPLES),
            )
            found[f"{kind} / {name}"] = step(model, loader, name)
            if (kind, name) == ("manual", "manual"):
                found[f"{kind} / {name}"] |= plain(pair, model, loader)
    return found


def step(model: Any, loader: Any, name: str) -> dict[str, Any]:
    """Predict, learn once, predict again; how much was learned where."""
    if name == "automatic":
        model.train()
        for batch in loader:
            model(batch)
        model.verbalizer.optimize_to_initialize()
    if name == "proto":
        model.verbalizer.train_proto(model, loader)
    model.eval()
    (before,) = (model(batch) for batch in loader)
    learned = [p for p in model.parameters() if p.requires_grad]
    change = 0.0
    if learned:
        (loss,) = (
            torch.nn.functional.cross_entropy(model(batch), batch["label"]) for batch in loader
        )
        loss.backward()
        change = float(sum(p.grad.abs().sum() for p in learned if p.grad is not None))
        torch.optim.SGD(learned, lr=0.5).step()
    (after,) = (model(batch) for batch in loader)
    return {
        "logits": before.detach().tolist(),
        "parameters": len(learned),
        "gradient": change,
        "moved": float((after - before).detach().abs().max()),
    }


@torch.inference_mode()
def plain(pair: tuple[Any, Any], model: Any, loader: Any) -> dict[str, Any]:
    """The slots as OpenPrompt computes them, and by unpadded forwards of transformers alone."""
    network, tokenizer = pair
    (slots,) = (model.forward_without_verbalize(batch) for batch in loader)
    (batch,) = loader
    expected, shown = [], []
    for row in range(len(EXAMPLES)):
        ids = batch["input_ids"][row][: int(batch["attention_mask"][row].sum())]
        slot = int(batch["loss_ids"][row].clamp(min=0).argmax())
        more = {}
        if "decoder_input_ids" in batch:
            more = {"decoder_input_ids": batch["decoder_input_ids"][row][None, : slot + 1]}
        expected.append(network(input_ids=ids[None], **more).logits[0, slot].tolist())
        shown.append(tokenizer.decode(ids))
    return {"slots": slots.tolist(), "expected": expected, "shown": shown}


if __name__ == "__main__":
    made = {"bert": tiny_models.bert(), "gpt2": tiny_models.gpt2(), "t5": tiny_models.t5()}
    print(json.dumps({name: run(pair) for name, pair in made.items()}))
