"""Tiny checkpoints of well-known models: the real classes of `transformers`, their real tokenizers and processors, a few
ten thousand random weights. What they write is noise; every shape, every interface and every file is as in the real one.

    folder = tiny.make("bert", "checkpoints/bert")          # a folder that from_pretrained reads
    name = tiny.named("bert", "checkpoints")                 # MMLAB_BERT if it is set, else such a folder

So a notebook runs without a download, and the same cells run the real model when a variable names it.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

TEXTS = (  # what the tiny tokenizers are made from
    "the capital of france is paris", "a picture of a red circle and a blue square", "question what is in the picture",
    "once upon a time there was a small model", "巴黎是法国的首都", "图里有什么", "一个红色的圆形在左边", ". , : ?",
)  # fmt: skip
DEFAULTS = {
    "bert": {"en": "google-bert/bert-base-uncased", "zh": "google-bert/bert-base-chinese"},
    "gpt2": {"en": "openai-community/gpt2", "zh": "openai-community/gpt2"},
    "blip2": {"en": "Salesforce/blip2-opt-2.7b", "zh": "Salesforce/blip2-opt-2.7b"},
}


def quiet() -> None:
    """Turns off transformers' own log lines and progress bars; errors stay."""
    from tqdm import TqdmWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TqdmWarning)  # a plain bar where ipywidgets is missing
        from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


class Named(NamedTuple):
    """What to give to from_pretrained, and whether its weights are random."""

    name: str
    random: bool

    def __str__(self) -> str:
        return self.name


def named(kind: str, folder: str | Path, lang: str = "en") -> Named:
    """The checkpoint of the environment variable MMLAB_<KIND>: a name on the Hub or a folder, or the word "default" for
    the usual one. Without the variable a tiny random checkpoint is made in `folder`, and nothing is downloaded."""
    value = os.environ.get(f"MMLAB_{kind.upper()}", "").strip()
    if value == "default":
        value = DEFAULTS[kind][lang]
    if value:
        return Named(value, random=False)
    return Named(make(kind, Path(folder) / f"tiny-{kind}").as_posix(), random=True)


def make(kind: str, folder: str | Path, seed: int = 0) -> Path:
    """Writes a tiny random checkpoint with its tokenizer or processor. kind: one of KINDS. The same seed gives the same
    weights, whatever was drawn before, and draws nothing from torch's own generator. → the folder."""
    if kind not in KINDS:
        raise ValueError(f"no tiny {kind!r}; there are {', '.join(KINDS)}")
    quiet()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        parts = KINDS[kind]()
        with torch.no_grad():
            for weights in parts[0].parameters():  # some start at 0 or near it, and would hide what depends on what
                weights.add_(torch.randn_like(weights), alpha=0.05)
    for part in parts:
        part.save_pretrained(folder)
    return folder


# ---- tokenizers and processors --------------------------------------------------------------------------------------


def _wordpieces() -> Any:
    """BERT's tokenizer: words and single characters of TEXTS, and what follows a first letter ("##a")."""
    from transformers import BertTokenizer

    characters = sorted(set("".join(TEXTS)) - {" "})
    words = sorted({w for t in TEXTS for w in t.split() if w.isascii()})
    known = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters, *(f"##{c}" for c in characters if c.isascii())]
    known += [word for word in words if word not in known]
    return BertTokenizer(vocab={token: i for i, token in enumerate(known)}, model_max_length=64)


def _byte_pairs(**special: str) -> Any:
    """GPT-2's tokenizer: 256 bytes, and pairs of them learnt from TEXTS. Any text can be encoded."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    end = "<|endoftext|>"
    bare = Tokenizer(models.BPE())
    bare.pre_tokenizer, bare.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    extra = sorted({end, *special.values()})
    bytes_ = pre_tokenizers.ByteLevel.alphabet()
    bare.train_from_iterator(
        TEXTS, trainers.BpeTrainer(vocab_size=400, special_tokens=extra, initial_alphabet=bytes_, show_progress=False)
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bare, bos_token=end, eos_token=end, unk_token=end, model_max_length=64, **special
    )


def _pictures(side: int) -> Any:
    """BLIP's image processor for pictures of `side` pixels: resize, scale, standardise."""
    from transformers import BlipImageProcessorPil

    return BlipImageProcessorPil(size={"height": side, "width": side})


# ---- models ---------------------------------------------------------------------------------------------------------

_SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}


def _bert() -> tuple[Any, ...]:
    from transformers import BertConfig, BertForMaskedLM

    tokenizer = _wordpieces()
    return BertForMaskedLM(BertConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **_SMALL)), tokenizer


def _gpt2() -> tuple[Any, ...]:
    from transformers import GPT2Config, GPT2LMHeadModel

    tokenizer = _byte_pairs()
    end = tokenizer.eos_token_id
    config = GPT2Config(
        vocab_size=len(tokenizer), n_positions=64, n_embd=32, n_layer=2, n_head=4, bos_token_id=end, eos_token_id=end
    )
    return GPT2LMHeadModel(config), tokenizer


def _blip2() -> tuple[Any, ...]:
    from transformers import Blip2Config, Blip2ForConditionalGeneration, Blip2Processor

    tokenizer = _byte_pairs(pad_token="<pad>")
    processor = Blip2Processor(_pictures(56), tokenizer, num_query_tokens=32)
    config = Blip2Config(
        vision_config={**_SMALL, "hidden_size": 44, "image_size": 56, "patch_size": 14},
        qformer_config={**_SMALL, "hidden_size": 24, "encoder_hidden_size": 44, "vocab_size": 64},
        text_config={
            "model_type": "opt", "vocab_size": len(tokenizer), "hidden_size": 80, "word_embed_proj_dim": 80,
            "ffn_dim": 160, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 128,
            "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        num_query_tokens=32,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )  # fmt: skip
    return Blip2ForConditionalGeneration(config), processor


def _clip() -> tuple[Any, ...]:
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPProcessor

    tokenizer = _byte_pairs(pad_token="<pad>")
    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    config = CLIPConfig(
        text_config={**_SMALL, **ids, "vocab_size": len(tokenizer), "max_position_embeddings": 64},
        vision_config={**_SMALL, "image_size": 32, "patch_size": 8},
        projection_dim=16,
    )
    pictures = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    return CLIPModel(config), CLIPProcessor(pictures, tokenizer)


KINDS: dict[str, Callable[[], tuple[Any, ...]]] = {"bert": _bert, "gpt2": _gpt2, "blip2": _blip2, "clip": _clip}
