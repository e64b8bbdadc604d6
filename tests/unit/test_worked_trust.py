"""The worked numbers of docs/*/principles/trust.md, computed again."""

from itertools import pairwise
from math import exp, sqrt

import pytest
from worked import says

PAGE = "principles/trust.md"


def softmax(logits):
    total = sum(map(exp, logits))
    return [exp(x) / total for x in logits]


def test_prior_and_evidence():
    weak, strong = 9 / 5, 20 / 9
    assert weak == 1.8
    assert f"{weak / (1 + weak):.0%}" == "64%"
    assert f"{strong / (1 + strong):.0%}" == f"{20 / 29:.0%}" == "69%"
    says(PAGE, "9/5=1.8", r"1.8/2.8=64\%", r"20/29=69\%")


def test_chair():
    captions = [{"mentioned": 3, "invented": 1}, {"mentioned": 2, "invented": 0}]
    mentioned, invented = (sum(c[k] for c in captions) for k in ("mentioned", "invented"))
    assert (invented, mentioned) == (1, 5)
    assert sum(c["invented"] > 0 for c in captions) / 2 == 0.5
    short, long = 1 - 0.97**5, 1 - 0.97**20
    assert f"{short:.0%} {long:.0%}" == "14% 46%"
    assert 3 < long / short < 4
    says(PAGE, r"1/5=20\%", r"1/2=50\%", r"1-0.97^{5}=14\%", r"1-0.97^{20}=46\%")


def test_dense_dpo():
    same, changed, gamma = 18, 2, 5
    assert changed / (same + changed) == 0.1
    assert gamma * changed == 10
    assert same + gamma * changed == 28
    assert f"{10 / 28:.0%}" == "36%"
    says(PAGE, r"2/20=10\%", r"10/28=36\%")


def test_vcd():
    seen, noised = {"yellow": 2.0, "green": 1.8, "stray": -4.0}, {"yellow": 2.2, "green": 0.6, "stray": -12.0}
    assert f"{softmax([2.0, 1.8])[1]:.3f}" == "0.450"
    contrast = {word: 2 * seen[word] - noised[word] for word in seen}
    assert contrast == pytest.approx({"yellow": 1.8, "green": 3.0, "stray": 4.0})
    assert f"{softmax([1.8, 3.0])[1]:.3f}" == "0.769"
    yellow, _, stray = softmax(list(seen.values()))
    assert f"{yellow:.3f} {0.1 * yellow:.3f} {stray:.4f}" == "0.549 0.055 0.0014"
    says(
        PAGE,
        "0.450",
        r"2\times2.0-2.2=1.8",
        r"2\times1.8-0.6=3.0",
        "0.769",
        r"2\times(-4)+12=4.0",
        "0.0014",
        r"0.1\times0.549=0.055",
    )


def test_detector_check():
    invented_kept, real_kept = 0.1 * 0.1, 0.9 * 0.9
    assert f"{invented_kept / (invented_kept + real_kept):.1%}" == "1.2%"
    says(PAGE, r"0.01/(0.01+0.81)=1.2\%")


def test_perturbation():
    n, epsilon, slope = 3 * 336 * 336, 8 / 255, 0.001
    assert n == 338688
    assert f"{epsilon:.4f}" == "0.0314"
    aligned, random = epsilon * slope * n, epsilon * slope * sqrt(n)
    assert f"{aligned:.1f} {random:.3f} {aligned / random:.0f}" == "10.6 0.018 582"
    says(
        PAGE, "n=338688", "8/255=0.0314", r"0.0314\times0.001\times338688=10.6", r"\sqrt{338688}=0.018", r"\sqrt n=582"
    )


def test_filter():
    attacks, benign = 100, 9900
    stopped, refused = 0.9 * attacks, 0.05 * benign
    assert (stopped, refused) == (90, 495)
    assert f"{stopped / (stopped + refused):.0%}" == "15%"
    says(PAGE, r"9900\times0.05=495", r"90/585=15\%")


def test_membership():
    tpr, fpr, share = 0.62, 0.50, 0.01
    assert round(100 * (tpr - fpr)) == 12
    assert f"{tpr * share:.4f} {fpr * (1 - share):.3f}" == "0.0062 0.495"
    assert f"{tpr * share / (tpr * share + fpr * (1 - share)):.1%}" == "1.2%"
    assert 3226 / 5.85e9 < 1e-6
    says(PAGE, r"0.0062/(0.0062+0.495)=1.2\%", "3,226", "1,008", "2,236")


def test_fairness():
    found = (800 * 0.95, 200 * 0.70)
    assert found == pytest.approx((760, 140))
    assert sum(found) / 1000 == pytest.approx(0.9)
    assert (95 - 70) == 25

    def precision(base):
        return 0.9 * base / (0.9 * base + 0.1 * (1 - base))

    assert f"{precision(0.3):.0%} {precision(0.1):.0%}" == "79% 50%"
    says(PAGE, r"(760+140)/1000=90\%", "=25$", r"0.27/(0.27+0.07)=79\%", r"0.09/(0.09+0.09)=50\%")


def test_weight_and_contribution():
    a, b = 0.9 * 0.1, 0.1 * 5.0
    assert f"{a:.2f} {b:.2f} {a + b:.2f} {a / (a + b):.0%} {b / (a + b):.0%}" == "0.09 0.50 0.59 15% 85%"
    says(PAGE, "$0.09$", "$0.50$", "$0.59$", "15%", "85%")


def test_rollout_and_saturation():
    def half(attention):
        return [[0.5 * attention[i][j] + 0.5 * (i == j) for j in range(2)] for i in range(2)]

    first, last = half([[0.9, 0.1], [0.5, 0.5]]), half([[0.2, 0.8], [0.5, 0.5]])
    row = [sum(last[0][k] * first[k][j] for k in range(2)) for j in range(2)]
    assert row == pytest.approx([0.67, 0.33])

    def f(x):
        return min(x, 1)

    assert f(2 + 1e-6) - f(2) == 0
    assert f(2) - f(0) == 1
    says(PAGE, "$(0.2,0.8)$", "$(0.9,0.1)$", "$(0.5,0.5)$", "$(0.67,0.33)$", r"f(x)=\min(x,1)")


def test_probes_and_patching():
    assert (88 - 60, 92 - 85) == (28, 7)
    assert f"{0.55 - 0.10:.2f}/{0.80 - 0.10:.2f}={(0.55 - 0.10) / (0.80 - 0.10):.0%}" == "0.45/0.70=64%"
    says(PAGE, "88%", "60%", "28", "92%", "85%", r"0.45/0.70=64\%")


def test_deletion_and_insertion():
    def area(p):
        return sum((a + b) / 2 * 0.25 for a, b in pairwise(p))

    assert area([0.90, 0.40, 0.20, 0.15, 0.10]) == pytest.approx(0.3125)
    assert area([0.90, 0.80, 0.60, 0.35, 0.10]) == pytest.approx(0.5625)
    assert area([0.10, 0.60, 0.80, 0.85, 0.90]) == pytest.approx(0.6875)
    says(PAGE, "0.3125", "0.5625", "0.6875", "0.31", "0.56")


def test_share_of_text():
    assert 3 / (3 + 1) == 0.75
    says(PAGE, r"\Phi_T=3", r"\Phi_V=1", "75%")
