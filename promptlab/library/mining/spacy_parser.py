"""Sentences parsed by a spaCy pipeline, which is an extra (``[mining]``)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from promptlab.errors import InputError
from promptlab.files.code_permission import require_permission
from promptlab.files.provenance import note_input, note_package
from promptlab.library.mining.dependency_path import DependencyTree

EXTRA = 'pip install "promptlab-workbench[mining]"'
USUAL = "en_core_web_sm"
"""The pipeline that messages name as an example."""
SPACY_PIPELINE = re.compile(r"[a-z]{2,3}_(core|dep|sent|ent)_[a-z]+_(sm|md|lg|trf)")
"""Names of spaCy's own pipelines; any other package is code of somebody else."""
_NEEDLESS = ("ner", "lemmatizer", "tagger", "attribute_ruler", "textcat", "entity_linker")
_BATCH = 64


class DependencyParser:
    """A spaCy pipeline that parses dependencies.

    Args:
        pipeline: Its name, such as ``en_core_web_sm``, or a folder. The package of a pipeline
            that is none of spaCy's own must be allowed (`promptlab.security.allow_code`).

    Raises:
        InputError: When spaCy or the pipeline is not installed, or it parses no dependencies.
    """

    def __init__(self, pipeline: str) -> None:
        self.pipeline = pipeline
        self._nlp = _load(pipeline)

    def parse(self, texts: Iterable[str]) -> Iterator[DependencyTree]:
        """The trees of sentences, in their order; texts are taken in batches."""
        for document in self._nlp.pipe(texts, batch_size=_BATCH):
            yield tree_of(document)


def tree_of(document: Any) -> DependencyTree:
    """The tree of a spaCy ``Doc`` that has heads."""
    return DependencyTree(
        tuple(token.text for token in document),
        tuple(token.idx for token in document),
        tuple(token.head.i for token in document),
    )


def _load(pipeline: str) -> Any:
    try:
        import spacy
    except ImportError as error:
        raise InputError(
            f"dependency paths are parsed by spaCy, which is not installed: {EXTRA}"
        ) from error
    if not SPACY_PIPELINE.fullmatch(pipeline) and not Path(pipeline).is_dir():
        require_permission(pipeline, f"the spaCy pipeline {pipeline!r:.80}")
    try:
        nlp = spacy.load(pipeline, exclude=_NEEDLESS)
    except (ImportError, OSError, ValueError, AttributeError) as error:
        known = ", ".join(spacy.util.get_installed_models()) or "none"
        raise InputError(
            f"spaCy cannot load the pipeline {pipeline!r:.80} ({error!s:.200}). Installed are: "
            f"{known}; get one by: python -m spacy download {USUAL}"
        ) from error
    if "parser" not in nlp.pipe_names:
        raise InputError(
            f"the spaCy pipeline {pipeline!r:.80} has no dependency parser (its parts are "
            f"{', '.join(nlp.pipe_names) or 'none'}); name another one, such as {USUAL}"
        )
    note_package("spacy")
    note_input(f"spaCy pipeline {pipeline}", str(nlp.meta.get("version", "")))
    return nlp
