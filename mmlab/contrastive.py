"""Contrastive learning of pictures and captions: the losses of CLIP and SigLIP, a small CLIP, and how it is measured.

    picture (B, 3, S, S) → ConvEncoder        → tokens (B, N, D) → pooled, projected, normalised → (B, E)
    caption (B, L)       → TransformerEncoder → states (B, L, D) → pooled, projected, normalised → (B, E)
    similarity = picture vectors @ caption vectors.T: (B, B), a cosine in each cell; pair i stands at (i, i)

The 864 layouts of ShapeTalk come in 216 families of four: a scene, and the same with places, colours or shapes
exchanged. Exchanging leaves every word of a caption as it is and moves only which belongs where, so that the members of
a family are each other's hard negatives. A family is never divided between training and test.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import encoders, scenes, text
from .scenes import COLOURS, OPPOSITE, SHAPES, Placed, Scene, Thing
from .text import Vocabulary

EXCHANGES = ("places", "colours", "shapes")
RELATIONS = tuple(OPPOSITE)


# ---- captions and scenes --------------------------------------------------------------------------------------------


class Caption(NamedTuple):
    """A sentence about a picture: `a` is <relation> of `b`; or, without b, there is an `a`."""

    a: Thing
    relation: str = ""
    b: Thing | None = None
    lang: str = "en"

    @property
    def text(self) -> str:
        """The words: 红色圆形在蓝色星形的左边 / a red circle is to the left of a blue star; 有一个红色圆形 / there is a red circle."""
        if self.b is not None:
            return scenes.caption(self.a, self.relation, self.b, self.lang)
        named = scenes.name(self.a, self.lang)
        return f"有一个{named}" if self.lang == "zh" else f"there is a {named}"

    def true_of(self, scene: Scene) -> bool:
        """Whether the sentence is true of a scene."""
        if self.b is None:
            return self.a in scene.things
        return any(
            p.thing == self.a and q.thing == self.b and scenes.relation_holds(self.relation, p, q)
            for p in scene.placed
            for q in scene.placed
        )


def true_captions(scene: Scene, lang: str) -> list[Caption]:
    """Every relation that holds in a scene of two things; for a scene of one thing, that it is there."""
    if len(scene.placed) == 1:
        return [Caption(scene.placed[0].thing, lang=lang)]
    return [
        Caption(p.thing, relation, q.thing, lang)
        for p in scene.placed
        for q in scene.placed
        for relation in RELATIONS
        if p != q and scenes.relation_holds(relation, p, q)
    ]


def _exchanged(a: Thing, b: Thing, what: str) -> tuple[Thing, Thing]:
    if what == "places":
        return b, a
    if what == "colours":
        return Thing(b.colour, a.shape), Thing(a.colour, b.shape)
    if what == "shapes":
        return Thing(a.colour, b.shape), Thing(b.colour, a.shape)
    raise ValueError(f"what is one of {EXCHANGES}, not {what!r}")


def exchange(scene: Scene, what: str) -> Scene:
    """The scene of two things with their "places", "colours" or "shapes" exchanged."""
    p, q = scene.placed
    a, b = _exchanged(p.thing, q.thing, what)
    return Scene((Placed(a, p.row, p.col), Placed(b, q.row, q.col)), scene.grid)


def exchange_caption(caption: Caption, what: str) -> Caption:
    """The same with a caption about two things: true of `exchange(scene, what)` if the caption is true of the scene."""
    if caption.b is None:
        raise ValueError("nothing to exchange in a sentence about one thing")
    a, b = _exchanged(caption.a, caption.b, what)
    return Caption(a, caption.relation, b, caption.lang)


def families() -> list[tuple[Scene, Scene, Scene, Scene]]:
    """All 864 scenes of two things that differ in colour and shape, on a grid of 2 x 2, as 216 families: a scene, and
    the same with places, colours and shapes exchanged."""
    things = [Thing(c, s) for c in COLOURS for s in SHAPES]
    cells = [(row, col) for row in range(2) for col in range(2)]
    found: list[tuple[Scene, Scene, Scene, Scene]] = []
    seen: set[frozenset[Placed]] = set()
    for a in things:
        for b in things:
            for first in cells:
                for second in cells:
                    if a.colour == b.colour or a.shape == b.shape or first == second:
                        continue
                    scene = Scene((Placed(a, *first), Placed(b, *second)))
                    if frozenset(scene.placed) in seen:
                        continue
                    family = (scene, *(exchange(scene, what) for what in EXCHANGES))
                    seen.update(frozenset(s.placed) for s in family)
                    found.append(family)
    return found


def singles() -> list[Scene]:
    """All 64 scenes of one thing on a grid of 2 x 2."""
    return [
        Scene((Placed(Thing(c, s), row, col),)) for c in COLOURS for s in SHAPES for row in range(2) for col in range(2)
    ]


def split(seed: int = 5) -> dict[str, list[tuple[Scene, Scene, Scene, Scene]]]:
    """The families in three parts that share no layout: 151 to train on, 22 for validation, 43 for the test."""
    every = families()
    order = np.random.default_rng(seed).permutation(len(every))
    parts = np.split(order, [151, 173])
    return {k: [every[i] for i in part] for k, part in zip(("train", "validation", "test"), parts, strict=True)}


class Pairs(NamedTuple):
    """n pictures, each with one true caption."""

    scenes: list[Scene]
    captions: list[Caption]
    images: Tensor  # (n, 3, S, S) float32, -1 … 1

    def __len__(self) -> int:
        return len(self.captions)


def draw_all(some: Iterable[Scene], rng: np.random.Generator, size: int = 32) -> Tensor:
    """Pictures of scenes: (n, 3, size, size) float32, -1 … 1. Each is drawn with its own sizes, offsets and tints."""
    return encoders.preprocess(np.stack([scenes.draw(scene, rng, size) for scene in some]))


def caption_of(scene: Scene, lang: str, rng: np.random.Generator) -> Caption:
    """One of the true captions, at random."""
    options = true_captions(scene, lang)
    return options[rng.integers(len(options))]


def make_pairs(some: Sequence[Scene], n: int, rng: np.random.Generator) -> Pairs:
    """n pairs; scenes are drawn at random from `some`, languages take turns."""
    chosen = [some[i] for i in rng.integers(0, len(some), n)]
    captions = [caption_of(scene, scenes.LANGUAGES[k % 2], rng) for k, scene in enumerate(chosen)]
    return Pairs(chosen, captions, draw_all(chosen, rng))


def make_families(
    some: Sequence[tuple[Scene, Scene, Scene, Scene]], n: int, rng: np.random.Generator
) -> Pairs:
    """4 n pairs: samples 4k … 4k+3 are a family, their captions one sentence and its three exchanges."""
    chosen: list[Scene] = []
    captions: list[Caption] = []
    for k, i in enumerate(rng.integers(0, len(some), n)):
        turn = int(rng.integers(4))  # any member may be the one that the others are made from
        scene = some[i][turn]
        first = caption_of(scene, scenes.LANGUAGES[k % 2], rng)
        chosen += [scene, *(exchange(scene, what) for what in EXCHANGES)]
        captions += [first, *(exchange_caption(first, what) for what in EXCHANGES)]
    return Pairs(chosen, captions, draw_all(chosen, rng))


def join(*parts: Pairs) -> Pairs:
    """All pairs of several sets, in order."""
    return Pairs(
        [s for p in parts for s in p.scenes], [c for p in parts for c in p.captions], torch.cat([p.images for p in parts])
    )


def truth_table(some: Sequence[Scene], captions: Sequence[Caption]) -> Tensor:
    """(n, m) bool: whether caption j is true of scene i."""
    cells: dict[tuple[frozenset[Placed], Caption], bool] = {}

    def true(scene: Scene, caption: Caption) -> bool:
        key = (frozenset(scene.placed), caption)
        if key not in cells:
            cells[key] = caption.true_of(scene)
        return cells[key]

    return torch.tensor([[true(scene, caption) for caption in captions] for scene in some])


# ---- losses ---------------------------------------------------------------------------------------------------------


def info_nce(logits: Tensor, positive: Tensor | None = None) -> Tensor:
    """The symmetric loss of CLIP (Radford et al. 2021, https://arxiv.org/abs/2103.00020): logits (B, B) → scalar, nats.

    Row i asks which caption belongs to picture i, column j which picture to caption j; the mean of both
    cross-entropies. positive (B, B) bool: other cells that are true as well (the diagonal always is). They count
    neither for nor against: they are left out of the denominator.
    """
    if positive is not None:
        diagonal = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
        logits = logits.masked_fill(positive & ~diagonal, -torch.inf)
    target = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def sigmoid_loss(logits: Tensor, positive: Tensor | None = None) -> Tensor:
    """The pairwise loss of SigLIP (Zhai et al. 2023, https://arxiv.org/abs/2303.15343): logits (B, B) → scalar, nats.

    Every cell is a yes-no question of its own: -log σ(z · logit), z = 1 on the diagonal and -1 elsewhere, summed over
    all B² cells and divided by B. The bias must be in the logits. positive: other cells with the answer yes.
    """
    yes = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    if positive is not None:
        yes = yes | positive
    return -F.logsigmoid(torch.where(yes, logits, -logits)).sum() / len(logits)


# ---- the model ------------------------------------------------------------------------------------------------------


class AttentionPool(nn.Module):
    """One learned query attends to the tokens: (B, N, D), mask (B, N) → (B, D)."""

    def __init__(self, dim: int, queries: int = 1, heads: int = 4):
        super().__init__()
        self.query = nn.Parameter(torch.randn(queries, dim) / math.sqrt(dim))
        self.attention = encoders.Attention(dim, heads)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        pooled, _ = self.attention(self.query.expand(len(x), -1, -1), x, mask)
        return pooled.flatten(1)


class CLIP(nn.Module):
    """A small CLIP. `config` has everything that it is built from:

    tokens: the vocabulary. dim D (64), embed E (64), size of the pictures (32 px), stride of the picture encoder (8),
    length of the longest caption (16), layers of the text encoder (1), layers of Transformer blocks over the picture
    tokens (0), pool "mean" or "flat" of the picture tokens.
    temperature τ at the start (0.07), whether it is learned (True); bias at the start (0; SigLIP: -10), learned only if
    it is not 0.
    """

    DEFAULTS: Mapping[str, Any] = {
        "dim": 64, "embed": 64, "size": 32, "stride": 8, "length": 16, "layers": 1, "blocks": 0, "pool": "mean",
        "temperature": 0.07, "learn": True, "bias": 0.0,
    }  # fmt: skip

    def __init__(self, config: Mapping[str, Any]):
        super().__init__()
        self.config = {**self.DEFAULTS, **config}
        c = self.config
        self.vocabulary = Vocabulary(c["tokens"])
        dim, embed = c["dim"], c["embed"]
        self.picture = encoders.ConvEncoder(dim, c["size"], c["stride"])
        self.blocks = nn.ModuleList(encoders.Block(dim) for _ in range(c["blocks"]))
        self.words = encoders.TransformerEncoder(len(self.vocabulary), dim, c["length"], c["layers"])
        flat = c["pool"] == "flat"
        self.norm = nn.LayerNorm(dim)
        self.project_picture = nn.Linear(dim * (self.picture.tokens if flat else 1), embed, bias=False)
        self.project_words = nn.Linear(dim, embed, bias=False)
        with torch.no_grad():  # a place weighs as much as a word, or word order would be learned very late
            for table in (self.words.embed.weight, self.words.position, self.picture.position):
                table.normal_(std=0.1)
            self.words.embed.weight[0] = 0
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / c["temperature"])), requires_grad=c["learn"])
        self.bias = nn.Parameter(torch.tensor(float(c["bias"])), requires_grad=c["bias"] != 0)

    @property
    def temperature(self) -> float:
        """τ; the logits are cosine / τ."""
        return math.exp(-self.log_scale.item())

    def tokens(self, texts: Sequence[str | Caption]) -> tuple[Tensor, Tensor]:
        """Captions → ids (B, L), mask (B, L)."""
        lines = [t.text if isinstance(t, Caption) else t for t in texts]
        ids, mask = text.pad([self.vocabulary.encode(line) for line in lines], self.config["length"])
        return torch.from_numpy(ids), torch.from_numpy(mask)

    def picture_tokens(self, images: Tensor) -> Tensor:
        """(B, 3, S, S), -1 … 1 → (B, N, D): one vector for each square of the picture, before pooling."""
        x = self.picture(images)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def encode_pictures(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) → (B, E) of length 1."""
        x = self.picture_tokens(images)
        x = x.flatten(1) if self.config["pool"] == "flat" else x.mean(1)
        return F.normalize(self.project_picture(x), dim=-1)

    def encode_texts(self, ids: Tensor, mask: Tensor) -> Tensor:
        """ids (B, L), mask (B, L) → (B, E) of length 1."""
        return F.normalize(self.project_words(encoders.pool(self.words(ids, mask), mask)), dim=-1)

    def logits(self, pictures: Tensor, texts: Tensor) -> Tensor:
        """(B, E), (C, E) → (B, C): cosine / τ + bias. 1/τ goes no higher than 100, as in CLIP."""
        return pictures @ texts.T * self.log_scale.exp().clamp(max=100) + self.bias
