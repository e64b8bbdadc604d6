"""Pictures from captions: latent flow matching with classifier-free guidance, and a judge that reads pictures by rules.

    caption ─ text encoder, frozen ─→ words (B, L, W)
                                        ↓
    noise (B, C, 4, 4) ─ Euler steps along v(x, t, words) ─→ latents (B, C, 4, 4) ─ decoder ─→ picture (B, 3, 32, 32)

The plan of Stable Diffusion 3 (Esser et al. 2024, https://arxiv.org/abs/2403.03206), very small: an autoencoder makes the
space small, a frozen text encoder reads, a Transformer over patches of the latents learns the velocity. Flow matching
(Lipman et al. 2022, https://arxiv.org/abs/2210.02747) along straight lines (rectified flow, Liu et al. 2022,
https://arxiv.org/abs/2209.03003). Time runs as in the chapter: t = 1 is noise, t = 0 is the picture.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import checkpoints, encoders, scenes, text
from .contrastive import CLIP
from .encoders import patchify
from .scenes import COLOURS, SHAPES, Placed, Scene, Thing, draw, relation_holds

MEAN, STD = 0.8, 0.25  # of ShapeTalk's pixels on the scale 0 … 1, rounded
EARLY = 0.5  # times of training are sigmoid(EARLY + a normal number): more of them near the noise, where the layout is settled

# Never in a picture with a caption that the flow learns from: one pair of things to choose by, one to test with.
HELD = {
    "validation": frozenset({Thing("red", "star"), Thing("blue", "square")}),
    "test": frozenset({Thing("green", "circle"), Thing("yellow", "triangle")}),
}


# ---- data -----------------------------------------------------------------------------------------------------------


class Said(NamedTuple):
    """A caption, that `a` is <relation> of `b`, and a scene of which it is true."""

    a: Thing
    relation: str
    b: Thing
    scene: Scene
    lang: str

    @property
    def text(self) -> str:
        """a red circle is to the left of a blue star / 红色圆形在蓝色星形的左边."""
        return scenes.caption(self.a, self.relation, self.b, self.lang)

    def swapped(self) -> Said:
        """The two things exchanged in the caption and in the scene: the same words in another order."""
        p, q = self.scene.placed
        scene = Scene((Placed(q.thing, p.row, p.col), Placed(p.thing, q.row, q.col)), self.scene.grid)
        return Said(self.b, self.relation, self.a, scene, self.lang)


def said(n: int, seed: int, part: str = "seen") -> list[Said]:
    """n captions with their scenes, languages taking turns.

    part: "seen" has no held-out thing; "validation" and "test" have one or two of their own `HELD` things and none of the
    other's; "all" takes every scene as it comes.
    """
    if part not in ("seen", "all", *HELD):
        raise ValueError(f"part is seen, all, validation or test, not {part!r}")
    rest = frozenset().union(*HELD.values()) - HELD.get(part, frozenset())
    found: list[Said] = []
    for a, relation, b, scene in _endless(seed):
        if len(found) == n:
            break
        if part == "all" or (not (rest & scene.things) and (part == "seen" or HELD[part] & scene.things)):
            found.append(Said(a, relation, b, scene, scenes.LANGUAGES[len(found) % 2]))
    return found


def _endless(seed: int) -> Iterator[tuple[Thing, str, Thing, Scene]]:
    block = 0
    while True:
        yield from scenes.random_scenes(1000, seed * 1009 + block)
        block += 1


def paint(some: Sequence[Said], rng: np.random.Generator, size: int = 32) -> np.ndarray:
    """Real pictures of the scenes: (n, size, size, 3) uint8."""
    return np.stack([draw(one.scene, rng, size) for one in some])


def to_model(pictures: np.ndarray) -> Tensor:
    """(N, S, S, 3) uint8 → (N, 3, S, S) float32 with mean about 0 and spread about 1."""
    return (torch.from_numpy(np.asarray(pictures).copy()).permute(0, 3, 1, 2).float() / 255 - MEAN) / STD


def to_pictures(x: Tensor) -> np.ndarray:
    """(N, 3, S, S) → (N, S, S, 3) uint8; what is out of range is cut."""
    return ((x.detach() * STD + MEAN).clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()


# ---- the autoencoder ------------------------------------------------------------------------------------------------


class Decoder(nn.Module):
    """Latents (B, C, S/8, S/8) → picture (B, 3, S, S). Three times, 4 channels become 2 x 2 pixels."""

    def __init__(self, channels: int = 8, widths: tuple[int, int, int] = (24, 48, 64)):
        super().__init__()
        a, b, c = widths
        self.layers = nn.Sequential(
            nn.Conv2d(channels, c, 3, padding=1), nn.SiLU(),
            nn.Conv2d(c, 4 * b, 1), nn.PixelShuffle(2), nn.SiLU(),
            nn.Conv2d(b, 4 * a, 3, padding=1), nn.PixelShuffle(2), nn.SiLU(),
            nn.Conv2d(a, 4 * 3, 3, padding=1), nn.PixelShuffle(2),
        )  # fmt: skip

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)


class Autoencoder(nn.Module):
    """Picture (B, 3, S, S) → latents (B, C, S/8, S/8) → picture: the first stage of latent diffusion (Rombach et al.
    2021, https://arxiv.org/abs/2112.10752).

    Each latent channel has mean 0 and spread 1 (batch normalisation without learned scale), and the decoder learns to
    bear noise of spread `noise` on them: neighbouring latents then mean similar pictures. Stable Diffusion reaches the
    same with a small KL term.
    """

    def __init__(self, channels: int = 8, widths: tuple[int, int, int] = (24, 48, 64), noise: float = 0.2):
        super().__init__()
        a, b, c = widths
        self.noise = noise
        self.encoder = nn.Sequential(
            nn.Conv2d(3, a, 4, stride=2, padding=1), nn.SiLU(),
            nn.Conv2d(a, b, 4, stride=2, padding=1), nn.SiLU(),
            nn.Conv2d(b, c, 4, stride=2, padding=1), nn.SiLU(),
            nn.Conv2d(c, channels, 1),
        )  # fmt: skip
        self.standard = nn.BatchNorm2d(channels, affine=False)
        self.decoder = Decoder(channels, widths)

    def encode(self, x: Tensor) -> Tensor:
        """(B, 3, S, S) → (B, C, S/8, S/8)."""
        return self.standard(self.encoder(x))

    def decode(self, z: Tensor) -> Tensor:
        """(B, C, S/8, S/8) → (B, 3, S, S)."""
        return self.decoder(z)

    def loss(self, x: Tensor) -> Tensor:
        """Mean squared error of the picture decoded from noisy latents."""
        z = self.encode(x)
        return F.mse_loss(self.decode(z + self.noise * torch.randn_like(z)), x)

    @torch.no_grad()
    def latents(self, x: Tensor, size: int = 500) -> Tensor:
        """All pictures (N, 3, S, S) → (N, C, S/8, S/8), `size` at a time, in evaluation mode."""
        self.eval()
        return torch.cat([self.encode(part) for part in x.split(size)])


# ---- the condition --------------------------------------------------------------------------------------------------


class Words(NamedTuple):
    """What a text encoder says of captions: states (B, L, W), mask (B, L) bool, True where there is a word."""

    states: Tensor
    mask: Tensor

    def at(self, i: Tensor) -> Words:
        """Those of the rows i."""
        return Words(self.states[i], self.mask[i])

    def only(self, given: Tensor) -> Words:
        """Without the words of the rows where given (B,) is False: an empty caption."""
        return Words(self.states, self.mask & given[:, None])


def encode_words(encoder: nn.Module, ids: Tensor, mask: Tensor) -> Words:
    """ids, mask (B, L) → words, without the columns that hold nothing but padding."""
    longest = max(1, int(mask.sum(1).max()))
    ids, mask = ids[:, :longest], mask[:, :longest]
    return Words(encoder(ids, mask), mask)


@torch.no_grad()
def read_captions(clip: CLIP, captions: Sequence[str]) -> Words:
    """The states of all words before pooling, from the text encoder of a trained CLIP, which stays as it is."""
    ids, mask = clip.tokens(captions)
    return encode_words(clip.words, ids, mask)


# ---- the velocity ---------------------------------------------------------------------------------------------------


def unpatchify(x: Tensor, patch: int, channels: int) -> Tensor:
    """The inverse of `encoders.patchify` for square pictures: (B, N, C · patch²) → (B, C, S, S)."""
    side = round(x.shape[1] ** 0.5)
    x = x.reshape(len(x), side, side, channels, patch, patch)
    return x.permute(0, 3, 1, 4, 2, 5).reshape(len(x), channels, side * patch, side * patch)


def waves(t: Tensor, dim: int) -> Tensor:
    """Times (B,) between 0 and 1 → sines and cosines (B, dim) of frequencies from 1 to 1000."""
    turn = t[:, None] * torch.logspace(0, 3, dim // 2, device=t.device)
    return torch.cat([turn.sin(), turn.cos()], 1)


class FlowBlock(nn.Module):
    """A Transformer block. Patches attend to each other and to the words in one attention; the words are keys and values
    only. The time scales and shifts what goes in and gates what comes out: adaLN-Zero of DiT (Peebles and Xie 2022,
    https://arxiv.org/abs/2212.09748), with one modulation for all blocks and an offset of each block's own, as in PixArt-α (Chen et
    al. 2023, https://arxiv.org/abs/2310.00426). At first every block does nothing."""

    def __init__(self, dim: int, heads: int, word_dim: int, expand: int = 2):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = (nn.LayerNorm(dim, elementwise_affine=False) for _ in range(2))
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.kv_words = nn.Linear(word_dim, 2 * dim)
        self.mlp = nn.Sequential(nn.Linear(dim, expand * dim), nn.GELU(), nn.Linear(expand * dim, dim))
        self.offset = nn.Parameter(torch.zeros(6 * dim))

    def forward(self, x: Tensor, modulation: Tensor, words: Tensor, mask: Tensor) -> Tensor:
        """x (B, N, D), modulation (B, 6 D), words (B, L, W), mask (B, 1, 1, N + L) → (B, N, D)."""
        shift1, scale1, gate1, shift2, scale2, gate2 = (modulation + self.offset)[:, None].chunk(6, -1)
        h = self.norm1(x) * (1 + scale1) + shift1
        q, k, v = self.qkv(h).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        word_k, word_v = self.kv_words(words).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        k, v = torch.cat([k, word_k], 2), torch.cat([v, word_v], 2)
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + gate1 * self.out(attended.transpose(1, 2).flatten(2))
        return x + gate2 * self.mlp(self.norm2(x) * (1 + scale2) + shift2)


class Flow(nn.Module):
    """The velocity v(x, t, words). An empty caption is one without words: patches then attend to patches only.

    `config`: channels C (8) and side (4) of the latents, patch (2), dim D (96), layers (3), heads (4), word_dim W (64).
    """

    DEFAULTS: Mapping[str, Any] = {
        "channels": 8, "side": 4, "patch": 2, "dim": 96, "layers": 3, "heads": 4, "word_dim": 64,
    }  # fmt: skip

    def __init__(self, **config: int):
        super().__init__()
        self.config = {**self.DEFAULTS, **config}
        c = self.config
        dim, numbers = c["dim"], c["channels"] * c["patch"] ** 2
        self.patch = c["patch"]
        self.enter = nn.Linear(numbers, dim)
        self.place = nn.Parameter(torch.randn((c["side"] // c["patch"]) ** 2, dim))
        self.time = nn.Sequential(nn.Linear(64, dim), nn.SiLU(), nn.Linear(dim, dim), nn.SiLU())
        self.modulation = nn.Linear(dim, 6 * dim)
        self.blocks = nn.ModuleList(FlowBlock(dim, c["heads"], c["word_dim"]) for _ in range(c["layers"]))
        self.norm, self.leave = nn.LayerNorm(dim), nn.Linear(dim, numbers)
        for layer in (self.modulation, self.leave):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, t: Tensor, words: Words) -> Tensor:
        """x (B, C, S, S), t (B,), words of B captions → v (B, C, S, S)."""
        tokens = self.enter(patchify(x, self.patch)) + self.place
        patches = torch.ones(tokens.shape[:2], dtype=torch.bool, device=x.device)
        mask = torch.cat([patches, words.mask], 1)[:, None, None, :]
        modulation = self.modulation(self.time(waves(t, 64)))
        for block in self.blocks:
            tokens = block(tokens, modulation, words.states, mask)
        return unpatchify(self.leave(self.norm(tokens)), self.patch, x.shape[1])


# ---- training and sampling ------------------------------------------------------------------------------------------


def flow_loss(
    model: nn.Module, x0: Tensor, words: Words, generator: torch.Generator | None = None, drop: float = 0.1
) -> Tensor:
    """Mean squared error of the velocity: E ‖v(x_t, t, c) - (ε - x_0)‖² with x_t = (1 - t) x_0 + t ε.

    x0 (B, C, S, S). Times are logit-normal, as in Stable Diffusion 3. In a share `drop` of the samples the caption is
    emptied, so that one network learns both velocities that guidance needs (Ho and Salimans 2022,
    https://arxiv.org/abs/2207.12598).
    """
    n = len(x0)
    noise = torch.randn(x0.shape, generator=generator)
    t = (EARLY + torch.randn(n, generator=generator)).sigmoid()
    given = torch.rand(n, generator=generator) >= drop
    at = t[:, None, None, None]
    return (model((1 - at) * x0 + at * noise, t, words.only(given)) - (noise - x0)).square().mean()


def guided(model: nn.Module, x: Tensor, t: Tensor, words: Words, scale: float, against: Words | None = None) -> Tensor:
    """v(∅) + s (v(c) - v(∅)): x (B, C, S, S), t (B,) → the same shape as x.

    scale s: 0 ignores the caption, 1 is the plain conditional flow, above 1 exaggerates the caption. Only other values
    than 0 and 1 need both velocities. against: words that take the place of the empty caption ∅ (a negative prompt).
    """
    if scale == 1:
        return model(x, t, words)
    against = against or words.only(torch.zeros(len(x), dtype=torch.bool))
    free = model(x, t, against)
    return free if scale == 0 else free + scale * (model(x, t, words) - free)


@torch.no_grad()
def sample(
    model: nn.Module,
    noise: Tensor,
    words: Words,
    steps: int = 16,
    guidance: float = 1.0,
    against: Words | None = None,
    path: list[tuple[Tensor, Tensor]] | None = None,
) -> Tensor:
    """Euler's method from t = 1 to 0 in equal steps, x ← x - h v: noise (B, C, S, S) → latents of the same shape.

    path: a list that receives, for each step, x before it and the guess x - t v of where it leads.
    """
    model.eval()
    x = noise
    for k in range(steps):
        t = 1 - k / steps
        v = guided(model, x, torch.full((len(x),), t), words, guidance, against)
        if path is not None:
            path.append((x, x - t * v))
        x = x - v / steps
    return x


# ---- everything that drawing needs ----------------------------------------------------------------------------------


class Painter(nn.Module):
    """Text encoder, flow and decoder in one: all that turns captions into pictures.

    `config`: tokens (the vocabulary), length of the longest caption, text_layers, flow (what `Flow` takes).
    """

    def __init__(self, config: Mapping[str, Any]):
        super().__init__()
        self.config = dict(config)
        self.vocabulary = text.Vocabulary(config["tokens"])
        self.flow = Flow(**config["flow"])
        self.words = encoders.TransformerEncoder(
            len(self.vocabulary), self.flow.config["word_dim"], config["length"], config["text_layers"]
        )
        self.decoder = Decoder(self.flow.config["channels"])

    @classmethod
    def of(cls, clip: CLIP, flow: Flow, autoencoder: Autoencoder) -> Painter:
        """From trained parts, copied."""
        c = clip.config
        painter = cls(
            {"tokens": list(c["tokens"]), "length": c["length"], "text_layers": c["layers"], "flow": flow.config}
        )
        painter.words.load_state_dict(clip.words.state_dict())
        painter.flow.load_state_dict(flow.state_dict())
        painter.decoder.load_state_dict(autoencoder.decoder.state_dict())
        return painter.eval()

    def read(self, captions: Sequence[str]) -> Words:
        """Captions → states of their words."""
        ids, mask = text.pad([self.vocabulary.encode(line) for line in captions], self.config["length"])
        return encode_words(self.words, torch.from_numpy(ids), torch.from_numpy(mask))

    def noise(self, n: int, seed: int) -> Tensor:
        """(n, C, 4, 4), always the same for a seed."""
        c = self.flow.config
        return torch.randn(n, c["channels"], c["side"], c["side"], generator=torch.Generator().manual_seed(seed))

    @torch.no_grad()
    def draw(self, captions: Sequence[str], noise: Tensor, steps: int = 16, guidance: float = 2.0) -> np.ndarray:
        """One picture for each caption and noise (B, C, 4, 4): (B, 32, 32, 3) uint8. An empty string draws anything."""
        return to_pictures(self.decoder(sample(self.flow, noise, self.read(captions), steps, guidance)))

    def save(self, slug: str, model: str, seed: int = 0) -> Path:
        """Writes a checkpoint with 16-bit weights."""
        return checkpoints.save(slug, model, copy.deepcopy(self).half(), self.config, seed)


def load(slug: str = "09-generation", model: str = "flow", folder: str | Path | None = None) -> Painter:
    """The painter of a checkpoint: `load().draw(["a red circle is above a blue star"], noise)`."""
    checkpoint = checkpoints.load(slug, model, folder)
    painter = Painter(checkpoint.config)
    checkpoint.into(painter)
    return painter


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
    return verdict_on([found.placed for found in read(picture, grid)], a, relation, b)


def verdict_on(placed: Sequence[Placed], a: Thing, relation: str, b: Thing) -> Verdict:
    """The same for what was read already."""
    things = sorted(p.thing for p in placed)
    colours = sorted(p.thing.colour for p in placed) == sorted((a.colour, b.colour))
    shapes = sorted(p.thing.shape for p in placed) == sorted((a.shape, b.shape))
    right = things == sorted((a, b))
    stands = right and any(
        relation_holds(relation, p, q) for p in placed for q in placed if p.thing == a and q.thing == b and p != q
    )
    return Verdict(len(placed) == 2, colours, shapes, right, stands)


def verdicts(pictures: np.ndarray, some: Sequence[Said]) -> np.ndarray:
    """(N, 5) bool: the `Verdict` on each picture (N, S, S, 3) uint8."""
    return np.array(
        [judge(picture, one.a, one.relation, one.b) for picture, one in zip(pictures, some, strict=True)], bool
    ).reshape(-1, len(Verdict._fields))


def effective(counts: Iterable[int]) -> float:
    """How many kinds there seem to be: exp of the entropy of their shares; 4 for four equally frequent ones."""
    shares = np.array([count for count in counts if count > 0], float)
    shares /= shares.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


class Variety(NamedTuple):
    """How pictures of one caption differ, counting only those that obey it."""

    obeying: int  # pictures
    layouts: float  # effective number of different layouts; a caption allows 4
    sizes: float  # standard deviation of a thing's area, as a share of its cell
    tints: float  # standard deviation of a thing's mean colour, 0 … 255, averaged over the channels
    vivid: float  # not a spread: how far the strongest and the weakest channel of a thing are apart, 0 … 255


def variety(pictures: np.ndarray, one: Said) -> Variety | None:
    """Of pictures (N, S, S, 3) uint8 drawn for one caption; None if fewer than four obey it."""
    obeying: list[list[Found]] = []
    for picture in pictures:
        seen = sorted(read(picture), key=lambda found: found.placed.thing)
        if verdict_on([found.placed for found in seen], one.a, one.relation, one.b).all:
            obeying.append(seen)
    if len(obeying) < 4:
        return None
    kinds = Counter(tuple((f.placed.row, f.placed.col) for f in pair) for pair in obeying)
    areas = np.array([[f.area for f in pair] for pair in obeying])  # (n, 2)
    tints = np.array([[f.tint for f in pair] for pair in obeying])  # (n, 2, 3)
    return Variety(
        len(obeying),
        effective(kinds.values()),
        float(areas.std(0, ddof=1).mean()),
        float(tints.std(0, ddof=1).mean()),
        float((tints.max(-1) - tints.min(-1)).mean()),
    )
