"""Keys come from the environment and are told nowhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from promptlab.errors import EndpointError, InputError
from promptlab.models.remote.model import RemoteModel
from promptlab.prompts.decoding import Decoding
from tests.helpers.fake_endpoint import Call, Endpoint, refused, said, serving
from tests.helpers.remote_fixtures import SECRET, endpoint, own_replies, plain  # noqa: F401 - fixtures


def test_keys_come_from_the_environment(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sent(number: int, **options: Any) -> str | None:
        RemoteModel(endpoint.name, **options).generate([plain(str(number))], Decoding())
        return endpoint.calls[-1].headers.get("Authorization")

    assert sent(1) is None
    monkeypatch.setenv("OPENAI_API_KEY", "second")
    assert sent(2) == "Bearer second"
    monkeypatch.setenv("PROMPTLAB_API_KEY", " first\n")
    assert sent(3) == "Bearer first"
    monkeypatch.setenv("MY_OWN", "own")
    assert sent(4, key_env="MY_OWN") == "Bearer own"
    monkeypatch.setenv("MY_OWN", "o w\u00e4n")
    with pytest.raises(InputError, match="the key in MY_OWN holds blanks") as error:
        sent(5, key_env="MY_OWN")
    assert "o w" not in str(error.value)


@pytest.mark.parametrize("status", [400, 401, 500])
def test_a_key_that_the_endpoint_repeats_is_not_repeated(
    status: int, monkeypatch: pytest.MonkeyPatch, own_replies: Path
) -> None:
    monkeypatch.setenv("PROMPTLAB_API_KEY", SECRET)

    def script(call: Call, number: int) -> Any:
        assert call.headers["Authorization"] == f"Bearer {SECRET}"
        if call.words == "fine":
            return said(f"fine {SECRET}")
        return refused(status, f"Incorrect API key provided: {SECRET}.")

    with serving(script) as endpoint:
        model = RemoteModel(endpoint.name, retries=0, concurrency=1)
        try:
            told = repr(model.generate([plain("fine"), plain("x")], Decoding()))
        except EndpointError as error:
            told = repr(error) + repr(error.__cause__) + repr(error.__context__)
    assert "Incorrect API key provided: ***." in told
    assert SECRET not in told
    state = [*vars(model).values(), *vars(model.transport).values(), model.describe()]
    assert SECRET not in repr(state)
    files = [path for path in own_replies.rglob("*") if path.is_file()]
    assert files
    assert not any(SECRET.encode() in path.read_bytes() for path in files)
