"""PLATO in small, written from the paper (Bao et al. 2019, https://arxiv.org/abs/1910.07931), and a world of
dialogue in which one utterance has several good replies.

One Transformer does two jobs, told apart by what stands at its first position and by the mask:

    recognition   [M] c r, everything sees everything   → which act z is this reply?   q(z | c, r)
    generation    z c r, context in full, reply causal  → the reply, token by token    p(r | c, z)

The loss is L = NLL + BOW: the reply's tokens, and its bag of words from the state of z alone, which forces z to carry
something. With `latents=0` only NLL is left: an ordinary model. The paper's third loss, which learns to pick the most
coherent of the K replies, is left out here (it is off by default in the authors' code as well).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import text

# ---- the world ------------------------------------------------------------------------------------------------------

LANGUAGES = ("zh", "en")
TOPICS = {
    "zh": ("茶", "书", "雨", "猫", "歌", "山", "海", "花", "面", "雪", "棋", "画", "鱼", "诗", "鼓", "车"),
    "en": ("tea", "books", "rain", "cats", "songs", "hills", "seas", "roses",
           "noodles", "snow", "chess", "art", "fish", "poems", "drums", "cars"),
}  # fmt: skip
OPENINGS = {
    "zh": ("你喜欢{}吗", "跟我说说{}吧", "我们聊聊{}好吗", "今天我想到了{}"),
    "en": ("do you like {}", "please tell me about {}", "shall we talk of {}", "today i thought of {}"),
}
ACTS = ("dull", "agree", "ask", "refuse")
REPLIES = {
    "zh": ("我不知道", "对我很喜欢{}", "你为什么问{}呢", "别提了我讨厌{}"),
    "en": ("i do not know", "yes i really like {}", "why are you asking about {}", "stop it i hate {}"),
}
FREQUENCY = (0.4, 0.2, 0.2, 0.2)  # of the acts: the dull reply, which fits everything, is the commonest


class Context(NamedTuple):
    """One utterance: its language, its topic and how it opens (numbers of TOPICS and OPENINGS)."""

    lang: str
    topic: int
    opening: int

    @property
    def text(self) -> str:
        return OPENINGS[self.lang][self.opening].format(TOPICS[self.lang][self.topic])

    @property
    def replies(self) -> tuple[str, ...]:
        """The four replies that fit, in the order of ACTS."""
        return tuple(reply.format(TOPICS[self.lang][self.topic]) for reply in REPLIES[self.lang])

    def act(self, reply: str) -> int | None:
        """Which act a reply to this utterance is; None if it does not fit."""
        tokens = text.tokenise(reply)
        return next((k for k, good in enumerate(self.replies) if text.tokenise(good) == tokens), None)


def split_contexts(rng: np.random.Generator) -> dict[str, list[Context]]:
    """All 128 contexts in "train" (64), "validation" (32) and "test" (32). Of each topic's four openings in a language
    two are trained on, so every word of the other sets is known, and every whole utterance in them is new."""
    out: dict[str, list[Context]] = {"train": [], "validation": [], "test": []}
    for lang in LANGUAGES:
        for topic in range(len(TOPICS[lang])):
            a, b, c, d = (Context(lang, topic, int(k)) for k in rng.permutation(len(OPENINGS[lang])))
            out["train"] += [a, b]
            out["validation"].append(c)
            out["test"].append(d)
    return out


def vocabulary() -> text.Vocabulary:
    """Every token of the world. (It is closed: a new utterance is a new combination of known tokens.)"""
    every = [Context(lang, t, o) for lang in LANGUAGES for t in range(16) for o in range(4)]
    return text.Vocabulary.fit(line for context in every for line in (context.text, *context.replies))


@dataclass
class Pairs:
    """N utterances with one reply each, as ids. `act` is for looking on afterwards; no model is trained with it."""

    context: Tensor  # (N, LC) int64, padded with 0
    reply: Tensor  # (N, LR) int64: <bos> … <eos>, padded with 0
    act: Tensor  # (N,) int64

    def __len__(self) -> int:
        return len(self.act)


CONTEXT_LENGTH, REPLY_LENGTH = 8, 10


def encode_contexts(words: text.Vocabulary, contexts: Sequence[Context]) -> Tensor:
    """Utterances as ids (N, CONTEXT_LENGTH)."""
    return torch.from_numpy(text.pad([words.encode(c.text) for c in contexts], CONTEXT_LENGTH)[0])


def conversations(words: text.Vocabulary, contexts: Sequence[Context], n: int, rng: np.random.Generator) -> Pairs:
    """n conversations: an utterance at random, a reply to it drawn with the acts' frequencies."""
    chosen = [contexts[i] for i in rng.integers(len(contexts), size=n)]
    acts = rng.choice(len(ACTS), size=n, p=FREQUENCY)
    replies = [words.encode(c.replies[a], begin=True, end=True) for c, a in zip(chosen, acts, strict=True)]
    ids, _ = text.pad(replies, REPLY_LENGTH)
    return Pairs(encode_contexts(words, chosen), torch.from_numpy(ids), torch.from_numpy(acts))


# ---- the model ------------------------------------------------------------------------------------------------------


def block_mask(context: int, reply: int, causal: bool = True) -> Tensor:
    """Who may look at whom: (1 + context + reply) squared, bool, True where row may see column. Position 0 holds the
    latent act. Context rows see the act and the context; a reply row sees those and the reply up to itself (UniLM's
    sequence-to-sequence mask, https://arxiv.org/abs/1905.03197). causal=False: everything sees everything."""
    n = 1 + context + reply
    if not causal:
        return torch.ones(n, n, dtype=torch.bool)
    mask = torch.zeros(n, n, dtype=torch.bool)
    mask[:, : 1 + context] = True
    mask[1 + context :, 1 + context :] = torch.ones(reply, reply, dtype=torch.bool).tril()
    return mask


class Losses(NamedTuple):
    """Two scalars, nats a token of the reply. BOW is 0 without latents."""

    nll: Tensor
    bow: Tensor

    @property
    def total(self) -> Tensor:
        return self.nll + self.bow


class Layer(nn.Module):
    """Pre-norm Transformer layer: x (B, N, d), mask (B, 1, N, N) bool, True where row may see column → (B, N, d)."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.before, self.after = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.project, self.join = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.think = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        queries, keys, values = self.project(self.before(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        found = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
        x = x + self.join(found.transpose(1, 2).flatten(2))
        return x + self.think(self.after(x))


class Plato(nn.Module):
    """The shared Transformer with K = `latents` acts; 0 switches the latent variable off.

    causal=False takes the causal part of the mask away, as in BERT: for one experiment only.
    temperature: of the Gumbel-softmax. The authors' code has 0.67; at this size and in so few steps the acts then fall
    together, and the softer 4 was chosen on the validation contexts.
    """

    def __init__(
        self,
        vocabulary: int,
        latents: int = 20,
        dim: int = 64,
        layers: int = 2,
        heads: int = 4,
        causal: bool = True,
        temperature: float = 4.0,
    ):
        super().__init__()
        self.latents, self.temperature = latents, temperature
        self.words = nn.Embedding(vocabulary, dim)
        self.places = nn.Embedding(1 + CONTEXT_LENGTH + REPLY_LENGTH, dim)
        self.roles = nn.Embedding(3, dim)  # act, context, reply
        self.acts = nn.Embedding(max(latents, 1), dim)
        self.blank = nn.Parameter(torch.zeros(dim))  # [M]: stands where the act would, when the act is asked for
        nn.init.normal_(self.places.weight, std=0.02)  # small: what stands there first, where it stands later
        self.body = nn.ModuleList(Layer(dim, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        self.word = nn.Linear(dim, vocabulary)  # next token of the reply
        self.recogniser = nn.Linear(dim, max(latents, 1))  # W1: which act
        self.bag = nn.Linear(dim, vocabulary)  # W2: which words, from the act's state
        roles = torch.tensor([0] + [1] * CONTEXT_LENGTH + [2] * REPLY_LENGTH)
        self.register_buffer("role_of", roles, persistent=False)
        self.register_buffer("everything", block_mask(CONTEXT_LENGTH, REPLY_LENGTH, False), persistent=False)
        self.register_buffer("mask", block_mask(CONTEXT_LENGTH, REPLY_LENGTH, causal), persistent=False)

    def states(self, first: Tensor, context: Tensor, reply: Tensor, mask: Tensor | None) -> Tensor:
        """first (B, d), context (B, LC), reply (B, LR), mask as of `block_mask` (None: all see all)
        → states (B, 1 + LC + LR, d). Padding is never looked at."""
        x = torch.cat([first[:, None], self.words(context), self.words(reply)], 1)
        x = x + self.places.weight + self.roles(self.role_of)
        seen = F.pad(torch.cat([context, reply], 1) != 0, (1, 0), value=True)[:, None, None, :]  # (B, 1, 1, N)
        seen = seen & (self.everything if mask is None else mask)
        for layer in self.body:
            x = layer(x, seen)
        return self.norm(x)

    def recognise(self, context: Tensor, reply: Tensor) -> Tensor:
        """Scores of the acts (B, K), from the state of [M], which sees the utterance and the whole reply."""
        return self.recogniser(self.states(self.blank.expand(len(context), -1), context, reply, None)[:, 0])

    def act_vectors(self, weights: Tensor) -> Tensor:
        """Weights of the acts (B, K), one-hot or soft → (B, d); zeros if there are no acts."""
        return weights @ self.acts.weight if self.latents else torch.zeros(len(weights), self.blank.numel())

    def losses(self, context: Tensor, reply: Tensor) -> Losses:
        """context (B, LC), reply (B, LR), both ids. Two passes: which act is it, then say it given that act."""
        if self.latents:
            weights = F.gumbel_softmax(self.recognise(context, reply), self.temperature)
        else:
            weights = torch.zeros(len(context), 1)
        states = self.states(self.act_vectors(weights), context, reply, self.mask)
        scores = self.word(states[:, 1 + CONTEXT_LENGTH : -1])  # at token t, of token t + 1
        nll = F.cross_entropy(scores.flatten(0, 1), reply[:, 1:].flatten(), ignore_index=0)
        return Losses(nll, bag_of_words(self.bag(states[:, 0]), reply) if self.latents else torch.zeros(()))

    @torch.no_grad()
    def reply(self, context: Tensor, act: int | Tensor = 0, sample: torch.Generator | None = None) -> Tensor:
        """Replies token by token, (B, LC) → ids (B, LR). act: one for all, or (B,). Greedy, or drawn with `sample`."""
        acts = torch.as_tensor(act).expand(len(context))
        z = self.act_vectors(F.one_hot(acts, max(self.latents, 1)).float())
        out = torch.zeros(len(context), REPLY_LENGTH, dtype=torch.int64)
        out[:, 0] = 2  # <bos>
        for step in range(1, REPLY_LENGTH):
            scores = self.word(self.states(z, context, out, self.mask)[:, CONTEXT_LENGTH + step])
            if sample is None:
                picked = scores.argmax(-1)
            else:
                picked = torch.multinomial(scores.softmax(-1), 1, generator=sample)[:, 0]
            out[:, step] = picked.masked_fill((out == 3).any(1), 0)  # nothing after <eos>
        return out


def bag_of_words(scores: Tensor, reply: Tensor) -> Tensor:
    """Mean of -log p(word) over the reply's tokens, whatever their order: scores (B, V), reply (B, LR) → scalar.
    <pad> and <bos> do not count."""
    counts = (reply != 0) & (reply != 2)
    picked = scores.log_softmax(-1).gather(1, reply)
    return -(picked * counts).sum() / counts.sum()


# ---- looking at the replies -----------------------------------------------------------------------------------------


def said(words: text.Vocabulary, ids: Tensor) -> list[str]:
    """Ids (B, LR) → sentences; Han characters stand together, words of letters apart. No <eos>: an ellipsis at the end."""
    out = []
    for row in ids.tolist():
        tokens = words.decode(row)
        line = "".join(t if text._HAN.fullmatch(t) else f" {t} " for t in tokens)
        out.append(" ".join(line.split()) + ("" if 3 in row else " …"))
    return out


def acts_of(words: text.Vocabulary, contexts: Sequence[Context], replies: Sequence[Tensor]) -> np.ndarray:
    """K tensors of replies (N, LR) → which act each is, (N, K) int64; -1 where it does not fit its context."""
    columns = []
    for ids in replies:
        found = [c.act(line) for c, line in zip(contexts, said(words, ids), strict=True)]
        columns.append([-1 if act is None else act for act in found])
    return np.array(columns).T


def distinct(acts: np.ndarray) -> float:
    """Mean number of different fitting replies a context gets, of acts (N, K) as `acts_of` gives them."""
    return float(np.mean([len(set(row.tolist()) - {-1}) for row in acts]))


def steadiness(acts: np.ndarray) -> float:
    """How far a column (a number of the latent, or a draw) stands for one act: the share of its commonest act over the
    contexts, averaged over the columns; -1 never counts."""
    return float(np.mean([max(np.mean(column == act) for act in range(len(ACTS))) for column in acts.T]))
