"""Templates x verbalizers x calibrations, against the same sweep by repeated scoring.

``python studies/bench/verbalizer_sweep.py --json``

The feature at the slot does not depend on the verbalizer, so promptlab needs one pass a template:
``passes_ratio`` is the time of the whole sweep over the time of one verbalizer with one
calibration. The peers score every combination anew, lm-evaluation-harness in this process and
OpenPrompt in its own environment; priors are subtracted by plain formulas here.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import get_args

import numpy as np

from promptlab.data.example import Example
from promptlab.models.local import LocalModel
from promptlab.predictors.calibration import Calibration, calibration_prompts
from promptlab.predictors.classifier import PromptClassifier
from promptlab.prompts.prompt import Prompt
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.studies.bench.comparison import (
    Comparison,
    alternate,
    largest_difference,
    report,
    run,
)
from promptlab.studies.bench.lm_eval_peer import HarnessPeer, require_lm_eval
from promptlab.studies.bench.material import (
    context_ids,
    forget,
    own_model,
    plain_model,
    sst2_examples,
)
from promptlab.studies.bench.peer_process import OpenPromptPeer
from promptlab.studies.bench.roofline import forward_cost

HARNESS, OPENPROMPT = "harness", "openprompt"
STEMS = ("It was", "All in all, it was", "The film is", "In short:", "My verdict:", "I found it")
PAIRS = (
    ("terrible", "great"),
    ("bad", "good"),
    ("boring", "fun"),
    ("awful", "wonderful"),
    ("poor", "fine"),
    ("weak", "strong"),
    ("wrong", "right"),
    ("sad", "happy"),
)
PASSES_TARGET = 1.10

PeerScore = Callable[[str, Sequence[str], Sequence[str]], list[list[float]]]
"""Scores texts in the template with a stem, for the given answers: ``[text][answer]``, nats."""


@dataclass(frozen=True)
class Sweep:
    """What is combined, and on which sentences."""

    templates: tuple[Template, ...]
    stems: tuple[str, ...]
    verbalizers: tuple[Verbalizer, ...]
    calibrations: tuple[Calibration, ...]
    examples: tuple[Example, ...]

    def run(self, model: LocalModel) -> list[list[float]]:
        """Label log-probabilities of every combination and example, by promptlab."""
        rows: list[list[float]] = []
        for template in self.templates:
            for verbalizer in self.verbalizers:
                for calibration in self.calibrations:
                    rows += self._predict(template, verbalizer, calibration, model)
        return rows

    def run_once(self, model: LocalModel) -> None:
        """One verbalizer with one calibration: the passes that nobody can save."""
        for template in self.templates:
            self._predict(template, self.verbalizers[0], "contextual", model)

    def _predict(
        self,
        template: Template,
        verbalizer: Verbalizer,
        calibration: Calibration,
        model: LocalModel,
    ) -> list[list[float]]:
        classifier = PromptClassifier(template, verbalizer, model, calibration=calibration)
        if calibration == "batch":
            classifier.fit(self.examples)
        rows = classifier.predict(self.examples)
        return [list((row.scores or {}).values()) for row in rows]

    def repeat(self, score: PeerScore) -> list[list[float]]:
        """The same by scoring every combination anew and subtracting its prior."""
        texts = [example.fields["text"] for example in self.examples]
        contents = {"contextual": ["N/A", "", "[MASK]"], "pmi": [""]}
        rows: list[list[float]] = []
        for stem in self.stems:
            for verbalizer in self.verbalizers:
                for calibration in self.calibrations:
                    found = np.array(score(stem, texts, verbalizer.answers))
                    prior = found
                    if calibration in contents:
                        prior = np.array(score(stem, contents[calibration], verbalizer.answers))
                    if calibration != "none":
                        found = found - np.log(_softmax(prior).mean(axis=0))
                    rows += np.log(_softmax(found)).tolist()
        return rows

    def prompts(self) -> list[Prompt]:
        """Every prompt that has to be computed once, content-free ones included."""
        made = []
        for template in self.templates:
            made += [template.render(example) for example in self.examples]
            made += calibration_prompts("contextual", template, ())
        return made

    @property
    def details(self) -> dict[str, int]:
        """Sizes."""
        return {
            "templates": len(self.templates),
            "verbalizers": len(self.verbalizers),
            "calibrations": len(self.calibrations),
            "examples": len(self.examples),
        }


def main() -> None:
    """Read the arguments, compare, print."""
    import torch

    options = _arguments()
    torch.set_num_threads(options.threads or torch.get_num_threads())
    if HARNESS in (options.only or [HARNESS]):
        require_lm_eval()
    compare = {HARNESS: _against_harness, OPENPROMPT: _against_openprompt}
    comparisons = {kind: compare[kind](options) for kind in options.only or compare}
    report("verbalizer_sweep", comparisons, as_json=options.json)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--only", action="append", choices=(HARNESS, OPENPROMPT))
    parser.add_argument("--model", default="smollm2-135m", help="causal model: name or folder")
    parser.add_argument("--masked-model", default="bert-tiny", help="masked model: name or folder")
    parser.add_argument("--templates", type=int, default=2, choices=range(1, len(STEMS) + 1))
    parser.add_argument("--verbalizers", type=int, default=3, choices=range(1, len(PAIRS) + 1))
    parser.add_argument("--examples", type=int, default=16)
    parser.add_argument("--peer-batch", type=int, default=1, help="the harness's batch size")
    parser.add_argument("--max-tokens", type=int, default=128, help="OpenPrompt's padded length")
    parser.add_argument("--repeats", type=int, default=5, help="rounds that count")
    parser.add_argument("--warm-up", type=int, default=1, help="rounds that do not")
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    parser.add_argument("--seed", type=int, default=13)
    return parser.parse_args()


def _sweep(options: argparse.Namespace, form: str) -> Sweep:
    stems = STEMS[: options.templates]
    return Sweep(
        templates=tuple(Template(form.format(stem)) for stem in stems),
        stems=stems,
        verbalizers=tuple(
            Verbalizer({"negative": bad, "positive": good})
            for bad, good in PAIRS[: options.verbalizers]
        ),
        calibrations=get_args(Calibration),
        examples=tuple(sst2_examples(options.examples, options.seed)),
    )


def _against_harness(options: argparse.Namespace) -> Comparison:
    """A causal model; the harness in this process."""
    sweep = _sweep(options, "{{text}} {} {{mask}}")
    plain, tokenizer = plain_model(options.model, masked=False)
    peer = HarnessPeer(plain, tokenizer, batch_size=options.peer_batch)

    def score(stem: str, texts: Sequence[str], answers: Sequence[str]) -> list[list[float]]:
        prompts = [f"{text} {stem} ".lstrip() for text in texts]
        return peer.score(prompts, answers)

    own = own_model(options.model)
    return _compare(
        sweep, own, score, options, plain.config, peer="lm-evaluation-harness HFLM", padded=None
    )


def _against_openprompt(options: argparse.Namespace) -> Comparison:
    """A masked model; OpenPrompt in its own environment."""
    import torch

    sweep = _sweep(options, "{{text}} {} {{mask}}.")
    plain, tokenizer = plain_model(options.masked_model, masked=True)
    with OpenPromptPeer(plain, tokenizer, masked=True, threads=torch.get_num_threads()) as peer:

        def score(stem: str, texts: Sequence[str], answers: Sequence[str]) -> list[list[float]]:
            template = f'{{"placeholder": "text_a"}} {stem} {{"mask"}}.'
            words = {answer: answer for answer in answers}
            found = peer.score(texts, template, words, max_tokens=options.max_tokens)
            return found.log_probabilities

        return _compare(
            sweep,
            own_model(options.masked_model),
            score,
            options,
            plain.config,
            peer="OpenPrompt PromptForClassification",
            padded=options.max_tokens,
        )


def _compare(
    sweep: Sweep,
    model: LocalModel,
    score: PeerScore,
    options: argparse.Namespace,
    config: object,
    *,
    peer: str,
    padded: int | None,
) -> Comparison:
    """Sweep and repeated scoring in turn, then the sweep against the bare passes."""
    own_rows: list[list[float]] = []
    peer_rows: list[list[float]] = []

    def own_side() -> float:
        forget(model)
        start = time.perf_counter()
        own_rows[:] = sweep.run(model)
        return time.perf_counter() - start

    def peer_side() -> float:
        start = time.perf_counter()
        peer_rows[:] = sweep.repeat(score)
        return time.perf_counter() - start

    def passes() -> float:
        forget(model)
        start = time.perf_counter()
        sweep.run_once(model)
        return time.perf_counter() - start

    timing = alternate(own_side, peer_side, warm_up=options.warm_up, repeats=options.repeats)
    again = alternate(own_side, passes, warm_up=options.warm_up, repeats=options.repeats)
    passes_ratio = median(again.own) / median(again.peer)
    lengths = [len(ids) for ids in context_ids(model, sweep.prompts())]
    cost = forward_cost(config, masked=model.family == "masked")
    combinations = len(sweep.verbalizers) * len(sweep.calibrations)
    peer_lengths = [padded or length for length in lengths] * combinations
    return Comparison(
        peer=peer,
        timing=timing,
        own_flops=cost.flops(lengths, slots=len(lengths)),
        peer_flops=cost.flops(peer_lengths, slots=sum(peer_lengths)),
        max_difference=largest_difference(own_rows, peer_rows),
        tolerance=1e-3,
        target=0.9 * combinations,
        details={
            "model": model.name,
            **sweep.details,
            "passes_ratio": passes_ratio,
            "passes_target": PASSES_TARGET,
            "passes_reached": passes_ratio <= PASSES_TARGET,
            "passes_seconds": median(again.peer),
        },
    )


def _softmax(scores: np.ndarray) -> np.ndarray:
    """Row-wise probabilities."""
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    normalised: np.ndarray = shifted / shifted.sum(axis=1, keepdims=True)
    return normalised


if __name__ == "__main__":
    run(main)
