"""Gradio's own client, asked one thing after another."""

from __future__ import annotations

import time
from typing import Any

from gradio_client import Client

PATIENCE = 300.0
"""Seconds that an answer is waited for; httpx gives up after five, which a busy machine needs."""


class ApiClient(Client):
    """A `Client` whose calls follow each other at any speed.

    After an answer the server closes the stream that carried it. A call posted in between is
    cancelled by Gradio's client (6.31), which takes the closing for its own; so each call waits
    until the last one's stream is closed.
    """

    def __init__(self, address: str, **options: Any) -> None:
        super().__init__(address, verbose=False, httpx_kwargs={"timeout": PATIENCE}, **options)

    def predict(self, *arguments: Any, **options: Any) -> Any:
        deadline = time.monotonic() + PATIENCE
        while self.stream_open:
            assert time.monotonic() < deadline, "the stream of the last answer is still open"
            time.sleep(0.005)
        return super().predict(*arguments, **options)
