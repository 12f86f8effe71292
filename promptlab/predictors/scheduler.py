"""Runs many strategies at once: what they ask meanwhile goes to the models in batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from promptlab.errors import AskError, WordlessError
from promptlab.models.base import Scores
from promptlab.predictors.model_calls import (
    GenerateCall,
    ModelCall,
    ScoreCall,
    ScoreResult,
    StrategyRun,
)
from promptlab.predictors.truncation import fits_without_counting
from promptlab.prompts.decoding import Generation, too_long_message

T = TypeVar("T")


def run_concurrently(
    runs: Sequence[StrategyRun[T]],
    *,
    on_round: Callable[[int, int], None] | None = None,
    on_text: Callable[[str], None] | None = None,
) -> list[T | AskError]:
    """Solve all side by side; results in order, an `AskError` where one example failed.

    All asks that are open at a time go to their models together: texts to be generated first,
    then answers to be scored. ``on_round`` is told how many of how many are solved after every
    round, ``on_text`` any text so far while it is being written. Any other error ends everything,
    also one that these raise.
    """
    tasks = [_Task(solving) for solving in runs]
    driver = _Scheduler(tasks, on_text)
    while driver.is_running:
        driver.run_round()
        if on_round is not None:
            on_round(sum(task.is_done for task in tasks), len(tasks))
    return [task.result for task in tasks]


@dataclass(eq=False)
class _Task:
    """A strategy at work, and who waits for it."""

    run: StrategyRun[Any]
    parent: _Task | None = None
    children: list[_Task] = field(default_factory=list)
    return_errors: bool = False
    is_done: bool = False
    result: Any = None


class _Scheduler:
    def __init__(self, tasks: Sequence[_Task], on_text: Callable[[str], None] | None) -> None:
        self.on_text = on_text
        self.pending: list[tuple[_Task, GenerateCall | ScoreCall]] = []
        for task in tasks:
            self._advance(task, None)

    @property
    def is_running(self) -> bool:
        """Whether anything waits for an answer."""
        return bool(self.pending)

    def run_round(self) -> None:
        """Answer what is open now, and let the strategies go on to what they ask next."""
        waiting, self.pending = self.pending, []
        texts = [(task, ask) for task, ask in waiting if isinstance(ask, GenerateCall)]
        choices = [(task, ask) for task, ask in waiting if isinstance(ask, ScoreCall)]
        answers: dict[_Task, Any] = {}
        for group in _group_by(texts, lambda ask: (id(ask.model), ask.decoding)):
            answers.update(_run_generate_calls(group, self.on_text))
        for group in _group_by(choices, lambda ask: (id(ask.model), ask.answers)):
            answers.update(_run_score_calls(group))
        # In the order of asking, so that an example's steps have the same order in any batch.
        for task, _ in waiting:
            self._advance(task, answers[task])

    def _advance(self, task: _Task, value: Any) -> None:
        """Send an answer (or throw an `AskError`) and take in what is asked next.

        A loop, not a recursion: a chain of steps without questions may be long.
        """
        ready: deque[tuple[_Task, Any]] = deque([(task, value)])
        while ready:
            task, value = ready.popleft()
            try:
                if isinstance(value, AskError):
                    ask: ModelCall = task.run.throw(value)
                else:
                    ask = task.run.send(value)
            except StopIteration as stop:
                ready.extend(_finish(task, stop.value))
            except AskError as error:
                ready.extend(_finish(task, error))
            else:
                ready.extend(self._start(task, ask))

    def _start(self, task: _Task, ask: ModelCall) -> list[tuple[_Task, Any]]:
        if isinstance(ask, GenerateCall | ScoreCall):
            self.pending.append((task, ask))
            return []
        task.children = [_Task(part, parent=task) for part in ask.parts]
        task.return_errors = ask.return_errors
        if not task.children:
            return [(task, [])]
        return [(child, None) for child in task.children]


def _finish(task: _Task, result: Any) -> list[tuple[_Task, Any]]:
    """Note a result; the parent goes on once all its parts have one."""
    task.is_done, task.result = True, result
    parent = task.parent
    if parent is None or not all(child.is_done for child in parent.children):
        return []
    results = [child.result for child in parent.children]
    failed = [found for found in results if isinstance(found, AskError)]
    parent.children = []
    return [(parent, failed[0] if failed and not parent.return_errors else results)]


def _group_by(asks: Sequence[tuple[_Task, Any]], key: Callable[[Any], Any]) -> list[Any]:
    groups: dict[Any, list[tuple[_Task, Any]]] = {}
    for task, ask in asks:
        groups.setdefault(key(ask), []).append((task, ask))
    return list(groups.values())


def _run_generate_calls(
    asks: Sequence[tuple[_Task, GenerateCall]], on_text: Callable[[str], None] | None
) -> list[tuple[_Task, Any]]:
    first = asks[0][1]
    listening: dict[str, Any] = {}
    if on_text is not None:
        listening["on_text"] = lambda _, text: on_text(text)
    replies = first.model.generate(
        [ask.prompt for _, ask in asks],
        first.decoding,
        samples=[ask.sample for _, ask in asks],
        **listening,
    )
    return [(task, _reply_or_error(reply)) for (task, _), reply in zip(asks, replies, strict=True)]


def _reply_or_error(reply: Generation) -> Generation | AskError:
    """A reply, or the error of one that the strategy cannot go on with."""
    if reply.error is None:
        return reply
    kind = WordlessError if reply.is_answered else AskError
    return kind(reply.error, reply)


def _run_score_calls(asks: Sequence[tuple[_Task, ScoreCall]]) -> list[tuple[_Task, Any]]:
    """Answers to be scored; a prompt beyond the window fails alone."""
    first = asks[0][1]
    answers: list[tuple[_Task, Any]] = []
    fitting: list[tuple[_Task, ScoreCall]] = []
    limit = first.model.max_tokens
    for task, ask in asks:
        fits = fits_without_counting(ask.prompt, ask.model, limit - 1)
        used = 0 if fits else ask.model.count_tokens(ask.prompt)
        if used < limit:
            fitting.append((task, ask))
        else:
            answers.append((task, WordlessError(too_long_message(used, ask.model.name, limit))))
    if not fitting:
        return answers
    found = first.model.score([ask.prompt for _, ask in fitting], first.answers)
    weights = found.prompt_tokens + found.answer_tokens.sum(axis=1)
    seconds = found.seconds * weights / weights.sum()
    for row, (task, _) in enumerate(fitting):
        answers.append((task, _score_result(found, row, float(seconds[row]))))
    return answers


def _score_result(found: Scores, row: int, seconds: float) -> ScoreResult:
    return ScoreResult(
        tuple(map(float, found.logprobs[row])),
        tuple(map(int, found.answer_tokens[row])),
        int(found.prompt_tokens[row]),
        seconds,
    )
