"""mmlab.metrics: numbers worked out by hand, properties, and CIDEr against a second implementation."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlab import metrics
from mmlab.text import tokenise

WORDS = st.lists(st.sampled_from("abcde"), max_size=8)
SENTENCE = st.lists(st.sampled_from("abcde"), min_size=1, max_size=8)
CORPUS = st.lists(st.lists(SENTENCE, min_size=1, max_size=3), min_size=2, max_size=5)
TABLES = st.integers(1, 6).flatmap(
    lambda q: st.lists(st.lists(st.integers(0, 3), min_size=6, max_size=6), min_size=q, max_size=q)
)
ANSWERS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


# ---- VQA accuracy -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "score"), [(0, 0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1), (10, 1)])
def test_vqa_accuracy_of_ten_people(n, score):
    people = ["red"] * n + ["blue"] * (10 - n)
    assert metrics.vqa_accuracy("red", people) == pytest.approx(score)


def test_the_short_form_is_more_generous():
    people = ["red"] * 2 + ["blue"] * 8
    assert metrics.vqa_accuracy_short("red", people) == pytest.approx(2 / 3)
    assert metrics.vqa_accuracy_short("green", people) == 0
    with pytest.raises(ValueError, match="no answers"):
        metrics.vqa_accuracy("red", [])


@given(st.integers(2, 12), st.data())
def test_vqa_accuracy_is_the_closed_form(m, data):
    n = data.draw(st.integers(0, m))
    people = ["red"] * n + ["blue"] * (m - n)
    share = Fraction(n, m)
    exact = share * min(Fraction(max(n - 1, 0), 3), 1) + (1 - share) * min(Fraction(n, 3), 1)
    assert metrics.vqa_accuracy("red", people) == pytest.approx(float(exact))
    assert metrics.vqa_accuracy("red", people) <= metrics.vqa_accuracy_short("red", people) + 1e-9


# ---- retrieval --------------------------------------------------------------------------------------------------------


def test_ranks_by_hand():
    similarity = np.array([[0.9, 0.1, 0.3], [0.8, 0.5, 0.7], [0.2, 0.6, 0.4]])
    np.testing.assert_array_equal(metrics.ranks(similarity), [1, 3, 2])
    assert metrics.recall_at_k(metrics.ranks(similarity), 1) == pytest.approx(1 / 3)
    assert metrics.recall_at_k(metrics.ranks(similarity), 2) == pytest.approx(2 / 3)
    relevant = np.array([[True, False, False], [True, True, False], [False, False, False]])
    np.testing.assert_array_equal(metrics.ranks(similarity, relevant), [1, 1, np.inf])


def test_a_model_that_says_nothing_wins_if_ties_are_best():
    flat = np.zeros((4, 4))
    assert metrics.recall_at_k(metrics.ranks(flat, ties="best"), 1) == 1
    assert metrics.recall_at_k(metrics.ranks(flat, ties="worst"), 3) == 0
    np.testing.assert_array_equal(metrics.ranks(flat, ties="mean"), [2.5] * 4)


@given(TABLES, TABLES)
def test_ranks_against_sorting(similarity, marks):
    n = min(len(similarity), len(marks))
    values, relevant = np.array(similarity[:n], float), np.array(marks[:n]) > 1
    worst, best = (metrics.ranks(values, relevant, ties) for ties in ("worst", "best"))
    for row in range(n):
        if not relevant[row].any():
            assert worst[row] == best[row] == np.inf
            continue
        wrong = values[row][~relevant[row]]
        for ranks, keep in ((worst, -1), (best, 1)):
            # wrong candidates carry the mark `keep`: -1 sorts them before the right one (0) among equals, 1 behind it
            order = sorted([*((-v, keep) for v in wrong), (-values[row][relevant[row]].max(), 0)])
            assert ranks[row] == 1 + [mark for _, mark in order].index(0)
    assert (best <= worst).all()


@given(TABLES)
def test_ranks_depend_on_order_alone_and_recall_grows(similarity):
    values = np.array(similarity, float)
    rank = metrics.ranks(values)
    np.testing.assert_array_equal(rank, metrics.ranks(np.exp(values)))
    recalls = [metrics.recall_at_k(rank, k) for k in range(1, values.shape[1] + 1)]
    assert recalls == sorted(recalls) and recalls[-1] == 1


# ---- CIDEr ------------------------------------------------------------------------------------------------------------


def plain_cider(candidate, references, every, robust):
    """CIDEr or CIDEr-D once more, with lists and NumPy vectors over the whole vocabulary, as the paper writes it."""
    total = 0.0
    for n in range(1, 5):
        cut = lambda s: [tuple(s[i : i + n]) for i in range(len(s) - n + 1)]  # noqa: B023, E731
        words = sorted({w for refs in every for s in refs for w in cut(s)} | set(cut(candidate)))
        having = np.array([sum(any(w in cut(s) for s in refs) for refs in every) for w in words])
        idf = np.log(len(every) / np.maximum(having, 1))
        g = lambda s: np.array([cut(s).count(w) for w in words], float) * idf  # noqa: B023, E731
        for s in references:
            a, b = g(candidate), g(s)
            if not a.any() or not b.any():
                continue
            dot = (np.minimum(a, b) if robust else a) @ b / np.linalg.norm(a) / np.linalg.norm(b)
            total += dot * (10 * np.exp(-((len(candidate) - len(s)) ** 2) / 72) if robust else 1) / len(references)
    return total / 4


@settings(max_examples=80, deadline=None)
@given(CORPUS, WORDS, st.booleans())
def test_cider_against_the_second_implementation(corpus, candidate, robust):
    scorer = metrics.Cider(corpus)
    for picture, references in enumerate(corpus):
        expected = plain_cider(candidate, references, corpus, robust)
        assert scorer.one(picture, candidate, robust) == pytest.approx(expected, abs=1e-9)


def test_cider_by_hand():
    # two pictures; "a" stands in both (weight 0), "cat" and "dog" in one each (weight ln 2)
    scorer = metrics.Cider([[["a", "cat"]], [["a", "dog"]]])
    assert scorer.weight(("a",)) == 0 and scorer.weight(("cat",)) == pytest.approx(math.log(2))
    assert scorer.weight(("horse",)) == pytest.approx(math.log(2))  # unseen counts as seen once
    # unigrams and bigrams match, there are no 3- and 4-grams: (1 + 1 + 0 + 0) / 4
    assert scorer.one(0, ["a", "cat"], robust=False) == pytest.approx(0.5)
    assert scorer.one(0, ["a", "cat"]) == pytest.approx(5)
    assert scorer.one(0, ["a", "dog"]) == 0
    # "cat cat": the cosine does not see the repetition; CIDEr-D cuts 2 to 1: 10 · (min(2, 1) · 1 / (2 · 1)) / 4
    assert scorer.one(0, ["cat", "cat"], robust=False) == pytest.approx(0.25)
    assert scorer.one(0, ["cat", "cat"]) == pytest.approx(10 * 0.5 / 4)
    # one word more: exp(-1/72) on the unigram, whose vector "cat red" has length √2
    expected = 10 * math.exp(-1 / 72) * (1 / math.sqrt(2) + 1 / math.sqrt(2)) / 4
    assert scorer.one(0, ["a", "cat", "red"]) == pytest.approx(expected)


@settings(max_examples=40, deadline=None)
@given(CORPUS, SENTENCE)
def test_cider_stays_in_range_and_clips(corpus, candidate):
    scorer = metrics.Cider(corpus)
    for picture in range(len(corpus)):
        plain, robust = scorer.one(picture, candidate, False), scorer.one(picture, candidate)
        assert 0 <= plain <= 1 + 1e-9 and 0 <= robust <= 10 * plain + 1e-9
        doubled = metrics.Cider([c * 2 for c in corpus])  # the same references twice change nothing
        assert doubled.one(picture, candidate) == pytest.approx(robust)


def test_cider_works_for_both_languages_and_depends_on_the_cut():
    zh = [["红色圆形在蓝色星形的左边"], ["绿色方形在黄色圆形的上面"], ["黄色星形在红色方形的右边"]]
    characters = metrics.Cider([[tokenise(s) for s in refs] for refs in zh])
    assert characters.one(0, tokenise(zh[0][0])) == pytest.approx(10)
    wrong = "红色圆形在蓝色星形的右边"
    whole = metrics.Cider([[[s] for s in refs] for refs in zh])  # not cut at all
    assert characters.one(0, tokenise(wrong)) > 5 and whole.one(0, [wrong]) == 0


def test_cider_wants_references_and_one_caption_each():
    with pytest.raises(ValueError, match="reference"):
        metrics.Cider([[]])
    with pytest.raises(ValueError, match="1 captions for 2 pictures"):
        metrics.Cider([[["a"]], [["b"]]])([["a"]])


# ---- hallucination ------------------------------------------------------------------------------------------------------


def test_yes_no_by_hand():
    # the example of the chapter: 1350 hits, 300 false alarms, 1200 right rejections, 150 misses
    said = np.repeat([True, True, False, False], [1350, 300, 1200, 150])
    true = np.repeat([True, False, False, True], [1350, 300, 1200, 150])
    score = metrics.yes_no(said, true)
    assert score.accuracy == 0.85 and score.recall == 0.9 and score.yes == 0.55
    assert score.precision == pytest.approx(0.818, abs=1e-3) and score.f1 == pytest.approx(0.857, abs=1e-3)


def test_always_yes_and_always_no():
    true = np.arange(10) < 5
    assert metrics.yes_no(np.ones(10, bool), true) == (0.5, 0.5, 1.0, pytest.approx(2 / 3), 1.0)
    assert metrics.yes_no(np.zeros(10, bool), true) == (0.5, 0.0, 0.0, 0.0, 0.0)


@given(ANSWERS)
def test_yes_no_properties(pairs):
    said, true = np.array(pairs).T
    score = metrics.yes_no(said, true)
    assert all(0 <= v <= 1 for v in score)
    other = metrics.yes_no(~said, ~true)  # naming things the other way round
    assert other.accuracy == score.accuracy and other.yes == pytest.approx(1 - score.yes)
    assert (score.accuracy == 1) == bool((said == true).all())


def test_negatives_by_hand():
    # cup stands in 3 pictures, dog in 2, cat in 1; beside the cat there was only a sofa
    pictures = [{"cup", "dog"}, {"cup", "dog"}, {"cup"}, {"cat", "sofa"}]
    negatives = metrics.Negatives(pictures, ["cup", "dog", "cat", "sofa", "zebra"])
    rng = np.random.default_rng(0)
    assert negatives({"cat"}, "popular", 2, rng) == ["cup", "dog"]
    assert negatives({"cat"}, "adversarial", 1, rng) == ["sofa"]
    assert negatives({"cup"}, "adversarial", 1, rng) == ["dog"]
    with pytest.raises(ValueError, match="absent"):
        negatives({"cat"}, "random", 5, rng)


@given(
    st.sets(st.integers(0, 7), max_size=6), st.sampled_from(["random", "popular", "adversarial"]), st.integers(0, 99)
)
def test_negatives_are_absent_and_different(inside, how, seed):
    rng = np.random.default_rng(seed)
    pictures = [set(rng.permutation(8)[:3].tolist()) for _ in range(6)]
    chosen = metrics.Negatives(pictures, range(8))(inside, how, 2, rng)
    assert len(set(chosen)) == 2 and not set(chosen) & inside


def test_chair_by_hand():
    # the example of the chapter on trust: five things mentioned, one invented, in one of two captions
    said = [["dog", "frisbee", "car"], ["cat", "sofa"]]
    there = [{"dog", "frisbee"}, {"cat", "sofa", "lamp"}]
    score = metrics.chair(said, there)
    assert score.instance == pytest.approx(1 / 5) and score.sentence == 1 / 2 and score.recall == pytest.approx(4 / 5)
    assert metrics.chair([[], []], there) == (0, 0, 0)  # silence invents nothing and finds nothing


# ---- intervals and tests ------------------------------------------------------------------------------------------------


def test_intervals_by_hand():
    assert metrics.wald(720, 1000) == pytest.approx((0.692, 0.748), abs=1e-3)
    assert metrics.wilson(72, 100) == pytest.approx((0.625, 0.799), abs=1e-3)
    assert metrics.wald(0, 20).half == 0
    assert metrics.wilson(0, 20) == pytest.approx((0, 1.96**2 / (20 + 1.96**2)))  # 0 … z² / (n + z²)
    with pytest.raises(ValueError):
        metrics.wilson(3, 2)


@given(st.integers(1, 400), st.data())
def test_wilson_holds_the_values_within_z_standard_errors(n, data):
    right = data.draw(st.integers(0, n))
    low, high = metrics.wilson(right, n)
    assert 0 <= low <= right / n + 1e-12 and right / n - 1e-12 <= high <= 1
    for edge in (low, high):  # an edge is exactly z of its own standard errors away, unless it is 0 or 1
        if 1e-9 < edge < 1 - 1e-9:
            assert abs(right / n - edge) == pytest.approx(1.96 * math.sqrt(edge * (1 - edge) / n), rel=1e-6)
    mirrored = metrics.wilson(n - right, n)
    assert mirrored == pytest.approx((1 - high, 1 - low))


def test_wilson_keeps_its_promise_where_wald_does_not():
    n, p = 30, 0.95
    chance = [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    covered = {
        make: sum(c for k, c in enumerate(chance) if make(k, n).low <= p <= make(k, n).high)
        for make in (metrics.wald, metrics.wilson)
    }
    assert covered[metrics.wald] < 0.85 and covered[metrics.wilson] > 0.92


def test_bootstrap_of_a_share_agrees_with_the_formula():
    values = np.arange(400) < 288
    interval = metrics.bootstrap(values, np.random.default_rng(0))
    assert interval == pytest.approx(metrics.wald(288, 400), abs=0.006)


def test_bootstrap_by_groups_is_wider_when_groups_agree():
    rng = np.random.default_rng(0)
    right = np.repeat(rng.random(60) < 0.6, 8)
    groups = np.repeat(np.arange(60), 8)
    alone, together = metrics.bootstrap(right, rng), metrics.bootstrap(right, rng, groups)
    assert together.half / alone.half == pytest.approx(math.sqrt(8), rel=0.2)
    one_each = metrics.bootstrap(right, np.random.default_rng(1), np.arange(480))
    assert one_each == metrics.bootstrap(right, np.random.default_rng(1))


def test_bootstrap_takes_any_statistic():
    values = np.random.default_rng(0).normal(3, 1, 500)
    low, high = metrics.bootstrap(values, np.random.default_rng(1), statistic=lambda v: float(np.median(v)), draws=400)
    assert low < np.median(values) < high and high - low < 0.4


def test_pairs_say_more():
    a, b = np.arange(1000) < 720, np.arange(1000) < 700
    paired = metrics.paired_bootstrap(a, b, np.random.default_rng(0))
    assert 0 < paired.low < 0.02 < paired.high and paired.half < metrics.wald(720, 1000).half / 2
    with pytest.raises(ValueError):
        metrics.paired_bootstrap(a, b[:-1], np.random.default_rng(0))


def test_mcnemar_by_hand():
    # 60 items only a, 40 only b: the chapter's example
    a = np.repeat([True, False, True, False], [60, 40, 660, 240])
    b = np.repeat([False, True, True, False], [60, 40, 660, 240])
    assert metrics.mcnemar(a, b) == (60, 40, pytest.approx(0.0569, abs=1e-4))
    # five coins, all heads: 2 / 2^5
    assert metrics.mcnemar(np.ones(5, bool), np.zeros(5, bool)).p == pytest.approx(1 / 16)
    assert metrics.mcnemar(a, a).p == 1


@given(ANSWERS)
def test_mcnemar_is_symmetric(pairs):
    a, b = np.array(pairs).T
    there, back = metrics.mcnemar(a, b), metrics.mcnemar(b, a)
    assert there.p == back.p and 0 < there.p <= 1 and there.only_a == back.only_b
    assert there.only_a - there.only_b == int(a.sum()) - int(b.sum())


def test_calibration_error_by_hand():
    # two bins hold answers: .95 said and half right; .65 said and all right
    confidence, right = np.array([0.95, 0.95, 0.65, 0.65]), np.array([True, False, True, True])
    assert metrics.calibration_error(confidence, right) == pytest.approx((2 * 0.45 + 2 * 0.35) / 4)
    assert metrics.calibration_error(np.array([1.0, 0.0]), np.array([True, False])) == 0


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50))
def test_calibration_error_lies_between_one_bin_and_no_bins(pairs):
    confidence, right = np.array([c for c, _ in pairs]), np.array([r for _, r in pairs])
    error = metrics.calibration_error(confidence, right)
    assert abs(confidence.mean() - right.mean()) - 1e-9 <= error <= np.abs(confidence - right).mean() + 1e-9
