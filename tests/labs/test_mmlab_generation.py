"""Flow matching: the loss, Euler's method and guidance against what they should be; and a judge that reads real pictures."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlab import generation, scenes
from mmlab.encoders import patchify


@pytest.fixture(scope="module")
def model() -> generation.Flow:
    torch.manual_seed(0)
    made = generation.Flow(20, size=16, patch=4, dim=16, layers=2, heads=2).eval()
    for parameter in made.parameters():  # nothing stays at its zero start
        torch.nn.init.normal_(parameter, std=0.2)
    return made


IDS = torch.randint(4, 20, (3, 9), generator=torch.Generator().manual_seed(1))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 3), st.sampled_from([(16, 4), (24, 4), (24, 3), (8, 2)]))
def test_unpatchify_is_the_inverse_of_patchify(n, sizes):
    size, patch = sizes
    x = torch.randn(n, 3, size, size)
    assert torch.equal(generation.unpatchify(patchify(x, patch), patch), x)


def test_pictures_survive_the_way_to_the_model_and_back():
    pictures = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    assert np.array_equal(generation.to_pictures(generation.to_model(pictures)), pictures)
    real = np.stack([scenes.draw(s, np.random.default_rng(0), 16) for *_, s in scenes.random_scenes(100, 0)])
    x = generation.to_model(real)
    assert abs(float(x.mean())) < 0.3 and 0.7 < float(x.std()) < 1.3


def test_without_a_caption_the_caption_has_no_effect(model):
    x, t = torch.randn(3, 3, 16, 16), torch.tensor([0.2, 0.5, 0.9])
    no, yes = torch.zeros(3, dtype=torch.bool), torch.ones(3, dtype=torch.bool)
    with torch.inference_mode():
        assert torch.equal(model(x, t, IDS, no), model(x, t, IDS.flip(1), no))
        assert not torch.allclose(model(x, t, IDS, yes), model(x, t, IDS.flip(1), yes))
        assert torch.equal(model(x, t, IDS), model(x, t, IDS, yes))


def test_at_first_the_velocity_is_that_of_an_empty_picture():
    fresh = generation.Flow(20, size=16, dim=16, layers=1, heads=2).eval()
    x = torch.randn(2, 3, 16, 16)
    with torch.inference_mode():
        assert torch.allclose(fresh(x, torch.ones(2), IDS[:2]), x)
        other = generation.Flow(20, size=16, dim=16, layers=1, heads=2, predicts="velocity").eval()
        assert other(x, torch.ones(2), IDS[:2]).abs().max() == 0


class Straight(torch.nn.Module):
    """Knows the picture: its velocity is (x - picture) / t, along a straight line."""

    def __init__(self, picture):
        super().__init__()
        self.picture = picture

    def forward(self, x, t, ids, given=None):
        return (x - self.picture) / t[:, None, None, None]


@pytest.mark.parametrize("steps", [1, 3, 20])
def test_euler_arrives_on_a_straight_line_in_any_number_of_steps(steps):
    picture, noise = torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8)
    path = generation.sample(Straight(picture), noise, IDS[:2], steps, path=True)
    assert path.shape == (steps + 1, 2, 3, 8, 8)
    assert torch.equal(path[0], noise) and torch.allclose(path[-1], picture, atol=1e-5)


def test_the_loss_of_one_who_knows_is_zero_and_the_formula_is_the_papers(model):
    picture = torch.randn(1, 3, 16, 16).expand(3, -1, -1, -1)
    assert generation.flow_loss(Straight(picture), picture, IDS) < 1e-6
    loss = generation.flow_loss(model, picture, IDS, torch.Generator().manual_seed(3), drop=0.5)
    again = torch.Generator().manual_seed(3)
    noise, t, coin = (
        torch.randn(picture.shape, generator=again),
        torch.rand(3, generator=again),
        torch.rand(3, generator=again),
    )
    t = (generation.EARLY + t).sigmoid()
    at = t.view(3, 1, 1, 1)
    v = model((1 - at) * picture + at * noise, t, IDS, coin >= 0.5)
    assert torch.allclose(loss, ((v - (noise - picture)) ** 2).mean())


class Two(torch.nn.Module):
    """Velocity 1 without a caption, 3 with one."""

    def forward(self, x, t, ids, given=None):
        return torch.where(given, 3.0, 1.0)[:, None, None, None].expand_as(x)


@pytest.mark.parametrize(("guidance", "velocity"), [(0, 1), (1, 3), (2, 5), (7.5, 16)])
def test_guidance_extrapolates(guidance, velocity):
    noise = torch.zeros(1, 3, 4, 4)
    assert torch.allclose(generation.sample(Two(), noise, IDS[:1], 4, guidance), torch.tensor(-float(velocity)))


@pytest.mark.parametrize("size", [16, 24, 32])
def test_the_judge_reads_real_pictures(size):
    items = list(scenes.random_scenes(150, 3))
    rng = np.random.default_rng(5)
    pictures = np.stack([scenes.draw(scene, rng, size) for *_, scene in items])
    right = generation.verdicts(pictures, [item[:3] for item in items])
    assert right.mean(0).min() > 0.97
    swapped = generation.verdicts(pictures, [(b, relation, a) for a, relation, b, _ in items])
    assert swapped[:, 3].mean() > 0.97 and swapped[:, 4].mean() < 0.03
    others = [items[(k + 1) % len(items)][:3] for k in range(len(items))]
    assert generation.verdicts(pictures, others)[:, 4].mean() < 0.1


def test_the_judge_sees_nothing_in_an_empty_picture():
    assert generation.read(np.full((24, 24, 3), 235, np.uint8)) == []
