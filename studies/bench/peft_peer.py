"""Prompt tuning as its users do it: peft, and a plain loop, on an unchanged transformers model.

Both sides of a comparison get the same rows, the same batches and the same first vectors. peft
puts its virtual tokens before everything, special tokens too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from promptlab.studies.bench.material import TrainingRow

Space = Literal["vocabulary", "answers"]
"""What the answer's probability is normalised over."""

_NOT_COUNTED = -100
"""The label of a token that transformers' loss passes over."""


@dataclass(frozen=True)
class TuningRun:
    """One prompt tuning: the first vectors ``[token, dim]``, and the rows (by index) of every step.

    AdamW with torch's usual betas, no weight decay, no warm-up, no clipping.
    """

    vectors: np.ndarray
    learning_rate: float
    batches: Sequence[Sequence[int]]


@dataclass(frozen=True)
class TuningResult:
    """Mean loss in nats before each step's update, wall seconds, and the learned vectors."""

    losses: tuple[float, ...]
    seconds: float
    vectors: np.ndarray


def prompt_tuning(
    model: Any, rows: Sequence[TrainingRow], run: TuningRun, *, space: Space = "vocabulary"
) -> TuningResult:
    """Train ``run`` with peft's ``PromptTuningConfig`` on a causal model, which gets frozen.

    *vocabulary* is the usual way: the right answer's token and the end of a reply (if the rows
    have one) end the row, all other labels are -100, and the model's own loss is taken. *answers*
    is the cross-entropy among the row's answers, read off the logits behind the prompt. Batches
    are padded to their longest row. Wrapping the model is not timed. The model's number format is
    used, evaluation mode (no dropout), and no key-value cache is kept. Raises ``ValueError`` for
    rows whose learned vectors do not come first.
    """
    if any(row.soft_at for row in rows):
        raise ValueError("peft's virtual tokens stand before everything")
    tuned = _wrapped(model, run.vectors)
    parameter = tuned.prompt_encoder[tuned.active_adapter].embedding.weight
    losses = {"vocabulary": _vocabulary_loss, "answers": _answer_loss}[space]
    return _train(parameter, run, lambda batch: losses(tuned, [rows[i] for i in batch]))


def eight_runs(
    model: Any,
    rows: Sequence[TrainingRow],
    runs: Sequence[TuningRun],
    *,
    space: Space = "vocabulary",
) -> list[TuningResult]:
    """Several prompt tunings, one after the other on the same model: what packing replaces.

    Each has its own vectors, length, learning rate and batches. The whole takes the sum of their
    ``seconds``.
    """
    return [prompt_tuning(model, rows, run, space=space) for run in runs]


def soft_after_example(
    model: Any, rows: Sequence[TrainingRow], run: TuningRun, *, space: Space = "answers"
) -> TuningResult:
    """Vectors inside the row (at ``soft_at``), the whole row computed anew in every step.

    A plain torch loop: embeddings of the words with the vectors between them, padded on the
    right without a mask (a causal model does not look there), the head at the last position
    alone. For causal models whose logits are one product of the last feature with the head, and
    which gets frozen. Raises ``ValueError`` for a model that caps its logits.
    """
    import torch

    if getattr(model.config, "final_logit_softcapping", None):
        raise ValueError(f"{model.config.model_type} caps its logits after the head")
    model.requires_grad_(False)
    parameter = torch.nn.Parameter(torch.tensor(run.vectors, device=model.device).float())
    embeddings, head = model.get_input_embeddings(), model.get_output_embeddings()

    def loss(batch: Sequence[int]) -> Any:
        chosen = [rows[i] for i in batch]
        soft = parameter.to(embeddings.weight.dtype)
        parts = [_inserted(embeddings, row, soft) for row in chosen]
        inputs = torch.nn.utils.rnn.pad_sequence(parts, batch_first=True)
        features = model.base_model(inputs_embeds=inputs, use_cache=False).last_hidden_state
        ends = torch.tensor([len(part) - 1 for part in parts], device=model.device)
        logits = head(features[torch.arange(len(parts), device=model.device), ends])
        return _cross_entropy(logits, chosen, space)

    return _train(parameter, run, loss)


def _wrapped(model: Any, vectors: np.ndarray) -> Any:
    """A peft model over ``model`` that starts from ``vectors``."""
    import torch
    from peft import PromptTuningConfig, PromptTuningInit, TaskType, get_peft_model

    config = PromptTuningConfig(
        task_type=TaskType.CAUSAL_LM,
        num_virtual_tokens=len(vectors),
        prompt_tuning_init=PromptTuningInit.RANDOM,
    )
    tuned: Any = get_peft_model(model, config).eval()
    weight = tuned.prompt_encoder[tuned.active_adapter].embedding.weight
    with torch.no_grad():
        weight.copy_(torch.tensor(vectors))
    return tuned


def _train(parameter: Any, run: TuningRun, loss_of: Callable[[Sequence[int]], Any]) -> TuningResult:
    """The steps of ``run`` on one parameter, timed; losses are fetched at the end."""
    import torch

    optimizer = torch.optim.AdamW([parameter], lr=run.learning_rate, weight_decay=0.0)
    losses = []
    start = time.perf_counter()
    for batch in run.batches:
        optimizer.zero_grad()
        loss = loss_of(batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    # Reading the numbers waits for an accelerator.
    values = tuple(torch.stack(losses).tolist()) if losses else ()
    seconds = time.perf_counter() - start
    return TuningResult(values, seconds, parameter.detach().float().cpu().numpy())


def _vocabulary_loss(tuned: Any, rows: Sequence[TrainingRow]) -> Any:
    """The model's own loss, of the right answer and what ends it alone."""
    import torch

    whole = [(*row.ids, row.answers[row.label], *row.end) for row in rows]
    ids, mask = _padded(whole, tuned.device)
    labels = torch.full_like(ids, _NOT_COUNTED)
    for index, row in enumerate(rows):
        start, end = len(row.ids), len(whole[index])
        labels[index, start:end] = ids[index, start:end]
    return tuned(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss


def _answer_loss(tuned: Any, rows: Sequence[TrainingRow]) -> Any:
    """Cross-entropy among the answers, from the logits behind every prompt."""
    import torch

    ids, mask = _padded([row.ids for row in rows], tuned.device)
    logits = tuned(input_ids=ids, attention_mask=mask, use_cache=False).logits
    ends = torch.tensor([len(row.ids) for row in rows], device=ids.device)
    ends = ends + (logits.shape[1] - ids.shape[1]) - 1  # the virtual tokens come first
    last = logits[torch.arange(len(rows), device=ids.device), ends]
    return _cross_entropy(last, rows, "answers")


def _cross_entropy(logits: Any, rows: Sequence[TrainingRow], space: Space) -> Any:
    """Mean loss in nats over logits ``[row, vocabulary]``."""
    import torch

    answers = torch.tensor([row.answers for row in rows], device=logits.device)
    right = torch.tensor([row.label for row in rows], device=logits.device)
    if space == "answers":
        return torch.nn.functional.cross_entropy(logits.gather(1, answers).float(), right)
    target = answers.gather(1, right[:, None])[:, 0]
    return torch.nn.functional.cross_entropy(logits.float(), target)


def _padded(rows: Sequence[Sequence[int]], device: Any) -> tuple[Any, Any]:
    """Ids padded on the right with zeros, and the mask of the real ones, ``[row, token]``."""
    import torch

    longest = max(map(len, rows))
    ids = [[*row, *([0] * (longest - len(row)))] for row in rows]
    mask = [[1] * len(row) + [0] * (longest - len(row)) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def _inserted(embeddings: Any, row: TrainingRow, soft: Any) -> Any:
    """A row's embeddings ``[token, dim]`` with the vectors between its words."""
    import torch

    words = embeddings(torch.tensor(row.ids, device=soft.device))
    return torch.cat((words[: row.soft_at], soft, words[row.soft_at :]))
