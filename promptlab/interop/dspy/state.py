"""DSPy's program state JSON: one predictor of it as a promptlab classifier, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from promptlab.compat.dspy import dependency_versions, with_prefixes
from promptlab.data.example import Example
from promptlab.data.inputs import as_examples
from promptlab.errors import InputError
from promptlab.files.cache import atomic_write
from promptlab.interop.dspy.closed_choices import choices_of
from promptlab.interop.dspy.prompt_layout import FieldPrompt
from promptlab.interop.dspy.silence import dspy_package
from promptlab.models.base import LanguageModel
from promptlab.predictors.classifier import PromptClassifier
from promptlab.prompts.template import Demonstration, Template

_PROBE = "a text"


def import_program(
    path: str | Path, signature: Any, model: LanguageModel | str, *, predictor: str | None = None
) -> PromptClassifier:
    """The classifier that scores as `ScoringAdapter` does with the saved program.

    The file holds no field names, so ``signature`` gives them: strings in, one choice out
    (``Literal``, bool, ``Enum``). ``predictor`` names one of several predictors. Raises
    `InputError` for a file that is no program state, or what one classifier cannot say.
    """
    state = _predictor_state(Path(path), predictor)
    try:
        loaded = dspy_package().Predict(signature)
        loaded.load_state({**state, "lm": None})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path}: the state does not fit the signature ({type(error).__name__}: {error}); "
            f"give the one it was saved with, which has {len(_fields(state))} fields"
        ) from error
    if len(_fields(state)) != len(loaded.signature.fields):
        raise InputError(
            f"{path} was saved with {len(_fields(state))} fields and the signature has "
            f"{len(loaded.signature.fields)}; for a chain of thought no single template says it"
        )
    demos = [dict(demo) for demo in loaded.demos]
    made = _classifier(loaded.signature, demos, model)
    _compare(made, FieldPrompt(loaded.signature, demos, _probe(loaded.signature)), str(path))
    return made


def export_program(classifier: PromptClassifier, path: str | Path) -> Any:
    """Write a fitted classifier as the state of ``dspy.Predict``, and return its signature.

    With the returned signature, ``dspy.Predict(signature).load(path)`` under `ScoringAdapter`
    shows the same prompts. Raises `InputError` naming what DSPy's state has no place for.
    """
    found = _exported(classifier)
    metadata = {"dependency_versions": dependency_versions()}
    document = {**found.dump_state(), "metadata": metadata}
    with atomic_write(Path(path)) as partial:
        partial.write_text(json.dumps(document, indent=2, ensure_ascii=False), encoding="utf-8")
    return found.signature


def _predictor_state(path: Path, wanted: str | None) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path} is no JSON that DSPy saved: {error}") from error
    if not isinstance(document, dict):
        raise InputError(f"{path} holds no program state (a JSON object was expected)")
    if "signature" in document:  # a dspy.Predict saved by itself
        document = {"self": document}
    found = {
        name: state
        for name, state in document.items()
        if isinstance(state, dict) and "signature" in state
    }
    if wanted is None and len(found) == 1:
        return next(iter(found.values()))
    if wanted not in found:
        names = ", ".join(found) or "none"
        raise InputError(f"{path} has the predictors {names}; name one of them (predictor=)")
    return found[wanted]


def _fields(state: Mapping[str, Any]) -> list[Any]:
    return list(state.get("signature", {}).get("fields", ()))


def _classifier(
    signature: Any, demos: Sequence[Mapping[str, Any]], model: LanguageModel | str
) -> PromptClassifier:
    (output, choices) = _choice(signature)
    page = FieldPrompt(signature, (), {})
    inputs = [f"{_plain(page.prefix(name))} {{{name}}}" for name in signature.input_fields]
    cue = f"{_plain(page.prefix(output))} {{mask}}"
    parts = {"input": "\n".join([*inputs, cue])}
    if heading := page.heading():
        parts = {"description": _plain(heading), **parts}
    made = PromptClassifier(Template(parts=parts), {word: word for word in choices}, model)
    made.demonstrations = [_demonstration(signature, output, demo) for demo in demos]
    return made


def _choice(signature: Any) -> tuple[str, dict[str, Any]]:
    """The one output field, a choice."""
    outputs = list(signature.output_fields)
    choices = choices_of(signature.output_fields[outputs[0]].annotation) if outputs else None
    if len(outputs) != 1 or choices is None:
        raise InputError(
            f"the signature has the outputs {', '.join(outputs)}; a classifier has one, a choice "
            "(Literal, bool or Enum)"
        )
    return outputs[0], choices


def _demonstration(signature: Any, output: str, demo: Mapping[str, Any]) -> Demonstration:
    page = FieldPrompt(signature, (), {})
    missing = [name for name in signature.fields if demo.get(name) is None]
    if missing:
        raise InputError(f"a demonstration lacks the field {missing[0]!r}; a template shows all")
    written = {name: page.written(name, demo[name]) for name in signature.fields}
    fields = {name: written[name] for name in signature.input_fields}
    return Demonstration(fields, written[output])


def _exported(classifier: PromptClassifier) -> Any:
    dspy = dspy_package()
    from typing import Literal

    template, verbalizer = classifier.template, classifier.verbalizer
    if classifier.calibration != "none":
        raise InputError(f"{classifier.calibration} calibration has no place in a program state")
    if len(verbalizer.answers) != len(verbalizer.labels) or verbalizer.length_normalise:
        raise InputError("several answers a label, or scores by length, have no place in a state")
    if classifier.demonstrations is None:
        raise InputError("the demonstrations are not drawn yet; call fit first")
    description, prefixes, cue = _parts(template)
    given: dict[str, Any] = {name: (str, dspy.InputField()) for name in prefixes}
    output = "label" if "label" not in given else "the_label"
    answers: Any = Literal[tuple(verbalizer.answers)]
    given[output] = (answers, dspy.OutputField())
    signature = with_prefixes(dspy.Signature(given, description or " "), {**prefixes, output: cue})
    listed = FieldPrompt(signature, (), {}).heading().splitlines()[-1]
    if not description.endswith(listed):
        raise InputError(
            f"the scoring adapter ends its instructions with {listed!r}, the template's "
            "description does not; let it end with that line"
        )
    instructions = description.removesuffix(listed).strip()
    program = dspy.Predict(signature.with_instructions(instructions or " "))
    program.demos = [
        dspy.Example(**dict(d.fields), **{output: d.answer}) for d in classifier.demonstrations
    ]
    demos = [dict(demo) for demo in program.demos]
    _compare(
        classifier, FieldPrompt(program.signature, demos, _probe(program.signature)), "the template"
    )
    return program


def _parts(template: Template) -> tuple[str, dict[str, str], str]:
    """Description, the prefix of every field in order, and that of the slot."""
    refused = InputError(
        "only a template of a description and an input of 'Prefix: {field}' lines that ends with "
        "'Prefix: {mask}' has a place in a program state"
    )
    parts = template.parts
    if parts is None or not set(parts) <= {"description", "input"} or template.chat:
        raise refused
    prefixes: dict[str, str] = {}
    lines = parts.get("input", "").splitlines()
    for line in lines:
        prefix, brace, rest = line.partition(" {")
        if not brace or not rest.endswith("}") or "{" in prefix or "{" in rest:
            raise refused
        prefixes[rest[:-1]] = prefix
    if not lines or list(prefixes)[-1] != "mask" or len(prefixes) != len(lines):
        raise refused
    cue = prefixes.pop("mask")
    description = parts.get("description", "").replace("\\{", "{").replace("\\}", "}")
    return description, prefixes, cue


def _probe(signature: Any) -> dict[str, str]:
    return {name: f"{_PROBE} {name}" for name in signature.input_fields}


def _compare(classifier: PromptClassifier, page: FieldPrompt, place: str) -> None:
    """Both must show the same words, to the letter."""
    output, choices = _choice(page.signature)
    shown = str(page.prompt({}, output, scored=True))
    example = as_examples([dict(page.inputs)], classifier.fields)[0]
    made = str(classifier.template.render(Example("", example.fields), _drawn(classifier)))
    if shown != made or list(choices) != list(classifier.verbalizer.answers):
        raise InputError(
            f"{place}: DSPy's scoring adapter and the template do not show the same prompt:\n"
            f"{shown!r}\n{made!r}"
        )


def _drawn(classifier: PromptClassifier) -> list[Demonstration]:
    return classifier.demonstrations or []


def _plain(text: str) -> str:
    """Words with their braces kept from meaning a field."""
    return text.replace("{", "\\{").replace("}", "\\}")
