"""Groups of candidates added, doubled and taken out of a study's YAML."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import promptlab as pl
from promptlab.library import tasks

from .form_fields import group_names, groups_key, groups_of, templates_for
from .kind_settings import KindSetting, kind_settings, parse_setting
from .yaml_edit import edit_yaml
from .yaml_edit import parse_yaml_text as read_yaml

_FEW = 3
MINED = "mined_templates"


def with_setting(text: str, index: int, setting: KindSetting, given: Any) -> str:
    """The YAML with one setting of one group changed. Raises `InputError`."""
    document = read_yaml(text)
    group = groups_of(document)[index]
    before = group.get(setting.name)
    value = parse_setting(setting, given, before)
    if value == before:
        return text
    return edit_yaml(text, (groups_key(document), index, setting.name), value)


def with_default(text: str, index: int, name: str) -> str:
    """The YAML with a setting of one group written down as it is by default."""
    document = read_yaml(text)
    kind = str(groups_of(document)[index].get("kind"))
    found = kind_settings(kind).get(name)
    if found is None:
        raise pl.InputError(f"{name!r:.40} is no setting of {kind} that a box can hold")
    value = [found.choices[0]] if found.default in (None, []) and found.choices else found.default
    value = [1] if value in (None, []) and found.shape == "numbers" else value
    value = ["text"] if value in (None, []) and found.shape == "texts" else value
    value = 1 if value is None and found.shape == "number" else value
    value = "text" if value is None else value
    return edit_yaml(text, (groups_key(document), index, name), copy.deepcopy(value))


def with_group(text: str, kind: str) -> str:
    """The YAML with a further group of that kind, ready to run where that is possible."""
    document = read_yaml(text)
    key = groups_key(document)
    group = new_group(kind, document)
    if key == "methods":
        group = {"name": _free(kind, group_names(document))} | group
    return _appended(text, key, group)


def with_double(text: str, index: int) -> str:
    """The YAML with a copy of a group at the end."""
    document = read_yaml(text)
    key = groups_key(document)
    group = copy.deepcopy(groups_of(document)[index])
    if key == "methods":
        group["name"] = _free(str(group.get("name", "method")), group_names(document))
    return _appended(text, key, group)


def with_corpus(text: str, name: str) -> str:
    """The YAML with a corpus for every group of mined templates; with such a group, if none is."""
    document = read_yaml(text)
    mined = [n for n, g in enumerate(groups_of(document)) if g.get("kind") == MINED]
    if not mined:
        text, mined = with_group(text, MINED), [len(groups_of(document))]
    for index in mined:
        text = edit_yaml(text, (groups_key(document), index, "corpus"), name)
    return text


def without_group(text: str, index: int) -> str:
    """The YAML without a group. Raises `InputError` for the last one."""
    document = read_yaml(text)
    if len(groups_of(document)) < 2:
        raise pl.InputError("a study has at least one group of candidates; add another one first")
    return edit_yaml(text, (groups_key(document), index), None)


def new_group(kind: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """A group of a kind with what it must have, for the study's data."""
    names = templates_for(document)
    answered = {
        f"{task.name}/{name}": entry.answers
        for task in tasks()
        for name, entry in task.templates.items()
        if entry.answers is not None
    }
    scored = [name for name in names if name in answered][:_FEW]
    written = [name for name in names if name not in answered][:_FEW]
    inner = {"kind": "template", "templates": (written or scored)[:1]}
    needed: dict[str, dict[str, Any]] = {
        "template": {"templates": scored or written, "calibration": ["none", "contextual"]},
        "demonstrations": {"templates": (scored or written)[:1], "count": [2, 4], "seed": [13]},
        "chain_of_thought": {"templates": (written or scored)[:1]},
        "decomposition": {"templates": scored[:1]},
        "self_consistency": {"inner": inner, "samples": [5]},
        "knowledge": {"inner": inner, "templates": ["Fact: {mask}"], "count": [3]},
        "retrieval": {"inner": inner, "passages": "train", "k": [3]},
        "chain": {"steps": [{"name": "answer", "templates": (written or scored)[:1]}]},
        "tree_of_thoughts": {"problem": "game24", "thoughts": ["moves"], "evaluation": ["random"]},
        "soft_prompt": {"templates": scored[:1], "length": [10], "learning_rate": [0.03]},
        "p_tuning": {"templates": scored[:1], "length": [10], "learning_rate": [0.03]},
        "prefix": {"templates": scored[:1], "length": [10], "learning_rate": [0.01]},
        "finetune": {"templates": scored[:1], "learning_rate": [0.00003]},
        "triggers": {"templates": scored[:1], "length": [4], "steps": [20]},
        "answer_search": {"templates": scored[:1], "method": ["ratio", "assignment"]},
        "instruction_search": {"templates": (scored or written)[:1], "proposals": 12},
        MINED: {"corpus": "corpus.txt", "pairs": "train"},
        "per_example_prompts": {"inner": inner},
        "paraphrased_templates": {"templates": scored[:1], "samples": 12},
        "infilled_templates": {
            "filler": "Qwen/Qwen2.5-Coder-0.5B-Instruct",
            "answers": answered[scored[0]] if scored else {"yes": "yes", "no": "no"},
        },
    }
    return {"kind": kind} | needed.get(kind, {})


def _appended(text: str, key: str, group: dict[str, Any]) -> str:
    found = groups_of(read_yaml(text))
    return edit_yaml(text, (key, len(found)), group) if found else edit_yaml(text, (key,), [group])


def _free(name: str, taken: list[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} {number}"
    return free
