"""The worked numbers of docs/*/principles/evaluation.md, computed again."""

from math import ceil, comb, log, log2, log10, sqrt
from statistics import NormalDist

import pytest
from worked import says

PAGE = "principles/evaluation.md"


def lev(a, b):
    """Levenshtein distance."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


def nls(a, g):
    distance = lev(a, g) / max(len(a), len(g))
    return 1 - distance if distance < 0.5 else 0.0


def vqa(n):
    """Official VQA accuracy: the mean over leaving out each of 10 people."""
    return (n * min((n - 1) / 3, 1) + (10 - n) * min(n / 3, 1)) / 10


def test_vqa_accuracy():
    assert [round(vqa(n), 3) for n in range(5)] == [0, 0.3, 0.6, 0.9, 1]
    assert f"{min(2 / 3, 1):.3f}" == "0.667"
    says(PAGE, r"\min(2/3,1)=0.667", "/10=0.6$", r"$0,\,0.3,\,0.6,\,0.9,\,1$", r"(7\times1+3\times\tfrac23)/10=0.9")


def test_edit_distance():
    scores = [nls("Acme Lid.", "Acme Ltd."), nls("4,600", "4,500"), nls("no", "Acme Ltd.")]
    assert len("Acme Ltd.") == 9
    assert [f"{s:.3f}" for s in scores] == ["0.889", "0.800", "0.000"]
    assert f"{sum(scores) / 3:.3f}" == "0.563"
    assert (1 + 2) / 4 == 0.75
    assert (1 + 4) / 4 == 1.25
    says(PAGE, r"\text{NL}=1/9", "0.889", r"\text{ANLS}=0.563", r"\text{WER}=3/4=75\%", "125%")


def test_retrieval():
    ranks = (1, 4, 12)
    recall = {k: sum(r <= k for r in ranks) / 3 for k in (1, 5, 10)}
    assert [f"{recall[k]:.3f}" for k in (1, 5, 10)] == ["0.333", "0.667", "0.667"]
    assert f"{sum(1 / r for r in ranks) / 3:.3f}" == "0.444"

    def dcg(grades):
        return sum((2**g - 1) / log2(r + 1) for r, g in enumerate(grades, 1))

    assert f"{dcg([1, 2, 0]):.3f}/{dcg([2, 1, 0]):.3f}={dcg([1, 2, 0]) / dcg([2, 1, 0]):.3f}" == "2.893/3.631=0.797"
    assert 5 / 1000 == 0.005
    assert 5 / 5000 == 0.001
    says(PAGE, "0.333", "0.667", "/3=0.444", "2.893/3.631=0.797", r"5/1000=0.5\%", r"5/5000=0.1\%")


def test_cider():
    weight = {
        word: log(1000 / n) for word, n in {"a": 990, "zebra": 10, "stands": 100, "runs": 50, "horse": 50}.items()
    }
    assert f"{weight['a']:.2f} {weight['zebra']:.1f} {weight['zebra']:.3f}" == "0.01 4.6 4.605"
    assert f"{weight['runs']:.2f} {weight['runs']:.3f} {weight['stands']:.2f}" == "3.00 2.996 2.30"

    def norm(sentence):
        return sqrt(sum(weight[w] ** 2 for w in sentence.split()))

    def cosine(c, s):
        shared = sum(weight[w] ** 2 for w in c.split() if w in s.split())
        return shared / norm(c) / norm(s)

    reference = "a zebra runs"
    assert [f"{norm(s):.3f}" for s in ("a zebra stands", "a horse runs", reference)] == ["5.149", "4.237", "5.494"]
    assert f"{cosine('a zebra stands', reference):.3f}" == "0.750"
    assert f"{cosine('a horse runs', reference):.3f}" == "0.386"
    says(
        PAGE,
        r"\ln(1000/990)=0.01",
        r"\ln(1000/10)=4.6",
        r"4.605^2/(5.149\times5.494)=0.750",
        r"2.996^2/(4.237\times5.494)=0.386",
    )


def test_pope():
    tp, fp, tn, fn = 1350, 300, 1200, 150
    precision, recall = tp / (tp + fp), tp / (tp + fn)
    f1 = 2 * precision * recall / (precision + recall)
    assert (tp + tn) / 3000 == 0.85
    assert (tp + fp) / 3000 == 0.55
    assert recall == 0.9
    assert f"{precision:.3f} {f1:.3f} {2 * 0.5 / 1.5:.3f}" == "0.818 0.857 0.667"
    says(PAGE, "1350/1650=0.818", "0.857", "0.55", r"2\times0.5\times1/1.5=0.667")


def test_circular():
    assert f"{0.25**4:.2%}" == "0.39%"
    assert pytest.approx(0.70) == 0.6 + 0.4 * 0.25
    assert pytest.approx(0.76) == 0.6 + 0.4 * 0.4
    says(PAGE, r"0.25^4=0.39\%", r"0.6+0.4\times0.25=70\%", r"0.6+0.4\times0.4=76\%")


def test_detection():
    inter = (4 - 2) * 4
    assert f"{inter / (16 + 16 - inter):.3f}" == "0.333"
    hits, true, area = [1, 0, 1, 0, 1], 3, 0.0
    for k, hit in enumerate(hits, 1):
        area += hit * sum(hits[:k]) / k
    assert f"{area / true:.3f}" == "0.756"
    says(PAGE, r"2\times4=8", "16+16-8=24", r"\text{AP}=(1+\tfrac23+\tfrac35)/3=0.756")


def test_generation():
    assert pytest.approx(0.13) == 0.3**2 + (1.2 - 1.0) ** 2
    two_points = [-1, 1]
    assert sum(two_points) == 0
    assert sum(x * x for x in two_points) / 2 == 1
    assert f"{2 * 2048 / 1000:.2f} {2 * 2048 / 10000:.2f}" == "4.10 0.41"
    assert 2.5 * 0.30 == 0.75
    assert f"{0.9**4:.1%}" == "65.6%"
    says(PAGE, "0.09+0.04=0.13", r"2\times2048/n", "4.10", "0.41", "0.75", r"0.9^4=65.6\%")


def test_blind_sketch():
    llm, unseen, seen = 38, 44, 52
    assert unseen - llm == 6
    assert seen - unseen == 8
    says(PAGE, "44", "52", "8")


def test_kappa_and_votes():
    both_good, both_bad, judge, people = 80, 5, 90, 85
    assert judge - both_good + people - both_good + both_good + both_bad == 100
    observed = (both_good + both_bad) / 100
    chance = judge / 100 * people / 100 + (1 - judge / 100) * (1 - people / 100)
    assert (observed, round(chance, 2)) == (0.85, 0.78)
    assert f"{(observed - chance) / (1 - chance):.3f}" == "0.318"
    assert f"{0.8**3 + 3 * 0.8**2 * 0.2:.1%}" == "89.6%"
    says(PAGE, r"0.9\times0.85+0.1\times0.15=0.78", "(0.85-0.78)/(1-0.78)=0.318", r"0.8^3+3\times0.8^2\times0.2=89.6\%")


def test_arena():
    def win(gap):
        return 1 / (1 + 10 ** (-gap / 400))

    def gap(p):
        return 400 * log10(p / (1 - p))

    assert f"{win(100):.1%} {win(10):.1%}" == "64.0% 51.4%"
    battles = 0.25 * 1.96**2 / (win(10) - 0.5) ** 2
    assert round(battles, -1) == 4640
    half = 1.96 * sqrt(0.7 * 0.3 / 100)
    assert f"{0.7 - half:.1%} {0.7 + half:.1%}" == "61.0% 79.0%"
    assert [round(gap(p)) for p in (0.7, 0.7 - half, 0.7 + half)] == [147, 78, 230]
    says(PAGE, "64.0%", "51.4%", "4,640", r"400\log_{10}(0.7/0.3)=147", "61.0%", "79.0%", "78", "230")


def test_error_bars():
    p = 0.72
    se = sqrt(p * (1 - p) / 1000)
    assert f"{se:.4f} {p - 1.96 * se:.1%} {p + 1.96 * se:.1%}" == "0.0142 69.2% 74.8%"
    assert f"{100 * 1.96 * se:.1f}" == "2.8"
    assert ceil(1.96**2 * p * (1 - p) / 0.01**2) == 7745
    for n, low, high in ((100, "63.2", "80.8"), (1000, "69.2", "74.8"), (10000, "71.1", "72.9")):
        half = 1.96 * sqrt(p * (1 - p) / n)
        assert (f"{100 * (p - half):.1f}", f"{100 * (p + half):.1f}") == (low, high)
        says(PAGE, low, high)
    says(PAGE, r"\text{SE}=0.0142", "7,745")


def test_mcnemar():
    assert (60 - 40) / sqrt(60 + 40) == 2.0
    exact = 2 * sum(comb(100, k) for k in range(60, 101)) / 2**100
    assert f"{exact:.3f}" == "0.057"
    paired = 1.96 * sqrt((60 + 40) / 1000 - 0.02**2) / sqrt(1000)
    assert f"{100 * paired:.1f}" == "2.0"
    independent = 1.96 * sqrt(2 * 0.71 * 0.29 / 1000)
    assert f"{100 * independent:.1f}" == "4.0"
    says(PAGE, r"z=(60-40)/\sqrt{60+40}=2.0", "p=0.057", r"2.0\pm2.0", r"2.0\pm4.0")


def test_clustered():
    design = 1 + (10 - 1) * 0.3
    se = sqrt(0.72 * 0.28 / 1000) * sqrt(design)
    assert f"{se:.4f} {100 * 1.96 * se:.1f} {1000 / design:.0f}" == "0.0273 5.4 270"
    says(PAGE, "0.0273", "5.4", "270")


def test_risk_and_coverage():
    right = [1, 1, 1, 1, 0, 1, 1, 0, 1, 0]

    def risks(order):
        return [1 - sum(order[:k]) / k for k in range(1, 11)]

    ours, ideal = risks(right), risks(sorted(right, reverse=True))
    assert (round(ours[9], 2), ours[7], ours[3]) == (0.3, 0.25, 0)
    assert f"{sum(ours) / 10:.3f} {sum(ideal) / 10:.3f}" == "0.128 0.065"
    says(PAGE, "30%", "25%", "0.128", "0.065", "0.30")


def test_quantile():
    assert f"{NormalDist().inv_cdf(0.975):.2f}" == "1.96"
    says(PAGE, r"1.96\,\text{SE}")
