"""Several samples of one prompt, side by side with transformers' ``generate``.

``python studies/bench/self_consistency.py --json``

*returned* and *calls*: prompt work, that is the time until all samples have their first token,
against ``generate(num_return_sequences=n)`` and against n calls. *one_by_one*: n calls on both
sides, as a strategy makes them that decides after each sample whether it wants another. *whole*:
whole samples against ``num_return_sequences``; there the steps after the prompt, which are the
same on both sides, take most of the time. The same weights, token ids, number format and threads
in one process, turn by turn; ``max_difference`` is that of the likeliest reply's log-probability.

*adaptive*: self-consistency that stops as soon as its vote is settled, against the vote of all n
samples, on the same samples of SST-2; *adaptive_sums* tells the same of sums.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import Any

from promptlab.data.load_task import load_task
from promptlab.errors import WorkError
from promptlab.models.local import LocalModel
from promptlab.prompts.decoding import Decoding, Generation
from promptlab.prompts.prompt import Prompt, Slot, Text
from promptlab.studies.bench.adaptive_votes import review_votes, sum_votes
from promptlab.studies.bench.comparison import (
    Comparison,
    alternate,
    report,
    require_same_ids,
    run,
)
from promptlab.studies.bench.material import context_ids, forget, own_model, plain_model
from promptlab.studies.bench.roofline import ForwardCost, forward_cost

TIMED = ("returned", "calls", "one_by_one", "whole")
TARGETS = {"returned": 2.0, "calls": 3.0, "one_by_one": 3.0, "whole": 1.0}
TOLERANCE = 1e-3
TEMPERATURE = 0.8


@dataclass(frozen=True)
class Sampled:
    """What is sampled: one prompt's ids, and how often; ``tokens`` of each sample."""

    prompt: Prompt
    ids: tuple[int, ...]
    samples: int
    tokens: int


class OwnSide:
    """promptlab's samples."""

    def __init__(self, model: LocalModel, work: Sampled, *, at_once: bool) -> None:
        self.model, self.work, self.at_once = model, work, at_once
        self.replies: list[Generation] = []
        self.computed = 0

    def __call__(self) -> float:
        """Draw all samples with nothing known beforehand; seconds."""
        forget(self.model)
        decoding = Decoding(max_tokens=self.work.tokens, temperature=TEMPERATURE)
        numbers, before = range(self.work.samples), self.model.usage.computed_tokens
        groups = [list(numbers)] if self.at_once else [[number] for number in numbers]
        self.replies = []
        start = time.perf_counter()
        for group in groups:
            prompts = [self.work.prompt] * len(group)
            self.replies += self.model.generate(prompts, decoding, samples=group)
        seconds = time.perf_counter() - start
        self.computed = self.model.usage.computed_tokens - before
        return seconds


class TransformersSide:
    """The same samples by transformers' own loop; ``returned`` sequences a call."""

    def __init__(self, plain: Any, tokenizer: Any, work: Sampled, *, returned: int) -> None:
        self.plain, self.work, self.returned = plain, work, returned
        self.padding = tokenizer.pad_token_id or tokenizer.eos_token_id
        self.tokens = 0

    def __call__(self) -> float:
        """Draw all samples; seconds."""
        import torch

        ids = torch.tensor([self.work.ids], device=self.plain.device)
        options = {
            "attention_mask": torch.ones_like(ids),
            "do_sample": True,
            "temperature": TEMPERATURE,
            "top_k": 0,
            "top_p": 1.0,
            "max_new_tokens": self.work.tokens,
            "num_return_sequences": self.returned,
            "pad_token_id": self.padding,
        }
        self.tokens = 0
        torch.manual_seed(0)
        start = time.perf_counter()
        for _ in range(self.work.samples // self.returned):
            rows = self.plain.generate(ids, **options)
            self.tokens += int((rows[:, ids.shape[1] :] != self.padding).sum())
        return time.perf_counter() - start


def main() -> None:
    """Read the arguments, compare, print."""
    import torch

    options = _arguments()
    torch.set_num_threads(options.threads or torch.get_num_threads())
    model = own_model(options.model)
    plain, tokenizer = plain_model(options.model, masked=False)
    prompt = long_prompt(model, options.prompt_tokens)
    (ids,) = context_ids(model, [prompt])
    require_same_ids([ids], [tokenizer(prompt.left.rstrip())["input_ids"]])
    cost = forward_cost(plain.config, masked=False)
    found = {
        kind: compare(kind, model, (plain, tokenizer), prompt, ids, cost, options)
        for kind in options.only or TIMED
    }
    more = {}
    if options.questions:
        drawn = {"questions": options.questions, "samples": options.samples, "seed": options.seed}
        more["adaptive"] = review_votes(model, **drawn)
        more["adaptive_sums"] = sum_votes(model, **drawn)
    report("self_consistency", found, as_json=options.json, more=more)


def compare(
    kind: str,
    model: LocalModel,
    peer: tuple[Any, Any],
    prompt: Prompt,
    ids: tuple[int, ...],
    cost: ForwardCost,
    options: argparse.Namespace,
) -> Comparison:
    """One row: both sides in turn."""
    tokens = options.tokens if kind == "whole" else 1
    work = Sampled(prompt, ids, options.samples, tokens)
    returned = options.samples if kind in ("returned", "whole") else 1
    own = OwnSide(model, work, at_once=kind != "one_by_one")
    other = TransformersSide(*peer, work, returned=returned)
    timing = alternate(own, other, warm_up=options.warm_up, repeats=options.repeats)
    lengths, slots = [len(ids) + tokens - 1] * options.samples, options.samples * tokens
    name = "num_return_sequences" if returned > 1 else "a call a sample"
    return Comparison(
        peer=f"transformers generate, {name}",
        timing=timing,
        own_flops=cost.flops(lengths, slots=slots, shared=len(ids)),
        peer_flops=cost.flops(lengths, slots=slots),
        max_difference=greedy_difference(model, peer, prompt, ids, tokens),
        tolerance=TOLERANCE,
        target=TARGETS[kind],
        details={
            "model": options.model,
            "prompt_tokens": len(ids),
            "samples": options.samples,
            "computed_tokens": own.computed,
            "written_tokens": sum(reply.tokens_out for reply in own.replies),
            "peer_written_tokens": other.tokens,
        },
    )


def greedy_difference(
    model: LocalModel, peer: tuple[Any, Any], prompt: Prompt, ids: tuple[int, ...], tokens: int
) -> float:
    """How far the log-probabilities of the likeliest reply are apart, in nats.

    Raises `WorkError` when the two sides write other texts.
    """
    import torch

    plain, tokenizer = peer
    (own,) = model.generate([prompt], Decoding(max_tokens=tokens))
    before = torch.tensor([ids], device=plain.device)
    with torch.inference_mode():
        whole = plain.generate(
            before,
            attention_mask=torch.ones_like(before),
            do_sample=False,
            max_new_tokens=tokens,
            pad_token_id=tokenizer.eos_token_id,
        )
        written = whole[0, len(ids) :]
        logprobs = plain(whole).logits[0, len(ids) - 1 : -1].float().log_softmax(-1)
    text = tokenizer.decode(written, skip_special_tokens=True)
    if own.text != text:
        raise WorkError(f"the likeliest replies differ: {own.text!r} and {text!r}")
    assert own.logprob is not None
    return abs(own.logprob - float(logprobs.gather(1, written[:, None]).sum()))


def long_prompt(model: LocalModel, tokens: int) -> Prompt:
    """Questions of GSM8K one after the other, cut to ``tokens`` tokens."""
    task = load_task("gsm8k")
    text = "\n\n".join(
        f"Question: {row.fields['question']}\nAnswer: {row.label}" for row in task.train[:24]
    )
    return Prompt((Text(model.truncate(text, tokens)), Slot()))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--only", action="append", choices=TIMED, help="one comparison (repeatable)"
    )
    parser.add_argument("--model", default="smollm2-135m", help="causal model: name or folder")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--prompt-tokens", type=int, default=256)
    parser.add_argument("--tokens", type=int, default=24, help="of a whole sample")
    parser.add_argument("--repeats", type=int, default=5, help="rounds that count")
    parser.add_argument("--warm-up", type=int, default=1, help="rounds that do not")
    parser.add_argument(
        "--questions", type=int, default=128, help="of the adaptive part; 0 leaves it out"
    )
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
