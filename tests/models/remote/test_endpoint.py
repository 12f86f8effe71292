"""Names of remote models, and options that cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from promptlab.errors import InputError
from promptlab.models.pool import load_model
from promptlab.models.remote.endpoint import Endpoint
from tests.helpers.remote_fixtures import SECRET, endpoint, own_replies  # noqa: F401 - fixtures


@pytest.mark.parametrize(
    ("name", "endpoint", "model", "url"),
    [
        ("remote:m@http://h:1/v1", None, "m", "http://h:1/v1"),
        ("remote:m@http://h:1/v1/", None, "m", "http://h:1/v1"),
        ("remote:org/m-1.5:free@https://api.host/a/v1", None, "org/m-1.5:free",
         "https://api.host/a/v1"),
        ("remote:me@home@http://h/v1", None, "me@home", "http://h/v1"),
        ("remote:m@http://[::1]:8/v1", None, "m", "http://[::1]:8/v1"),
        ("m", "http://h/v1", "m", "http://h/v1"),
        ("remote:m", "http://h/v1", "m", "http://h/v1"),
        ("remote:m@http://a/v1", "http://b/v1", "m", "http://a/v1"),
    ],
)  # fmt: skip
def test_names_of_remote_models(name: str, endpoint: str | None, model: str, url: str) -> None:
    found = Endpoint.parse(name, endpoint)
    assert (found.model, found.url) == (model, url)
    assert Endpoint.parse(found.name) == found


@pytest.mark.parametrize(
    ("name", "endpoint", "told"),
    [
        ("remote:m", None, "no URL that can be read"),
        ("remote:@http://h/v1", None, "no URL that can be read"),
        ("remote:", "http://h/v1", "no URL that can be read"),
        ("remote:m@ftp://h/v1", "http://h/v1", "no URL that can be read"),
        ("m", "localhost:8000/v1", "must begin with http"),
        ("m", "", "must begin with http"),
        ("m", "http://h:port/v1", "cannot be read"),
        ("m", "http://h/v1/chat/completions", "ends with /chat/completions"),
        (f"remote:m@http://user:{SECRET}@h/v1", None, "a user name or a password"),
        ("m", f"https://{SECRET}@h/v1", "a user name or a password"),
        ("m", f"https://h/v1?key={SECRET}", "a query or a fragment"),
    ],
)
def test_names_that_are_none(name: str, endpoint: str | None, told: str) -> None:
    with pytest.raises(InputError, match=told) as error:
        Endpoint.parse(name, endpoint)
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"concurrency": 0}, "concurrency: .*greater than or equal to 1"),
        ({"retries": -1}, "retries"),
        ({"api": "responses"}, "api: .*'chat' or 'completions'"),
        ({"price": {"input": 1.0}}, "price.output: .*required"),
        ({"prise": 1}, "prise: a remote model has no such option; it has api, cache"),
        ({"extra": {"api_key": SECRET}}, "extra: keys come from the environment alone"),
        ({"api_key": SECRET}, "api_key: a remote model has no such option"),
        ({"key_env": SECRET}, "key_env must be the name of an environment variable"),
        ({"key_env": "NOT_SET_AT_ALL"}, "NOT_SET_AT_ALL, which is not set"),
    ],
)
def test_wrong_options_are_told_without_what_was_given(
    options: dict[str, Any], told: str, unchecked: None
) -> None:
    with pytest.raises(InputError, match=told) as error:
        load_model("remote:m@http://127.0.0.1:1/v1", **options)
    assert SECRET not in str(error.value)
