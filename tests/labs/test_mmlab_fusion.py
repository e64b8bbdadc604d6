"""mmlab.fusion: one interface, formulas by hand, who is additive, gradients, masks."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mmlab import fusion

quick = settings(max_examples=15, deadline=None)
NAMES = list(fusion.FUSIONS)


def build(name: str, seed: int = 0, sizes: tuple[int, int, int] = (3, 5, 8)) -> fusion.Fusion:
    torch.manual_seed(seed)
    return fusion.FUSIONS[name](*sizes).double()


def randn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def mixed_difference(join: fusion.Fusion, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """h(a1, b1) + h(a2, b2) - h(a1, b2) - h(a2, b1): zero for every f(a) + g(b), and for nothing else."""
    return join(a[:1], b[:1]) + join(a[1:], b[1:]) - join(a[:1], b[1:]) - join(a[1:], b[:1])


@pytest.mark.parametrize("name", NAMES)
def test_one_interface(name: str) -> None:
    join = build(name)
    a, b = randn(4, 3), randn(4, 5)
    h = join(a, b)
    assert h.shape == (4, 8) and join.dim == 8
    alone = torch.cat([join(a[k : k + 1], b[k : k + 1]) for k in range(4)])
    assert torch.allclose(h, alone)  # samples of a batch do not touch each other


@quick
@given(st.sampled_from(NAMES), st.integers(0, 1000))
def test_additive_are_those_that_say_so(name: str, seed: int) -> None:
    join = build(name, seed)
    a, b = randn(2, 3), randn(2, 5)
    difference = mixed_difference(join, a, b).abs().max()
    if name in fusion.ADDITIVE or name == "cross-attention":  # with b pooled into one token
        assert difference < 1e-10
    else:
        assert difference > 1e-6


def test_cross_attention_interacts_once_it_has_a_choice() -> None:
    join = build("cross-attention")
    assert mixed_difference(join, randn(2, 3), randn(2, 4, 5)).abs().max() > 1e-6


@pytest.mark.parametrize("name", fusion.ADDITIVE)
def test_no_additive_fusion_passes_three_of_four(name: str) -> None:
    """Trained straight at the number of wrong answers on one crossed block; the others can do it."""
    wanted = torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64)
    a, b = torch.eye(2, dtype=torch.float64)[[0, 0, 1, 1]], torch.eye(2, dtype=torch.float64)[[0, 1, 0, 1]]
    solved = {}
    for kind in (name, "product"):
        torch.manual_seed(0)
        model = build(kind, sizes=(2, 2, 4))
        head = nn.Linear(4, 1).double()
        optimiser = torch.optim.Adam([*model.parameters(), *head.parameters()], 0.03)
        for _ in range(300):
            lead = head(model(a, b))[:, 0]
            optimiser.zero_grad()
            torch.sigmoid(-4 * wanted * lead).sum().backward()
            optimiser.step()
        solved[kind] = int((wanted * lead > 0).sum())
    assert solved[name] <= 3 and solved["product"] == 4


@pytest.mark.parametrize("name", NAMES)
def test_gradients(name: str) -> None:
    join = build(name, sizes=(3, 5, 4))
    a, b = randn(2, 3).requires_grad_(), randn(2, 5).requires_grad_()
    assert torch.autograd.gradcheck(join, (a, b))
    join(a, b).square().sum().backward()
    if name != "cross-attention":  # with one token its queries and keys do nothing
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in join.parameters())


def test_formulas_by_hand() -> None:
    a, b = randn(2, 3), randn(2, 5)
    concat = build("concat")
    w, bias = concat.linear.weight, concat.linear.bias
    assert torch.allclose(concat(a, b), a @ w[:, :3].T + b @ w[:, 3:].T + bias)

    mean = build("mean")
    assert torch.allclose(mean(a, b), torch.stack([mean.to_a(a), mean.to_b(b)]).mean(0))

    weighted = build("weighted")
    assert weighted.alpha == 0.5
    weighted.w.data.fill_(2.0)
    share = 1 / (1 + torch.e**-2)
    assert weighted.alpha == pytest.approx(share)
    assert torch.allclose(weighted(a, b), share * weighted.to_a(a) + (1 - share) * weighted.to_b(b))

    film = build("film")
    scale = 1 + film.gamma(a)
    assert torch.allclose(film(a, b), scale * film.to_b(b) + film.beta(a))

    product = build("product")
    u, v = (torch.cat([layer.weight, layer.bias[:, None]], 1) for layer in (product.to_a, product.to_b))
    one = torch.ones(2, 1, dtype=torch.float64)
    bilinear = torch.einsum("bi,ki,kj,bj->bk", torch.cat([a, one], 1), u, v, torch.cat([b, one], 1))
    assert torch.allclose(product(a, b), bilinear)


@quick
@given(st.integers(0, 1000))
def test_a_gate_stays_between_its_two_sides(seed: int) -> None:
    gated = build("gated", seed)
    a, b = randn(4, 3), randn(4, 5)
    sides = torch.stack([gated.to_a(a).tanh(), gated.to_b(b).tanh()])
    h = gated(a, b)
    assert (h >= sides.amin(0) - 1e-12).all() and (h <= sides.amax(0) + 1e-12).all()


def test_attention_shapes_and_mask() -> None:
    join = build("cross-attention")
    one, many, tokens = randn(2, 3), randn(2, 4, 3), randn(2, 6, 5)
    mask = torch.tensor([[True] * 6, [True] * 2 + [False] * 4])
    h, weights = join.attend(one, tokens, mask)
    assert h.shape == (2, 8) and weights.shape == (2, 4, 6)
    assert (weights[1, :, 2:] == 0).all() and torch.allclose(weights.sum(-1), torch.ones(2, 4, dtype=torch.float64))
    assert torch.allclose(h[1:], join(one[1:], tokens[1:, :2]))
    assert torch.allclose(h, join(one, tokens.masked_fill(~mask[..., None], 99.0), mask))
    h, weights = join.attend(many, tokens, mask)
    assert h.shape == (2, 4, 8) and weights.shape == (2, 4, 4, 6)
    assert torch.allclose(h[:, 1], join(many[:, 1], tokens, mask))


def test_one_token_gets_all_the_attention_whatever_was_asked() -> None:
    join = build("cross-attention")
    assert all((join.attend(randn(3, 3), randn(3, 5))[1] == 1).all() for _ in range(5))


def test_the_order_of_tokens_does_not_matter_to_attention() -> None:
    join = build("cross-attention")
    a, tokens = randn(1, 3), randn(1, 3, 5)
    outs = [join(a, tokens[:, list(order)]) for order in itertools.permutations(range(3))]
    assert all(torch.allclose(outs[0], out) for out in outs)
