"""Tiny real models with tokenizers trained in memory on a few sentences.

Weights are drawn wide, so that a wrong position, mask or token moves the scores by whole nats.
"""

from __future__ import annotations

from typing import Any

CORPUS = (
    "a gorgeous witty film that never wastes a minute .",
    "an hour of loud empty spectacle and not one joke that lands .",
    "the soup was cold and nobody apologised .",
    "I have already recommended it to all my friends .",
    "It was great . It was terrible . It was good . It was bad .",
    "All in all the movie was wonderful and the plot was awful .",
    "The capital of Poland is Warsaw . The capital of France is Paris .",
    "Review : a dull slow film . Sentiment : negative",
    "Review : a charming journey . Sentiment : positive",
    "N/A yes no maybe true false , ; ! ?",
    *[f"it was {word} . a {word} one ." for word in ("great", "terrible", "good", "bad")] * 5,
)
WORDS = 640
"""Vocabulary size asked of the trainers."""
CHAT = (
    "{% for turn in messages %}<|{{ turn['role'] }}|>{{ turn['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

Pair = tuple[Any, Any]
"""A transformers model and its tokenizer."""


WORD_PIECES = """
! ##a ##ac ##ad ##al ##anc ##and ##arm ##at ##aw ##b ##ble ##bod ##c ##com ##d ##e ##ec ##ed
##en ##end ##ends ##ent ##eou ##eous ##er ##erful ##es ##f ##ful ##g ##gat ##h ##i ##im ##in
##ing ##is ##ised ##it ##ive ##k ##ke ##l ##le ##lm ##lo ##m ##mend ##mended ##n ##nc ##nd
##nderful ##ne ##ney ##o ##od ##og ##ol ##olog ##om ##ou ##our ##p ##pit ##pty ##r ##re ##read
##rg ##ri ##rible ##ris ##rm ##rs ##s ##se ##sit ##t ##tac ##tacle ##tes ##ty ##u ##ue ##ul ##ut
##v ##ve ##ver ##vi ##vie ##w ##y ##yb , . / : ; ? a al all alread already an and ap apolog
apologised aw awful b bad c ca capit capital ch charm charming col cold d dul dull e em empty f
fal false fi film fr franc france fri friends g go good gorg gorgeous gre great h ha have hour i
in is it j jo joke jour journey k l land lands lou loud m ma mayb maybe min minut minute mo
movie my n ne negat negative never no nobod nobody not o of one p pa paris plo plot po pol
poland posit positive r re recom recommended revie review s sent sentim sentiment slo slow sou
soup sp spec spectacle t ter terrible th that the to tr true u v w wa wars warsaw was wastes wit
witty wo wonderful y yes
"""
"""Of `CORPUS`, as a trainer made them once: where pieces tie, its choice changes by process."""


def byte_tokenizer(
    *, specials: dict[str, str], around: str = "$A", lstrip_mask: bool = False
) -> Any:
    """Byte-level BPE; ``specials`` are named special tokens, ``around`` their place in a text."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=WORDS,
        special_tokens=list(dict.fromkeys(specials.values())),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(CORPUS, trainer)
    _surround(core, around)
    named: dict[str, Any] = dict(specials)
    if lstrip_mask:
        named["mask_token"] = AddedToken("<mask>", lstrip=True, special=True)
    return PreTrainedTokenizerFast(tokenizer_object=core, **named)


def word_piece_tokenizer() -> Any:
    """WordPiece with BERT's special tokens."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = {word: place for place, word in enumerate([*names, *WORD_PIECES.split()])}
    core = Tokenizer(models.WordPiece(words, unk_token="[UNK]"))
    core.normalizer = normalizers.BertNormalizer()
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.decoder = decoders.WordPiece()
    core.add_special_tokens(names)
    _surround(core, "[CLS] $A [SEP]")
    roles = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    return PreTrainedTokenizerFast(tokenizer_object=core, **dict(zip(roles, names, strict=True)))


def sentinel_tokenizer() -> Any:
    """Unigram pieces (the corpus's words and single characters) with T5's sentinels."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    sentinels = [f"<extra_id_{number}>" for number in range(4)]
    words = sorted({f"\u2581{word}" for line in CORPUS for word in line.split()})
    characters = sorted({*"".join(words), *"abcdefghijklmnopqrstuvwxyz"})
    pieces = [(name, 0.0) for name in ("<pad>", "</s>", "<unk>", *sentinels)]
    pieces += [(word, -4.0) for word in words if len(word) > 1]
    pieces += [(character, -9.0) for character in characters if character not in words]
    core = Tokenizer(models.Unigram(pieces, unk_id=2))
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    core.decoder = decoders.Metaspace(prepend_scheme="first")
    _surround(core, "$A </s>")
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        additional_special_tokens=sentinels,
    )


def llama() -> Pair:
    """Rotary positions, grouped-query attention, a start token and a chat template."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = byte_tokenizer(
        specials={"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>"}, around="<s> $A"
    )
    tokenizer.chat_template = CHAT
    config = LlamaConfig(**_decoder_sizes(tokenizer), num_key_value_heads=2)
    return _made(LlamaForCausalLM, config), tokenizer


def gpt2() -> Pair:
    """Learned positions, a tied head, no start token and no padding token."""
    from transformers import GPT2Config, GPT2LMHeadModel

    tokenizer = byte_tokenizer(specials={"eos_token": "<|endoftext|>"})
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=256,
        n_embd=32,
        n_layer=2,
        n_head=4,
        initializer_range=0.3,
        bos_token_id=0,
        eos_token_id=0,
    )
    return _made(GPT2LMHeadModel, config), tokenizer


def mistral() -> Pair:
    """A sliding window of eight tokens: prefixes cannot be shared."""
    from transformers import MistralConfig, MistralForCausalLM

    tokenizer = byte_tokenizer(specials={"eos_token": "</s>", "pad_token": "</s>"})
    config = MistralConfig(
        **_decoder_sizes(tokenizer), num_key_value_heads=2, sliding_window=8, head_dim=8
    )
    return _made(MistralForCausalLM, config), tokenizer


def gemma2(layer_types: tuple[str, str] = ("full_attention", "full_attention")) -> Pair:
    """Soft-capped logits: the head is no plain product of the feature."""
    from transformers import Gemma2Config, Gemma2ForCausalLM

    tokenizer = byte_tokenizer(
        specials={"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}, around="<s> $A"
    )
    config = Gemma2Config(
        **_decoder_sizes(tokenizer),
        num_key_value_heads=2,
        head_dim=8,
        query_pre_attn_scalar=8,
        sliding_window=8,
        final_logit_softcapping=2.0,
        attn_logit_softcapping=5.0,
        layer_types=list(layer_types),
        attn_implementation="eager",
    )
    return _made(Gemma2ForCausalLM, config), tokenizer


def bert() -> Pair:
    """A masked model with WordPiece and a bias in its head."""
    from transformers import BertConfig, BertForMaskedLM

    tokenizer = word_piece_tokenizer()
    config = BertConfig(**_encoder_sizes(tokenizer), pad_token_id=tokenizer.pad_token_id)
    return _made(BertForMaskedLM, config), tokenizer


def roberta() -> Pair:
    """A masked model with byte-level BPE, whose mask takes the space before it."""
    from transformers import RobertaConfig, RobertaForMaskedLM

    tokenizer = byte_tokenizer(
        specials={
            "bos_token": "<s>",
            "cls_token": "<s>",
            "pad_token": "<pad>",
            "eos_token": "</s>",
            "sep_token": "</s>",
            "mask_token": "<mask>",
        },
        around="<s> $A </s>",
        lstrip_mask=True,
    )
    config = RobertaConfig(**_encoder_sizes(tokenizer), pad_token_id=tokenizer.pad_token_id)
    return _made(RobertaForMaskedLM, config), tokenizer


def t5() -> Pair:
    """An encoder-decoder with sentinels."""
    from transformers import T5Config, T5ForConditionalGeneration

    tokenizer = sentinel_tokenizer()
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_layers=2,
        num_heads=4,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.pad_token_id,
        dropout_rate=0.0,
    )
    return _made(T5ForConditionalGeneration, config), tokenizer


def bart() -> Pair:
    """An encoder-decoder without sentinels, whose texts stand between ``<s>`` and ``</s>``."""
    from transformers import BartConfig, BartForConditionalGeneration

    tokenizer = byte_tokenizer(
        specials={"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>"},
        around="<s> $A </s>",
    )
    config = BartConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=256,
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        init_std=0.3,
        bos_token_id=tokenizer.bos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.eos_token_id,
        forced_bos_token_id=tokenizer.bos_token_id,
        forced_eos_token_id=None,
    )
    return _made(BartForConditionalGeneration, config), tokenizer


def _decoder_sizes(tokenizer: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 256,
        "initializer_range": 0.3,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def _encoder_sizes(tokenizer: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 258,
        "initializer_range": 0.3,
    }


def _surround(core: Any, around: str) -> None:
    """Put the special tokens of ``around`` where it says."""
    from tokenizers import processors

    names = [part for part in around.split() if part != "$A"]
    if names:
        core.post_processor = processors.TemplateProcessing(
            single=around, special_tokens=[(name, core.token_to_id(name)) for name in names]
        )


def _made(kind: Any, config: Any) -> Any:
    """The model in fp32 with seeded weights; biases are drawn, too, instead of zero."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(20)
    model = kind(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0.0, 0.3)
    model.config.architectures = [kind.__name__]
    return model
