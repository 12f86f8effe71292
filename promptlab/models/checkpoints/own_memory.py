"""Weights in memory of this process alone: what is loaded is not changed by its file."""

from __future__ import annotations

import torch


def copy_weights(model: torch.nn.Module) -> None:
    """Copy a loaded model's weights into memory of its own.

    safetensors maps the file: whoever wrote into it would change the weights under a running
    study, and whoever cut it would kill the process. On a device they are copies already.

    Args:
        model: A model as it was loaded; parameters that are tied stay tied.
    """
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.device.type == "cpu":
            tensor.data = tensor.data.clone()
