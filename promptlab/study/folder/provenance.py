"""What a study's trials rest on: compared when it goes on, refused when it differs, and told."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from promptlab.errors import StudyError
from promptlab.files.provenance import ENDPOINT_SAYS, Provenance, own_source, package_versions
from promptlab.models.base import LanguageModel

RESTS_ON = "rests_on"
"""The key of a study's record, of a trial and of a leaderboard that says what results rest on."""
TESTED = "test_rests_on"
"""The user attribute of a study that says what the winner's predictions of test rest on."""
COMPUTES = (
    "promptlab-workbench", "optuna", "numpy", "scipy", "scikit-learn", "statsmodels", "jinja2",
    "regex", "text2num", "bm25s",
)  # fmt: skip
"""What every study computes with: it draws, renders, reads, selects and compares."""
_SHOWN = 8


class Difference(NamedTuple):
    """Something that results rest on, as it was and as it is."""

    name: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.name} ({self.before} → {self.after})"


class StudyProvenance:
    """What a study rests on now, and what its trials so far rest on.

    ``model`` is the model's key, by which earlier versions knew it. ``accept`` goes on with what
    differs, which is written down: trials name what they rest on by ``key``. ``records`` are all,
    the one in use last; ``remarks`` what is to be told.
    """

    def __init__(
        self, now: Provenance | None = None, *, model: str | None = None, accept: bool = False
    ) -> None:
        self.now = now or Provenance()
        self.model = model
        self.accept = accept
        self.key = self.now.key
        self.records: list[dict[str, Any]] = [self.now.record()]
        self.remarks: list[str] = []
        self.accepted = False

    def settle(self, resolved: Mapping[str, Any] | None, place: Path) -> bool:
        """Compare with what a study's record says; whether that has to be written anew.

        Raises `StudyError` naming everything that differs, unless it is accepted.
        """
        if resolved is None:
            return True
        if RESTS_ON not in resolved:
            self._refuse(_differences_from_versions(resolved, self.now, self.model), place)
            self.remarks.append(
                "what this study rests on (files, templates, code) was not recorded when it began, "
                "so it is not compared; from here on it is recorded"
            )
            return True
        records = _read_records(resolved[RESTS_ON], place)
        return self._compare(records, place)

    def settle_storage(self, records: Any, place: str) -> list[dict[str, Any]]:
        """The same for what a storage says, which several folders may share; what it is to say."""
        if records is None:
            return self.records
        kept = _read_records(records, place)
        if kept[-1]["key"] in {record["key"] for record in self.records}:
            return self._joined(kept)  # the folder has compared it, or has accepted it
        self._compare(kept, place)
        return self.records

    def _compare(self, records: list[dict[str, Any]], place: Path | str) -> bool:
        latest = Provenance.from_record(records[-1])
        refused = list(_differences(latest.fixed, self.now.fixed))
        noted = list(_differences(latest.noted, self.now.noted))
        if noted:
            self.remarks.append(
                f"goes on with another {_listed(noted)}: single examples may be answered otherwise"
            )
        self.records = records
        if not refused:
            self.key = records[-1]["key"]
            return bool(noted) and self._noted_anew()
        self._refuse(refused, place)
        self.records = self._joined([self.now.record()])
        self.key = self.now.key
        return True

    def _noted_anew(self) -> bool:
        """The record in use with today's notes; its fixed parts stay as they were."""
        latest = Provenance.from_record(self.records[-1])
        record = Provenance(latest.fixed, self.now.noted).record()
        self.records = [*self.records[:-1], record | {"key": self.records[-1]["key"]}]
        return True

    def _joined(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """All records, those given last."""
        keys = {record["key"] for record in records}
        return [record for record in self.records if record["key"] not in keys] + records

    def _refuse(self, differences: Sequence[Difference], place: Path | str) -> None:
        if not differences:
            return
        if not self.accept:
            raise StudyError(
                f"the study in {place} rests on something else than before: "
                f"{_listed(differences)}. Trials judged by both would be compared as if they were "
                "alike. Put back what it was, give this run another --name, or go on with "
                "--accept-changes, and the result says which trials rest on what"
            )
        self.accepted = True
        self.remarks.append(f"goes on although it rests on something else: {_listed(differences)}")


def current_provenance(model: LanguageModel, inputs: Mapping[str, str]) -> Provenance:
    """What a study with this model rests on; ``inputs`` are what was noted when it was set up."""
    own = Provenance(
        {**inputs, **package_versions(*COMPUTES), "python": _python()},
        {"python release": platform.python_version(), "promptlab's source": own_source()},
    )
    return model.provenance() | own


def _python() -> str:
    major, minor, _ = platform.python_version_tuple()
    return f"{major}.{minor}"


def mixed_provenance_sentence(
    records: Sequence[Mapping[str, Any]],
    rows: Iterable[Mapping[str, Any]],
    best: int | None = None,
    tested: str | None = None,
    now: str | None = None,
) -> str:
    """That trials rest on different things, in sentences; empty when all rest on the same.

    ``best`` is the winner, ``tested`` the key of what its predictions of test rest on, ``now`` of
    what was computed at last (controls, baselines).
    """
    rows = list(rows)
    numbers: dict[str, list[int]] = {}
    for row in rows:
        if row.get(RESTS_ON):
            numbers.setdefault(str(row[RESTS_ON]), []).append(int(row["number"]))
    own = next((row.get(RESTS_ON) for row in rows if row["number"] == best), None)
    if tested is not None and own is not None and tested != own:
        numbers.setdefault(tested, [])
    if now is not None:
        numbers.setdefault(now, [])
    if len(numbers) < 2:
        return ""
    known = {record["key"]: Provenance.from_record(record) for record in records}
    groups = sorted(numbers.items(), key=lambda item: min(item[1], default=10**9))
    told = [_group_phrase(key, of, best) for key, of in groups]
    if tested is not None:
        told.append(f"test was read by {tested}")
    found: list[Difference] = []
    for (one, _), (other, _) in pairwise(groups):
        if one in known and other in known:
            found += _differences(known[one].fixed, known[other].fixed)
    apart = f", which differ in {_listed(found)}" if found else ""
    return (
        f"Not all trials rest on the same: {', '.join(told)}{apart}. They are no fair comparison "
        "with each other."
    )


def unrecorded_provenance_sentence(rows: Iterable[Mapping[str, Any]]) -> str:
    """That earlier versions judged trials and did not record what they rest on; mostly empty."""
    numbers = [int(row["number"]) for row in rows if not row.get(RESTS_ON)]
    if not numbers:
        return ""
    return f"What trials rest on was not recorded when these were judged: {_ranges(numbers)}."


def _group_phrase(key: str, numbers: Sequence[int], best: int | None) -> str:
    winner = f" (with the winner, trial {best})" if best in numbers else ""
    if not numbers:
        return f"what was computed beside them by {key}"
    return f"trials {_ranges(numbers)}{winner} by {key}"


def _ranges(numbers: Sequence[int]) -> str:
    """Numbers with runs joined: ``0–3, 7``."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in parts)


def _differences(before: Mapping[str, str], after: Mapping[str, str]) -> Iterable[Difference]:
    """What differs by name; an endpoint that says nothing today is not another one."""
    for name in sorted({*before, *after}):
        one, other = before.get(name), after.get(name)
        if one == other or (name.startswith(ENDPOINT_SAYS) and None in (one, other)):
            continue
        if _short(one) == _short(other):  # a damaged record has hashes that begin alike
            yield Difference(name, str(one), str(other))
        else:
            yield Difference(name, _short(one), _short(other))


def _differences_from_versions(
    resolved: Mapping[str, Any], now: Provenance, key: str | None
) -> list[Difference]:
    """What earlier versions recorded: the model's key, and the versions of some packages."""
    found = []
    hashes, versions = (resolved.get(name) or {} for name in ("hashes", "versions"))
    if key is not None and hashes.get("model") not in (None, key):
        found.append(
            Difference("model (weights, dtype or engine)", _short(hashes["model"]), _short(key))
        )
    then = {f"package {name}": value for name, value in versions.items()}
    recorded = [name for name in now.fixed if name in then]
    found += _differences({n: then[n] for n in recorded}, {n: now.fixed[n] for n in recorded})
    return found


def _short(value: str | None) -> str:
    if value is None:
        return "none"
    is_hash = len(value) > _SHOWN and all(c in "0123456789abcdef" for c in value)
    return value[:_SHOWN] if is_hash else value


def _listed(differences: Sequence[Difference]) -> str:
    shown = "; ".join(str(one) for one in differences[:10])
    return shown + (f"; and {len(differences) - 10} more" if len(differences) > 10 else "")


def _read_records(records: Any, place: Path | str) -> list[dict[str, Any]]:
    """The records of a study, checked. Raises `StudyError`."""
    try:
        if not isinstance(records, list) or not records:
            raise ValueError("it is no list of records")
        for record in records:
            Provenance.from_record(record)
            if not isinstance(record.get("key"), str):
                raise ValueError("a record has no key")
    except ValueError as error:
        raise StudyError(
            f"{place}: the record of what the study rests on ({RESTS_ON}) is damaged: {error}; "
            "bring the file back that was there, or give this run another --name"
        ) from error
    return list(records)


def make_provenance(
    model: LanguageModel, inputs: Mapping[str, str], *, accept: bool
) -> StudyProvenance:
    """What a study with this model and these inputs rests on now."""
    key = model.describe().get("key")
    return StudyProvenance(
        current_provenance(model, inputs), model=None if key is None else str(key), accept=accept
    )
