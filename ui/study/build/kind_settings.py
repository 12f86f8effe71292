"""Settings of a kind as boxes of a form: which there are, and their values there and back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import promptlab as pl
from promptlab.candidates import kind_schema

Shape = Literal["templates", "choices", "numbers", "texts", "truths", "number", "text", "truth"]
USUAL: Mapping[str, tuple[str, ...]] = {
    "template": ("templates", "calibration", "chat"),
    "demonstrations": ("templates", "count", "selection", "order", "calibration", "seed"),
    "decomposition": ("templates", "longest", "keep", "selection"),
    "self_consistency": ("samples", "vote", "adaptive"),
    "retrieval": ("k", "method"),
    "knowledge": ("templates", "count", "choose"),
    "chain_of_thought": ("templates", "mode", "count"),
    "chain": ("chat",),
    "dspy": ("program", "adapter", "instructions"),
    "soft_prompt": ("templates", "length", "init", "learning_rate", "epochs"),
    "p_tuning": ("templates", "length", "encoder", "learning_rate", "epochs"),
    "prefix": ("templates", "length", "init", "learning_rate", "epochs"),
    "finetune": ("templates", "mode", "weights", "learning_rate", "epochs"),
    "head": ("weights", "learning_rate", "head_learning_rate", "epochs"),
    "ensemble": ("top", "method", "diverse"),
    "distillation": ("top", "method", "temperature", "head_learning_rate"),
    "tree_of_thoughts": ("thoughts", "evaluation", "search", "beam", "depth"),
    "words": ("rank", "calibration"),
    "mined_templates": ("corpus", "pairs", "top", "ending", "calibration"),
    "infilled_templates": ("filler", "shapes", "top", "calibration"),
    "per_example_prompts": ("domain", "features", "shown", "choose"),
    "paraphrased_templates": ("templates", "writer", "forward", "backward", "calibration"),
    "triggers": ("templates", "length", "method", "steps", "label_words"),
    "instruction_search": ("templates", "proposals", "methods", "writer", "calibration"),
    "answer_search": ("templates", "method", "words", "candidates", "ranking", "calibration"),
}
"""The settings of each kind that are shown at first; the others are added when they are wanted."""
_WRITTEN_OUT = "written out"
_ALL_OF = re.compile(r"all of (\S+)(?: \((prefix|cloze)\))?")
_RANGE = re.compile(r"(\S+)\s+to\s+(\S+?)(\s+log)?", re.IGNORECASE)


@dataclass(frozen=True)
class KindSetting:
    """One setting of a kind: how it is shown, what it may be, and what it is if it is not given."""

    name: str
    shape: Shape
    choices: tuple[str, ...] = ()
    default: Any = None
    whole: bool = False

    @property
    def label(self) -> str:
        """Its name in words."""
        return self.name.replace("_", " ").capitalize()


@cache
def kind_settings(kind: str) -> dict[str, KindSetting]:
    """The settings of a shipped kind that a box can show; the rest is for the YAML alone."""
    schema = kind_schema(kind)
    found = (_setting(n, p, schema) for n, p in schema["properties"].items() if n != "kind")
    return {setting.name: setting for setting in found if setting is not None}


def other_settings(kind: str, group: Mapping[str, Any]) -> list[str]:
    """Settings that stand in a group's YAML and in no box."""
    boxes = kind_settings(kind)
    return [k for k in group if k != "kind" and (k not in boxes or not fits(boxes[k], group[k]))]


def displayed_settings(kind: str, group: Mapping[str, Any]) -> list[KindSetting]:
    """The settings to show of a group: the usual ones, and those that are given."""
    known = kind_settings(kind)
    names = [n for n in USUAL.get(kind, ()) if n in known]
    names += [n for n in group if n in known and n not in names]
    return [known[n] for n in names if n not in group or fits(known[n], group[n])]


def fits(setting: KindSetting, value: Any) -> bool:
    """Whether a box shows a value whole: read again it is the same."""
    try:
        return bool(parse_setting(setting, format_setting(setting, value), value) == value)
    except pl.InputError:
        return False


def format_setting(setting: KindSetting, value: Any) -> Any:
    """A value as its box holds it."""
    if setting.shape == "templates":
        return [_template(item) for item in _templates(value)]
    if value is None:
        value = setting.default
    match setting.shape:
        case "choices":
            items = value if isinstance(value, list) else []
            return [str(item) for item in items]
        case "truths":
            items = value if isinstance(value, list) else []
            return ["yes" if item is True else "no" for item in items]
        case "numbers":
            return _numbers_shown(value)
        case "texts":
            return "\n".join(str(item).replace("\n", "\\n") for item in value or ())
        case "text":
            return "" if value is None else str(value)
    return value


def parse_setting(setting: KindSetting, given: Any, before: Any = None) -> Any:
    """A box's content as the value for the YAML; ``None`` for an empty box.

    ``before`` is what stands there now: templates that are written out are taken from it. Raises
    `InputError`.
    """
    if given is None or given == "" or given == []:
        return None
    match setting.shape:
        case "templates":
            return _read_templates(given, before)
        case "truths":
            return [item == "yes" for item in given]
        case "numbers":
            return _read_numbers(setting, str(given))
        case "number":
            return int(given) if setting.whole or float(given).is_integer() else float(given)
        case "texts":
            return [line.replace("\\n", "\n") for line in str(given).splitlines() if line.strip()]
    return given


def _setting(name: str, schema: Mapping[str, Any], root: Mapping[str, Any]) -> KindSetting | None:
    default = schema.get("default")
    if name == "templates":
        return KindSetting(name, "templates")
    options = [_resolved(option, root) for option in schema.get("anyOf", [schema])]
    options = [option for option in options if option.get("type") != "null"]
    arrays = [option for option in options if option.get("type") == "array"]
    if arrays:
        items = _resolved(arrays[0].get("items", {}), root)
        return _listed(name, items, default, root)
    if len(options) != 1 or "enum" in options[0]:
        return None
    match options[0].get("type"):
        case "integer":
            return KindSetting(name, "number", default=default, whole=True)
        case "number":
            return KindSetting(name, "number", default=default)
        case "boolean":
            return KindSetting(name, "truth", default=default)
        case "string":
            return KindSetting(name, "text", default=default)
    return None


def _listed(
    name: str, items: Mapping[str, Any], default: Any, root: Mapping[str, Any]
) -> KindSetting | None:
    if "enum" in items:
        return KindSetting(name, "choices", tuple(map(str, items["enum"])), default)
    match items.get("type"):
        case "integer":
            return KindSetting(name, "numbers", default=default, whole=True)
        case "number":
            return KindSetting(name, "numbers", default=default)
        case "boolean":
            return KindSetting(name, "truths", ("no", "yes"), default)
        case "string":
            return KindSetting(name, "texts", default=default)
    return None


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    found: Mapping[str, Any] = root["$defs"][schema["$ref"].rpartition("/")[2]]
    return found


def _templates(value: Any) -> list[Any]:
    """The entries; a whole task of the library is one."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _template(item: Any) -> str:
    if not isinstance(item, Mapping):
        return str(item).replace("\n", "\\n")
    if "task" in item:
        return f"all of {item['task']}" + (f" ({item['shape']})" if item.get("shape") else "")
    said = item.get("name") or item.get("text") or " ".join((item.get("parts") or {}).values())
    return f"{_WRITTEN_OUT}: {said!s}".replace("\n", "\\n")


def _read_templates(given: Sequence[str], before: Any) -> Any:
    """Library names and texts; what is written out in the YAML is kept as it stands there."""
    kept = {_template(item): item for item in _templates(before)}
    found = [kept.get(name, name.replace("\\n", "\n")) for name in given]
    whole = [item for item in found if isinstance(item, Mapping) and "task" in item]
    asked = [m for item in found if isinstance(item, str) and (m := _ALL_OF.fullmatch(item))]
    if (whole or asked) and len(found) > 1:
        raise pl.InputError("all templates of a task stand alone; take them or the others out")
    if whole:
        return dict(whole[0])
    if asked:
        return {"task": asked[0][1]} | ({"shape": asked[0][2]} if asked[0][2] else {})
    lost = [item for item in found if isinstance(item, str) and item.startswith(_WRITTEN_OUT)]
    if lost:
        raise pl.InputError(f"{lost[0]!r} stands in the YAML no longer; take it out here")
    return found


def _numbers_shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{value.get('low')} to {value.get('high')}" + (" log" if value.get("log") else "")
    return ", ".join(_number(item) for item in value or ())


def _number(item: Any) -> str:
    return "none" if item is None else str(item)


def _read_numbers(setting: KindSetting, text: str) -> Any:
    if match := _RANGE.fullmatch(text.strip()):
        low, high = _one(setting, match[1]), _one(setting, match[2])
        return {"low": low, "high": high} | ({"log": True} if match[3] else {})
    return [_one(setting, part) for part in re.split(r"[,;\s]+", text.strip()) if part]


def _one(setting: KindSetting, text: str) -> int | float | str | None:
    if text == "none":
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        if setting.whole:
            raise ValueError
        return float(text)
    except ValueError:
        wanted = "whole numbers" if setting.whole else "numbers"
        raise pl.InputError(
            f"{setting.label}: {text!r:.40} is no number; write {wanted} with commas between them"
        ) from None
