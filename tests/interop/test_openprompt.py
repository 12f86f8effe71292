"""OpenPrompt's own classes against a plain transformers forward, on tiny real models."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import Any

import pytest
import torch

from promptlab.data.example import Example
from promptlab.errors import CapabilityError, InputError, TemplateError, VerbalizerError
from promptlab.interop.openprompt import OpenPromptScorer, check_template_text, manual_template
from promptlab.interop.openprompt_import import _NotInstalled, load_openprompt
from promptlab.interop.openprompt_text import parse_template_text

pytest.importorskip("yacs", reason="the extra 'openprompt' is not installed")
pytestmark = pytest.mark.default_model

CLOZE = '{"placeholder": "text_a"} It was {"mask"}.'
PREFIX = '{"meta": "text"} It was{"mask"}'
WORDS = {"negative": "terrible", "positive": "great"}
TEXTS = ("a gorgeous witty film", "a dull film", "witty but a dull dull dull film")
VOCABULARY = sorted({*" ".join(TEXTS).split(), "It", "was", ".", "great", "terrible", "good"})


def examples() -> list[Example]:
    return [Example(str(i), {"text": text}) for i, text in enumerate(TEXTS)]


def masked_model() -> tuple[Any, Any]:
    """A two-layer BERT and a word-level tokenizer with BERT's special tokens."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *VOCABULARY]
    core = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer: Any = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )
    torch.manual_seed(13)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.3,
    )
    model: Any = BertForMaskedLM(config)
    return model.eval(), tokenizer


def causal_model() -> tuple[Any, Any]:
    """A two-layer GPT-2 and a byte-level tokenizer whose words with a space are one token."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    words = ["<unk>", "<end>", *VOCABULARY, *("\u0120" + word for word in VOCABULARY)]
    core = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer: Any = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core, unk_token="<unk>", bos_token="<end>", eos_token="<end>"
    )
    torch.manual_seed(13)
    config = GPT2Config(
        vocab_size=len(words), n_embd=32, n_layer=2, n_head=2, n_positions=64, initializer_range=0.3
    )
    model: Any = GPT2LMHeadModel(config)
    return model.eval(), tokenizer


def plain_logits(model: Any, tokenizer: Any, prompt: str) -> torch.Tensor:
    """The slot's logits by one unpadded forward: at the mask, or after the last token."""
    ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        logits: torch.Tensor = model(input_ids=ids).logits[0]
    masks = (ids[0] == tokenizer.mask_token_id).nonzero() if tokenizer.mask_token else None
    return logits[-1] if masks is None else logits[int(masks)]


@pytest.mark.parametrize(
    ("build", "template", "prompt"),
    [(masked_model, CLOZE, "{} It was [MASK]."), (causal_model, PREFIX, "{} It was")],
)
def test_logits_equal_a_plain_forward(build: Any, template: str, prompt: str) -> None:
    model, tokenizer = build()
    scorer = OpenPromptScorer(model, tokenizer, template, WORDS, 24, batch_size=2)
    expected = torch.stack([plain_logits(model, tokenizer, prompt.format(t)) for t in TEXTS])
    assert torch.allclose(scorer.slot_logits(examples()), expected, atol=1e-5, rtol=0)

    ids = [tokenizer.encode(" " + w, add_special_tokens=False)[0] for w in WORDS.values()]
    log_probabilities = expected[:, ids].log_softmax(-1)
    scores = scorer.score(examples())
    assert [list(row) for row in scores] == [["negative", "positive"]] * len(TEXTS)
    found = torch.tensor([list(row.values()) for row in scores])
    assert torch.allclose(found, log_probabilities, atol=1e-5, rtol=0)


def test_the_field_is_cut_and_never_the_template() -> None:
    model, tokenizer = masked_model()
    scorer = OpenPromptScorer(model, tokenizer, CLOZE, WORDS, 10)
    long = Example("long", {"text": " ".join(["film"] * 50)})
    expected = plain_logits(model, tokenizer, " ".join(["film"] * 4) + " It was [MASK].")
    assert torch.allclose(scorer.slot_logits([long])[0], expected, atol=1e-5, rtol=0)


def test_several_words_a_label_are_averaged() -> None:
    model, tokenizer = masked_model()
    words = {"negative": ["terrible", "dull"], "positive": ["great"]}
    scorer = OpenPromptScorer(model, tokenizer, CLOZE, words, 24)
    logits = plain_logits(model, tokenizer, f"{TEXTS[0]} It was [MASK].")
    ids = tokenizer.convert_tokens_to_ids(["terrible", "dull", "great"])
    logs = logits[ids].log_softmax(-1)
    row = scorer.score(examples()[:1])[0]
    assert row["negative"] == pytest.approx(float(logs[:2].mean()), abs=1e-5)
    assert row["positive"] == pytest.approx(float(logs[2]), abs=1e-5)


def test_the_model_is_left_as_it_was() -> None:
    model, tokenizer = causal_model()
    model.train()
    scorer = OpenPromptScorer(model, tokenizer, PREFIX, WORDS, 24)
    assert scorer.score([]) == []
    scorer.score(examples())
    assert model.training
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_importing_leaves_no_trace_outside_its_own_modules() -> None:
    before = list(sys.path)
    results: list[Any] = []
    threads = [threading.Thread(target=lambda: results.append(load_openprompt())) for _ in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(module) for module in results}) == 1
    assert results[0].__version__ == "1.0.1"
    assert sys.path == before
    assert "transformers.generation_utils" not in sys.modules
    assert not hasattr(sys.modules["transformers"], "AdamW")
    assert not isinstance(sys.modules.get("datasets"), _NotInstalled)


def test_a_package_that_is_not_installed_is_named_on_use() -> None:
    with pytest.raises(CapabilityError, match="pip install datasets"):
        _NotInstalled("datasets").load_dataset("x")


@pytest.mark.parametrize(
    "text",
    [
        '{"mask"} {__import__("os").system("true")}',
        '{"mask"} {"text": open("x").read()}',
        '{"placeholder": "text_a", "post_processing": lambda s: open(s)} {"mask"}',
        '{"placeholder": "text_a", "post_processing": lambda s: s * 99} {"mask"}',
        '{"placeholder": "text_a", "post_processing": lambda s: s.__class__} {"mask"}',
        '{"placeholder": "text_a", "post_processing": lambda s: s.format(s)} {"mask"}',
        '{"placeholder": "text_a", "post_processing": lambda s, t: s} {"mask"}',
        '{"placeholder": "text_a", "post_processing": lambda s=[]: s} {"mask"}',
        '{"placeholder": "text_a", "post_processing": lambda s: (lambda t: t)(s)} {"mask"}',
        '{"placeholder": "text_a", "post_processing": lambda s: [x for x in s]} {"mask"}',
        '{"placeholder": "text_a", "post_processing": str.upper} {"mask"}',
        '{"mask": None, "post_processing": lambda s: s}',
        '{"soft": "It was"} {"mask"}',
        '{"meta": "a", "meta": "b"} {"mask"}',
        '{**{"mask": None}}',
        '{"placeholder": "__class__"} {"mask"}',
        '{"meta": text} {"mask"}',
        '{"mask"} {"text": f"{1}"}',
        '{"mask"} {',
        '{"mask"} {}',
        '{"mask"} {"mask"}',
        "no slot at all",
        '{"mask", "text"}',
        '{["mask"]}',
        '{"mask": 3}',
    ],
)
def test_only_literals_reach_openprompt(text: str) -> None:
    with pytest.raises(TemplateError):
        check_template_text(text)
    with pytest.raises(TemplateError):
        manual_template(None, text)


def test_the_message_points_at_the_fault() -> None:
    with pytest.raises(TemplateError) as caught:
        check_template_text('{"mask"} and {exit()}')
    line, caret = str(caught.value).splitlines()[-2:]
    assert line[caret.index("^")] == "{" and caret.index("^") > 10


def test_what_it_cannot_score_is_refused() -> None:
    model, tokenizer = masked_model()
    words: dict[str, Any]
    for words in ({"a": "great good", "b": "dull"}, {"a": []}, {}):
        with pytest.raises(VerbalizerError):
            OpenPromptScorer(model, tokenizer, CLOZE, words, 24)
    with pytest.raises(CapabilityError):
        OpenPromptScorer(model.bert, tokenizer, CLOZE, WORDS, 24)
    causal, other = causal_model()
    with pytest.raises(TemplateError):
        OpenPromptScorer(causal, other, '{"mask"} it was', WORDS, 24)


@pytest.mark.parametrize(
    ("build", "theirs", "ours"),
    [
        (masked_model, CLOZE, "{text} It was {mask}."),
        (causal_model, PREFIX, "{text} It was {mask}"),
    ],
)
def test_promptlab_and_openprompt_agree(build: Any, theirs: str, ours: str) -> None:
    """ManualTemplate + ManualVerbalizer + PromptForClassification beside our own classifier."""
    from promptlab.models.loading import from_transformers
    from promptlab.predictors.classifier import PromptClassifier

    model, tokenizer = build()
    scorer = OpenPromptScorer(model, tokenizer, theirs, WORDS, max_tokens=32)
    expected = scorer.score(examples())
    rows = PromptClassifier(ours, WORDS, from_transformers(model, tokenizer)).predict(examples())
    for row, wanted in zip(rows, expected, strict=True):
        assert row.scores is not None
        assert row.scores == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize(
    ("text", "field", "shown"),
    [
        ("s.rstrip(string.punctuation)", "a film ...!", "a film "),
        ('x + "."', "a film", "a film."),
        ('"\\n\\n".join(x)', ["one", "two"], "one\n\ntwo"),
        ('" " + x.strip().lower()[:5] + "!"', "  A Long One ", " a lon!"),
        ("x[-1].upper()", "abc", "C"),
        ('x.split(",")[0].replace("a", "o")', "cat,dog", "cot"),
        ("x", "as it is", "as it is"),
    ],
)
def test_functions_are_read_and_not_run(text: str, field: Any, shown: str) -> None:
    name = "s" if text.startswith("s.") else "x"
    source = f'{{"meta": "a", "post_processing": lambda {name}: {text}}} {{"mask"}}'
    (entry, _) = parse_template_text(source)
    assert entry["post_processing"](field) == shown


@pytest.mark.parametrize(
    ("text", "field"),
    [("x[3]", "abc"), ("x.split()", "a b"), ('x + "a"', 3), ('x.replace("", "abc" + "d")', 5)],
)
def test_functions_that_fail_say_so(text: str, field: Any) -> None:
    (entry, _) = parse_template_text(
        f'{{"meta": "a", "post_processing": lambda x: {text}}}{{"mask"}}'
    )
    with pytest.raises(InputError, match="post_processing"):
        entry["post_processing"](field)
    grow = '.replace("a", "' + "a" * 200 + '")'
    long = f'{{"meta": "a", "post_processing": lambda x: x{grow * 4}}}{{"mask"}}'
    with pytest.raises(InputError, match="characters"):
        parse_template_text(long)[0]["post_processing"]("aaa")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            '{"placeholder": "text_a"} It was {"mask"}.',
            [("", "placeholder", "text_a"), (" ", "text", "It was"), (" ", "mask", None),
             ("", "text", ".")],
        ),
        (
            '  {"placeholder":"text_b"}  and{"meta": "b"} , {"mask"} ! ',
            [(" ", "placeholder", "text_b"), (" ", "text", "and"), ("", "meta", "b"),
             (" ", "text", ","), (" ", "mask", None), (" ", "text", "!")],
        ),
        (
            '{"special": "<eos>"} {"text": "words  "}{"mask"}',
            [("", "special", "<eos>"), (" ", "text", "words  "), ("", "mask", None)],
        ),
        (
            'x  y {"mask"}a }b{"meta":"c"} ',
            [("", "text", "x  y"), (" ", "mask", None), ("", "text", "a }b"), ("", "meta", "c")],
        ),
    ],
)  # fmt: skip
def test_text_is_cut_as_openprompt_cuts_it(text: str, parts: list[tuple[str, str, Any]]) -> None:
    """The parts are what OpenPrompt's own parser gave for these texts."""
    expected = [{"add_prefix_space": space, kind: value} for space, kind, value in parts]
    assert parse_template_text(text) == expected


@pytest.fixture(scope="module")
def fresh() -> dict[str, Any]:
    """What a process of its own found, in which nothing was imported before OpenPrompt."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.helpers.openprompt_process"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


KINDS = (
    "manual", "mixed", "mixed, shared", "mixed, soft_id", "soft", "p-tuning, lstm",
    "p-tuning, mlp",
)  # fmt: skip
TEXTS_OF_SCRIPT = (
    "a dull slow film", "a charming journey", "the soup was cold", "a gorgeous witty film",
)  # fmt: skip
LEARNERS = {"soft": 1, "proto": 2, "knowledgeable": 1}


@pytest.mark.parametrize("family", ["bert", "gpt2", "t5"])
def test_every_template_with_every_verbalizer_in_a_fresh_process(
    fresh: dict[str, Any], family: str
) -> None:
    rows = fresh[family]
    names = ("manual", "soft", "automatic", "proto", "knowledgeable")
    assert list(rows) == [f"{kind} / {name}" for kind in KINDS for name in names]
    for what, row in rows.items():
        kind, _, name = what.partition(" / ")
        logits = torch.tensor(row["logits"])
        assert logits.shape == (4, 2) and torch.isfinite(logits).all(), what
        vectors = {"manual": 0, "p-tuning, lstm": 22, "p-tuning, mlp": 6}.get(kind, 1)
        assert row["parameters"] == vectors + LEARNERS.get(name, 0), what
        assert (row["gradient"] > 0) == (row["parameters"] > 0), what
        if row["parameters"] and name != "proto":  # its two logits are only ever apart or not
            assert row["moved"] > 0, what
    for name in names:  # vectors that begin as words are those words
        same = torch.tensor(rows[f"mixed / {name}"]["logits"])
        plain = torch.tensor(rows[f"manual / {name}"]["logits"])
        assert torch.allclose(same, plain, atol=1e-4), name
    for kind in KINDS[2:]:
        other = torch.tensor(rows[f"{kind} / manual"]["logits"])
        assert not torch.allclose(other, torch.tensor(rows["manual / manual"]["logits"])), kind


@pytest.mark.parametrize("family", ["bert", "gpt2", "t5"])
def test_slots_are_those_of_a_plain_forward(fresh: dict[str, Any], family: str) -> None:
    row = fresh[family]["manual / manual"]
    assert torch.allclose(torch.tensor(row["slots"]), torch.tensor(row["expected"]), atol=1e-4)
    for text, shown in zip(TEXTS_OF_SCRIPT, row["shown"], strict=True):
        assert f"{text}. it was".replace(" ", "") in shown.lower().replace(" ", ""), shown
