"""Import OpenPrompt 1.0.1, unmodified, beside today's transformers.

OpenPrompt was last released in 2022 and names modules that transformers has dropped since. They
are provided only while its files are being imported and are taken away again, so no other code
sees them.
"""

from __future__ import annotations

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

from promptlab.errors import CapabilityError
from promptlab.models.assets import OPENPROMPT, fetch_wheel

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
    """A tokenizer with the two methods that OpenPrompt calls and transformers has dropped.

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
        with _dropped_names():
            for name in _PARTS:
                importlib.import_module(name)
    finally:
        # One of its modules appends "." to the search path: that must not stay either.
        sys.path[:] = [entry for entry in sys.path if entry in before]
    pipeline: Any = sys.modules["openprompt.pipeline_base"]
    pipeline.tqdm = partial(pipeline.tqdm, disable=True)  # a bar for every data loader
    return sys.modules["openprompt"]


@contextmanager
def _dropped_names() -> Iterator[None]:
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

    # Looked up only now: the first use of a class may replace the lazy module itself.
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
