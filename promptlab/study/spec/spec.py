"""The study file of a search: what it may hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from promptlab.candidates.base import KindSettings
from promptlab.study.folder.named_files import without_folders
from promptlab.study.spec.sections import BudgetedStudy, Section, document_hash

Sampler = Literal["auto", "exhaustive", "tpe", "random", "gp", "nsga2"]
Pruner = Literal["none", "median", "wilcoxon", "sequential", "halving", "hyperband"]
PrunerSignal = Literal["objective", "probability"]
SEARCH = "search"
"""The kind of a study that searches; a study file that names no kind is one."""


class DecisionSection(Section):
    """When a study decides, and what it calls equal; changing it decides anew, and asks nothing.

    ``missing`` is the share of examples that may be without an answer. A prompt is *equivalent*
    to the best when the 95 % interval of their difference lies within ± ``margin``, and *cheaper*
    when it saves at least the share ``cheaper`` of the tokens.
    """

    missing: float = Field(default=0.05, ge=0, le=1)
    margin: float = Field(default=0.03, gt=0)
    cheaper: float = Field(default=0.2, ge=0, le=1)


class StudySpec(BudgetedStudy):
    """A study that searches: groups of candidates on a task, and how they are tried and decided.

    `load_spec` makes one of a study file; `document` gives the file's values back.

    Args:
        study: The study's name, which is its folder's.
        description: For people; decides nothing.
        task: Which data, and how it is divided into train, dev and test.
        model: Which model, where, and in which number format.
        candidates: The groups of candidates; a trial picks one, then a value of each of its
            settings that has several.
        objectives: Metrics or costs to optimise; the task's own metric without any.
        sampler: Chooses the next candidates; ``auto`` tries all of a space that the budget covers.
        pruner: Gives up candidates that fall behind between two blocks; *sequential* those that a
            paired test shows to be worse than the best one, right however often it is looked at.
        pruner_signal: What *sequential* compares: values of the ``objective``, or the
            ``probability`` of the right label, which decides sooner; then somebody is given up
            only if the objective speaks against it, too.
        models: How further endpoints are asked that a candidate's ``writer`` names, by name.
        budget: When the search ends: trials, seconds, dollars of endpoints.
        decision: When the study decides, and what it calls equal.
        block: Examples scored between two looks at the pruner.
        batch: Trials that are asked for together.
        seed: Of the sampler, the order of examples and the bootstrap.
        baseline: The group (its kind, such as *template*) whose best candidate the winner is
            compared with on test.
        regression: A file of earlier failures (`promptlab failures export --format suite`) on
            which winner and baseline are run after the decision.

    Example:
        >>> from promptlab.study.spec.load import load_spec
        >>> spec = load_spec({
        ...     "study": "mine", "task": "sst2", "model": "smollm2-135m",
        ...     "candidates": [{"kind": "template", "templates": ["sentiment/it-was"]}],
        ... })
        >>> spec.candidates[0].kind, spec.budget.trials, spec.sampler
        ('template', 50, 'auto')
    """

    kind: Literal["search"] = Field(default="search", exclude=True)
    candidates: list[KindSettings] = Field(min_length=1)
    objectives: list[str] = Field(default=[])
    sampler: Sampler = "auto"
    pruner: Pruner = "none"
    pruner_signal: PrunerSignal = "objective"
    decision: DecisionSection = DecisionSection()
    batch: int = Field(default=8, ge=1)
    baseline: str | None = None
    regression: str | None = None

    def document(self) -> dict[str, Any]:
        """The spec as plain data, kinds' settings included."""
        values = super().document()
        for key in ("baseline", "regression"):
            if values[key] is None:
                values.pop(key)
        if self.pruner_signal == "objective":  # as earlier versions wrote it
            values.pop("pruner_signal")
        if self.decision == DecisionSection():
            values.pop("decision")
        values["candidates"] = [group.model_dump(mode="json") for group in self.candidates]
        return values

    @property
    def fingerprint(self) -> str:
        """Content hash of all that decides which trials there are and what they come to."""
        return self.fingerprint_of(self.document())

    def fingerprint_of(self, document: Mapping[str, Any]) -> str:
        """As of every study; how long is searched and how it is decided may change on the way."""
        return document_hash(without_folders(document), "description", "budget", "decision")

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """The fingerprint, and those that earlier versions gave a study of this budget."""
        earlier = (("description", "budget", "decision"), ("description", "decision"))
        document = self.document()
        return (self.fingerprint, *(document_hash(document, *without) for without in earlier))
