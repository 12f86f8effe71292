"""What a local model remembers of the prompts that it has encoded."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from promptlab.models import local as local_module
from promptlab.models.local import LocalModel
from promptlab.prompts.template import Template


def test_many_answers_leave_room_for_fewer_prompts(
    fresh: Callable[..., LocalModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_module, "REMEMBERED_ANSWERS", 6)
    model = fresh("tiny_masked")
    prompts = [Template(f"{word} was {{mask}} .").render({}) for word in ("it", "soup", "one", "a")]
    answers = ["great", "good", "bad"]
    for prompt in prompts:  # of three answers two prompts fit, and one more before it is seen
        model.score([prompt], answers)
        assert len(model._remembered) <= 3
    assert len(model._remembered) == 1
    found, other = (m.score(prompts, answers).logprobs for m in (model, fresh("tiny_masked")))
    np.testing.assert_allclose(found, other, atol=1e-4)
