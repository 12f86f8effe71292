"""A classifier and a writer whose demonstrations are chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from promptlab.data.example import Example
from promptlab.models.local import LocalModel
from promptlab.predictors.classifier import PromptClassifier
from promptlab.predictors.demonstrations.choice import DemonstrationConfig
from promptlab.prompts.parsers.parsers import parser_from_settings
from promptlab.prompts.template import Template

TEMPLATE = Template("{text} It was {mask}.", demonstration_separator="\n")
WORDS = {"negative": "terrible", "positive": "great"}
CHOICES = parser_from_settings(
    {"type": "choice", "choices": {"positive": ["great"], "negative": ["terrible"]}}
)
Fresh = Callable[..., LocalModel]


def classifier(model: Any, choice: DemonstrationConfig, **options: Any) -> PromptClassifier:
    return PromptClassifier(TEMPLATE, WORDS, model, demonstrations=choice, **options)


def shown(fitted: PromptClassifier, example: Example) -> list[str]:
    """The texts of the demonstrations of one example."""
    return [d.fields["text"] for d in fitted.demonstrations_of(example)]
