"""The tree of one example while it is searched: it grows, is judged, and all is written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from promptlab.errors import AskError
from promptlab.evaluation.trace import TraceCursor
from promptlab.models.base import LanguageModel
from promptlab.predictors.model_calls import (
    Gather,
    GenerateCall,
    ScoreCall,
    StrategyRun,
    traced_generate,
    traced_score,
)
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.prompt import Prompt
from promptlab.prompts.template import Template
from promptlab.strategies.tree_of_thoughts.evaluation import StateEvaluator
from promptlab.strategies.tree_of_thoughts.node import Budget, BudgetTracker, Node
from promptlab.strategies.tree_of_thoughts.problem import Problem
from promptlab.strategies.tree_of_thoughts.thoughts import ThoughtGenerator

RESERVED = ("state", "steps", "thought", "candidates")
"""Fields of templates that the search fills in; all others are the example's."""


class SearchTree:
    """Grows and judges the tree of one example; ``sample`` numbers repeated solutions.

    A request that fails costs its branch alone (``failures``); what could not be paid from the
    budget is left out.
    """

    def __init__(
        self,
        fields: Mapping[str, str],
        model: LanguageModel,
        thoughts: ThoughtGenerator,
        judgement: StateEvaluator,
        problem: Problem,
        budget: Budget,
        branch: TraceCursor,
        sample: int,
    ) -> None:
        self.fields, self.model, self.problem = fields, model, problem
        self.generator, self.evaluator, self.sample = thoughts, judgement, sample
        self.budget_tracker = BudgetTracker(budget)
        self.failures: list[AskError] = []
        self.parsed_thoughts = 0
        self.backtracked = 0
        self.nodes: list[Node] = []
        state = problem.begin(fields)
        self.root = Node("", state, 0, branch.step("start", **_told(state=state)))
        self._seen: dict[str, Node] = {state: self.root}

    @property
    def best(self) -> Node | None:
        """The best node so far, the earlier one among equals."""
        return max(self.nodes, key=lambda node: node.rank_key, default=None)

    def expand(self, nodes: Sequence[Node]) -> StrategyRun[list[Node]]:
        """The legal new states after ``nodes``; illegal thoughts and repetitions are noted."""
        parts = [self._next(node) for node in nodes if self.budget_tracker.reserve_state()]
        grown: list[list[Node]] = yield Gather(parts)
        return [child for children in grown for child in children]

    def evaluate(self, nodes: Sequence[Node]) -> StrategyRun[None]:
        """Give every open node its value."""
        open_ = [node for node in nodes if not (node.solved or node.dead)]
        method = self.evaluator.method
        if method == "random":
            for node in open_:
                # The example's own fields are in it, so that puzzles with equal states differ.
                parts = (str(self.sample), *map(str, self.fields.values()), node.state)
                self._value(node, self.evaluator.random_value(*parts))
        elif method in ("vote", "vote_text"):
            if len(open_) == 1:
                self._value(open_[0], 1.0)
            elif open_:
                yield from self._vote(open_)
        else:
            rated = self._rate if method == "value" else self._read_values
            yield Gather([rated(node) for node in open_])

    def render_prompt(self, template: Template, node: Node, **more: str) -> Prompt:
        """A template with the example's fields and those of a node."""
        steps = "".join(f"{thought}\n" for thought in node.thoughts)
        own = {"state": node.state, "steps": steps, "thought": node.thought}
        return template.render({**self.fields, **own, **more})

    def _next(self, node: Node) -> StrategyRun[list[Node]]:
        """The children of one node."""
        listed: list[tuple[list[str], TraceCursor]] = []
        if self.generator.method == "moves":
            texts = list(self.problem.moves(node.state))
            listed.append((texts, node.branch))
        else:
            asks = [self._write(node, number) for number in range(self.generator.calls_per_state)]
            found = yield Gather(asks)
            listed.extend(one for one in found if one is not None)
        children: list[Node] = []
        for texts, branch in listed:
            self.parsed_thoughts += len(texts)
            added = (self._add(node, text, branch) for text in texts)
            children.extend(child for child in added if child is not None)
        return children

    def _write(self, node: Node, number: int) -> StrategyRun[tuple[list[str], TraceCursor] | None]:
        """The thoughts of one reply, and the step that they follow from."""
        assert self.generator.template is not None
        found = yield from self._generate(
            node.branch,
            self.generator.method,
            self.render_prompt(self.generator.template, node),
            self.generator.decoding,
            self.sample * self.generator.calls_per_state + number,
        )
        return None if found is None else (self.generator.parse_thoughts(found[0]), found[1])

    def _add(self, parent: Node, text: str, branch: TraceCursor) -> Node | None:
        """A node for a legal thought that leads to a new state."""
        found = self.problem.follow(parent.state, text)
        if isinstance(found, str):
            branch.step("thought", reply=text, illegal=found)
            return None
        earlier = self._seen.get(found.state)
        # A state met again higher up has more steps before it, so it is worth another look.
        if earlier is not None and earlier.depth <= parent.depth + 1:
            branch.step("thought", reply=found.text, merged_with=earlier.branch.number)
            return None
        step = branch.step("thought", reply=found.text, **_told(state=self._shown(found.state)))
        node = Node(found.text, found.state, parent.depth + 1, step, parent)
        node.solved = self.problem.solved(found.state)
        node.dead = self.problem.ended(found.state) and not node.solved
        step.annotate(**({"solved": True} if node.solved else {"dead": True} if node.dead else {}))
        self._seen[found.state] = node
        self.nodes.append(node)
        return node

    def _shown(self, state: str) -> str:
        """A state for the trace; without rules it is the path, which stands there anyway."""
        return state if self.problem.has_rules else ""

    def _value(self, node: Node, value: float, **notes: Any) -> None:
        node.value = value
        node.branch.annotate(value=value, **notes)

    def _rate(self, node: Node) -> StrategyRun[None]:
        assert self.evaluator.template is not None
        prompt = self.render_prompt(self.evaluator.template, node)
        found = yield from self._score(node.branch, "value", prompt, self.evaluator.words.answers)
        if found is not None:
            value, word = self.evaluator.state_value(found.logprobs, found.answer_tokens)
            self._value(node, value, word=word)

    def _read_values(self, node: Node) -> StrategyRun[None]:
        assert self.evaluator.template is not None
        prompt = self.render_prompt(self.evaluator.template, node)
        replies = yield from self._replies(node.branch, "value", prompt)
        read = [self.evaluator.parse_value(reply) for reply in replies]
        known = [worth for worth in read if worth is not None]
        if replies:
            unread = len(read) - len(known)
            self._value(node, sum(known) / len(read), **({"unparsed": unread} if unread else {}))

    def _vote(self, nodes: Sequence[Node]) -> StrategyRun[None]:
        """One prompt about all candidates; it stands below the first one's parent."""
        assert self.evaluator.template is not None
        lines = [f"{n}. {'; '.join(node.thoughts)}" for n, node in enumerate(nodes, start=1)]
        parent = nodes[0].parent or self.root
        prompt = self.render_prompt(self.evaluator.template, parent, candidates="\n".join(lines))
        if self.evaluator.method == "vote":
            numbers = tuple(str(n) for n in range(1, len(nodes) + 1))
            found = yield from self._score(parent.branch, "vote", prompt, numbers)
            if found is None:
                return
            shares = np.exp(np.array(found.logprobs) - max(found.logprobs))
            values = [float(share) for share in shares / shares.sum()]
        else:
            replies = yield from self._replies(parent.branch, "vote", prompt)
            if not replies:
                return
            votes = [self.evaluator.parse_vote(reply, len(nodes)) for reply in replies]
            values = [votes.count(n) / len(votes) for n in range(len(nodes))]
        for node, value in zip(nodes, values, strict=True):
            self._value(node, value)

    def _replies(self, branch: TraceCursor, name: str, prompt: Prompt) -> StrategyRun[list[str]]:
        """The judgement's sampled texts; fewer if some fail or cannot be paid."""
        samples = self.evaluator.samples
        asks = [
            self._generate(branch, name, prompt, self.evaluator.decoding, self.sample * samples + n)
            for n in range(samples)
        ]
        found = yield Gather(asks)
        return [one[0] for one in found if one is not None]

    def _generate(
        self, branch: TraceCursor, name: str, prompt: Prompt, decoding: Decoding, sample: int
    ) -> StrategyRun[tuple[str, TraceCursor] | None]:
        """A reply and its step; ``None`` if it cannot be paid, or fails."""
        price = self._price(prompt, decoding.max_tokens)
        if not self.budget_tracker.reserve_call(price):
            return None
        try:
            ask = GenerateCall(self.model, prompt, decoding, sample)
            reply, after = yield from traced_generate(branch, name, ask)
        except AskError as error:
            self._failed(branch, name, error)
            return None
        self.budget_tracker.refund(price, reply.tokens_in + reply.tokens_out)
        return reply.answer, after

    def _score(
        self, branch: TraceCursor, name: str, prompt: Prompt, answers: tuple[str, ...]
    ) -> StrategyRun[Any]:
        """A `ScoreResult`; ``None`` if it cannot be paid, or fails."""
        price = self._price(prompt, sum(len(answer.encode()) + 1 for answer in answers))
        if not self.budget_tracker.reserve_call(price):
            return None
        try:
            found, _ = yield from traced_score(branch, name, ScoreCall(self.model, prompt, answers))
        except AskError as error:
            self._failed(branch, name, error)
            return None
        self.budget_tracker.refund(price, found.prompt_tokens + sum(found.answer_tokens))
        return found

    def _price(self, prompt: Prompt, reply: int) -> int:
        """The most tokens that a request can take; they are counted for a budget alone."""
        if self.budget_tracker.budget.tokens is None:
            return 0
        return self.model.count_tokens(prompt) + reply

    def _failed(self, branch: TraceCursor, name: str, error: AskError) -> None:
        self.failures.append(error)
        branch.step(name, error=str(error))


def _told(**notes: str) -> dict[str, Any]:
    """Notes that say something."""
    return {name: text for name, text in notes.items() if text}
