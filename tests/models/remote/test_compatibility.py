"""What an endpoint refuses: said otherwise where no answer changes, else the setting to write."""

from __future__ import annotations

import json
from typing import Any

import pytest

from promptlab.errors import EndpointError
from promptlab.models.remote.compatibility import EndpointCompatibility
from promptlab.models.remote.error_message import ErrorMessage

BODY: dict[str, Any] = {
    "model": "m", "messages": [{"role": "system", "content": "be brief"},
                               {"role": "user", "content": "stop at once, temperature rises"}],
    "max_tokens": 64, "temperature": 1.0, "seed": 7, "stop": ["a", "b"],
}  # fmt: skip


def openai(message: str, param: str | None = None, code: str | None = None) -> str:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return json.dumps({"error": error})


def fastapi(field: str, kind: str = "extra_forbidden", words: str = "Extra inputs are not") -> str:
    return json.dumps({"detail": [{"type": kind, "loc": ["body", field], "msg": words}]})


def mended(complaint: str, **changes: Any) -> dict[str, Any]:
    """What is sent after a complaint about the body was learned from."""
    dialect = EndpointCompatibility()
    body = BODY | changes
    assert dialect.learn_from_error(ErrorMessage.parse(complaint), dialect.adapt(body), "m@url")
    assert dialect.adjustments
    return dialect.adapt(body)


@pytest.mark.parametrize(
    "complaint",
    [
        openai("Unsupported parameter: 'max_tokens' is not supported with this model. Use "
               "'max_completion_tokens' instead.", "max_tokens", "unsupported_parameter"),
        openai("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."),
        fastapi("max_tokens"),
    ],
)  # fmt: skip
def test_the_limits_other_name(complaint: str) -> None:
    told = mended(complaint)
    assert told["max_completion_tokens"] == 64
    assert "max_tokens" not in told


def test_the_limits_older_name() -> None:
    body = {"max_completion_tokens": 9, "max_tokens": None}
    dialect = EndpointCompatibility()
    sent = {key: value for key, value in (BODY | body).items() if value is not None}
    assert dialect.learn_from_error(ErrorMessage.parse(fastapi("max_completion_tokens")), sent, "m")
    assert dialect.adapt(sent)["max_tokens"] == 9


def test_two_names_that_are_both_refused_end() -> None:
    dialect = EndpointCompatibility()
    first, second = ErrorMessage.parse(fastapi("max_tokens")), ErrorMessage.parse(
        fastapi("max_completion_tokens"))  # fmt: skip
    assert dialect.learn_from_error(first, dialect.adapt(BODY), "m")
    assert not dialect.learn_from_error(second, dialect.adapt(BODY), "m")


@pytest.mark.parametrize(
    ("field", "complaint"),
    [
        ("seed", openai("Unexpected fields in the request: {'seed'}")),
        ("seed", fastapi("seed")),
        ("seed", json.dumps({"object": "error", "message": {"detail": [
            {"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs"}]}})),
        ("seed", openai("Unrecognized request argument supplied: seed")),
        ("seed", openai('Invalid JSON payload received. Unknown name "seed": Cannot find field.')),
        ("stop", openai("Unsupported parameter: 'stop' is not supported with this model.", "stop",
                        "unsupported_parameter")),
        ("stop", openai("stop is not supported by this model")),
        ("stop", openai("stop_sequences: each stop sequence must contain non-whitespace")),
        ("temperature", openai("Unsupported parameter: 'temperature' is not supported with this "
                               "model.", "temperature", "unsupported_parameter")),
        ("temperature", openai("Unsupported value: 'temperature' does not support 1.0 with this "
                               "model.", "temperature", "unsupported_value")),
    ],
)  # fmt: skip
def test_what_changes_no_answer_is_left_out(field: str, complaint: str) -> None:
    told = mended(complaint)
    assert told == {name: value for name, value in BODY.items() if name != field}


def test_more_stop_strings_than_are_taken() -> None:
    told = mended(openai("Invalid 'stop': array too long. Expected an array with maximum length 4",
                         "stop", "array_above_max_length"), stop=list("abcdef"))  # fmt: skip
    assert told["stop"] == list("abcd")


def test_the_systems_words() -> None:
    complaint = ErrorMessage.parse(
        openai("Unsupported value: 'messages[0].role' does not support 'system' with this model.",
               "messages[0].role", "unsupported_value")
    )  # fmt: skip
    dialect = EndpointCompatibility()
    assert dialect.learn_from_error(complaint, dialect.adapt(BODY), "m")
    assert dialect.adapt(BODY)["messages"][0] == {"role": "developer", "content": "be brief"}
    assert BODY["messages"][0]["role"] == "system"
    again = ErrorMessage.parse(openai("Unknown role 'developer'"))
    assert dialect.learn_from_error(again, dialect.adapt(BODY), "m")
    (only,) = dialect.adapt(BODY)["messages"]
    assert only == {"role": "user", "content": "be brief\n\nstop at once, temperature rises"}
    for told in (
        "System role not supported",
        "Conversation roles must alternate user/assistant/user/assistant/...",
    ):
        assert EndpointCompatibility().learn_from_error(ErrorMessage.parse(openai(told)), BODY, "m")


@pytest.mark.parametrize(
    ("changes", "complaint", "words"),
    [
        ({"temperature": 0.0},
         openai("Unsupported value: 'temperature' does not support 0.0 with this model. Only the "
                "default (1) value is supported.", "temperature", "unsupported_value"),
         r"refuses temperature 0\.0 \(write temperature: 1 .*extra: \{temperature: null\}"),
        ({"temperature": 0.0}, openai("temperature is not supported by this model"),
         "refuses temperature"),
        ({"top_p": 0.9},
         openai("`temperature` and `top_p` cannot both be specified for this model."),
         "top_p: null in the decoding"),
        ({"top_k": 5}, openai("Unrecognized request argument supplied: top_k"),
         r"extra: \{top_k: null\}"),
        ({}, openai("max_tokens is too large: 64. This model supports at most 32", "max_tokens"),
         "another max_tokens in the decoding"),
        ({"temperature": 2.5}, openai("Invalid 'temperature': decimal above maximum value",
                                      "temperature", "decimal_above_max_value"),
         r"temperature 2\.5"),
        ({"logprobs": True}, openai("'logprobs' is not supported with this model", "logprobs",
                                    "unsupported_parameter"), "section without extra: logprobs"),
        ({"response_format": {"type": "json_object"}}, fastapi("response_format"),
         "without extra: response_format"),
        ({"reasoning_effort": "low"}, openai("Unrecognized request argument supplied: "
                                             "reasoning_effort"), "extra: reasoning_effort"),
        ({"continue_final_message": True},
         openai("Unexpected fields in the request: {'continue_final_message'}"),
         "prefill: turn"),
    ],
)  # fmt: skip
def test_what_would_change_answers_is_an_error_with_the_setting(
    changes: dict[str, Any], complaint: str, words: str
) -> None:
    dialect = EndpointCompatibility()
    with pytest.raises(EndpointError, match=words):
        dialect.learn_from_error(ErrorMessage.parse(complaint), BODY | changes, "m@url")
    assert dialect.adapt(BODY | changes) == BODY | changes


@pytest.mark.parametrize(
    "complaint",
    [
        openai("This model's maximum context length is 512 tokens", "messages",
               "context_length_exceeded"),
        openai("please stop sending this, the temperature here is high"),
        openai("your request was bad"),
        openai("the system prompt has too many characters"),
        "gone",
    ],
)  # fmt: skip
def test_other_complaints_teach_nothing(complaint: str) -> None:
    dialect = EndpointCompatibility()
    assert not dialect.learn_from_error(ErrorMessage.parse(complaint), BODY, "m")
    assert dialect.adapt(BODY) == BODY
    assert dialect.adjustments == ()


def test_every_remark_is_told_once() -> None:
    dialect = EndpointCompatibility()
    for _ in range(2):  # as two requests that were under way
        assert dialect.learn_from_error(ErrorMessage.parse(fastapi("seed")), BODY, "m")
    assert dialect.new_adjustments() == ["takes no seed: sampled replies do not repeat on it"]
    assert dialect.new_adjustments() == []
    assert len(dialect.adjustments) == 1
