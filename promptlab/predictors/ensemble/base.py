"""What ensembles and cascades share: their members, common labels, folds, saving and loading."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from promptlab.compat.earlier_names import earlier_names
from promptlab.data.example import Example
from promptlab.data.inputs import Input
from promptlab.errors import InputError, WorkError
from promptlab.evaluation.predictions import Prediction, Predictions
from promptlab.evaluation.trace import Trace
from promptlab.evaluation.truncation_count import truncation_facts
from promptlab.files.saved_predictor.folder import DOCUMENT, read_saved
from promptlab.files.settings import check_seed
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import Predictor, load
from promptlab.predictors.ensemble.cached_predictor import CachedPredictor
from promptlab.predictors.ensemble.folds import Folds
from promptlab.predictors.ensemble.votes import MemberVotes, VoteMatrix, member_votes
from promptlab.predictors.wrapper import inner_from_settings, inner_settings

MEMBERS = "members"
"""The folder of the members beside ``predictor.json``, one numbered folder each."""


@earlier_names(learns="learns_on_dev")
class BaseEnsemble(Predictor, register=False):
    """Several predictors that answer the same question.

    ``labels`` are the common labels, those of the members unless given; without any the answers
    are open. ``names`` are what traces and reports call the members. Members with other labels
    raise `InputError`; another order of the same labels is no matter.
    """

    def __init__(
        self,
        members: Sequence[Predictor],
        *,
        names: Sequence[str] | None = None,
        labels: Sequence[str] | None = None,
        folds: int = 5,
        seed: int = 13,
        smoothing: float = 0.05,
    ) -> None:
        if not members:
            raise InputError(f"{type(self).__name__} has no members; give at least one predictor")
        if not 0 < smoothing < 0.5:
            raise InputError(f"smoothing lies between 0 and 0.5; found {smoothing}")
        if folds < 2:
            raise InputError(f"cross-fitting needs at least 2 folds; found {folds}")
        check_seed(seed)
        self.members = list(members)
        self.names = list(names) if names else [f"member {n + 1}" for n in range(len(members))]
        if len(self.names) != len(self.members):
            raise InputError(f"{len(self.members)} members and {len(self.names)} names")
        self.labels = common_labels(self.members, self.names, labels)
        self.smoothing = smoothing
        self.seed = seed
        self._most_folds = folds
        self.folds = Folds({})
        model = members[0].model
        self.model: LanguageModel = getattr(model, "base", model)

    @property
    def fields(self) -> tuple[str, ...]:
        """The example fields that any member reads."""
        return tuple(dict.fromkeys(name for member in self.members for name in member.fields))

    def fit_examples(self, train: Sequence[Example], dev: Sequence[Example]) -> None:
        """Fit every member, then learn on ``dev`` what is to be learned.

        Without examples the members stay as they are.
        """
        if train:
            for member in self.members:
                member.fit(train, dev=dev)
        self.learn(dev)

    def learn(self, dev: Sequence[Example]) -> Self:
        """Learn on labelled dev examples how the fitted members go together; returns self.

        Predictions of these examples use what was learned without their fold; all others what
        was learned on all of dev.
        """
        if not self.learns_on_dev:
            return self
        known = [example for example in dev if example.label is not None]
        if not known:
            raise InputError(
                f"{self._what} is learned on labelled dev examples and there are none; call "
                "fit(train, dev=dev)"
            )
        tables = [member.predict(known) for member in self.members]
        # What a member never answered says nothing of it: only whole rows teach.
        whole = [p for p in range(len(known)) if not any(table[p].missing for table in tables)]
        if not whole:
            raise WorkError(
                f"{self._what} is learned on dev, and no example was answered by all members"
            )
        known = [known[place] for place in whole]
        tables = [Predictions(table[place] for place in whole) for table in tables]
        self.folds = Folds.assign(known, self._most_folds, self.seed)
        self._learn(known, tables)
        return self

    @property
    @abstractmethod
    def learns_on_dev(self) -> bool:
        """Whether anything is learned on dev."""

    @property
    @abstractmethod
    def _what(self) -> str:
        """What is learned on dev, for messages."""

    @abstractmethod
    def _learn(self, dev: Sequence[Example], tables: Sequence[Predictions]) -> None:
        """Learn from the members' predictions of dev, on all of it and without each fold."""

    def _ballot(self, rows: Sequence[Prediction | None], target: str | None = None) -> MemberVotes:
        return member_votes(rows, self.labels, self.smoothing, target)

    def _stack(self, dev: Sequence[Example], tables: Sequence[Predictions]) -> VoteMatrix:
        made = [
            self._ballot([table[place] for table in tables], example.label)
            for place, example in enumerate(dev)
        ]
        return VoteMatrix.of(made, len(self.members))

    def _prediction(
        self,
        row: Example,
        asked: Sequence[Prediction | None],
        trace: Trace,
        found: MemberVotes,
        scores: Any,
    ) -> Prediction:
        """The panel's prediction; tokens and seconds are those of the members that were asked."""
        spent = [one for one in asked if one is not None]
        errors = [one.error for one in spent if one.error]
        label = None if scores is None else found.labels[int(scores.argmax())]
        return Prediction(
            example_id=row.id,
            label=label,
            target=row.label,
            scores=None
            if scores is None
            else dict(zip(found.labels, map(float, scores), strict=True)),
            unparsed=label is None,
            tokens_in=sum(one.tokens_in for one in spent),
            tokens_out=sum(one.tokens_out for one in spent),
            seconds=sum(one.seconds for one in spent),
            trace=trace.record() | truncation_facts(one.trace for one in spent),
            error="; ".join(errors) if errors and len(errors) == len(spent) else None,
        )

    def _note(
        self, trace: Trace, member: int, said: Prediction, found: MemberVotes, **facts: Any
    ) -> None:
        """Keep a member's label and its probability."""
        vote = int(found.votes[member])
        notes: dict[str, Any] = {"label": said.label}
        if vote >= 0:
            notes["probability"] = float(found.probabilities[member, vote])
        if said.error:
            notes["error"] = said.error
        trace.root.step(
            self.names[member],
            reply=said.text or said.label or "",
            tokens_in=said.tokens_in,
            tokens_out=said.tokens_out,
            seconds=said.seconds,
            **(notes | facts),
        )

    def example_prompt(self, example: Input) -> str:
        """The members' prompts, one below the other."""
        shown = [
            f"[{name}]\n{member.example_prompt(example)}"
            for name, member in zip(self.names, self.members, strict=True)
        ]
        return "\n\n".join(shown)

    def settings(self) -> dict[str, Any]:
        """Plain JSON data; members with learned parts have them in their own folders."""
        return {
            "members": [inner_settings(unwrap_cached(member)) for member in self.members],
            "names": self.names,
            "labels": list(self.labels),
            "smoothing": self.smoothing,
            "seed": self.seed,
            "most_folds": self._most_folds,
            "folds": self.folds.places,
        }

    def _save_parts(self, folder: Path) -> None:
        for number, member in enumerate(self.members):
            unwrap_cached(member).save(folder / MEMBERS / str(number))

    def _part_files(self) -> list[str]:
        return [f"{MEMBERS}/{number}/{DOCUMENT}" for number in range(len(self.members))]

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], model: LanguageModel) -> Self:
        """The inverse of `settings`, every member over ``model``."""
        members = [inner_from_settings(data, model) for data in settings["members"]]
        return cls._made(members, settings)

    @classmethod
    def _from_folder(cls, folder: Path, settings: Mapping[str, Any], model: LanguageModel) -> Self:
        """The members from their own folders, those over another model with that one."""
        own = _model_name(folder)
        members = []
        for number in range(len(settings["members"])):
            path = folder / MEMBERS / str(number)
            members.append(load(path, model if _model_name(path) == own else None))
        return cls._made(members, settings)

    @classmethod
    @abstractmethod
    def _made(cls, members: Sequence[Predictor], settings: Mapping[str, Any]) -> Self:
        """The panel of these members with all else from its settings."""

    @staticmethod
    def _options(settings: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments that every panel takes."""
        same = {key: settings[key] for key in ("names", "labels", "smoothing", "seed")}
        return same | {"folds": settings["most_folds"]}


def unwrap_cached(member: Predictor) -> Predictor:
    """The member itself: what recalls its predictions belongs to a search alone."""
    return member.member if isinstance(member, CachedPredictor) else member


def common_labels(
    members: Sequence[Predictor], names: Sequence[str], given: Sequence[str] | None
) -> tuple[str, ...]:
    """The labels that all members with labels have, in the order given or the first one's.

    Raises `InputError` naming the first two that differ, and by which labels.
    """
    common = tuple(given or ())
    owner = "the ensemble"
    for member, name in zip(members, names, strict=True):
        own = tuple(getattr(member, "labels", ()))
        if not own:
            continue
        if not common:
            common, owner = own, name
        elif set(own) != set(common):
            alone = ", ".join(sorted(map(repr, set(own) ^ set(common))))
            raise InputError(
                f"the members of an ensemble need the same labels: {name} has {', '.join(own)} "
                f"and {owner} has {', '.join(common)} (only one of them has {alone})"
            )
    return common


def _model_name(folder: Path) -> str:
    name: str = read_saved(folder)["model"]["name"]
    return name
