"""What can be learned here, and settings with which something is seen to move soon."""

from __future__ import annotations

from dataclasses import dataclass, replace

METHODS = {
    "soft_prompt": "Soft prompt",
    "p_tuning": "P-tuning",
    "prefix": "Prefix",
    "triggers": "AutoPrompt",
    "finetune": "Fine-tune (LoRA)",
    "head": "Head",
}
"""Kinds of a study, and what they are called."""
ABOUT = {
    "soft_prompt": "Vectors in the prompt, learned by gradient; the model stays as it is.",
    "p_tuning": "Vectors anywhere in the prompt, made by a small LSTM while they are learned.",
    "prefix": "Keys and values learned for every layer; no word is near to them.",
    "triggers": "Real tokens, exchanged one by one where the gradient promises most.",
    "finetune": "The prompt stays; low-rank updates of the model's weights are learned.",
    "head": "No prompt: a linear layer on the model's reading of the text. The usual baseline.",
}
RATED = tuple(name for name in METHODS if name != "triggers")
"""Methods with a learning rate."""
WITH_TOKENS = ("soft_prompt", "p_tuning", "prefix", "triggers")
"""Methods that learn something token by token."""
QUICK = "bert-tiny"


@dataclass(frozen=True)
class DataPrompt:
    """A data set's text and question as a template has them, and words for its labels."""

    body: str
    tail: str
    answers: str


_SENTIMENT = DataPrompt("{text}", " It was {mask}", "negative: terrible\npositive: great")
DATA = {
    "rotten-tomatoes": _SENTIMENT,
    "sst2": _SENTIMENT,
    "boolq": DataPrompt("{passage} Question: {question}?", " Answer: {mask}", "no: no\nyes: yes"),
    "rte": DataPrompt(
        "{premise} Question: {hypothesis} True or false?",
        " Answer: {mask}",
        "entailment: true\nnot_entailment: false",
    ),
}
"""Pinned data sets with labels."""
OWN = "own"
"""Stands for an uploaded file where a data set is named."""


@dataclass(frozen=True)
class LearnPreset:
    """What the form asks for. ``shots`` are training examples a label.

    ``tried`` are AutoPrompt's candidates a step; dev is scored on ``dev`` examples, every
    ``every`` steps.
    """

    rates: str = ""
    steps: int = 60
    batch: int = 16
    tokens: int = 8
    tried: int = 24
    shots: int = 32
    dev: int = 100
    every: int = 4


_QUICK = {
    "soft_prompt": LearnPreset("0.3, 0.1"),
    "p_tuning": LearnPreset("0.01, 0.003", tokens=4),
    "prefix": LearnPreset("0.03, 0.01"),
    "triggers": LearnPreset(steps=48, batch=32, tokens=4),
    "finetune": LearnPreset("0.003, 0.001", steps=40),
    "head": LearnPreset("0.01, 0.001"),
}
_SLOW = {"steps": 16, "batch": 8, "shots": 16, "dev": 40}
"""A model of some hundred million parameters takes a second a step on a CPU."""


def learn_preset(method: str, model: str) -> LearnPreset:
    """Settings for a method on a model that show movement in well under a minute on a CPU."""
    quick = _QUICK[method]
    if model == QUICK:
        return quick
    slow = replace(quick, rates=quick.rates.rpartition(", ")[2], **_SLOW)
    return replace(slow, steps=10, batch=16, tried=8) if method == "triggers" else slow


def learn_template(method: str, given: DataPrompt, model: str, tokens: int) -> str:
    """A template with room for what the method learns; of a head the text that it reads."""
    filled = _is_masked(model)
    stop = "." if filled else ""  # a masked model would fill in the full stop
    match method:
        case "head":
            return given.body
        case "soft_prompt":
            return f"{given.body}{{soft:{tokens}}}{given.tail}{stop}"
        case "p_tuning":
            return f"{{soft:{tokens}}}{given.body}{{soft:{tokens}}}{given.tail}{stop}"
        case "triggers" if filled:
            return f"{{trigger:{tokens}}} {given.body}{given.tail} ."
        case "triggers":
            return f"{given.body} {{trigger:{tokens}}}{given.tail}"
        case _:
            return f"{given.body}{given.tail}{stop}"


def _is_masked(model: str) -> bool:
    """Whether a model's name says that it fills blanks; nothing is loaded to know."""
    return "bert" in model.lower()
