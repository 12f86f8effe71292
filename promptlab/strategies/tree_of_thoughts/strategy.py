"""Tree of thoughts: thoughts are proposed, valued, and searched with a way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from promptlab.data.example import Example
from promptlab.data.inputs import Input, as_examples
from promptlab.errors import InputError, WordlessError
from promptlab.evaluation.trace import TraceCursor
from promptlab.models.base import Capability, LanguageModel
from promptlab.models.pool import as_model
from promptlab.predictors.model_calls import (
    GenerateCall,
    StrategyResult,
    StrategyRun,
    traced_generate,
)
from promptlab.predictors.strategy import Strategy
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.parsers.parsers import Parser, parser_from_settings
from promptlab.prompts.template import Template
from promptlab.strategies.tree_of_thoughts.evaluation import StateEvaluator
from promptlab.strategies.tree_of_thoughts.exploration import RESERVED, SearchTree
from promptlab.strategies.tree_of_thoughts.node import Node
from promptlab.strategies.tree_of_thoughts.problem import Problem, find_problem, problem_name
from promptlab.strategies.tree_of_thoughts.search import TreeSearch
from promptlab.strategies.tree_of_thoughts.thoughts import ThoughtGenerator, template_from


class TreeOfThoughts(Strategy):
    """An answer is searched for in a tree of intermediate steps, the thoughts (Yao et al. 2023).

    The answer comes from the best path: one that solves the problem, else the deepest that can go
    on, then that of the highest value. Demonstrations stand in the templates; ``fit`` learns
    nothing.

    Args:
        thoughts: How the next thoughts of a state are generated.
        judgement: How states are valued.
        model: The model that writes and scores, or its name.
        search: In which order states are visited, and how many; breadth first unless given.
        problem: The rules that tell legal thoughts and solutions: *game24*,
            ``package.module:Name``, or a `Problem`; without one every thought is legal.
        answer: A template that asks for the answer after the best path, which it reads as
            ``{steps}``; unless given the answer is the problem's own, or the last thought.
        parser: Reads the answer out of that text, which is the answer as it is unless given.
        decoding: How the reply to ``answer`` is decoded; greedy unless given.

    Raises:
        InputError: For a problem that is unknown or whose code is not allowed, *moves* without a
            problem that lists them, or a template for votes without ``{candidates}``.
        CapabilityError: For a model that cannot generate or score what is asked.

    Example:
        >>> moves = pl.strategies.ThoughtGenerator(method="moves")
        >>> value = pl.strategies.StateEvaluator(pl.Template("Can {state} reach 24? {mask}"))
        >>> tree = pl.TreeOfThoughts(moves, value, model, problem="game24")
        >>> found = tree.predict(["4 6"])
        >>> found.labels, found[0].trace["tree"]["ended"]
        (['6 * 4'], 'solved')
    """

    def __init__(
        self,
        thoughts: ThoughtGenerator,
        judgement: StateEvaluator,
        model: LanguageModel | str,
        *,
        search: TreeSearch | None = None,
        problem: Problem | str | None = None,
        answer: Template | str | None = None,
        parser: Parser | None = None,
        decoding: Decoding | None = None,
    ) -> None:
        self.thoughts, self.judgement = thoughts, judgement
        self.search = search or TreeSearch()
        self.problem = problem if isinstance(problem, Problem) else find_problem(problem)
        self.answer = Template(answer) if isinstance(answer, str) else answer
        self.parser = parser
        self.decoding = decoding or Decoding()
        self.model = as_model(model)
        self._check()

    @property
    def needs(self) -> tuple[Capability, ...]:
        """What the model must be able to do."""
        writes = self.thoughts.calls_per_state or self.judgement.writes or self.answer is not None
        found: list[Capability] = ["generate"] if writes else []
        return (*found, "score") if self.judgement.scores else tuple(found)

    @property
    def decodings(self) -> tuple[Decoding, ...]:
        """Those of thoughts, of judgements that are written, and of the answer step."""
        used = [self.thoughts.decoding] if self.thoughts.calls_per_state else []
        used += [self.judgement.decoding] if self.judgement.writes else []
        used += [self.decoding] if self.answer is not None else []
        return tuple(used)

    @property
    def fields(self) -> tuple[str, ...]:
        """The example fields that the templates and the problem read."""
        names = list(self.problem.fields)
        for template in (self.thoughts.template, self.judgement.template, self.answer):
            names.extend(template.fields if template is not None else ())
        return tuple(dict.fromkeys(name for name in names if name not in RESERVED))

    def solve(
        self, example: Example, branch: TraceCursor, sample: int = 0
    ) -> StrategyRun[StrategyResult]:
        """Search, then answer from the best path, which the trace marks as chosen."""
        try:
            tree = self._exploration(example.fields, branch, sample)
        except InputError as error:  # fields without content, for one: there is nothing to search
            branch.step("start", error=str(error))
            return StrategyResult(
                None, facts={"tree": {"ended": "no such problem", "why": str(error)}}
            )
        ended = yield from self.search.run(tree)
        best = tree.best
        facts = {"tree": _summary(tree, ended, best)}
        if best is None:
            if tree.failures:
                raise tree.failures[0]
            if not tree.parsed_thoughts and not tree.budget_tracker.refused:
                raise WordlessError(
                    f"no thought could be read from what {self.model.name} wrote for the first "
                    "step; see the trace for its reply"
                )
            return StrategyResult(None, facts=facts)
        for node in best.path:
            node.branch.annotate(chosen=True)
        return (yield from self._answered(tree, best, sample, facts))

    def example_prompt(self, example: Input) -> str:
        """The prompt that asks for the first thoughts, or judges the first state."""
        fields = as_examples([example], self.fields)[0].fields
        template = self.thoughts.template or self.judgement.template
        if template is None:
            return ""
        state = self.problem.begin(fields)
        own = {"state": state, "steps": "", "thought": "", "candidates": ""}
        return self.model.display(template.render({**fields, **own}))

    def settings(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            "thoughts": self.thoughts.settings(),
            "judgement": self.judgement.settings(),
            "search": self.search.settings(),
            "problem": problem_name(self.problem),
            "answer": None if self.answer is None else self.answer.settings(),
            "parser": None if self.parser is None else self.parser.settings(),
            "decoding": self.decoding.settings(),
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], model: LanguageModel) -> Self:
        """The inverse of `settings`."""
        parser = settings["parser"]
        return cls(
            ThoughtGenerator.from_settings(settings["thoughts"]),
            StateEvaluator.from_settings(settings["judgement"]),
            model,
            search=TreeSearch.from_settings(settings["search"]),
            problem=settings["problem"],
            answer=template_from(settings["answer"]),
            parser=None if parser is None else parser_from_settings(parser),
            decoding=Decoding.from_settings(settings["decoding"]),
        )

    def _check(self) -> None:
        for need in self.needs:
            self.model.require(need)
        if self.thoughts.method == "moves" and not self.problem.lists_moves:
            raise InputError(
                "thoughts by 'moves' are listed by the problem, and this one lists none; use "
                "'propose' or 'sample'"
            )
        votes = self.judgement.method in ("vote", "vote_text")
        template = self.judgement.template
        if votes and template is not None and "candidates" not in template.fields:
            raise InputError(
                "a template for votes shows the states to choose from: write {candidates} in it"
            )

    def _exploration(
        self, fields: Mapping[str, str], branch: TraceCursor, sample: int
    ) -> SearchTree:
        return SearchTree(
            fields,
            self.model,
            self.thoughts,
            self.judgement,
            self.problem,
            self.search.budget,
            branch,
            sample,
        )

    def _answered(
        self, tree: SearchTree, best: Node, sample: int, facts: dict[str, Any]
    ) -> StrategyRun[StrategyResult]:
        """The answer step."""
        logprob: float | None = None
        if self.answer is None:
            text = said = self.problem.answer(tree.fields, best.thoughts)
        else:
            ask = GenerateCall(
                self.model, tree.render_prompt(self.answer, best), self.decoding, sample
            )
            reply, _ = yield from traced_generate(best.branch, "answer", ask)
            text, logprob, said = reply.text, reply.logprob, reply.answer
            if reply.unreadable_reason:
                facts = facts | {"unread": reply.unreadable_reason}
        label = self.parser.parse(said) if self.parser is not None else said.strip() or None
        reasoning = "\n".join(best.thoughts)
        return StrategyResult(label, text, logprob=logprob, reasoning=reasoning, facts=facts)


def _summary(tree: SearchTree, ended: str, best: Node | None) -> dict[str, Any]:
    """What the search came to, in numbers."""
    return {
        "ended": ended,
        "solved": best is not None and best.solved,
        "depth": 0 if best is None else best.depth,
        "states": len(tree.nodes),
        "asks": tree.budget_tracker.asks,
        "backtracked": tree.backtracked,
        "failed_asks": len(tree.failures),
    }
