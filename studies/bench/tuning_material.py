"""What the benchmarks of learning prompts share: both models, their options, their tolerances."""

from __future__ import annotations

import argparse
from typing import Any, Literal

from promptlab.models.local import LocalModel
from promptlab.studies.bench.material import own_model, plain_model

TOLERANCES = {"float32": 1e-3, "bfloat16": 0.1}
"""Largest differences in nats between two sides' losses."""
FORMATS: dict[str, Literal["fp32", "bf16"]] = {"float32": "fp32", "bfloat16": "bf16"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of both benchmarks."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--model", default="smollm2-135m", help="causal model: name or folder")
    parser.add_argument("--dtype", default="float32", choices=TOLERANCES, help="of both sides")
    parser.add_argument("--device", default="cpu", help="of both sides: cpu or cuda")
    parser.add_argument("--examples", type=int, default=48, help="training sentences")
    parser.add_argument("--steps", type=int, default=2, help="steps a repeat")
    parser.add_argument("--repeats", type=int, default=5, help="rounds that count")
    parser.add_argument("--warm-up", type=int, default=1, help="rounds that do not")
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    parser.add_argument("--seed", type=int, default=13)


def both_models(options: argparse.Namespace) -> tuple[LocalModel, Any, Any]:
    """promptlab's model, the same weights as a plain one, and their tokenizer."""
    import torch

    torch.set_num_threads(options.threads or torch.get_num_threads())
    model = own_model(options.model, dtype=options.dtype, device=options.device)
    plain, tokenizer = plain_model(
        options.model, masked=False, dtype=options.dtype, device=options.device
    )
    return model, plain, tokenizer
