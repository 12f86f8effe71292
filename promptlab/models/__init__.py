"""Models: the pinned ones and how they are fetched, loaded and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptlab import lazy_getattr

if TYPE_CHECKING:
    from promptlab.models.builtin import model_names
    from promptlab.models.fill_mask import AnswerRank, fill_words, rank_answer
    from promptlab.models.token_view import Token

__all__ = [
    "AnswerRank",
    "Token",
    "fill_words",
    "model_names",
    "rank_answer",
]

_HOMES = {
    "AnswerRank": "promptlab.models.fill_mask",
    "Token": "promptlab.models.token_view",
    "fill_words": "promptlab.models.fill_mask",
    "model_names": "promptlab.models.builtin",
    "rank_answer": "promptlab.models.fill_mask",
}

if not TYPE_CHECKING:
    __getattr__ = lazy_getattr(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
