"""Import OpenPrompt 1.0.1, unmodified, beside today's transformers.

OpenPrompt was last released in 2022 and names modules that transformers has dropped since. They
are provided only while its files are being imported and are taken away again, so no other code
sees them.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from promptlab.assets.fetch import OPENPROMPT, fetch_wheel
from promptlab.errors import CapabilityError, TemplateError
from promptlab.interop.openprompt_text import parse_template_text

# Imported by OpenPrompt's trainers, data set readers and text metrics, never by its templates,
# verbalizers and models: where one is not installed, only the work that needs it is refused.
_OPTIONAL = ("datasets", "dill", "rouge", "tensorboardX")

_PARTS = (
    "openprompt",
    "openprompt.prompts",
    "openprompt.plms",
    "openprompt.data_utils",
    "openprompt.utils.calibrate",
)

_VECTOR = "<soft>"
"""Stands for a learned vector among the words of a prompt; it is never read."""

_lock = threading.RLock()
_loaded: list[ModuleType] = []


def load_openprompt() -> ModuleType:
    """Return the package ``openprompt`` 1.0.1, imported once in this process.

    Its pinned wheel is fetched, checked and unpacked on first use. Raises ``AssetError`` when
    that fails, ``CapabilityError`` when ``yacs``, its one real dependency, is not installed.
    """
    with _lock:
        if not _loaded:
            if importlib.util.find_spec("yacs") is None:
                raise CapabilityError(
                    "OpenPrompt needs yacs: pip install 'promptlab-workbench[openprompt]'"
                )
            _loaded.append(_import_from(fetch_wheel(OPENPROMPT)))
        return _loaded[0]


class OldTokenizer:
    """A tokenizer with what OpenPrompt asks of it and transformers has dropped.

    Everything else is the tokenizer's own, except that a missing padding token is replaced by
    the end token: OpenPrompt pads every prompt, and padding is masked out.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        mask = tokenizer("a", return_special_tokens_mask=True)
        ids, special = mask["input_ids"], mask["special_tokens_mask"]
        first = special.index(0)
        last = len(special) - special[::-1].index(0)
        self._before, self._after = ids[:first], ids[last:]
        self.pad_token_id = next(
            (i for i in (tokenizer.pad_token_id, tokenizer.eos_token_id) if i is not None), 0
        )

    def __getattr__(self, name: str) -> Any:
        if name == "_tokenizer":  # not there yet while being copied
            raise AttributeError(name)
        return getattr(self._tokenizer, name)

    def __call__(self, *texts: Any, **options: Any) -> Any:
        """The tokenizer's own encoding of texts."""
        return self._tokenizer(*texts, **options)

    def __len__(self) -> int:
        return len(self._tokenizer)

    @property
    def additional_special_tokens(self) -> list[str]:
        """T5's sentinels in their order, which OpenPrompt takes for the slots."""
        known = self._tokenizer.get_vocab()
        sentinels = (f"<extra_id_{number}>" for number in range(100))
        return [name for name in sentinels if name in known]

    @property
    def additional_special_tokens_ids(self) -> list[int]:
        """The ids of `additional_special_tokens`."""
        return list(self._tokenizer.convert_tokens_to_ids(self.additional_special_tokens))

    def build_inputs_with_special_tokens(self, token_ids: Sequence[int]) -> list[int]:
        """The ids with the special tokens that the tokenizer puts around one text."""
        return [*self._before, *token_ids, *self._after]

    def get_special_tokens_mask(self, token_ids: Sequence[int]) -> list[int]:
        """1 where `build_inputs_with_special_tokens` puts a special token, else 0."""
        return [1] * len(self._before) + [0] * len(token_ids) + [1] * len(self._after)


def _import_from(folder: Path) -> ModuleType:
    """Import OpenPrompt's modules from ``folder`` with the dropped names in place."""
    before = list(sys.path)
    sys.path.insert(0, str(folder))
    try:
        with _dropped_names(folder):
            for name in _PARTS:
                importlib.import_module(name)
    finally:
        # One of its modules appends "." to the search path: that must not stay either.
        sys.path[:] = [entry for entry in sys.path if entry in before]
    for name in ("openprompt.pipeline_base", "openprompt.utils.calibrate"):
        module: Any = sys.modules[name]
        module.tqdm = partial(module.tqdm, disable=True)  # a bar for every data loader
    _mend(sys.modules["openprompt.prompts"])
    return sys.modules["openprompt"]


def _mend(prompts: Any) -> None:
    """Replace what would evaluate template text, end the process, or work on one machine only."""
    base: Any = sys.modules["openprompt.prompt_base"]
    base.Template.parse_text = lambda _, text: parse_template_text(text)
    prompts.MixedTemplate.parse_text = lambda _, text: parse_template_text(text, soft=True)
    prompts.GenerationVerbalizer.parse_text = _refuse_rules
    written = prompts.MixedTemplate.incorporate_text_example

    def incorporate_text_example(self: Any, example: Any) -> list[str]:
        """Vectors without words have a text, too: on causal models empty ones are dropped."""
        parts = written(self, example)
        return [
            _VECTOR if number and not part else part
            for part, number in zip(parts, self.soft_token_ids, strict=True)
        ]

    prompts.MixedTemplate.incorporate_text_example = incorporate_text_example
    # Used before it is set where label words are given at once.
    prompts.KnowledgeableVerbalizer.max_token_split = -1
    knowledgeable: Any = sys.modules["openprompt.prompts.knowledgeable_verbalizer"]
    knowledgeable.print = lambda *_, **__: None
    train = prompts.ProtoVerbalizer.train_proto

    def train_proto(self: Any, model: Any, dataloader: Any, device: Any = None) -> None:
        """Learn the prototypes where the model is, on whatever device that may be."""
        train(self, model, [_Placed(batch, model.device) for batch in dataloader], device)

    prompts.ProtoVerbalizer.train_proto = train_proto


def _refuse_rules(_: Any, text: str) -> Any:
    raise TemplateError(
        "rules that write label words (is_rule) would be evaluated; give words", text=text
    )


class _Placed:
    """A batch that goes to one device, whichever is asked for."""

    def __init__(self, batch: Any, device: Any) -> None:
        self._batch, self._device = batch, device

    def to(self, _: Any) -> Any:
        """The batch on its device."""
        return self._batch.to(self._device)


@contextmanager
def _dropped_names(folder: Path) -> Iterator[None]:
    """Provide, for the time of the import, what OpenPrompt imports and cannot find."""
    modules: dict[str, ModuleType] = {}
    for package in _OPTIONAL:
        if importlib.util.find_spec(package) is None:
            modules[package] = _NotInstalled(package)

    import torch
    import transformers
    from transformers.utils.import_utils import is_datasets_available

    is_datasets_available()  # remembers its answer: let it look before the placeholder is there
    examples: Any = ModuleType("transformers.data.processors.utils")
    examples.InputExample = type("InputExample", (), {})
    examples.InputFeatures = type("InputFeatures", (), {})
    generation: Any = ModuleType("transformers.generation_utils")
    generation.GenerationMixin = transformers.GenerationMixin
    modules["transformers.data.processors"] = ModuleType("transformers.data.processors")
    modules["transformers.data.processors.utils"] = examples
    modules["transformers.generation_utils"] = generation

    # The first use of some names replaces the lazy module itself, and with it what it was lent.
    for name in _names_of_transformers(folder):
        getattr(transformers, name, None)
    top: Any = sys.modules["transformers"]
    tokenization: Any = importlib.import_module("transformers.tokenization_utils")
    names = {
        (top, "AdamW"): torch.optim.AdamW,
        (tokenization, "SPECIAL_TOKENS_MAP_FILE"): "special_tokens_map.json",
    }
    added = [module for module in modules if module not in sys.modules]
    lent = [(owner, name) for owner, name in names if not hasattr(owner, name)]
    sys.modules.update({module: modules[module] for module in added})
    for owner, name in lent:
        setattr(owner, name, names[owner, name])
    try:
        yield
    finally:
        for module in added:
            sys.modules.pop(module, None)
        for owner, name in lent:
            delattr(owner, name)


def _names_of_transformers(folder: Path) -> list[str]:
    """What OpenPrompt's files import from the package transformers itself."""
    found: set[str] = set()
    for path in sorted((folder / "openprompt").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "transformers":
                found |= {alias.name for alias in node.names}
    return sorted(found)


class _NotInstalled(ModuleType):
    """Stands for a package that OpenPrompt imports; using anything of it says what to install."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__spec__ = importlib.util.spec_from_loader(name, loader=None)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)

        def missing(*_: Any, **__: Any) -> Any:
            raise CapabilityError(
                f"this part of OpenPrompt uses {self.__name__}.{name}, and the package "
                f"{self.__name__} is not installed: pip install {self.__name__}"
            )

        return missing
