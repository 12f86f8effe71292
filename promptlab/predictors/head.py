"""A classification head: a linear layer on a model's last hidden state, the baseline of prompts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from promptlab.data.example import Example
from promptlab.data.inputs import Input, Inputs, as_examples
from promptlab.errors import CapabilityError, InputError, TemplateError
from promptlab.evaluation.predictions import Prediction, Predictions
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import Predictor, not_fitted_error
from promptlab.predictors.truncation import render_truncated, truncation_record
from promptlab.prompts.prompt import Prompt, Text
from promptlab.prompts.template import Template, is_jinja

if TYPE_CHECKING:
    from promptlab.engine.scoring.embedding import Pooling, TextEmbedder
    from promptlab.models.local import LocalModel

POOLING: dict[str, Pooling] = {"masked": "first", "causal": "last", "seq2seq": "mean"}
"""The hidden state that a head reads: [CLS]'s, the last token's, the encoder's mean."""


class HeadClassifier(Predictor):
    """Pre-train and fine-tune: the text's hidden state, one linear layer, a softmax over labels.

    ``input`` is text with fields and without a slot (``"{premise} {hypothesis}"``). ``model``
    carries the head (and tuned weights, if any) as its learned parts.
    """

    def __init__(self, input: str, labels: Sequence[str], model: LanguageModel) -> None:
        self.input = input
        self.labels = tuple(labels)
        self.model = model
        self.texts = HeadTexts(input, model)
        learned = self.texts.model.learned
        self._head = None if learned is None else learned.head
        self._bias = None if learned is None else learned.head_bias
        if self._head is not None:
            _check_head(
                tuple(self._head.shape), len(self.labels), self.texts.embedder().width, model
            )

    @property
    def fields(self) -> tuple[str, ...]:
        """The example fields that the input reads."""
        return self.texts.template.fields

    def predict(self, examples: Inputs) -> Predictions:
        """One prediction an example, with label log-probabilities in nats."""
        if self._head is None or self._bias is None:
            raise not_fitted_error("the head has not been trained; fit it with the kind head")
        rows = as_examples(examples, self.fields)
        if not rows:
            return Predictions()
        started = time.perf_counter()
        prompts = [self.texts.prompt(row) for row in rows]
        ids = self.texts.token_ids_of_prompts(prompts)
        states = self.texts.embedder().embed(ids)
        scores = (states @ self._head.T.cpu() + self._bias.cpu()).log_softmax(-1).double().numpy()
        seconds = (time.perf_counter() - started) / len(rows)
        return Predictions(
            Prediction(
                example_id=row.id,
                label=self.labels[int(np.argmax(found))],
                target=row.label,
                scores={k: float(v) for k, v in zip(self.labels, found, strict=True)},
                tokens_in=len(tokens),
                seconds=seconds,
                trace=truncation_record(prompt),
            )
            for row, found, tokens, prompt in zip(rows, scores, ids, prompts, strict=True)
        )

    def example_prompt(self, example: Input) -> str:
        """The text for one example as the model reads it."""
        return self.texts.text(as_examples([example], self.fields)[0])

    def facts(self) -> dict[str, Any]:
        """How it was distilled, if it was."""
        learned = self.texts.model.learned
        found = None if learned is None else learned.facts.get("distillation")
        return {} if found is None else {"distillation": found}

    def settings(self) -> dict[str, Any]:
        """Plain JSON data; the head's numbers are among the model's learned parts."""
        return {"input": self.input, "labels": list(self.labels)}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], model: LanguageModel) -> Self:
        """The inverse of `settings`."""
        return cls(settings["input"], settings["labels"], model)


class HeadTexts:
    """Examples as token ids of whole texts, and the reader of their hidden states."""

    def __init__(self, input: str, model: LanguageModel) -> None:
        self.template = template_without_slot(input)
        self.model = _local(model)

    def text(self, example: Example) -> str:
        """The example's text, its fields shortened to the model's window."""
        return self._words(example).text

    def prompt(self, example: Example) -> Prompt:
        """The example's text before a slot that is not read."""
        return render_truncated(self.template, example, (), self.model, 1)

    def _words(self, example: Example) -> Text:
        return self.prompt(example).sides[0]

    def token_ids(self, examples: Sequence[Example]) -> list[tuple[int, ...]]:
        """Token ids with the model's own special tokens around them."""
        return self.token_ids_of_prompts([self.prompt(example) for example in examples])

    def token_ids_of_prompts(self, prompts: Sequence[Prompt]) -> list[tuple[int, ...]]:
        """As `token_ids`, of texts that are made already."""
        encoding = self.model.encoding
        rows = encoding.encode_batch([prompt.sides[0] for prompt in prompts])
        whole = [encoding.before + row + encoding.after for row in rows]
        return [row or (int(self.model.tokenizer.eos_token_id or 0),) for row in whole]

    def embedder(self) -> TextEmbedder:
        """A reader over the model's network."""
        from promptlab.engine.scoring.embedding import TextEmbedder

        engine = self.model.engine
        return TextEmbedder(engine.network, engine.runner, POOLING[self.model.family])


def template_without_slot(text: str) -> Template:
    """Text with fields and no slot as a template; the slot that templates have is put at its end.

    Raises `TemplateError`.
    """
    jinja = is_jinja(text)
    made = Template(text + ("{{ mask }}" if jinja else "{mask}"))
    prompt = made.render(dict.fromkeys(made.fields, "x"))
    if not prompt.is_text_only or prompt.segments[prompt.slot + 1 :]:
        raise TemplateError(
            f"the input of a head is text with fields alone, without a slot or learned tokens; "
            f"found {text!r}"
        )
    if not made.fields:
        raise TemplateError(f"the input of a head reads no field; found {text!r}")
    return made


def _local(model: LanguageModel) -> LocalModel:
    from promptlab.models.local import LocalModel

    if not isinstance(model, LocalModel):
        raise CapabilityError(
            f"{model.name} shows no hidden states, so no head can read them; use a local model"
        )
    return model


def _check_head(shape: tuple[int, ...], labels: int, width: int, model: LanguageModel) -> None:
    if shape != (labels, width):
        raise InputError(
            f"the head has {shape[0]} labels and reads states of width {shape[1]}; there are "
            f"{labels} labels and {model.name} has width {width}; use what it was trained on"
        )
