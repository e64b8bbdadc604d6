"""Rotary positions by their properties, tiling that covers, merging that loses nothing."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlab import positions as p

few = settings(max_examples=40, deadline=None)
dims = st.integers(1, 16).map(lambda k: 4 * k)
places = st.integers(0, 5000)
sides = st.integers(1, 5000)


def pair(dim, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, dim, generator=generator, dtype=torch.float64)


def at(x, place, base=10000.0):
    return p.rope(x[None], torch.tensor([place]), base)[0]


# ---- rotary positions -----------------------------------------------------------------------------------------------


@few
@given(dims, places, st.integers(0, 99))
def test_rotation_keeps_norms_and_position_0_changes_nothing(dim, place, seed):
    x = pair(dim, seed)[0]
    assert torch.allclose(at(x, place).norm(), x.norm())
    assert torch.equal(at(x, 0), x)


@few
@given(dims, places, places, places, st.sampled_from([100.0, 10000.0]), st.integers(0, 99))
def test_the_product_depends_on_the_difference_of_positions_only(dim, m, n, shift, base, seed):
    q, k = pair(dim, seed)
    here = at(q, m, base) @ at(k, n, base)
    assert torch.allclose(here, at(q, m + shift, base) @ at(k, n + shift, base), atol=1e-8)
    assert torch.allclose(at(at(q, m, base), n, base), at(q, m + n, base), atol=1e-8)  # rotations add


def test_rope_by_the_definition_of_the_paper():
    q = pair(8, 0)[0]
    out, theta = at(q, 7, 50.0), p.frequencies(8, 50.0)
    turned = torch.complex(q[:4], q[4:]) * torch.exp(7j * theta)
    assert torch.allclose(out, torch.cat([turned.real, turned.imag]))
    assert torch.allclose(theta, torch.tensor([50.0 ** (-2 * i / 8) for i in range(4)], dtype=torch.float64))


def test_frequencies_want_pairs():
    for dim in (0, 1, 7):
        with pytest.raises(ValueError, match="pairs"):
            p.frequencies(dim)


@few
@given(st.integers(2, 32).map(lambda k: 2 * k), st.floats(1, 16), st.floats(50, 1e6))
def test_ntk_slows_the_slowest_pair_by_scale_and_leaves_the_fastest(dim, scale, base):
    before, after = p.frequencies(dim, base), p.frequencies(dim, p.ntk_base(base, scale, dim))
    assert before[0] == after[0] == 1
    assert (before[-1] / after[-1]).item() == pytest.approx(scale)


@few
@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_two_dimensions_depend_on_both_differences(r1, c1, r2, c2, down, right):
    q, k = pair(16, 3)

    def score(ra, ca, rb, cb):
        a, b = (
            p.rotate(x, p.angles_2d(torch.tensor(r), torch.tensor(c), 16)) for x, r, c in ((q, ra, ca), (k, rb, cb))
        )
        return a @ b

    assert torch.allclose(score(r1, c1, r2, c2), score(r1 + down, c1 + right, r2 + down, c2 + right))


def test_grid_positions_go_row_by_row():
    rows, cols = p.grid_positions(2, 3)
    assert rows.tolist() == [0, 0, 0, 1, 1, 1]
    assert cols.tolist() == [0, 1, 2, 0, 1, 2]


@few
@given(st.lists(st.integers(0, 8), min_size=1, max_size=4))
def test_mrope_equals_rope_on_text(lengths):
    found = p.mrope_positions(lengths)
    total = sum(lengths)
    assert torch.equal(found, torch.arange(total).expand(3, total))
    assert torch.equal(p.mrope_angles(found, (2, 3, 3)), p.angles(torch.arange(total), 16))


@few
@given(st.lists(st.one_of(st.integers(1, 5), st.tuples(*[st.integers(1, 4)] * 3)), min_size=1, max_size=5))
def test_mrope_positions_start_one_after_the_largest_so_far(parts):
    found, start, largest = p.mrope_positions(parts), 0, -1
    for part in parts:
        n = part if isinstance(part, int) else int(np.prod(part))
        here = found[:, start : start + n]
        assert (here.min(1).values == largest + 1).all()
        if not isinstance(part, int):
            assert len({tuple(c) for c in here.T.tolist()}) == n  # no two tokens share a place
        start, largest = start + n, int(here.max())
    assert found.shape == (3, start)


def test_mrope_against_the_published_implementation():
    module = pytest.importorskip("transformers.models.qwen2_vl.modeling_qwen2_vl")
    fake = SimpleNamespace(config=SimpleNamespace(vision_config=SimpleNamespace(spatial_merge_size=2)))
    fake.get_vision_position_ids = lambda *args, **more: module.Qwen2VLModel.get_vision_position_ids(
        fake, *args, **more
    )
    kinds = torch.tensor([[0] * 3 + [1] * 6 + [0] * 2])
    theirs, _ = module.Qwen2VLModel.get_rope_index(
        fake, torch.ones_like(kinds), kinds, image_grid_thw=torch.tensor([[1, 4, 6]])
    )
    ours = p.mrope_positions([3, (1, 2, 3), 2])
    assert torch.equal(theirs[:, 0], ours)

    rotary = SimpleNamespace(mrope_section=[2, 3, 3])
    freq = ours[:, None, :, None] * p.frequencies(16)
    cos = module.Qwen2VLRotaryEmbedding.recomposition_frequencies(rotary, freq.cos())[0]
    sin = module.Qwen2VLRotaryEmbedding.recomposition_frequencies(rotary, freq.sin())[0]
    x = torch.randn(11, 16, dtype=torch.float64)
    assert torch.allclose(p.rotate(x, p.mrope_angles(ours, (2, 3, 3))), x * cos + module.rotate_half(x) * sin)


# ---- tiling ---------------------------------------------------------------------------------------------------------


@few
@given(sides, sides, st.integers(1, 12), st.booleans())
def test_tiles_cover_the_picture_once(width, height, most, closest):
    grid = p.closest_ratio_grid(width, height, 8, most) if closest else p.best_fit_grid(width, height)
    w, h = grid.size
    seen = np.zeros((h, w), int)
    for left, top, right, bottom in grid.boxes():
        assert right - left == bottom - top == grid.tile
        seen[top:bottom, left:right] += 1
    assert (seen == 1).all()
    assert 1 <= grid.tiles <= (most if closest else 4)


@few
@given(sides, sides, st.integers(1, 12))
def test_no_other_grid_has_a_closer_ratio(width, height, most):
    grid = p.closest_ratio_grid(width, height, 448, most)
    off = abs(width / height - grid.cols / grid.rows)
    for cols in range(1, most + 1):
        for rows in range(1, most // cols + 1):
            assert off <= abs(width / height - cols / rows)


@few
@given(sides, sides)
def test_best_fit_wastes_least_among_those_that_show_most(width, height):
    def useful(w, h):
        scale = min(w / width, h / height)
        return min(int(width * scale) * int(height * scale), width * height)

    w, h = p.best_fit_grid(width, height).size
    assert useful(w, h) == max(useful(*r) for r in p.LLAVA_NEXT)
    assert w * h == min(a * b for a, b in p.LLAVA_NEXT if useful(a, b) == useful(w, h))


@few
@given(st.integers(28, 5000), st.integers(28, 5000))
def test_native_size_is_whole_units_within_limits(width, height):
    w, h = p.native_size(width, height, most=1280 * 28 * 28)
    assert w % 28 == h % 28 == 0
    assert w * h <= 1280 * 28 * 28
    assert w * h >= 4 * 28 * 28
    if width * height < 1200 * 28 * 28 and min(width, height) > 56:
        assert abs(w - width) <= 14
        assert abs(h - height) <= 14


@pytest.mark.parametrize(
    ("size", "grid"),
    [
        ((448, 448), (1, 1)),
        ((896, 448), (2, 1)),
        ((300, 1200), (1, 4)),
        ((1344, 896), (3, 2)),
        ((600, 600), (1, 1)),
        ((1000, 1000), (3, 3)),
    ],
)
def test_known_grids(size, grid):
    assert p.closest_ratio_grid(*size)[:2] == grid


def test_known_token_counts():
    assert p.tile_tokens(448, 14, 2) == 256  # InternVL 1.5
    assert p.tile_tokens(336, 14) == 576  # LLaVA-1.5
    assert p.native_size(224, 224) == (224, 224)
    assert 224 // 28 * (224 // 28) == 64  # Qwen2-VL, without its two markers
    with pytest.raises(ValueError, match="whole number"):
        p.tile_tokens(450, 14)


# ---- merging --------------------------------------------------------------------------------------------------------


@few
@given(st.integers(1, 3), st.integers(2, 12), st.data())
def test_merging_conserves_the_weighted_sum_and_every_patch(batch, n, data):
    r = data.draw(st.integers(0, (n + 1) // 2))
    x = torch.randn(batch, n, 5, dtype=torch.float64)
    size = torch.randint(1, 4, (batch, n, 1)).double()
    matching = p.match(x, r)
    merged, sizes = p.merge(x, size, matching)
    assert merged.shape == (batch, n - r, 5)
    assert torch.allclose((merged * sizes).sum(1), (x * size).sum(1))
    assert torch.allclose(sizes.sum(1), size.sum(1))
    source = matching.add(torch.eye(n, dtype=torch.float64).expand(batch, -1, -1))
    assert torch.equal(source.sum(1), torch.ones(batch, n, dtype=torch.float64))
    assert torch.allclose(source @ (x * size) / sizes, merged)
    assert matching.drop(x).shape == merged.shape


def test_the_most_alike_are_merged():
    x = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [0.1, 1.0], [1.0, 0.2]]])  # A: 0 and 2, B: 1 and 3
    matching = p.match(x, 1)
    assert (matching.merged.item(), matching.kept.item(), matching.into.item()) == (1, 0, 0)
    with pytest.raises(ValueError, match="at most 2"):
        p.match(x, 3)


def test_a_size_is_worth_so_many_copies():
    torch.manual_seed(0)
    block = p.MergingBlock(8, 2).double().eval()
    x = torch.randn(1, 3, 8, dtype=torch.float64)
    size = torch.tensor([[[2.0], [1.0], [3.0]]], dtype=torch.float64)
    copies = torch.cat([x[:, :1], x[:, :1], x[:, 1:2], *[x[:, 2:]] * 3], 1)
    short, _, _ = block(x, size)
    long, _, _ = block(copies, torch.ones(1, 6, 1, dtype=torch.float64))
    assert torch.allclose(short[0], long[0, [0, 2, 3]])
    assert not torch.allclose(block(x, size, proportional=False)[0], short)


@pytest.mark.parametrize("how", p.HOW)
def test_encoder_merges_r_tokens_in_each_layer(how):
    torch.manual_seed(0)
    encoder = p.MergingEncoder(5, size=16, patch=4, dim=12, layers=2, heads=3).eval()
    pictures = torch.randn(2, 3, 16, 16)
    tokens, size, source = encoder.features(pictures, 3, how)
    assert tokens.shape == (2, 10, 12)
    assert torch.equal(source.sum(2, keepdim=True), size)
    assert (source.sum(1) == 1).all() or how == "drop"
    assert encoder(pictures, 3, how).shape == (2, 5)
    assert encoder.features(pictures, 99)[0].shape[1] == 4  # never more than half


def test_merging_equal_tokens_changes_nothing():
    torch.manual_seed(0)
    encoder = p.MergingEncoder(5, size=16, patch=4, dim=12, layers=2, heads=3).double().eval()
    torch.nn.init.zeros_(encoder.position)
    plain = torch.ones(1, 3, 16, 16, dtype=torch.float64)
    assert torch.allclose(encoder(plain), encoder(plain, 4))


def test_gradients_reach_everything_through_merging():
    torch.manual_seed(0)
    encoder = p.MergingEncoder(2, size=8, patch=4, dim=8, layers=2, heads=2).double()
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: encoder(v, 1), (x,), eps=1e-6, atol=1e-5)
    encoder(x, 1).sum().backward()
    assert all(w.grad is not None and w.grad.abs().sum() > 0 for w in encoder.parameters())
