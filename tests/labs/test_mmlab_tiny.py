"""Tiny checkpoints: the real classes read them, twice gives the same, pictures matter where they should."""

import logging

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

from mmlab import tiny

tiny.quiet()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    return {kind: tiny.make(kind, folder / kind) for kind in tiny.KINDS}


def picture(seed=0):
    from PIL import Image

    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 50, 3), dtype=np.uint8))


def test_every_kind_is_small_and_needs_no_pickle(made):
    for kind, folder in made.items():
        files = [f for f in folder.rglob("*") if f.is_file()]
        assert (folder / "model.safetensors").exists(), kind
        assert sum(f.stat().st_size for f in files) < 1_500_000
        assert not [f for f in files if f.suffix in (".bin", ".pt", ".pkl")]


@pytest.mark.parametrize("kind", sorted(tiny.KINDS))
def test_the_same_seed_gives_the_same_weights_and_leaves_the_generator_alone(kind, made, tmp_path):
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    again = tiny.make(kind, tmp_path / "again")
    assert torch.equal(torch.rand(3), wanted)
    assert (again / "model.safetensors").read_bytes() == (made[kind] / "model.safetensors").read_bytes()
    other = tiny.make(kind, tmp_path / "other", seed=1)
    assert (other / "model.safetensors").read_bytes() != (made[kind] / "model.safetensors").read_bytes()


def test_bert_fills_a_mask_in_both_languages(made):
    from transformers import AutoTokenizer, BertForMaskedLM

    tokenizer, model = AutoTokenizer.from_pretrained(made["bert"]), BertForMaskedLM.from_pretrained(made["bert"])
    for line in ("The capital of France is [MASK].", "巴黎是[MASK]国的首都"):
        tokens = tokenizer(line, return_tensors="pt")
        assert (tokens["input_ids"] == tokenizer.mask_token_id).sum() == 1
        assert tokenizer.unk_token_id not in tokens["input_ids"]
        assert model(**tokens).logits.shape == (1, tokens["input_ids"].shape[1], len(tokenizer))


def test_gpt2_encodes_any_text_and_goes_on(made):
    from transformers import AutoTokenizer, GPT2LMHeadModel

    tokenizer, model = AutoTokenizer.from_pretrained(made["gpt2"]), GPT2LMHeadModel.from_pretrained(made["gpt2"])
    for line in ("Once upon a time", "从前有座山", "naïve 🙂"):
        tokens = tokenizer(line, return_tensors="pt")
        assert tokenizer.decode(tokens["input_ids"][0]) == line
        out = model.generate(**tokens, max_new_tokens=3, min_new_tokens=3, do_sample=False, pad_token_id=0)
        assert out.shape[1] == tokens["input_ids"].shape[1] + 3


def test_blip2_puts_32_picture_tokens_in_front_and_sees_the_picture(made):
    from transformers import AutoProcessor, Blip2ForConditionalGeneration

    processor = AutoProcessor.from_pretrained(made["blip2"])
    model = Blip2ForConditionalGeneration.from_pretrained(made["blip2"]).eval()
    tokens = processor(images=picture(), text="Question: what? Answer:", return_tensors="pt")
    assert (tokens["input_ids"][0, :32] == model.config.image_token_index).all()
    assert (tokens["input_ids"][0, 32:] != model.config.image_token_index).all()
    other = processor(images=picture(1), text="Question: what? Answer:", return_tensors="pt")
    with torch.no_grad():
        first, same, second = (model(**t).logits for t in (tokens, tokens, other))
    assert torch.equal(first, same)
    assert (first - second).abs().max() > 1e-3
    assert model.generate(**tokens, max_new_tokens=2).shape[1] > tokens["input_ids"].shape[1]


def test_clip_scores_pictures_against_texts(made):
    from transformers import AutoProcessor, CLIPModel

    processor, model = AutoProcessor.from_pretrained(made["clip"]), CLIPModel.from_pretrained(made["clip"])
    batch = processor(images=[picture(0), picture(1)], text=["a", "b c", "图"], padding=True, return_tensors="pt")
    assert model(**batch).logits_per_image.shape == (2, 3)


def test_the_environment_names_the_checkpoint(tmp_path, monkeypatch):
    monkeypatch.delenv("MMLAB_BERT", raising=False)
    made = tiny.named("bert", tmp_path)
    assert made.random
    assert (tmp_path / "tiny-bert" / "config.json").exists()
    monkeypatch.setenv("MMLAB_BERT", "somewhere/else")
    assert tiny.named("bert", tmp_path / "unused") == ("somewhere/else", False)
    monkeypatch.setenv("MMLAB_BERT", "default")
    assert tiny.named("bert", tmp_path).name == "google-bert/bert-base-uncased"
    assert tiny.named("bert", tmp_path, "zh").name == "google-bert/bert-base-chinese"
    assert not (tmp_path / "unused").exists()


def test_an_unknown_kind_is_refused(tmp_path):
    with pytest.raises(ValueError, match="bert"):
        tiny.make("gpt5", tmp_path)


def test_it_is_quiet(tmp_path, capfd):
    from transformers import AutoProcessor, Blip2ForConditionalGeneration

    folder = tiny.make("blip2", tmp_path)
    AutoProcessor.from_pretrained(folder)
    Blip2ForConditionalGeneration.from_pretrained(folder)
    out = capfd.readouterr()
    assert out.out == out.err == ""
    assert logging.getLogger("transformers").level >= logging.ERROR
