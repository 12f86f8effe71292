"""What a study over an endpoint rests on: the URL, the model, and what the endpoint says of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from promptlab.files.provenance import Provenance
from promptlab.models.remote import model as remote
from promptlab.models.remote.model import RemoteModel
from promptlab.models.remote.transport import Transport
from promptlab.study.folder.provenance import StudyProvenance

SECRET = "sk-very-secret-0123456789"
ROW = {"id": "m", "created": 1, "permission": [{"id": "p1"}], "root": "org/m", "max_model_len": 64}


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, object]]]:
    """What ``/models`` says."""
    monkeypatch.setenv("PROMPTLAB_API_KEY", SECRET)
    said: list[dict[str, object]] = [dict(ROW)]
    monkeypatch.setattr(Transport, "list_models", lambda self: said)
    yield said


def now(**options: object) -> Provenance:
    found = RemoteModel("remote:m@http://127.0.0.1:9/v1", cache=False, **options).provenance()
    assert SECRET not in str(found.record())
    return found


def differs(before: Provenance, after: Provenance) -> list[str]:
    from promptlab.study.folder.provenance import _differences

    return [one.name for one in _differences(before.fixed, after.fixed)]


def test_an_endpoint_is_known_by_what_lasts(rows: list[dict[str, object]]) -> None:
    before = now()
    assert before.fixed["endpoint"] == "http://127.0.0.1:9/v1"
    assert before.fixed["endpoint says max_model_len"] == "64"
    rows[0] |= {"created": 2, "permission": [{"id": "p2"}]}  # made at every request
    assert differs(before, now()) == []
    rows[0]["root"] = "org/another"
    assert differs(before, now()) == ["endpoint says root"]


def test_an_endpoint_that_says_nothing_today_is_not_another_one(
    rows: list[dict[str, object]],
) -> None:
    before = now()
    rows.clear()
    assert differs(before, now()) == [] == differs(now(), before)
    basis = StudyProvenance(now())
    assert not basis.settle({"rests_on": [before.record()]}, remote.__file__)  # type: ignore[arg-type]
    assert basis.key == before.key


def test_no_text_of_an_endpoint_is_kept_as_it_is(rows: list[dict[str, object]]) -> None:
    rows[0] |= {"root": f"\x1b[31m{SECRET}", "meta": {"a": SECRET}, "digest": 7}
    found = now().fixed
    assert len(found["endpoint says root"]) == len(found["endpoint says meta"]) == 12
    assert found["endpoint says digest"] == "7"


def test_an_option_that_changes_replies_is_another_basis(rows: list[dict[str, object]]) -> None:
    assert differs(now(), now(extra={"seed": 3})) == ["options"]
    assert differs(now(), now(retries=3)) == []
