"""OpenPrompt 1.0.1 as a second, independent scorer: its own template, verbalizer and model.

It is used to check promptlab's scores, and to run templates written in its language with its own
classes: templates, verbalizers and ``PromptForClassification`` on masked, causal and T5 models. Its
template text would reach ``eval`` inside OpenPrompt; here it is read as literals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from promptlab.data.example import Example
from promptlab.errors import CapabilityError, TemplateError, VerbalizerError
from promptlab.interop.openprompt_import import OldTokenizer, load_openprompt
from promptlab.interop.openprompt_text import parse_template_text

if TYPE_CHECKING:
    import torch

__all__ = [
    "OpenPromptModel",
    "OpenPromptScorer",
    "check_template_text",
    "load_openprompt",
    "manual_template",
    "mixed_template",
    "openprompt_examples",
    "openprompt_model",
    "ptuning_template",
    "soft_template",
]


def check_template_text(text: str, *, soft: bool = False) -> None:
    """Raise ``TemplateError`` unless OpenPrompt may be given ``text``.

    Every brace must hold a dict or set literal of its language; exactly one of them is the mask.
    Nothing is evaluated; ``post_processing`` functions are read when they are simple ones.

    Args:
        text: One template.
        soft: Whether it may hold learned vectors.

    Raises:
        TemplateError: With a caret under the fault.
    """
    masks = sum("mask" in entry for entry in parse_template_text(text, soft=soft))
    if masks != 1:
        raise TemplateError(
            f'an OpenPrompt template needs exactly one {{"mask"}}, found {masks}', text=text
        )


class OpenPromptModel(NamedTuple):
    """What OpenPrompt's ``load_plm`` gives, of a model that is loaded already.

    ``plm`` is the transformers model, ``tokenizer`` its tokenizer with what OpenPrompt asks of it,
    ``config`` its configuration and ``wrapper`` OpenPrompt's tokenizer wrapper of its family.
    """

    plm: Any
    tokenizer: Any
    config: Any
    wrapper: Any


def openprompt_model(model: Any, tokenizer: Any = None) -> OpenPromptModel:
    """Make a model ready for OpenPrompt's classes.

    Args:
        model: A transformers model with its ``tokenizer``, or a local model of promptlab.
        tokenizer: The transformers tokenizer, where ``model`` is a transformers model.

    Returns:
        Model, tokenizer, configuration and tokenizer wrapper class.

    Raises:
        CapabilityError: For a model that is neither masked, causal nor T5.

    Example:
        >>> plm, tokenizer, config, wrapper = openprompt_model(pl.load_model("bert-tiny"))
    """
    from promptlab.models.local import LocalModel

    if isinstance(model, LocalModel):
        model, tokenizer = model.engine.network.model, model.tokenizer
    if tokenizer is None:
        raise CapabilityError("OpenPrompt needs the model's tokenizer; give it beside the model")
    wrapper = _tokenizer_wrapper(model, load_openprompt())
    return OpenPromptModel(model, OldTokenizer(tokenizer), model.config, wrapper)


def openprompt_examples(examples: Sequence[Example], labels: Sequence[str] = ()) -> list[Any]:
    """Examples in OpenPrompt's own class.

    Args:
        examples: Fields ``text_a`` and ``text_b`` are OpenPrompt's (``text`` is taken for the
            first where there is none); all fields are ``meta``.
        labels: The classes in order, for labels as numbers; without them there are none.

    Returns:
        One ``InputExample`` each.
    """
    make: Any = load_openprompt().data_utils.InputExample
    return [
        make(
            guid=example.id,
            text_a=example.fields.get("text_a", example.fields.get("text", "")),
            text_b=example.fields.get("text_b", ""),
            meta=dict(example.fields),
            **({"label": list(labels).index(str(example.label))} if labels else {}),
        )
        for example in examples
    ]


def manual_template(tokenizer: Any, text: str) -> Any:
    """OpenPrompt's ``ManualTemplate`` for ``text`` in OpenPrompt's language, checked first.

    Raises ``TemplateError`` for what is not in the language; OpenPrompt itself would evaluate it
    and, on a fault, end the process.
    """
    check_template_text(text)
    prompts: Any = load_openprompt().prompts
    return prompts.ManualTemplate(tokenizer=tokenizer, text=text)


def mixed_template(model: Any, tokenizer: Any, text: str) -> Any:
    """OpenPrompt's ``MixedTemplate``: words, and learned vectors (``{"soft": "first words"}``).

    Raises ``TemplateError`` for what is not in the language.
    """
    check_template_text(text, soft=True)
    prompts: Any = load_openprompt().prompts
    return prompts.MixedTemplate(model=model, tokenizer=tokenizer, text=text)


def ptuning_template(model: Any, tokenizer: Any, text: str, *, encoder: str = "lstm") -> Any:
    """OpenPrompt's ``PtuningTemplate``: its vectors go through an ``lstm`` or an ``mlp``.

    Raises ``TemplateError`` for what is not in the language.
    """
    check_template_text(text, soft=True)
    if encoder not in ("lstm", "mlp"):
        raise TemplateError(f"the encoder is lstm or mlp, found {encoder!r}")
    prompts: Any = load_openprompt().prompts
    return prompts.PtuningTemplate(
        model=model, tokenizer=tokenizer, text=text, prompt_encoder_type=encoder
    )


def soft_template(model: Any, tokenizer: Any, text: str, *, tokens: int = 20) -> Any:
    """OpenPrompt's ``SoftTemplate``: so many learned vectors before a template of words.

    Raises ``TemplateError`` for what is not in the language.
    """
    check_template_text(text)
    prompts: Any = load_openprompt().prompts
    return prompts.SoftTemplate(model=model, tokenizer=tokenizer, text=text, num_tokens=tokens)


_DECODER = 4
"""Tokens of a T5 decoder's row: it starts, names the slot, and ends."""


class OpenPromptScorer:
    """Labels scored by OpenPrompt's template, verbalizer and ``PromptForClassification``.

    ``template_text`` is in OpenPrompt's grammar: ``{"placeholder": "text_a"}`` is the field
    ``text_a`` (or ``text`` where an example has no such field), ``{"meta": "name"}`` any field,
    ``{"mask"}`` the slot. ``label_words`` maps a label to words of one token each. Works on
    masked, causal and T5 models (OpenPrompt drops what follows the slot on a causal one); prompts
    are cut and padded to ``max_tokens``. Raises ``TemplateError``,
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
            dataset=openprompt_examples(examples),
            template=self._template,
            tokenizer=self._tokenizer,
            tokenizer_wrapper_class=self._wrapper,
            max_seq_length=self.max_tokens,
            decoder_max_length=_DECODER,
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


def _tokenizer_wrapper(model: Any, openprompt: Any) -> Any:
    """OpenPrompt's tokenizer wrapper class for the model's family."""
    from promptlab.compat.transformers import class_names

    name = type(model).__name__
    if name in class_names("MASKED_LM"):
        return openprompt.plms.MLMTokenizerWrapper
    if name in class_names("CAUSAL_LM"):
        return openprompt.plms.LMTokenizerWrapper
    if name == "T5ForConditionalGeneration":
        return openprompt.plms.T5TokenizerWrapper
    raise CapabilityError(f"OpenPrompt takes masked, causal and T5 models here, not a {name}")


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
