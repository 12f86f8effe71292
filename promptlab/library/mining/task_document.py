"""Mined templates as a file of the template library, for ``promptlab template import``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from promptlab.errors import InputError
from promptlab.library.check import KEBAB
from promptlab.library.entry import VOCABULARY
from promptlab.library.mining.mine import MiningResult
from promptlab.library.mining.ranking import MinedTemplate

_NO_NAME = re.compile(r"[^a-z0-9]+")
_LONGEST_NAME = 40
_EXAMPLES = 4
_METHODS = {
    ("middle",): "middle words",
    ("dependency",): "dependency path",
    ("middle", "dependency"): "middle words and dependency path",
}


def kebab(text: str) -> str:
    """A text as a name of the library: small letters, digits and hyphens.

    Example:
        >>> kebab("Capitals of 2026")
        'capitals-of-2026'
    """
    return _NO_NAME.sub("-", text.lower()).strip("-")


def task_document(result: MiningResult, corpus: Path, task: str) -> dict[str, Any]:
    """Write mined templates as a task of the template library.

    Any token of the vocabulary is an answer, as for the knowledge probes that the library ships.

    Args:
        result: The templates.
        corpus: Where they come from.
        task: The task's name.

    Returns:
        The document for a YAML file.

    Raises:
        InputError: For a name that the library does not take.

    Example:
        >>> from promptlab.data.corpus.entity_pairs import EntityPairs
        >>> from promptlab.data.corpus.index import CorpusFacts
        >>> pairs = EntityPairs.from_texts([("Poland", "Warsaw")], subject="country")
        >>> found = MinedTemplate("{mask}, capital of {country}", 1, 1, ("middle",), ())
        >>> result = MiningResult((found,), "country", pairs, CorpusFacts(), {}, {})
        >>> task_document(result, Path("wiki.txt"), "capitals-mined")["templates"][0]["name"]
        'mined-1-capital-of'
    """
    if not KEBAB.fullmatch(task):
        raise InputError(
            f"the task's name is {task!r:.60}; use small letters, digits and hyphens (--task NAME)"
        )
    examples = [
        {result.field: pair.subject, "label": pair.object}
        for pair in result.pairs.pairs[:_EXAMPLES]
    ]
    return {
        "task": task,
        "description": f"Facts about a {result.field}, asked by mined templates.",
        "metric": "precision_at_1",
        "examples": examples,
        "templates": [
            _entry(number, template, result, corpus)
            for number, template in enumerate(result.templates, start=1)
        ],
    }


def _entry(
    number: int, template: MinedTemplate, result: MiningResult, corpus: Path
) -> dict[str, Any]:
    record = template.record()
    words = kebab(re.sub(r"\{\w+\}", " ", template.text))[:_LONGEST_NAME].strip("-")
    shown = f'such as "{template.examples[0]}"; ' if template.examples else ""
    return {
        "name": f"mined-{number}" + (f"-{words}" if words else ""),
        "text": template.text,
        "answers": VOCABULARY,
        "source": (
            f"mined from {corpus.name} ({_METHODS[template.methods]}; Jiang et al. 2020): "
            f"{template.pairs:,} of {len(result.pairs.pairs):,} pairs, "
            f"{template.sentences:,} sentence{'s' if template.sentences > 1 else ''}"
        ),
        "note": f"{shown}{record['models']}",
    }
