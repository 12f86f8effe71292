"""What a prompt's sensitivity is measured over: wordings, answer words and demonstrations to cross.

They come from a decided study (its winner first), from the groups of a study file, or from the
template library.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from promptlab.candidates.base import KindSettings, find_kind
from promptlab.candidates.demonstrations import DemonstrationsSettings
from promptlab.candidates.template import OWN, TemplateKind, TemplateSettings
from promptlab.data.task import Task
from promptlab.errors import StudyError
from promptlab.library.entry import LibraryTemplate
from promptlab.library.sources import load_library, record_template_use, templates
from promptlab.predictors.calibration import Calibration
from promptlab.predictors.demonstrations.choice import DemonstrationConfig
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.study.proposal.label_words import label_synonyms, match_labels
from promptlab.study.proposal.library_prompts import PREFERRED

KINDS = ("template", "demonstrations")
"""Kinds whose groups list templates with answers or a parser, maybe after demonstrations."""
TRIED_KINDS = (*KINDS, "mined_templates")
"""Kinds whose candidates are such prompts, once tried."""
FITTED_KINDS = ("answer_search", "words")
"""Kinds whose predictors are such prompts, once fitted."""
USUAL_DEMONSTRATIONS = 4
"""Demonstrations in prompts that start from no study."""

Answers = Mapping[str, Any]


@dataclass(frozen=True)
class Wording:
    """A template, and the sets of answers that it was written for; or the parser of its replies."""

    name: str
    template: Template
    written_for: tuple[Answers, ...] = ()
    parser: Mapping[str, Any] | None = None
    decoding: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class PromptAlternatives:
    """Wordings and sets of answers that may be crossed, the first of each started from.

    ``answers`` is empty where replies are written and parsed. ``scoring`` are the other settings of
    a verbalizer: its aggregation, and whether it normalises by length.
    """

    wordings: tuple[Wording, ...]
    answers: tuple[Answers, ...]
    started_from: str
    demonstrations: DemonstrationConfig
    calibration: Calibration = "none"
    scoring: Mapping[str, Any] | None = None
    remarks: tuple[str, ...] = ()


def alternatives_of_study(
    board: Mapping[str, Any], task: Task, fitted: Mapping[str, Any] | None = None
) -> PromptAlternatives:
    """The winner of a decided study, and the other prompts that it tried, best first.

    ``fitted`` are the settings of the winner's classifier, where only fitting made it a prompt.
    Raises `StudyError` where no trial is a template with answers or a parser.
    """
    rows = [
        row for row in board["trials"] if row["state"] == "complete" and row["kind"] in TRIED_KINDS
    ]
    if not rows and fitted is None:
        kinds = sorted({str(row["kind"]) for row in board["trials"]})
        raise StudyError(
            f"the study {board['study']!r} has no complete trial of the kind template or "
            f"demonstrations (it has {', '.join(kinds) or 'none'}): there are no words to vary; "
            "name the task in place of the study, and the library's templates are taken"
        )
    best = (board.get("best") or {}).get("number")
    if fitted is not None:
        rows.insert(0, dict(board["best"]) | {"candidate": _candidate_of(fitted)})
    start = next((row for row in rows if row["number"] == best), rows[0])
    remarks = []
    if start["number"] != best:
        remarks.append(
            f"the winner is no prompt in words: trial {start['number']}, the best that is one, is "
            "started from"
        )
    settings = start["candidate"]
    written = "parser" in settings
    same = [row for row in rows if ("parser" in row["candidate"]) == written]
    wordings = _joined(_wording_of(row["candidate"]) for row in (start, *same))
    verbalizer = settings.get("verbalizer") or {}
    return PromptAlternatives(
        wordings=wordings,
        answers=() if written else _answer_sets(wordings, task),
        started_from=f"trial {start['number']} of the study {board['study']}: {start['name']}",
        demonstrations=DemonstrationConfig(**settings.get("demonstrations", {})),
        calibration=settings.get("calibration", "none"),
        scoring={k: v for k, v in verbalizer.items() if k != "answers"},
        remarks=tuple(remarks),
    )


def alternatives_of_groups(
    groups: Sequence[KindSettings], task: Task, *, scores: bool
) -> PromptAlternatives | None:
    """The templates of a study file's groups; ``None`` where no group has any.

    ``scores`` says whether the model scores answers; one that does not writes, and is parsed.
    """
    wordings: list[Wording] = []
    used: list[TemplateSettings] = []
    for settings in groups:
        if settings.kind not in KINDS:
            continue
        kind = cast(TemplateKind, find_kind(settings.kind)(settings, task))
        used.append(kind.settings)
        wordings += [_wording_of_option(kind, name) for name in kind.options]
    chosen = _joined(wording for wording in wordings if _suits(wording, scores))
    if not chosen:
        return None
    solved = next((s for s in used if isinstance(s, DemonstrationsSettings)), None)
    count = USUAL_DEMONSTRATIONS if solved is None else solved.count[-1]
    return PromptAlternatives(
        wordings=chosen,
        answers=_answer_sets(chosen, task) if scores else (),
        started_from=f"the first template of the study file: {chosen[0].name}",
        demonstrations=DemonstrationConfig(count),
        calibration=used[0].calibration[0] if scores else "none",
    )


def alternatives_of_library(topic: str | None, task: Task, *, scores: bool) -> PromptAlternatives:
    """The templates of the library's task ``topic``, or of the one whose labels are the task's.

    Raises `StudyError` where none fits, with what would.
    """
    known = load_library()
    if topic is not None and topic not in known:
        raise StudyError(f"the library has no task {topic!r}; it has {', '.join(known)}")
    for name in known if topic is None else [topic]:
        paired = match_labels(task.labels, known[name].labels) if task.labels else {}
        if paired is None or (topic is None and not task.labels):
            continue
        wordings = [_wording_of_item(item, paired) for item in _in_order(name, task)]
        chosen = _joined(wording for wording in wordings if _suits(wording, scores))
        if chosen:
            return PromptAlternatives(
                wordings=chosen,
                answers=_answer_sets(chosen, task) if scores else (),
                started_from=f"the library's template {chosen[0].name}",
                demonstrations=DemonstrationConfig(USUAL_DEMONSTRATIONS),
            )
    labels = ", ".join(task.labels[:8]) or "open answers"
    raise StudyError(
        f"the template library has no task for {task.name} (labels {labels}; fields "
        f"{', '.join(task.fields)}) whose templates this model can answer; write a study file with "
        "templates of your own (promptlab study new), and name that"
    )


def with_demonstrations(
    found: PromptAlternatives, count: int | None, task: Task
) -> PromptAlternatives:
    """The same with so many demonstrations, at most as many as there are labelled examples.

    Without a number those of a study stay as they are.
    """
    labelled = sum(example.label is not None for example in task.train)
    config = found.demonstrations
    wanted = config.count if count is None else count
    if count is not None and count > labelled:
        raise StudyError(
            f"{count} demonstrations are asked for and train has {labelled} labelled examples; "
            "ask for fewer"
        )
    remarks = list(found.remarks)
    if wanted > labelled:
        remarks.append(
            f"train has {labelled} labelled examples: prompts show so many, not {wanted}"
        )
    if not task.labels:  # every answer would be a class of its own, and the first ones be taken
        config = replace(config, balanced=False)
    return replace(
        found,
        demonstrations=replace(config, count=min(wanted, labelled)),
        remarks=tuple(remarks),
    )


def choose_answers(
    found: PromptAlternatives, count: int
) -> tuple[tuple[Answers, ...], tuple[Wording, ...], tuple[str, ...]]:
    """The sets of answers to vary, the wordings that go with them, and what was left out and why.

    A wording takes part if it was written for one of the sets: other words need not fit into it. A
    set in which a word stands for another label than it does at the start (a negation's) takes no
    part, nor does a wording that was written for such sets alone.
    """
    if not found.answers:
        return (), found.wordings, ()
    start = found.answers[0]
    sets = [answers for answers in found.answers if not _contradict(answers, start)]
    chosen = tuple(sets[:count])
    keys = {answers_key(answers) for answers in chosen}
    fitting, others = [], []
    for wording in found.wordings:
        own = {answers_key(answers) for answers in wording.written_for}
        if own & keys or not own:
            fitting.append(wording)
        elif not all(_contradict(answers, start) for answers in wording.written_for):
            others.append(wording)
    if len(fitting) < 2:
        fitting, others = [*fitting, *others], []
    left_out = len(found.wordings) - len(fitting)
    told = (
        f"{left_out} of {len(found.wordings)} templates were written for answer words that are not "
        "varied here, or reverse them, and take no part"
    )
    return chosen, tuple(fitting), (told,) if left_out else ()


def answers_key(answers: Answers) -> str:
    """The same for sets of answers that mean the same."""
    return json.dumps(Verbalizer(answers).mapping(), sort_keys=True)


def answers_name(answers: Answers, longest: int = 70) -> str:
    """A set of answers in words: its words, label by label."""
    mapping = Verbalizer(answers).mapping()
    text = " | ".join("/".join(words) for words in mapping.values())
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _wording_of(settings: Mapping[str, Any]) -> Wording:
    """The wording of a trial's candidate."""
    template = Template.from_settings(settings["template"])
    verbalizer = settings.get("verbalizer")
    return Wording(
        template.name or template.source,
        template,
        () if verbalizer is None else (verbalizer["answers"],),
        settings.get("parser"),
        settings.get("decoding"),
    )


def _candidate_of(fitted: Mapping[str, Any]) -> dict[str, Any]:
    """A fitted classifier's settings as those of the candidate that it would be fitted from."""
    found = {key: fitted[key] for key in ("template", "verbalizer", "calibration")}
    return found | {"demonstrations": dict(fitted["choice"])}


def _wording_of_option(kind: TemplateKind, name: str) -> Wording:
    option, settings = kind.options[name], kind.settings
    template = replace(option.template, chat=settings.chat[0] or option.template.chat)
    if option.parser is not None and option.answers is None:
        decoding = settings.decoding.model_dump(mode="json")
        return Wording(name, template, (), option.parser, decoding)
    sets = [option.answers if answers == OWN else answers for answers in kind.verbalizers.values()]
    return Wording(name, template, tuple(cast(Answers, s) for s in sets if s is not None))


def _wording_of_item(item: LibraryTemplate, paired: Mapping[str, str]) -> Wording:
    record_template_use(item)
    answers = item.answers
    if answers is None or not paired:
        own = () if answers is None else (answers,)
        return Wording(item.full_name, item.template, own, item.parser)
    renamed = {label: answers[known] for label, known in paired.items()}
    return Wording(item.full_name, item.template, (renamed,), item.parser)


def _in_order(topic: str, task: Task) -> list[LibraryTemplate]:
    """The library's templates that read no field which the task lacks, good ones first."""
    preferred = PREFERRED.get(topic, ())
    fitting = [item for item in templates(topic) if set(item.template.fields) <= set(task.fields)]
    rank = {name: place for place, name in enumerate(preferred)}
    return sorted(fitting, key=lambda item: rank.get(item.name, len(rank)))


def _suits(wording: Wording, scores: bool) -> bool:
    """Whether the model can answer it: answers are scored, replies written and parsed."""
    return bool(wording.written_for) if scores else wording.parser is not None


def _joined(wordings: Iterable[Wording]) -> tuple[Wording, ...]:
    """Every template once, with all the answers that it stands with, in order of appearance."""
    found: dict[str, Wording] = {}
    for wording in wordings:
        plain = replace(wording.template, name=None)
        key = json.dumps([plain.settings(), wording.parser, wording.decoding], sort_keys=True)
        known = found.setdefault(key, wording)
        sets = {
            answers_key(answers): answers for answers in known.written_for + wording.written_for
        }
        found[key] = replace(known, written_for=tuple(sets.values()))
    return tuple(found.values())


def _answer_sets(wordings: Sequence[Wording], task: Task) -> tuple[Answers, ...]:
    """Sets of answers: the start's, those that most wordings were written for, then synonyms."""
    sets: dict[str, Answers] = {}
    uses: dict[str, int] = {}
    for wording in wordings:
        for answers in wording.written_for:
            key = answers_key(answers)
            sets.setdefault(key, answers)
            uses[key] = uses.get(key, 0) + 1
    first = next(iter(sets), None)
    ordered = sorted(sets, key=lambda key: (key != first, -uses[key]))
    for answers in _synonym_sets(task):
        key = answers_key(answers)
        if key not in sets:
            sets[key] = answers
            ordered.append(key)
    return tuple(sets[key] for key in ordered)


def _synonym_sets(task: Task) -> list[Answers]:
    """One word for each label at a time, as far as every label has another one."""
    if len(task.labels) < 2:
        return []
    words = label_synonyms(task.labels)
    count = min(map(len, words.values()))
    return [{label: words[label][place] for label in task.labels} for place in range(count)]


def _contradict(one: Answers, other: Answers) -> bool:
    """Whether some word stands for different labels in the two."""
    known = {
        word.lower(): label for label, words in Verbalizer(one).mapping().items() for word in words
    }
    return any(
        known.get(word.lower(), label) != label
        for label, words in Verbalizer(other).mapping().items()
        for word in words
    )
