"""One pool of models a process: loaded once, shared, the least used evicted for memory."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

from promptlab.errors import InputError
from promptlab.files.provenance import note_input
from promptlab.models.base import LanguageModel
from promptlab.models.remote.endpoint import is_remote

_LOADING = threading.Lock()
"""Local models are loaded one by one: transformers sets torch's default dtype meanwhile."""
_LOCAL = frozenset({"device", "dtype", "revision", "family", "deterministic", "cache", "thinking"})

_Key = tuple[str, str, str]
"""A model's name, its options, and the state of its files."""


def load(name: str, **options: Any) -> LanguageModel:
    """A new model: at an endpoint, or with its weights on this machine."""
    if is_remote(name, options.get("endpoint")):
        from promptlab.models.remote.model import load_remote

        return load_remote(name, **options)
    strange = sorted(options.keys() - _LOCAL)
    if strange:
        raise InputError(
            f"{', '.join(strange)}: {name} is a local model, whose options are "
            f"{', '.join(sorted(_LOCAL))}; name a remote one as remote:MODEL@URL"
        )
    from promptlab.models.loading import load as load_local

    return load_local(name, **options)


class ModelPool:
    """Keeps at most ``size`` local models; the one used longest ago goes first.

    Remote models take no memory and stay. Used by several threads: who wants a model that is
    being loaded waits for it, and nobody else does. A load that failed leaves nothing behind.
    """

    def __init__(self, size: int = 2) -> None:
        self.size = size
        self._models: OrderedDict[_Key, LanguageModel] = OrderedDict()
        self._lock = threading.Lock()
        self._gates: dict[_Key, threading.Lock] = {}

    def get(self, name: str, **options: Any) -> LanguageModel:
        """The loaded model, loading it at the first call with these options.

        A model whose files have changed since is loaded anew.
        """
        key = (name, json.dumps(options, sort_keys=True, default=str), _state(name, options))
        with self._lock:
            if key in self._models:
                return self._used(key)
            gate = self._gates.setdefault(key, threading.Lock())
        with gate:
            with self._lock:
                if key in self._models:  # loaded while we waited
                    return self._used(key)
            model = self._loaded(name, options)
            with self._lock:
                for old in [k for k in self._models if k[:2] == key[:2]]:
                    del self._models[old]  # of the files that were there before
                self._models[key] = model
                return self._used(key)

    def put(self, model: LanguageModel) -> None:
        """Keep a model that is loaded already under its name: `get` gives it from now on."""
        key = (model.name, json.dumps({}), _state(model.name, {}))
        with self._lock:
            self._models[key] = model

    def _used(self, key: _Key) -> LanguageModel:
        self._models.move_to_end(key)
        return self._models[key]

    def _loaded(self, name: str, options: dict[str, Any]) -> LanguageModel:
        """A new model; a local one after room was made for it, and no two of them at once."""
        if is_remote(name, options.get("endpoint")):
            return load(name, **options)
        with _LOADING:
            with self._lock:
                local = [key for key, model in self._models.items() if model.family != "remote"]
                for old in local[: max(0, len(local) - self.size + 1)]:
                    del self._models[old]
            return load(name, **options)


def _state(name: str, options: dict[str, Any]) -> str:
    if is_remote(name, options.get("endpoint")):
        return ""
    from promptlab.models.content_hash import folder_state
    from promptlab.models.model_name import check_model_name

    check_model_name(name)
    try:
        return folder_state(name, options.get("revision"))
    except OSError as error:
        raise InputError(
            f"the model {name} cannot be read ({error}); name a folder that holds config.json"
        ) from error


POOL = ModelPool()
_named_options: ContextVar[Mapping[str, Mapping[str, Any]]] = ContextVar(
    "options_of_models", default=MappingProxyType({})
)


def load_model(name: str = "smollm2-135m", **options: Any) -> LanguageModel:
    """Load a language model, once a process: a second call with the same options gives the same.

    Args:
        name: A pinned name (`model_names`), a folder with safetensors, a GGUF file, a Hugging Face
            id (``owner/name``), or ``remote:MODEL@URL`` for an OpenAI-compatible endpoint.
        options: For a local model ``device`` (*auto*, *cpu*, *cuda*, *mps*), ``dtype`` (*auto*,
            *float32*, *bfloat16*, *float16*), ``revision`` (of a Hugging Face id), ``family``
            (*causal*, *masked*, *seq2seq*, where the folder does not say), ``deterministic`` (one
            row at a time in float32), ``cache`` (features on disk, on by default) and
            ``thinking`` (whether a model that can reasons before it writes). For a remote one
            ``endpoint`` (the URL, if the name has none) and those of `RemoteOptions`.

    Returns:
        A local or a remote model.

    Raises:
        InputError: A name, folder or option that cannot be used.
        AssetError: The model is not here and cannot be fetched.

    Example:
        >>> remote = pl.load_model("remote:my-model@http://localhost:8000/v1", cache=False)
        >>> remote.family, sorted(remote.capabilities)
        ('remote', ['chat', 'generate'])
        >>> pl.load_model("no/such/folder/")
        Traceback (most recent call last):
        promptlab.errors.InputError: there is no model 'no/such/folder/' here, ...
    """
    return POOL.get(name, **{**_named_options.get().get(name, {}), **options})


@contextmanager
def model_options(options: Mapping[str, Mapping[str, Any]]) -> Iterator[None]:
    """While inside, models of these names are loaded with these options, unless others are given.

    So a study says once what an endpoint costs that one of its candidates names.

    Args:
        options: The options of `load_model` for every name.

    Example:
        >>> name = "remote:m@http://localhost:8000/v1"
        >>> with model_options({name: {"price": {"input": 1.0, "output": 2.0}, "cache": False}}):
        ...     load_model(name).options.price.output
        2.0
    """
    before = _named_options.set({**_named_options.get(), **options})
    try:
        yield
    finally:
        _named_options.reset(before)


def as_model(model: LanguageModel | str) -> LanguageModel:
    """A model as it is, or the one that `load_model` gives for its name."""
    return load_model(model) if isinstance(model, str) else model


def note_model(name: str, setting: str) -> None:
    """Note what the answers of a further model rest on, which ``setting`` of a kind names."""
    for fact, value in load_model(name).provenance().fixed.items():
        note_input(f"{setting} {name}, {fact}", value)
