"""peft's table of the layers that low-rank updates go to by default."""

from __future__ import annotations

from promptlab.compat import library_internal


def has_default_targets(architecture: str) -> bool:
    """Whether peft knows which layers of an architecture to update."""
    known = library_internal("peft.utils", "TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING")
    return architecture in known
