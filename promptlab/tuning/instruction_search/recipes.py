"""What a proposal is made from: the method whose turn it is, its parents and demonstrations."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from promptlab.tuning.instruction_search.demonstrations import (
    cross_demonstrations,
    mutate_demonstrations,
)
from promptlab.tuning.instruction_search.judged import (
    JudgedInstruction,
    ParentSignal,
    penalised_signals,
)
from promptlab.tuning.instruction_search.merging import draw_merge
from promptlab.tuning.instruction_search.parents import draw_by_share, pareto_shares
from promptlab.tuning.instruction_search.race import surviving_candidates
from promptlab.tuning.instruction_search.requests import Method
from promptlab.tuning.instruction_search.voting import mean_quality, vote_accuracy, vote_shares

ParentRule = Literal["pareto", "vote"]
"""By what parents are drawn: the examples that they lead, or what they add to a vote."""

_VOTES = 12
"""Groups in which a candidate votes before its share is known."""
_NEEDED: Mapping[Method, int] = {
    "induction": 0, "trajectory": 1, "reflection": 1, "crossover": 2, "differential": 3, "merge": 2
}  # fmt: skip
"""How many different prompts must have been judged for a method."""


@dataclass(frozen=True)
class Recipe:
    """A method and what it makes a proposal from, as it stands in the candidate.

    Args:
        method: The method.
        made_from: JSON data: parents, tried instructions, demonstrations; and ``instead_of`` and
            ``because`` where another method's turn it was.

    Example:
        >>> Recipe("induction", {}).fallback
        ''
    """

    method: Method
    made_from: dict[str, Any] = field(default_factory=dict)

    @property
    def fallback(self) -> str:
        """Why it is not the method whose turn it was, in words."""
        if "instead_of" not in self.made_from:
            return ""
        return f"instead of {self.made_from['instead_of']}: {self.made_from['because']}"


@dataclass(frozen=True)
class RecipeBook:
    """Settles what proposals are made from, by what was judged and by chance.

    Equal numbers over equal judgements give equal recipes, so that a study that goes on after a
    kill makes the same proposals.

    Args:
        seed: Of all that is drawn.
        remembered: Tried instructions that *trajectory* shows.
        demonstrations: How many of them a prompt may show; 0: none.
        example_words: The words of every training example that may be shown, by its id.
        parents: By what parents are drawn.
        signal: What leading on an example goes by.
        population: Parents that are kept at least, others only until they are shown to be worse
            than so many; 0: all may be parents.
        length_penalty: What the longest prompt loses on every example.
        members: How many vote together.

    Example:
        >>> RecipeBook(seed=13).make("crossover", [], 5).fallback
        'instead of crossover: it needs 2 different prompts, and 0 were judged'
    """

    seed: int
    remembered: int = 8
    demonstrations: int = 0
    example_words: Mapping[str, int] = field(default_factory=dict)
    parents: ParentRule = "pareto"
    signal: ParentSignal = "objective"
    population: int = 0
    length_penalty: float = 0.0
    members: int = 3

    def make(self, method: Method, pool: Sequence[JudgedInstruction], number: int) -> Recipe:
        """The recipe of proposal ``number``.

        Args:
            method: Whose turn it is.
            pool: What was judged of the same template.
            number: The proposal's.

        Returns:
            A recipe; of another method where this one cannot be, with the reason.
        """
        chance = random.Random(f"{self.seed} {number}")
        different = len({one.instruction for one in pool})
        if method == "merge":
            different = len({one.content for one in pool})
        if different < _NEEDED[method]:
            because = f"it needs {_NEEDED[method]} different prompts, and {different} were judged"
            return self._instead(method, because, self._fresh(chance))
        if method == "merge":
            return self._merge(pool, chance)
        if method == "induction":
            return self._fresh(chance)
        if method == "trajectory":
            return self._trajectory(pool, chance)
        return self._from_parents(method, pool, chance)

    def _instead(self, method: Method, because: str, recipe: Recipe) -> Recipe:
        told = {"instead_of": method, "because": because}
        return Recipe(recipe.method, recipe.made_from | told)

    def _fresh(self, chance: random.Random) -> Recipe:
        """By induction, with demonstrations by chance."""
        if not self.demonstrations:
            return Recipe("induction")
        ids = list(self.example_words)
        count = chance.randint(0, min(self.demonstrations, len(ids)))
        return Recipe("induction", self._shown(chance.sample(ids, count)))

    def _trajectory(self, pool: Sequence[JudgedInstruction], chance: random.Random) -> Recipe:
        ordered = sorted(pool, key=lambda one: (one.value, -one.number))
        tried = {one.instruction: one.value for one in ordered[-self.remembered :]}
        found: dict[str, Any] = {"tried": [list(pair) for pair in tried.items()]}
        return Recipe("trajectory", found | self._mutated(ordered[-1].demonstrations, chance))

    def _merge(self, pool: Sequence[JudgedInstruction], chance: random.Random) -> Recipe:
        by_number = {one.number: one for one in pool}
        leaders = [number for number, share in self.shares(pool, chance).items() if share]
        merge = draw_merge(leaders, by_number, chance)
        if merge is None:
            because = "no two leading prompts of one ancestor have changed different parts"
            if not self.demonstrations:
                because = "with demonstrations: 0 a prompt has one part alone, its instruction"
            return self._instead("merge", because, self._from_parents("reflection", pool, chance))
        parents = [merge.better.record(), merge.other.record()]
        found = {
            "parents": parents,
            "ancestor": merge.ancestor.number,
            "instruction": merge.instruction,
        }
        return Recipe("merge", found | self._shown(merge.demonstrations))

    def _from_parents(
        self, method: Method, pool: Sequence[JudgedInstruction], chance: random.Random
    ) -> Recipe:
        """One parent, or two with different instructions; for *differential* two donors, too."""
        by_number = {one.number: one for one in pool}
        shares = self.shares(pool, chance)
        first = by_number[draw_by_share(shares, chance)]
        if method == "reflection":
            # One component alone (GEPA), so that merges find lineages that differ in one of them.
            made = {"parents": [first.record()]}
            return Recipe(method, made | self._shown(first.demonstrations))
        if method == "differential":
            best = max(pool, key=lambda one: (one.value, -one.number))
            others = _distinct_instructions(pool, {first.instruction})
            donors = chance.sample(others, 2)
            parents = [first, best, *donors]
            second = best
        else:
            others = _distinct_instructions(pool, {first.instruction})
            left = {
                n: s for n, s in shares.items() if by_number[n].instruction != first.instruction
            }
            # Where the race has left one instruction alone, it is crossed with any other one.
            second = by_number[draw_by_share(left or {o.number: 0 for o in others}, chance)]
            parents = [first, second]
        crossed = cross_demonstrations(first.demonstrations, second.demonstrations, chance)
        made = {"parents": [one.record() for one in parents]}
        return Recipe(method, made | self._mutated(crossed, chance))

    def shares(self, pool: Sequence[JudgedInstruction], chance: random.Random) -> dict[int, float]:
        """In which proportion the judged ones become parents.

        Args:
            pool: What was judged of one template.
            chance: Draws the groups that vote.

        Returns:
            A share for each that is still in the race, 0 for who leads nowhere.
        """
        lengths = [self._count_words(one) for one in pool]
        values = penalised_signals(pool, self.signal, self.length_penalty, lengths)
        racing = set(values)
        if self.population:
            largest = 1 + self.length_penalty
            # Early and late examples may show opposite things; if none is left so, all are.
            racing = set(surviving_candidates(values, self.population, largest=largest)) or racing
        found: Mapping[int, float]
        if self.parents == "vote":
            found = self._vote_shares([one for one in pool if one.number in racing], chance)
        else:
            found = pareto_shares({n: own for n, own in values.items() if n in racing})
        lost = set(values) - racing
        return {n: float(found.get(n, 0)) for one in pool if (n := one.number) not in lost}

    def _vote_shares(
        self, racing: Sequence[JudgedInstruction], chance: random.Random
    ) -> dict[int, float]:
        """By votes, or by the mean probability where that is the signal and all labels scored."""
        if self.signal == "probability" and all(one.probabilities for one in racing):
            given = {one.number: one.probabilities for one in racing}
            return vote_shares(given, mean_quality, self.members, _VOTES, chance)
        answers = {one.number: one.labels for one in racing if one.labels}
        targets = next((one.targets for one in racing if one.labels), ())

        def vote(group: Sequence[Sequence[str | None]]) -> float:
            return vote_accuracy(group, targets)

        return vote_shares(answers, vote, self.members, _VOTES, chance)

    def _count_words(self, one: JudgedInstruction) -> int:
        shown = sum(self.example_words.get(name, 0) for name in one.demonstrations)
        return len(one.instruction.split()) + shown

    def _mutated(self, own: Sequence[str], chance: random.Random) -> dict[str, Any]:
        if not self.demonstrations:
            return {}
        shown, change = mutate_demonstrations(
            own[: self.demonstrations], list(self.example_words), self.demonstrations, chance
        )
        return self._shown(shown) | {"change": change}

    def _shown(self, ids: Sequence[str]) -> dict[str, Any]:
        return {"examples": list(ids)} if self.demonstrations else {}


def _distinct_instructions(
    pool: Sequence[JudgedInstruction], without: set[str]
) -> list[JudgedInstruction]:
    """The first of every instruction but those ``without``, in the order of their numbers."""
    found: dict[str, JudgedInstruction] = {}
    for one in sorted(pool, key=lambda one: one.number):
        found.setdefault(one.instruction, one)
    return [one for text, one in found.items() if text not in without]
