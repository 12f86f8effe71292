"""Judging a trial: its predictor on dev in blocks, all found written down, and then told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from optuna.trial import TrialState

from promptlab.errors import (
    Cancelled,
    DiskError,
    EndpointError,
    InputError,
    Pruned,
    StudyError,
    UnansweredError,
    WorkError,
)
from promptlab.evaluation.predictions import Predictions
from promptlab.evaluation.reply_counts import count_replies, describe_reply_counts
from promptlab.evaluation.truncation_count import count_truncations
from promptlab.events import BlockScored, TrialFinished, Warned
from promptlab.files.cache import atomic_write
from promptlab.files.saved_predictor.folder import DOCUMENT
from promptlab.predictors.answer_vectors import AnswerVectorClassifier
from promptlab.predictors.base import Predictor
from promptlab.predictors.classifier import PromptClassifier
from promptlab.study.folder.documents import file_checksum
from promptlab.study.folder.provenance import RESTS_ON
from promptlab.study.spec.objective import Objective
from promptlab.study.trials.blocks import (
    GIVE_UP_AFTER,
    BlockDone,
    check_answered,
    describe_failed_requests,
    predict_in_blocks,
)
from promptlab.study.trials.context import StudyContext
from promptlab.study.trials.sequential_pruner import SequentialPruner
from promptlab.study.trials.trial_queue import OpenTrial
from promptlab.study.trials.trials import CHECKSUM, FITTED, trial_record


class TrialEvaluator:
    """Every trial is told once, after everything about it is on disk: told means kept."""

    def __init__(self, context: StudyContext) -> None:
        self._context = context
        self._race = SequentialPruner(context) if context.spec.pruner == "sequential" else None

    def evaluate(
        self, item: OpenTrial, fitted: Predictor | Exception, seconds: float = 0.0
    ) -> TrialState:
        """Judge what came of a trial's candidate in ``seconds`` of fitting; how it ended.

        Raises what stops the whole study.
        """
        started = self._context.cancellation.clock() - seconds
        if isinstance(fitted, Exception):
            return self._record_fit_failure(item, fitted, started)
        try:
            self._save_fitted(item, fitted)
            rows, pruned = predict_in_blocks(
                fitted,
                self._context.examples,
                self._context.spec.block,
                self._context.cancellation,
                self._block_done(item),
            )
            check_answered(rows)
        except (Cancelled, DiskError, EndpointError):
            raise
        except (InputError, WorkError) as error:
            return self._record_fit_failure(item, error, started)
        reason = f"pruned after {len(rows)} examples" if pruned else None
        found = self._evaluation_record(item, fitted, rows, started, reason)
        values = [float(objective.compute(rows)) for objective in self._context.objectives]
        if (broken := _no_number(self._context.objectives, values)) is not None:
            return self._record_fit_failure(item, broken, started)
        state = TrialState.PRUNED if pruned else TrialState.COMPLETE
        self._tell(item, state, values, found, started)
        return state

    def record_duplicate(self, item: OpenTrial) -> None:
        """An equal candidate was judged before: the same values, no work."""
        history = self._context.history
        earlier = history.find_judged(item.candidate.key)
        assert earlier is not None, "what repeats nothing is judged"
        found: dict[str, Any] = {"repeats": earlier.number}
        if (reason := trial_record(earlier).get("reason")) is not None:
            found["reason"] = reason
        values = earlier.values if earlier.state == TrialState.COMPLETE else None
        history.tell(item.number, earlier.state, values, found)
        value = earlier.values[0] if earlier.values else None
        state = _NAMES[earlier.state]
        self._context.events.emit(
            TrialFinished(
                item.number, item.candidate.name, state, value, 0.0, repeated=earlier.number
            )
        )

    def _record_fit_failure(self, item: OpenTrial, error: Exception, started: float) -> TrialState:
        if isinstance(error, (StudyError, DiskError, EndpointError, Cancelled)):
            raise error  # no fault of this candidate: the others would fail too
        given_up = isinstance(error, Pruned)
        reason = str(error) if given_up else f"{type(error).__name__}: {error}"
        seconds = self._context.cancellation.clock() - started
        found: dict[str, Any] = {"reason": reason, "seconds": seconds}
        found[RESTS_ON] = self._context.provenance.key
        if isinstance(error, UnansweredError):
            found["unanswered"] = True
        state = TrialState.PRUNED if given_up else TrialState.FAIL
        self._tell(item, state, [], found, started)
        return state

    def _save_fitted(self, item: OpenTrial, fitted: Predictor) -> None:
        """A dear predictor is saved before it is judged, whole or not at all."""
        folder = self._context.folder.fitted_folder(item.candidate.key)
        if self._context.space.kinds[item.group].saves_fitted and not folder.exists():
            with atomic_write(folder) as partial:
                fitted.save(partial)

    def _block_done(self, item: OpenTrial) -> BlockDone:
        """Report a block to the pruner; what was dear to learn is judged to the end."""
        objective, spec, number = self._context.objectives[0], self._context.spec, item.number
        kind = self._context.space.kinds[item.group]
        whole = kind.saves_fitted and not kind.can_be_pruned
        # With whom others are to be compared on test is judged to the end.
        race = None if item.group == spec.baseline else self._race

        def block_done(block: int, rows: Predictions) -> bool:
            if len(rows) >= GIVE_UP_AFTER:
                check_answered(rows)
            if not rows.answered:
                return False
            value = float(objective.compute(rows))
            scored = BlockScored(number, len(rows), len(self._context.examples), value)
            self._context.events.emit(scored)
            if whole or len(self._context.objectives) > 1 or spec.pruner == "none":
                return False
            latest = rows[block * spec.block :]
            # Others were judged on whole blocks: one with a gap is no pair, and does not prune.
            paired = spec.pruner in ("wilcoxon", "sequential")
            if latest.n_missing or (rows.n_missing and not paired):
                return False
            report = latest if spec.pruner == "wilcoxon" else rows
            given_up = self._context.history.report(number, block, float(objective.compute(report)))
            return given_up or (race is not None and race.should_prune(rows))

        return block_done

    def _evaluation_record(
        self,
        item: OpenTrial,
        fitted: Predictor,
        rows: Predictions,
        started: float,
        reason: str | None,
    ) -> dict[str, Any]:
        """All that is told of a predictor that was judged; its predictions are kept before."""
        path = self._context.folder.predictions_file(item.number)
        rows.to_jsonl(path)
        found = evaluation_record(self._context, fitted, rows) | {CHECKSUM: file_checksum(path)}
        found["seconds"] = self._context.cancellation.clock() - started
        document = self._context.folder.fitted_folder(item.candidate.key) / DOCUMENT
        if self._context.space.kinds[item.group].saves_fitted and document.is_file():
            found[FITTED] = file_checksum(document)
        if reason is not None:
            found["reason"] = reason
        if rows.errors:
            self._context.events.emit(
                Warned(
                    f"trial {item.number} ({item.candidate.name}): {describe_failed_requests(rows)}"
                )
            )
        for words in describe_reply_counts(count_replies(rows), len(rows)):
            self._context.events.emit(
                Warned(f"trial {item.number} ({item.candidate.name}): {words}")
            )
        return found

    def _tell(
        self,
        item: OpenTrial,
        state: TrialState,
        values: list[float],
        found: dict[str, Any],
        started: float,
    ) -> None:
        complete = state == TrialState.COMPLETE
        self._context.history.tell(item.number, state, values if complete else None, found)
        if self._context.space.kinds[item.group].saves_fitted:
            self._context.folder.remove_checkpoints(item.candidate.key)
        seconds = self._context.cancellation.clock() - started
        value = values[0] if values else None
        number, name, reason = item.number, item.candidate.name, found.get("reason")
        self._context.events.emit(
            TrialFinished(number, name, _NAMES[state], value, seconds, reason)
        )


def _no_number(objectives: Sequence[Objective], values: Sequence[float]) -> WorkError | None:
    """The error for the first objective whose value is NaN or infinite: it compares with none."""
    for objective, value in zip(objectives, values, strict=True):
        if not math.isfinite(value):
            return WorkError(f"{objective.name} is {value} on dev, which is no number to judge by")
    return None


def evaluation_record(
    context: StudyContext, fitted: Predictor, rows: Predictions
) -> dict[str, Any]:
    """What is found of a predictor by its predictions of dev, but for ``seconds``."""
    tells = isinstance(fitted, PromptClassifier | AnswerVectorClassifier)
    notes: dict[str, Any] = getattr(fitted, "notes", {}) if tells else {}
    return ({"notes": notes} if notes else {}) | {
        "dev": context.dev_summary(rows),
        "prompt": fitted.example_prompt(context.examples[0]),
        "unparsed_rate": rows.unparsed_rate,
        "errors": rows.n_missing,
        "tokens": rows.tokens,
        "cut": count_truncations(rows).record(),
        "tokens_per_example": rows.tokens_per_example,
        "learning_tokens": fitted.learning_tokens,
        RESTS_ON: context.provenance.key,
    }


_NAMES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}
"""The states in the words of events and leaderboards."""
