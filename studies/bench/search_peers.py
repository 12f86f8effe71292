"""gepa, promptolution's CAPO and DSPy's MIPROv2 and GEPA, each over the same worker and writer.

Every peer has its own best settings; what it may spend is set to the calls of the bench. It answers
by `SearchProblem.answer`, so that its prompts are the very same as everybody's.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from promptlab.errors import CapabilityError
from promptlab.interop.dspy.batcher import CallBatcher
from promptlab.studies.bench.search_worker import BudgetSpent, CallMeter, SearchProblem

NEEDED = {
    "gepa": ("gepa", "gepa==0.1.4"),
    "capo": ("promptolution", "promptolution==2.3.0"),
    "miprov2": ("dspy", "dspy>=3.4.1,<3.5"),
    "dspy-gepa": ("dspy", "dspy>=3.4.1,<3.5"),
}
"""The package that each peer is in, and what installs it."""
_THREADS = 16
"""DSPy asks one example at a time; what its threads ask together is answered together."""
_TASK = "Classify the text. The labels are: {labels}."


@dataclass(frozen=True)
class Found:
    """What an optimiser comes to.

    Args:
        instruction: The instruction of its winner, with the demonstrations if it shows some.
        claims_gain: Whether it says that the winner is better than what it was given.
        note: What is to be known of the run.
        best: The best by its own scores, where that is not what it returns: ours returns what it
            was given unless fresh rows show a gain.
    """

    instruction: str
    claims_gain: bool
    note: str = ""
    best: str = ""


Optimiser = Callable[[SearchProblem, CallMeter], Found]


def require_peer(name: str) -> None:
    """Raise `CapabilityError` with what to install where a peer is missing."""
    package, requirement = NEEDED[name]
    if importlib.util.find_spec(package) is None:
        raise CapabilityError(f"{name} needs the package {package}: pip install '{requirement}'")


def optimise_with_gepa(problem: SearchProblem, meter: CallMeter) -> Found:
    """gepa.optimize with merges, its evaluation cache and the Pareto rule, on train and dev."""
    gepa: Any = importlib.import_module("gepa")
    batches: Any = importlib.import_module("gepa.core.adapter")

    class Adapter:
        propose_new_texts = None

        def evaluate(self, batch: Any, candidate: Any, capture_traces: bool = False) -> Any:
            texts = [row.fields[problem.text_field] for row in batch]
            labels = problem.answer(candidate["instruction"], texts)
            scores = [float(a == row.label) for a, row in zip(labels, batch, strict=True)]
            traces = [
                {"text": text, "said": said, "right": row.label}
                for text, said, row in zip(texts, labels, batch, strict=True)
            ]
            return batches.EvaluationBatch(
                outputs=labels, scores=scores, trajectories=traces if capture_traces else None
            )

        def make_reflective_dataset(self, candidate: Any, batch: Any, components: Any) -> Any:
            told = [
                {
                    "Inputs": trace["text"],
                    "Generated Outputs": trace["said"],
                    "Feedback": "right" if trace["said"] == trace["right"]
                    else f"wrong; the right output is {trace['right']}",
                }
                for trace in batch.trajectories
            ]  # fmt: skip
            return {"instruction": told}

    written = iter(range(1_000_000))
    train, dev = problem.rows[: problem.train], problem.rows[problem.train :]
    result = gepa.optimize(
        seed_candidate={"instruction": problem.instruction},
        trainset=list(train),
        valset=list(dev),
        adapter=Adapter(),
        reflection_lm=lambda prompt: problem.write(str(prompt), next(written)),
        stop_callbacks=_stopper(meter, len(dev)),
        use_merge=True,
        cache_evaluation=True,
        seed=problem.seed,
        logger=_Silence(),
        raise_on_exception=True,
    )
    best = result.best_candidate["instruction"]
    scores = result.val_aggregate_scores
    claims = best != problem.instruction and max(scores) > scores[0]
    return Found(best, claims, f"{len(result.candidates)} candidates")


def _stopper(meter: CallMeter, dev: int) -> Callable[[Any], bool]:
    """Stops GEPA before a step that it could not finish: two minibatches, a reply, all of dev."""
    return lambda state: meter.calls + dev + 2 * 3 + 1 > meter.limit


class _Silence:
    def log(self, message: str) -> None:
        """Say nothing."""


def optimise_with_capo(problem: SearchProblem, meter: CallMeter) -> Found:
    """promptolution's CAPO from the given instruction and three paraphrases, till all is spent."""
    import pandas as pd
    from promptolution.llms.base_llm import BaseLLM
    from promptolution.optimizers.capo import CAPO
    from promptolution.predictors.base_predictor import BasePredictor
    from promptolution.tasks.classification_tasks import ClassificationTask
    from promptolution.utils.callbacks import BaseCallback

    written = iter(range(1_000_000))

    class Writer(BaseLLM):
        def _get_response(self, prompts: Any, system_prompts: Any) -> list[str]:
            return [problem.write(prompt, next(written)) for prompt in prompts]

    class Worker(BasePredictor):
        def predict(self, prompts: Any, xs: Any, system_prompts: Any = None) -> Any:
            asked = [prompts] * len(xs) if isinstance(prompts, str) else list(prompts)
            labels = [""] * len(xs)
            for prompt in dict.fromkeys(asked):
                places = [n for n, one in enumerate(asked) if one == prompt]
                found = problem.answer(prompt, [xs[n] for n in places])
                for place, label in zip(places, found, strict=True):
                    labels[place] = label
            return labels, [f"{x}\n{label}" for x, label in zip(xs, labels, strict=True)]

        def _extract_preds(self, preds: Any) -> Any:
            return preds

    class Stop(BaseCallback):
        def on_step_end(self, optimizer: Any) -> bool:
            return meter.calls < meter.limit * 0.95

    random.seed(problem.seed)
    frame = pd.DataFrame(
        {"x": [r.fields[problem.text_field] for r in problem.rows],
         "y": [str(r.label) for r in problem.rows]}
    )  # fmt: skip
    labels = sorted({str(row.label) for row in problem.rows})
    task = ClassificationTask(
        frame, _TASK.format(labels=", ".join(labels)), n_subsamples=30,
        eval_strategy="sequential_block", seed=problem.seed,
    )  # fmt: skip
    writer = Writer()
    rewrite = "Say this instruction in other words, and write nothing else: "
    start = [problem.instruction]
    start += [problem.write(rewrite + problem.instruction, next(written)) for _ in range(3)]
    # Six candidates race over at most five blocks: more would be half a race at such a budget.
    optimiser = CAPO(
        Worker(writer), task, writer, initial_prompts=[s for s in start if s.strip()],
        crossovers_per_iter=2, max_n_blocks_eval=5, create_fs_reasoning=False, callbacks=[Stop()],
    )  # fmt: skip
    prompts = optimiser.optimize(1_000)
    if not optimiser.scores:
        return Found(problem.instruction, claims_gain=False, note="stopped before its first race")
    best = str(prompts[0])
    own, given = (_mean_score(task, text) for text in (best, problem.instruction))
    claims = best != problem.instruction and own is not None and (given is None or own > given)
    return Found(best, claims, f"{own} after {given} on its own rows")


def _mean_score(task: Any, prompt: str) -> float | None:
    """The mean of the scores that a prompt has in CAPO's cache; ``None`` if it has none."""
    found = [score for (text, _, _), score in task.eval_cache.items() if text == prompt]
    return sum(found) / len(found) if found else None


def _dspy_parts(problem: SearchProblem) -> tuple[Any, Any, Any, Any]:
    """DSPy, an adapter whose prompts are everybody's, a program of one step, and the writer."""
    import dspy

    def answer_all(asked: Sequence[tuple[str, str]]) -> list[str]:
        labels = dict.fromkeys(asked, "")
        for instruction in dict.fromkeys(instruction for instruction, _ in asked):
            texts = [text for one, text in asked if one == instruction]
            found = problem.answer(instruction, texts)
            labels |= {(instruction, text): label for text, label in zip(texts, found, strict=True)}
        return [labels[one] for one in asked]

    batcher: CallBatcher[tuple[str, str], str] = CallBatcher(answer_all)

    class OneStep(dspy.Adapter):  # type: ignore[misc, name-defined, unused-ignore]
        """Answers the program's own step by the worker; everything else is written."""

        def __call__(self, lm: Any, lm_kwargs: Any, signature: Any, demos: Any, inputs: Any) -> Any:
            if set(signature.output_fields) != {"label"} or set(inputs) != {"text"}:
                return [_fill_fields(dspy, lm, signature, demos, inputs)]
            shown = [f"Input: {d['text']}\nOutput: {d['label']}" for d in demos if "label" in d]
            instruction = "\n\n".join([signature.instructions, *shown])
            return [{"label": batcher.ask((instruction, inputs["text"]))}]

    written = iter(range(1_000_000))

    class Writer(dspy.BaseLM):  # type: ignore[misc, name-defined, unused-ignore]
        """The writer, for DSPy's own proposals."""

        def __init__(self) -> None:
            super().__init__(model="writer", temperature=0.9, max_tokens=96, cache=False)

        def __call__(self, prompt: Any = None, messages: Any = None, **kwargs: Any) -> Any:
            asked = prompt or "\n\n".join(str(m["content"]) for m in messages or ())
            return [problem.write(asked, next(written))]

    signature = dspy.Signature("text -> label", problem.instruction)
    return dspy, OneStep(), dspy.Predict(signature), Writer()


def _fill_fields(dspy: Any, lm: Any, signature: Any, demos: Any, inputs: Any) -> dict[str, Any]:
    """What DSPy asks a writer for; a reply without DSPy's marks is the text of every field.

    DSPy itself gives up on such replies, as small models write them.
    """
    chat = dspy.ChatAdapter()
    (reply,) = lm(messages=chat.format(signature, demos, inputs))
    try:
        return dict(chat.parse(signature, reply))
    except Exception:
        return dict.fromkeys(signature.output_fields, reply)


def _dspy_rows(dspy: Any, problem: SearchProblem) -> tuple[list[Any], list[Any]]:
    rows = [
        dspy.Example(text=r.fields[problem.text_field], label=str(r.label)).with_inputs("text")
        for r in problem.rows
    ]
    return rows[: problem.train], rows[problem.train :]


def _dspy_instruction(program: Any) -> str:
    step = program.predictors()[0]
    shown = [f"Input: {d['text']}\nOutput: {d['label']}" for d in step.demos if "label" in d]
    return "\n\n".join([step.signature.instructions, *shown])


def optimise_with_miprov2(problem: SearchProblem, meter: CallMeter) -> Found:
    """MIPROv2 with as many trials over minibatches as the calls allow."""
    dspy, adapter, program, writer = _dspy_parts(problem)
    train, dev = _dspy_rows(dspy, problem)
    full, mini = len(dev), min(35, len(dev))
    # Every fifth trial is followed by an evaluation of all rows; the first comes before them.
    trials = max(2, int((meter.limit * 0.9 - 2 * full) / (mini + full / 5)))
    with dspy.context(lm=writer, adapter=adapter):
        optimiser = dspy.MIPROv2(
            metric=lambda gold, said, trace=None: gold.label == said.label,
            prompt_model=writer, task_model=writer, auto=None, num_candidates=6,
            num_threads=_THREADS, seed=problem.seed,
        )  # fmt: skip
        found: Any = optimiser.compile(
            program, trainset=train, valset=dev, num_trials=trials, minibatch_size=mini
        )
    best = _dspy_instruction(found)
    logs: Any = found.trial_logs
    scores = [log["full_eval_score"] for log in logs.values() if "full_eval_score" in log]
    claims = best != problem.instruction and bool(scores) and max(scores) > scores[0]
    return Found(best, claims, f"{trials} trials; of all rows {scores}")


def optimise_with_dspy_gepa(problem: SearchProblem, meter: CallMeter) -> Found:
    """dspy.GEPA with feedback in words."""
    dspy, adapter, program, writer = _dspy_parts(problem)
    train, dev = _dspy_rows(dspy, problem)

    def judge(gold: Any, said: Any, trace: Any = None, name: Any = None, steps: Any = None) -> Any:
        is_right = gold.label == said.label
        feedback = "right" if is_right else f"wrong; the right label is {gold.label}"
        return dspy.Prediction(score=float(is_right), feedback=feedback)

    with dspy.context(lm=writer, adapter=adapter):
        optimiser = dspy.GEPA(
            metric=judge, reflection_lm=writer, max_metric_calls=meter.limit,
            num_threads=_THREADS, seed=problem.seed, track_stats=True,
            gepa_kwargs={"stop_callbacks": _stopper(meter, len(dev))},
        )  # fmt: skip
        found: Any = optimiser.compile(program, trainset=train, valset=dev)
    best = _dspy_instruction(found)
    scores: list[float] = list(found.detailed_results.val_aggregate_scores)
    claims = best != problem.instruction and max(scores) > scores[0]
    return Found(best, claims, f"{len(scores)} candidates")


PEERS: dict[str, Optimiser] = {
    "gepa": optimise_with_gepa,
    "capo": optimise_with_capo,
    "miprov2": optimise_with_miprov2,
    "dspy-gepa": optimise_with_dspy_gepa,
}


def run_peer(name: str, problem: SearchProblem, meter: CallMeter) -> Found:
    """What a peer comes to; what it was given where it is stopped before it has a winner."""
    require_peer(name)
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return PEERS[name](problem, meter)
    except BudgetSpent as stopped:
        return Found(problem.instruction, claims_gain=False, note=f"stopped: {stopped}")
    finally:
        logging.disable(logging.NOTSET)
