"""Copies of a model that know nothing: what prompts reach with them, they do not have from it."""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch

from promptlab.errors import CapabilityError
from promptlab.models.base import LanguageModel
from promptlab.models.local import LocalModel

ControlName = Literal["random_weights", "random_embeddings"]
CONTROLS: tuple[ControlName, ...] = get_args(ControlName)
"""The two controls of OptiPrompt (Zhong et al. 2021, section 5)."""


def control_model(model: LanguageModel, control: ControlName, seed: int) -> LocalModel:
    """A copy of the model in fp32 with weights drawn as its architecture begins training.

    Args:
        model: The model, which stays as it is.
        control: *random_weights* draws all of them anew; *random_embeddings* the input embedding
            alone (and with it a vocabulary head that is the same tensor), as OptiPrompt's
            ``--random_init all`` and ``embedding``.
        seed: Of the draw.

    Returns:
        The copy; nothing that it computes is kept on disk.

    Raises:
        CapabilityError: For a model without weights on this machine, and for quantised ones.
    """
    if not isinstance(model, LocalModel):
        raise CapabilityError(f"{model.name} has no weights here that could be drawn anew")
    try:
        copy = model.trainable_copy()
    except CapabilityError as error:
        raise CapabilityError(
            f"the weights of {model.name} are quantised, so none can be drawn in their place"
        ) from error
    own = copy.engine.network.model
    drawn = _draw_weights(own, seed)
    with torch.no_grad():
        if control == "random_weights":
            own.load_state_dict(drawn.state_dict())
        else:
            own.get_input_embeddings().weight.copy_(drawn.get_input_embeddings().weight)
    copy.name = f"{model.name} with {control.replace('_', ' ')}"
    return copy


def _draw_weights(model: Any, seed: int) -> Any:
    """A model of the same class and configuration whose training has not begun."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return type(model)(model.config).float()
