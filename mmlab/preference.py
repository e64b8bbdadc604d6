"""Learning from what is better and what is worse: DPO from pairs, GRPO from rewards.

A policy π_θ is a model that answers, and π_ref is the frozen start that it must not leave too far behind. An answer y to
a question x (picture and words) has T tokens, <eos> among them, and

    log π(y | x) = Σ_t log π(y_t | x, y_<t)                                        nats

Every loss here takes log-probabilities, so it does not care what the model is.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from . import bridging, truth
from .bridging import IGNORE, Bridged
from .scenes import COLOURS, LANGUAGES, SHAPES, Scene, Thing

PROBES = ("present", "absent", "mixture")  # yes-no questions: true; neither thing nor mixture; a mixture
KINDS = (*truth.OPEN_KINDS, *PROBES)

# ---- questions --------------------------------------------------------------------------------------------------------


def draw_ask(scene: Scene, kind: str, lang: str, rng: np.random.Generator) -> truth.Ask:
    """A question of one of KINDS about a scene of two things. A mixture has the colour of one and the shape of the other;
    "absent" names any thing that is neither there nor a mixture."""
    if kind not in PROBES:
        return truth.draw_ask(scene, kind, lang, rng)[0]
    a, b = (scene.placed[i].thing for i in rng.permutation(2))
    mixed = Thing(a.colour, b.shape), Thing(b.colour, a.shape)
    if kind == "present":
        named = a
    elif kind == "mixture":
        named = mixed[0]
    else:
        rest = [Thing(c, s) for c in COLOURS for s in SHAPES if Thing(c, s) not in (a, b, *mixed)]
        named = rest[rng.integers(len(rest))]
    return truth.Ask("yesno", lang, *named)


class Task(NamedTuple):
    """n questions about pictures, as a model with a frozen bridge meets them."""

    asks: list[truth.Ask]
    kinds: np.ndarray  # (n,) of KINDS
    scenes: list[Scene]  # the scene of each question
    prefix: Tensor  # (n, P, D): what the bridge makes of each question's picture

    @property
    def words(self) -> list[str]:
        """The questions in words."""
        return [truth.wording(ask) for ask in self.asks]

    def rows(self, which: np.ndarray) -> Task:
        """The questions at the positions `which` (m,) int64, or where it is true (n,) bool."""
        at = np.flatnonzero(which) if which.dtype == bool else which
        return Task(
            [self.asks[i] for i in at], self.kinds[at], [self.scenes[i] for i in at], self.prefix[torch.from_numpy(at)]
        )

    def true(self, answers: Sequence[str]) -> Tensor:
        """n · G answers, those to one question together → (n, G) float32: 1 if all that the answer says holds, else 0."""
        group = len(answers) // len(self.asks)
        right = [
            truth.score(ask, answer, scene).true
            for i, (ask, scene) in enumerate(zip(self.asks, self.scenes, strict=True))
            for answer in answers[i * group : (i + 1) * group]
        ]
        return torch.tensor(right, dtype=torch.float32).view(len(self.asks), group)

    def shares(self, answers: Sequence[str]) -> dict[str, float]:
        """n answers → share of true ones for each kind that was asked."""
        right = self.true(answers)[:, 0].numpy()
        return {kind: float(right[self.kinds == kind].mean()) for kind in KINDS if (self.kinds == kind).any()}


def task(
    model: Bridged,
    layouts: Sequence[Scene],
    pictures: int,
    kinds: Sequence[str],
    n: int,
    rng: np.random.Generator,
) -> Task:
    """n questions about newly drawn pictures of the layouts; kinds and languages take turns. A relation is asked of
    aligned scenes only."""
    scenes, images = bridging.pictures(layouts, pictures, rng)
    aligned = [i for i, scene in enumerate(scenes) if truth.aligned(scene)]
    asks, picture = [], []
    for k in range(n):
        kind, lang = kinds[k % len(kinds)], LANGUAGES[k // len(kinds) % 2]
        i = aligned[rng.integers(len(aligned))] if kind == "relation" else int(rng.integers(len(scenes)))
        asks.append(draw_ask(scenes[i], kind, lang, rng))
        picture.append(i)
    with torch.inference_mode():
        prefix = model.bridge(model.see(images))[torch.tensor(picture)]
    return Task(asks, np.array([kinds[k % len(kinds)] for k in range(n)]), [scenes[i] for i in picture], prefix.clone())


# ---- log-probabilities ------------------------------------------------------------------------------------------------


def token_log_probabilities(logits: Tensor, labels: Tensor) -> Tensor:
    """log π of each token of the answers: logits (B, L, V), labels (B, L) with IGNORE outside the answer → (B, L), nats;
    0 outside the answer."""
    each = F.cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORE, reduction="none")
    return -each


class Rollout(NamedTuple):
    """G answers to each of Q questions, B = Q · G rows; the answers to one question stand together."""

    ids: Tensor  # (B, L) int64: question <bos> answer <eos>, filled up with 0
    labels: Tensor  # (B, L) int64: at t the token of the answer that follows, IGNORE elsewhere
    answers: list[str]  # B answers in words
    group: int  # G

    @property
    def mask(self) -> Tensor:
        """(B, L) bool: the positions that predict a token of the answer."""
        return self.labels != IGNORE

    def rows(self, which: Tensor) -> Rollout:
        """Single answers, as groups of one: which (m,) int64, positions among the B rows."""
        return Rollout(self.ids[which], self.labels[which], [self.answers[i] for i in which.tolist()], 1)


def rollout(
    model: Bridged,
    prefix: Tensor,
    questions: Sequence[str],
    group: int = 1,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
) -> Rollout:
    """Draws `group` answers to each of Q questions. prefix (Q, P, D): what the bridge makes of each question's picture. An
    answer that has not ended after ANSWER_LENGTH tokens is cut there."""
    start, lengths = bridging.prompts(model.vocabulary, [q for q in questions for _ in range(group)])
    before = prefix.detach().repeat_interleave(group, 0)
    said = model.decoder.generate(start, lengths, before, temperature=temperature, generator=generator).clone()
    steps = said.shape[1]
    ended = (said == 3).long().cumsum(1) - (said == 3).long() > 0  # after <eos>
    ids = F.pad(start, (0, steps))
    labels = torch.full_like(ids, IGNORE)
    place = lengths[:, None] + torch.arange(steps)  # where the generated tokens stand
    ids.scatter_(1, place, said.masked_fill(ended, 0))
    labels.scatter_(1, place - 1, said.masked_fill(ended, IGNORE))
    longest = int((labels != IGNORE).nonzero()[:, 1].max()) + 2
    return Rollout(ids[:, :longest], labels[:, :longest], bridging.read_out(model.vocabulary, said), group)


def answer_log_probabilities(model: Bridged, prefix: Tensor, drawn: Rollout) -> Tensor:
    """log π of each token of the answers, with gradient, 0 elsewhere: prefix (Q, P, D) as in `rollout` → (B, L), nats."""
    return token_log_probabilities(model.decoder(drawn.ids, prefix.repeat_interleave(drawn.group, 0)), drawn.labels)


# ---- what is trained --------------------------------------------------------------------------------------------------


def policy(start: Bridged, parts: Sequence[str] = ("bridge", "decoder")) -> Bridged:
    """A copy of a model with only the named parts trainable. The start stays as it is, and is the reference."""
    model = copy.deepcopy(start).requires_grad_(False)
    for part in parts:
        getattr(model, part).requires_grad_(True)
    return model.eval()


# ---- DPO --------------------------------------------------------------------------------------------------------------


class DPO(NamedTuple):
    """What `dpo` gives for B pairs."""

    loss: Tensor  # scalar, nats
    chosen: Tensor  # (B,) implicit reward of the better answer, β log π_θ/π_ref
    rejected: Tensor  # (B,) of the worse one
    weight: Tensor  # (B,) σ(rejected - chosen): how much of its gradient a pair still has, 0 … 1

    @property
    def margin(self) -> Tensor:
        """(B,) chosen - rejected"""
        return self.chosen - self.rejected


def dpo(chosen: Tensor, rejected: Tensor, chosen_ref: Tensor, rejected_ref: Tensor, beta: float) -> DPO:
    """Direct preference optimisation (Rafailov et al. 2023, https://arxiv.org/abs/2305.18290).

        loss = - mean log σ(β [log π_θ(y_w)/π_ref(y_w) - log π_θ(y_l)/π_ref(y_l)])

    All (B,): log π of whole answers, better and worse, of the policy and of the reference. The gradient of one pair is
    -β σ(-margin) ∇[log π_θ(y_w) - log π_θ(y_l)]: pairs that are told apart already hardly count. Nothing says that
    log π_θ(y_w) itself must rise.
    """
    better, worse = beta * (chosen - chosen_ref), beta * (rejected - rejected_ref)
    margin = better - worse
    return DPO(-F.logsigmoid(margin).mean(), better.detach(), worse.detach(), torch.sigmoid(-margin).detach())


# ---- GRPO -------------------------------------------------------------------------------------------------------------


def group_advantages(rewards: Tensor, scale: bool = True, tiny: float = 1e-6) -> Tensor:
    """Rewards (Q, G) of G answers to each of Q questions → advantages (Q, G): the reward minus the mean of its group,
    divided by the group's standard deviation (that of a population, over G).

    A group whose rewards are all equal gets 0: it teaches nothing. scale=False leaves out the division, as Dr. GRPO
    (Liu et al. 2025, https://arxiv.org/abs/2503.20783) does: dividing lifts questions whose answers are nearly all
    right or nearly all wrong above the others.
    """
    centred = rewards - rewards.mean(1, keepdim=True)
    if not scale:
        return centred
    spread = rewards.std(1, keepdim=True, correction=0)
    return torch.where(spread > tiny, centred / spread.clamp(min=tiny), torch.zeros_like(centred))


def kl_k3(policy: Tensor, reference: Tensor) -> Tensor:
    """Estimate of KL(π_θ ‖ π_ref) from the log-probabilities of tokens drawn from π_θ, any shape, nats:

        r - log r - 1 with r = π_ref / π_θ

    Never negative, 0 where both agree, and its mean over draws is the KL: unlike log π_θ/π_ref, which has the same mean,
    single values never have the wrong sign (Schulman's k3; used in GRPO, https://arxiv.org/abs/2402.03300, eq. 4).
    """
    difference = reference - policy
    return difference.exp() - difference - 1


class GRPO(NamedTuple):
    """What `grpo` gives."""

    loss: Tensor  # scalar
    clipped: Tensor  # scalar 0 … 1: share of tokens whose ratio is past the clip, so that they have no gradient
    kl: Tensor  # scalar: mean of k3 over tokens, nats


def grpo(
    policy: Tensor,
    old: Tensor,
    reference: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    clip: float = 0.2,
    beta: float = 0.04,
    by_length: bool = True,
) -> GRPO:
    """Group relative policy optimisation (Shao et al. 2024, https://arxiv.org/abs/2402.03300), minus its objective:

        - 1/B Σ_i 1/|y_i| Σ_t { min(ρ A_i, clip(ρ, 1 - ε, 1 + ε) A_i) - β k3 },   ρ = π_θ / π_old

    policy, old, reference (B, L): log π of each token by the model that is trained, the one that drew the answers and
    the frozen start; advantages (B,); mask (B, L) bool, True at the answers' tokens. Gradient flows through `policy`
    alone. by_length=False divides by the longest answer's length instead of each one's own, so that all tokens weigh
    the same: with 1/|y|, a long wrong answer is punished less per token than a short one (Dr. GRPO,
    https://arxiv.org/abs/2503.20783).
    """
    old, reference = old.detach(), reference.detach()
    ratio = (policy - old).masked_fill(~mask, 0).exp()
    a = advantages[:, None]
    gain = torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a)
    apart = kl_k3(policy.masked_fill(~mask, 0), reference.masked_fill(~mask, 0))
    length = mask.sum(1, keepdim=True).clamp(min=1)
    share = mask.to(policy.dtype) / (length if by_length else length.max()) / len(policy)
    with torch.no_grad():
        stopped = ((a > 0) & (ratio > 1 + clip)) | ((a < 0) & (ratio < 1 - clip))
        n = mask.sum().clamp(min=1)
        clipped, kl = (stopped & mask).sum() / n, (apart * mask).sum() / n
    return GRPO(-((gain - beta * apart) * share).sum(), clipped, kl)


def best_of_n(rewards: Tensor, n: int) -> Tensor:
    """The chance of each of N draws to be the best of n drawn from them without putting back, by reward: rewards (..., N)
    → (..., N), summing to 1. Equal rewards share.

    With draws in order of reward, the k-th smallest (from 1) is the best of n with chance C(k - 1, n - 1) / C(N, n).
    So any score of the best of n is estimated without drawing subsets: (best_of_n(proxy, n) * score).sum(-1).
    """
    total = rewards.shape[-1]
    if not 1 <= n <= total:
        raise ValueError(f"the best of {n} out of {total} draws")
    ways = torch.tensor([math.comb(k, n) / math.comb(total, n) for k in range(total + 1)], dtype=torch.float64)
    at_most = (rewards[..., None, :] <= rewards[..., :, None]).sum(-1)  # draws that are no better
    below = (rewards[..., None, :] < rewards[..., :, None]).sum(-1)
    return (ways[at_most] - ways[below]) / (at_most - below)


def best_of_n_kl(n: int) -> float:
    """KL from the reference of always saying the best of n draws, nats: log n - (n - 1)/n (used for the horizontal axis
    by Gao, Schulman, Hilton 2022, https://arxiv.org/abs/2210.10760). Exact for rewards without ties, else an upper
    bound."""
    return math.log(n) - (n - 1) / n
