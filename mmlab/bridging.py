"""Two bridges from a frozen picture encoder to a small language model: BLIP-2's Q-Former and LLaVA's projector.

    picture (B, S, S, 3) → frozen encoder → N tokens → bridge → P vectors of the decoder's width → decoder → answer

A bridge's vectors stand before the question where the embeddings of words would stand. Nothing else tells the decoder
that they come from a picture.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import checkpoints, contrastive, encoders, text, truth
from .scenes import LANGUAGES, Scene, captions, draw, word
from .text import Vocabulary

SLUG = "06-bridging"
LESSONS = (*truth.KINDS, "caption")  # the kinds in training: the hardest twice
IGNORE = -100  # a label that cross-entropy passes over
PICTURE_TOKENS = 16  # at most
ROOM = 16  # places before the question, for what the decoder is given to answer from
ANSWER_LENGTH = 12  # tokens: the longest caption has 11, and <eos>


# ---- data -----------------------------------------------------------------------------------------------------------


class Questions(NamedTuple):
    """n questions about pictures."""

    asks: list[truth.Ask]
    answers: list[str]  # one true answer each
    picture: np.ndarray  # (n,) int64: which picture

    def __len__(self) -> int:
        return len(self.asks)


def split() -> dict[str, list[Scene]]:
    """The 864 layouts in three parts that share none, as the encoder's lab divides them (`contrastive.split`): what is
    tested here, neither the encoder nor the bridge has seen in training."""
    return {part: [s for family in some for s in family] for part, some in contrastive.split().items()}


def pictures(layouts: Sequence[Scene], n: int, rng: np.random.Generator) -> tuple[list[Scene], np.ndarray]:
    """n scenes drawn from the layouts, each as often as the others, and their pictures (n, 32, 32, 3) uint8."""
    chosen = [layouts[i % len(layouts)] for i in range(n)]
    return chosen, np.stack([draw(scene, rng) for scene in chosen])


def questions(
    scenes: Sequence[Scene], n: int, rng: np.random.Generator, kinds: Sequence[str] = truth.KINDS
) -> Questions:
    """n questions about scenes; kinds and languages take turns."""
    asks, answers, picture = [], [], []
    aligned = [i for i, scene in enumerate(scenes) if truth.aligned(scene)]
    for k in range(n):
        kind, lang = kinds[k % len(kinds)], LANGUAGES[k // len(kinds) % 2]
        i = aligned[rng.integers(len(aligned))] if kind == "relation" else int(rng.integers(len(scenes)))
        ask, answer = truth.draw_ask(scenes[i], kind, lang, rng)
        asks.append(ask)
        answers.append(answer)
        picture.append(i)
    return Questions(asks, answers, np.array(picture))


_WORDS = (  # the Chinese words of the corpus; longer ones first
    "描述", "这幅", "三角形", "什么", "颜色", "形状", "东西", "图里", "没有",
    "红色", "绿色", "蓝色", "黄色", "圆形", "方形", "星形", "左边", "右边", "上面", "下面",
)  # fmt: skip
_CUT = re.compile("|".join(_WORDS) + r"|[\u4e00-\u9fff]|[^\W_\u4e00-\u9fff]+")


class Words(Vocabulary):
    """A vocabulary whose Chinese tokens are words, as the merges of a language model's tokeniser make them: 红色圆形 is
    2 tokens, not 4. Sequences get shorter, and a colour stands right before its shape in both languages.

    >>> cut("红色圆形在蓝色星形的左边")
    ['红色', '圆形', '在', '蓝色', '星形', '的', '左边']
    """

    def encode(self, text: str, begin: bool = False, end: bool = False) -> list[int]:
        ids = [self.ids.get(token, 1) for token in cut(text)]
        return [2] * begin + ids + [3] * end


def cut(text: str) -> list[str]:
    """Text → words in small letters, without punctuation; color is read as colour."""
    return ["colour" if token == "color" else token for token in _CUT.findall(text.lower())]


def vocabulary() -> Words:
    """All words of the questions and answers in both languages, in a fixed order."""
    words = {
        token
        for lang in LANGUAGES
        for line in (
            *(truth.wording(ask) for ask in truth.every_question(lang)),
            *truth.plain_answers(lang),
            *(caption for scene in truth.layouts() for caption in captions(scene, lang)),
        )
        for token in cut(line)
    }
    return Words([*text.SPECIAL, *sorted(words)])


def sequences(vocabulary: Vocabulary, asked: Sequence[str], answers: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Questions and answers → ids (B, L) of `question <bos> answer <eos>`, labels (B, L).

    labels[:, t] is the token that should follow position t: the next token where it belongs to the answer or is its
    <eos>, IGNORE everywhere else. So the question and the padding cost nothing, and the answer's first token is
    predicted at <bos>.
    """
    heads = [[*vocabulary.encode(q), 2] for q in asked]
    tails = [vocabulary.encode(a, end=True) for a in answers]
    ids, _ = text.pad([head + tail for head, tail in zip(heads, tails, strict=True)])
    labels = np.full_like(ids, IGNORE)
    for row, (head, tail) in enumerate(zip(heads, tails, strict=True)):
        labels[row, len(head) - 1 : len(head) - 1 + len(tail)] = tail
    return torch.from_numpy(ids), torch.from_numpy(labels)


def prompts(vocabulary: Vocabulary, asked: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Questions → ids (B, L) of `question <bos>`, lengths (B,)."""
    ids, mask = text.pad([[*vocabulary.encode(q), 2] for q in asked])
    return torch.from_numpy(ids), torch.from_numpy(mask.sum(1))


# ---- the parts of a Transformer ---------------------------------------------------------------------------------------


class Attention(nn.Module):
    """Multi-head attention: queries from x (B, L, D), keys and values from `memory` (B, M, D_m). → (B, L, D)

    In self-attention the keys' weights start as a copy of the queries', so that a token first looks at tokens like
    itself. "What colour is the circle?" has to find the circle: from there the way is much shorter.
    """

    def __init__(self, width: int, heads: int = 4, memory_width: int | None = None):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(memory_width or width, 2 * width)
        self.out = nn.Linear(width, width)
        if memory_width is None:
            with torch.no_grad():  # begins by looking at what is like itself
                self.key_value.weight[:width] = self.query.weight

    def forward(self, x: Tensor, memory: Tensor, mask: Tensor | None = None, causal: bool = False) -> Tensor:
        """mask: broadcasts to (B, heads, L, M), True where x may look."""
        q = self.query(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        k, v = self.key_value(memory).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        h = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)
        return self.out(h.transpose(1, 2).flatten(2))


def feed_forward(width: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))


def sinusoids(length: int, width: int) -> Tensor:
    """(length, width): sines and cosines of the position, from one turn in 2 pi places to one in 10,000 (arXiv
    1706.03762). Places that begin like this are learned from much sooner than places that begin at random: "the place
    before" is the same rotation everywhere."""
    rate = torch.exp(-math.log(1e4) * torch.arange(0, width, 2) / width)
    angle = torch.arange(length)[:, None] * rate
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(1)


class Decoder(nn.Module):
    """A small causal language model: GPT's form (pre-norm, learned places, tied embeddings) with one addition. Before
    each attention a token gets a share of the three tokens before it, so that "circle" also says "red": what GPT needs
    a layer and long training for.
    """

    def __init__(self, tokens: int, width: int = 64, layers: int = 2, heads: int = 4, length: int = 44):
        super().__init__()
        self.width = width
        self.embed = nn.Embedding(tokens, width)
        self.place = nn.Parameter(0.05 * sinusoids(length, width))
        self.attention = nn.ModuleList(Attention(width, heads) for _ in range(layers))
        self.before = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.feed = nn.ModuleList(feed_forward(width) for _ in range(layers))
        self.near = nn.ParameterList(torch.randn(3, width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        nn.init.normal_(self.embed.weight, std=0.1)

    def read(self, tables: Tensor) -> Tensor:
        """Tables (B, P, W) of words → prefix (B, P, D): each cell becomes one vector, the sum of its words'. An empty
        cell is 0."""
        return (self.embed(tables) * (tables != 0)[..., None]).sum(2)

    def forward(self, ids: Tensor, prefix: Tensor | None = None) -> Tensor:
        """ids (B, L) int64, filled up on the right → logits (B, L, V): at t, for the token after t.

        prefix (B, P, D), P <= ROOM: vectors that stand before the text. The text begins at place ROOM whatever P is.
        """
        x = self.embed(ids)
        p = 0 if prefix is None else prefix.shape[1]
        if prefix is not None:
            x = torch.cat([prefix, x], 1)
        x = x + self.place[ROOM - p : ROOM + ids.shape[1]]
        for near, before, attention, feed in zip(self.near, self.before, self.attention, self.feed, strict=True):
            h = alone = before(x)
            for back, weight in enumerate(near, start=1):
                h = h + F.pad(alone, (0, 0, back, -back)) * weight
            x = x + attention(h, h, causal=True)
            x = x + feed(x)
        return F.linear(self.norm(x[:, p:]), self.embed.weight)

    @torch.inference_mode()
    def generate(
        self,
        ids: Tensor,
        lengths: Tensor,
        prefix: Tensor | None = None,
        *,
        temperature: float = 0.0,
        generator: torch.Generator | None = None,
        steps: int = ANSWER_LENGTH,
    ) -> Tensor:
        """Continues prompts (B, L) of `lengths` (B,) tokens. → (B, steps) ids, 0 after <eos>.

        temperature 0 takes the likeliest token; above 0 it draws from softmax(logits / temperature). Every step runs
        the whole sequence again: short, and no cache to get wrong.
        """
        whole = F.pad(ids, (0, steps))
        out = torch.zeros(len(ids), steps, dtype=torch.int64)
        going = torch.arange(len(ids))  # rows that have not ended
        for step in range(steps):
            at = lengths[going] + step
            before = None if prefix is None else prefix[going]
            logits = self(whole[going, : int(at.max())], before)[torch.arange(len(going)), at - 1]
            if temperature > 0:
                token = torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator)[:, 0]
            else:
                token = logits.argmax(-1)
            out[going, step] = whole[going, at] = token
            going = going[token != 3]
            if len(going) == 0:
                break
        return out


def answer_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the answers: logits (B, L, V), labels (B, L) with IGNORE → scalar, nats.

    An answer of n tokens counts with the sum of its tokens divided by the root of n. With the plain sum a caption of
    11 tokens, most of them easy, drowns the colours; with the mean its one hard word hardly counts.
    """
    each = F.cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORE, reduction="none")
    return (each.sum(1) / (labels != IGNORE).sum(1).clamp(min=1).sqrt()).mean()


# ---- the bridges ------------------------------------------------------------------------------------------------------


class Projector(nn.Module):
    """LLaVA-1.5's connector (arXiv 2310.03744): each picture token by itself through two layers with a GELU between.
    (B, N, D_picture) → (B, N, D)"""

    def __init__(self, picture_width: int, width: int):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(picture_width, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, picture: Tensor) -> Tensor:
        return self.net(picture)


class QFormer(nn.Module):
    """BLIP-2's Q-Former (arXiv 2301.12597): K learned queries that read the picture tokens by cross-attention.

    Queries and text share the self-attention; who may look at whom is a mask, and the mask makes the task. Only the
    queries look at the picture. Queries and text have feed-forward layers of their own. Unlike BLIP-2, each picture
    token gets a learned vector for its place: the small encoder says too little about places by itself.
    """

    def __init__(self, picture_width: int, queries: int, tokens: int, width: int = 64, layers: int = 2, heads: int = 4):
        super().__init__()
        self.queries = nn.Parameter(0.3 * torch.randn(queries, width))
        self.seat = nn.Parameter(0.5 * torch.randn(PICTURE_TOKENS, picture_width))
        self.embed = nn.Embedding(tokens, width)
        self.place = nn.Parameter(0.02 * torch.randn(ROOM + 2, width))
        self.before = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.attention = nn.ModuleList(Attention(width, heads) for _ in range(layers))
        self.before_cross = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.cross = nn.ModuleList(Attention(width, heads, picture_width) for _ in range(layers))
        self.feed = nn.ModuleList(feed_forward(width) for _ in range(layers))
        self.feed_text = nn.ModuleList(feed_forward(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        nn.init.normal_(self.embed.weight, std=0.1)

    def mask(self, ids: Tensor, task: str) -> Tensor:
        """Who may look at whom: (B, 1, K + L, K + L), True where row may look at column. Padding is never looked at.

        "contrast": queries and text each among themselves. "match": all at all. "generate": text at the queries and at
        earlier text; queries at queries only.
        """
        k, n = len(self.queries), ids.shape[1]
        allowed = torch.zeros(k + n, k + n, dtype=torch.bool)
        allowed[:k, :k] = True
        allowed[k:, k:] = torch.ones(n, n, dtype=torch.bool) if task != "generate" else torch.ones(n, n).tril().bool()
        allowed[k:, :k] = task != "contrast"
        allowed[:k, k:] = task == "match"
        real = F.pad(ids != 0, (k, 0), value=True)
        return (allowed & real[:, None, :])[:, None]

    def forward(
        self, picture: Tensor | None, ids: Tensor | None = None, task: str = "contrast"
    ) -> tuple[Tensor, Tensor]:
        """picture (B, N, D_picture), ids (B, L) → queries (B, K, D), text (B, L, D; L = 0 without ids)."""
        assert picture is not None or ids is not None
        batch = len(picture if picture is not None else ids)  # type: ignore[arg-type]
        k = len(self.queries)
        x = self.queries.expand(batch, -1, -1)
        if picture is not None:
            picture = picture + self.seat[: picture.shape[1]]
        mask = None
        if ids is not None:
            x = torch.cat([x, self.embed(ids) + self.place[: ids.shape[1]]], 1)
            mask = self.mask(ids, task)
        for i, attention in enumerate(self.attention):
            h = self.before[i](x)
            x = x + attention(h, h, mask)
            q, t = x[:, :k], x[:, k:]
            if picture is not None:
                q = q + self.cross[i](self.before_cross[i](q), picture)
            x = torch.cat([q + self.feed[i](q), t + self.feed_text[i](t)], 1)
        x = self.norm(x)
        return x[:, :k], x[:, k:]


class QueryBridge(nn.Module):
    """BLIP-2's whole bridge: the Q-Former, and a linear layer from its queries to the decoder's width.
    (B, N, D_picture) → (B, K, D)"""

    def __init__(self, picture_width: int, queries: int, tokens: int, width: int = 64):
        super().__init__()
        self.qformer = QFormer(picture_width, queries, tokens, width)
        self.out = nn.Linear(width, width)

    def forward(self, picture: Tensor) -> Tensor:
        return self.out(self.qformer(picture)[0])


class Alignment(nn.Module):
    """The first stage of BLIP-2: a Q-Former learns from pictures and captions, without the language model.

    Three losses, told apart by who may look at whom (`QFormer.mask`): ITC, which caption belongs to which picture; ITM,
    does this caption belong to this picture; ITG, say the caption.
    """

    def __init__(self, qformer: QFormer):
        super().__init__()
        self.qformer = qformer
        self.log_scale = nn.Parameter(torch.tensor(2.5))
        self.match = nn.Linear(qformer.queries.shape[1], 2)

    def scores(self, queries: Tensor, words: Tensor) -> Tensor:
        """queries (B, K, D), a vector for each caption (C, D) → (B, C): the best of K cosines, times the scale."""
        pairs = torch.einsum("bkd,cd->bck", F.normalize(queries, dim=-1), F.normalize(words, dim=-1))
        return pairs.amax(-1) * self.log_scale.exp()

    def contrast(self, picture: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
        """ITC: picture (B, N, D_picture), captions (B, L) beginning with <bos> → loss, scores (B, B)."""
        queries, words = self.qformer(picture, ids, "contrast")
        scores = self.scores(queries, words[:, 0])
        target = torch.arange(len(ids))
        return (F.cross_entropy(scores, target) + F.cross_entropy(scores.T, target)) / 2, scores

    def matching(self, picture: Tensor, ids: Tensor, scores: Tensor) -> Tensor:
        """ITM: each picture with its own caption (yes) and with a wrong one (no) that ITC likes: the more it does, the
        likelier it is drawn."""
        weights = scores.detach().softmax(1).masked_fill(torch.eye(len(ids), dtype=torch.bool), 0) + 1e-6
        wrong = torch.multinomial(weights, 1)[:, 0]
        queries, _ = self.qformer(torch.cat([picture, picture]), torch.cat([ids, ids[wrong]]), "match")
        target = torch.cat([torch.ones(len(ids), dtype=torch.int64), torch.zeros(len(ids), dtype=torch.int64)])
        return F.cross_entropy(self.match(queries).mean(1), target)

    def telling(self, picture: Tensor, ids: Tensor) -> Tensor:
        """ITG: the next word of the caption, from the queries and the words before it."""
        _, words = self.qformer(picture, ids, "generate")
        logits = F.linear(words[:, :-1], self.qformer.embed.weight)
        target = ids[:, 1:].masked_fill(ids[:, 1:] == 0, IGNORE)
        return F.cross_entropy(logits.transpose(1, 2), target, ignore_index=IGNORE)


def told(vocabulary: Vocabulary, scenes: Sequence[Scene], rng: np.random.Generator) -> Tensor:
    """One true caption of each scene, languages in turn: ids (n, L) of `<bos> caption <eos>`."""
    lines = []
    for k, scene in enumerate(scenes):
        options = captions(scene, LANGUAGES[k % 2])
        lines.append(options[rng.integers(len(options))])
    return torch.from_numpy(text.pad([vocabulary.encode(line, begin=True, end=True) for line in lines])[0])


# ---- the whole model --------------------------------------------------------------------------------------------------


def read_out(vocabulary: Vocabulary, ids: Tensor) -> list[str]:
    """Generated ids (B, L) → answers in words: Chinese without spaces, English with."""
    lines = (" ".join(vocabulary.decode(row)) for row in ids.tolist())
    return [re.sub(r"(?<=[\u4e00-\u9fff]) (?=[\u4e00-\u9fff])", "", line) for line in lines]


def picture_encoder(config: Mapping[str, Any], weights: Mapping[str, Tensor] | None = None) -> contrastive.CLIP:
    """The picture side of a CLIP, frozen; `weights` are a whole CLIP's. Its text side is left out."""
    clip = contrastive.CLIP(config)
    if weights is not None:
        clip.load_state_dict(dict(weights))
    for unused in ("words", "project_words", "project_picture"):
        setattr(clip, unused, nn.Identity())
    return clip.requires_grad_(False).eval()


class Bridged(nn.Module):
    """Frozen picture encoder, bridge, decoder. `config`:

    encoder: the config of its `contrastive.CLIP`; encoder_sha256: which checkpoint that was. bridge: "projector" or "qformer". queries: K, for a Q-Former.
    tokens: the vocabulary. width D of the decoder, layers.
    """

    def __init__(self, config: Mapping[str, Any]):
        super().__init__()
        self.config = dict(config)
        self.vocabulary = Words(config["tokens"])
        width, n = config["width"], len(self.vocabulary)
        self.encoder = picture_encoder(config["encoder"])
        inside = self.encoder.config["dim"]
        self.bridge: nn.Module
        if config["bridge"] == "projector":
            self.bridge = Projector(inside, width)
        elif config["bridge"] == "qformer":
            self.bridge = QueryBridge(inside, config["queries"], n, width)
        else:
            raise ValueError(f'bridge is "projector" or "qformer", not {config["bridge"]!r}')
        self.decoder = Decoder(n, width, config["layers"])

    @torch.no_grad()
    def see(self, images: np.ndarray | Tensor) -> Tensor:
        """Pictures (B, S, S, 3) uint8, or (B, 3, S, S) from -1 to 1 → the frozen encoder's tokens (B, N, D_picture)."""
        if not isinstance(images, Tensor):
            images = encoders.preprocess(images)
        return self.encoder.picture_tokens(images)

    def forward(self, tokens: Tensor, ids: Tensor) -> Tensor:
        """Picture tokens (B, N, D_picture) from `see`, ids (B, L) → logits (B, L, V)."""
        return self.decoder(ids, self.bridge(tokens))

    @torch.inference_mode()
    def reply(
        self,
        tokens: Tensor,
        questions: Sequence[str],
        temperature: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> list[str]:
        """Answers about pictures that `see` has turned into tokens (B, N, D_picture), one question for each."""
        ids, lengths = prompts(self.vocabulary, questions)
        out = self.decoder.generate(ids, lengths, self.bridge(tokens), temperature=temperature, generator=generator)
        return read_out(self.vocabulary, out)

    def answer(
        self,
        images: np.ndarray | Tensor,
        questions: Sequence[str],
        temperature: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> list[str]:
        """B pictures and B questions in words → B answers in words. temperature 0: the likeliest; above 0: drawn."""
        return self.reply(self.see(images), questions, temperature, generator)

    def log_probability(self, tokens: Tensor, questions: Sequence[str], answers: Sequence[str]) -> Tensor:
        """log p(answer and its <eos> | picture, question), nats: picture tokens (B, N, D_picture) → (B,), with gradient."""
        ids, labels = sequences(self.vocabulary, questions, answers)
        logits = self(tokens, ids)
        return -F.cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORE, reduction="none").sum(1)


def load(name: str = "llava", folder: str | Path | None = None) -> Bridged:
    """The trained model "llava" or "blip2", in evaluation mode, from its checkpoint `06-bridging-<name>`."""
    checkpoint = checkpoints.load(SLUG, name, folder)
    model = Bridged(checkpoint.config)
    checkpoint.into(model)
    return model


def grade(replies: Sequence[str], asked: Questions, scenes: Sequence[Scene]) -> dict[str, float]:
    """Share of true answers for each kind, and "open": the mean over the kinds other than yes-no."""
    return truth.by_kind(asked.asks, replies, [scenes[i] for i in asked.picture])


# ---- reading practice for the decoder ---------------------------------------------------------------------------------


class Reading(NamedTuple):
    """Text for the decoder: a table of words for a scene, and a question with its answer. No pictures."""

    tables: Tensor  # (n, 4, 4) int64: four cells of the scene's grid, row by row, each of four words; 0 if it is empty
    asks: list[truth.Ask]
    answers: list[str]
    scenes: list[Scene]


def reading(
    vocabulary: Vocabulary, layouts: Sequence[Scene], n: int, rng: np.random.Generator, without: float = 0.1
) -> Reading:
    """n questions about scenes that are written down as tables: in the cell of a thing stand its colour and shape, in
    Chinese and English. A share `without` of the tables is empty."""
    asked = questions(layouts, n, rng, LESSONS)
    scenes = [layouts[i] for i in asked.picture]
    tables = np.zeros((n, 4, 4), np.int64)
    for table, scene in zip(tables, scenes, strict=True):
        if rng.random() < without:
            continue
        for thing, row, col in scene.placed:
            table[2 * row + col] = [vocabulary.ids[word(name, lang)] for lang in LANGUAGES for name in thing]
    return Reading(torch.from_numpy(tables), asked.asks, asked.answers, scenes)
