"""An adapter for DSPy that scores choices instead of generating and parsing them."""

from __future__ import annotations

import asyncio
import datetime
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from promptlab.compat.dspy import read_value
from promptlab.errors import AskError, InputError
from promptlab.interop.dspy.closed_choices import best_choice, choices_of
from promptlab.interop.dspy.engine import PromptlabEngine
from promptlab.interop.dspy.model_client import TooLong
from promptlab.interop.dspy.prompt_layout import FieldPrompt
from promptlab.interop.dspy.silence import dspy_package
from promptlab.interop.dspy.tracing import note_step
from promptlab.predictors.calibration import CONTENT_FREE, calibration_prior
from promptlab.prompts.decoding import Decoding

dspy = dspy_package()

Prior = Literal["none", "contextual"]


class ScoringAdapter(dspy.Adapter):  # type: ignore[name-defined, misc, unused-ignore]
    """Scores ``Literal``, bool and ``Enum`` outputs by log-likelihood; other outputs are written.

    The fields are found in the signature's order, each after those before it, so a choice after
    *reasoning* is scored behind the reasoning that was written; it always has a value. With
    *contextual* calibration what a choice scores without content (Zhao et al. 2021) is taken
    off. The best value is taken at any temperature; written fields are sampled. ``chat`` puts the
    page into the model's chat template. The language model must be one of `dspy_lm`; another is
    refused with `InputError`. `trace_steps` shows the probabilities.
    """

    def __init__(
        self, *, calibration: Prior = "none", chat: bool = False, callbacks: Any = None
    ) -> None:
        super().__init__(callbacks=callbacks)
        if calibration not in ("none", "contextual"):
            raise InputError(
                f"unknown calibration {calibration!r} for DSPy; it is none or contextual"
            )
        self.calibration = calibration
        self.chat = chat

    def __call__(
        self,
        lm: Any,
        lm_kwargs: dict[str, Any],
        signature: Any,
        demos: list[dict[str, Any]],
        inputs: dict[str, Any],
    ) -> list[dict[str, Any]]:
        """One dictionary of output fields for each of the ``n`` completions."""
        engine = _engine(lm)
        settings = {**lm.kwargs, **lm_kwargs}
        page = FieldPrompt(signature, demos, inputs, chat=self.chat)
        count = settings.get("n") or settings.get("num_generations") or 1
        found = []
        for _ in range(count):
            filling = _Filling(engine, page, settings, self.calibration)
            try:
                found.append(filling.outputs())
            except TooLong as error:
                raise dspy.ContextWindowExceededError(message=str(error), model=lm.model) from error
            except AskError as error:
                raise dspy.LMProviderError(message=str(error), model=lm.model) from error
            filling.account(lm, lm_kwargs)
        return found

    async def acall(
        self,
        lm: Any,
        lm_kwargs: dict[str, Any],
        signature: Any,
        demos: list[dict[str, Any]],
        inputs: dict[str, Any],
    ) -> list[dict[str, Any]]:
        """The same in a thread of its own."""
        return await asyncio.to_thread(self.__call__, lm, lm_kwargs, signature, demos, inputs)

    def format(
        self, signature: Any, demos: list[dict[str, Any]], inputs: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """The page up to the first output field, as the messages that DSPy shows."""
        page = FieldPrompt(signature, demos, inputs, chat=self.chat)
        first = next(iter(signature.output_fields))
        scored = choices_of(signature.fields[first].annotation) is not None
        prompt = page.prompt({}, first, scored=scored)
        turns = [{"role": role, "content": words} for role, words in prompt.turns]
        turns.append({"role": "user", "content": prompt.left})
        if prompt.prefill:
            turns.append({"role": "assistant", "content": prompt.prefill})
        return turns


class _Filling:
    """One completion: the output fields, one after the other, and what they cost."""

    def __init__(
        self,
        engine: PromptlabEngine,
        page: FieldPrompt,
        settings: Mapping[str, Any],
        calibration: Prior,
    ) -> None:
        self.engine = engine
        self.page = page
        self.settings = settings
        self.calibration = calibration
        self.found: dict[str, Any] = {}
        self.tokens_in = self.tokens_out = 0
        self.shown = ""

    def outputs(self) -> dict[str, Any]:
        """The value of every output field. Raises `AskError` and DSPy's ``AdapterParseError``."""
        for name, field in self.page.signature.output_fields.items():
            choices = choices_of(field.annotation)
            if choices is None:
                self.found[name] = self._written(name, field)
            else:
                self.found[name] = self._scored(name, choices)
        return self.found

    def account(self, lm: Any, call: Mapping[str, Any]) -> None:
        """Tell DSPy's usage tracker and history of this completion."""
        usage = {
            "prompt_tokens": self.tokens_in,
            "completion_tokens": self.tokens_out,
            "total_tokens": self.tokens_in + self.tokens_out,
        }
        if dspy.settings.usage_tracker:
            dspy.settings.usage_tracker.add_usage(lm.model, usage)
        lines = self.page.lines(self.page.signature.output_fields, self.found)
        lm.update_history(
            {
                "prompt": self.shown,
                "messages": None,
                "kwargs": dict(call),
                "response": None,
                "outputs": ["\n".join(lines)],
                "usage": usage,
                "cost": None,
                "timestamp": datetime.datetime.now().isoformat(),
                "uuid": str(uuid.uuid4()),
                "model": lm.model,
                "response_model": lm.model,
                "model_type": lm.model_type,
            }
        )

    def _written(self, name: str, field: Any) -> Any:
        desk, model = self.engine.desk, self.engine.model
        prompt = self.page.prompt(self.found, name, scored=False)
        decoding = desk.fitted(_decoding(self.settings, self.engine, self.page.stops()), prompt)
        sample = 0 if self.settings.get("seed") is not None else desk.sample(prompt, decoding)
        reply = desk.generate(prompt, decoding, sample)
        self._count(model.display(prompt), reply.tokens_in, reply.tokens_out)
        note_step(
            name,
            prompt=model.display(prompt),
            reply=reply.text,
            tokens_in=reply.tokens_in,
            tokens_out=reply.tokens_out,
            seconds=reply.seconds,
        )
        return self._parsed(reply.answer.strip(), field)

    def _parsed(self, text: str, field: Any) -> Any:
        if field.annotation is str:
            return text
        try:
            return read_value(text, field.annotation)
        except Exception as error:  # whatever json, pydantic or a type's own code says
            raise dspy.AdapterParseError(
                adapter_name="ScoringAdapter",
                signature=self.page.signature,
                lm_response=text,
                message=f"the text is no {field.annotation}: {error}",
            ) from error

    def _scored(self, name: str, choices: Mapping[str, Any]) -> Any:
        prompt = self.page.prompt(self.found, name, scored=True)
        words = tuple(choices)
        if len(words) == 1:
            return choices[words[0]]
        asked = self.engine.desk.score(prompt, words)
        logprobs = np.array(asked.logprobs) - self._prior(name, words)
        logprobs = logprobs - np.logaddexp.reduce(logprobs)
        scores = dict(zip(words, map(float, logprobs), strict=True))
        shown = self.engine.model.display(prompt)
        self._count(shown, asked.prompt_tokens, sum(asked.answer_tokens))
        note_step(
            name,
            prompt=shown,
            tokens_in=asked.prompt_tokens,
            tokens_out=sum(asked.answer_tokens),
            seconds=asked.seconds,
            value=best_choice(scores),
            probabilities={word: float(np.exp(score)) for word, score in scores.items()},
        )
        return choices[best_choice(scores)]

    def _prior(self, name: str, words: Sequence[str]) -> Any:
        """What the words score without content, in nats; remembered by the desk."""
        if self.calibration == "none":
            return np.zeros(len(words))
        outputs = list(self.page.signature.output_fields)
        rows = []
        for content in CONTENT_FREE:
            before = dict.fromkeys(outputs[: outputs.index(name)], content)
            prompt = self.page.without_content(content).prompt(before, name, scored=True)
            rows.append(self.engine.desk.score(prompt, tuple(words)).logprobs)
        return calibration_prior("contextual", np.array(rows))

    def _count(self, shown: str, tokens_in: int, tokens_out: int) -> None:
        self.shown = shown
        self.tokens_in += tokens_in
        self.tokens_out += tokens_out


def _engine(lm: Any) -> PromptlabEngine:
    engine = getattr(lm, "engine", None)
    if not isinstance(engine, PromptlabEngine):
        raise InputError(
            f"ScoringAdapter reads log-likelihoods, which {getattr(lm, 'model', lm)!r} does not "
            "give; make the language model with promptlab's dspy_lm, or use one of DSPy's adapters"
        )
    engine.model.require("score")
    return engine


def _decoding(
    settings: Mapping[str, Any], engine: PromptlabEngine, stops: tuple[str, ...]
) -> Decoding:
    stop = settings.get("stop") or ()
    return Decoding(
        max_tokens=settings.get("max_tokens") or engine.max_tokens,
        temperature=settings.get("temperature") or 0.0,
        top_k=settings.get("top_k"),
        top_p=settings.get("top_p"),
        stop=(*stops, *((stop,) if isinstance(stop, str) else stop)),
        seed=settings.get("seed") or 0,
    )
