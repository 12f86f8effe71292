"""How far a call travels: the files, functions and values between a request and its answer.

``python studies/bench/call_path.py --json``

Three calls on a tiny masked and a tiny causal model, made here of random weights: a whole ``study
run`` with two template candidates, one example scored, and one reply generated. Each is made once
unseen and once counted, so that imports and what is built once are left out (the study's second run
has a name of its own, and a copy of the model, so that it is loaded in it). Counted are

- files of promptlab in which a function was entered, and different functions entered,
- calls: entries of functions (a generator counts when it begins, not when it goes on),
- moves: entries from another file of promptlab than the one entered,
- values: classes of promptlab that were made, in the order of their first making.

Only what promptlab's own files do is counted; a callback through a library counts as a move from
the file that called the library.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import dis
import inspect
import io
import json
import os
import shutil
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import yaml

import promptlab as pl
from promptlab.cli import main as command_line
from promptlab.prompts.parsers.parsers import TextParser

_ROOT = Path(pl.__file__).parent
_MADE_BY_DATACLASSES = "<string>"
_GENERATORS = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_SENTENCES = [
    (f"the {thing} was {word} and {other} .", label)
    for thing in ("film", "plot", "soup")
    for label, words in (
        ("positive", ("great", "good", "witty")),
        ("negative", ("bad", "dull", "cold")),
    )
    for word in words
    for other in words
    if word != other
]


class CallCounter:
    """Counts entries of promptlab's functions while it is in force, in all threads."""

    def __init__(self) -> None:
        self.files: Counter[str] = Counter()
        self.functions: Counter[tuple[str, str]] = Counter()
        self.moves: Counter[tuple[str, str]] = Counter()
        self.values: Counter[str] = Counter()
        self._names: dict[CodeType, str | None] = {}
        self._starts: dict[CodeType, set[int]] = {}

    @contextlib.contextmanager
    def in_force(self) -> Iterator[None]:
        """Count until the block ends."""
        threading.setprofile(self._note)
        sys.setprofile(self._note)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    def facts(self, most: int) -> dict[str, Any]:
        """Counts as JSON data, with the ``most`` frequent moves and files."""
        return {
            "files": len(self.files),
            "functions": len(self.functions),
            "calls": sum(self.files.values()),
            "moves": sum(self.moves.values()),
            "different_moves": len(self.moves),
            "values_made": sum(self.values.values()),
            "value_classes": len(self.values),
            "most_moves": [[a, b, count] for (a, b), count in self.moves.most_common(most)],
            "most_calls": [
                [file, name, count] for (file, name), count in self.functions.most_common(most)
            ],
            "values": list(self.values.items()),
        }

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call":
            return
        code = frame.f_code
        if code.co_name == "__init__":
            self._note_value(frame)
        file = self._file(code)
        if file is None or not self._begins(frame):
            return
        self.files[file] += 1
        self.functions[file, code.co_qualname] += 1
        caller = frame.f_back
        while caller is not None and self._file(caller.f_code) is None:
            caller = caller.f_back
        if caller is not None and (source := self._names[caller.f_code]) not in (None, file):
            self.moves[str(source), file] += 1

    def _note_value(self, frame: FrameType) -> None:
        """One more object of a class of promptlab, once for all its classes' ``__init__``."""
        code = frame.f_code
        caller = frame.f_back
        if not code.co_varnames or (caller is not None and caller.f_code.co_name == "__init__"):
            return
        made = type(frame.f_locals.get(code.co_varnames[0]))
        if made.__module__.partition(".")[0] == "promptlab":
            self.values[made.__qualname__] += 1

    def _file(self, code: CodeType) -> str | None:
        """The file of a function of promptlab, none for modules, classes and other packages."""
        if code not in self._names:
            inside = code.co_filename.startswith(f"{_ROOT}{os.sep}")
            is_function = bool(code.co_flags & inspect.CO_OPTIMIZED)
            path = os.path.relpath(code.co_filename, _ROOT) if inside and is_function else None
            self._names[code] = path
        return self._names[code]

    def _begins(self, frame: FrameType) -> bool:
        """Whether a function begins, which a generator that goes on does not."""
        code = frame.f_code
        if not code.co_flags & _GENERATORS:
            return True
        if code not in self._starts:
            resumes = [step for step in dis.get_instructions(code) if step.opname == "RESUME"]
            self._starts[code] = {step.offset for step in resumes if not (step.arg or 0) & 3}
        return frame.f_lasti in self._starts[code]


def make_models(folder: Path) -> tuple[Path, Path]:
    """A masked and a causal model of random weights, saved with a tokenizer of whole words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import (
        BertConfig,
        BertForMaskedLM,
        GPT2Config,
        GPT2LMHeadModel,
        PreTrainedTokenizerFast,
    )

    words = sorted({word for text, _ in _SENTENCES for word in text.split()} | {*"It A a one"})
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {word: number for number, word in enumerate([*specials, "terrible", *words])}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token=specials[1]))
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    roles = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    named = dict(zip(roles, specials, strict=True))
    size = len(vocabulary)
    torch.manual_seed(0)
    bert = BertConfig(
        vocab_size=size,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=256,
    )
    gpt2 = GPT2Config(
        vocab_size=size,
        n_embd=16,
        n_layer=2,
        n_head=2,
        n_positions=256,
        bos_token_id=3,
        eos_token_id=3,
    )
    masked, causal = folder / "masked", folder / "causal"
    BertForMaskedLM(bert).save_pretrained(masked)
    PreTrainedTokenizerFast(tokenizer_object=core, **named).save_pretrained(masked)
    core.post_processor = processors.TemplateProcessing(single="$A")
    GPT2LMHeadModel(gpt2).save_pretrained(causal)
    named = {"pad_token": "[PAD]", "unk_token": "[UNK]", "eos_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=core, **named).save_pretrained(causal)
    return masked, causal


def write_study(folder: Path, name: str, model: Path) -> Path:
    """A study file of two templates, and its data beside it."""
    with (folder / "reviews.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label"])
        writer.writerows(_SENTENCES)
    answers = {"negative": "terrible", "positive": "great"}
    document = {
        "study": name,
        "task": {"data": "reviews.csv", "train": 8, "dev": 10, "test": 10},
        "model": {"name": str(model), "device": "cpu"},
        "candidates": [
            {
                "kind": "template",
                "templates": [
                    {"text": "{text} It was {mask} .", "answers": answers},
                    {"text": "{text} A {mask} one .", "answers": answers},
                ],
            }
        ],
        "budget": {"trials": 2},
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


def run_command(*words: str) -> None:
    """A command of promptlab in this process, unseen. Raises `SystemExit` if it fails."""
    before, sys.argv = sys.argv, ["promptlab", *words]
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            command_line()
    except SystemExit as stop:
        if stop.code:
            raise
    finally:
        sys.argv = before


def counted(warm: Callable[[], Any], call: Callable[[], Any], most: int) -> dict[str, Any]:
    """What ``call`` does after ``warm`` has been called."""
    warm()
    counter = CallCounter()
    with counter.in_force():
        call()
    return counter.facts(most)


def call_paths(folder: Path, most: int) -> dict[str, dict[str, Any]]:
    """The counts of the three calls."""
    masked, causal = make_models(folder)
    copy = folder / "masked-again"
    shutil.copytree(masked, copy)
    first, second = write_study(folder, "first", masked), write_study(folder, "second", copy)
    runs = str(folder / "runs")
    study = counted(
        lambda: run_command("study", "run", str(first), "--runs", runs),
        lambda: run_command("study", "run", str(second), "--runs", runs),
        most,
    )
    classifier = pl.PromptClassifier(
        pl.Template("{text} It was {mask} ."),
        pl.Verbalizer({"negative": "terrible", "positive": "great"}),
        pl.load_model(str(masked), device="cpu", cache=False),
    )
    generator = pl.PromptGenerator(
        pl.Template("{text} It was {mask}"),
        TextParser(),
        pl.load_model(str(causal), device="cpu", cache=False),
        decoding=pl.Decoding(max_tokens=4),
    )
    examples = [pl.Example(str(n), {"text": text}) for n, (text, _) in enumerate(_SENTENCES[:2])]
    scored = counted(
        lambda: classifier.predict(examples[:1]), lambda: classifier.predict(examples[1:]), most
    )
    generated = counted(
        lambda: generator.predict(examples[:1]), lambda: generator.predict(examples[1:]), most
    )
    return {"study run": study, "one example scored": scored, "one reply generated": generated}


def lines(name: str, facts: dict[str, Any]) -> Iterator[str]:
    """The counts of one call for people."""
    yield (
        f"{name}: {facts['files']} files, {facts['functions']} functions, {facts['calls']} calls, "
        f"{facts['moves']} moves between files ({facts['different_moves']} different), "
        f"{facts['values_made']} values of {facts['value_classes']} classes"
    )
    yield "  most frequent moves:"
    yield from (f"    {count:6}  {a} -> {b}" for a, b, count in facts["most_moves"])
    yield "  most frequent calls:"
    yield from (f"    {count:6}  {file}: {name}" for file, name, count in facts["most_calls"])
    yield f"  values: {' '.join(f'{name}({count})' for name, count in facts['values'])}"


def main() -> None:
    """Read the arguments, count, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=25, help="so many moves and calls are told")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = call_paths(Path(folder), options.most)
    if options.json:
        print(json.dumps(paths, indent=2))
        return
    for name, facts in paths.items():
        print("\n".join(lines(name, facts)))


if __name__ == "__main__":
    main()
