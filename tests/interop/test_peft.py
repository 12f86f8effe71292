"""PEFT folders: what peft itself computes with an exported prompt is what promptlab computes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from promptlab.data.example import Example
from promptlab.errors import InputError
from promptlab.interop.peft import export_peft, import_peft
from promptlab.models.learned_parts import LearnedParts
from promptlab.models.loading import from_transformers
from promptlab.models.local import LocalModel
from promptlab.predictors.classifier import PromptClassifier
from promptlab.prompts.template import Template
from tests.helpers import tiny_models
from tests.helpers.tiny_models import Pair

TEXT = "the film was good ."
ANSWERS = {"negative": " bad", "positive": " good"}


def learned(model: LocalModel, *, prefix: bool) -> LearnedParts:
    generator = torch.Generator().manual_seed(5)
    if not prefix:
        width = model.engine.network.virtual_tokens.width
        return LearnedParts(vectors=torch.randn(4, width, generator=generator), soft=(("0", 4),))
    assert model.prefix_shape is not None
    layers, heads, size = model.prefix_shape
    return LearnedParts(prefix=torch.randn(layers, 2, heads, 4, size, generator=generator))


def classifier(model: LocalModel, *, prefix: bool) -> PromptClassifier:
    template = "{text} It was{mask}" if prefix else "{soft:4}{text} It was{mask}"
    return PromptClassifier(
        template, ANSWERS, model.with_learned_parts(learned(model, prefix=prefix))
    )


# peft 0.21 gives a prefix under the name that transformers is dropping.
@pytest.mark.filterwarnings("ignore:`past_key_values` is deprecated:FutureWarning")
@pytest.mark.parametrize("prefix", [False, True])
def test_peft_computes_the_same(tiny_gpt2: Pair, tmp_path: Path, prefix: bool) -> None:
    from peft import PeftModel

    plain = tiny_models.gpt2()[0]  # the same seeded weights, without hooks
    model = from_transformers(*tiny_gpt2)
    own = classifier(model, prefix=prefix)
    folder = export_peft(own, tmp_path / "adapter")
    tuned = PeftModel.from_pretrained(plain, folder).eval()
    ids = model.encoding.encode(f"{TEXT} It was")
    tokens = [model.encoding.encode(answer)[0] for answer in ANSWERS.values()]
    with torch.no_grad():
        logits = tuned(input_ids=torch.tensor([ids])).logits[0, -1]
    expected = logits.log_softmax(-1)[tokens].log_softmax(-1)
    (row,) = own.predict([TEXT])
    assert row.scores is not None
    assert list(row.scores.values()) == pytest.approx(expected.tolist(), abs=1e-5)


def test_peft_computes_the_same_in_an_encoder(tiny_seq2seq: Pair, tmp_path: Path) -> None:
    from peft import PeftModel

    plain = tiny_models.t5()[0].eval()
    model = from_transformers(*tiny_seq2seq)
    words = {"negative": "bad", "positive": "good"}
    own = PromptClassifier(
        "{soft:4}{text} It was{mask}", words, model.with_learned_parts(learned(model, prefix=False))
    )
    tuned = PeftModel.from_pretrained(plain, export_peft(own, tmp_path / "adapter")).eval()
    prompts = [own.render_prompt(Example("0", {"text": TEXT}))]
    (asked,) = own.model.scoring_requests(prompts, [*words.values()])  # type: ignore[attr-defined]
    question, start = asked[0], model.engine.network.virtual_tokens.first_id
    ids = [token for token in question.context.ids if token < start]
    tokens = [continuation[0] for continuation in question.continuations]
    begun = model.engine.runner.start  # type: ignore[attr-defined]
    with torch.no_grad():
        logits = tuned(
            input_ids=torch.tensor([ids]), decoder_input_ids=torch.tensor([begun])
        ).logits[0, -1]
    expected = logits.log_softmax(-1)[tokens].log_softmax(-1)
    (row,) = own.predict([TEXT])
    assert row.scores is not None
    assert list(row.scores.values()) == pytest.approx(expected.tolist(), abs=1e-5)


@pytest.mark.parametrize("prefix", [False, True])
def test_there_and_back(tiny_gpt2: Pair, tmp_path: Path, prefix: bool) -> None:
    model = from_transformers(*tiny_gpt2)
    folder = export_peft(classifier(model, prefix=prefix), tmp_path / "adapter")
    again = import_peft(folder, model)
    assert again.key == learned(model, prefix=prefix).key


def test_what_peft_cannot_hold_is_refused(
    tiny_gpt2: Pair, tiny_causal: Pair, tiny_masked: Pair, tiny_seq2seq: Pair, tmp_path: Path
) -> None:
    gpt2 = from_transformers(*tiny_gpt2)
    parts = learned(gpt2, prefix=False)
    inside = PromptClassifier(
        "{text} {soft:4} It was{mask}", ANSWERS, gpt2.with_learned_parts(parts)
    )
    with pytest.raises(InputError, match="at the very start"):
        export_peft(inside, tmp_path / "a")
    llama = from_transformers(*tiny_causal)
    with pytest.raises(InputError, match="<s> before the vectors"):
        export_peft(classifier(llama, prefix=False), tmp_path / "b")
    chat = PromptClassifier(
        Template("{soft:4}{text} It was{mask}", chat=True), ANSWERS,
        llama.with_learned_parts(learned(llama, prefix=False)),
    )  # fmt: skip
    with pytest.raises(InputError, match="words with which the chat template begins"):
        export_peft(chat, tmp_path / "chat")
    t5 = from_transformers(*tiny_seq2seq)
    with pytest.raises(InputError, match="counts the places of a prefix otherwise"):
        export_peft(classifier(t5, prefix=True), tmp_path / "t5")
    bert = from_transformers(*tiny_masked)
    with pytest.raises(InputError, match="masked"):
        export_peft(classifier(bert, prefix=True), tmp_path / "c")
    with pytest.raises(InputError, match="nothing to export"):
        export_peft(PromptClassifier("{text} It was{mask}", ANSWERS, gpt2), tmp_path / "d")
    assert not any(tmp_path.iterdir())


def test_a_folder_that_does_not_fit_is_refused(tiny_gpt2: Pair, tmp_path: Path) -> None:
    model = from_transformers(*tiny_gpt2)
    folder = export_peft(classifier(model, prefix=False), tmp_path / "adapter")
    config = json.loads((folder / "adapter_config.json").read_text())
    for change, words in (
        ({"peft_type": "LORA"}, "LORA adapter"),
        ({"num_virtual_tokens": 7}, "4 rows for 7"),
        ({"num_transformer_submodules": 2}, "2 submodules"),
        ({"peft_type": "PREFIX_TUNING"}, "32 numbers a token"),
        ({"task_type": "SEQ_2_SEQ_LM"}, "trained for SEQ_2_SEQ_LM"),
    ):
        (folder / "adapter_config.json").write_text(json.dumps(config | change))
        with pytest.raises(InputError, match=words):
            import_peft(folder, model)
    with pytest.raises(InputError, match="no PEFT folder"):
        import_peft(tmp_path, model)


@pytest.mark.filterwarnings("ignore:`past_key_values` is deprecated:FutureWarning")
def test_what_would_be_another_prompt_here_is_refused(
    tiny_gpt2: Pair, tiny_causal: Pair, tiny_seq2seq: Pair, tmp_path: Path
) -> None:
    """Vectors that PEFT reads before the start token, weights beside the prompt, a T5 prefix."""
    from peft import PrefixTuningConfig, PromptTuningConfig, get_peft_model
    from safetensors.torch import load_file, save_file

    def trained(pair: Any, config: Any, name: str) -> Path:
        get_peft_model(pair, config).save_pretrained(tmp_path / name)
        return tmp_path / name

    llama = from_transformers(*tiny_causal)
    soft = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4)
    with pytest.raises(InputError, match=r"PEFT reads before <s>"):
        import_peft(trained(tiny_models.llama()[0], soft, "llama"), llama)
    t5 = from_transformers(*tiny_seq2seq)
    prefix = PrefixTuningConfig(
        task_type="SEQ_2_SEQ_LM", num_virtual_tokens=4, num_transformer_submodules=1
    )
    with pytest.raises(InputError, match="counts the places of a prefix otherwise"):
        import_peft(trained(tiny_models.t5()[0], prefix, "t5"), t5)
    gpt2 = from_transformers(*tiny_gpt2)
    folder = trained(tiny_models.gpt2()[0], soft, "gpt2")
    assert import_peft(folder, gpt2).soft == (("0", 4),)
    file = folder / "adapter_model.safetensors"
    save_file(load_file(file) | {"score.weight": torch.zeros(2, 2)}, file)
    with pytest.raises(InputError, match=r"weights beside the prompt \(score.weight"):
        import_peft(folder, gpt2)
