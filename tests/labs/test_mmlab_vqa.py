"""The VQA lab's module: what is held out stays out, additive models stay additive, readers are half blind, predictions
do not depend on company, calibration against a second computation."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlab import checkpoints, scenes, vqa
from mmlab.text import Vocabulary

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def small():
    """60 blocks without held-out pairs, and their preparation."""
    raw = vqa.seen(60, 3)
    prepare = vqa.Prepare.fit(raw)
    return raw, prepare, prepare(raw)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6))
def test_nothing_held_out_is_in_training(seed):
    held = vqa.TEST_PAIRS | vqa.VALIDATION_PAIRS
    assert not any(vqa.has(scene, held) for scene in vqa.seen(6, seed).scenes)
    for pairs in (vqa.TEST_PAIRS, vqa.VALIDATION_PAIRS):
        data = vqa.held_out(8, seed, pairs)
        assert len(data) == 16
        assert all(vqa.has(scene, pairs) and not vqa.has(scene, held - pairs) for scene in data.scenes)
        for k in range(
            0, 16, 2
        ):  # a picture's two questions have different answers: picture only is right once at most
            assert data.scenes[k] is data.scenes[k + 1]
            assert np.array_equal(data.images[k], data.images[k + 1])
            assert data.answers[k] != data.answers[k + 1]


def test_the_pairs_leave_every_colour_and_shape_in_training():
    assert not vqa.TEST_PAIRS & vqa.VALIDATION_PAIRS
    kept = {(c, s) for c in scenes.COLOURS for s in scenes.SHAPES} - vqa.TEST_PAIRS - vqa.VALIDATION_PAIRS
    assert len(kept) == 12
    assert {c for c, _ in kept} == set(scenes.COLOURS) and {s for _, s in kept} == set(scenes.SHAPES)


@pytest.mark.parametrize("name", vqa.MODELS)
def test_models_give_scores_with_gradients_everywhere(name, small):
    _, prepare, data = small
    model = vqa.build(name, len(prepare.vocabulary))
    some = data.at(torch.arange(16))
    out = model(some.image, some.ids, some.mask)
    assert out.shape == (16, 8)
    F.cross_entropy(out, some.answer).backward()
    for parameter in model.parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all()
    assert any((p.grad != 0).any() for p in model.parameters())


@pytest.mark.parametrize("name", vqa.MODELS)
def test_company_and_padding_change_nothing(name, small):
    raw, prepare, data = small
    model = vqa.build(name, len(prepare.vocabulary)).eval()
    together = vqa.scores(model, data.at(torch.arange(8)))
    alone = torch.cat([vqa.scores(model, data.at(torch.tensor([i]))) for i in range(8)])
    assert torch.allclose(together, alone, atol=1e-5)
    ids, mask = prepare.texts(raw.questions[:8], length=25)
    padded = vqa.scores(model, vqa.Batch(data.image[:8], ids, mask, data.answer[:8]))
    assert torch.allclose(together, padded, atol=1e-5)


def test_baselines_see_one_side_only(small):
    _, prepare, data = small
    mixed = data._replace(image=data.image.flip(0))
    text = vqa.build("text", len(prepare.vocabulary))
    assert torch.equal(vqa.scores(text, data), vqa.scores(text, mixed))
    image = vqa.build("image", len(prepare.vocabulary))
    other = data._replace(ids=data.ids.flip(0), mask=data.mask.flip(0))
    assert torch.equal(vqa.scores(image, data), vqa.scores(image, other))


def test_concat_is_additive_and_product_is_not(small):
    """On a crossed block, scores of the diagonal and of the other two pairs have equal sums if and only if additive."""
    _, prepare, data = small
    for name, additive in (("concat", True), ("product", False), ("readers", False)):
        found = vqa.scores(vqa.build(name, len(prepare.vocabulary)), data).view(-1, 4, 8)
        gap = (found[:, 0] + found[:, 3] - found[:, 1] - found[:, 2]).abs().max()
        assert (gap < 1e-5) == additive


def test_readers_are_half_blind(small):
    _, prepare, data = small
    model = vqa.Readers(len(prepare.vocabulary))
    image = data.image[:20]
    hue, outline = model.read(image)
    assert hue.shape == (20, 4, 3) and outline.shape == (20, 4, 256)
    assert torch.allclose(
        model.read(image.roll(1, 1))[1], outline, atol=1e-4
    )  # channels rotated: the shape reader is blind
    turned = image.unflatten(2, (2, 16)).unflatten(4, (2, 16)).flip(3).flip(5).flatten(4, 5).flatten(2, 3)
    assert torch.allclose(model.read(turned)[0], hue, atol=1e-4)  # pixels moved inside the cells: so is the other
    assert not torch.allclose(model.read(image.roll(1, 1))[0], hue, atol=1e-2)
    assert not torch.allclose(model.read(turned)[1], outline, atol=1e-2)


def test_the_question_weights_readers_but_no_single_answers(small):
    """The scores are a mean of two, with the same weights for every answer."""
    _, prepare, data = small
    model = vqa.Readers(len(prepare.vocabulary)).eval()
    some = data.at(torch.arange(12))
    with torch.inference_mode():
        weights, which, colour, shape = model.look(*some[:3])
        found = [F.relu((weights[..., None] * t).sum(1)) for t in (colour, shape)]
        by_hand = which[:, :1] * model.answers[0](found[0]) + which[:, 1:] * model.answers[1](found[1])
        assert torch.allclose(model(*some[:3]), by_hand, atol=1e-5)
    assert torch.allclose(weights.sum(1), torch.ones(12)) and torch.allclose(which.sum(1), torch.ones(12))


def test_without_scale_forgets_mean_and_contrast():
    x = torch.randn(5, 40)
    assert torch.allclose(vqa.without_scale(x + 3), vqa.without_scale(x), atol=1e-5)
    assert torch.allclose(vqa.without_scale(50 * x, floor=0), vqa.without_scale(x, floor=0), atol=1e-5)
    assert vqa.without_scale(torch.full((1, 40), 7.0) + 1e-4 * torch.randn(1, 40)).abs().max() < 0.01


def test_attention_is_a_distribution(small):
    _, prepare, data = small
    for name, places in (("cross-attention", 16), ("find", 4), ("readers", 4)):
        weights = vqa.build(name, len(prepare.vocabulary)).attention(*data[:3])
        assert weights.shape == (len(data.answer), places)
        assert torch.allclose(weights.sum(1), torch.ones(len(weights)), atol=1e-5)
    with pytest.raises(TypeError):
        vqa.build("product", len(prepare.vocabulary)).attention(*data[:3])


def test_training_learns_and_repeats(small):
    _, prepare, data = small
    runs = []
    for _ in range(2):
        torch.manual_seed(0)
        model = vqa.build("readers", len(prepare.vocabulary))
        runs.append(vqa.train(model, data, steps=30, batch=64, seed=1).losses)
    assert runs[0] == runs[1] and np.mean(runs[0][-5:]) < 0.9 * np.mean(runs[0][:5])


def test_matching_blocks_use_the_same_words():
    for short in (False, True):
        data = vqa.matching(12, 5, short)
        assert len(data.images) == len(data.captions) == 2 * len(data.kinds) == 24
    full = vqa.matching(30, 6)
    for k in range(30):
        one, two = full.captions[2 * k], full.captions[2 * k + 1]
        assert one != two and sorted(one) == sorted(two)


def test_matcher_scores_pairs_and_ignores_padding():
    data = vqa.matching(6, 1)
    prepare = vqa.Prepare(Vocabulary.fit(data.captions), vqa.Standardise((0.5,) * 3, (0.5,) * 3))
    pairs = vqa.Captioned.of(data, prepare)
    model = vqa.Matcher(len(prepare.vocabulary)).eval()
    found, words = model.encode(*pairs)
    assert torch.allclose(found.norm(dim=-1), torch.ones(12, 4), atol=1e-5)
    similarity = model.similarity(found, words, pairs.mask)
    assert similarity.shape == (12, 12) and similarity.abs().max() <= 1 + 1e-5
    by_hand = (words[3][pairs.mask[3]] @ found[5].T).amax(1).mean()  # caption 3 with picture 5
    assert torch.allclose(similarity[5, 3], by_hand, atol=1e-5)
    *_, fits = vqa.cross(found, words, pairs.mask)
    assert fits.tolist() == [True, False, False, True] * 6
    noise = words + (~pairs.mask)[..., None] * torch.randn_like(words)
    assert torch.allclose(model.fits(found, words, pairs.mask), model.fits(found, noise, pairs.mask), atol=1e-5)
    assert vqa.matching_right(model, pairs).shape == (6, 4)


def test_contrastive_loss_is_cross_entropy_both_ways():
    data = vqa.matching(5, 2)
    prepare = vqa.Prepare(Vocabulary.fit(data.captions), vqa.Standardise((0.5,) * 3, (0.5,) * 3))
    pairs = vqa.Captioned.of(data, prepare)
    model = vqa.Matcher(len(prepare.vocabulary)).eval()
    found, words = model.encode(*pairs)
    z = (model.similarity(found, words, pairs.mask) * model.sharpness.exp()).detach().double().numpy()
    rows = -np.mean([z[i, i] - np.log(np.exp(z[i]).sum()) for i in range(10)])
    columns = -np.mean([z[i, i] - np.log(np.exp(z[:, i]).sum()) for i in range(10)])
    assert abs(vqa.contrastive_loss(model, pairs).item() - (rows + columns) / 2) < 1e-4


# ---- prediction -----------------------------------------------------------------------------------------------------


@pytest.fixture
def predictor(small, tmp_path, monkeypatch):
    """A predictor that has been on disk."""
    _, prepare, _ = small
    monkeypatch.setenv("MMLAB_CHECKPOINTS", str(tmp_path))
    torch.manual_seed(0)
    model = vqa.build("readers", len(prepare.vocabulary))
    checkpoints.save("03-training", "readers", model, {"model": "readers", **prepare.config()})
    return vqa.Predictor.load("readers")


def test_saved_and_loaded_predicts_the_same(predictor, small):
    raw, prepare, data = small
    torch.manual_seed(0)
    model = vqa.build("readers", len(prepare.vocabulary))
    assert torch.equal(vqa.scores(model, data), vqa.scores(predictor.model, predictor.prepare(raw)))
    assert predictor.prepare.vocabulary.tokens == prepare.vocabulary.tokens and predictor.answers == scenes.ANSWERS


def test_one_equals_many(predictor, small):
    raw, _, _ = small
    many = predictor.many(list(raw.images[:9]), raw.questions[:9])
    for answer, image, question in zip(many, raw.images, raw.questions, strict=False):
        one = predictor.one(image, question)
        assert one.word == answer.word and torch.allclose(one.probabilities, answer.probabilities, atol=1e-6)
        assert abs(float(one.probabilities.sum()) - 1) < 1e-5 and one.confidence == one.probabilities.max().item()
    assert predictor.many([], []) == []


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_bad_input_says_what_is_wrong(predictor, small, monkeypatch, lang):
    monkeypatch.setenv("MMLAB_LANG", lang)
    raw, _, _ = small
    image, question = raw.images[0], raw.questions[0]
    bad = [
        (image.astype(np.float32), question, "float32"),
        (image[:16], question, "(16, 32, 3)"),
        (image[..., 0], question, "(32, 32)"),
        (image, "", ""),
        (image, "？！", ""),
        (image, "What colour is the hexagon?", "hexagon"),
        (image, "what " * 13, "13"),
        (image, 5, ""),
    ]
    for picture, asked, said in bad:
        with pytest.raises(vqa.BadInput) as error:
            predictor.one(picture, asked)
        assert said in str(error.value) and ("\u4e00" <= max(str(error.value)) <= "\uffff") == (lang == "zh")
    with pytest.raises(vqa.BadInput, match="1"):
        predictor.many([image, image], [question, ""])
    with pytest.raises(vqa.BadInput, match="2 ≠ 1"):
        predictor.many([image, image], [question])


def test_calibration_error_against_a_second_computation():
    rng = np.random.default_rng(0)
    confidence, correct = rng.random(500), rng.random(500) < 0.6
    expected = 0.0
    for k in range(10):
        inside = (confidence >= k / 10) & (confidence < (k + 1) / 10)
        expected += abs(correct[inside].sum() - confidence[inside].sum()) / 500
    found, table = vqa.calibration_error(torch.from_numpy(confidence), torch.from_numpy(correct))
    assert abs(found - expected) < 1e-5 and abs(float(table[:, 0].sum()) - 1) < 1e-5
    assert vqa.calibration_error(torch.ones(4), torch.ones(4, dtype=torch.bool))[0] == 0


@settings(max_examples=10, deadline=None)
@given(st.floats(0.3, 5.0), st.integers(0, 1000))
def test_temperature_finds_the_one_that_was_hidden(hidden, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(4000, 8, generator=generator)
    answer = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    assert abs(vqa.fit_temperature(hidden * logits, answer) / hidden - 1) < 0.12


def test_two_processes_have_the_losses_of_one(monkeypatch):
    script = ROOT / "notebooks" / "train_vqa.py"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", str(script)]
    done = subprocess.run([*launch, "--steps", "6"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    two = json.loads(done.stdout.splitlines()[-1])
    monkeypatch.syspath_prepend(str(script.parent))
    one = importlib.import_module("train_vqa").losses(steps=6)
    assert two["processes"] == 2 and np.allclose(one, two["losses"]["plain"], atol=1e-4)
    assert len(set(one)) == 6
