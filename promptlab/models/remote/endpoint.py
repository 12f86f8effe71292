"""Where a remote model is, and the key that opens it."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from promptlab.errors import InputError
from promptlab.security.redaction import has_secret, keep_secret

PREFIX = "remote:"
"""What the name of a remote model begins with: ``remote:MODEL@http://host:port/v1``."""
KEY_VARIABLES = ("PROMPTLAB_API_KEY", "OPENAI_API_KEY")
"""The environment variables that are looked at for a key, the first one that is set counts."""

_FORM = "a remote model is named remote:MODEL@URL, such as remote:my-model@http://localhost:8000/v1"
_WHOLE = re.compile(r"(?P<model>.+)@(?P<url>https?://.*)", re.DOTALL)


def is_remote(name: str, endpoint: str | None = None) -> bool:
    """Whether a model of this name is asked for at an endpoint."""
    return name.startswith(PREFIX) or endpoint is not None


@dataclass(frozen=True)
class Endpoint:
    """A model's name at an endpoint, and the endpoint's URL without a slash at its end."""

    model: str
    url: str

    @classmethod
    def parse(cls, name: str, endpoint: str | None = None) -> Endpoint:
        """Read ``remote:MODEL@URL``, or a model's plain name beside its ``endpoint``.

        A URL in the name counts more than ``endpoint``. Raises `InputError` for no URL, and for
        one that holds a password, a query or a fragment: keys come from the environment alone.
        """
        found = cls._read(name, endpoint)
        if has_secret(found.name):
            raise InputError(
                "the name or the URL of the remote model holds the key itself; keys come from the "
                f"environment alone ({KEY_VARIABLES[0]}), take it out"
            )
        return found

    @classmethod
    def _read(cls, name: str, endpoint: str | None) -> Endpoint:
        if not name.startswith(PREFIX):
            return cls(name, _checked(endpoint or ""))
        rest = name.removeprefix(PREFIX)
        found = _WHOLE.fullmatch(rest)
        if found is not None:
            return cls(found["model"], _checked(found["url"]))
        if endpoint is None or not rest or "://" in rest:
            raise InputError(f"the name of the remote model has no URL that can be read; {_FORM}")
        return cls(rest, _checked(endpoint))

    @property
    def name(self) -> str:
        """The whole name, as `Endpoint.parse` reads it."""
        return f"{PREFIX}{self.model}@{self.url}"

    @property
    def is_local(self) -> bool:
        """Whether the endpoint is on this machine, where no proxy must stand between."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


def _checked(url: str) -> str:
    """The URL; a complaint never repeats what may be a secret."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InputError(f"the endpoint's URL cannot be read; {_FORM}") from error
    if parts.username is not None or parts.password is not None:
        raise InputError(
            "the endpoint's URL holds a user name or a password; leave them out and put the key "
            f"into the environment variable {KEY_VARIABLES[0]}"
        )
    if parts.query or parts.fragment:
        raise InputError(
            "the endpoint's URL holds a query or a fragment (after ? or #); leave it out, and put "
            f"a key into the environment variable {KEY_VARIABLES[0]}"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"the endpoint's URL must begin with http:// or https://; {_FORM}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    path = parts.path.rstrip("/")
    for ending in ("/chat/completions", "/completions"):
        if path.endswith(ending):
            raise InputError(
                f"the endpoint's URL ends with {ending}; give the URL before it, such as "
                "http://localhost:8000/v1"
            )
    return f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{path}"


def key_variable(own: str | None) -> str:
    """The environment variable that a message tells the user to set."""
    return own or KEY_VARIABLES[0]


def find_key(own: str | None) -> str | None:
    """The key from the environment, ``None`` for an endpoint without one.

    ``own`` names the variable to read; else `KEY_VARIABLES` are read. Raises `InputError` when
    ``own`` is not set or a key cannot be sent. Nothing but the sender ever holds the key.
    """
    if own is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", own):
        raise InputError(
            "key_env must be the name of an environment variable (letters, digits and _): the "
            "variable holds the key, the option only names it"
        )
    names = KEY_VARIABLES if own is None else (own,)
    name = next((name for name in names if os.environ.get(name, "").strip()), None)
    if name is None:
        if own is not None:
            raise InputError(f"key_env names {own}, which is not set; set it to the endpoint's key")
        return None
    key = os.environ[name].strip()
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        raise InputError(
            f"the key in {name} holds blanks or characters that cannot be sent; set it again"
        )
    keep_secret(key)
    return key
