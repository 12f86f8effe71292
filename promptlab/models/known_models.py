"""Whether a model of some name can be had, found out without loading its weights."""

from __future__ import annotations

import difflib
import json
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from promptlab.errors import AssetError, InputError
from promptlab.files.cache import cache_dir
from promptlab.models.builtin import BUILTIN_MODELS
from promptlab.models.model_name import check_model_name
from promptlab.models.remote.endpoint import Endpoint, is_remote

_PATIENCE = 3.0
"""Seconds in which an endpoint must take a connection."""


@dataclass(frozen=True)
class KnownModel:
    """A model that can be had; ``chat`` says whether it knows a chat format."""

    name: str
    chat: bool


def check_known(name: str) -> KnownModel:
    """Look whether a pinned name, a folder, a Hugging Face id or an endpoint is there.

    Raises `InputError` in one sentence for a folder that holds no model, an endpoint that takes no
    connection and a mistyped name, `AssetError` for an id that cannot be fetched.
    """
    if is_remote(name):
        _check_endpoint(Endpoint.parse(name))
        return KnownModel(name, True)
    check_model_name(name)
    if name in BUILTIN_MODELS:
        folder = cache_dir() / "models" / name
        is_made = folder.is_dir()  # else the causal one, which knows chats, is not unpacked yet
        return KnownModel(
            name, _knows_chat(folder) if is_made else BUILTIN_MODELS[name].family == "causal"
        )
    from promptlab.models.loading import check_source

    folder = Path(name).expanduser()
    close = difflib.get_close_matches(name, BUILTIN_MODELS, n=1, cutoff=0.75)
    if close and not folder.exists():
        raise InputError(
            f"there is no model {name!r} here; did you mean {close[0]}? The pinned models are "
            f"{', '.join(BUILTIN_MODELS)}; a folder, a Hugging Face id (owner/name) or "
            "remote:MODEL@URL will do, too"
        )
    if not folder.exists() and not name.startswith((".", "/", "~")):
        _check_hub(name)
    check_source(name)
    return KnownModel(name, _knows_chat(folder))


def _check_endpoint(address: Endpoint) -> None:
    """Raise `InputError` if nothing takes a connection; behind a proxy it is not looked at."""
    parts = urlsplit(address.url)
    if not address.is_local and parts.scheme in getproxies():
        return
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((parts.hostname or "", port), timeout=_PATIENCE):
            pass
    except OSError as error:
        raise InputError(
            f"nothing answers at {address.url} ({error.strerror or error}); start the server, or "
            "correct the URL in --model"
        ) from error


def _check_hub(name: str) -> None:
    """Raise `AssetError` at once, not after many tries, where the Hub cannot be reached at all."""
    import huggingface_hub

    if isinstance(huggingface_hub.try_to_load_from_cache(name, "config.json"), str):
        return
    parts = urlsplit(huggingface_hub.constants.ENDPOINT)
    if parts.scheme in getproxies():
        return
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 443), _PATIENCE):
            pass
    except OSError as error:
        raise AssetError(
            f"the model {name!r} is neither a pinned name ({', '.join(BUILTIN_MODELS)}) nor a "
            f"folder, and {parts.hostname} cannot be reached ({error.strerror or error}). On "
            f"a connected machine run: hf download {name} --local-dir DIR, copy DIR here and "
            "give its path"
        ) from error


def _knows_chat(folder: Path) -> bool:
    if (folder / "chat_template.jinja").exists():
        return True
    settings = folder / "tokenizer_config.json"
    try:
        return bool(json.loads(settings.read_text(encoding="utf-8")).get("chat_template"))
    except (OSError, ValueError):
        return False
