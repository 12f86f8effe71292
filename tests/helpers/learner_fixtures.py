"""Kinds that learn, for the tests of studies: quick, and they note what is asked of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from pydantic import Field

from promptlab.candidates.base import Kind, KindSettings, LearningKind, Trial
from promptlab.errors import Pruned
from promptlab.events import Step
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import Predictor
from promptlab.predictors.candidate import Candidate
from promptlab.predictors.classifier import PromptClassifier
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.tuning.fit_context import CompletedTrial, FitContext, FitRequest

WORDS = ("great", "good", "wonderful", "charming", "witty", "gorgeous", "film", "soup")
EVALUATIONS = 4


def classifier(word: str, model: LanguageModel) -> PromptClassifier:
    answers = {"negative": "terrible", "positive": word}
    return PromptClassifier(Template("{text} It was {mask}."), Verbalizer(answers), model)


class LearnerSettings(KindSettings):
    words: list[str] = Field(default=list(WORDS))
    room: int = 2


class Learner(LearningKind):
    """Learns ``room`` words at a time, reports as many evaluations as there are, keeps marks.

    *terrible* diverges. ``levels`` is what a word's dev score is about.
    """

    name: ClassVar[str] = "learner"
    Settings: ClassVar[type[KindSettings]] = LearnerSettings
    settings: LearnerSettings

    fitted: ClassVar[list[str]] = []
    begun_at: ClassVar[list[tuple[str, int]]] = []
    levels: ClassVar[dict[str, float]] = {}

    @classmethod
    def forget(cls) -> None:
        for noted in (cls.fitted, cls.begun_at, cls.levels):
            noted.clear()

    def suggest(self, trial: Trial, prefix: str) -> Candidate:
        word = trial.suggest_categorical(f"{prefix}word", self.settings.words)
        return Candidate.of(self.name, {"word": word}, word)

    def fit_many(
        self, asked: Sequence[FitRequest], model: LanguageModel, fitting: FitContext
    ) -> Iterator[tuple[int, Predictor | Exception]]:
        waiting = list(asked)
        learning: dict[int, tuple[FitRequest, int]] = {}
        while True:
            if not waiting and not learning:
                if (more := fitting.next_candidate()) is None:
                    return
                waiting.append(more)
            while waiting and len(learning) < self.settings.room:
                item = waiting.pop(0)
                learning[item.number] = (item, self._begin(item, fitting))
            for number, (item, done) in list(learning.items()):
                result = self._step(item, done, model, fitting)
                learning[number] = (item, done + 1)
                if result is not None:
                    del learning[number]
                    yield number, result
                    if not waiting and (another := fitting.next_candidate()) is not None:
                        waiting.append(another)

    def _begin(self, item: FitRequest, fitting: FitContext) -> int:
        mark = fitting.checkpoint(item.candidate)
        done = int(mark.read_text()) if mark is not None and mark.exists() else 0
        self.begun_at.append((item.candidate.name, done))
        return done

    def _step(
        self, item: FitRequest, done: int, model: LanguageModel, fitting: FitContext
    ) -> Predictor | Exception | None:
        fitting.cancellation.check()
        word = item.candidate.settings["word"]
        if word == "terrible":
            return Pruned("diverged at step 1: the loss is nan")
        if done >= EVALUATIONS:  # it was killed after its last one
            self.fitted.append(word)
            return classifier(word, model).fit(self.task.train)
        level = self.levels.get(word, 0.5) + done / 100
        given_up = fitting.should_prune(item.number, done, level)
        if (mark := fitting.checkpoint(item.candidate)) is not None and not given_up:
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.write_text(str(done + 1))
        fitting.events.emit(Step(item.number, done, {"loss": 1 - level, "dev": level}, {"w": word}))
        if given_up:
            return Pruned(f"below the others at evaluation {done}")
        if done + 1 < EVALUATIONS:
            return None
        self.fitted.append(word)
        return classifier(word, model).fit(self.task.train)


class Follower(Kind):
    """Builds on what is best so far: its candidate changes from ask to ask."""

    name: ClassVar[str] = "follower"
    Settings: ClassVar[type[KindSettings]] = KindSettings
    runs_after: ClassVar[tuple[str, ...]] = ("learner",)

    known: ClassVar[list[tuple[CompletedTrial, ...]]] = []

    def observe_trials(self, finished: Sequence[CompletedTrial]) -> None:
        self.known.append(tuple(finished))

    def suggest(self, trial: Trial, prefix: str) -> Candidate:
        rank = trial.suggest_categorical(f"{prefix}rank", [0, 1])
        learned = [f for f in (self.known[-1] if self.known else ()) if f.kind == "learner"]
        learned.sort(key=lambda f: -f.value)
        word = learned[rank].candidate.settings["word"] if len(learned) > rank else f"joke{rank}"
        return Candidate.of(self.name, {"rank": rank, "word": word}, f"after {word}")

    def fit(self, candidate: Candidate, model: LanguageModel) -> Predictor:
        word = "plot" if "joke" in candidate.settings["word"] else candidate.settings["word"]
        return classifier(word, model).fit(self.task.train)


class Broken(Learner):
    """Gives the first candidate and breaks."""

    name: ClassVar[str] = "broken"

    def fit_many(
        self, asked: Sequence[FitRequest], model: LanguageModel, fitting: FitContext
    ) -> Iterator[tuple[int, Any]]:
        yield asked[0].number, classifier("great", model).fit(self.task.train)
        raise RuntimeError("out of paper")


class Silent(Learner):
    """Gives the first candidate and forgets the others."""

    name: ClassVar[str] = "silent"

    def fit_many(
        self, asked: Sequence[FitRequest], model: LanguageModel, fitting: FitContext
    ) -> Iterator[tuple[int, Any]]:
        yield asked[0].number, classifier("great", model).fit(self.task.train)
