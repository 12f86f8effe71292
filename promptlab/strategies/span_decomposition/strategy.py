"""Tagging taken apart: one prompt a stretch of words, then stretches that do not overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self, get_args

import numpy as np
from jaxtyping import Float

from promptlab.compat.earlier_names import earlier_names
from promptlab.data.example import Example
from promptlab.data.inputs import Input, as_examples
from promptlab.data.spans import LabelledSpan, write_spans
from promptlab.errors import AskError, InputError
from promptlab.evaluation.trace import Trace, TraceCursor
from promptlab.files.settings import check_seed
from promptlab.models.base import LanguageModel
from promptlab.models.pool import as_model
from promptlab.predictors.base import not_fitted_error
from promptlab.predictors.calibration import (
    Calibration,
    calibration_prior,
    calibration_prompts,
    check_calibration,
)
from promptlab.predictors.model_calls import (
    Gather,
    ScoreCall,
    ScoreResult,
    StrategyResult,
    StrategyRun,
)
from promptlab.predictors.scheduler import run_concurrently
from promptlab.predictors.strategy import Strategy
from promptlab.prompts.prompt import Prompt
from promptlab.prompts.template import Demonstration, Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.strategies.span_decomposition.bias import (
    Margins,
    best_bias,
    margin_values,
    sample_solved_phrases,
    true_spans,
)
from promptlab.strategies.span_decomposition.spans import (
    Keep,
    Selection,
    TextSpan,
    candidate_spans,
    select_non_overlapping,
)

SPAN = "span"
"""The template's field for the stretch that is asked about."""
OUTSIDE = ("O", "none")
"""Labels that mean *no name*, unless another is given."""
_SHOWN = 5


@earlier_names(prompt="render_prompt")
class SpanDecomposition(Strategy):
    """Names in a text are tagged by asking about every span of up to ``longest`` words on its own.

    This is template-based named-entity recognition (Cui et al. 2021). A span is a candidate if its
    likeliest type is likelier than no name by more than ``bias`` nats; of the candidates, some that
    do not overlap are selected. The predicted label has a line ``phrase -> TYPE`` for each.

    Args:
        template: Reads the text's field and the span as ``{span}``; the type is said in its slot.
        verbalizer: The answers of every type, and of a label for no name.
        model: A model that scores, or its name.
        text: The field whose words are tagged; needed if the template reads several beside
            ``{span}``.
        outside: The label for no name; *O* or *none* unless given.
        longest: The most words of a span.
        keep: Which spans are asked about: *all*; *words*, whose first and last word hold a letter
            or a digit; *capitalised*, where both begin with a capital letter.
        selection: *optimal*: the spans with the largest sum of margins above the bias (weighted
            interval scheduling); *greedy*: the largest margin first.
        calibration: *none*, *contextual* or *pmi*: which prior is taken off the scores.
        bias: In nats; *tuned* takes the one of the best span F1 on the examples of ``fit``.
        demonstrations: How many solved phrases of the training examples stand before the prompt.
        seed: The seed of their draw.

    Raises:
        InputError: For a template without ``{span}``, a verbalizer without a label for no name,
            or another setting that cannot be used.
        CapabilityError: For a model that does not score.

    Example:
        >>> types = {"PER": "person", "LOC": "place", "O": "nothing"}
        >>> tagger = pl.SpanDecomposition("{text} Here {span} is {mask}.", types, model)
        >>> tagger.example_prompt("Anna lives in Rome")
        'Anna lives in Rome Here Anna is {mask}.'
        >>> solved = pl.Example("1", {"text": "Anna lives in Rome"}, "Anna -> PER\\nRome -> LOC")
        >>> tagger.fit([solved]).predict(["Ben lives in Oslo"]).labels  # such as Ben -> PER
        ['...']
    """

    def __init__(
        self,
        template: Template | str,
        verbalizer: Verbalizer | Mapping[str, Any],
        model: LanguageModel | str,
        *,
        text: str | None = None,
        outside: str | None = None,
        longest: int = 3,
        keep: Keep = "words",
        selection: Selection = "optimal",
        calibration: Calibration = "none",
        bias: float | Literal["tuned"] = "tuned",
        demonstrations: int = 0,
        seed: int = 13,
    ) -> None:
        check_seed(seed)
        self.template = Template(template) if isinstance(template, str) else template
        self.verbalizer = (
            verbalizer if isinstance(verbalizer, Verbalizer) else Verbalizer(verbalizer)
        )
        self.text = text_field(self.template) if text is None else text
        self.outside = outside_label(self.verbalizer) if outside is None else outside
        self.longest, self.keep, self.selection = longest, keep, selection
        self.calibration, self.bias = calibration, bias
        self.count, self.seed = demonstrations, seed
        self.model = as_model(model)
        self._check()
        self.demonstrations: list[Demonstration] | None = None if demonstrations else []
        self._tuned: float | None = None
        self._prior: Float[np.ndarray, " answer"] | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """The example fields that the template reads."""
        names = (self.text, *(name for name in self.template.fields if name != SPAN))
        return tuple(dict.fromkeys(names))

    @property
    def threshold(self) -> float:
        """The bias in nats, tuned or given."""
        if self.bias != "tuned":
            return self.bias
        if self._tuned is None:
            raise not_fitted_error("the bias towards no name is tuned on labelled examples")
        return self._tuned

    def fit_examples(self, train: Sequence[Example], dev: Sequence[Example]) -> None:
        """Draw the demonstrations; tune the bias on the other examples, and ``dev`` if given."""
        shown = self._draw(train) if self.count else set()
        left = [row for row in train if row.id not in shown] + list(dev)
        self._prior = None
        if self.bias == "tuned":
            self._tuned = self._best_bias(left or train)

    def solve(
        self, example: Example, branch: TraceCursor, sample: int = 0
    ) -> StrategyRun[StrategyResult]:
        """All stretches are scored side by side; one step of the trace tells of them."""
        threshold = self.threshold
        margins = yield from self._margins(example, branch)
        chosen = select_non_overlapping(margin_values(margins), self.selection, threshold)
        label = write_spans(LabelledSpan(stretch.phrase, margins[stretch][1]) for stretch in chosen)
        return StrategyResult(label, label)

    def render_prompt(self, example: Example, phrase: str) -> Prompt:
        """The prompt about one phrase of an example."""
        if self.demonstrations is None:
            raise not_fitted_error(f"{self.count} demonstrations are to be drawn")
        return self.template.render({**example.fields, SPAN: phrase}, self.demonstrations)

    def example_prompt(self, example: Input) -> str:
        """The prompt about the first stretch of a text."""
        row = as_examples([example], self.fields)[0]
        found = self._stretches(row)
        return self.model.display(self.render_prompt(row, found[0].phrase)) if found else ""

    def settings(self) -> dict[str, Any]:
        """Plain JSON data; the tuned bias and the demonstrations are included once fitted."""
        return {
            "template": self.template.settings(),
            "verbalizer": self.verbalizer.settings(),
            "text": self.text,
            "outside": self.outside,
            "longest": self.longest,
            "keep": self.keep,
            "selection": self.selection,
            "calibration": self.calibration,
            "bias": self.bias,
            "demonstrations": self.count,
            "seed": self.seed,
            "tuned": self._tuned,
            "shown": None
            if self.demonstrations is None
            else [{"fields": dict(d.fields), "answer": d.answer} for d in self.demonstrations],
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], model: LanguageModel) -> Self:
        """The inverse of `settings`."""
        given = dict(settings)
        tuned, shown = given.pop("tuned", None), given.pop("shown", None)
        template = Template.from_settings(given.pop("template"))
        made = cls(template, Verbalizer.from_settings(given.pop("verbalizer")), model, **given)
        made._tuned = tuned
        if shown is not None:
            made.demonstrations = [Demonstration(**one) for one in shown]
        return made

    def _check(self) -> None:
        self.model.require("score")
        check_calibration(self.calibration)
        if self.calibration == "batch":
            raise InputError(
                "batch calibration makes all labels equally likely on average, and nearly every "
                "stretch is no name; use contextual, pmi or none (the bias is tuned anyway)"
            )
        if SPAN not in self.template.fields:
            raise InputError(
                f"template {self.template.source!r} does not say which words it asks about; write "
                "{span} in it"
            )
        if self.outside not in self.verbalizer.labels:
            raise InputError(
                f"the verbalizer has no label {self.outside!r}; its labels are "
                f"{', '.join(self.verbalizer.labels)}"
            )
        if self.count < 0:
            raise InputError(f"the number of demonstrations is {self.count}; use 0 or more")
        if self.longest < 1:
            raise InputError(f"stretches of up to {self.longest} words; use 1 or more")
        for name, value, known in (
            ("keep", self.keep, Keep),
            ("selection", self.selection, Selection),
        ):
            if value not in get_args(known):
                raise InputError(f"{name} is one of {', '.join(get_args(known))}; found {value!r}")

    def _draw(self, rows: Sequence[Example]) -> set[str]:
        """Draw the demonstrations; the ids of the examples that they are taken from."""
        solved = sample_solved_phrases(rows, self._stretches, self.outside, self.count, self.seed)
        self.demonstrations = [
            Demonstration({**row.fields, SPAN: phrase}, self.verbalizer.first_answer(label))
            for row, phrase, label in solved
        ]
        return {row.id for row, _, _ in solved}

    def _stretches(self, example: Example) -> list[TextSpan]:
        return candidate_spans(example.fields[self.text].split(), self.longest, self.keep)

    def _margins(self, example: Example, branch: TraceCursor) -> StrategyRun[Margins]:
        """Score every phrase once, however often it stands in the text."""
        found = self._stretches(example)
        phrases = list(dict.fromkeys(stretch.phrase for stretch in found))
        answers = tuple(self.verbalizer.answers)
        asks = [
            ScoreCall(self.model, self.render_prompt(example, phrase), answers)
            for phrase in phrases
        ]
        replies: list[ScoreResult] = yield Gather([_asked(ask) for ask in asks])
        if not replies:
            return {}
        judged = dict(zip(phrases, self._judged(replies), strict=True))
        best = sorted(judged, key=lambda phrase: -judged[phrase][0])[:_SHOWN]
        branch.step(
            "stretches",
            prompt=self.model.display(asks[0].prompt),
            reply="\n".join(f"{phrase} -> {judged[phrase][1]}" for phrase in best),
            tokens_in=sum(reply.prompt_tokens for reply in replies),
            tokens_out=sum(sum(reply.answer_tokens) for reply in replies),
            seconds=sum(reply.seconds for reply in replies),
            prompts=len(asks),
            margins=[round(judged[phrase][0], 3) for phrase in best],
        )
        return {stretch: judged[stretch.phrase] for stretch in found}

    def _judged(self, replies: Sequence[ScoreResult]) -> list[tuple[float, str]]:
        logprobs = np.array([reply.logprobs for reply in replies])
        if self.verbalizer.length_normalise:
            logprobs = logprobs / np.array([reply.answer_tokens for reply in replies])
        values = self.verbalizer.label_scores(logprobs - self._known_prior())
        outside = self.verbalizer.labels.index(self.outside)
        types = [n for n in range(len(self.verbalizer.labels)) if n != outside]
        best = [types[int(np.argmax(row[types]))] for row in values]
        return [
            (float(row[n] - row[outside]), self.verbalizer.labels[n])
            for row, n in zip(values, best, strict=True)
        ]

    def _known_prior(self) -> Float[np.ndarray, " answer"]:
        if self._prior is None:
            shown = self.demonstrations or []
            prompts = calibration_prompts(self.calibration, self.template, shown)
            if not prompts:
                self._prior = np.zeros(len(self.verbalizer.answers))
            else:
                scores = self.model.score(prompts, self.verbalizer.answers)
                logprobs = scores.logprobs
                if self.verbalizer.length_normalise:
                    logprobs = np.asarray(logprobs / scores.answer_tokens)
                self._prior = calibration_prior(self.calibration, logprobs)
        return self._prior

    def _best_bias(self, rows: Sequence[Example]) -> float:
        """The bias of the best span F1 on labelled examples."""
        truths = [true_spans(row) for row in rows]
        if not rows:
            raise InputError(
                "the bias towards no name is tuned on labelled examples, and there are none; give "
                "some, or a bias in nats"
            )
        found = run_concurrently([self._margins(row, Trace().root) for row in rows])
        usable = [
            (margins, truth)
            for margins, truth in zip(found, truths, strict=True)
            if not isinstance(margins, AskError)
        ]
        if not usable:
            raise next(error for error in found if isinstance(error, AskError))
        return best_bias(usable, self.selection)


def text_field(template: Template) -> str:
    """The one field of a template beside ``{span}``. Raises `InputError` for none or several."""
    others = [name for name in template.fields if name != SPAN]
    if len(others) != 1:
        raise InputError(
            f"template {template.source!r} reads the fields {', '.join(others) or 'none'} beside "
            "{span}; name the one whose words are tagged (text: ...)"
        )
    return others[0]


def outside_label(verbalizer: Verbalizer) -> str:
    """The label that means no name. Raises `InputError` if none is known."""
    for label in verbalizer.labels:
        if label in OUTSIDE:
            return label
    raise InputError(
        f"the verbalizer has no label for 'no name' ({' or '.join(OUTSIDE)}); its labels are "
        f"{', '.join(verbalizer.labels)}; add one, or name it (outside: ...)"
    )


def _asked(ask: ScoreCall) -> StrategyRun[ScoreResult]:
    found: ScoreResult = yield ask
    return found
