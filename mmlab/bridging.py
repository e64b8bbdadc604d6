"""Two bridges from a frozen picture encoder to a small language model: BLIP-2's Q-Former and LLaVA's projector.

    picture (B, S, S, 3) → frozen encoder → N tokens → bridge → P vectors of the decoder's width → decoder → answer

A bridge's vectors stand before the question where the embeddings of words would stand. Nothing else tells the decoder
that they come from a picture.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import contrastive, text, truth
from .scenes import LANGUAGES, Scene, captions, draw
from .text import Vocabulary

IGNORE = -100  # a label that cross-entropy passes over
import os
NC=float(os.environ.get("NC","0"))
NR=float(os.environ.get("NR","1"))
GAIN=float(os.environ.get('GAIN','1'))
PS=float(os.environ.get('PS','.1'))
ROOM = 16  # places before the question: for picture tokens, or in text training for a context
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


def questions(scenes: Sequence[Scene], n: int, rng: np.random.Generator) -> Questions:
    """n questions about scenes; kinds and languages take turns."""
    asks, answers, picture = [], [], []
    aligned = [i for i, scene in enumerate(scenes) if truth.aligned(scene)]
    for k in range(n):
        kind, lang = truth.KINDS[k % 5], LANGUAGES[k // 5 % 2]
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
    """Text → words in small letters, without punctuation."""
    return _CUT.findall(text.lower())


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
    heads = [vocabulary.encode(q) + [2] for q in asked]
    tails = [vocabulary.encode(a, end=True) for a in answers]
    ids, _ = text.pad([head + tail for head, tail in zip(heads, tails, strict=True)])
    labels = np.full_like(ids, IGNORE)
    for row, (head, tail) in enumerate(zip(heads, tails, strict=True)):
        labels[row, len(head) - 1 : len(head) - 1 + len(tail)] = tail
    return torch.from_numpy(ids), torch.from_numpy(labels)


def prompts(vocabulary: Vocabulary, asked: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Questions → ids (B, L) of `question <bos>`, lengths (B,)."""
    ids, mask = text.pad([vocabulary.encode(q) + [2] for q in asked])
    return torch.from_numpy(ids), torch.from_numpy(mask.sum(1))


def contexts(vocabulary: Vocabulary, lines: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Texts → ids (B, P), filled up on the left, and mask (B, P), True where a token is; P <= ROOM."""
    ids, mask = text.pad([vocabulary.encode(line)[-ROOM:][::-1] for line in lines])
    return torch.from_numpy(ids[:, ::-1].copy()), torch.from_numpy(mask[:, ::-1].copy())


# ---- the parts of a Transformer ---------------------------------------------------------------------------------------


class Attention(nn.Module):
    """Multi-head attention: queries from x (B, L, D), keys and values from `memory` (B, M, D_m). → (B, L, D)"""

    def __init__(self, width: int, heads: int = 4, memory_width: int | None = None):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(memory_width or width, 2 * width)
        self.out = nn.Linear(width, width)
        if memory_width is None:
            with torch.no_grad():
                self.query.weight.mul_(GAIN)
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
    """A small causal language model (GPT's form: pre-norm, learned positions, tied embeddings)."""

    def __init__(self, tokens: int, width: int = 96, layers: int = 2, heads: int = 4, length: int = 44):
        super().__init__()
        self.width = width
        self.embed = nn.Embedding(tokens, width)
        self.place = nn.Parameter(PS * sinusoids(length, width))
        self.attention = nn.ModuleList(Attention(width, heads) for _ in range(layers))
        self.before = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.feed = nn.ModuleList(feed_forward(width) for _ in range(layers))
        self.near = nn.ParameterList(NC + NR * torch.randn(3, width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        nn.init.normal_(self.embed.weight, std=0.1)

    def forward(self, ids: Tensor, prefix: Tensor | None = None, prefix_mask: Tensor | None = None) -> Tensor:
        """ids (B, L) int64, filled up on the right → logits (B, L, V): at t, for the token after t.

        prefix (B, P, D), P <= ROOM: vectors that stand before the text. The text begins at place ROOM whatever P is.
        prefix_mask (B, P): False where the prefix is only filled up.
        """
        x = self.embed(ids)
        p = 0 if prefix is None else prefix.shape[1]
        if prefix is not None:
            x = torch.cat([prefix, x], 1)
        x = x + self.place[ROOM - p : ROOM + ids.shape[1]]
        mask = None
        if prefix_mask is not None:
            n = x.shape[1]
            seen = F.pad(prefix_mask, (0, ids.shape[1]), value=True)
            itself = torch.eye(n, dtype=torch.bool)
            mask = (seen[:, None, :] & torch.ones(n, n, dtype=torch.bool).tril() | itself)[:, None]
        for near, before, attention, feed in zip(self.near, self.before, self.attention, self.feed, strict=True):
            h = before_x = before(x)
            for back, weight in enumerate(near, start=1):
                h = h + F.pad(before_x, (0, 0, back, -back)) * weight
            x = x + attention(h, h, mask, causal=mask is None)
            x = x + feed(x)
        return F.linear(self.norm(x[:, p:]), self.embed.weight)

    @torch.inference_mode()
    def generate(
        self,
        ids: Tensor,
        lengths: Tensor,
        prefix: Tensor | None = None,
        prefix_mask: Tensor | None = None,
        *,
        temperature: float = 0.0,
        generator: torch.Generator | None = None,
        steps: int = ANSWER_LENGTH,
    ) -> Tensor:
        """Continues prompts (B, L) of `lengths` (B,) tokens. → (B, steps) ids, 0 after <eos>.

        temperature 0 takes the likeliest token; above 0 it draws from softmax(logits / temperature). Every step runs
        the whole sequence again: short, and no cache to get wrong.
        """
        rows = torch.arange(len(ids))
        whole = F.pad(ids, (0, steps))
        out = torch.zeros(len(ids), steps, dtype=torch.int64)
        done = torch.zeros(len(ids), dtype=torch.bool)
        for step in range(steps):
            width = int(lengths.max()) + step
            logits = self(whole[:, :width], prefix, prefix_mask)[rows, lengths + step - 1]
            if temperature > 0:
                token = torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator)[:, 0]
            else:
                token = logits.argmax(-1)
            token = token.masked_fill(done, 0)
            out[:, step] = whole[rows, lengths + step] = token
            done |= token == 3
            if done.all():
                break
        return out


def answer_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the answers, each answer counted once: logits (B, L, V), labels (B, L) with IGNORE → scalar.

    The mean over a sequence's labelled tokens, then over sequences. A mean over all tokens of the batch would give a
    caption of 12 tokens twelve times the weight of "red", and most of a caption's tokens are easy.
    """
    each = F.cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORE, reduction="none")
    return (each.sum(1) / (labels != IGNORE).sum(1).clamp(min=1) ** float(os.environ.get('EX','1'))).mean() * float(os.environ.get('EM','1'))


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
    queries look at the picture. Queries and text have feed-forward layers of their own.
    """

    def __init__(self, picture_width: int, queries: int, tokens: int, width: int = 96, layers: int = 2, heads: int = 4):
        super().__init__()
        self.queries = nn.Parameter(0.3 * torch.randn(queries, width))
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

    def forward(self, picture: Tensor | None, ids: Tensor | None = None, task: str = "contrast") -> tuple[Tensor, Tensor]:
        """picture (B, N, D_picture), ids (B, L) → queries (B, K, D), text (B, L, D; L = 0 without ids)."""
        assert picture is not None or ids is not None
        batch = len(picture if picture is not None else ids)  # type: ignore[arg-type]
        k = len(self.queries)
        x = self.queries.expand(batch, -1, -1)
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
