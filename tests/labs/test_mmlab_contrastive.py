"""Contrastive learning: losses against references, what the batches hold, recall with ties, Winoground's scores."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlab import contrastive
from mmlab.contrastive import CLIP, EXCHANGES, MIXES, Caption, LateCLIP
from mmlab.scenes import LANGUAGES, captions
from mmlab.text import Vocabulary


@pytest.fixture(scope="module")
def pairs():
    return contrastive.training_pairs(contrastive.split()["train"], np.random.default_rng(0), n=300, single=200)


@pytest.fixture(scope="module")
def config(pairs):
    return {"tokens": list(Vocabulary.fit(c.text for c in pairs.captions).tokens), "dim": 16, "embed": 8}


# ---- losses ---------------------------------------------------------------------------------------------------------


def reference_info_nce(logits):
    n = len(logits)
    rows = [math.log(sum(math.exp(x) for x in row)) - row[i] for i, row in enumerate(logits)]
    columns = [math.log(sum(math.exp(logits[j][i]) for j in range(n))) - logits[i][i] for i in range(n)]
    return sum(rows + columns) / (2 * n)


def reference_sigmoid(logits):
    n = len(logits)
    return sum(math.log1p(math.exp(-x if i == j else x)) for i, row in enumerate(logits) for j, x in enumerate(row)) / n


square = st.integers(1, 6).flatmap(
    lambda n: st.lists(st.lists(st.floats(-8, 8), min_size=n, max_size=n), min_size=n, max_size=n)
)


@given(square)
@settings(max_examples=60, deadline=None)
def test_losses_are_their_formulas(logits):
    x = torch.tensor(logits, dtype=torch.float64)
    assert contrastive.info_nce(x).item() == pytest.approx(reference_info_nce(logits), abs=1e-9)
    assert contrastive.sigmoid_loss(x).item() == pytest.approx(reference_sigmoid(logits), abs=1e-9)


@given(square, st.floats(-3, 3))
@settings(max_examples=30, deadline=None)
def test_a_common_shift_moves_only_the_sigmoid_loss(logits, shift):
    x = torch.tensor(logits, dtype=torch.float64)
    assert contrastive.info_nce(x + shift).item() == pytest.approx(contrastive.info_nce(x).item(), abs=1e-9)


def test_chapter_example():
    S = torch.tensor([[0.9, 0.2, 0.1], [0.3, 0.8, 0.4], [0.1, 0.5, 0.6]])
    assert [round(contrastive.info_nce(S / t).item(), 4) for t in (1.0, 0.1, 0.07)] == [0.8026, 0.0885, 0.0484]
    assert contrastive.sigmoid_loss(10 * S - 10).item() == pytest.approx(2.490, abs=1e-3)


@pytest.mark.parametrize("loss", [contrastive.info_nce, contrastive.sigmoid_loss])
@pytest.mark.parametrize("more", [False, True])
def test_gradients(loss, more):
    x = torch.randn(4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    positive = torch.zeros(4, 4, dtype=torch.bool)
    positive[0, 2] = True
    assert torch.autograd.gradcheck(lambda v: loss(v, positive if more else None), x)


def test_known_positives_neither_pull_nor_push():
    x = torch.randn(5, 5, generator=torch.Generator().manual_seed(1), requires_grad=True)
    positive = torch.eye(5, dtype=torch.bool)
    positive[1, 3] = True
    contrastive.info_nce(x, positive).backward()
    assert x.grad[1, 3] == 0 and x.grad[3, 1] > 0 and x.grad.isfinite().all()
    assert torch.equal(contrastive.info_nce(x, torch.eye(5, dtype=torch.bool)), contrastive.info_nce(x))


# ---- scenes, captions, batches --------------------------------------------------------------------------------------


def test_families_are_all_layouts_once():
    every = [frozenset(s.placed) for family in contrastive.families() for s in family]
    assert len(every) == len(set(every)) == 864
    for scene, *exchanged in contrastive.families()[::20]:
        for what, other in zip(EXCHANGES, exchanged, strict=True):
            assert contrastive.exchange(contrastive.exchange(scene, what), what) == scene
            assert contrastive.bag(other) == contrastive.bag(scene)


def test_split_shares_no_layout():
    parts = contrastive.split()
    sets = {k: {frozenset(s.placed) for family in part for s in family} for k, part in parts.items()}
    assert [len(parts[k]) for k in ("train", "validation", "test")] == [151, 22, 43]
    assert all(not sets[a] & sets[b] for a, b in itertools.combinations(sets, 2))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_captions_are_true_and_exchanged_ones_are_not(lang):
    for family in contrastive.families()[::15]:
        found = contrastive.true_captions(family[0], lang)
        assert sorted(c.text for c in found) == sorted(captions(family[0], lang))
        for caption in found:
            assert caption.true_of(family[0])
            for what, scene in zip(EXCHANGES, family[1:], strict=True):
                other = contrastive.exchange_caption(caption, what)
                assert other.true_of(scene) and not other.true_of(family[0]) and not caption.true_of(scene)
                assert sorted(other.text) == sorted(caption.text)


def test_truth_table_agrees_with_each_caption(pairs):
    pick = [*range(0, 60), *range(1200, 1240)]
    some, said = [pairs.scenes[i] for i in pick], [pairs.captions[i] for i in pick]
    table = contrastive.truth_table(some, said)
    assert table.diagonal().all()
    assert table.tolist() == [[c.true_of(s) for c in said] for s in some]


def test_pairs_are_true_and_repeat_with_the_seed(pairs):
    assert all(c.true_of(s) for s, c in zip(pairs.scenes, pairs.captions, strict=True))
    again = contrastive.training_pairs(contrastive.split()["train"], np.random.default_rng(0), n=300, single=200)
    assert again.captions == pairs.captions and torch.equal(again.images, pairs.images)


@pytest.mark.parametrize("mix", MIXES)
def test_batches(pairs, mix):
    rows = contrastive.batches(pairs, mix, 5, np.random.default_rng(1))
    assert rows.shape == (5, 52)
    for row in rows.tolist():
        assert len(set(row)) == 52
        bags = [contrastive.bag(pairs.scenes[i]) for i in row[:36]]
        assert len({pairs.captions[i].a for i in row[36:]}) == 16
        if mix == "apart":
            assert len(set(bags)) == 36
        if mix == "families":
            assert all(len(set(bags[k : k + 4])) == 1 for k in range(0, 36, 4))
    with pytest.raises(ValueError, match="mix"):
        contrastive.batches(pairs, "other", 1, np.random.default_rng(1))


# ---- the model ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [CLIP, LateCLIP])
def test_shapes_and_padding(pairs, config, kind):
    torch.manual_seed(0)
    model = kind(config).eval()
    ids, mask = model.tokens(pairs.captions[:6])
    with torch.no_grad():
        assert model.picture_tokens(pairs.images[:6]).shape == (6, 16, 16)
        v, t = model.encode_pictures(pairs.images[:6]), model.encode_texts(ids, mask)
        assert torch.allclose(v.norm(dim=1), torch.ones(6), atol=1e-5) and v.shape == t.shape == (6, 8)
        S = model.similarity(pairs.images[:6], ids, mask)
        longest = int(mask.sum(1).max())
        cut = model.similarity(pairs.images[:6], ids[:, :longest], mask[:, :longest])
        noisy = torch.where(mask, ids, torch.randint_like(ids, 4, 20))
        assert torch.allclose(S, cut, atol=1e-5)
        assert torch.allclose(S, model.similarity(pairs.images[:6], noisy, mask), atol=1e-5)
        assert S.shape == (6, 6) and S.abs().max() <= 1 + 1e-5


def test_config_rebuilds_the_model(config):
    torch.manual_seed(0)
    model = LateCLIP({**config, "late": True})
    again = contrastive.from_config(model.config)
    again.load_state_dict(model.state_dict())
    assert type(again) is LateCLIP and type(contrastive.from_config(CLIP(config).config)) is CLIP
    assert (
        model.temperature == pytest.approx(0.07) and CLIP({**config, "temperature": 0.001}).logits(torch.ones(1)) == 100
    )


def test_learning_lowers_the_loss(pairs, config):
    torch.manual_seed(0)
    rows = contrastive.batches(pairs, "apart", 30, np.random.default_rng(2))
    losses = contrastive.learn(CLIP(config), pairs, rows, 0).losses
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.3


# ---- measures -------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=5), st.integers(1, 5))
@settings(max_examples=80, deadline=None)
def test_recall_is_the_mean_over_orders_of_equals(cells, k):
    scores, good = [s for s, _ in cells], [g for _, g in cells]
    if not any(good):
        good[0] = True
    orders = list(itertools.permutations(range(len(cells))))
    ranked = [sorted(order, key=lambda i: -scores[i]) for order in orders]  # stable: equals keep the order drawn
    expected = np.mean([any(good[i] for i in rank[:k]) for rank in ranked])
    got = contrastive.recall_at(torch.tensor([scores]).float(), torch.tensor([good]), k)
    assert got == pytest.approx(float(expected))


def test_winoground_chance_and_bags():
    rankings = torch.tensor(list(itertools.permutations(range(4)))).float().view(24, 2, 2)
    assert contrastive.winoground(rankings) == pytest.approx((1 / 4, 1 / 4, 1 / 6))
    f, g = torch.randn(2, 50, generator=torch.Generator().manual_seed(0)).double()
    assert contrastive.winoground(f[:, None, None] * torch.ones(1, 2, 2)).group == 0  # all tied
    assert contrastive.winoground(torch.stack([f, g], 1)[:, :, None] * torch.ones(1, 1, 2)).text == 0
    assert contrastive.winoground(torch.eye(2)[None]) == (1, 1, 1)


def test_similarities_and_zero_shot(pairs, config):
    torch.manual_seed(0)
    model = CLIP(config)
    S = contrastive.similarities(model, pairs.images[:10], pairs.captions[:7], size=4)
    assert S.shape == (10, 7)
    assert torch.allclose(S[3:5], contrastive.similarities(model, pairs.images[3:5], pairs.captions[:7]), atol=1e-5)
    assert contrastive.zero_shot(model, pairs.images[:10], "zh").shape == (10,)
    assert contrastive.quad_scores(model, replace(pairs, captions=pairs.captions[:8]), "places").shape == (2, 2, 2)
    assert Caption(contrastive.CLASSES[0], lang="zh").text == "有一个红色圆形"
