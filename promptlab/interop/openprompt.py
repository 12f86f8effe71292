"""OpenPrompt 1.0.1 as a second, independent scorer: its own template, verbalizer and model.

It is used to check promptlab's scores, and to run templates written in its grammar. Its template
text reaches ``eval`` inside OpenPrompt, so only text whose braces hold plain literals is let
through (`check_template_text`).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from promptlab.errors import CapabilityError, TemplateError, VerbalizerError
from promptlab.example import Example
from promptlab.interop.openprompt_import import OldTokenizer, load_openprompt

if TYPE_CHECKING:
    import torch

_KINDS = ("placeholder", "meta", "mask", "special", "text")
_OPTIONS = ("shortenable",)
_PLACEHOLDERS = ("text_a", "text_b")


def check_template_text(text: str) -> None:
    """Raise ``TemplateError`` unless OpenPrompt may be given ``text``.

    Every brace must hold a dict or set literal of strings and booleans with one of the keys
    placeholder, meta, mask, special or text; exactly one of them is the mask. Nothing is
    evaluated: calls, names, lambdas and attributes are refused.
    """
    masks = 0
    for position, source in _braces(text):
        masks += "mask" in _literal(source, text, position)
    if masks != 1:
        raise TemplateError(
            f'an OpenPrompt template needs exactly one {{"mask"}}, found {masks}', text=text
        )


def _braces(text: str) -> Iterator[tuple[int, str]]:
    """Position and source of every brace, cut exactly where OpenPrompt cuts them."""
    start = 0
    while (start := text.find("{", start)) >= 0:
        depth, end = 1, start + 1
        while end < len(text):
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            if depth == 0:
                break
            end += 1
        if end == len(text):
            raise TemplateError("this brace is never closed", text=text, position=start)
        yield start, text[start : end + 1]
        start = end + 1


def _literal(source: str, text: str, position: int) -> dict[str, Any]:
    """What ``source`` says, read as a literal."""
    try:
        value = ast.literal_eval(source)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        raise TemplateError(
            f"{source!r} is not a plain literal; write for example "
            '{"placeholder": "text_a"}, {"meta": "field"} or {"mask"}',
            text=text,
            position=position,
        ) from None
    entry: dict[Any, Any] = dict.fromkeys(value) if isinstance(value, set) else value
    kinds = [key for key in entry if key in _KINDS]
    wrong = [key for key in entry if key not in _KINDS + _OPTIONS]
    wrong += [key for key in kinds if key != "mask" and not isinstance(entry[key], str)]
    if "mask" in entry and not isinstance(entry["mask"], str | None):
        wrong.append("mask")
    if not isinstance(entry.get("shortenable", True), bool | str):
        wrong.append("shortenable")
    if entry.get("placeholder", "text_a") not in _PLACEHOLDERS:
        wrong.append("placeholder")
    if wrong or len(kinds) != 1:
        found = f"{wrong[0]!r} does not belong here" if wrong else f"it holds {len(kinds)} of them"
        raise TemplateError(
            f"{source!r}: {found}; one of {', '.join(_KINDS)} is needed (placeholder is "
            f"{' or '.join(_PLACEHOLDERS)}), and shortenable may stand beside it",
            text=text,
            position=position,
        )
    return entry


def manual_template(tokenizer: Any, text: str) -> Any:
    """OpenPrompt's ``ManualTemplate`` for ``text`` in OpenPrompt's grammar, checked first.

    Raises ``TemplateError`` for anything but plain literals in braces; OpenPrompt itself would
    evaluate it and, on a fault, end the process.
    """
    check_template_text(text)
    prompts: Any = load_openprompt().prompts
    return prompts.ManualTemplate(tokenizer=tokenizer, text=text)


class OpenPromptScorer:
    """Labels scored by OpenPrompt's template, verbalizer and ``PromptForClassification``.

    ``template_text`` is in OpenPrompt's grammar: ``{"placeholder": "text_a"}`` is the field
    ``text_a`` (or ``text`` where an example has no such field), ``{"meta": "name"}`` any field,
    ``{"mask"}`` the slot. ``label_words`` maps a label to words of one token each. Works on
    masked and causal transformers models (OpenPrompt drops what follows the slot on a causal
    one); prompts are cut and padded to ``max_tokens``. Raises ``TemplateError``,
    ``VerbalizerError`` or ``CapabilityError``.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        template_text: str,
        label_words: Mapping[str, str | Sequence[str]],
        max_tokens: int = 512,
        *,
        batch_size: int = 16,
    ) -> None:
        openprompt: Any = load_openprompt()
        wrapper = _tokenizer_wrapper(model, openprompt)
        self.labels = tuple(label_words)
        self.max_tokens = max_tokens
        self.batch_size = batch_size
        self._openprompt = openprompt
        self._tokenizer = OldTokenizer(tokenizer)
        self._wrapper = wrapper
        self._template = manual_template(self._tokenizer, template_text)
        if wrapper is openprompt.plms.LMTokenizerWrapper and "mask" in self._template.text[0]:
            raise TemplateError("a causal model needs text before the slot", text=template_text)
        words = {k: [v] if isinstance(v, str) else list(v) for k, v in label_words.items()}
        _check_words(words, tokenizer)
        self._network = openprompt.PromptForClassification(
            plm=model,
            template=self._template,
            verbalizer=openprompt.prompts.ManualVerbalizer(
                self._tokenizer, classes=list(self.labels), label_words=words
            ),
        )

    def score(self, examples: Sequence[Example]) -> list[dict[str, float]]:
        """Label log-probabilities in nats, one dict an example.

        As OpenPrompt defines them: log-softmax at the slot over all label words, then the mean
        over a label's words (so they sum to one only when every label has one word).
        """
        rows = self._run(self._network, examples).tolist()
        return [dict(zip(self.labels, row, strict=True)) for row in rows]

    def slot_logits(self, examples: Sequence[Example]) -> torch.Tensor:
        """The model's logits at the slot, shape [example vocab], on the CPU."""
        forward = self._network.forward_without_verbalize
        return cast("torch.Tensor", self._run(forward, examples))

    def _run(self, forward: Callable[[Any], torch.Tensor], examples: Sequence[Example]) -> Any:
        """``forward`` over OpenPrompt's own batches, in evaluation mode without gradients."""
        import torch

        if not examples:
            return torch.empty(0)
        loader = self._openprompt.PromptDataLoader(
            dataset=[self._input(example) for example in examples],
            template=self._template,
            tokenizer=self._tokenizer,
            tokenizer_wrapper_class=self._wrapper,
            max_seq_length=self.max_tokens,
            batch_size=self.batch_size,
        )
        device = self._network.device
        was_training = self._network.plm.training
        self._network.eval()
        try:
            with torch.inference_mode():
                return torch.cat([forward(batch.to(device)).cpu() for batch in loader])
        finally:
            self._network.plm.train(was_training)

    def _input(self, example: Example) -> Any:
        """The example in OpenPrompt's own class."""
        fields = dict(example.fields)
        return self._openprompt.data_utils.InputExample(
            guid=example.id,
            text_a=fields.get("text_a", fields.get("text", "")),
            text_b=fields.get("text_b", ""),
            meta=fields,
        )


def _tokenizer_wrapper(model: Any, openprompt: Any) -> Any:
    """OpenPrompt's tokenizer wrapper class for the model's family."""
    from transformers.models.auto import modeling_auto

    name = type(model).__name__
    if name in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES.values():
        return openprompt.plms.MLMTokenizerWrapper
    if name in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values():
        return openprompt.plms.LMTokenizerWrapper
    raise CapabilityError(f"OpenPrompt scores masked and causal models here, not a {name}")


def _check_words(words: Mapping[str, Sequence[str]], tokenizer: Any) -> None:
    """Refuse what OpenPrompt would score wrongly: it reads a word's first token only."""
    if not words:
        raise VerbalizerError("OpenPrompt needs at least one label with its words")
    for label, choices in words.items():
        if not choices:
            raise VerbalizerError(f"label {label!r} has no words")
        for word in choices:
            ids = tokenizer.encode(" " + word, add_special_tokens=False)
            if len(ids) != 1:
                raise VerbalizerError(
                    f"label {label!r}: {word!r} is {len(ids)} tokens; OpenPrompt scores words of "
                    "one token each"
                )
