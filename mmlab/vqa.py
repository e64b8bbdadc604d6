"""Visual question answering on ShapeTalk: the data with combinations held out, and the models that lab 03 compares.

    picture (B, 3, 32, 32)  →  PictureTokens  →  tokens (B, 16, D)  ┐
                                                                     ├→ fusion → scores of the answers (B, 8)
    question ids (B, L)     →  BagOfWords     →  vector (B, D)      ┘

`Readers` is the one that carries over to combinations of colour and shape that it never saw. `Matcher` answers another
question, yes or no: does this caption fit this picture?
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import say, scenes
from .checkpoints import load
from .data import Standardise, masked_mean
from .encoders import TransformerEncoder, patchify, preprocess
from .fusion import FUSIONS, CrossAttention
from .scenes import ANSWERS, Scene, Vqa
from .text import Vocabulary, pad
from .train import History, fit

Pairs = frozenset[tuple[str, str]]  # of (colour, shape)

TEST_PAIRS: Pairs = frozenset({("green", "star"), ("red", "square")})  # never in training; the last test
VALIDATION_PAIRS: Pairs = frozenset({("blue", "triangle"), ("yellow", "circle")})  # never in training; for choosing
SIZE = 32  # pixels, height and width
LONGEST = 12  # tokens of a question
WIDTH = 64  # D


class BadInput(ValueError):
    """A picture or a question that the model cannot answer; the message says what is wrong, in the reader's language."""


# ---- data -----------------------------------------------------------------------------------------------------------


def has(scene: Scene, pairs: Pairs) -> bool:
    """Whether one of the things in the scene is one of these pairs of colour and shape."""
    return any((p.thing.colour, p.thing.shape) in pairs for p in scene.placed)


def seen(blocks: int, seed: int) -> Vqa:
    """Blocks of questions in which no held-out pair occurs, neither those of the test nor those of the validation."""
    return scenes.vqa(blocks, seed, SIZE, allow=lambda scene: not has(scene, TEST_PAIRS | VALIDATION_PAIRS))


def held_out(pictures: int, seed: int, pairs: Pairs) -> Vqa:
    """Two questions about each of `pictures` pictures with one of `pairs` in it, and none of the other held-out pairs.

    Samples 2k and 2k + 1 share a picture and have different answers, so whoever sees only the picture is right at most
    once in two.
    """
    others = (TEST_PAIRS | VALIDATION_PAIRS) - pairs
    blocks = scenes.vqa(3 * pictures + 40, seed, SIZE, allow=lambda scene: not has(scene, others))
    keep = [i for i, scene in enumerate(blocks.scenes) if has(scene, pairs)][: 2 * pictures]
    if len(keep) < 2 * pictures:
        raise RuntimeError(f"only {len(keep) // 2} of {pictures} pictures found")
    return take(blocks, keep)


def take(data: Vqa, positions: Sequence[int]) -> Vqa:
    """The samples at these positions."""
    return Vqa(
        data.images[positions],
        [data.questions[i] for i in positions],
        data.answers[positions],
        [data.kinds[i] for i in positions],
        [data.langs[i] for i in positions],
        [data.scenes[i] for i in positions],
    )


class Batch(NamedTuple):
    """B questions, ready for a model."""

    image: Tensor  # (B, 3, SIZE, SIZE) float32, standardised
    ids: Tensor  # (B, L) int64
    mask: Tensor  # (B, L) bool, True where a token is
    answer: Tensor  # (B,) int64, indices into ANSWERS

    def at(self, positions: Tensor) -> Batch:
        """The samples at these positions, (n,) int64."""
        return Batch(*(part[positions] for part in self))


class Prepare(NamedTuple):
    """What turns pictures and questions into tensors, the same in training and in prediction; it is saved with a model."""

    vocabulary: Vocabulary
    pixels: Standardise

    @classmethod
    def fit(cls, data: Vqa) -> Prepare:
        """Vocabulary and pixel statistics of the training set."""
        return cls(Vocabulary.fit(data.questions), Standardise.fit(list(data.images)))

    @classmethod
    def of(cls, config: dict[str, Any]) -> Prepare:
        """From a checkpoint's config."""
        return cls(Vocabulary(config["tokens"]), Standardise(tuple(config["mean"]), tuple(config["std"])))

    def config(self) -> dict[str, Any]:
        """What `of` reads: anything JSON can hold."""
        return {
            "tokens": list(self.vocabulary.tokens),
            "mean": list(self.pixels.mean),
            "std": list(self.pixels.std),
            "answers": list(ANSWERS),
            "size": SIZE,
        }

    def texts(self, questions: Sequence[str], length: int = LONGEST) -> tuple[Tensor, Tensor]:
        """Questions → ids (B, length) int64 and mask (B, length) bool."""
        ids, mask = pad([self.vocabulary.encode(q) for q in questions], length)
        return torch.from_numpy(ids), torch.from_numpy(mask)

    def __call__(self, data: Vqa) -> Batch:
        """A whole set as tensors."""
        return Batch(preprocess(data.images, self.pixels), *self.texts(data.questions), torch.from_numpy(data.answers))

    def one(self, image: np.ndarray, question: str) -> tuple[Tensor, Tensor, Tensor]:
        """A picture (SIZE, SIZE, 3) uint8 and a question from outside, checked → image (1, …), ids (1, L), mask (1, L).

        BadInput says what is wrong with them.
        """
        image = np.asarray(image)
        if image.dtype != np.uint8:
            wrong = image.dtype
            raise BadInput(
                say(f"图像要 uint8（0–255），这里是 {wrong}", f"a picture is uint8 (0–255), this is {wrong}")
            )
        if image.shape != (SIZE, SIZE, 3):
            wanted = (SIZE, SIZE, 3)
            raise BadInput(
                say(f"图像的形状要 {wanted}，这里是 {image.shape}", f"a picture has shape {wanted}, this {image.shape}")
            )
        if not isinstance(question, str):
            raise BadInput(say("问题要是一个字符串", "a question is one string"))
        ids = self.vocabulary.encode(question)
        if not ids:
            raise BadInput(say("问题是空的", "the question is empty"))
        if len(ids) > LONGEST:
            raise BadInput(
                say(
                    f"问题有 {len(ids)} 个词元，最多 {LONGEST} 个",
                    f"{len(ids)} tokens in the question, at most {LONGEST}",
                )
            )
        if 1 in ids:
            from .text import tokenise

            strange = " ".join(t for t, i in zip(tokenise(question), ids, strict=True) if i == 1)
            raise BadInput(say(f"训练时没有见过的词：{strange}", f"never seen in training: {strange}"))
        return preprocess(image[None], self.pixels), *self.texts([question])


# ---- the two encoders -----------------------------------------------------------------------------------------------


class PictureTokens(nn.Module):
    """A fast convolutional encoder: patches of 4 px, then 3 x 3 with stride 2: one token for each 8 px.

    A token sees 12 x 12 pixels. Positions are added to the tokens.
    """

    def __init__(self, dim: int = WIDTH, size: int = SIZE):
        super().__init__()
        self.tokens = (size // 8) ** 2
        self.patches = nn.Conv2d(3, 32, 4, stride=4)
        self.mix = nn.Conv2d(32, dim, 3, stride=2, padding=1)
        self.position = nn.Parameter(0.1 * torch.randn(self.tokens, dim))

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, S, S) → (B, (S/8)², D), row by row."""
        image = image.contiguous(memory_format=torch.channels_last)  # the same numbers, faster on a processor
        x = F.relu(self.mix(F.relu(self.patches(image))))
        return x.flatten(2).transpose(1, 2) + self.position


class BagOfWords(nn.Module):
    """The mean of the words' vectors. Order is lost, and these questions do not need it."""

    def __init__(self, vocabulary: int, dim: int = WIDTH):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, dim, padding_idx=0)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(B, L), (B, L) → (B, D)."""
        return masked_mean(self.embed(ids), mask)


# ---- the models -----------------------------------------------------------------------------------------------------


class Answerer(nn.Module):
    """What all models share: called as model(image, ids, mask) → scores of the answers (B, 8)."""

    def forward(self, image: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        raise NotImplementedError


def head(inside: int, hidden: int = 128) -> nn.Sequential:
    """(B, inside) → scores (B, 8), with one hidden layer."""
    return nn.Sequential(nn.ReLU(), nn.Linear(inside, hidden), nn.ReLU(), nn.Linear(hidden, len(ANSWERS)))


class TextOnly(Answerer):
    """A blind baseline: never looks at the picture."""

    def __init__(self, vocabulary: int, dim: int = WIDTH):
        super().__init__()
        self.text, self.head = BagOfWords(vocabulary, dim), head(dim)

    def forward(self, image: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        return self.head(self.text(ids, mask))


class ImageOnly(Answerer):
    """A deaf baseline: never reads the question."""

    def __init__(self, vocabulary: int, dim: int = WIDTH):
        super().__init__()
        self.picture = PictureTokens(dim)
        self.head = head(self.picture.tokens * dim)

    def forward(self, image: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        return self.head(self.picture(image).flatten(1))


class Fused(Answerer):
    """One vector for the question, one for the whole picture, one of `mmlab.fusion.FUSIONS`, then a linear layer (or,
    with `deep`, a hidden layer first).

    Cross-attention keeps the picture's tokens apart: the question is the query. It has one head, which learns faster
    here than four.
    """

    def __init__(self, vocabulary: int, fusion: str, dim: int = WIDTH, hidden: int = 128, deep: bool = False):
        super().__init__()
        self.text, self.picture = BagOfWords(vocabulary, dim), PictureTokens(dim)
        self.attends = fusion == "cross-attention"
        inside = dim if self.attends else self.picture.tokens * dim
        self.fuse = (
            CrossAttention(dim, inside, hidden, heads=1) if self.attends else FUSIONS[fusion](dim, inside, hidden)
        )
        self.head = head(hidden) if deep else nn.Linear(hidden, len(ANSWERS))

    def features(self, image: Tensor, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """→ question (B, D) and picture (B, 16 D), or tokens (B, 16, D) for cross-attention."""
        tokens = self.picture(image)
        return self.text(ids, mask), tokens if self.attends else tokens.flatten(1)

    def forward(self, image: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        return self.head(self.fuse(*self.features(image, ids, mask)))

    def attention(self, image: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        """Where it looks: (B, tokens), mean over heads; only for cross-attention."""
        if not isinstance(self.fuse, CrossAttention):
            raise TypeError("only cross-attention looks at places")
        return self.fuse.attend(*self.features(image, ids, mask))[1].mean(1)


class FindThenRead(Answerer):
    """The question chooses where to look and which numbers to read; the answer comes from what is found there alone.

    tokens: 16-px patches, one for each cell of the grid, so that a token holds one thing. The question meets the
    picture in two places only: as the query, and as a gate (0 … 1) on what was found.
    """

    def __init__(self, vocabulary: int, dim: int = WIDTH, patch: int = 16):
        super().__init__()
        self.text, self.patch = BagOfWords(vocabulary, dim), patch
        n = (SIZE // patch) ** 2
        self.token = nn.Sequential(nn.Linear(3 * patch**2, dim), nn.ReLU(), nn.Linear(dim, dim), nn.ReLU())
        self.position = nn.Parameter(0.1 * torch.randn(n, dim))
        self.query, self.key, self.value = (nn.Linear(dim, dim) for _ in range(3))
        self.gate = nn.Linear(dim, dim)
        self.head = nn.Linear(dim, len(ANSWERS))

    def look(self, question: Tensor, tokens: Tensor) -> Tensor:
        """question (B, D), tokens (B, N, D) → weights (B, N)."""
        keys = self.key(tokens + self.position)
        return (torch.einsum("bd,bnd->bn", self.query(question), keys) / keys.shape[-1] ** 0.5).softmax(-1)

    def attention(self, image: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        """Where it looks: (B, N)."""
        return self.look(self.text(ids, mask), self.token(patchify(image, self.patch)))

    def forward(self, image: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        question, tokens = self.text(ids, mask), self.token(patchify(image, self.patch))
        found = F.relu(torch.einsum("bn,bnd->bd", self.look(question, tokens), self.value(tokens)))
        return self.head(found * self.gate(question).sigmoid())


class Readers(Answerer):
    """Find, then read, with two readers that are each blind to what the other reads.

    A 16-px patch is one token. The reader of colour gets its mean colour with brightness and strength taken out (three
    numbers: no outline is left in them); the reader of shape gets its grey picture with mean and contrast taken out (no
    colour is left in it). The question gives one query for each of colour, shape and place; their scores are added, and
    the softmax of the sum says where to look. Each reader answers from what it finds there, and the question weights
    the two answers: it cannot say "a star is never green", because it never touches the scores of single answers.
    """

    def __init__(self, vocabulary: int, dim: int = 32, patch: int = 16, hidden: int = 64, blind: bool = True):
        super().__init__()
        self.text, self.patch, self.blind = BagOfWords(vocabulary, WIDTH), patch, blind
        whole = 3 * patch**2
        self.colour = nn.Sequential(nn.Linear(3 if blind else whole, hidden), nn.ReLU(), nn.Linear(hidden, dim))
        self.shape = nn.Sequential(nn.Linear(patch**2 if blind else whole, hidden), nn.ReLU(), nn.Linear(hidden, dim))
        self.place = nn.Parameter(0.3 * torch.randn((SIZE // patch) ** 2, dim))
        self.query = nn.Linear(WIDTH, 3 * dim)
        self.which = nn.Linear(WIDTH, 2)
        self.answers = nn.ModuleList([nn.Linear(dim, len(ANSWERS)), nn.Linear(dim, len(ANSWERS))])

    def read(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, S, S) → what the readers get, hue (B, N, 3) and outline (B, N, patch²); all pixels if not `blind`."""
        pixels = patchify(image, self.patch)
        if not self.blind:
            return pixels, pixels
        channels = pixels.unflatten(2, (3, -1))  # (B, N, 3, patch²)
        return without_scale(channels.mean(3)), without_scale(channels.mean(2))

    def look(self, image: Tensor, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """→ attention (B, N), share of the two readers (B, 2), and their tokens (B, N, dim) each."""
        hue, outline = self.read(image)
        question, colour, shape = self.text(ids, mask), self.colour(hue), self.shape(outline)
        keys = torch.stack([colour, shape, self.place.expand_as(colour)], 1)  # (B, 3, N, dim)
        query = self.query(question).unflatten(1, (3, -1))
        scores = torch.einsum("bfd,bfnd->bn", query, keys) / keys.shape[-1] ** 0.5
        return scores.softmax(-1), self.which(question).softmax(-1), colour, shape

    def attention(self, image: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        """Where it looks: (B, N)."""
        return self.look(image, ids, mask)[0]

    def forward(self, image: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        weights, which, *tokens = self.look(image, ids, mask)
        found = [F.relu(torch.einsum("bn,bnd->bd", weights, t)) for t in tokens]
        scores = torch.stack([answer(f) for answer, f in zip(self.answers, found, strict=True)], 1)  # (B, 2, 8)
        return torch.einsum("br,bra->ba", which, scores)


def without_scale(x: Tensor, floor: float = 0.1) -> Tensor:
    """Mean and spread of the last axis taken out; what is nearly flat stays near 0 instead of becoming noise."""
    x = x - x.mean(-1, keepdim=True)
    return x / (x.square().mean(-1, keepdim=True).sqrt() + floor)


MODELS: dict[str, Callable[[int], Answerer]] = {
    "text": TextOnly,
    "image": ImageOnly,
    "concat": lambda v: Fused(v, "concat"),
    "concat-mlp": lambda v: Fused(v, "concat", deep=True),
    "gated": lambda v: Fused(v, "gated"),
    "film": lambda v: Fused(v, "film", deep=True),
    "product": lambda v: Fused(v, "product"),
    "cross-attention": lambda v: Fused(v, "cross-attention", deep=True),
    "find": FindThenRead,
    "pixels": lambda v: Readers(v, blind=False),
    "readers": Readers,
}


def build(name: str, vocabulary: int) -> Answerer:
    """One of `MODELS`, with new weights."""
    return MODELS[name](vocabulary)


def from_config(config: dict[str, Any]) -> tuple[Answerer, Prepare]:
    """The model (with new weights) and the preparation that a checkpoint's config describes."""
    return build(config["model"], len(config["tokens"])), Prepare.of(config)


# ---- training and looking -------------------------------------------------------------------------------------------


def train(
    model: Answerer,
    data: Batch,
    *,
    steps: int = 600,
    batch: int = 128,
    lr: float = 3e-3,
    seed: int = 0,
    check: Callable[[], float] | None = None,
    label: str = "",
) -> History:
    """Cross-entropy of the answers, with `mmlab.train.fit`."""

    def loss(positions: Tensor) -> Tensor:
        some = data.at(positions)
        return F.cross_entropy(model(some.image, some.ids, some.mask), some.answer)

    return fit(model, loss, len(data.answer), steps=steps, batch=batch, lr=lr, seed=seed, check=check, label=label)


@torch.inference_mode()
def scores(model: Answerer, data: Batch, batch: int = 512) -> Tensor:
    """Scores (N, 8) of a whole set, in evaluation mode."""
    was = model.training
    model.eval()
    out = [model(*(part[i : i + batch] for part in data[:3])) for i in range(0, len(data.answer), batch)]
    model.train(was)
    return torch.cat(out)


def right(model: Answerer, data: Batch) -> Tensor:
    """(N,) bool: which questions it answers rightly."""
    return scores(model, data).argmax(1) == data.answer


def accuracy(model: Answerer, data: Batch) -> float:
    """Share of right answers."""
    return right(model, data).float().mean().item()


# ---- does this caption fit this picture? ----------------------------------------------------------------------------

_ZH_PLACE = {"left": "左边", "right": "右边", "above": "上面", "below": "下面"}


class CaptionBlocks(NamedTuple):
    """Blocks of two pictures and two captions; caption 2k fits picture 2k only, caption 2k + 1 fits picture 2k + 1."""

    images: np.ndarray  # (2 blocks, SIZE, SIZE, 3) uint8
    captions: list[str]  # 2 blocks
    kinds: list[str]  # blocks: "swap" (the things change places) or "bind" (they change colours)


def matching(blocks: int, seed: int, short: bool = False) -> CaptionBlocks:
    """Crossed blocks for matching: every word of caption 1 also stands in caption 2. Languages take turns.

    short: captions name one thing and its place ("a red circle on the left"), else both things and their relation.
    """
    rng = np.random.default_rng(seed)
    images, captions, kinds = [], [], []
    for k in range(blocks):
        lang = scenes.LANGUAGES[k % 2]
        c = [list(scenes.COLOURS)[i] for i in rng.permutation(4)[:2]]
        s = [scenes.SHAPES[i] for i in rng.permutation(4)[:2]]
        relation = list(scenes.OPPOSITE)[rng.integers(4)]
        kinds.append(("swap", "bind")[rng.integers(2)])
        a, b = scenes.Thing(c[0], s[0]), scenes.Thing(c[1], s[1])
        other = (b, a) if kinds[-1] == "swap" else (scenes.Thing(c[1], s[0]), scenes.Thing(c[0], s[1]))
        for first, second in ((a, b), other):
            images.append(scenes.draw(scenes.scene_of(first, relation, second, rng), rng, SIZE))
            captions.append(_short(first, relation, lang) if short else scenes.caption(first, relation, second, lang))
    return CaptionBlocks(np.stack(images), captions, kinds)


def _short(thing: scenes.Thing, place: str, lang: str) -> str:
    """左边的红色圆形 / a red circle on the left."""
    where = {"left": "on the left", "right": "on the right", "above": "at the top", "below": "at the bottom"}[place]
    name = scenes.name(thing, lang)
    return f"{_ZH_PLACE[place]}的{name}" if lang == "zh" else f"a {name} {where}"


class Captioned(NamedTuple):
    """M pictures, each with its caption, as tensors; rows 2k and 2k + 1 are a block."""

    image: Tensor  # (M, 3, SIZE, SIZE)
    ids: Tensor  # (M, L)
    mask: Tensor  # (M, L) bool

    def blocks(self, which: Tensor) -> Captioned:
        """The blocks with these numbers, (n,) int64 → 2 n rows."""
        rows = torch.stack([2 * which, 2 * which + 1], 1).flatten()
        return Captioned(*(part[rows] for part in self))

    @classmethod
    def of(cls, data: CaptionBlocks, prepare: Prepare) -> Captioned:
        """With the vocabulary and the pixel statistics of the training set."""
        return cls(preprocess(data.images, prepare.pixels), *prepare.texts(data.captions, Matcher.LONGEST))


class Matcher(nn.Module):
    """Cells and words as unit vectors in one space; a similarity of caption and picture; a yes/no head on top.

    The similarity is late interaction: each word takes the cell that fits it best, and the caption the mean over its
    words (FILIP, Yao et al. 2021, https://arxiv.org/abs/2111.07783). The yes/no head lets each word attend to the cells
    and judges the word with what it found; the caption's score is the sum.
    """

    LONGEST = 14  # tokens of a caption

    def __init__(self, vocabulary: int, dim: int = WIDTH, patch: int = 16):
        super().__init__()
        self.patch = patch
        self.cell = nn.Sequential(nn.Linear(3 * patch**2, 128), nn.ReLU(), nn.Linear(128, dim))
        self.place = nn.Parameter(0.3 * torch.randn((SIZE // patch) ** 2, dim))
        self.text = TransformerEncoder(vocabulary, dim, length=self.LONGEST, layers=1)
        with torch.no_grad():
            self.text.position.mul_(15)  # 0.02 → 0.3: which word comes first matters here
        self.word = nn.Linear(dim, dim)
        self.sharpness = nn.Parameter(torch.tensor(2.3))  # logarithm of 1 / temperature
        self.head = nn.Sequential(nn.Linear(2 * dim, 64), nn.ReLU(), nn.Linear(64, 1))

    def encode(self, image: Tensor, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """→ cells (B, N, D) and words (B, L, D), of length 1."""
        cells = self.cell(patchify(image, self.patch)) + self.place
        return F.normalize(cells, dim=-1), F.normalize(self.word(self.text(ids, mask)), dim=-1)

    def similarity(self, cells: Tensor, words: Tensor, mask: Tensor) -> Tensor:
        """Every picture with every caption: (B, N, D), (C, L, D), (C, L) → (B, C), between -1 and 1."""
        best = torch.einsum("bnd,cld->bcln", cells, words).amax(3)
        return (best * mask).sum(2) / mask.sum(1)

    def fits(self, cells: Tensor, words: Tensor, mask: Tensor) -> Tensor:
        """Each picture with its caption, (B, N, D), (B, L, D), (B, L) → score (B,), above 0 for yes."""
        weights = (torch.einsum("bld,bnd->bln", words, cells) * self.sharpness.exp()).softmax(-1)
        found = torch.einsum("bln,bnd->bld", weights, cells)
        score = self.head(torch.cat([8 * found * words, words], -1))[..., 0]
        return (score * mask).sum(1)


_PICTURE, _CAPTION = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1])


def cross(cells: Tensor, words: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Blocks (2 n rows) → all four pairs of each: cells, words, mask with 4 n rows, and whether they fit (4 n,) bool."""
    first = 2 * torch.arange(len(cells) // 2)[:, None]
    picture, caption = (first + _PICTURE).flatten(), (first + _CAPTION).flatten()
    return cells[picture], words[caption], mask[caption], picture == caption


def contrastive_loss(model: Matcher, some: Captioned) -> Tensor:
    """InfoNCE over the batch, both ways; the other half of the block is a hard negative."""
    cells, words = model.encode(*some)
    logits = model.similarity(cells, words, some.mask) * model.sharpness.exp()
    target = torch.arange(len(logits))
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def matching_loss(model: Matcher, some: Captioned) -> Tensor:
    """Yes or no for all four pairs of each block, binary cross-entropy."""
    cells, words, mask, fitting = cross(*model.encode(*some), some.mask)
    return F.binary_cross_entropy_with_logits(model.fits(cells, words, mask), fitting.float())


@torch.inference_mode()
def matching_right(model: Matcher, data: Captioned) -> Tensor:
    """(blocks, 4) bool: which of the four pairs it judges rightly."""
    cells, words, mask, fitting = cross(*model.encode(*data), data.mask)
    return ((model.fits(cells, words, mask) > 0) == fitting).unflatten(0, (-1, 4))


# ---- prediction -----------------------------------------------------------------------------------------------------


class Answer(NamedTuple):
    """What a model answers to one question."""

    word: str  # one of ANSWERS
    confidence: float  # its probability, 0 … 1
    probabilities: Tensor  # (8,)


class Predictor:
    """A trained model with its own preparation: the same numbers go in as in training. Calibrated by `temperature`."""

    def __init__(self, model: Answerer, prepare: Prepare, answers: Sequence[str] = ANSWERS, temperature: float = 1.0):
        if temperature <= 0:
            raise ValueError(f"a temperature is above 0, not {temperature}")
        self.model, self.prepare, self.answers, self.temperature = model.eval(), prepare, tuple(answers), temperature

    @classmethod
    def load(cls, name: str, slug: str = "03-training") -> Predictor:
        """From a checkpoint of lab 03: "product", "cross-attention", "readers" … BadFile if it is missing or damaged."""
        checkpoint = load(slug, name)
        model, prepare = from_config(checkpoint.config)
        checkpoint.into(model)
        return cls(model, prepare, checkpoint.config["answers"])

    def many(self, images: Sequence[np.ndarray], questions: Sequence[str]) -> list[Answer]:
        """One answer for each pair; BadInput names the first pair that cannot be answered, before anything is computed."""
        if len(images) != len(questions):
            wrong = f"{len(images)} ≠ {len(questions)}"
            raise BadInput(say(f"图像和问题数目不同：{wrong}", f"pictures and questions differ in number: {wrong}"))
        if not len(images):
            return []
        ready = []
        for i, (image, question) in enumerate(zip(images, questions, strict=True)):
            try:
                ready.append(self.prepare.one(image, question))
            except BadInput as error:
                raise BadInput(say(f"第 {i} 个：{error}", f"item {i}: {error}")) from None
        image, ids, mask = (torch.cat(parts) for parts in zip(*ready, strict=True))
        with torch.inference_mode():
            probabilities = (self.model(image, ids, mask) / self.temperature).softmax(1)
        best = probabilities.argmax(1).tolist()
        return [Answer(self.answers[k], float(p[k]), p) for k, p in zip(best, probabilities, strict=True)]

    def one(self, image: np.ndarray, question: str) -> Answer:
        """A picture (SIZE, SIZE, 3) uint8 and a question."""
        ready = self.prepare.one(image, question)
        with torch.inference_mode():
            probabilities = (self.model(*ready) / self.temperature).softmax(1)[0]
        best = int(probabilities.argmax())
        return Answer(self.answers[best], float(probabilities[best]), probabilities)


def calibration_error(confidence: Tensor, correct: Tensor, bins: int = 10) -> tuple[float, Tensor]:
    """Expected calibration error (Guo et al. 2017, https://arxiv.org/abs/1706.04599), with bins of equal width.

    confidence (N,) 0 … 1, correct (N,) bool → Σ (n_b / N) |accuracy_b - confidence_b|, and a table (bins, 3) of share of
    the samples, mean confidence, accuracy (zeros where a bin is empty).
    """
    which = (confidence * bins).long().clamp(0, bins - 1)
    table = torch.zeros(bins, 3)
    for k in range(bins):
        inside = which == k
        if inside.any():
            values = (inside.float().mean(), confidence[inside].mean(), correct[inside].float().mean())
            table[k] = torch.stack(values)
    return float((table[:, 0] * (table[:, 2] - table[:, 1]).abs()).sum()), table


def fit_temperature(logits: Tensor, answer: Tensor, steps: int = 50) -> float:
    """The temperature T > 0 for which the cross-entropy of softmax(logits / T) is lowest: (N, 8), (N,) → T.

    One number, so accuracy stays as it is. Fit it on data that the model was not trained on. Where every answer is right
    the best temperature is 0; it is kept between 0.05 and 20.
    """
    logits, logarithm = logits.detach().clone(), torch.zeros((), requires_grad=True)
    optimiser = torch.optim.LBFGS([logarithm], lr=0.5, max_iter=steps, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = F.cross_entropy(logits / logarithm.clamp(-3, 3).exp(), answer)
        loss.backward()
        return loss

    with torch.enable_grad():
        optimiser.step(closure)
    return float(logarithm.detach().clamp(-3, 3).exp())
