"""Files of facts and of the prompts that ask for them: LAMA's, LPAQA's, and plain pairs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from promptlab.data.readers import Row, Rows, read_rows
from promptlab.data.readers.rows import text_of
from promptlab.errors import DataError, TemplateError
from promptlab.files.text_file import read_text_file
from promptlab.predictors.knowledge_probe.relation import Relation, relation_template
from promptlab.prompts.template import Template

SUBJECTS = ("sub_label", "subject", "sub")
OBJECTS = ("obj_label", "object", "obj")
TEMPLATES = ("template", "pattern")
NAMES = ("predicate_id", "relation", "pred", "predicate")
"""What LAMA, LPAQA, AutoPrompt, ParaRel and plain files call their columns, the surest first."""
_SPLITS = ("train", "dev", "test", "valid")
"""Names of files that say nothing of the relation; their folder's does."""


@dataclass
class _Found:
    """What files say of one relation, in their order."""

    facts: list[tuple[str, str]] = field(default_factory=list)
    prompts: dict[str, tuple[Template, float | None]] = field(default_factory=dict)


def read_relations(
    paths: Iterable[str | Path],
    *,
    subject: str | None = None,
    object: str | None = None,
    templates: Sequence[Template | str] = (),
) -> list[Relation]:
    """Read facts and prompts from any mixture of files.

    Files of facts have a column for subjects and one for objects: LAMA's ``sub_label`` and
    ``obj_label`` (with ``predicate_id``), ``subject`` and ``object``, or just two columns. Files of
    prompts have a column ``template`` with ``[X]`` and ``[Y]``: LAMA's ``relations.jsonl``, one
    file a relation as in LPAQA (with its ``weight``), or ``.txt`` with a template a line. Rows
    without a relation belong to the one that their file is named after. Prompts of relations
    without facts are not used.

    Args:
        paths: The files.
        subject: The column of the subjects, where its name is none of these.
        object: The column of the objects.
        templates: What is asked instead of the prompts in the files.

    Returns:
        The relations with facts, in the order of the files.

    Raises:
        DataError: Naming file and line: no facts at all, a relation without a template, a file
            whose columns are neither, and whatever cannot be read.
        TemplateError: For one of ``templates`` that does not ask for facts.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "capital.csv"
        >>> _ = file.write_text("subject,object\\nPoland,Warsaw\\nPeru,Lima\\n")
        >>> (capital,) = read_relations([file], templates=["The capital of [X] is [Y]."])
        >>> capital.name, capital.objects
        ('capital', ('Warsaw', 'Lima'))
    """
    found: dict[str, _Found] = {}
    files = [Path(path) for path in paths]
    for path in files:
        if path.suffix.lower() == ".txt":
            _read_lines(path, found)
        else:
            _read_rows(read_rows(path), found, subject, object)
    read = ", ".join(map(str, files))
    given = [relation_template(template) for template in templates]
    made = [_relation(name, one, given, read) for name, one in found.items() if one.facts]
    if not made:
        raise DataError(
            f"{read}: no facts; name a file with subjects and objects beside those with prompts"
        )
    return made


def _relation(name: str, found: _Found, given: Sequence[Template], read: str) -> Relation:
    """The relation with its own prompts, or with those that were given instead."""
    if given:
        return Relation(name, found.facts, given)
    if not found.prompts:
        raise DataError(
            f"{read}: no template asks for the relation {name!r}; name a file of prompts with that "
            "relation, or give one (--template 'The capital of [X] is [Y].')"
        )
    weights = [weight for _, weight in found.prompts.values()]
    known = [weight for weight in weights if weight is not None]
    return Relation(
        name,
        found.facts,
        [template for template, _ in found.prompts.values()],
        known if len(known) == len(weights) and any(known) else None,
    )


def _read_lines(path: Path, found: dict[str, _Found]) -> None:
    """A template a line, as LPAQA's paraphrases are kept."""
    text = read_text_file(path, "write one template a line", fault=DataError)
    prompts = found.setdefault(_name_of_file(path), _Found()).prompts
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            template = _template(line.strip(), f"{path}, line {number}")
            prompts.setdefault(template.source, (template, None))


def _read_rows(
    rows: Rows, found: dict[str, _Found], subject: str | None, object: str | None
) -> None:
    """Facts, or prompts, as the columns say."""
    subjects = _column(rows, SUBJECTS, subject)
    objects = _column(rows, OBJECTS, object)
    templates = _column(rows, TEMPLATES, None)
    if templates is None and subjects is None and objects is None and len(rows.columns) == 2:
        subjects, objects = rows.columns
    if subjects is not None and objects is not None:
        _read_facts(rows, found, subjects, objects)
    elif templates is not None:
        _read_prompts(rows, found, templates)
    else:
        raise DataError(_columns_told(rows))


def _read_facts(rows: Rows, found: dict[str, _Found], subjects: str, objects: str) -> None:
    for row in rows:
        fact = (_text(rows, row, subjects), _text(rows, row, objects))
        found.setdefault(_name(rows, row), _Found()).facts.append(fact)


def _read_prompts(rows: Rows, found: dict[str, _Found], column: str) -> None:
    for row in rows:
        text = _text(rows, row, column).strip()
        if not text:
            raise DataError(f"{rows.place(row)}: the template is empty; write it, or drop the row")
        template = _template(text, rows.place(row))
        weight = row.values.get("weight")
        number = float(weight) if isinstance(weight, int | float) and weight >= 0 else None
        prompts = found.setdefault(_name(rows, row), _Found()).prompts
        prompts.setdefault(template.source, (template, number))


def _column(rows: Rows, names: Sequence[str], given: str | None) -> str | None:
    """The column of the first name that the file has."""
    if given is not None and given in rows.columns:
        return given
    return next((name for name in names if name in rows.columns), None)


def _columns_told(rows: Rows) -> str:
    """What is wrong with a file that holds neither facts nor prompts."""
    listed = ", ".join(map(repr, rows.columns))
    if "masked_sentences" in rows.columns:
        return (
            f"{rows.path}: its rows are sentences with a gap (masked_sentences) and have no "
            "subject that a template could ask about; use files with subjects and objects, such "
            "as those of T-REx"
        )
    return (
        f"{rows.path}: the columns are {listed}; facts need one of {', '.join(SUBJECTS)} and one "
        f"of {', '.join(OBJECTS)} (or --subject and --object), prompts need {TEMPLATES[0]}"
    )


def _name(rows: Rows, row: Row) -> str:
    """The relation of a row; of Google-RE's paths (``/people/person/place_of_birth``) the end."""
    for column in NAMES:
        if name := text_of(row.values.get(column)).strip():
            return name.rstrip("/").rsplit("/", 1)[-1]
    return _name_of_file(rows.path)


def _name_of_file(path: Path) -> str:
    """``P36`` for ``P36.jsonl``, ``P36.jsonl.gz``, and for ``P36/train.jsonl``."""
    stem = path.name.partition(".")[0]
    return path.parent.name if stem in _SPLITS and path.parent.name else stem


def _text(rows: Rows, row: Row, column: str) -> str:
    """A cell as text. Raises `DataError` for a list or an object."""
    value: Any = row.values.get(column)
    if isinstance(value, list | dict):
        raise DataError(f"{rows.place(row)}: {column!r} holds a list or an object, it must be text")
    return text_of(value)


def _template(text: str, place: str) -> Template:
    try:
        return relation_template(text)
    except TemplateError as error:
        raise DataError(f"{place}: {error.summary}") from error
