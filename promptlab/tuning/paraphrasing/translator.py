"""A translation model: the likeliest translations of a text, with their probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from promptlab.engine.generation.shared_decoder import SharedContexts, make_shared_decoder
from promptlab.errors import CapabilityError, InputError
from promptlab.models.base import LanguageModel
from promptlab.models.local import LocalModel
from promptlab.tuning.infilling.beam_search import search_fillings


@dataclass(frozen=True)
class Translation:
    """A text and its log-probability given the text that it translates, in nats.

    Example:
        >>> Translation("Guten Tag", -1.5).logprob
        -1.5
    """

    text: str
    logprob: float


class Translator:
    """Translates by beam search with an encoder-decoder.

    Args:
        model: Such as Marian, T5, M2M-100, NLLB or mBART.
        source: The language of the text, for models of many languages, as their tokenizer calls it.
        target: The language of the translation.
        prefix: What stands before the text, as T5 wants it ("translate English to German: ").
        most_tokens: Of a translation.

    Raises:
        CapabilityError: For a model that is no encoder-decoder.
        InputError: For a language that the tokenizer does not know.

    Example:
        >>> Translator(pl.load_model("bert-tiny"))
        Traceback (most recent call last):
            ...
        promptlab.errors.CapabilityError: ...
    """

    def __init__(
        self, model: LanguageModel, *, source: str | None = None, target: str | None = None,
        prefix: str = "", most_tokens: int = 64,
    ) -> None:  # fmt: skip
        if not isinstance(model, LocalModel) or model.family != "seq2seq":
            raise CapabilityError(
                f"{model.name} is a {model.family} model and translates nothing; name an "
                "encoder-decoder such as facebook/nllb-200-distilled-600M, or let a model rewrite"
            )
        self.model, self.prefix, self.most_tokens = model, prefix, most_tokens
        self.tokenizer: Any = model.tokenizer
        self.source = source
        if target is not None and f">>{target}<<" in self.tokenizer.get_vocab():
            # Models that read the language before the text, as Marian's of several targets do.
            self.prefix, target = f">>{target}<< {prefix}", None
        self.start = self._start(target)
        if source is not None:
            self._language(source)

    def translate(self, text: str, beams: int) -> list[Translation]:
        """The likeliest translations.

        Args:
            text: A text in the source language.
            beams: How many.

        Returns:
            At most ``beams``, the likeliest first; probabilities are those of the whole text and
            its end, summed and not averaged.
        """
        ids = self._encode(f"{self.prefix}{text}")
        contexts = SharedContexts((ids,), self.start, self.tokenizer.pad_token_id or 0)
        decoder = make_shared_decoder(self.model.engine.network, contexts)
        end = int(self.tokenizer.eos_token_id)
        special = set(self.tokenizer.all_special_ids) - {end}
        config = self.model.engine.network.model.config
        special |= set(range(len(self.tokenizer), int(config.vocab_size)))
        found = search_fillings(
            decoder, [{end}], beams=beams, most_tokens=self.most_tokens, forbidden=special
        )
        return [
            Translation(
                str(self.tokenizer.decode(list(one.parts[0]), skip_special_tokens=True)).strip(),
                one.score,
            )
            for one in found
        ]

    def _encode(self, text: str) -> tuple[int, ...]:
        if self.source is None:
            encoding = self.model.encoding
            return encoding.before + encoding.encode(text) + encoding.after
        before = getattr(self.tokenizer, "src_lang", None)
        self.tokenizer.src_lang = self.source  # others may read with the same tokenizer
        try:
            return tuple(self.tokenizer(text)["input_ids"])
        finally:
            if before is not None:
                self.tokenizer.src_lang = before

    def _start(self, target: str | None) -> tuple[int, ...]:
        """The tokens that a translation begins with: the start token, and that of its language."""
        network = self.model.engine.network.model
        begins = network.config.decoder_start_token_id
        start = () if begins is None else (int(begins),)
        if target is not None:
            return (*start, self._language(target))
        forced = getattr(network.generation_config, "forced_bos_token_id", None)
        start = start if forced is None else (*start, int(forced))
        if not start:
            raise InputError(
                f"{self.model.name} does not say what a translation begins with; name its language"
            )
        return start

    def _language(self, name: str) -> int:
        # A word piece may be spelt like a language: only what was added to the vocabulary is one.
        added: dict[str, int] = self.tokenizer.get_added_vocab()
        for token in (f"__{name}__", f"<{name}>", name):
            if token in added:
                return int(added[token])
        raise InputError(
            f"{self.model.name} knows no language {name!r}; name it as its tokenizer does, such as "
            "deu_Latn (NLLB), de (M2M-100) or de_DE (mBART)"
        )
