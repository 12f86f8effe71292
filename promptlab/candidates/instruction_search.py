"""Kind *instruction_search*: a language model writes instructions, the study judges them.

Every proposal is a trial of its own. What it is made from (the instructions tried so far, those
that lead on some examples, what one got wrong) is settled when it is asked for, and stands in the
candidate; the writer is asked when it is fitted.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, ClassVar

from pydantic import Field

from promptlab.candidates.base import KindSettings, Trial
from promptlab.candidates.template import DecodingSettings, TemplateKind, TemplateSettings
from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.errors import Cancelled, DiskError, InputError, StudyError
from promptlab.evaluation.search_budget import announce_budget
from promptlab.events import Step
from promptlab.files.settings import Seed
from promptlab.models.base import LanguageModel
from promptlab.models.pool import load_model, note_model
from promptlab.predictors.base import Predictor
from promptlab.predictors.candidate import Candidate
from promptlab.predictors.template_predictor import TemplatePredictor
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.template import Template
from promptlab.tuning.fit_context import CompletedTrial, FitContext, FitRequest
from promptlab.tuning.instruction_search.judged import (
    JudgedInstruction,
    ParentSignal,
    read_judged,
)
from promptlab.tuning.instruction_search.proposal import (
    ProposalFilter,
    instruction_of,
    with_instruction,
)
from promptlab.tuning.instruction_search.recipes import ParentRule, RecipeBook
from promptlab.tuning.instruction_search.requests import (
    Method,
    WritingRequest,
    list_examples,
    list_failures,
    request_of,
)
from promptlab.tuning.instruction_search.writer import (
    InstructionWriter,
    Writing,
    require_instruction,
)

_PROPOSED = ("proposal", "method", "option")
"""Settings of a proposal that the template it starts from lacks."""
WRITING = DecodingSettings(max_tokens=96, temperature=0.9, top_p=0.95)


class InstructionSearchSettings(TemplateSettings):
    """A template group whose instructions a language model writes anew.

    Proposal 0 of every template is the template as it is; of the others, ``methods`` take turns:
    *induction* (from solved examples; Zhou et al. 2023, APE), *trajectory* (from the best tried so
    far; Yang et al. 2024, OPRO), *crossover* (from two parents) and *differential* (from the words
    in which two others differ; both Guo et al. 2024, EvoPrompt), *reflection* (from what a parent
    got wrong on training examples) and *merge* (the parts that two lineages have changed; both
    Agrawal et al. 2025, GEPA). With ``demonstrations`` a prompt may show up to so many training
    examples, which are crossed and changed with its instruction (Zehle et al. 2025, CAPO);
    *reflection* changes the instruction alone, and without them there is nothing to *merge*.

    ``parents`` are drawn by the dev examples that they lead (*pareto*) or by what they add to a
    *vote* of ``members`` (C-Evolve, 2025). Both go by ``signal``, the *objective*'s right or
    wrong or the *probability* of the right label, less ``length_penalty`` times the relative
    length. With a ``population`` who is shown to be worse than so many others is no parent.

    ``writer`` names a model that writes; without it the study's own does. Of ``reflected`` training
    examples a parent's failures are looked for, and ``shown`` examples stand in a request. A reply
    that repeats an instruction, holds a text of the data, refuses or goes on too long is dropped;
    the writer is asked at most ``tries`` times.
    """

    proposals: int = Field(default=12, ge=1, le=10_000)
    methods: list[Method] = Field(
        default=["induction", "reflection", "crossover", "trajectory"], min_length=1
    )
    demonstrations: int = Field(default=0, ge=0)
    parents: ParentRule = "pareto"
    signal: ParentSignal = "objective"
    population: int = Field(default=0, ge=0)
    length_penalty: float = Field(default=0.0, ge=0, le=0.5)
    members: int = Field(default=3, ge=2)
    writer: str | None = None
    writing: DecodingSettings = WRITING
    shown: int = Field(default=6, ge=1)
    remembered: int = Field(default=8, ge=2)
    reflected: int = Field(default=16, ge=1)
    tries: int = Field(default=3, ge=1)
    seed: Seed = 13


class InstructionSearchKind(TemplateKind):
    """Automatic instruction optimisation, every step of it judged by the study."""

    name: ClassVar[str] = "instruction_search"
    Settings: ClassVar[type[KindSettings]] = InstructionSearchSettings
    saves_fitted: ClassVar[bool] = True
    can_be_pruned: ClassVar[bool] = True
    ordered_dimensions: ClassVar[tuple[str, ...]] = ("proposal",)
    settings: InstructionSearchSettings

    def __init__(self, settings: InstructionSearchSettings, task: Task) -> None:
        super().__init__(settings, task)
        if not task.train:
            raise StudyError("instructions are written from training examples, and there are none")
        self._judged: dict[int, JudgedInstruction] = {}
        self._train = {e.id: e for e in task.train if e.label is not None}
        if settings.demonstrations > len(self._train):
            raise StudyError(
                f"{settings.demonstrations} demonstrations are asked for and there are "
                f"{len(self._train)} labelled training examples"
            )
        for option in self.options.values():
            try:
                with_instruction(option.template, "x")
            except InputError as error:
                raise StudyError(f"template {option.name!r}: {error}") from error

    def check(self, model: LanguageModel) -> None:
        """As for templates; and whoever writes must be able to."""
        super().check(model)
        (self._named_writer or model).require("generate")
        if self.settings.writer is not None:
            note_model(self.settings.writer, "writer")

    def observe_trials(self, finished: Sequence[CompletedTrial]) -> None:
        """The instructions judged so far, and the templates that they start from."""
        kinds = (self.name, TemplateKind.name)
        options = {one.number: self._option_of(one) for one in finished if one.kind in kinds}
        self._judged = {
            one.number: self._judged.get(one.number) or read_judged(one, option)
            for one in finished
            if (option := options.get(one.number)) is not None
        }

    def _option_of(self, one: CompletedTrial) -> str | None:
        """The template that a trial of this kind, or of templates, is of; ``None``: another one."""
        settings = one.candidate.settings
        if "option" in settings:
            return str(settings["option"])
        template = Template.from_settings(settings["template"])
        same = (name for name, o in self.options.items() if o.template.source == template.source)
        return next(same, None)

    def announce(self, trials: int) -> list[str]:
        """What the proposals can buy, before the first of them is paid for."""
        starts = len(self.options) * len(self.settings.calibration)
        return [announce_budget(min(self.settings.proposals * starts, trials), self.task)]

    def suggest(self, trial: Trial, prefix: str) -> Candidate:
        """A proposal; proposal 0 is the very candidate of kind *template* that is to be improved.

        So a study that holds it in a group of templates, too, judges it once.
        """
        made = super().suggest(trial, prefix)
        if made.settings["proposal"]:
            return made
        given = {name: value for name, value in made.settings.items() if name not in _PROPOSED}
        return Candidate.of(TemplateKind.name, given, made.name)

    def _extra(self, trial: Trial, prefix: str, labels: list[str]) -> dict[str, Any]:
        option = str(labels[0])
        number = trial.suggest_int(f"{prefix}proposal", 0, self.settings.proposals)
        if number == 0:
            return {"proposal": 0, "option": option}
        turn = self.settings.methods[(number - 1) % len(self.settings.methods)]
        pool = [one for one in self._judged.values() if one.option == option]
        recipe = self._recipes.make(turn, pool, number)
        labels.append(f"{recipe.method} {number}")
        return {"proposal": number, "method": recipe.method, "option": option} | recipe.made_from

    @cached_property
    def _recipes(self) -> RecipeBook:
        chosen = self.settings
        words = {name: _count_words(example) for name, example in self._train.items()}
        return RecipeBook(
            seed=chosen.seed, remembered=chosen.remembered, demonstrations=chosen.demonstrations,
            example_words=words, parents=chosen.parents, signal=chosen.signal,
            population=chosen.population, length_penalty=chosen.length_penalty,
            members=chosen.members,
        )  # fmt: skip

    def fit_many(
        self, asked: Sequence[FitRequest], model: LanguageModel, fitting: FitContext
    ) -> Iterator[tuple[int, Predictor | Exception]]:
        """Write and build the proposals one by one; each is told as a step."""
        written: list[str] = []
        for item in asked:
            fitting.cancellation.check()
            try:
                made = self._fitted(item, model, fitting, written)
                written.append(instruction_of(made.template))
                yield item.number, made
            except (StudyError, DiskError, Cancelled):
                raise
            except Exception as error:
                yield item.number, error

    def fit(self, candidate: Candidate, model: LanguageModel) -> Predictor:
        """The predictor with the instruction that is written for one candidate."""
        return self._fitted(FitRequest(0, candidate), model, FitContext(self.task.metric), [])

    def _fitted(
        self,
        item: FitRequest,
        model: LanguageModel,
        fitting: FitContext,
        written: Sequence[str],
    ) -> TemplatePredictor:
        """``written`` are the instructions of the same batch, which nobody has judged yet."""
        settings = item.candidate.settings
        template = Template.from_settings(settings["template"])
        if "method" not in settings:  # the template as it is given
            return self._with_template(item.candidate, template, model)
        found, notes = self._written(item.candidate, template, model, written)
        told = {name: text for name, text in (notes | _notes(found)).items() if text}
        fitting.events.emit(Step(item.number, 1, {"tokens": float(found.tokens)}, told))
        made = with_instruction(template, require_instruction(found))
        predictor = self._with_template(item.candidate, made, model)
        predictor.fitting_tokens = found.tokens
        return predictor

    def _written(
        self,
        candidate: Candidate,
        template: Template,
        model: LanguageModel,
        written: Sequence[str],
    ) -> tuple[Writing, dict[str, str]]:
        """What the writer writes for a candidate, and by which method; a merge asks nobody."""
        settings = candidate.settings
        others = [settings["instead_of"], settings["because"]] if "instead_of" in settings else []
        if settings["method"] == "merge":
            return Writing(instruction=settings["instruction"]), {"method": "merge"}
        request, tokens = self._request(candidate, model)
        keep = self._filter(template, written)
        found = self._writer(model).write(request, keep, settings["proposal"])
        found.tokens += tokens
        instead_of = "; ".join(filter(None, (": ".join(others), request.instead_of)))
        return found, {"method": request.method, "instead of": instead_of}

    def _with_template(
        self, candidate: Candidate, template: Template, model: LanguageModel
    ) -> TemplatePredictor:
        """The candidate's predictor with another template in the place of its own."""
        return self._predictor(candidate, template, candidate.settings.get("examples", ()), model)

    def _predictor(
        self, candidate: Candidate, template: Template, shown: Sequence[str], model: LanguageModel
    ) -> TemplatePredictor:
        """A predictor that shows the training examples of these ids, in their order."""
        settings: dict[str, Any] = dict(candidate.settings) | {"template": template.settings()}
        settings["demonstrations"] = {"count": len(shown), "selection": "first"} if shown else {}
        train = [self._train[name] for name in shown] if shown else self.task.train
        made = self._make(settings, model).fit(train)
        assert isinstance(made, TemplatePredictor)
        return made

    def _request(self, candidate: Candidate, model: LanguageModel) -> tuple[WritingRequest, int]:
        """What the writer is asked, and the tokens that looking for failures took."""
        settings = candidate.settings
        method, fields = settings["method"], Template.from_settings(settings["template"]).fields
        chance = random.Random(f"{self.settings.seed} examples {settings['proposal']}")
        train = [e for e in self.task.train if e.label is not None]
        shown = chance.sample(train, min(self.settings.shown, len(train)))
        if method == "reflection":
            return self._reflection(candidate, model, chance, train)
        return request_of(settings, list_examples(shown, fields)), 0

    def _reflection(
        self,
        candidate: Candidate,
        model: LanguageModel,
        chance: random.Random,
        train: Sequence[Example],
    ) -> tuple[WritingRequest, int]:
        """What a parent gets wrong on training examples; never on dev, which judges."""
        settings = candidate.settings
        parent, before = settings["parents"][0]["instruction"], settings["parents"][0]
        template = with_instruction(Template.from_settings(settings["template"]), parent)
        shown = before.get("demonstrations", ())
        unseen = [e for e in train if e.id not in shown] or list(train)  # it sees their outputs
        asked = chance.sample(unseen, min(self.settings.reflected, len(unseen)))
        rows = self._predictor(candidate, template, shown, model).predict(asked)
        wrong = [
            (example, row.label)
            for example, row in zip(asked, rows, strict=True)
            if not row.missing and not row.correct
        ][: self.settings.shown]
        if not wrong:
            examples = list_examples(asked[: self.settings.shown], template.fields)
            because = f"reflection: its parent is wrong on none of {len(asked)} training examples"
            return WritingRequest("induction", {"examples": examples}, because), rows.tokens
        failures = list_failures(wrong, template.fields)
        fields = {"instruction": parent or "(none)", "failures": failures}
        return WritingRequest("reflection", fields), rows.tokens

    def _writer(self, model: LanguageModel) -> InstructionWriter:
        decoding = Decoding(**self.settings.writing.model_dump())
        return InstructionWriter(self._named_writer or model, decoding, self.settings.tries)

    @cached_property
    def _named_writer(self) -> LanguageModel | None:
        if self.settings.writer is None:
            return None
        return load_model(self.settings.writer)

    def _filter(self, template: Template, written: Sequence[str]) -> ProposalFilter:
        judged = (one.instruction for one in self._judged.values())
        texts = (text for example in self.task.train for text in example.fields.values())
        return ProposalFilter(filter(None, {instruction_of(template), *written, *judged}), texts)


def _count_words(example: Example) -> int:
    return sum(len(str(text).split()) for text in example.fields.values())


def _notes(found: Writing) -> dict[str, str]:
    """What is told of a writing."""
    notes = {"instruction": found.instruction, "dropped": found.dropped_text}
    return notes | {"shortened": ", ".join(found.shortened)}
