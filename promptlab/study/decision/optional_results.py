"""What is done beside the winner's result on test: a failure is told, and decides nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from promptlab.errors import Cancelled, DiskError, EndpointError, PromptlabError, UnansweredError
from promptlab.events import Events, Warned
from promptlab.study.folder.folder import StudyFolder
from promptlab.study.folder.storage import is_storage_error
from promptlab.study.report.report import write_report
from promptlab.study.trials.context import StudyContext

T = TypeVar("T")
_log = logging.getLogger("promptlab")


@dataclass(frozen=True)
class Unmeasured:
    """A part of the result that is missing, and why."""

    what: str
    reason: str

    def record(self) -> dict[str, Any]:
        """Plain JSON data."""
        return asdict(self)

    def sentence(self) -> str:
        """It in sentences."""
        reason = self.reason.rstrip(".")
        return (
            f"Not measured: {self.what} ({reason}). It decides nothing; the same command tries it "
            "again, and reads nothing of test twice."
        )


class OptionalResults:
    """Attempts what the result can do without; ``failed`` is what could not be measured."""

    def __init__(self, context: StudyContext) -> None:
        self._context = context
        self.failed: list[Unmeasured] = []
        self._told = 0

    def attempt(self, what: str, work: Callable[[], T], otherwise: Callable[[str], T]) -> T:
        """What ``work`` gives, else what ``otherwise`` makes of the reason why it failed.

        Raises what stops the whole study: a full disk, a storage that fails, a cancelled run, and
        an endpoint that refuses everything.
        """
        try:
            return work()
        except (Cancelled, DiskError):
            raise
        except Exception as error:
            if is_storage_error(error):
                raise
            if isinstance(error, EndpointError):
                self._context.model.check_reachable()
            reason = _reason(error)
            _log.debug("%s failed", what, exc_info=error)
            self._context.events.emit(Warned(f"not measured: {what}: {reason}"))
            self.failed.append(Unmeasured(what, reason))
            return otherwise(reason)

    def add_to(self, board: dict[str, Any]) -> None:
        """Say in the result document what is missing, but for what was said there before."""
        if self.failed:
            board["unmeasured"] = [each.record() for each in self.failed]
            board["statements"] += [each.sentence() for each in self.failed[self._told :]]
            self._told = len(self.failed)


def finish_report(folder: StudyFolder, board: dict[str, Any], events: Events) -> None:
    """Write the report; where that fails the result document says so, and the result stands."""
    try:
        write_report(folder.path)
    except (Cancelled, DiskError):
        raise
    except Exception as error:
        missing = Unmeasured("the report", _reason(error))
        _log.debug("the report failed", exc_info=error)
        events.emit(Warned(f"no report: {missing.reason}"))
        board["unmeasured"] = [*board.get("unmeasured", []), missing.record()]
        board["statements"].append(missing.sentence())
        folder.write_json("leaderboard.json", board)


def _reason(error: Exception) -> str:
    if isinstance(error, UnansweredError):
        return f"its requests failed: {error}"
    return str(error) if isinstance(error, PromptlabError) else f"{type(error).__name__}: {error}"
