"""One candidate in training: its parameters, its optimizer, and how far it is."""

from __future__ import annotations

import hashlib
import json
import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from promptlab.errors import Pruned
from promptlab.files.cache import atomic_write
from promptlab.tuning.hyperparameters import TrainingConfig
from promptlab.tuning.objectives import TrainingObjective
from promptlab.tuning.parameters import PromptParameters

FORMAT = "1"
"""Version of the file; another one is not read."""


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write tensors and facts (JSON data) as one safetensors file, with their hash."""
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    told = json.dumps(facts)
    metadata = {"format": FORMAT, "facts": told, "hash": _hash(kept, told)}
    with atomic_write(path) as partial:
        save_file(kept, partial, metadata=metadata)


def load_checkpoint(path: Path | None) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """What `save_checkpoint` wrote; ``None`` if there is none that can be read."""
    if path is None or not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                return None
            # copies: else writing into the file would change what is in memory
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        facts = json.loads(metadata["facts"])
        # Those of earlier versions have no hash.
        is_whole = metadata.get("hash") in (None, _hash(tensors, metadata["facts"]))
        return (tensors, facts) if is_whole and isinstance(facts, dict) else None
    except (OSError, ValueError, KeyError, RecursionError, RuntimeError, SafetensorError):
        # A damaged checkpoint costs time, nothing else: training begins anew.
        return None


def _hash(tensors: Mapping[str, Tensor], facts: str) -> str:
    digest = hashlib.sha256(facts.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


DIVERGED = 3.0
"""A smoothed loss of so many times the first one (or chance, if that is more) is divergence."""
SMOOTHING = 0.9
EPSILON = 1e-8
"""AdamW's own; with it a gradient of rounding size, too, makes a step of full size."""


@dataclass
class TrainProgress:
    """Plain facts of a training: where it is, and its best evaluation so far.

    ``best`` is (value on dev, minus the mean loss there); ``curve`` holds (step, value, loss);
    ``tokens`` went through the network for training and evaluation. ``joined`` says how many
    steps those had taken beside whom it began.
    """

    step: int = 0
    tokens: int = 0
    evaluations: int = 0
    first_loss: float | None = None
    smoothed: float | None = None
    best: tuple[float, float] | None = None
    best_step: int = 0
    waited: int = 0
    curve: list[tuple[int, float, float]] = field(default_factory=list)
    joined: int = 0

    @property
    def round(self) -> int:
        """The step of all that learn beside it."""
        return self.joined + self.step


class TrainState:
    """Optimiser state of one candidate; several take steps in one batch, exactly as if apart.

    Which examples a step sees follows from seed and step alone, so a training that goes on from
    a checkpoint goes on as if it had never stopped. Checkpoints, written at evaluations, are
    at least ``spacing`` seconds apart.
    """

    def __init__(
        self,
        learner: PromptParameters,
        training: TrainingConfig,
        train: TrainingObjective,
        dev: TrainingObjective,
        *,
        number: int = 0,
        checkpoint: Path | None = None,
        chance: float = math.log(2),
        spacing: float = 0.0,
    ) -> None:
        self.learner = learner
        self.training = training
        self.train = train
        self.dev = dev
        self.number = number
        self.checkpoint = checkpoint
        self.chance = chance
        self.progress = TrainProgress()
        self._shuffled: tuple[int, list[int]] = (-1, [])
        self.most = training.most_steps(len(train))
        self.period = training.period(len(train))
        self.spacing = spacing
        self._saved_at = -math.inf
        groups = [(params, scale) for params, scale in learner.groups() if params]
        self._scales = [scale for _, scale in groups]
        self.optimizer = torch.optim.AdamW(
            [{"params": params} for params, _ in groups],
            lr=training.learning_rate,
            weight_decay=training.weight_decay,
            eps=EPSILON,
        )
        self._best: dict[str, Tensor] = _copied(learner.state_dict())
        self._resume()

    @property
    def is_finished(self) -> bool:
        """Whether all steps are done, or dev has not improved for too long."""
        done = self.progress.step >= self.most
        return done or self.progress.waited >= self.training.patience

    @property
    def is_evaluation_due(self) -> bool:
        """Whether dev is to be scored now."""
        step = self.progress.step
        return step % self.period == 0 or step >= self.most

    def batch(self) -> list[int]:
        """The training examples of the next step, shuffled anew every epoch."""
        size = min(self.training.batch_size, len(self.train))
        start = self.progress.step * size
        chosen = []
        for place in range(start, start + size):
            epoch, index = divmod(place, len(self.train))
            chosen.append(self._order(epoch)[index])
        return chosen

    def _order(self, epoch: int) -> list[int]:
        if self._shuffled[0] != epoch:
            order = list(range(len(self.train)))
            random.Random(f"{self.training.seed} {epoch}").shuffle(order)
            self._shuffled = (epoch, order)
        return self._shuffled[1]

    def step(self, loss: float, gradients: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Take one step from the loss (a mean over the batch) and output gradients.

        ``gradients`` pair what the learner gave out with the gradient for it. Raises `Pruned`
        when loss or gradient are no numbers any more, or the loss has run away.
        """
        self._check(loss)
        self.optimizer.zero_grad()
        torch.autograd.backward(
            [output for output, _ in gradients],
            [gradient.to(output.device, output.dtype) for output, gradient in gradients],
        )
        # Not of all parameters: those that an earlier phase trained still hold its last gradient.
        trained = [p for group in self.optimizer.param_groups for p in group["params"]]
        norm = torch.nn.utils.clip_grad_norm_(trained, self.training.clip)
        if not torch.isfinite(norm):
            raise Pruned(f"the gradient is {float(norm)} at step {self.progress.step}")
        rate = self.training.rate(self.progress.step, self.most)
        for group, scale in zip(self.optimizer.param_groups, self._scales, strict=True):
            group["lr"] = rate * scale
        self.optimizer.step()
        self.progress.step += 1

    def _check(self, loss: float) -> None:
        progress = self.progress
        if not math.isfinite(loss):
            raise Pruned(f"the loss is {loss} at step {progress.step}")
        progress.first_loss = loss if progress.first_loss is None else progress.first_loss
        before = loss if progress.smoothed is None else progress.smoothed
        progress.smoothed = SMOOTHING * before + (1 - SMOOTHING) * loss
        limit = DIVERGED * max(progress.first_loss, self.chance)
        if progress.smoothed > limit:
            raise Pruned(
                f"it diverged: the loss is {progress.smoothed:.3g} nats at step {progress.step} "
                f"and was {progress.first_loss:.3g} at first; a smaller learning rate than "
                f"{self.training.learning_rate:g} may help"
            )

    def record_evaluation(self, value: float, loss: float) -> None:
        """Take in an evaluation on dev; the best parameters are kept, the checkpoint is written.

        Raises `Pruned` when value or loss are no numbers.
        """
        progress = self.progress
        for name, number in (("dev score", value), ("loss on dev", loss)):
            if not math.isfinite(number):
                raise Pruned(f"the {name} is {number} at step {progress.step}")
        progress.evaluations += 1
        progress.curve.append((progress.step, value, loss))
        found = (value, -loss)
        if progress.best is None or found > progress.best:
            progress.best, progress.best_step, progress.waited = found, progress.step, 0
            self._best = _copied(self.learner.state_dict())
        else:
            progress.waited += 1
        if self.is_finished or time.monotonic() - self._saved_at >= self.spacing:
            self.save()
            self._saved_at = time.monotonic()

    def restore_best(self) -> None:
        """Put the parameters of the best evaluation back."""
        self.learner.load_state_dict(self._best)

    def save(self) -> None:
        """Write the checkpoint, if there is a place for it."""
        if self.checkpoint is None:
            return
        tensors = {f"now.{k}": v for k, v in self.learner.state_dict().items()}
        tensors |= {f"best.{k}": v for k, v in self._best.items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{k}": torch.as_tensor(v) for k, v in state.items()}
        save_checkpoint(self.checkpoint, tensors, asdict(self.progress))

    def _resume(self) -> None:
        found = load_checkpoint(self.checkpoint)
        if found is None:
            return
        begun = self._best
        try:
            self._restore(*found)
        except (AttributeError, LookupError, RuntimeError, TypeError, ValueError):
            # Not of this learner: as with a damaged file, training begins anew.
            self.learner.load_state_dict(begun)
            self._best, self.progress = begun, TrainProgress()

    def _restore(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Take over what `save` wrote."""
        progress = _progress(facts)
        for part in ("best", "now"):
            self.learner.load_state_dict(_under(part, tensors))
        self._best = _under("best", tensors)
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _under("adam", tensors).items():
            index, _, key = name.partition(".")
            state.setdefault(int(index), {})[key] = tensor
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        self.progress = progress


def _progress(facts: dict[str, Any]) -> TrainProgress:
    best = None if facts["best"] is None else tuple(facts["best"])
    curve = [(int(step), value, loss) for step, value, loss in facts["curve"]]
    return TrainProgress(**(facts | {"best": best, "curve": curve}))


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(f"{prefix}."): tensor
        for name, tensor in tensors.items()
        if name.startswith(f"{prefix}.")
    }


def _copied(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in state.items()}
