"""One pool of models a process: loaded once, shared, the least used evicted for memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

from promptlab.models.language_model import LanguageModel
from promptlab.models.loading import load


class ModelPool:
    """Keeps at most ``size`` models; the one used longest ago goes first."""

    def __init__(self, size: int = 2) -> None:
        self.size = size
        self._models: OrderedDict[tuple[Any, ...], LanguageModel] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: str, **options: Any) -> LanguageModel:
        """The loaded model, loading it at the first call with these options."""
        key = (name, *sorted(options.items()))
        with self._lock:
            if key not in self._models:
                while len(self._models) >= self.size:
                    self._models.popitem(last=False)
                self._models[key] = load(name, **options)
            self._models.move_to_end(key)
            return self._models[key]


POOL = ModelPool()


def load_model(name: str = "smollm2-135m", **options: Any) -> LanguageModel:
    """A language model by pinned name, folder or Hugging Face id, loaded once a process.

    Options: ``device`` (auto, cpu, cuda), ``dtype`` (auto, float32, bfloat16, float16),
    ``revision``, ``family``, ``deterministic``, ``cache``. Raises `InputError` or `AssetError`.
    """
    return POOL.get(name, **options)
