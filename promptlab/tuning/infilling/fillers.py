"""Models that fill holes: T5's sentinels, and fill-in-the-middle tokens of causal models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from promptlab.engine.generation.shared_decoder import SharedContexts, make_shared_decoder
from promptlab.errors import CapabilityError
from promptlab.models.base import LanguageModel
from promptlab.models.local import LocalModel
from promptlab.prompts.prompt import Text
from promptlab.tuning.infilling.beam_search import Filling, search_fillings

OnStep = Callable[[str], None]
MIDDLE_TOKENS = (
    ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),  # Qwen2.5-Coder, CodeGemma
    ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),  # StarCoder
    ("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),  # SantaCoder
    ("\u2581<PRE>", "\u2581<SUF>", "\u2581<MID>"),  # Code Llama
    ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),  # DeepSeek-Coder
)
"""What stands before the text, before what follows the hole, and before what fills it."""
_ENDS = ("<|endoftext|>", "<|fim_pad|>", "<|file_sep|>", "\u2581<EOT>", "<EOT>", "<|eot|>")
_LINE_BREAKS = ("\n", "\r", "\u010a", "\u010d", "<0x0A>", "<0x0D>")
_CONTINUED = 8
"""So many texts of the first hole are continued in the second one."""


@dataclass(frozen=True)
class Sides:
    """What stands around the two holes in one example: text, hole, answer, hole, text.

    Example:
        >>> Sides("A bore.", "terrible", "").before
        'A bore.'
    """

    before: str
    answer: str
    after: str


@dataclass(frozen=True)
class HoleTexts:
    """Texts for both holes.

    Args:
        left: Between the text before and the answer, as it stands there.
        right: Between the answer and the text behind.
        score: The sum of the log-probabilities of both over all examples, in nats.
        reads_back: Whether the texts are the tokens that were scored.
    """

    left: str
    right: str
    score: float
    reads_back: bool = True


@dataclass(frozen=True)
class SearchSize:
    """How far a search for texts goes.

    Args:
        beams: How many texts it keeps.
        most_tokens: In each hole.
        least_tokens: In the hole before the answer.

    Example:
        >>> SearchSize(beams=20, most_tokens=8).least_tokens
        0
    """

    beams: int
    most_tokens: int
    least_tokens: int = 0


class Filler(ABC):
    """Fills the two holes alike in all examples."""

    def __init__(self, model: LocalModel) -> None:
        self.model = model
        self.tokenizer: Any = model.tokenizer
        self.vocabulary: dict[str, int] = self.tokenizer.get_vocab()

    @abstractmethod
    def fill(self, sides: Sequence[Sides], size: SearchSize, on_step: OnStep) -> list[HoleTexts]:
        """The likeliest texts of both holes, best first.

        Args:
            sides: The examples.
            size: How far the search goes.
            on_step: Is told how far it is, and may raise to stop it.
        """

    def _search(
        self,
        contexts: Sequence[Sequence[int]],
        start: Sequence[int],
        ends: Sequence[Collection[int]],
        size: SearchSize,
        on_step: OnStep,
    ) -> list[Filling]:
        padding = self.tokenizer.pad_token_id or 0
        given = SharedContexts(tuple(map(tuple, contexts)), tuple(start), padding)
        decoder = make_shared_decoder(self.model.engine.network, given)
        return search_fillings(
            decoder, ends, beams=size.beams, most_tokens=size.most_tokens,
            least_tokens=size.least_tokens, forbidden=self._forbidden(),
            on_step=lambda step: on_step(f"infilling: {step} of {size.most_tokens} tokens"),
        )  # fmt: skip

    def _forbidden(self) -> set[int]:
        """Tokens that command the model or end a line, and those that only fill up the head."""
        broken = {n for t, n in self.vocabulary.items() if any(m in t for m in _LINE_BREAKS)}
        config = self.model.engine.network.model.config.get_text_config(decoder=True)
        unused = set(range(len(self.tokenizer), int(config.vocab_size)))
        special = set(self.tokenizer.all_special_ids)
        return broken | unused | special | set(self.model.encoding.control_ids)

    def _text(self, tokens: Sequence[int]) -> str:
        return str(self.tokenizer.decode(list(tokens), clean_up_tokenization_spaces=False))

    def _reads_back(self, tokens: Sequence[int], text: str) -> bool:
        return self.model.encoding.encode(text) == tuple(tokens)


class SentinelFiller(Filler):
    """An encoder-decoder with T5's sentinels writes both holes in one go (Gao et al. 2021)."""

    def fill(self, sides: Sequence[Sides], size: SearchSize, on_step: OnStep) -> list[HoleTexts]:
        """Both holes in one search; the second sentinel ends the first hole."""
        first, second, third = (self.vocabulary[f"<extra_id_{n}>"] for n in range(3))
        contexts = [self._context(one) for one in sides]
        start = (int(self.model.engine.network.model.config.decoder_start_token_id), first)
        both = replace(size, most_tokens=2 * size.most_tokens)
        found = self._search(contexts, start, [{second}, {third}], both, on_step)
        return [self._texts(filling) for filling in found]

    def _context(self, sides: Sides) -> tuple[int, ...]:
        words = [Text.from_data(f"{sides.before} " if sides.before else "")]
        words += [Text(f"<extra_id_0> {sides.answer} <extra_id_1>")]
        words += [Text.from_data(f" {sides.after}" if sides.after else "")]
        encoding = self.model.encoding
        ids = encoding.before + encoding.encode(Text.join(words)) + encoding.after
        if len(ids) > self.model.max_tokens:
            raise CapabilityError(
                f"an example has {len(ids)} tokens and {self.model.name} takes "
                f"{self.model.max_tokens}"
            )
        return ids

    def _texts(self, filling: Filling) -> HoleTexts:
        left, right = (self._text(part).strip() for part in filling.parts)
        back = all(
            self._reads_back(tokens, text)
            for tokens, text in zip(filling.parts, (left, right), strict=True)
        )
        gap = "" if not right or not right[0].isalnum() else " "
        return HoleTexts(f" {left} " if left else " ", gap + right, filling.score, back)


class MiddleFiller(Filler):
    """A causal model with fill-in-the-middle tokens writes one hole after the other.

    Prompts have the form prefix, suffix, middle (Bavarian et al. 2022).
    """

    def fill(self, sides: Sequence[Sides], size: SearchSize, on_step: OnStep) -> list[HoleTexts]:
        """The first hole before the answer, then, for its likeliest texts, the one behind it."""
        asked = [(s.before, self._answer(s, " " if s.before else "")) for s in sides]
        found = []
        behind = replace(size, beams=max(1, size.beams // 2), least_tokens=0)
        for left in self._hole(asked, size, on_step)[:_CONTINUED]:
            text = self._text(left.parts[0])
            back = self._reads_back(left.parts[0], text)
            rest = [(f"{s.before}{text} {s.answer}", _behind(s)) for s in sides]
            for right in self._hole(rest, behind, on_step):
                last = self._text(right.parts[0])
                both = back and self._reads_back(right.parts[0], last)
                found.append(HoleTexts(f"{text} ", last, left.score + right.score, both))
        return sorted(found, key=lambda one: -one.score)[: size.beams]

    def _answer(self, sides: Sides, gap: str) -> str:
        return f"{gap}{sides.answer}{_behind(sides)}"

    def _hole(
        self,
        sides: Sequence[tuple[str, str]],
        size: SearchSize,
        on_step: OnStep,
    ) -> list[Filling]:
        names = next(names for names in MIDDLE_TOKENS if set(names) <= self.vocabulary.keys())
        prefix, suffix, middle = ((self.vocabulary[name],) for name in names)
        encode = self.model.encoding.encode
        contexts = [
            (
                *self.model.encoding.before,
                *prefix, *encode(Text.from_data(before)),
                *suffix, *encode(Text.from_data(after)), *middle,
            )
            for before, after in sides
        ]  # fmt: skip
        return self._search(contexts, (), [self._ends()], size, on_step)

    def _ends(self) -> set[int]:
        known = {self.vocabulary[name] for name in _ENDS if name in self.vocabulary}
        config = self.model.engine.network.model.config.get_text_config(decoder=True)
        ends = config.eos_token_id
        known |= set(ends if isinstance(ends, list) else [] if ends is None else [ends])
        known |= {self.tokenizer.eos_token_id} - {None}
        return known


def find_filler(model: LanguageModel) -> Filler:
    """What fills holes with a model.

    Args:
        model: An encoder-decoder with sentinels, or a causal model with fill-in-the-middle tokens.

    Raises:
        CapabilityError: For any other one, naming models that can.

    Example:
        >>> find_filler(pl.load_model("bert-tiny"))
        Traceback (most recent call last):
            ...
        promptlab.errors.CapabilityError: ...
    """
    if isinstance(model, LocalModel):
        vocabulary = model.tokenizer.get_vocab()
        if model.family == "seq2seq" and "<extra_id_2>" in vocabulary:
            return SentinelFiller(model)
        if model.family == "causal" and any(
            set(names) <= vocabulary.keys() for names in MIDDLE_TOKENS
        ):
            return MiddleFiller(model)
    raise CapabilityError(
        f"{model.name} fills no holes: it has neither T5's sentinels (<extra_id_0>) nor "
        "fill-in-the-middle tokens; use a model such as google/t5-v1_1-base or "
        "Qwen/Qwen2.5-Coder-0.5B-Instruct"
    )


def _behind(sides: Sides) -> str:
    return f" {sides.after}" if sides.after else ""
