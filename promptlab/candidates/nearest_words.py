"""Kind *words*: what the study's best soft prompts are worth in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from promptlab.candidates.base import Kind, KindSettings, Trial
from promptlab.candidates.dimensions import suggest_choice
from promptlab.candidates.earlier_trials import EarlierPrompt, best_earlier_prompts
from promptlab.candidates.gradient_tuned import trainable
from promptlab.data.task import Task
from promptlab.errors import StudyError, WorkError
from promptlab.models.base import LanguageModel
from promptlab.models.learned_parts import LearnedParts
from promptlab.predictors.base import Predictor
from promptlab.predictors.calibration import Calibration
from promptlab.predictors.candidate import Candidate
from promptlab.predictors.classifier import PromptClassifier
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.tuning.fit_context import CompletedTrial
from promptlab.tuning.nearest_tokens import with_nearest_words

SOFT = ("soft_prompt", "p_tuning")


class WordsSettings(KindSettings):
    """``rank``: the study's best soft prompt is 1, the second best 2, and so on."""

    rank: list[int] = Field(default=[1], min_length=1)
    calibration: list[Calibration] = Field(default=["none"], min_length=1)


class WordsKind(Kind):
    """Every learned vector becomes its nearest token, and that discrete prompt is a candidate."""

    name: ClassVar[str] = "words"
    Settings: ClassVar[type[KindSettings]] = WordsSettings
    saves_fitted: ClassVar[bool] = True
    runs_after: ClassVar[tuple[str, ...]] = SOFT

    def __init__(self, settings: WordsSettings, task: Task) -> None:
        super().__init__(settings, task)
        self._soft: list[EarlierPrompt] = []
        for rank in settings.rank:
            if rank < 1:
                raise StudyError(f"ranks begin with 1, the best; found {rank}")

    def check(self, model: LanguageModel) -> None:
        """Only a local model's vectors can be read."""
        trainable(model)

    def observe_trials(self, finished: Sequence[CompletedTrial]) -> None:
        """The soft prompts that there are, best first."""
        self._soft = best_earlier_prompts(finished, SOFT)

    def suggest(self, trial: Trial, prefix: str) -> Candidate:
        """Which soft prompt is read, and how it is calibrated."""
        rank = suggest_choice(trial, f"{prefix}rank", self.settings.rank)
        calibration = suggest_choice(trial, f"{prefix}calibration", self.settings.calibration)
        source = self._soft[rank - 1] if rank <= len(self._soft) else None
        name = f"words of {source.name if source else f'soft prompt {rank}'}"
        name += f" · {calibration}" if calibration != "none" else ""
        settings: dict[str, Any] = {
            "rank": rank,
            "calibration": calibration,
            "of": None if source is None else source.key,
        }
        return Candidate.of(self.name, settings, name)

    def fit(self, candidate: Candidate, model: LanguageModel) -> Predictor:
        """The classifier with the nearest tokens in the vectors' places."""
        settings = candidate.settings
        source = next((one for one in self._soft if one.key == settings["of"]), None)
        if source is None or source.folder is None:
            raise WorkError(
                f"there is no soft prompt of rank {settings['rank']} to be read in words: so few "
                "were completed"
            )
        local = trainable(model)
        learned = LearnedParts.load(source.folder, local.compatibility())
        template, words = with_nearest_words(
            Template.from_settings(source.template), learned, local
        )
        predictor = PromptClassifier(
            template,
            Verbalizer.from_settings(source.verbalizer),
            local.with_learned_parts(words),
            calibration=settings["calibration"],
        )
        return predictor.fit(self.task.train)
