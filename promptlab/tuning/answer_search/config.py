"""How answer words are searched."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from promptlab.errors import InputError
from promptlab.predictors.calibration import Calibration, check_calibration
from promptlab.prompts.verbalizer import Aggregation

Method = Literal["ratio", "assignment", "many_to_one", "paraphrase"]
Ranking = Literal["likelihood", "ratio"]
Chooser = Literal["dev", "train"]

_LEAST = {
    "words": 1,
    "candidates": 1,
    "max_assignments": 1,
    "kept": 1,
    "beam": 1,
    "folds": 2,
    "train_examples": 1,
}


@dataclass(frozen=True)
class AnswerSearchConfig:
    """The settings of one search for answer words.

    Args:
        method: *ratio* takes the best words of each label by the log-likelihood ratio (PETAL;
            Schick et al. 2020); *assignment* tries one word a label in all combinations (LM-BFF;
            Gao et al. 2021, section 5.1); *many_to_one* adds further words to the best of these;
            *paraphrase* does so with words that mean what given answers mean (Jiang et al. 2020).
        words: Words a label: exactly so many for *ratio*, at most for *many_to_one* and for
            *paraphrase*.
        candidates: Words of each label that are tried.
        ranking: What candidates are ranked by: the log-likelihood ratio of the label's examples
            against the others' (PETAL), or their mean log-probability (LM-BFF's own *likelihood*).
        distinct: Whether a word is a candidate of one label alone, the one that it speaks for most.
        capitalised: Whether words with capitals are candidates beside those without.
        max_assignments: Of more combinations only those of the best ranked words are tried.
        kept: So many of the best on train are judged on dev.
        beam: So many of the best go on to a further word.
        choose_on: *dev* chooses among the kept; *train* leaves dev alone.
        folds: Parts on which the choice is repeated for the corrected score.
        aggregation: How a label's words are joined, as in `Verbalizer`.
        calibration: Which prior is taken off, as in `PromptClassifier`.
        train_examples: About so many training examples are read at most, a share of each label.
        seed: For the folds.

    Raises:
        InputError: For a value that no search can have.

    Example:
        >>> from promptlab.tuning.answer_search.config import AnswerSearchConfig
        >>> AnswerSearchConfig(method="ratio", words=2).searches
        False
    """

    method: Method = "assignment"
    words: int = 3
    candidates: int = 30
    ranking: Ranking = "ratio"
    distinct: bool = True
    capitalised: bool = False
    max_assignments: int = 10_000
    kept: int = 100
    beam: int = 8
    choose_on: Chooser = "dev"
    folds: int = 5
    aggregation: Aggregation = "sum"
    calibration: Calibration = "none"
    train_examples: int = 500
    seed: int = 13

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            if (value := getattr(self, name)) < least:
                raise InputError(
                    f"{name} of an answer search is {value}; it is {least} at the least"
                )
        for name, options in _CHOICES.items():
            if (value := getattr(self, name)) not in options:
                raise InputError(
                    f"{name} of an answer search is {value!r}; it is one of {', '.join(options)}"
                )
        check_calibration(self.calibration)

    @property
    def searches(self) -> bool:
        """Whether several answers are tried; *ratio* takes the best ranked words as they are."""
        return self.method != "ratio"

    def record(self) -> dict[str, Any]:
        """Plain JSON data."""
        return asdict(self)


_CHOICES: dict[str, tuple[str, ...]] = {
    "method": get_args(Method),
    "ranking": get_args(Ranking),
    "choose_on": get_args(Chooser),
    "aggregation": get_args(Aggregation),
}
