"""Positions and tokens: rotary positions in one, two and three dimensions, tiling of pictures, merging of tokens.

Rotary positions (RoPE) turn pairs of numbers of a query or key by an angle that grows with its position. Here the pairs
of a vector of width D are (0, D/2), (1, D/2 + 1), …, as in most code that is published; the paper pairs neighbours,
which is the same up to the order of the dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .encoders import patchify

# ---- rotary positions -----------------------------------------------------------------------------------------------


def frequencies(dim: int, base: float = 10000.0) -> Tensor:
    """The angle in radians by which each of the dim/2 pairs turns from one position to the next: base^(-2i/dim).

    (dim/2,) float64; su2021rope, https://arxiv.org/abs/2104.09864.
    """
    if dim < 2 or dim % 2:
        raise ValueError(f"rotation works on pairs: {dim} is not an even number from 2")
    return base ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)


def angles(positions: Tensor, dim: int, base: float = 10000.0) -> Tensor:
    """positions (…) in tokens, whole or not → angles (…, dim/2) in radians."""
    return positions.to(torch.float64)[..., None] * frequencies(dim, base)


def rotate(x: Tensor, angle: Tensor) -> Tensor:
    """Turns each pair of x (…, D) by its angle (…, D/2). Keeps the norm of x."""
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


def rope(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    """Rotary positions: x (…, L, D), positions (…, L) → (…, L, D). The product of a query at position m and a key at
    position n then depends on m - n alone."""
    return rotate(x, angles(positions, x.shape[-1], base))


def ntk_base(base: float, scale: float, dim: int) -> float:
    """A larger base, so that the slowest pair turns `scale` times slower and the fastest as before: base · scale^(D/(D-2)).

    “NTK-aware” interpolation, as given in the YaRN paper, https://arxiv.org/abs/2309.00071. The other way, position
    interpolation (https://arxiv.org/abs/2306.15595), divides the positions by `scale` and slows every pair.
    """
    return base * scale ** (dim / (dim - 2))


def angles_2d(rows: Tensor, cols: Tensor, dim: int, base: float = 10000.0) -> Tensor:
    """Angles for places of a grid: rows, cols (…) → (…, dim/2). The first half of the pairs turns with the row, the
    second with the column, each with the frequencies of a vector of width dim/2: the 2D-RoPE of vision Transformers."""
    return torch.cat([angles(rows, dim // 2, base), angles(cols, dim // 2, base)], -1)


def grid_positions(rows: int, cols: int) -> tuple[Tensor, Tensor]:
    """Row and column of each token of a grid, row by row: two tensors (rows · cols,) int64."""
    return torch.arange(rows).repeat_interleave(cols), torch.arange(cols).repeat(rows)


def mrope_positions(parts: Sequence[int | tuple[int, int, int]]) -> Tensor:
    """Time, height and width of every token of a sequence: (3, L) int64, after Qwen2-VL, https://arxiv.org/abs/2409.12191.

    parts: in order; a number is a text of so many tokens, (frames, rows, cols) is a picture (1 frame) or a video, in
    tokens of the language model. A token of a text has three equal coordinates. Each part begins one after the largest
    coordinate so far.
    """
    out, start = [], 0
    for part in parts:
        if isinstance(part, int):
            here = torch.arange(part).expand(3, part)
        else:
            here = torch.stack(torch.meshgrid(*map(torch.arange, part), indexing="ij")).flatten(1)
        out.append(here + start)
        if here.numel():
            start = int(out[-1].max()) + 1
    return torch.cat(out, 1) if out else torch.zeros(3, 0, dtype=torch.int64)


def mrope_angles(positions: Tensor, sections: Sequence[int], base: float = 10000.0) -> Tensor:
    """positions (3, …): time, height, width → angles (…, D/2), D/2 the sum of `sections`.

    sections: how many pairs turn with time, height and width, from the fastest pairs to the slowest; Qwen2-VL has
    (16, 24, 24). With three equal coordinates this is RoPE in one dimension.
    """
    pairs = sum(sections)
    every = angles(positions, 2 * pairs, base)  # (3, …, pairs)
    parts = every.split(list(sections), -1)
    return torch.cat([part[axis] for axis, part in enumerate(parts)], -1)


# ---- how many tokens is a picture -----------------------------------------------------------------------------------

LLAVA_NEXT = ((672, 336), (336, 672), (672, 672), (336, 1008), (1008, 336))  # (width, height), of the released models


class Grid(NamedTuple):
    """A picture resized to cols x rows tiles of `tile` pixels."""

    cols: int
    rows: int
    tile: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels after resizing."""
        return self.cols * self.tile, self.rows * self.tile

    @property
    def tiles(self) -> int:
        return self.cols * self.rows

    def boxes(self) -> list[tuple[int, int, int, int]]:
        """left, top, right, bottom of each tile in pixels, row by row; right and bottom are just outside."""
        t = self.tile
        return [(c * t, r * t, (c + 1) * t, (r + 1) * t) for r in range(self.rows) for c in range(self.cols)]


def closest_ratio_grid(width: int, height: int, tile: int = 448, most: int = 12) -> Grid:
    """The grid of at most `most` tiles whose ratio of width to height comes closest to the picture's; the picture is
    stretched to fill it. Among equals a larger grid is taken if the picture has more than half its pixels.

    After InternVL 1.5, https://arxiv.org/abs/2404.16821 (which trains with up to 12 tiles of 448 pixels).
    """
    ratio = width / height
    grids = [Grid(c, r, tile) for c in range(1, most + 1) for r in range(1, most // c + 1)]
    best = Grid(1, 1, tile)
    for grid in sorted(grids, key=lambda g: g.tiles):
        off, least = (abs(ratio - g.cols / g.rows) for g in (grid, best))
        if off < least or (off == least and width * height > 0.5 * grid.tiles * tile * tile):
            best = grid
    return best


def best_fit_grid(
    width: int, height: int, resolutions: Sequence[tuple[int, int]] = LLAVA_NEXT, tile: int = 336
) -> Grid:
    """The resolution (width, height) into which the picture fits, proportions kept, with the most pixels of its own, and
    among equals with the least border. After LLaVA-NeXT's AnyRes, https://llava-vl.github.io/blog/2024-01-30-llava-next/."""

    def merit(resolution: tuple[int, int]) -> tuple[int, int]:
        w, h = resolution
        scale = min(w / width, h / height)
        useful = min(int(width * scale) * int(height * scale), width * height)
        return useful, useful - w * h

    w, h = max(resolutions, key=merit)
    return Grid(w // tile, h // tile, tile)


def native_size(
    width: int, height: int, unit: int = 28, least: int = 4 * 28 * 28, most: int = 16384 * 28 * 28
) -> tuple[int, int]:
    """Width and height in pixels, multiples of `unit`, close to the picture's own, with `least` to `most` pixels.

    Dynamic resolution as in Qwen2-VL, https://arxiv.org/abs/2409.12191: patches of 14 pixels, 2 x 2 of them one token.
    The limits are those of its published preprocessing code.
    """
    w, h = (max(unit, round(side / unit) * unit) for side in (width, height))
    if w * h > most:
        shrink = math.sqrt(width * height / most)
        w, h = (max(unit, math.floor(side / shrink / unit) * unit) for side in (width, height))
    elif w * h < least:
        grow = math.sqrt(least / (width * height))
        w, h = (math.ceil(side * grow / unit) * unit for side in (width, height))
    return w, h


def tile_tokens(side: int, patch: int, merge: int = 1) -> int:
    """Tokens of a square of `side` pixels: patches of `patch` pixels, merge x merge of them one token."""
    if side % (patch * merge):
        raise ValueError(f"{side} pixels are not a whole number of {merge} x {merge} patches of {patch}")
    return (side // (patch * merge)) ** 2


# ---- merging tokens ---------------------------------------------------------------------------------------------------


HOW = ("similar", "random", "drop")  # merge what is alike; merge pairs drawn at random; drop r drawn at random


class Matching(NamedTuple):
    """Which r of N tokens are merged into which others. Tokens at even places (A) may be merged into those at odd (B)."""

    merged: Tensor  # (B, r) int64, numbers in A of those that go
    kept: Tensor  # (B, |A| - r) int64, numbers in A of those that stay
    into: Tensor  # (B, r) int64, numbers in B: where each of `merged` goes

    def drop(self, x: Tensor) -> Tensor:
        """x (B, N, D) → (B, N - r, D): A's remaining tokens, then B's; what was to be merged is lost."""
        return torch.cat([_pick(x[:, ::2], self.kept), x[:, 1::2]], 1)

    def add(self, x: Tensor) -> Tensor:
        """x (B, N, D) → (B, N - r, D): A's remaining tokens, then B's with what was merged added to them. The sum over
        tokens stays what it was."""
        a, b = x[:, ::2], x[:, 1::2]
        b = b.scatter_add(1, self.into[..., None].expand(-1, -1, x.shape[-1]), _pick(a, self.merged))
        return torch.cat([_pick(a, self.kept), b], 1)


def _pick(x: Tensor, index: Tensor) -> Tensor:
    """Tokens by number: x (B, N, D), index (B, n) → (B, n, D)."""
    return x.gather(1, index[..., None].expand(-1, -1, x.shape[-1]))


def match(similar: Tensor, r: int) -> Matching:
    """Bipartite soft matching (ToMe, https://arxiv.org/abs/2210.09461): every token of A proposes the token of B that is
    most like it; the r best proposals are accepted.

    similar: (B, N, D), compared by the cosine; ToMe uses the keys of the attention. r: 0 … ⌈N/2⌉, of A.
    """
    x = nn.functional.normalize(similar.detach(), dim=-1)
    best, into = (x[:, ::2] @ x[:, 1::2].transpose(1, 2)).max(-1)  # for each of A: how alike, and which of B
    if not 0 <= r <= best.shape[1]:
        raise ValueError(f"{r} of {similar.shape[1]} tokens cannot be merged at once; at most {best.shape[1]}")
    order = best.argsort(-1, descending=True)
    merged, kept = order[:, :r], order[:, r:].sort(-1).values
    return Matching(merged, kept, into.gather(1, merged))


def merge(x: Tensor, size: Tensor, matching: Matching) -> tuple[Tensor, Tensor]:
    """Merges tokens as means weighted by how many patches each stands for: x (B, N, D), size (B, N, 1) →
    (B, N - r, D), (B, N - r, 1). The sum of size · x over tokens stays what it was."""
    total = matching.add(size)
    return matching.add(x * size) / total, total


class MergingBlock(nn.Module):
    """A Transformer block that may merge r tokens between its attention and its MLP, as ToMe does."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(
        self, x: Tensor, size: Tensor, r: int = 0, how: str = "similar", proportional: bool = True
    ) -> tuple[Tensor, Tensor, Matching | None]:
        """x (B, N, D), size (B, N, 1) → (B, N - r, D), (B, N - r, 1), and the matching if r > 0.

        how: see HOW. proportional: a token that stands for s patches counts s times in the softmax (log s is added to
        its score).
        """
        q, k, v = self.qkv(self.norm1(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        bias = size.log().transpose(1, 2)[:, None] if proportional else None  # (B, 1, 1, N)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        matching = None
        if r:
            matching = match(k.mean(1) if how == "similar" else torch.randn_like(x), r)
            if how == "drop":
                x, size = matching.drop(x), matching.drop(size)
            else:
                x, size = merge(x, size, matching)
        return x + self.mlp(self.norm2(x)), size, matching


class MergingEncoder(nn.Module):
    """A small vision Transformer whose tokens can be merged at test time, without training for it.

    Pictures (B, 3, S, S) → logits (B, outputs), from the mean of the tokens, weighted by their sizes.
    """

    def __init__(self, outputs: int, size: int = 32, patch: int = 4, dim: int = 48, layers: int = 4, heads: int = 3):
        super().__init__()
        if dim % heads:
            raise ValueError(f"{heads} heads cannot share {dim} dimensions evenly")
        self.patch, self.tokens = patch, (size // patch) ** 2
        self.embed = nn.Linear(3 * patch * patch, dim)
        self.position = nn.Parameter(0.02 * torch.randn(self.tokens, dim))
        self.blocks = nn.ModuleList(MergingBlock(dim, heads) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, outputs)

    def features(
        self, pictures: Tensor, r: int = 0, how: str = "similar", proportional: bool = True
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Merges (or drops, see HOW) r tokens in each layer, at most half of them → tokens (B, N', D), sizes (B, N', 1), source (B, N', N): which patches each
        token stands for, 0 or 1."""
        x = self.embed(patchify(pictures, self.patch)) + self.position
        size = x.new_ones(len(x), self.tokens, 1)
        source = torch.eye(self.tokens, dtype=x.dtype).expand(len(x), -1, -1)
        for block in self.blocks:
            x, size, matching = block(x, size, min(r, x.shape[1] // 2), how, proportional)
            if matching:
                source = matching.drop(source) if how == "drop" else matching.add(source)
        return self.norm(x), size, source

    def forward(self, pictures: Tensor, r: int = 0, how: str = "similar", proportional: bool = True) -> Tensor:
        x, size, _ = self.features(pictures, r, how, proportional)
        return self.head((x * size).sum(1) / size.sum(1))
