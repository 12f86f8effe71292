"""Model folders that somebody else has written, or damaged: loaded, and asked."""

from __future__ import annotations

import json
import pickle
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from promptlab.models.loading import load
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.template import Template
from tests.fuzz._mutation import STRANGE, damage, fresh_copy, remove
from tests.fuzz.harness import Attempt
from tests.helpers import tiny_models

PROMPT = Template("the film . It was {mask}").render({})
MADE = {
    "llama": tiny_models.llama, "gpt2": tiny_models.gpt2, "bert": tiny_models.bert,
    "t5": tiny_models.t5, "gemma2": tiny_models.gemma2,
}  # fmt: skip
_BIG = (0, -1, 1, 3, 10**5, 10**7, 10**9, 10**12, 2.5, "8", None, [8], True)


class _Canary:
    def __reduce__(self) -> Any:
        return (print, ("a pickle was opened",))


def attempts(rng: random.Random, folder: Path) -> Iterator[Attempt]:
    """Tiny real models with one thing in their folders changed."""
    saved = {}
    for name, make in MADE.items():
        for part in make():
            part.save_pretrained(folder / "saved" / name)
        saved[name] = folder / "saved" / name
    others = [path for path in (folder / "saved").rglob("*") if path.is_file()]
    ways: list[Callable[[Path, random.Random], str]] = [_resize, _point_elsewhere, _add]
    while True:
        name = rng.choice(list(saved))
        work = fresh_copy(saved[name], folder / "work")
        if rng.random() < 0.6:
            label, _ = damage(work, rng, others)
        else:
            label = rng.choice(ways)(work, rng)
        yield f"{name} {label}", lambda work=work: _asked(work)


def _asked(work: Path) -> object:
    model = load(str(work), device="cpu", dtype="float32", cache=False)
    found = model.score([PROMPT], ["great", "bad"]).logprobs
    if "generate" in model.capabilities:
        model.generate([PROMPT], Decoding(max_tokens=2))
    if "chat" in model.capabilities:
        model.generate([Template("{text} {mask}", chat=True).render({"text": "x"})], Decoding(2))
    return found


def _resize(work: Path, rng: random.Random) -> str:
    """Another number in the configuration."""
    path = work / "config.json"
    config = json.loads(path.read_text())
    numbers = [key for key, value in config.items() if isinstance(value, int)]
    key = rng.choice(numbers)
    config[key] = rng.choice(_BIG)
    path.write_text(json.dumps(config))
    return f"{key} = {config[key]}"


def _point_elsewhere(work: Path, rng: random.Random) -> str:
    """An index, a setting or an adapter that names another file."""
    (work / "x.bin").write_bytes(pickle.dumps(_Canary()))
    name = rng.choice(["x.bin", "../x.bin", "/etc/passwd", "model.safetensors", *STRANGE])
    match rng.randrange(3):
        case 0:
            names = list(load_file(work / "model.safetensors"))
            (work / "model.safetensors").rename(work / "part.safetensors")
            index = {"weight_map": dict.fromkeys(names, name)}
            (work / "model.safetensors.index.json").write_text(json.dumps(index))
            return f"an index of {name!r:.40}"
        case 1:
            config = json.loads((work / "config.json").read_text()) | {"transformers_weights": name}
            (work / "config.json").write_text(json.dumps(config))
            return f"weights in {name!r:.40}"
        case _:
            adapter = {"peft_type": "LORA", "base_model_name_or_path": name, "r": 1}
            (work / "adapter_config.json").write_text(json.dumps(adapter))
            (work / "adapter_model.bin").write_bytes(pickle.dumps(_Canary()))
            return f"an adapter of {name!r:.40}"


def _add(work: Path, rng: random.Random) -> str:
    """A file that a library may look for, holding a pickle, noise or a strange value."""
    name = rng.choice([
        "pytorch_model.bin", "training_args.bin", "tokenizer.model", "spiece.model", "vocab.json",
        "vocab.txt", "merges.txt", "tekken.json", "added_tokens.json", "special_tokens_map.json",
        "generation_config.json", "chat_template.jinja", "chat_template.json", "configuration.py",
        "modeling.py", "adapter_model.safetensors", "shard-00000-model-00001-of-00001.safetensors",
        "processor_config.json", "custom_generate", "quantize_config.json", "x.gguf",
    ])  # fmt: skip
    content = rng.choice([
        pickle.dumps(_Canary()), b"", rng.randbytes(40), json.dumps(rng.choice(STRANGE)).encode(),
        b"import this", b"{{ messages[0] }}{{ raise_exception(1) }}", b"{% for", b"{{ 1 / 0 }}",
    ])  # fmt: skip
    remove(work / name)
    (work / name).write_bytes(content)
    if rng.random() < 0.3:
        remove(work / "tokenizer.json")
    return f"{name} = {content[:30]!r}"
