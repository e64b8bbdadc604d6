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
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import encoders, scenes, text
from .scenes import COLOURS, OPPOSITE, SHAPES, Placed, Scene, Thing
from .text import Vocabulary
from .train import History, fit

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
                    family = (scene, exchange(scene, "places"), exchange(scene, "colours"), exchange(scene, "shapes"))
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


@dataclass(frozen=True)
class Pairs:
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


def make_families(some: Sequence[tuple[Scene, Scene, Scene, Scene]], n: int, rng: np.random.Generator) -> Pairs:
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
        [s for p in parts for s in p.scenes],
        [c for p in parts for c in p.captions],
        torch.cat([p.images for p in parts]),
    )


def truth_table(some: Sequence[Scene], captions: Sequence[Caption]) -> Tensor:
    """(n, m) bool: whether caption j is true of scene i. Each different scene is looked at once."""
    columns = {caption: k for k, caption in enumerate(dict.fromkeys(captions))}
    kinds = {frozenset(scene.placed): scene for scene in some}
    place = {key: k for k, key in enumerate(kinds)}
    table = torch.zeros(len(kinds), len(columns), dtype=torch.bool)
    for key, scene in kinds.items():
        for lang in scenes.LANGUAGES:
            there = [Caption(thing, lang=lang) for thing in scene.things]
            for caption in (*there, *true_captions(scene, lang)):
                if caption in columns:
                    table[place[key], columns[caption]] = True
    rows = torch.tensor([place[frozenset(scene.placed)] for scene in some])
    return table[rows][:, torch.tensor([columns[caption] for caption in captions])]


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
    it is not 0. word_std, place_std: spread of the word and place embeddings at the start (0.1 both).
    """

    DEFAULTS: Mapping[str, Any] = {
        "dim": 64, "embed": 64, "size": 32, "stride": 8, "length": 16, "layers": 1, "blocks": 0, "pool": "mean",
        "temperature": 0.07, "learn": True, "bias": 0.0, "word_std": 0.1, "place_std": 0.1, "late": False,
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
            self.words.embed.weight.normal_(std=c["word_std"])
            self.words.position.normal_(std=c["place_std"])
            if self.picture.position is not None:
                self.picture.position.normal_(std=c["place_std"])
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

    def similarity(self, images: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        """Pictures (B, 3, S, S) and captions ids, mask (C, L) → cosines (B, C)."""
        return self.encode_pictures(images) @ self.encode_texts(ids, mask).T

    def logits(self, similarity: Tensor) -> Tensor:
        """Cosines (B, C) → logits (B, C): cosine / τ + bias. 1/τ goes no higher than 100, as in CLIP."""
        return similarity * self.log_scale.exp().clamp(max=100) + self.bias


class LateCLIP(CLIP):
    """The same encoders without pooling: every word looks for the square of the picture that suits it best, and the
    similarity is the mean of what they find. This is FILIP's token-wise late interaction (Yao et al. 2021,
    https://arxiv.org/abs/2111.07783), from text to picture only.

    A picture is then N vectors in the index instead of one.
    """

    def similarity(self, images: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        """Pictures (B, 3, S, S) and captions ids, mask (C, L) → mean over words of the best cosine (B, C)."""
        squares = F.normalize(self.project_picture(self.picture_tokens(images)), dim=-1)  # (B, N, E)
        words = F.normalize(self.project_words(self.words(ids, mask)), dim=-1)  # (C, L, E)
        best = torch.einsum("bne,cle->bcln", squares, words).amax(-1)  # (B, C, L)
        return (best * mask).sum(-1) / mask.sum(-1)


# ---- batches and training -------------------------------------------------------------------------------------------


def training_pairs(
    parts: Sequence[tuple[Scene, Scene, Scene, Scene]], rng: np.random.Generator, n: int = 1200, single: int = 800
) -> Pairs:
    """4 n pairs in families, then `single` pairs with one thing."""
    return join(make_families(parts, n, rng), make_pairs(singles(), single, rng))


def bag(scene: Scene) -> tuple[frozenset[str], frozenset[str]]:
    """The colours and the shapes of a scene, whichever belongs to which: what a bag of words knows of it."""
    return frozenset(t.colour for t in scene.things), frozenset(t.shape for t in scene.things)


MIXES = ("apart", "random", "families")


def batches(pairs: Pairs, mix: str, steps: int, rng: np.random.Generator) -> Tensor:
    """Which pairs of `training_pairs` each step sees: (steps, 52) int64. A batch has 36 pairs of two things and one
    single of each of the 16 things; `mix` says which of the 36 meet.

    "apart": each with other colours or shapes than all others, so that words alone tell them apart. "random": as it
    falls. "families": nine whole families, so that each pair meets its three exchanges.
    """
    two = [i for i, caption in enumerate(pairs.captions) if caption.b is not None]
    bags: dict[Any, list[int]] = {}
    named: dict[Thing, list[int]] = {}
    for i, caption in enumerate(pairs.captions):
        if caption.b is not None:
            bags.setdefault(bag(pairs.scenes[i]), []).append(i)
        else:
            named.setdefault(caption.a, []).append(i)
    rows = []
    for _ in range(steps):
        if mix == "apart":
            chosen = [members[rng.integers(len(members))] for members in bags.values()]
        elif mix == "random":
            chosen = [two[i] for i in rng.permutation(len(two))[: len(bags)]]
        elif mix == "families":
            first = rng.permutation(len(two) // 4)[: len(bags) // 4] * 4
            chosen = [two[i + k] for i in first for k in range(4)]
        else:
            raise ValueError(f"mix is one of {MIXES}, not {mix!r}")
        rows.append(chosen + [members[rng.integers(len(members))] for members in named.values()])
    return torch.tensor(rows)


def learn(
    model: CLIP,
    pairs: Pairs,
    rows: Tensor,
    seed: int,
    loss: Callable[..., Tensor] = info_nce,
    true: Tensor | None = None,
    lr: float = 3e-3,
) -> History:
    """Trains a model, one step for each row of `rows` (steps, B). true (n, n) bool: all true cells of the pairs, if the
    loss is to know of them (see `truth_table`)."""
    ids, mask = model.tokens(pairs.captions)

    def value(step: Tensor) -> Tensor:
        i = rows[step[0]]
        logits = model.logits(model.similarity(pairs.images[i], ids[i], mask[i]))
        return loss(logits) if true is None else loss(logits, true[i][:, i])

    return fit(model, value, len(rows), steps=len(rows), batch=1, lr=lr, seed=seed)


# ---- measures -------------------------------------------------------------------------------------------------------


def recall_at(similarity: Tensor, true: Tensor, k: int) -> float:
    """Share of rows with a true column among their k best: similarity (n, m), true (n, m) bool, each row with one or
    more. Ties are broken by chance: the value is the expectation over all orders of equal cells.
    """
    hits = []
    for row, good in zip(similarity, true, strict=True):
        best = row[good].max()
        above = int((row[~good] > best).sum())  # false, and certainly before it
        rivals, equals = int((row[~good] == best).sum()), int((row[good] == best).sum())
        places = k - above  # left for the tied
        if places <= 0:
            hits.append(0.0)
        elif places > rivals:
            hits.append(1.0)
        else:  # no true one among the first `places` of the tied, in a random order
            hits.append(1 - math.comb(rivals, places) / math.comb(rivals + equals, places))
    return float(np.mean(hits))


class Winoground(NamedTuple):
    """Shares of quadruples solved, 0 … 1. By chance .25, .25 and 1/6."""

    text: float
    image: float
    group: float


def winoground(scores: Tensor) -> Winoground:
    """The three scores of Winoground (Thrush et al. 2022, https://arxiv.org/abs/2204.03162): scores (n, 2, 2), first the
    picture, then the caption; (0, 0) and (1, 1) are true.

    text: each picture prefers its caption. image: each caption prefers its picture. group: both. A tie is a failure.
    """
    s = scores
    right_text = (s[:, 0, 0] > s[:, 0, 1]) & (s[:, 1, 1] > s[:, 1, 0])
    right_image = (s[:, 0, 0] > s[:, 1, 0]) & (s[:, 1, 1] > s[:, 0, 1])
    return Winoground(*(float(x.float().mean()) for x in (right_text, right_image, right_text & right_image)))


@torch.inference_mode()
def similarities(model: CLIP, images: Tensor, captions: Sequence[str | Caption], size: int = 64) -> Tensor:
    """All cosines of pictures (n, 3, S, S) and m captions: (n, m), `size` pictures at a time."""
    ids, mask = model.tokens(captions)
    return torch.cat([model.similarity(part, ids, mask) for part in images.split(size)])


@torch.inference_mode()
def quad_scores(model: CLIP, pairs: Pairs, what: str) -> Tensor:
    """Scores (n, 2, 2) of each family's first member against its exchange; pairs as `make_families` gives them."""
    member = 1 + EXCHANGES.index(what)
    ids, mask = model.tokens(pairs.captions)
    rows = []
    for i in range(0, len(pairs), 4):
        pick = torch.tensor([i, i + member])
        rows.append(model.similarity(pairs.images[pick], ids[pick], mask[pick]))
    return torch.stack(rows)


CLASSES = tuple(Thing(c, s) for c in COLOURS for s in SHAPES)  # the 16 classes of zero-shot classification


def zero_shot(model: CLIP, images: Tensor, lang: str) -> Tensor:
    """The class whose sentence is nearest to each picture: (n, 3, S, S) → (n,) int64, indices into CLASSES."""
    return similarities(model, images, [Caption(thing, lang=lang) for thing in CLASSES]).argmax(1)


def from_config(config: Mapping[str, Any]) -> CLIP:
    """The model of a checkpoint's config: `checkpoints.load("05-contrastive", "clip").into(from_config(config))`."""
    return (LateCLIP if config.get("late") else CLIP)(config)
