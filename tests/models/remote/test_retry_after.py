"""How long an endpoint asks to be left alone, in all the ways in which endpoints say it."""

from __future__ import annotations

import json

import pytest

from promptlab.models.remote.retry_after import requested_wait

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z
GOOGLE = {
    "error": {
        "code": 429, "message": "Quota exceeded", "status": "RESOURCE_EXHAUSTED",
        "details": [
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure"},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"},
        ],
    }
}  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "20"}, 20.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "Fri, 15 Jan 2027 08:00:30 GMT"}, 30.0),
        ({"retry-after": "Fri, 15 Jan 2027 07:00:30 GMT"}, 0.0),
        ({"retry-after": "2027-01-15T08:00:30Z"}, 30.0),
        ({"retry-after": "1m30s"}, 90.0),
        ({"retry-after": "20, 30"}, 30.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after-ms": "350", "retry-after": "1"}, 0.35),
        ({"x-ms-retry-after-ms": "1200"}, 1.2),
        ({"x-ratelimit-reset-requests": "1s"}, 1.0),
        ({"x-ratelimit-reset-tokens": "6m0s"}, 360.0),
        ({"x-ratelimit-reset-tokens": "17ms"}, 0.017),
        ({"x-ratelimit-reset-tokens": "2m59.56s"}, 179.56),
        ({"x-ratelimit-reset": "1800000034"}, 34.0),
        ({"x-ratelimit-reset": "1800000034000"}, 34.0),
        ({"anthropic-ratelimit-requests-reset": "2027-01-15T08:00:30Z"}, 30.0),
        ({"ratelimit-reset": "12"}, 12.0),
        ({"ratelimit": '"default";r=0;t=30'}, 30.0),
        ({}, None),
    ],
)
def test_headers(headers: dict[str, str], seconds: float | None) -> None:
    found = requested_wait(headers, "too many", NOW)
    assert found == (None if seconds is None else pytest.approx(seconds))


def test_the_limit_that_is_used_up_counts_and_else_the_first_to_be_reset() -> None:
    resets = {"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s"}
    left = {"x-ratelimit-remaining-requests": "59", "x-ratelimit-remaining-tokens": "0"}
    assert requested_wait(resets | left, "", NOW) == 360.0
    assert requested_wait(resets, "", NOW) == 1.0
    assert requested_wait(resets | left, "Please try again in 20s", NOW) == 20.0
    assert requested_wait({"retry-after": "1"}, "Please try again in 20s", NOW) == 20.0


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ("Rate limit reached. Limit 3, Used 3. Please try again in 20s. Visit https://a.b", 20.0),
        ("Please try again in 1.2s.", 1.2),
        ("Please try again in 350ms", 0.35),
        ("Please try again in 1m30s", 90.0),
        ("Please try again in 7h32m9.6s.", 27129.6),
        ("Please retry after 26 seconds.", 26.0),
        ("Please wait 20 seconds and try again", 20.0),
        ("try again in 1 minute and 5 seconds", 65.0),
        ("Please retry in 34.074824224s.", 34.074824224),
        ("Retry after 5", 5.0),
        ("retry_after: 12", 12.0),
        ("Request was throttled. Expected available in 41 seconds.", 41.0),
        ("Please try again later in about 20 seconds.", 20.0),
        ("The limit resets at 2027-01-15T08:00:30Z", 30.0),
        ('{"error": {"message": "Please try again in 20s."}}', 20.0),
        ('{"error": "Model x is currently loading", "estimated_time": 20.0}', 20.0),
        ('{"retry_after": 12, "error": "slow"}', 12.0),
        ('{"retry_after_ms": 1200}', 1.2),
        ('{"retry_after": null}', None),
        (json.dumps(GOOGLE), 34.0),
        (json.dumps([GOOGLE]), 34.0),
        ("limit 20 requests per minute, 3 s each", None),
        ("Rate limit exceeded: free-models-per-min.", None),
        ("try again later", None),
        ("", None),
        ("[" * 50_000, None),
    ],
)
def test_bodies(body: str, seconds: float | None) -> None:
    found = requested_wait({}, body, NOW)
    assert found == (None if seconds is None else pytest.approx(seconds))


def test_a_date_is_taken_by_the_endpoints_own_clock() -> None:
    headers = {
        "date": "Tue, 20 Oct 2020 07:28:00 GMT", "retry-after": "Tue, 20 Oct 2020 07:28:09 GMT",
    }  # fmt: skip
    assert requested_wait(headers) == 9.0
