"""What is known of a labelled file before prompts are written for it."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Literal

from promptlab.data.task import Task
from promptlab.study.proposal.label_words import are_numbers, are_ordered, label_answers
from promptlab.study.proposal.subject import Subject

Shape = Literal["grades", "yes_no", "classes", "open", "number"]

_PLAIN_NAMES = {"label", "labels", "class", "target", "output", "y", "gold", "category", "answer"}


@dataclass(frozen=True)
class FileFacts:
    """What is known of a file: its task, what the texts are, and what is asked about them."""

    task: Task
    subject: Subject
    asked: str
    chat: bool

    @property
    def shape(self) -> Shape:
        """What kind of answers the file has."""
        labels = self.task.labels
        if not labels:
            return "number" if _are_numbers(self.task) else "open"
        if are_ordered(labels):
            return "grades"
        asks = self.asked != "category" or any("question" in name for name in self.task.fields)
        says = set(label_answers(labels).values()) == {"yes", "no"}
        return "yes_no" if says and (asks or not are_numbers(labels)) else "classes"

    @property
    def block(self) -> str:
        """All fields, each under its name where there are several."""
        fields = self.task.fields
        if len(fields) == 1:
            return f"{{{fields[0]}}}"
        return "\n".join(f"{column_title(name)}: {{{name}}}" for name in fields)

    @property
    def labels(self) -> str:
        """The labels in words, as a list to choose from."""
        names = list(label_answers(self.task.labels).values())
        if self.shape == "grades":
            names = sorted(self.task.labels, key=float)
        return ", ".join(names[:-1]) + f" or {names[-1]}"

    @property
    def answer_words(self) -> float:
        """How many words an answer mostly has."""
        return median(len((example.label or "").split()) for example in self.task.dev)

    @property
    def reply_tokens(self) -> int:
        """Room for the longest answers of train, in tokens of about four characters."""
        longest = max((len(example.label or "") for example in self.task.train), default=40)
        return max(8, min(128, longest // 3 + 4))


def label_noun(column: str) -> str:
    """What a label's column asks for, in words: ``queue``; ``category`` for a plain name."""
    words = column.rpartition(".")[2].replace("_", " ").strip().lower()
    return "category" if words in _PLAIN_NAMES else words


def column_title(name: str) -> str:
    """A column's name as words that begin a line: ``Queue`` for ``queue``."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _are_numbers(task: Task) -> bool:
    targets = [example.label or "" for example in task.dev]
    return bool(targets) and all(_is_number(target) for target in targets)


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", ""))
    except ValueError:
        return False
    return True
