"""Pictures from captions by flow matching, with classifier-free guidance; and a judge that reads pictures by rules.

    noise (B, 3, S, S) ─ Euler steps along v(x, t, caption) ─→ picture (B, 3, S, S)

Flow matching (Lipman et al. 2022, https://arxiv.org/abs/2210.02747) along straight lines (rectified flow, Liu et al.
2022, https://arxiv.org/abs/2209.03003). Time runs as in the chapter: t = 1 is noise, t = 0 is the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .encoders import patchify
from .scenes import COLOURS, SHAPES, Placed, Scene, Thing, draw, relation_holds

MEAN, STD = 0.8, 0.25  # of ShapeTalk's pixels on the scale 0 … 1, rounded
NEAR = 0.2  # times below it count as this much where the picture is predicted, or the velocity would divide by zero
EARLY = 0.6  # training draws logit-normal times around sigmoid(0.6) = 0.65: what a picture shows is settled early


# ---- the network ----------------------------------------------------------------------------------------------------


def unpatchify(x: Tensor, patch: int, channels: int = 3) -> Tensor:
    """The inverse of `encoders.patchify` for square pictures: (B, N, C · patch²) → (B, C, S, S)."""
    side = round(x.shape[1] ** 0.5)
    x = x.reshape(len(x), side, side, channels, patch, patch)
    return x.permute(0, 3, 1, 4, 2, 5).reshape(len(x), channels, side * patch, side * patch)


def waves(t: Tensor, dim: int) -> Tensor:
    """Times (B,) between 0 and 1 → sines and cosines (B, dim) of frequencies from 1 to 1000."""
    turn = t[:, None] * torch.logspace(0, 3, dim // 2, device=t.device)
    return torch.cat([turn.sin(), turn.cos()], 1)


class SelfAttention(nn.Module):
    """Multi-head attention of a sequence to itself, without a mask (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762)."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) → (B, N, D)."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class FlowBlock(nn.Module):
    """A Transformer block whose normalised inputs are scaled and shifted, and whose outputs are gated, by a condition:
    adaLN-Zero of DiT (Peebles and Xie 2022, https://arxiv.org/abs/2212.09748). At first each block does nothing."""

    def __init__(self, dim: int, heads: int, expand: int = 2):
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(dim, elementwise_affine=False) for _ in range(2))
        self.attention = SelfAttention(dim, heads)
        self.mlp = nn.Sequential(nn.Linear(dim, expand * dim), nn.GELU(), nn.Linear(expand * dim, dim))
        self.condition = nn.Linear(dim, 6 * dim)
        nn.init.zeros_(self.condition.weight)
        nn.init.zeros_(self.condition.bias)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """x (B, N, D), condition c (B, D) → (B, N, D)."""
        shift1, scale1, gate1, shift2, scale2, gate2 = self.condition(c)[:, None].chunk(6, -1)
        h = self.norm1(x) * (1 + scale1) + shift1
        x = x + gate1 * self.attention(h)
        return x + gate2 * self.mlp(self.norm2(x) * (1 + scale2) + shift2)


class Flow(nn.Module):
    """The velocity v(x, t, caption): patches of the noisy picture and words of the caption in one sequence, all seeing
    all. A caption can be replaced by nothing (one learned token), for guidance."""

    def __init__(
        self,
        vocabulary: int,
        size: int = 24,
        patch: int = 4,
        dim: int = 96,
        layers: int = 4,
        heads: int = 4,
        length: int = 14,
        predicts: str = "picture",
    ):
        super().__init__()
        self.config: dict[str, Any] = {
            "vocabulary": vocabulary, "size": size, "patch": patch, "dim": dim, "layers": layers, "heads": heads,
            "length": length, "predicts": predicts,
        }  # fmt: skip
        self.size, self.patch, self.dim, self.predicts = size, patch, dim, predicts
        cells = (size // patch) ** 2
        self.enter = nn.Linear(3 * patch**2, dim)
        self.place = nn.Parameter(torch.randn(cells, dim))
        self.words = nn.Embedding(vocabulary, dim, padding_idx=0)
        self.order = nn.Parameter(torch.randn(length, dim))
        self.nothing = nn.Parameter(torch.randn(dim))
        self.caption = nn.Linear(length * dim, dim)
        self.time = nn.Sequential(nn.Linear(64, dim), nn.SiLU(), nn.Linear(dim, dim), nn.SiLU())
        self.blocks = nn.ModuleList(FlowBlock(dim, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        self.leave = nn.Linear(dim, 3 * patch**2)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, x: Tensor, t: Tensor, ids: Tensor, given: Tensor | None = None) -> Tensor:
        """x (B, 3, S, S), t (B,), ids (B, L) filled up with 0 → v (B, 3, S, S). given (B,) bool: False where the caption
        is to be ignored; all are given if left out."""
        words = self.words(F.pad(ids, (0, len(self.order) - ids.shape[1])))
        if given is not None:
            words = torch.where(given[:, None, None], words, self.nothing)
        picture = self.enter(patchify(x, self.patch)) + self.place
        tokens = torch.cat([picture, words + self.order], 1)
        c = self.time(waves(t, 64)) + self.caption(words.flatten(1))
        for block in self.blocks:
            tokens = block(tokens, c)
        out = unpatchify(self.leave(self.norm(tokens[:, : picture.shape[1]])), self.patch)
        if self.predicts == "velocity":
            return out
        return (x - out) / t.clamp(min=NEAR)[:, None, None, None]


# ---- training and sampling ------------------------------------------------------------------------------------------


def flow_loss(
    model: nn.Module,
    pictures: Tensor,
    ids: Tensor,
    generator: torch.Generator | None = None,
    drop: float = 0.1,
) -> Tensor:
    """Mean squared error of the velocity: E ‖v(x_t, t, c) - (ε - x_0)‖² with x_t = (1 - t) x_0 + t ε.

    Times are logit-normal, as in SD3 (Esser et al. 2024, https://arxiv.org/abs/2403.03206).

    pictures x_0 (B, 3, S, S), as `to_model` makes them. In a share `drop` of the samples the caption is left out, so that one
    network learns both velocities that guidance needs (Ho and Salimans 2022, https://arxiv.org/abs/2207.12598).
    """
    n = len(pictures)
    noise = torch.randn(pictures.shape, generator=generator)
    t = (EARLY + torch.randn(n, generator=generator)).sigmoid()
    given = torch.rand(n, generator=generator) >= drop
    at = t[:, None, None, None]
    return (model((1 - at) * pictures + at * noise, t, ids, given) - (noise - pictures)).square().mean()


@torch.inference_mode()
def sample(
    model: nn.Module,
    noise: Tensor,
    ids: Tensor,
    steps: int = 20,
    guidance: float = 1.0,
    path: bool = False,
) -> Tensor:
    """Euler's method from t = 1 to 0 in equal steps: x ← x - h v̂, v̂ = v(∅) + s (v(c) - v(∅)).

    noise (B, 3, S, S) → pictures of the same shape; with `path` all of them, (steps + 1, B, 3, S, S).
    guidance s: 0 ignores the caption, 1 is the plain conditional flow, above 1 exaggerates the caption. Only other
    values than 0 and 1 need two evaluations a step.
    """
    model.eval()
    x, seen = noise, [noise]
    yes, no = torch.ones(len(x), dtype=torch.bool), torch.zeros(len(x), dtype=torch.bool)
    for k in range(steps):
        t = torch.full((len(x),), 1 - k / steps)
        if guidance in (0, 1):
            v = model(x, t, ids, yes if guidance else no)
        else:
            free = model(x, t, ids, no)
            v = free + guidance * (model(x, t, ids, yes) - free)
        x = x - v / steps
        if path:
            seen.append(x)
    return torch.stack(seen) if path else x


def to_model(pictures: np.ndarray) -> Tensor:
    """(N, S, S, 3) uint8 → (N, 3, S, S) float32 with mean about 0 and spread about 1, like the noise."""
    return (torch.from_numpy(np.asarray(pictures).copy()).permute(0, 3, 1, 2).float() / 255 - MEAN) / STD


def to_pictures(x: Tensor) -> np.ndarray:
    """(N, 3, S, S) → (N, S, S, 3) uint8; what is out of range is cut."""
    return ((x * STD + MEAN).clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()


# ---- the judge ------------------------------------------------------------------------------------------------------


class Found(NamedTuple):
    """A thing that the judge sees in a cell."""

    placed: Placed
    fit: float  # 0 … 1, how much its outline is like that of the shape: intersection over union
    area: float  # share of the cell that it covers
    tint: tuple[float, float, float]  # its mean colour, 0 … 255


@lru_cache
def templates(size: int, grid: int = 2, versions: int = 24) -> np.ndarray:
    """Masks of the shapes as `scenes.draw` makes them: (4 · versions, cell, cell) float32, `versions` of each in order."""
    rng = np.random.default_rng(0)
    cell = size // grid
    made = []
    for shape in SHAPES:
        for _ in range(versions):
            picture = draw(Scene((Placed(Thing("blue", shape), 0, 0),), grid), rng, size)
            made.append(strength(picture)[:cell, :cell])
    return np.stack(made)


def strength(picture: np.ndarray) -> np.ndarray:
    """How coloured each pixel is: (S, S, 3) uint8 → (S, S) float32 between 0 (grey) and 1."""
    spread = picture.max(2).astype(np.float32) - picture.min(2)
    return np.clip(spread / 120, 0, 1)


def read(picture: np.ndarray, grid: int = 2, least: float = 0.12) -> list[Found]:
    """What stands in a picture (S, S, 3) uint8, by rules and without training: at most one thing in each cell.

    A cell with coloured pixels on less than `least` of its area is empty. The colour is the nearest of the four to the
    mean of the coloured pixels; the shape is that of the drawn outline with the largest overlap.
    """
    size = len(picture)
    cell = size // grid
    masks = templates(size, grid)
    found = []
    for row in range(grid):
        for col in range(grid):
            part = picture[row * cell : (row + 1) * cell, col * cell : (col + 1) * cell]
            mask = strength(part)
            area = float(mask.mean())
            if area < least:
                continue
            core = part[mask > 0.6 * mask.max()].astype(np.float64).mean(0)
            colour = min(COLOURS, key=lambda name: float(np.square(core - COLOURS[name]).sum()))
            overlap = np.minimum(masks, mask).sum((1, 2)) / np.maximum(masks, mask).sum((1, 2))
            best = int(overlap.argmax())
            thing = Thing(colour, SHAPES[best * len(SHAPES) // len(masks)])
            found.append(Found(Placed(thing, row, col), float(overlap[best]), area, tuple(core.tolist())))
    return found


class Verdict(NamedTuple):
    """What of a caption “a <relation> b” is true of a picture."""

    two: bool  # exactly two things
    colours: bool  # the two colours, wherever
    shapes: bool  # the two shapes, wherever
    things: bool  # colour and shape go together as said
    all: bool  # and they stand as said


def judge(picture: np.ndarray, a: Thing, relation: str, b: Thing, grid: int = 2) -> Verdict:
    """Holds the picture (S, S, 3) uint8 against the caption that a is <relation> of b."""
    placed = [found.placed for found in read(picture, grid)]
    things = sorted(p.thing for p in placed)
    colours = sorted(p.thing.colour for p in placed) == sorted((a.colour, b.colour))
    shapes = sorted(p.thing.shape for p in placed) == sorted((a.shape, b.shape))
    right = things == sorted((a, b))
    stands = right and any(
        relation_holds(relation, p, q) for p in placed for q in placed if p.thing == a and q.thing == b and p != q
    )
    return Verdict(len(placed) == 2, colours, shapes, right, stands)


def verdicts(pictures: np.ndarray, said: Sequence[tuple[Thing, str, Thing]]) -> np.ndarray:
    """(N, 5) bool: a `Verdict` for each picture."""
    return np.array([judge(p, *what) for p, what in zip(pictures, said, strict=True)], bool)
