"""Small studies of every kind that can be killed, each seconds long on a tiny model.

A study is a document, how it is stored, and whether it asks an endpoint; its models are saved into
a folder by `save_models`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.helpers.study_fixtures import write_reviews

OWN = {"negative": "terrible", "positive": "great"}
WORDS = ({"negative": "bad", "positive": "good"}, {"negative": "cold", "positive": "witty"})
TEXTS = ("{text} It was {mask}.", "{text} A {mask} one.", "Review: {text} Sentiment: {mask}")
CALIBRATION = ["none", "contextual", "pmi", "batch"]


@dataclass(frozen=True)
class Soaked:
    """A study to be killed. ``storage`` may name ``{folder}``; ``moves``: between two runs."""

    document: Mapping[str, Any]
    storage: str | None = None
    moves: bool = False
    fills: bool = False
    asks: bool = False


def save_models(folder: Path) -> None:
    """A masked and a causal model of random weights, as folders *masked* and *causal*."""
    from tests.helpers import tiny_models

    for name, make in (("masked", tiny_models.bert), ("causal", tiny_models.llama)):
        if (folder / name).exists():
            continue
        model, tokenizer = make()
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)


def soaked_studies(folder: Path, endpoint: str) -> dict[str, Soaked]:
    """Every study by its name; data and models are in ``folder``."""
    data = folder / "reviews.csv"
    if not data.exists():
        write_reviews(data, rows=150)
    make = _Maker(folder, data, endpoint)
    wide = [_templates(verbalizers=["own", *WORDS], calibration=CALIBRATION), _shown()]
    return {
        "ties": Soaked(make("ties", [_templates(count=1, tied=6), _shown()], dev=12, block=4)),
        "exhaustive": Soaked(make("exhaustive", wide, sampler="exhaustive", trials=24)),
        "tpe": Soaked(make("tpe", wide, sampler="tpe", trials=20)),
        "random": Soaked(make("random", wide, sampler="random", trials=20)),
        "nsga2": Soaked(
            make("nsga2", wide, sampler="nsga2", trials=20, objectives=["accuracy", "tokens"])
        ),
        "gp": Soaked(make("gp", wide, sampler="gp", trials=14)),
        **{
            f"tpe-{name}": Soaked(
                make(f"tpe-{name}", wide, sampler="tpe", trials=16, pruner=name, block=5)
            )
            for name in ("median", "wilcoxon", "halving", "hyperband")
        },
        "queued-median": Soaked(make("queued-median", wide, pruner="median", block=5, trials=24)),
        "curve": Soaked(make.curve()),
        "soft": Soaked(make("soft", [_templates(count=1), _soft()], model="causal", trials=8)),
        "soft-median": Soaked(
            make("soft-median", [_soft()], model="causal", trials=8, pruner="median", sampler="tpe")
        ),
        **{
            f"soft-{name}": Soaked(
                make(f"soft-{name}", [_soft()], model="causal", trials=8, pruner=name)
            )
            for name in ("halving", "hyperband")
        },
        "triggers-median": Soaked(
            make("triggers-median", [_triggers()], trials=6, pruner="median", sampler="tpe")
        ),
        "triggers": Soaked(make("triggers", [_templates(count=1), _triggers()], trials=8)),
        "ensemble": Soaked(make("ensemble", [_templates(), _ensemble()], trials=30)),
        "after": Soaked(
            make(
                "after",
                [_templates(count=2), _soft(init=["best"], learning_rate=[0.3]), _ensemble()],
                model="causal",
                trials=16,
            )
        ),
        "consistency": Soaked(make.remote("consistency", _consistency()), asks=True),
        "thought": Soaked(make.remote("thought", _thought(), baseline="template"), asks=True),
        "storage": Soaked(
            make("storage", wide, sampler="tpe", trials=16), "sqlite:///{folder}/elsewhere.db"
        ),
        "journal": Soaked(
            make("journal", wide, sampler="tpe", trials=16), "journal:{folder}/elsewhere.journal"
        ),
        "moved": Soaked(make("moved", wide, trials=24), moves=True),
        "moved-tpe": Soaked(make("moved-tpe", wide, sampler="tpe", trials=16), moves=True),
        "moved-soft": Soaked(make("moved-soft", [_soft()], model="causal", trials=8), moves=True),
        "full-thought": Soaked(make.remote("full-thought", _thought()), asks=True, fills=True),
        "full": Soaked(make("full", wide, trials=24), fills=True),
        "full-soft": Soaked(
            make("full-soft", [_templates(count=1), _soft()], model="causal", trials=8), fills=True
        ),
    }


class _Maker:
    """Documents over one file and the models of one folder."""

    def __init__(self, folder: Path, data: Path, endpoint: str) -> None:
        self._folder = folder
        self._endpoint = endpoint
        self._data = data

    def __call__(
        self,
        name: str,
        candidates: list[dict[str, Any]],
        *,
        dev: int = 40,
        trials: int = 50,
        model: str = "masked",
        **changes: Any,
    ) -> dict[str, Any]:
        document = {
            "study": name,
            "task": {"data": str(self._data), "train": 20, "dev": dev, "test": 40},
            "model": {"name": str(self._folder / model), "device": "cpu", "dtype": "float32"},
            "candidates": candidates,
            "budget": {"trials": trials},
            "block": 10,
        }
        return document | changes

    def curve(self) -> dict[str, Any]:
        """A learning curve with a method that learns."""
        plain = {"kind": "template", "templates": [{"text": TEXTS[0], "answers": OWN}]}
        shown = {"kind": "demonstrations", "templates": plain["templates"], "count": [2]}
        document = self("curve", [], model="causal") | {
            "kind": "learning_curve",
            "sizes": [0, 2, 4],
            "seeds": [13, 21],
            "methods": [
                plain | {"name": "plain"},
                shown | {"name": "demonstrations"},
                _soft(learning_rate=[0.3], seed=[1]) | {"name": "soft"},
            ],
            "baseline": "plain",
        }
        del document["candidates"], document["budget"]
        return document

    def remote(self, name: str, group: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """A study that asks the endpoint, beside plain prompts that do."""
        plain = {"kind": "template", "templates": _asking()}
        found = self(name, [plain, group], dev=20, trials=8, **changes)
        found["task"] |= {"test": 20}
        found["model"] = {
            "name": "m",
            "endpoint": self._endpoint,
            "price": {"input": 100.0, "output": 1000.0},
            "concurrency": 4,
            "retries": 6,
        }
        return found


def _templates(count: int = 3, tied: int = 0, **changes: Any) -> dict[str, Any]:
    """Templates; ``tied`` of them render alike for the model but for a comma that it reads."""
    texts = [*TEXTS[:count], *(f"{'.' * n} {TEXTS[0]}" for n in range(1, tied + 1))]
    return {"kind": "template", "templates": [{"text": t, "answers": OWN} for t in texts]} | changes


def _shown() -> dict[str, Any]:
    return {
        "kind": "demonstrations",
        "templates": [{"text": TEXTS[0], "answers": OWN}],
        "count": [1, 2],
    }


def _soft(**changes: Any) -> dict[str, Any]:
    return {
        "kind": "soft_prompt",
        "templates": [{"text": TEXTS[0].replace("{mask}.", "{mask}"), "answers": OWN}],
        "length": [3],
        "learning_rate": [0.1, 0.3, 1.0],
        "seed": [1, 2],
        "steps": 24,
        "evaluate_every": 4,
    } | changes


def _triggers() -> dict[str, Any]:
    return {
        "kind": "triggers",
        "templates": [{"text": "{text} {trigger:2} {mask}", "answers": OWN}],
        "steps": [6],
        "top": [8],
        "sample": [8],
        "batch": [8],
        "seed": [1, 2, 3],
    }


def _ensemble() -> dict[str, Any]:
    return {"kind": "ensemble", "top": [2, 3], "method": ["majority", "mean"]}


def _asking() -> list[dict[str, Any]]:
    parser = {"type": "choice", "choices": {"positive": ["positive"], "negative": ["negative"]}}
    texts = ("Review: {text} Sentiment: {mask}", "Guess: {text} {mask}")
    return [
        {"name": name, "text": text, "parser": parser}
        for name, text in zip(("ask", "guess"), texts, strict=True)
    ]


def _consistency() -> dict[str, Any]:
    inner = {"kind": "template", "templates": _asking(), "decoding": {"temperature": 0.7}}
    return {"kind": "self_consistency", "samples": [3], "inner": inner}


def _thought() -> dict[str, Any]:
    return {"kind": "chain_of_thought", "templates": _asking(), "mode": ["zero_shot"]}
