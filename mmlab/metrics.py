"""How answers, captions and retrieval are scored, and how far a score can be trusted. NumPy only.

vqa_accuracy("red", ["red", "red", "dark red", …])     # 0.6: two of ten people agree
recall_at_k(ranks(similarity, relevant), 5)
Cider(references)(candidates)                          # (N,), one score a caption
yes_no(said, true)                                     # accuracy, precision, recall, F1, share of yes
wilson(72, 100)                                        # (0.625, 0.799)
mcnemar(right_a, right_b)                              # two models on the same items
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Sequence
from typing import NamedTuple

import numpy as np

Tokens = Sequence[str]


# ---- answers --------------------------------------------------------------------------------------------------------


def vqa_accuracy_short(answer: str, people: Sequence[str]) -> float:
    """The short form of VQA accuracy (Antol et al. 2015, https://arxiv.org/abs/1505.00468): min(n / 3, 1), where n of
    the people gave this answer. Scores higher than the official average below; not comparable with it."""
    return min(sum(said == answer for said in people) / 3, 1.0)


def vqa_accuracy(answer: str, people: Sequence[str]) -> float:
    """VQA accuracy as the official evaluator counts it (https://visualqa.org/evaluation.html): leave out each of the
    M people in turn, score min(n / 3, 1) against the other M - 1, and take the mean.

    With n of M = 10 people agreeing: n/10 · min((n-1)/3, 1) + (10-n)/10 · min(n/3, 1), that is 0, .3, .6, .9, 1 for
    n = 0, 1, 2, 3, 4 and more. Answers are compared as they stand: normalise them (case, articles, number words) first.
    """
    if not people:
        raise ValueError("no answers to compare with")
    left_out = [vqa_accuracy_short(answer, [*people[:i], *people[i + 1 :]]) for i in range(len(people))]
    return sum(left_out) / len(left_out)


# ---- retrieval ------------------------------------------------------------------------------------------------------


def ranks(similarity: np.ndarray, relevant: np.ndarray | None = None, ties: str = "worst") -> np.ndarray:
    """The rank, from 1, of the best-placed relevant candidate of each query.

    similarity: (Q, C). relevant: (Q, C) bool, which candidates are right; without it candidate q is the only right one
    for query q. Candidates that are right as well never push each other down.
    ties: where wrong candidates have exactly the same similarity, "worst" puts them all before the right one, "best"
    all behind it, "mean" half of them. A model that gives everything the same similarity is first with "best".
    → (Q,) float64; infinite where nothing is relevant.
    """
    q, c = similarity.shape
    right = np.eye(q, c, dtype=bool) if relevant is None else relevant
    best = np.where(right, similarity, -np.inf).max(1, initial=-np.inf)
    wrong = ~right
    above = ((similarity > best[:, None]) & wrong).sum(1)
    equal = ((similarity == best[:, None]) & wrong).sum(1)
    share = {"worst": 1.0, "mean": 0.5, "best": 0.0}[ties]
    return np.where(right.any(1), 1 + above + share * equal, np.inf)


def recall_at_k(rank: np.ndarray, k: int) -> float:
    """R@K: the share of queries whose rank (Q,) is at most K."""
    return float((rank <= k).mean())


# ---- captions -------------------------------------------------------------------------------------------------------


def ngrams(tokens: Tokens, n: int) -> Counter[tuple[str, ...]]:
    """How often each run of n tokens occurs; empty if there are fewer than n."""
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


class Cider:
    """CIDEr and CIDEr-D (Vedantam, Zitnick, Parikh 2014, https://arxiv.org/abs/1411.5726).

    For n = 1 … 4 a sentence s becomes a vector g_n(s) with one entry for each n-gram w,

        g_n(s)_w = count of w in s · ln(I / number of pictures whose references contain w),

    where I is the number of pictures. For a candidate c with references s_1 … s_m

        CIDEr_n   = 1/m Σ_j  g_n(c) · g_n(s_j) / (|g_n(c)| |g_n(s_j)|)
        CIDEr-D_n = 10/m Σ_j exp(-(l(c) - l(s_j))² / 2σ²) · min(g_n(c), g_n(s_j)) · g_n(s_j) / (|g_n(c)| |g_n(s_j)|)

    with σ = 6 and l the length in tokens; the score is the mean over n. CIDEr lies in 0 … 1, CIDEr-D in 0 … 10: it
    stops a word said many times (min) and a sentence of another length (exp) from paying. Counts are not divided by
    the sentence's length: the cosine does not care, and for the min the authors' code does the same.

    references: for each of I pictures, one or more token lists. Tokens are whatever the caller makes of a sentence, so
    any language works, and the same sentence cut into characters or into words gets different scores.
    An n-gram that no reference has counts as if one picture had it. A vector of length 0 (a sentence shorter than n, or
    all its n-grams in every picture) scores 0.
    """

    def __init__(self, references: Sequence[Sequence[Tokens]], order: int = 4, sigma: float = 6.0):
        if not references or not all(references):
            raise ValueError("every picture needs a reference")
        self.order, self.sigma = order, sigma
        self.pictures = len(references)
        self.documents: Counter[tuple[str, ...]] = Counter()  # n-gram → pictures whose references have it
        for sentences in references:
            self.documents.update({gram for s in sentences for n in range(1, order + 1) for gram in ngrams(s, n)})
        self.references = [[(len(s), self.vectors(s)) for s in sentences] for sentences in references]

    def weight(self, gram: tuple[str, ...]) -> float:
        """ln(I / pictures that have it): 0 for what stands everywhere."""
        return math.log(self.pictures / max(1, self.documents[gram]))

    def vectors(self, tokens: Tokens) -> list[dict[tuple[str, ...], float]]:
        """g_1 … g_order of a sentence, as dictionaries without zeros."""
        weighted = (
            {gram: count * self.weight(gram) for gram, count in ngrams(tokens, n).items()}
            for n in range(1, self.order + 1)
        )
        return [{gram: value for gram, value in vector.items() if value} for vector in weighted]

    def one(self, picture: int, tokens: Tokens, robust: bool = True) -> float:
        """The score of one caption of a picture: CIDEr-D, or with robust=False CIDEr."""
        candidate = self.vectors(tokens)
        total = 0.0
        for length, reference in self.references[picture]:
            scale = 10 * math.exp(-((len(tokens) - length) ** 2) / (2 * self.sigma**2)) if robust else 1.0
            for c, s in zip(candidate, reference, strict=True):
                norms = math.sqrt(sum(v * v for v in c.values()) * sum(v * v for v in s.values()))
                if norms:
                    shared = c.keys() & s.keys()
                    total += scale * sum((min(c[w], s[w]) if robust else c[w]) * s[w] for w in shared) / norms
        return total / (self.order * len(self.references[picture]))

    def __call__(self, candidates: Sequence[Tokens], robust: bool = True) -> np.ndarray:
        """One caption for each picture, in order → (I,) float64. The score of a model is their mean."""
        if len(candidates) != self.pictures:
            raise ValueError(f"{len(candidates)} captions for {self.pictures} pictures")
        return np.array([self.one(i, tokens, robust) for i, tokens in enumerate(candidates)])


# ---- hallucination ---------------------------------------------------------------------------------------------------


class YesNo(NamedTuple):
    """Scores of yes-no answers, each 0 … 1. Precision is 0 if yes is never said, recall if it is never true."""

    accuracy: float
    precision: float  # of what was answered yes, how much is true
    recall: float  # of what is true, how much was answered yes
    f1: float
    yes: float  # share of answers that are yes


def yes_no(said: np.ndarray, true: np.ndarray) -> YesNo:
    """The scores of POPE (Li et al. 2023, https://arxiv.org/abs/2305.10355): said (N,) bool, the answer is yes;
    true (N,) bool, yes is right. With half of the questions true, who always says yes has accuracy .5, recall 1 and
    F1 .67."""
    said, true = np.asarray(said, bool), np.asarray(true, bool)
    if said.shape != true.shape or not said.size:
        raise ValueError(f"answers of shape {said.shape} for questions of shape {true.shape}")
    hits = int((said & true).sum())
    precision = hits / max(1, int(said.sum()))
    recall = hits / max(1, int(true.sum()))
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    return YesNo(float((said == true).mean()), precision, recall, f1, float(said.mean()))


class Negatives:
    """Things to ask for that are not in the picture, in POPE's three ways (https://arxiv.org/abs/2305.10355).

    random: any absent thing. popular: the absent things that most pictures have. adversarial: the absent things that
    most often stand beside the things that are in the picture. Counts come from `pictures`, the things of each picture
    of a collection; equal counts are put in random order.
    """

    def __init__(self, pictures: Sequence[Collection[Hashable]], things: Sequence[Hashable]):
        self.things = list(things)
        place = {thing: i for i, thing in enumerate(self.things)}
        present = np.zeros((len(pictures), len(self.things)))
        for row, inside in enumerate(pictures):
            present[row, [place[thing] for thing in inside]] = 1
        self.place = place
        self.frequency = present.sum(0)  # (T,) pictures that have the thing
        self.together = present.T @ present * (1 - np.eye(len(self.things)))  # (T, T) pictures that have both

    def __call__(self, inside: Collection[Hashable], how: str, n: int, rng: np.random.Generator) -> list[Hashable]:
        """n things absent from a picture with the things `inside`; how: "random", "popular" or "adversarial"."""
        absent = [i for i, thing in enumerate(self.things) if thing not in inside]
        if n > len(absent):
            raise ValueError(f"{n} absent things asked for, {len(absent)} there")
        absent = list(rng.permutation(absent))
        if how == "random":
            chosen = absent[:n]
        else:
            counts = {
                "popular": self.frequency,
                "adversarial": self.together[[self.place[thing] for thing in inside]].sum(0),
            }[how]
            chosen = sorted(absent, key=lambda i: -counts[i])[:n]  # a stable sort keeps the random order of equals
        return [self.things[i] for i in chosen]


class Chair(NamedTuple):
    """CHAIR (Rohrbach et al. 2018, https://arxiv.org/abs/1809.02156), 0 … 1; less is better."""

    instance: float  # of all things mentioned, the share that is not in the picture
    sentence: float  # of all captions, the share that mentions one such thing or more
    recall: float  # of all things in the pictures, the share that is mentioned: who says nothing invents nothing


def chair(mentioned: Sequence[Sequence[Hashable]], inside: Sequence[Collection[Hashable]]) -> Chair:
    """mentioned: the things that each caption names, as often as it names them; inside: the things of each picture."""
    if len(mentioned) != len(inside) or not inside:
        raise ValueError(f"{len(mentioned)} captions for {len(inside)} pictures")
    invented = [sum(thing not in there for thing in said) for said, there in zip(mentioned, inside, strict=True)]
    found = sum(len(set(said) & set(there)) for said, there in zip(mentioned, inside, strict=True))
    return Chair(
        sum(invented) / max(1, sum(map(len, mentioned))),
        sum(n > 0 for n in invented) / len(invented),
        found / max(1, sum(len(set(there)) for there in inside)),
    )


# ---- how far a score can be trusted ------------------------------------------------------------------------------------


class Interval(NamedTuple):
    """From low to high."""

    low: float
    high: float

    @property
    def half(self) -> float:
        """Half its width: the number after ±."""
        return (self.high - self.low) / 2


def wald(right: int, n: int, z: float = 1.96) -> Interval:
    """p ± z √(p (1 - p) / n) for a share p = right / n: the formula everybody knows. It has no width at p = 0 or 1."""
    p = right / n
    half = z * math.sqrt(p * (1 - p) / n)
    return Interval(p - half, p + half)


def wilson(right: int, n: int, z: float = 1.96) -> Interval:
    """The interval of Wilson (1927) for a share p = right / n: all values that are within z standard errors of p, with
    the standard error that they themselves would have. It stays in 0 … 1 and holds its promise for small n.

        (p + z²/2n ± z √(p (1 - p)/n + z²/4n²)) / (1 + z²/n)
    """
    if not 0 <= right <= n or n < 1:
        raise ValueError(f"{right} of {n}")
    p, w = right / n, z * z / n
    half = z * math.sqrt(p * (1 - p) / n + w / (4 * n)) / (1 + w)
    middle = (p + w / 2) / (1 + w)
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def bootstrap(
    values: np.ndarray,
    rng: np.random.Generator,
    groups: np.ndarray | None = None,
    statistic: Callable[[np.ndarray], float] | None = None,
    draws: int = 2000,
    level: float = 0.95,
) -> Interval:
    """The percentile bootstrap interval of a statistic (the mean, unless given) of values (N, …).

    Each draw takes N values with replacement. groups (N,) int: which values belong together (questions on one
    picture); then whole groups are drawn, as many as there are. Questions on one picture are not independent, and
    drawn one by one they give an interval that is too narrow.
    """
    values = np.asarray(values, float)
    if groups is None:
        members = None
        n = len(values)
    else:
        names, inverse = np.unique(groups, return_inverse=True)
        members = np.split(np.argsort(inverse, kind="stable"), np.cumsum(np.bincount(inverse))[:-1])
        n = len(names)
    found = np.empty(draws)
    for k in range(draws):
        pick = rng.integers(0, n, n)
        rows = pick if members is None else np.concatenate([members[i] for i in pick])
        found[k] = values[rows].mean() if statistic is None else statistic(values[rows])
    tail = (1 - level) / 2
    low, high = np.quantile(found, [tail, 1 - tail])
    return Interval(float(low), float(high))


def paired_bootstrap(
    a: np.ndarray, b: np.ndarray, rng: np.random.Generator, groups: np.ndarray | None = None, draws: int = 2000
) -> Interval:
    """The interval of mean(a) - mean(b) where a[i] and b[i] are the scores of two models on item i: the items are drawn,
    and both models keep theirs."""
    if len(a) != len(b):
        raise ValueError("paired scores have one of each for every item")
    return bootstrap(np.asarray(a, float) - np.asarray(b, float), rng, groups, draws=draws)


class McNemar(NamedTuple):
    """Two models on the same items."""

    only_a: int  # items that a alone gets right
    only_b: int
    p: float  # exact, two-sided


def mcnemar(a: np.ndarray, b: np.ndarray) -> McNemar:
    """The exact test of McNemar (1947): a, b (N,) bool, right or wrong. Items on which both agree say nothing. If the
    models are equally good, each of the others is a fair coin: p is the chance of a split at least as uneven as
    this one."""
    a, b = np.asarray(a, bool), np.asarray(b, bool)
    if a.shape != b.shape:
        raise ValueError("paired answers have one of each for every item")
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    n, few = only_a + only_b, min(only_a, only_b)
    tail = sum(math.comb(n, k) for k in range(few + 1)) / 2**n
    return McNemar(only_a, only_b, min(1.0, 2 * tail))


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error (Naeini et al. 2015; Guo et al. 2017, https://arxiv.org/abs/1706.04599).

    confidence (N,) 0 … 1, right (N,) bool. The answers are put into bins of equal width by confidence; the error is
    the mean over answers of |share right - mean confidence| of their bin. It depends on the number of bins.
    """
    confidence, right = np.asarray(confidence, float), np.asarray(right, float)
    if confidence.shape != right.shape or not len(right):
        raise ValueError("one confidence for each answer, and at least one answer")
    which = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    total = 0.0
    for k in range(bins):
        inside = which == k
        if inside.any():
            total += abs(float(right[inside].sum() - confidence[inside].sum()))
    return total / len(right)
