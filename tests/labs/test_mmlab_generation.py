"""Lab 9's package: latents, the flow, guidance, and a judge that reads pictures by rules."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlab import generation
from mmlab.contrastive import LateCLIP
from mmlab.encoders import patchify
from mmlab.errors import BadFile
from mmlab.generation import HELD, Autoencoder, Flow, Painter, Words
from mmlab.scenes import COLOURS, SHAPES, Placed, Scene, Thing, draw
from mmlab.text import Vocabulary

torch.set_num_threads(1)


def some_words(n: int, length: int = 5, seed: int = 0) -> Words:
    generator = torch.Generator().manual_seed(seed)
    mask = torch.arange(length) < torch.randint(1, length + 1, (n, 1), generator=generator)
    return Words(torch.randn(n, length, 64, generator=generator), mask)


def lively(**config: int) -> Flow:
    """A flow whose gates and output are not zero, so that it does something."""
    torch.manual_seed(0)
    flow = Flow(**config)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return flow.eval()


def small_painter() -> Painter:
    torch.manual_seed(0)
    vocabulary = Vocabulary.fit(one.text for one in generation.said(40, 0))
    clip = LateCLIP({"tokens": list(vocabulary.tokens), "late": True})
    return Painter.of(clip, lively(dim=16, layers=1), Autoencoder().eval())


# ---- data -----------------------------------------------------------------------------------------------------------


def test_no_held_out_thing_is_ever_in_the_seen_part():
    every = HELD["validation"] | HELD["test"]
    assert len(every) == 4 and {t.colour for t in every} == set(COLOURS) and {t.shape for t in every} == set(SHAPES)
    assert not any(every & one.scene.things for one in generation.said(300, 1))


@pytest.mark.parametrize("part", ["validation", "test"])
def test_a_held_out_part_has_its_own_things_and_no_others(part):
    other = HELD["test" if part == "validation" else "validation"]
    for one in generation.said(60, 2, part):
        assert HELD[part] & one.scene.things and not other & one.scene.things


def test_captions_are_those_of_the_seed_and_take_turns_in_language():
    first, again = generation.said(30, 3), generation.said(30, 3)
    assert first == again and first != generation.said(30, 4)
    assert [one.lang for one in first[:4]] == ["zh", "en", "zh", "en"]
    with pytest.raises(ValueError):
        generation.said(3, 0, "train")


def test_a_swapped_caption_has_the_same_words_and_is_false_of_the_picture():
    for one in generation.said(20, 5):
        swapped = one.swapped()
        assert sorted(swapped.text) == sorted(one.text) and swapped.text != one.text
        assert swapped.swapped() == one
        picture = draw(one.scene, np.random.default_rng(0))
        assert generation.judge(picture, one.a, one.relation, one.b).all
        verdict = generation.judge(picture, swapped.a, swapped.relation, swapped.b)
        assert verdict.things and not verdict.all


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_pictures_survive_the_way_to_the_model_and_back(seed):
    pictures = np.random.default_rng(seed).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    assert np.array_equal(generation.to_pictures(generation.to_model(pictures)), pictures)


# ---- autoencoder ----------------------------------------------------------------------------------------------------


def test_latents_are_small_and_standardised():
    torch.manual_seed(0)
    autoencoder = Autoencoder()
    pictures = generation.to_model(generation.paint(generation.said(64, 6), np.random.default_rng(0)))
    z = autoencoder.train().encode(pictures)
    assert z.shape == (64, 8, 4, 4) and autoencoder.decode(z).shape == pictures.shape
    assert z.mean((0, 2, 3)).abs().max() < 1e-4
    spread = z.var((0, 2, 3), unbiased=False)  # a little under 1: an untrained encoder hardly varies
    assert spread.min() > 0.8 and spread.max() < 1.01


def test_latents_do_not_depend_on_the_company():
    torch.manual_seed(0)
    autoencoder = Autoencoder()
    pictures = torch.randn(7, 3, 32, 32)
    assert torch.allclose(autoencoder.latents(pictures, 3), autoencoder.latents(pictures, 7), atol=1e-5)
    assert not autoencoder.training


# ---- the flow -------------------------------------------------------------------------------------------------------


@given(st.integers(1, 3), st.sampled_from([1, 2, 4]), st.sampled_from([4, 8]))
@settings(max_examples=20, deadline=None)
def test_unpatchify_is_the_inverse(channels, patch, side):
    x = torch.randn(2, channels, side, side)
    assert torch.equal(generation.unpatchify(patchify(x, patch), patch, channels), x)


def test_the_untrained_flow_gives_nothing():
    x = torch.randn(3, 8, 4, 4)
    assert Flow()(x, torch.rand(3), some_words(3)).abs().max() == 0


def test_padding_words_change_nothing_and_real_words_do():
    flow, words = lively(dim=32, layers=2), some_words(4)
    x, t = torch.randn(4, 8, 4, 4), torch.rand(4)
    before = flow(x, t, words)
    padding = torch.where(words.mask[..., None], words.states, 99.0)
    assert torch.allclose(flow(x, t, Words(padding, words.mask)), before, atol=1e-5)
    real = torch.where(words.mask[..., None], -words.states, words.states)
    assert not torch.allclose(flow(x, t, Words(real, words.mask)), before, atol=1e-3)


def test_an_empty_caption_is_the_same_whatever_it_was():
    flow, given = lively(dim=32, layers=2), torch.tensor([False, True])
    x, t = torch.randn(2, 8, 4, 4), torch.rand(2)
    one, other = (flow(x, t, some_words(2, seed=k).only(given)) for k in (1, 2))
    assert torch.allclose(one[0], other[0], atol=1e-6)
    assert not torch.allclose(one[1], other[1], atol=1e-3)


def test_the_time_matters():
    flow, x, words = lively(dim=32, layers=1), torch.randn(1, 8, 4, 4), some_words(1)
    assert not torch.allclose(flow(x, torch.tensor([0.2]), words), flow(x, torch.tensor([0.8]), words), atol=1e-3)


class Oracle(torch.nn.Module):
    """The true velocity to one picture, (x - x0) / t; the caption moves it by the sum of its words' states."""

    def __init__(self, x0):
        super().__init__()
        self.x0 = x0

    def forward(self, x, t, words):
        pull = (words.states * words.mask[..., None]).sum((1, 2))
        return (x - self.x0) / t[:, None, None, None] + pull[:, None, None, None]


def test_the_loss_is_zero_for_the_true_velocity_and_two_for_none():
    x0 = torch.randn(1, 8, 4, 4).expand(64, -1, -1, -1)
    silent = Words(torch.zeros(64, 2, 64), torch.ones(64, 2, dtype=torch.bool))
    assert generation.flow_loss(Oracle(x0), x0, silent) < 1e-8
    x0 = torch.randn(512, 8, 4, 4)
    nothing = Words(torch.zeros(512, 2, 64), torch.ones(512, 2, dtype=torch.bool))
    assert generation.flow_loss(Flow(), x0, nothing).item() == pytest.approx(2, abs=0.1)


def test_the_share_of_emptied_captions():
    seen = []

    class Spy(torch.nn.Module):
        def forward(self, x, t, words):
            seen.append((t, words.mask.any(1)))
            return x

    generation.flow_loss(Spy(), torch.zeros(4000, 1, 1, 1), some_words(4000), torch.Generator().manual_seed(0), 0.25)
    t, given_some = seen[0]
    assert given_some.float().mean().item() == pytest.approx(0.75, abs=0.03)
    assert t.min() > 0 and t.max() < 1
    assert t.median().item() == pytest.approx(1 / (1 + math.exp(-generation.EARLY)), abs=0.02)


@pytest.mark.parametrize("steps", [1, 3, 16])
def test_on_a_straight_road_any_number_of_steps_arrives(steps):
    x0 = torch.randn(2, 8, 4, 4)
    silent = Words(torch.zeros(2, 2, 64), torch.ones(2, 2, dtype=torch.bool))
    path: list[tuple[torch.Tensor, torch.Tensor]] = []
    end = generation.sample(Oracle(x0), torch.randn(2, 8, 4, 4), silent, steps, path=path)
    assert torch.allclose(end, x0, atol=1e-4)
    assert len(path) == steps and all(torch.allclose(guess, x0, atol=1e-4) for _, guess in path)


@given(st.floats(0, 9))
@settings(max_examples=25, deadline=None)
def test_guidance_is_on_the_line_through_both_velocities(scale):
    oracle, x, t = Oracle(torch.zeros(2, 8, 4, 4)), torch.randn(2, 8, 4, 4), torch.tensor([0.3, 0.9])
    words = some_words(2)
    free = oracle(x, t, words.only(torch.zeros(2, dtype=torch.bool)))
    full = oracle(x, t, words)
    assert torch.allclose(generation.guided(oracle, x, t, words, scale), free + scale * (full - free), atol=1e-3)


def test_a_negative_prompt_equal_to_the_prompt_takes_guidance_away():
    flow, words = lively(dim=32, layers=1), some_words(3)
    x, t = torch.randn(3, 8, 4, 4), torch.rand(3)
    assert torch.allclose(generation.guided(flow, x, t, words, 5.0, words), flow(x, t, words), atol=1e-4)


def test_gradients_reach_every_parameter():
    flow = lively(dim=16, layers=2).train()
    generation.flow_loss(flow, torch.randn(8, 8, 4, 4), some_words(8), drop=0.0).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in flow.parameters())


# ---- the painter ----------------------------------------------------------------------------------------------------


def test_the_painter_draws_pictures_the_same_for_the_same_noise():
    painter = small_painter()
    captions = [one.text for one in generation.said(3, 0)]
    first = painter.draw(captions, painter.noise(3, 1), 2)
    assert first.shape == (3, 32, 32, 3) and first.dtype == np.uint8
    assert np.array_equal(first, painter.draw(captions, painter.noise(3, 1), 2))
    assert not np.array_equal(first, painter.draw(captions, painter.noise(3, 2), 2))
    empty = painter.draw(["", ""], painter.noise(2, 1), 2)  # no words at all
    ignored = painter.draw(captions[:2], painter.noise(2, 1), 2, guidance=0)
    assert np.abs(empty.astype(int) - ignored).max() <= 1


def test_the_painter_reads_as_the_clip_did():
    torch.manual_seed(0)
    some = [one.text for one in generation.said(20, 0)]
    clip = LateCLIP({"tokens": list(Vocabulary.fit(some).tokens), "late": True}).eval()
    painter = Painter.of(clip, lively(dim=16, layers=1), Autoencoder())
    expected, got = generation.read_captions(clip, some), painter.read(some)
    assert torch.equal(expected.mask, got.mask) and torch.allclose(expected.states, got.states, atol=1e-6)


def test_a_saved_painter_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MMLAB_CHECKPOINTS", str(tmp_path))
    painter = small_painter()
    path = painter.save("09-generation", "test")
    assert next(painter.parameters()).dtype == torch.float32  # the painter itself stays as it was
    again = generation.load("09-generation", "test")
    assert next(again.parameters()).dtype == torch.float32
    assert path.stat().st_size < 2.2 * sum(p.numel() for p in painter.parameters()) + 20_000
    captions = [one.text for one in generation.said(2, 0)]
    difference = painter.draw(captions, painter.noise(2, 0), 4).astype(int) - again.draw(captions, again.noise(2, 0), 4)
    assert np.abs(difference).mean() < 2
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BadFile):
        generation.load("09-generation", "test")


# ---- the judge ------------------------------------------------------------------------------------------------------


def test_the_judge_reads_every_thing_in_every_cell():
    rng = np.random.default_rng(0)
    for colour in COLOURS:
        for shape in SHAPES:
            for row, col in ((0, 0), (0, 1), (1, 0), (1, 1)):
                placed = Placed(Thing(colour, shape), row, col)
                found = generation.read(draw(Scene((placed,)), rng))
                assert [f.placed for f in found] == [placed] and found[0].fit > 0.5


def test_the_judge_on_real_pictures():
    some = generation.said(150, 7, "all")
    pictures = generation.paint(some, np.random.default_rng(1))
    assert generation.verdicts(pictures, some).mean(0).min() > 0.97
    assert generation.verdicts(pictures, some[2:] + some[:2])[:, -1].mean() < 0.1


def test_the_judge_sees_nothing_on_empty_paper_and_too_much_in_a_crowd():
    assert generation.read(np.full((32, 32, 3), 238, np.uint8)) == []
    thing = [Thing("red", "circle"), Thing("blue", "star"), Thing("green", "square")]
    crowd = Scene(tuple(Placed(t, k // 2, k % 2) for k, t in enumerate(thing)))
    verdict = generation.judge(draw(crowd, np.random.default_rng(0)), thing[0], "left", thing[1])
    assert not verdict.two and not verdict.all


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8))
def test_effective_number_is_between_one_and_all(counts):
    assert 1 - 1e-9 <= generation.effective(counts) <= len(counts) + 1e-9


def test_effective_number_of_equal_shares():
    assert generation.effective([7, 7, 7, 7]) == pytest.approx(4)
    assert generation.effective([9, 0]) == pytest.approx(1)


def test_variety_counts_layouts_and_nothing_else_when_pictures_are_the_same():
    one = generation.said(1, 8)[0]
    picture = draw(one.scene, np.random.default_rng(0))
    same = generation.variety(np.stack([picture] * 6), one)
    assert same is not None and same.obeying == 6
    assert same.layouts == pytest.approx(1) and same.sizes == pytest.approx(0) and same.tints == pytest.approx(0)
    different = generation.variety(np.stack([draw(one.scene, np.random.default_rng(k)) for k in range(12)]), one)
    assert (
        different is not None
        and different.sizes > 0.01
        and different.tints > 2
        and different.layouts == pytest.approx(1)
    )
    assert generation.variety(np.stack([picture] * 6), one.swapped()) is None
