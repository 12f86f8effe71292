"""What a model's tokenizer makes of one template's prompts and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptlab.catalog import check
from promptlab.errors import CapabilityError, InputError

if TYPE_CHECKING:
    from promptlab.catalog import LibraryTemplate
    from promptlab.models.language_model import LanguageModel
    from promptlab.prompt import Prompt


def check_entry(
    entry: Any, document: Mapping[str, Any], path: Path, model: LanguageModel | None
) -> tuple[list[str], list[str]]:
    """Faults and notes of one template."""
    checked = check.check_entry(entry, document, path)
    faults = list(checked.faults)
    if model is None or not checked.prompts or checked.item is None:
        return faults, []
    more, notes = _model_findings(checked.item, checked.prompts, model)
    return faults + more, notes


def _model_findings(
    item: LibraryTemplate, prompts: Sequence[Prompt], model: LanguageModel
) -> tuple[list[str], list[str]]:
    """Faults and notes about what the model's tokenizer makes of prompts and answers."""
    from promptlab.models.local import LocalModel

    if item.answers is None:
        verb = "fill" if item.open_vocabulary else "generate"
        return [], [] if verb in model.can else [f"{model.name} cannot {verb}"]
    answers = item.verbalizer.answers
    try:
        model.check(prompts, answers)
    except CapabilityError as error:
        return [], [str(error)]
    except InputError as error:
        return [str(error)], []
    if not isinstance(model, LocalModel):
        return [], []
    counts = _token_counts(model, prompts[0], answers)
    longer = [f"{word!r} ({count})" for word, count in counts.items() if count > 1]
    if not longer:
        return [], []
    return [], [f"answers of several tokens in {model.name}: {', '.join(longer)}"]


def _token_counts(model: Any, prompt: Prompt, answers: Sequence[str]) -> dict[str, int]:
    """Tokens of each answer where it stands, without what follows the slot."""
    from promptlab.prompt import Prompt

    before = Prompt(prompt.segments[: prompt.slot + 1], chat=prompt.chat)
    counts = {}
    for asked in model.questions([before], answers)[0]:
        for index, ids in zip(asked.answers, asked.question.continuations, strict=True):
            counts[answers[index]] = len(ids)
    return counts
