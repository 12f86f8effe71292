"""How a tree search values the states that it has reached."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np

from promptlab.compat.earlier_names import earlier_names
from promptlab.errors import InputError
from promptlab.files.settings import check_seed
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.parsers.parsers import ChoiceParser, NumberParser
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.strategies.tree_of_thoughts.thoughts import template_from

EvaluationMethod = Literal["value", "value_text", "vote", "vote_text", "random"]
WORTHS = {"impossible": 0.001, "likely": 1.0, "sure": 20.0}
"""What the paper's three words are worth (its code, game of 24)."""


@earlier_names(
    worth="state_value", read_worth="parse_value", read_vote="parse_vote", chance="random_value"
)
@dataclass(frozen=True)
class StateEvaluator:
    """The states of a tree search are valued by scored or written words, by votes, or at random.

    Values and votes are those of Yao et al. (2023, section 3). The methods:

    - *value*: words such as sure, likely and impossible are scored after each state, whose value
      is the sum of their ``worths`` times their probabilities.
    - *value_text*: replies are generated and read for such a word; the value is the mean of their
      worths, with 0 for a reply without one.
    - *vote*: all states stand in one prompt, and the numbers by which it lists them are scored;
      a state's value is the probability of its number.
    - *vote_text*: replies are generated and read for such a number; the value is the state's
      share of them.
    - *random*: seeded numbers in [0, 1), the control for which no model is asked.

    Args:
        template: Reads the example's fields and ``{state}``, ``{steps}`` (the thoughts so far,
            each closed by a newline) and ``{thought}`` (the last one), for votes ``{candidates}``;
            only *random* needs none.
        method: One of those above.
        worths: What each word's label counts; unless given the paper's 20 for sure, 1 for likely
            and 0.001 for impossible.
        verbalizer: The answers of each label of ``worths``; the labels themselves unless given.
        samples: How many replies are generated for *value_text* and *vote_text*.
        decoding: How they are generated; at most 16 tokens unless given, and up to an empty line
            where it has no stop strings.
        seed: The seed of *random*.

    Raises:
        InputError: For an unknown method, a missing template, labels without a worth, or several
            samples at temperature 0.

    Example:
        >>> evaluator = StateEvaluator(pl.Template("Can {state} reach 24? {mask}"))
        >>> evaluator.words.answers
        ('impossible', 'likely', 'sure')
        >>> value, label = evaluator.state_value(np.log([0.1, 0.4, 0.5]), [1, 1, 1])
        >>> round(value, 4), label
        (10.4001, 'sure')
    """

    template: Template | None = None
    method: EvaluationMethod = "value"
    worths: Mapping[str, float] = field(default_factory=lambda: dict(WORTHS))
    verbalizer: Verbalizer | None = None
    samples: int = 1
    decoding: Decoding = field(default_factory=lambda: Decoding(max_tokens=16))
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in get_args(EvaluationMethod):
            raise InputError(
                f"unknown judgement {self.method!r}; it is one of "
                f"{', '.join(get_args(EvaluationMethod))}"
            )
        check_seed(self.seed)
        if self.template is None and self.method != "random":
            raise InputError(f"states are judged by {self.method!r} with a template; give one")
        if self.samples < 1:
            raise InputError(f"{self.samples} samples of a judgement; use 1 or more")
        if self.verbalizer is None:
            object.__setattr__(self, "verbalizer", Verbalizer({w: w for w in self.worths}))
        if set(self.words.labels) != set(self.worths):
            raise InputError(
                f"the answers have the labels {', '.join(self.words.labels)} and the worths are "
                f"for {', '.join(self.worths)}; give every label one worth"
            )
        if self.writes and self.samples > 1 and not self.decoding.temperature:
            raise InputError("several samples at temperature 0 are one; use a temperature above 0")
        if self.writes and not self.decoding.stop:
            object.__setattr__(self, "decoding", replace(self.decoding, stop=("\n\n",)))

    @property
    def words(self) -> Verbalizer:
        """The value words."""
        assert self.verbalizer is not None
        return self.verbalizer

    @property
    def writes(self) -> bool:
        """Whether replies are generated."""
        return self.method in ("value_text", "vote_text")

    @property
    def scores(self) -> bool:
        """Whether answers are scored."""
        return self.method in ("value", "vote")

    def state_value(self, logprobs: Sequence[float], tokens: Sequence[int]) -> tuple[float, str]:
        """The expected worth of a state, and its likeliest label."""
        found = np.array(logprobs)
        if self.words.length_normalise:
            found = found / np.array(tokens)
        shares = np.exp(self.words.label_scores(found[None])[0])
        worth = sum(
            self.worths[w] * float(p) for w, p in zip(self.words.labels, shares, strict=True)
        )
        return worth, self.words.labels[int(np.argmax(shares))]

    def parse_value(self, reply: str) -> float | None:
        """What a generated value says, ``None`` if nothing."""
        choices = {w: tuple(words) for w, words in self.words.mapping().items()}
        label = ChoiceParser(tuple(choices.items())).parse(reply)
        return None if label is None else self.worths[label]

    def parse_vote(self, reply: str, count: int) -> int | None:
        """The candidate (from 0) that a generated vote names, ``None`` if none."""
        found = NumberParser().parse(reply)
        if found is None or not found.isdigit() or not 1 <= int(found) <= count:
            return None
        return int(found) - 1

    def random_value(self, *parts: str) -> float:
        """A number in [0, 1) that depends on the seed and ``parts`` alone."""
        text = "\0".join((str(self.seed), *parts))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48

    def settings(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            "template": None if self.template is None else self.template.settings(),
            "method": self.method,
            "worths": dict(self.worths),
            "verbalizer": self.words.settings(),
            "samples": self.samples,
            "decoding": self.decoding.settings(),
            "seed": self.seed,
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> StateEvaluator:
        """The inverse of `settings`."""
        return cls(
            template_from(settings["template"]),
            settings["method"],
            settings["worths"],
            Verbalizer.from_settings(settings["verbalizer"]),
            settings["samples"],
            Decoding.from_settings(settings["decoding"]),
            settings["seed"],
        )
