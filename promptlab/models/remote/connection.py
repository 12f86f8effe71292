"""The connections to an endpoint, the key that opens it, and why it cannot be reached."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import weakref

import httpx

from promptlab.errors import EndpointError, InputError
from promptlab.models.remote.endpoint import Endpoint, find_key, key_variable
from promptlab.models.remote.error_message import ErrorMessage
from promptlab.models.remote.event_loop import event_loop
from promptlab.models.remote.options import RemoteOptions
from promptlab.models.remote.response_body import ENCODINGS, OverdueError
from promptlab.models.remote.retry import ErrorResponse, RetryableError
from promptlab.security.redaction import hide_word
from promptlab.security.untrusted_text import sanitize

_UNUSABLE_PROXY = (
    "the proxy that the environment names (HTTPS_PROXY, HTTP_PROXY or ALL_PROXY) cannot be used: "
    "give a URL that begins with http://, run pip install 'httpx[socks]' for one that begins with "
    "socks5://, or name the endpoint's host in NO_PROXY"
)


class Connection:
    """An HTTP client for one endpoint, opened when it is first used; used by several threads.

    The key is read from the environment for every request and kept nowhere.
    """

    def __init__(self, endpoint: Endpoint, options: RemoteOptions) -> None:
        self.endpoint = endpoint
        self.options = options
        self._lock = threading.Lock()
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def key_name(self) -> str:
        """The environment variable that a message tells the user to set."""
        return key_variable(self.options.key_env)

    def client(self) -> httpx.AsyncClient:
        """The client of this process. Raises `InputError` for a proxy that cannot be used."""
        with self._lock:
            if self._client is None or self._loop is not event_loop():
                self._loop = event_loop()
                self._client = self._opened()
                weakref.finalize(self, _let_go, self._client, self._loop).atexit = False
            return self._client

    def headers(self) -> dict[str, str]:
        """What a request is sent with."""
        key = find_key(self.options.key_env)
        sent = {"Accept-Encoding": ENCODINGS}
        return sent if key is None else sent | {"Authorization": f"Bearer {key}"}

    def without_key(self, text: str) -> str:
        """What an endpoint says, without the key, however short that is, and as it may be shown."""
        key = find_key(self.options.key_env)
        return sanitize(text if key is None else hide_word(text, key), lines=False)

    def close(self) -> None:
        """Give the connections back."""
        with self._lock:
            client, self._client = self._client, None
            if client is not None and self._loop is event_loop():
                asyncio.run_coroutine_threadsafe(client.aclose(), self._loop).result()

    def judge(self, error: httpx.RequestError) -> RetryableError | EndpointError:
        """What it means that a request did not come through."""
        url, cause = self.endpoint.url, self.without_key(cause_of(error))
        if isinstance(error, OverdueError):
            return RetryableError(f"{url}: the reply was {cause} (reply_timeout)", silent=True)
        if isinstance(error, httpx.ProxyError):
            told = f"the proxy on the way to {url} refuses it ({cause})"
            if "407" in cause:
                found = ErrorResponse(407, {}, "", told, ErrorMessage(cause)).classify(
                    "", self.key_name
                )
                assert isinstance(found, EndpointError)
                return found
            return RetryableError(told, silent=True)
        if "CERTIFICATE_VERIFY_FAILED" in cause:
            return EndpointError(
                f"{url} shows a certificate that is not trusted here ({cause}); put its "
                "authority's file into the environment variable SSL_CERT_FILE"
            )
        if any(name in cause for name in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")):
            return EndpointError(f"{url} does not speak TLS; does its URL begin with http://?")
        return RetryableError(self._unreached(error, cause), silent=True)

    def _unreached(self, error: httpx.RequestError, cause: str) -> str:
        url = self.endpoint.url
        if isinstance(error, httpx.ConnectTimeout):
            return f"{url} could not be reached within {self.options.connect_timeout:g} s"
        if isinstance(error, httpx.ReadTimeout):
            return f"{url} sent nothing for {self.options.read_timeout:g} s (read_timeout)"
        if isinstance(error, httpx.ConnectError):
            return f"{url} cannot be reached ({cause})"
        return f"{url}: the connection broke ({cause})"

    def _opened(self) -> httpx.AsyncClient:
        options = self.options
        try:
            return httpx.AsyncClient(
                timeout=httpx.Timeout(
                    options.read_timeout, connect=options.connect_timeout, pool=None
                ),
                limits=httpx.Limits(
                    max_connections=None, max_keepalive_connections=options.concurrency
                ),
                trust_env=not self.endpoint.is_local,
            )
        except (ImportError, ValueError, httpx.InvalidURL) as error:
            raise InputError(_UNUSABLE_PROXY) from error  # its text may hold a password


def cause_of(error: httpx.RequestError) -> str:
    """What an error says, or what it is called."""
    return str(error) or type(error).__name__


def _let_go(client: httpx.AsyncClient, loop: asyncio.AbstractEventLoop) -> None:
    """Give the connections of a client back that nobody has closed."""
    if loop is event_loop():
        with contextlib.suppress(RuntimeError):  # the loop has ended
            asyncio.run_coroutine_threadsafe(client.aclose(), loop)
