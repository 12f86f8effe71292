"""The study file of a learning curve: methods by sizes by seeds."""

from __future__ import annotations

import re
from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from promptlab.candidates.base import KindSettings
from promptlab.files.settings import Seed
from promptlab.study.spec.sections import Section, StudyFile

LEARNING_CURVE = "learning_curve"
"""The ``kind`` of such a study file and of its result document."""

Natural = Annotated[int, Field(ge=0)]


class Method(Section):
    """One line of the plot: a group that stands for one candidate, and the name it is shown by."""

    name: str
    settings: KindSettings

    def document(self) -> dict[str, Any]:
        """The method as plain data; a seed that `for_seed` sets does not stand in it."""
        left_out = None if "seed" in self.settings.model_fields_set else {"seed"}
        return {"name": self.name} | self.settings.model_dump(mode="json", exclude=left_out)

    def for_seed(self, seed: int) -> KindSettings:
        """The settings in a cell of ``seed``: a kind's own seed, where the file gives none, is it.

        So the bands show what the draw of the examples and the learner's chance do together.
        """
        field = type(self.settings).model_fields.get("seed")
        if field is None or "seed" in self.settings.model_fields_set:
            return self.settings
        default = field.get_default(call_default_factory=True)
        values = self.settings.model_dump(exclude_unset=True)
        values["seed"] = [seed] if isinstance(default, list | tuple) else seed
        made = type(self.settings).model_validate(values)
        made.set_location(self.settings.location)
        return made


class CurveSpec(StudyFile):
    """A learning curve: every method on every draw of every size; nothing is chosen.

    `load_spec` makes one of a study file; `document` gives the file's values back.

    Args:
        kind: Always ``learning_curve``.
        study: The study's name, which is its folder's.
        description: For people; decides nothing.
        task: Which data, and how it is divided into train, dev and test.
        model: Which model, where, and in which number format.
        sizes: Numbers of labelled training examples a class (in all, for open answers); 0 is a
            method without any training.
        seeds: Seeds of the draws of training examples; every method sees every draw.
        dev_per_class: Dev examples a class that learners see who stop early by them; by default
            they see all of dev.
        methods: What is compared: each has a ``name`` and the settings of a group that stands for
            one candidate.
        baseline: The name of the method with which the others are compared.
        block: As of a study that searches.
        seed: As of a study that searches.

    Example:
        >>> spec = pl.load_spec("learning-curve", {"seeds": [13, 21]})
        >>> spec.sizes, spec.baseline
        ([0, 16, 32, 64, 128, 256], 'head')
        >>> len(spec.methods) * len(spec.sizes) * len(spec.seeds)
        48
    """

    kind: Literal["learning_curve"]
    sizes: list[Natural] = Field(min_length=1)
    seeds: list[Seed] = Field(min_length=1)
    dev_per_class: int | None = Field(default=None, ge=1)
    methods: list[Method] = Field(min_length=1)
    baseline: str | None = None

    @field_validator("sizes", "seeds")
    @classmethod
    def _each_once(cls, values: list[int]) -> list[int]:
        twice = sorted(value for value, count in Counter(values).items() if count > 1)
        if twice:
            raise ValueError(f"{twice[0]} stands twice; give each value once")
        return values

    @field_validator("baseline")
    @classmethod
    def _one_of_the_methods(cls, value: str | None, info: Any) -> str | None:
        names = [method.name for method in info.data.get("methods", [])]
        if value is not None and names and value not in names:
            raise ValueError(f"the baseline is none of the methods, which are {', '.join(names)}")
        return value

    def document(self) -> dict[str, Any]:
        """The spec as plain data, the methods' settings included."""
        values = super().document()
        values["methods"] = [method.document() for method in self.methods]
        return values

    @property
    def slugs(self) -> dict[str, str]:
        """A name for files, different for every method, by the method's name."""
        slugs: dict[str, str] = {}
        for method in self.methods:
            plain = re.sub(r"[^a-z0-9]+", "-", method.name.lower()).strip("-")[:60] or "method"
            number = 1
            slug = plain
            while slug in slugs.values():
                number += 1
                slug = f"{plain}-{number}"
            slugs[method.name] = slug
        return slugs
