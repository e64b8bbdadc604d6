"""Cubes of three senses: the same seed gives the same bytes, answers are true, the ceilings hold by enumeration; and the
model's place holders and masks do what they say."""

from itertools import combinations, product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlab import cubes, text, three
from mmlab.cubes import ANSWERS, CHOICES, KINDS, MODALITIES
from mmlab.scenes import LANGUAGES, Thing

SEED = st.integers(0, 2**32 - 1)
SMALL = {"size": 8, "seconds": 0.04}


@settings(max_examples=10, deadline=None)
@given(SEED)
def test_same_seed_same_cubes(seed):
    first, again, other = (cubes.cubes(2, s, **SMALL) for s in (seed, seed, seed + 1))
    assert np.array_equal(first.pictures, again.pictures) and np.array_equal(first.sounds, again.sounds)
    assert first.questions == again.questions and np.array_equal(first.answers, again.answers)
    assert not np.array_equal(first.sounds, other.sounds)


def test_shapes():
    data = cubes.cubes(3, 0)
    assert data.pictures.shape == (6, 32, 32, 3) and data.pictures.dtype == np.uint8
    assert data.sounds.shape == (6, 2400) and np.abs(data.sounds).max() <= 1
    assert data.index.shape == (24, 3) and len(data) == len(data.kinds) == len(data.named) == 24
    assert len(data.questions) == 12 and len(data.scenes) == len(data.colours) == 6
    assert cubes.cubes(0, 0).pictures.shape == (0, 32, 32, 3)


@settings(max_examples=25, deadline=None)
@given(SEED, st.sampled_from([0.0, 0.5, 1.0]))
def test_answers_are_true_and_of_the_kind_asked_for(seed, named):
    data = cubes.cubes(3, seed, named=named, **SMALL)
    for i in range(len(data)):
        sample = data.sample(i)
        colour, kind = data.colours[sample.sound], data.kinds[i]
        wanted, other = data.scenes[sample.picture].placed
        if wanted.thing.colour != colour:
            wanted, other = other, wanted
        assert wanted.thing.colour == colour
        expected = {
            "shape": wanted.thing.shape,
            "side": "left" if wanted.col < other.col else "right",
            "height": "above" if wanted.row < other.row else "below",
        }[kind]
        assert ANSWERS[sample.answer] == expected in CHOICES[kind]
        said = data.questions[sample.question]
        assert said in {
            cubes.question(kind, lang, colour if data.named[i] else "", way) for lang in LANGUAGES for way in (0, 1)
        }


@settings(max_examples=25, deadline=None)
@given(SEED)
def test_without_a_sense_four_pairs_look_alike_and_differ_in_the_answer(seed):
    """The proof of the ceiling: the inputs of a pair are the same, so whatever is answered, one of the two is wrong."""
    data = cubes.cubes(2, seed, **SMALL)
    for missing in range(3):
        seen: dict[tuple, list[int]] = {}
        for i in range(len(data)):
            picture, sound, question = (int(v) for v in data.index[i])
            parts = [data.pictures[picture].tobytes(), data.sounds[sound].tobytes(), data.questions[question]]
            key = (i // 8, *(part for k, part in enumerate(parts) if k != missing))
            seen.setdefault(key, []).append(int(data.answers[i]))
        assert len(seen) == 4 * 2
        assert all(len(pair) == 2 and pair[0] != pair[1] for pair in seen.values())


def test_any_two_senses_are_right_half_the_time_at_most_by_trying_every_answer():
    """All ways to answer the four things that one with two senses can tell apart."""
    for cube in cubes.cubes(6, 1, **SMALL).cubes():
        options = np.unique(cube)
        for missing in range(3):
            groups = np.moveaxis(cube, missing, -1).reshape(4, 2)
            best = max((groups == np.array(guess)[:, None]).sum() for guess in product(options, repeat=4))
            assert best == 4


@settings(max_examples=20, deadline=None)
@given(SEED)
def test_ceilings(seed):
    for cube in cubes.cubes(3, seed, **SMALL).cubes():
        found = cubes.ceilings(cube)
        assert all(found[pair] == 0.5 for pair in combinations(MODALITIES, 2))
        assert all(found[one,] <= 0.5 for one in MODALITIES)
        assert found[MODALITIES] == 1 and found[()] <= 0.5
        assert cubes.additive_ceiling(cube) == 0.75


def test_naming_the_thing_makes_the_tone_redundant():
    data = cubes.cubes(20, 2, named=1.0, **SMALL)
    answers: dict[tuple[int, int], set[int]] = {}
    for (picture, _, question), target in zip(data.index.tolist(), data.answers, strict=True):
        answers.setdefault((picture, question), set()).add(int(target))
    assert all(len(found) == 1 for found in answers.values())
    share = cubes.cubes(400, 3, named=0.5, **SMALL).named.mean()
    assert 0.4 < share < 0.6


def test_held_out_combinations_stay_out_and_an_impossible_wish_is_refused():
    held = Thing("red", "star")
    data = cubes.cubes(60, 1, allow=lambda scene: held not in scene.things, **SMALL)
    assert all(held not in scene.things for scene in data.scenes)
    assert any(held in scene.things for scene in cubes.cubes(60, 1, **SMALL).scenes)
    with pytest.raises(ValueError, match="allow"):
        cubes.cubes(1, 0, allow=lambda scene: False, **SMALL)


def test_the_picture_or_the_timbre_does_not_give_the_colour_asked_for_away():
    """Both colours of a cube sound equally often, for every kind of question, in both languages."""
    data = cubes.cubes(40, 5, **SMALL)
    for kind in KINDS:
        asked = [i for i in range(len(data)) if data.kinds[i] == kind]
        assert len(asked) > 20
        first = sum(int(data.index[i, 1]) % 2 == 0 for i in asked)
        assert first * 2 == len(asked)
    assert {("发" in q) for q in data.questions} == {True, False}


# ---- the model ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data() -> three.Senses:
    made = cubes.cubes(4, 0, seconds=0.1)
    return three.Senses(made, text.Vocabulary.fit(made.questions))


@pytest.fixture(params=three.FUSIONS)
def model(request, data) -> three.ThreeSenses:
    torch.manual_seed(0)
    return three.ThreeSenses(60, request.param).eval()


def test_senses_put_the_right_parts_together(data):
    made = cubes.cubes(4, 0, seconds=0.1)
    batch = data.batch(torch.tensor([5, 30]))
    assert torch.equal(batch.mels[1], three.log_mels(made.sounds)[made.index[30, 1]])
    assert torch.equal(batch.pictures[0], data.pictures[made.index[5, 0]])
    assert batch.ids.shape == batch.mask.shape == (2, 20)


@pytest.mark.parametrize("missing", MODALITIES)
def test_what_is_missing_has_no_effect(model, data, missing):
    n = len(data)
    batch = data.batch(torch.arange(n))
    noise = three.Batch(
        torch.randn_like(batch.pictures), torch.randn_like(batch.mels), torch.ones_like(batch.ids), batch.mask
    )
    field = {"image": ["pictures"], "audio": ["mels"], "text": ["ids"]}[missing]
    other = batch._replace(**{name: getattr(noise, name) for name in field})
    present = three.without(n, (missing,))
    with torch.inference_mode():
        assert torch.equal(model(batch, present), model(other, present))
        assert not torch.allclose(model(batch), model(other))
        assert torch.equal(model(batch), model(batch, three.without(n, ())))


def test_a_place_holder_learns_only_where_its_sense_is_missing(model, data):
    batch = data.batch(torch.arange(8))
    present = three.without(8, ("audio",))
    model(batch, present).logsumexp(1).sum().backward()
    gradients = {name: p.grad for name, p in model.missing.items()}
    assert gradients["audio"].abs().sum() > 0
    assert gradients["image"].abs().sum() == gradients["text"].abs().sum() == 0
    assert all(p.grad is None or p.grad.abs().sum() == 0 for p in model.audio.parameters())


def test_the_linear_model_is_additive(data):
    torch.manual_seed(1)
    model = three.ThreeSenses(60, "linear").eval()
    with torch.inference_mode():
        scores = model(data.batch(torch.arange(8))).reshape(2, 2, 2, -1)
    for q in (0, 1):
        crossed = scores[0, 0, q] + scores[1, 1, q] - scores[0, 1, q] - scores[1, 0, q]
        assert crossed.abs().max() < 1e-4


def test_attention_is_a_distribution_over_cells(data):
    model = three.ThreeSenses(60).eval()
    with torch.inference_mode():
        weights = model.attend(data.batch(torch.arange(6)))[1]
    assert weights.shape == (6, 4, 4)
    assert torch.allclose(weights.sum(-1), torch.ones(6, 4))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.tuples(*[st.floats(0, 1)] * 3))
def test_dropout_leaves_something(seed, rates):
    present = three.drop_senses(50, rates, torch.Generator().manual_seed(seed))
    assert present.shape == (50, 3) and present.any(1).all()
    for column, rate in enumerate(rates):
        assert rate > 0 or present[:, column].all()


def test_dropout_has_the_rate_asked_for():
    present = three.drop_senses(20_000, (0, 0.3, 0), torch.Generator().manual_seed(0))
    assert abs((~present[:, 1]).float().mean() - 0.3) < 0.02


def test_config_builds_the_same_model(model):
    again = three.ThreeSenses(**model.config)
    again.load_state_dict(model.state_dict())
    with pytest.raises(ValueError, match="fuse"):
        three.ThreeSenses(60, "sum")
