"""Free generation: what is asked, the texts that came of it, and how they are drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import promptlab as pl

from ..components.html import card, chip, grid, join_markup, note
from ..components.markup import Markup
from ..components.text_fields import LONGEST, read_fields
from .live_worker import LiveWorker, Tell

_SLOT = ("{mask}", "{{ mask }}", "{{mask}}")
_MOST_SAMPLES = 8
_FINISHES = {
    "stop": ("ended by itself", "pl-good"),
    "length": ("at its limit of tokens", ""),
    "error": ("failed", "pl-bad"),
    "stopped": ("stopped by you", "pl-bad"),
}


@dataclass(frozen=True)
class GenerationRequest:
    """A prompt, how it is decoded, and how many texts are wanted."""

    prompt: pl.Prompt
    decoding: pl.Decoding
    samples: int


@dataclass(frozen=True)
class GeneratedTexts:
    """The texts so far, and how often each has grown (about once a token)."""

    texts: tuple[str, ...]
    pieces: int


def generation_request(
    text: str,
    fields: str,
    chat: bool,
    max_tokens: float,
    temperature: float,
    top_k: float,
    top_p: float,
    seed: float,
    stop: str,
    samples: float,
) -> GenerationRequest:
    """What the boxes say. Raises `InputError`.

    A text without ``{mask}`` is no template: it is continued as it stands. ``top_k`` 0 and
    ``top_p`` 1 keep all tokens; ``stop`` has a stop string a line, ``\\n`` for a line break.
    """
    if len(text) > LONGEST:
        raise pl.InputError(f"the prompt has {len(text):,} characters; at most {LONGEST:,}")
    if not text.strip():
        raise pl.InputError("write a prompt first, for example: Q: What is 2 + 3?\\nA:")
    if any(slot in text for slot in _SLOT):
        prompt = pl.Template(text, chat=chat).render(read_fields(fields))
    else:
        prompt = pl.Template("{text}{mask}", chat=chat).render({"text": text})
    if not 1 <= samples <= _MOST_SAMPLES:
        raise pl.InputError(f"samples: {samples:g} is outside of 1 to {_MOST_SAMPLES}")
    decoding = pl.Decoding(
        max_tokens=int(max_tokens),
        temperature=float(temperature),
        top_k=int(top_k) or None,
        top_p=float(top_p) if top_p < 1 else None,
        stop=tuple(line.replace("\\n", "\n") for line in stop.splitlines() if line),
        seed=int(seed),
    )
    return GenerationRequest(prompt, decoding, int(samples) if temperature > 0 else 1)


def start_generation(
    model: pl.LanguageModel, asked: GenerationRequest, cancellation: pl.Cancellation
) -> LiveWorker[GeneratedTexts, list[Any]]:
    """The generation as work that is watched; its result are `Generation`s."""

    def work(tell: Tell[GeneratedTexts]) -> list[Any]:
        texts, pieces = [""] * asked.samples, 0

        def on_text(number: int, text: str) -> None:
            nonlocal pieces
            texts[number], pieces = text, pieces + 1
            tell(GeneratedTexts(tuple(texts), pieces))

        tell(GeneratedTexts(tuple(texts), 0))
        found: list[Any] = model.generate(
            [asked.prompt] * asked.samples,
            asked.decoding,
            samples=range(asked.samples),
            on_text=on_text,
        )
        return found

    return LiveWorker(work, cancellation)


def generation_record(
    model: pl.LanguageModel, asked: GenerationRequest, found: Sequence[Any], seconds: float
) -> Any:
    """What came of it as data: ``model``, ``prompt``, ``tokens_in``, ``seconds``, ``texts``."""
    failed = next((one.error for one in found if one.error), None)
    if failed is not None:
        raise pl.InputError(failed)
    return {
        "model": model.name,
        "prompt": read_prompt(model, asked.prompt),
        "tokens_in": found[0].tokens_in,
        "seconds": seconds,
        "tokens_per_second": sum(one.tokens_out for one in found) / max(seconds, 1e-9),
        "texts": [
            {
                "text": one.text,
                "finish": one.finish,
                "tokens": one.tokens_out,
                "logprob": one.logprob,
            }
            for one in found
        ],
    }


def read_prompt(model: pl.LanguageModel, prompt: pl.Prompt) -> str:
    """The prompt as the model reads it, special tokens and its chat template included."""
    try:
        tokens = model.tokens(prompt)
    except pl.PromptlabError:  # an endpoint does not show its tokens
        shown: str = model.display(prompt)
        return shown.rpartition("{mask}")[0]
    return "".join(token.text for token in tokens if token.read and token.kind != "slot")


def writing_html(prompt: str, heard: GeneratedTexts, seconds: float) -> Markup:
    """The texts while they are written."""
    rate = f", about {heard.pieces / seconds:.0f} tokens/s" if heard.pieces and seconds > 0 else ""
    status = f"Writing … {seconds:.1f} s{rate}" if heard.pieces else "Reading the prompt …"
    drawn = [
        _text(number, text, len(heard.texts), live=True) for number, text in enumerate(heard.texts)
    ]
    return join_markup(
        [
            Markup('<p class="pl-live" role="status">{}</p>').format(status),
            _read(prompt),
            grid(drawn),
        ]
    )


def stopped_html(prompt: str, heard: GeneratedTexts | None, seconds: float) -> Markup:
    """What had been written when it was stopped."""
    texts = heard.texts if heard is not None else ()
    drawn = [
        _text(number, text, len(texts), [chip(*_FINISHES["stopped"])])
        for number, text in enumerate(texts)
    ]
    told = f"Stopped after {seconds:.1f} s; what was written stays."
    return join_markup([note(told), _read(prompt), grid(drawn)])


def written_html(found: Mapping[str, Any]) -> Markup:
    """The finished texts with their facts."""
    texts = found["texts"]
    whole = sum(one["tokens"] for one in texts)
    facts = (
        f"{found['model']}: {found['tokens_in']:,} tokens in, {whole:,} out, "
        f"{found['seconds']:.2f} s, "
        f"{found['tokens_per_second']:.1f} tokens/s"
    )
    drawn = [
        _text(number, one["text"], len(texts), _facts(one)) for number, one in enumerate(texts)
    ]
    return join_markup([note(facts), _read(found["prompt"]), grid(drawn)])


def _facts(one: Mapping[str, Any]) -> list[Markup]:
    chips = [chip(*_FINISHES[one["finish"]]), chip(f"{one['tokens']:,} tokens")]
    if one["logprob"] is not None and one["tokens"]:
        mean = one["logprob"] / one["tokens"]
        chips.append(chip(f"log-probability {one['logprob']:.2f} nats"))
        chips.append(chip(f"perplexity {math.exp(min(-mean, 50)):.2f}"))
    return chips


def _text(
    number: int, text: str, count: int, facts: Sequence[Markup] = (), *, live: bool = False
) -> Markup:
    title = f"Sample {number + 1}" if count > 1 else ""
    shown = Markup('<pre class="pl-generated{}">{}</pre>').format(
        " pl-writing" if live else "", text.removeprefix(" ")
    )
    if not text and not live:
        shown = note("Nothing was written: the model ended at once.")
    below = (
        Markup('<p class="pl-generated-facts">{}</p>').format(join_markup(facts)) if facts else ""
    )
    return card(title, shown + below)


def _read(prompt: str) -> Markup:
    return Markup(
        '<details class="pl-read"><summary>The prompt as the model reads it</summary>'
        '<pre class="pl-prompt">{}</pre></details>'
    ).format(prompt)
