"""Answer words found from slots that were read once: candidates, assignments, words joined.

`AnswerSlots` reads a template's slots, `AnswerSearch` finds the answers. Train proposes, dev
chooses, and the choice is corrected by cross-fitting; test is never looked at.
"""

from promptlab.tuning.answer_search.config import AnswerSearchConfig
from promptlab.tuning.answer_search.search import AnswerSearch, FoundAnswers
from promptlab.tuning.answer_search.slots import AnswerSlots

__all__ = ["AnswerSearch", "AnswerSearchConfig", "AnswerSlots", "FoundAnswers"]
