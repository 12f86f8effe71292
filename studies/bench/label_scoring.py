"""Label scoring, side by side with lm-evaluation-harness and OpenPrompt.

``python studies/bench/label_scoring.py --json``

*harness*: few-shot prompts with one long shared prefix, four labels, a causal model, against
``HFLM.loglikelihood`` in this process. *openprompt_masked* and *openprompt_causal*: zero-shot
prompts without a shared prefix, against OpenPrompt's ``PromptForClassification`` in its own
environment and process. All in fp32, the same threads, the same token ids.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

from promptlab.data.example import Example
from promptlab.models.local import LocalModel
from promptlab.predictors.classifier import PromptClassifier
from promptlab.prompts.template import Demonstration, Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.studies.bench.comparison import (
    Comparison,
    alternate,
    largest_difference,
    report,
    require_same_ids,
    run,
)
from promptlab.studies.bench.lm_eval_peer import HarnessPeer, require_lm_eval
from promptlab.studies.bench.material import (
    context_ids,
    forget,
    own_model,
    plain_model,
    shared_length,
    sst2_examples,
)
from promptlab.studies.bench.peer_process import OpenPromptPeer, PeerScores
from promptlab.studies.bench.roofline import forward_cost

HARNESS = "harness"
ANSWERS = {
    "very negative": "terrible",
    "negative": "bad",
    "positive": "good",
    "very positive": "great",
}
FEW_SHOT = Template("Review: {text}\nOpinion: {mask}", demonstration_separator="\n\n")
ZERO_SHOT = {
    "openprompt_masked": ("{text} It was {mask}.", '{"placeholder": "text_a"} It was {"mask"}.'),
    "openprompt_causal": ("{text} It was {mask}", '{"placeholder": "text_a"} It was {"mask"}'),
}
SENTENCE_TOKENS = range(15, 23)
"""With the words round it a query of about 24 tokens."""


def main() -> None:
    """Read the arguments, compare, print."""
    import torch

    options = _arguments()
    torch.set_num_threads(options.threads or torch.get_num_threads())
    if HARNESS in (options.only or [HARNESS]):
        require_lm_eval()
    comparisons = {
        kind: _against_harness(options) if kind == HARNESS else _against_openprompt(kind, options)
        for kind in options.only or (HARNESS, *ZERO_SHOT)
    }
    report("label_scoring", comparisons, as_json=options.json)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--only", action="append", choices=(HARNESS, *ZERO_SHOT), help="one comparison (repeatable)"
    )
    parser.add_argument("--model", default="smollm2-135m", help="causal model: name or folder")
    parser.add_argument("--masked-model", default="bert-tiny", help="masked model: name or folder")
    parser.add_argument("--examples", type=int, default=64, help="queries a pass")
    parser.add_argument("--prefix-tokens", type=int, default=192, help="shared few-shot prefix")
    parser.add_argument("--peer-batch", type=int, default=1, help="the harness's batch size")
    parser.add_argument("--openprompt-batch", type=int, default=16, help="OpenPrompt's batch size")
    parser.add_argument(
        "--max-tokens", type=int, default=128, help="length that OpenPrompt pads prompts to"
    )
    parser.add_argument("--repeats", type=int, default=5, help="rounds that count")
    parser.add_argument("--warm-up", type=int, default=1, help="rounds that do not")
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    parser.add_argument("--seed", type=int, default=13)
    return parser.parse_args()


def _against_harness(options: argparse.Namespace) -> Comparison:
    """Few-shot prompts: one shared prefix, many short queries."""
    model = own_model(options.model)
    plain, tokenizer = plain_model(options.model, masked=False)
    peer = HarnessPeer(plain, tokenizer, batch_size=options.peer_batch)
    classifier = PromptClassifier(FEW_SHOT, Verbalizer(ANSWERS), model)
    examples = sst2_examples(
        options.examples + 64, options.seed, tokenizer=tokenizer, tokens=SENTENCE_TOKENS
    )
    queries, solved = examples[: options.examples], examples[options.examples :]
    classifier.demonstrations = _demonstrations(model, solved, options.prefix_tokens)
    prompts = [classifier.render_prompt(query) for query in queries]
    answers = classifier.verbalizer.answers
    texts = [prompt.left for prompt in prompts]
    contexts = context_ids(model, prompts)
    require_same_ids(contexts, [peer.token_ids(text, answers[0])[0] for text in texts])
    peer_scores: list[list[float]] = []

    def peer_side() -> float:
        start = time.perf_counter()
        peer_scores[:] = peer.score(texts, answers)
        return time.perf_counter() - start

    timing = alternate(
        lambda: _predict(classifier, model, queries),
        peer_side,
        warm_up=options.warm_up,
        repeats=options.repeats,
    )
    lengths, shared = list(map(len, contexts)), shared_length(contexts)
    cost = forward_cost(plain.config, masked=False)
    needed = cost.flops(lengths, slots=len(queries), shared=shared)
    spent = cost.flops(lengths, slots=sum(lengths))
    return Comparison(
        peer="lm-evaluation-harness HFLM",
        timing=timing,
        own_flops=needed,
        peer_flops=spent,
        max_difference=largest_difference(
            model.score(prompts, answers).logprobs.tolist(), peer_scores
        ),
        tolerance=1e-3,
        target=8.0,
        details={
            "model": options.model,
            "examples": len(queries),
            "labels": len(answers),
            "shared_prefix_tokens": shared,
            "query_tokens": sum(lengths) / len(lengths) - shared,
            "peer_batch": options.peer_batch,
        },
    )


def _against_openprompt(kind: str, options: argparse.Namespace) -> Comparison:
    """Zero-shot prompts: nothing shared, sentences of all lengths."""
    import torch

    masked = kind == "openprompt_masked"
    name = options.masked_model if masked else options.model
    template, peer_template = ZERO_SHOT[kind]
    model = own_model(name)
    plain, tokenizer = plain_model(name, masked=masked)
    classifier = PromptClassifier(Template(template), Verbalizer(ANSWERS), model)
    queries = sst2_examples(options.examples, options.seed)
    contexts = context_ids(model, [classifier.render_prompt(query) for query in queries])
    own_scores: list[list[float]] = []
    found: list[PeerScores] = []

    def own_side() -> float:
        return _predict(classifier, model, queries, own_scores)

    with OpenPromptPeer(plain, tokenizer, masked=masked, threads=torch.get_num_threads()) as peer:

        def peer_side() -> float:
            found[:] = [
                peer.score(
                    [query.fields["text"] for query in queries],
                    peer_template,
                    ANSWERS,
                    max_tokens=options.max_tokens,
                    batch_size=options.openprompt_batch,
                )
            ]
            return found[0].seconds

        timing = alternate(own_side, peer_side, warm_up=options.warm_up, repeats=options.repeats)
        versions = peer.versions
    require_same_ids(contexts, found[0].token_ids)
    lengths = list(map(len, contexts))
    cost = forward_cost(plain.config, masked=masked)
    needed = cost.flops(lengths, slots=len(queries))
    places = len(queries) * options.max_tokens
    spent = cost.flops([options.max_tokens] * len(queries), slots=places)
    return Comparison(
        peer="OpenPrompt PromptForClassification",
        timing=timing,
        own_flops=needed,
        peer_flops=spent,
        max_difference=largest_difference(own_scores, found[0].log_probabilities),
        tolerance=1e-3,
        target=3.0,
        details={
            "model": name,
            "examples": len(queries),
            "labels": len(ANSWERS),
            "mean_tokens": sum(lengths) / len(lengths),
            "longest_tokens": max(lengths),
            "peer_padded_tokens": options.max_tokens,
            "peer_batch": options.openprompt_batch,
            "peer_forward_seconds": found[0].forward_seconds,
            "peer_versions": versions,
        },
    )


def _demonstrations(
    model: LocalModel, solved: Sequence[Example], tokens: int
) -> list[Demonstration]:
    """Solved sentences, alternating in strength, that come nearest to ``tokens`` tokens."""
    words = {"negative": ("bad", "terrible"), "positive": ("good", "great")}

    def distance(demonstrations: Sequence[Demonstration]) -> int:
        query = {"text": ""}
        longer = model.count_tokens(FEW_SHOT.render(query, demonstrations))
        return abs(longer - model.count_tokens(FEW_SHOT.render(query)) - tokens)

    chosen: list[Demonstration] = []
    for index, example in enumerate(solved):
        answer = words[str(example.label)][index % 2]
        candidate = [*chosen, Demonstration(example.fields, answer)]
        if distance(candidate) < distance(chosen):
            chosen = candidate
    return chosen


def _predict(
    classifier: PromptClassifier,
    model: LocalModel,
    queries: Sequence[Example],
    scores: list[list[float]] | None = None,
) -> float:
    """Seconds of one prediction of all queries, rendering and tokenising included."""
    forget(model)
    start = time.perf_counter()
    rows = classifier.predict(queries)
    seconds = time.perf_counter() - start
    if scores is not None:
        scores[:] = [list((row.scores or {}).values()) for row in rows]
    return seconds


if __name__ == "__main__":
    run(main)
