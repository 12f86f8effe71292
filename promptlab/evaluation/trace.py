"""What a strategy did for one example: every prompt and reply, as a tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class TraceStep:
    """One step: its prompt, the reply, what that cost, and the step that it follows from.

    ``parent`` is the number of a step, ``None`` for the first ones. ``notes`` are small facts
    such as a value, a vote, or that the step was pruned (JSON data).
    """

    number: int
    parent: int | None
    name: str
    prompt: str = ""
    reply: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    notes: dict[str, Any] = field(default_factory=dict)


class Trace:
    """The steps of one example in the order in which they were taken.

    Example:
        >>> trace = Trace()
        >>> thought = trace.root.step("thought", reply="3 + 4 = 7", value=0.9)
        >>> _ = thought.step("answer", reply="7")
        >>> print(trace.tree())
        └─ thought  (value=0.9)
             3 + 4 = 7
           └─ answer
                7
    """

    def __init__(self) -> None:
        self.steps: list[TraceStep] = []

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[TraceStep]:
        return iter(self.steps)

    @property
    def root(self) -> TraceCursor:
        """Where the first steps are added."""
        return TraceCursor(self, None)

    @property
    def tokens_in(self) -> int:
        """Prompt tokens of all steps, as if nothing had been shared between them."""
        return sum(step.tokens_in for step in self.steps)

    @property
    def tokens_out(self) -> int:
        """Generated and scored tokens of all steps."""
        return sum(step.tokens_out for step in self.steps)

    @property
    def seconds(self) -> float:
        """Wall time of all steps' shares, in seconds."""
        return sum(step.seconds for step in self.steps)

    def children(self, parent: int | None) -> list[TraceStep]:
        """The steps that follow from a step, or the first ones."""
        return [step for step in self.steps if step.parent == parent]

    def record(self) -> dict[str, Any]:
        """Plain JSON data; a prompt that several steps have is written once."""
        prompts: dict[str, int] = {}
        steps = [
            {
                **{name: value for name, value in vars(step).items() if value not in ("", {}, 0)},
                "number": step.number,
                "parent": step.parent,
                "prompt": prompts.setdefault(step.prompt, len(prompts)),
            }
            for step in self.steps
        ]
        return {"prompts": list(prompts), "steps": steps}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Trace:
        """The inverse of `record`."""
        trace = cls()
        for step in record["steps"]:
            given = dict(step)
            trace.steps.append(TraceStep(**given | {"prompt": record["prompts"][given["prompt"]]}))
        return trace

    def tree(self, *, width: int = 100, prompts: bool = False) -> str:
        """The steps as a tree drawn with lines.

        Args:
            width: Characters of a reply that are shown.
            prompts: Whether every step shows its whole prompt and reply.
        """
        lines: list[str] = []
        self._draw(None, "", lines, width, prompts)
        return "\n".join(lines)

    def _draw(
        self, parent: int | None, indent: str, lines: list[str], width: int, prompts: bool
    ) -> None:
        steps = self.children(parent)
        for index, step in enumerate(steps):
            last = index == len(steps) - 1
            corner, below = ("└─ ", "   ") if last else ("├─ ", "│  ")
            lines.append(f"{indent}{corner}{_heading(step)}")
            body = indent + below
            shown = [("prompt", step.prompt)] if prompts else []
            for title, text in [*shown, ("reply", step.reply)]:
                lines.extend(_body(text, f"{body}  ", title, None if prompts else width))
            self._draw(step.number, body, lines, width, prompts)


@dataclass(frozen=True)
class TraceCursor:
    """A place in a trace: where further steps are added."""

    trace: Trace
    number: int | None

    def step(
        self,
        name: str,
        *,
        prompt: str = "",
        reply: str = "",
        tokens_in: int = 0,
        tokens_out: int = 0,
        seconds: float = 0.0,
        **notes: Any,
    ) -> TraceCursor:
        """Add a step that follows from this one, and stand there."""
        number = len(self.trace.steps)
        self.trace.steps.append(
            TraceStep(
                number, self.number, name, prompt, reply, tokens_in, tokens_out, seconds, notes
            )
        )
        return TraceCursor(self.trace, number)

    def annotate(self, **notes: Any) -> None:
        """Add facts to this step."""
        assert self.number is not None, "the root of a trace is no step"
        self.trace.steps[self.number].notes |= notes


def _heading(step: TraceStep) -> str:
    facts = [f"{name}={_short(value)}" for name, value in step.notes.items()]
    if step.tokens_in or step.tokens_out:
        facts.append(f"{step.tokens_in} + {step.tokens_out} tokens")
    return step.name + (f"  ({', '.join(facts)})" if facts else "")


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _body(text: str, indent: str, title: str, width: int | None) -> list[str]:
    if not text:
        return []
    if width is None:
        lines = text.splitlines() or [""]
        return [f"{indent}{title}:", *(f"{indent}  {line}" for line in lines)]
    line = " ".join(text.split())
    return [indent + (line if len(line) <= width else line[: width - 1] + "…")]
