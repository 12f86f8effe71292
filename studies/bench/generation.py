"""Greedy replies to many questions, side by side with one ``generate`` call a question.

``python studies/bench/generation.py --json``

GSM8K questions, the same token ids and the same most new tokens for both sides; a reply ends
earlier where the model ends it, so promptlab's rows are refilled as they end. In fp32 with the
same threads. ``max_difference`` is the largest one of the replies' log-probabilities, among
replies of equal tokens (greedy choices between near-equal tokens may differ).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

import promptlab
from promptlab.engine.kv_cache import budget
from promptlab.errors import WorkError
from promptlab.models.local import LocalModel
from promptlab.prompts.decoding import Decoding, Generation
from promptlab.prompts.prompt import Prompt
from promptlab.prompts.template import Template
from promptlab.studies.bench.comparison import Comparison, alternate, report, require_same_ids, run
from promptlab.studies.bench.material import context_ids, forget, own_model, plain_model
from promptlab.studies.bench.roofline import forward_cost

QUESTION = Template("Question: {question}\nAnswer: {mask}")
LEAST_EQUAL = 0.8
"""Fewer equal replies than this part mean that the sides do not do the same work."""


def main() -> None:
    """Read the arguments, compare, print."""
    import torch

    options = _arguments()
    torch.set_num_threads(options.threads or torch.get_num_threads())
    model = own_model(options.model)
    plain, tokenizer = plain_model(options.model, masked=False)
    prompts = questions(options.questions)
    ids = [tuple(tokenizer(prompt.left.rstrip())["input_ids"]) for prompt in prompts]
    require_same_ids(context_ids(model, prompts), ids)
    found = compare(model, plain, tokenizer, prompts, options)
    report("generation", {"generate": found}, as_json=options.json)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--model", default="smollm2-135m", help="causal model: name or folder")
    parser.add_argument("--questions", type=int, default=28, help="GSM8K test questions")
    parser.add_argument("--max-tokens", type=int, default=32, help="most new tokens a question")
    parser.add_argument(
        "--rows", type=int, default=16, help="promptlab's rows at once; 0: as it chooses"
    )
    parser.add_argument("--repeats", type=int, default=5, help="rounds that count")
    parser.add_argument("--warm-up", type=int, default=1, help="rounds that do not")
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    return parser.parse_args()


def questions(count: int) -> list[Prompt]:
    """The first questions of GSM8K's test split as prompts without demonstrations."""
    return [QUESTION.render(row.fields) for row in promptlab.load_task("gsm8k").test[:count]]


def compare(
    model: LocalModel,
    plain: Any,
    tokenizer: Any,
    prompts: Sequence[Prompt],
    options: argparse.Namespace,
) -> Comparison:
    """All questions in one call, and transformers' ``generate`` question by question, in turn."""
    contexts = context_ids(model, prompts)
    own: list[Generation] = []
    peer: list[tuple[int, ...]] = []

    def own_side() -> float:
        forget(model)
        if model.engine.kv_cache is not None:
            model.engine.kv_cache.clear()
        start = time.perf_counter()
        own[:] = model.generate(prompts, Decoding(max_tokens=options.max_tokens))
        return time.perf_counter() - start

    def peer_side() -> float:
        start = time.perf_counter()
        peer[:] = [generated(plain, tokenizer, ids, options.max_tokens) for ids in contexts]
        return time.perf_counter() - start

    with rows_at_once(model, options.rows):
        timing = alternate(own_side, peer_side, warm_up=options.warm_up, repeats=options.repeats)
    differences = _differences(plain, tokenizer, contexts, own, peer)
    written = {
        "promptlab": [reply.tokens_out for reply in own],
        "peer": [len(tokens) for tokens in peer],
    }
    flops = {side: _flops(plain, contexts, counts) for side, counts in written.items()}
    return Comparison(
        peer="transformers generate, question by question",
        timing=timing,
        own_flops=flops["promptlab"],
        peer_flops=flops["peer"],
        max_difference=max(differences),
        tolerance=1e-3,
        target=5.0,
        details={
            "model": options.model,
            "questions": len(prompts),
            "equal_replies": len(differences),
            "rows": options.rows or "as promptlab chooses",
            "mean_prompt_tokens": sum(map(len, contexts)) / len(contexts),
            "new_tokens": {side: sum(counts) for side, counts in written.items()},
            "shortest_and_longest": [min(written["promptlab"]), max(written["promptlab"])],
            "new_tokens_per_second": {
                "promptlab": sum(written["promptlab"]) / median(timing.own),
                "peer": sum(written["peer"]) / median(timing.peer),
            },
            "computed_tokens": model.usage.computed_tokens // (options.warm_up + options.repeats),
        },
    )


@contextmanager
def rows_at_once(model: LocalModel, rows: int) -> Iterator[None]:
    """While inside, promptlab writes so many rows at once; with 0 as many as it chooses."""
    before = dict(budget.MAX_BATCH_ROWS)
    if rows:
        budget.MAX_BATCH_ROWS[model.engine.network.device.type] = rows
    try:
        yield
    finally:
        budget.MAX_BATCH_ROWS.update(before)


def _differences(
    plain: Any,
    tokenizer: Any,
    contexts: Sequence[tuple[int, ...]],
    own: Sequence[Generation],
    peer: Sequence[tuple[int, ...]],
) -> list[float]:
    """How far the log-probabilities of equal replies are apart, in nats."""
    found = [
        abs((reply.logprob or 0.0) - likelihood(plain, ids, tokens))
        for reply, ids, tokens in zip(own, contexts, peer, strict=True)
        if equal(reply, tokens, tokenizer)
    ]
    if len(found) < LEAST_EQUAL * len(contexts):
        raise WorkError(f"only {len(found)} of {len(contexts)} replies are the same on both sides")
    return found


def _flops(plain: Any, contexts: Sequence[tuple[int, ...]], counts: Sequence[int]) -> float:
    """FLOPs of reading every context once and feeding every new token but the last."""
    lengths = [len(ids) + count - 1 for ids, count in zip(contexts, counts, strict=True)]
    return forward_cost(plain.config, masked=False).flops(lengths, slots=sum(counts))


def generated(plain: Any, tokenizer: Any, ids: tuple[int, ...], most: int) -> tuple[int, ...]:
    """The peer's new tokens after one question."""
    import torch

    rows = torch.tensor([ids])
    found = plain.generate(
        input_ids=rows,
        attention_mask=torch.ones_like(rows),
        max_new_tokens=most,
        do_sample=False,
        pad_token_id=tokenizer.pad_token_id or tokenizer.eos_token_id,
    )
    return tuple(found[0, len(ids) :].tolist())


def likelihood(plain: Any, ids: tuple[int, ...], tokens: tuple[int, ...]) -> float:
    """Log-probability in nats of new tokens, by one plain forward of all."""
    import torch

    with torch.inference_mode():
        logits = plain(input_ids=torch.tensor([[*ids, *tokens]])).logits[0, len(ids) - 1 : -1]
        found = logits.log_softmax(-1).gather(1, torch.tensor(tokens)[:, None])
    return float(found.sum())


def equal(reply: Generation, tokens: tuple[int, ...], tokenizer: Any) -> bool:
    """Whether both sides wrote the same."""
    text = tokenizer.decode(tokens, skip_special_tokens=True)
    return reply.tokens_out == len(tokens) and reply.text == text


if __name__ == "__main__":
    run(main)
