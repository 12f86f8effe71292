"""The template library: what it offers, and the user's own part of it.

`entry` and `sources` read it; `check` says what is wrong with an entry, `yaml_edit` reads and
writes its YAML, `library` and `transaction` change the user's folder, `exchange` imports and
exports templates, `promptsource` converts those of PromptSource. `mining` gets templates for a
relation out of a corpus.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptlab import lazy_getattr

if TYPE_CHECKING:
    from promptlab.library.entry import LibraryTask, LibraryTemplate, user_folder
    from promptlab.library.library import TemplateLibrary
    from promptlab.library.mining.mine import MiningOptions, MiningResult, mine_templates
    from promptlab.library.mining.ranking import MinedTemplate
    from promptlab.library.sources import load_template, tasks, templates

__all__ = [
    "LibraryTask",
    "LibraryTemplate",
    "MinedTemplate",
    "MiningOptions",
    "MiningResult",
    "TemplateLibrary",
    "load_template",
    "mine_templates",
    "tasks",
    "templates",
    "user_folder",
]

_HOMES = {
    "LibraryTask": "promptlab.library.entry",
    "LibraryTemplate": "promptlab.library.entry",
    "MinedTemplate": "promptlab.library.mining.ranking",
    "MiningOptions": "promptlab.library.mining.mine",
    "MiningResult": "promptlab.library.mining.mine",
    "TemplateLibrary": "promptlab.library.library",
    "load_template": "promptlab.library.sources",
    "mine_templates": "promptlab.library.mining.mine",
    "tasks": "promptlab.library.sources",
    "templates": "promptlab.library.sources",
    "user_folder": "promptlab.library.entry",
}

if not TYPE_CHECKING:
    __getattr__ = lazy_getattr(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
