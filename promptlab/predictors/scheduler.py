"""Runs many strategies at once: what they ask meanwhile goes to the models in batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from promptlab.errors import AskError, WordlessError
from promptlab.models.base import Scores
from promptlab.predictors.model_calls import Ask, Generate, Score, Scored, Solving
from promptlab.predictors.truncation import surely_fits
from promptlab.prompts.decoding import Generation, too_long_message

T = TypeVar("T")


def drive(
    solvings: Sequence[Solving[T]],
    *,
    advanced: Callable[[int, int], None] | None = None,
    heard: Callable[[str], None] | None = None,
) -> list[T | AskError]:
    """Solve all side by side; results in order, an `AskError` where one example failed.

    All asks that are open at a time go to their models together: texts to be generated first,
    then answers to be scored. ``advanced`` is told how many of how many are solved after every
    round, ``heard`` any text so far while it is being written. Any other error ends everything,
    also one that these raise.
    """
    tasks = [_Task(solving) for solving in solvings]
    driver = _Driver(tasks, heard)
    while driver.open:
        driver.answer_all()
        if advanced is not None:
            advanced(sum(task.done for task in tasks), len(tasks))
    return [task.result for task in tasks]


@dataclass(eq=False)
class _Task:
    """A strategy at work, and who waits for it."""

    solving: Solving[Any]
    parent: _Task | None = None
    children: list[_Task] = field(default_factory=list)
    tolerant: bool = False
    done: bool = False
    result: Any = None


class _Driver:
    def __init__(self, tasks: Sequence[_Task], heard: Callable[[str], None] | None) -> None:
        self.heard = heard
        self.waiting: list[tuple[_Task, Generate | Score]] = []
        for task in tasks:
            self._advance(task, None)

    @property
    def open(self) -> bool:
        """Whether anything waits for an answer."""
        return bool(self.waiting)

    def answer_all(self) -> None:
        """Answer what is open now, and let the strategies go on to what they ask next."""
        waiting, self.waiting = self.waiting, []
        texts = [(task, ask) for task, ask in waiting if isinstance(ask, Generate)]
        choices = [(task, ask) for task, ask in waiting if isinstance(ask, Score)]
        answers: dict[_Task, Any] = {}
        for group in _grouped(texts, lambda ask: (id(ask.model), ask.decoding)):
            answers.update(_generated(group, self.heard))
        for group in _grouped(choices, lambda ask: (id(ask.model), ask.answers)):
            answers.update(_scored(group))
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
                    ask: Ask = task.solving.throw(value)
                else:
                    ask = task.solving.send(value)
            except StopIteration as stop:
                ready.extend(_ended(task, stop.value))
            except AskError as error:
                ready.extend(_ended(task, error))
            else:
                ready.extend(self._take_in(task, ask))

    def _take_in(self, task: _Task, ask: Ask) -> list[tuple[_Task, Any]]:
        if isinstance(ask, Generate | Score):
            self.waiting.append((task, ask))
            return []
        task.children = [_Task(part, parent=task) for part in ask.parts]
        task.tolerant = ask.tolerant
        if not task.children:
            return [(task, [])]
        return [(child, None) for child in task.children]


def _ended(task: _Task, result: Any) -> list[tuple[_Task, Any]]:
    """Note a result; the parent goes on once all its parts have one."""
    task.done, task.result = True, result
    parent = task.parent
    if parent is None or not all(child.done for child in parent.children):
        return []
    results = [child.result for child in parent.children]
    failed = [found for found in results if isinstance(found, AskError)]
    parent.children = []
    return [(parent, failed[0] if failed and not parent.tolerant else results)]


def _grouped(asks: Sequence[tuple[_Task, Any]], key: Callable[[Any], Any]) -> list[Any]:
    groups: dict[Any, list[tuple[_Task, Any]]] = {}
    for task, ask in asks:
        groups.setdefault(key(ask), []).append((task, ask))
    return list(groups.values())


def _generated(
    asks: Sequence[tuple[_Task, Generate]], heard: Callable[[str], None] | None
) -> list[tuple[_Task, Any]]:
    first = asks[0][1]
    listening: dict[str, Any] = {}
    if heard is not None:
        listening["on_text"] = lambda _, text: heard(text)
    replies = first.model.generate(
        [ask.prompt for _, ask in asks],
        first.decoding,
        samples=[ask.sample for _, ask in asks],
        **listening,
    )
    return [(task, _taken(reply)) for (task, _), reply in zip(asks, replies, strict=True)]


def _taken(reply: Generation) -> Generation | AskError:
    """A reply, or the error of one that the strategy cannot go on with."""
    if reply.error is None:
        return reply
    kind = WordlessError if reply.is_answered else AskError
    return kind(reply.error, reply)


def _scored(asks: Sequence[tuple[_Task, Score]]) -> list[tuple[_Task, Any]]:
    """Answers to be scored; a prompt beyond the window fails alone."""
    first = asks[0][1]
    answers: list[tuple[_Task, Any]] = []
    fitting: list[tuple[_Task, Score]] = []
    limit = first.model.max_tokens
    for task, ask in asks:
        fits = surely_fits(ask.prompt, ask.model, limit - 1)
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
        answers.append((task, _row(found, row, float(seconds[row]))))
    return answers


def _row(found: Scores, row: int, seconds: float) -> Scored:
    return Scored(
        tuple(map(float, found.logprobs[row])),
        tuple(map(int, found.answer_tokens[row])),
        int(found.prompt_tokens[row]),
        seconds,
    )
