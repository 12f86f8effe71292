"""The template library: what it offers, and the user's own part of it.

`entry` and `sources` read it; `check` says what is wrong with an entry, `yaml_edit` reads and
writes its YAML, `library` and `transaction` change the user's folder, `exchange` imports and
exports templates, `promptsource` converts those of PromptSource.
"""

from __future__ import annotations

from promptlab.library.entry import (
    VOCABULARY,
    LibraryTask,
    LibraryTemplate,
    read_task_file,
    user_folder,
)
from promptlab.library.sources import (
    find_template,
    load_library,
    load_template,
    record_template_use,
    source_files,
    tasks,
    templates,
)

__all__ = [
    "VOCABULARY",
    "LibraryTask",
    "LibraryTemplate",
    "find_template",
    "load_library",
    "load_template",
    "read_task_file",
    "record_template_use",
    "source_files",
    "tasks",
    "templates",
    "user_folder",
]  # fmt: skip
