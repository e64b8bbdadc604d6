"""The worked numbers of docs/*/principles/challenges.md, computed again."""

from itertools import combinations
from math import exp, log, log2, sqrt, tanh

import pytest
from worked import says

PAGE = "principles/challenges.md"


def test_noise():
    rate = 34 / 200
    assert rate == pytest.approx(0.17)
    assert f"{1.96 * sqrt(rate * (1 - rate) / 200):.1%}" == "5.2%"
    bad, good = 0.2 * rate, 0.9 * (1 - rate)
    assert f"{bad:.3f} {good:.3f} {bad / (bad + good):.1%} {bad + good:.0%}" == "0.034 0.747 4.4% 78%"
    says(PAGE, r"34/200=17\%", r"1.96\sqrt{0.17\times0.83/200}=5.2\%", r"0.034/(0.034+0.747)=4.4\%", "78%")


def test_sources_tail_and_licences():
    shares = (0.90, 0.08, 0.02)
    entropy = -sum(w * log2(w) for w in shares)
    assert f"{entropy:.2f} {2**entropy:.2f}" == "0.54 1.46"
    assert pytest.approx(80) == 0.8 * 90 + 0.2 * 40
    assert (90 + 40) / 2 == 65
    assert f"{0.95**20:.0%}" == "36%"
    says(PAGE, "2^{0.54}=1.46", r"0.8\times90+0.2\times40=80", "65", r"0.95^{20}=36\%")


def test_shared_gradient():
    p = 1 / (1 + exp(-4))
    assert f"{p:.3f} {1 - p:.3f}" == "0.982 0.018"
    assert f"{0.5 / (1 - p):.0f}" == "28" == f"{0.5 / 0.018:.0f}"
    says(PAGE, r"p=\sigma(4)=0.982", "0.018/0.5", "28")


def test_ogm():
    vision, audio = sum((0.9, 0.8, 0.7, 0.6)), sum((0.5, 0.4, 0.3, 0.3))
    assert vision / audio == pytest.approx(2)

    def k(rho, alpha):
        return 1 - tanh(alpha * rho) if rho > 1 else 1

    assert f"{k(2, 0.5):.3f} {k(2, 0.1):.3f} {k(1 + 1e-9, 0.5):.3f} {k(0.5, 0.5)}" == "0.238 0.803 0.538 1"
    says(PAGE, r"\rho_1=3.0/1.5=2", r"1-\tanh(1)=0.238", r"\rho_2=0.5", r"1-\tanh(0.2)=0.803", r"1-\tanh(0.5)=0.538")


def test_modality_dropout():
    assert f"{0.8**2:.0%} {0.8 * 0.2:.0%} {0.2**2:.0%}" == "64% 16% 4%"
    assert f"{0.7**2:.0%} {0.3**2:.0%}" == "49% 9%"
    says(PAGE, r"0.8^2=64\%", "16%", "4%", r"0.7^2=49\%", r"0.3^2=9\%")


def test_subsets():
    for m, number in ((2, 3), (3, 7), (5, 31), (4, 15)):
        assert 2**m - 1 == number == sum(1 for k in range(1, m + 1) for _ in combinations(range(m), k))
    shares = [0.8**k * 0.2 ** (3 - k) for k in (3, 2, 1, 0)]
    assert [f"{share:.1%}" for share in shares] == ["51.2%", "12.8%", "3.2%", "0.8%"]
    assert shares[0] + 3 * shares[1] + 3 * shares[2] + shares[3] == pytest.approx(1)
    says(PAGE, "2^M-1", "51.2%", "12.8%", "3.2%", "0.8%", "2^4-1=15", "14")


def test_missing_rate():
    assert pytest.approx(85) == 0.7 * 90 + 0.2 * 80 + 0.1 * 60
    says(PAGE, r"0.7\times90+0.2\times80+0.1\times60=85")


def test_kinetics_differences():
    for joint, best, difference in ((71.4, 72.6, 1.2), (71.3, 72.6, 1.3), (58.3, 62.1, 3.8), (70.0, 72.6, 2.6)):
        assert best - joint == pytest.approx(difference)
        says(PAGE, f"| {joint} |", f" {best} |", f"−{difference}")
    assert 71.4 + 1.4 > 72.6  # "a little more than RGB alone"


def test_gradient_blending():
    heads = {"audio": (4.0, 1.0, 4.2, 3.2), "rgb": (4.0, 1.5, 4.1, 2.1), "joint": (4.0, 0.8, 4.1, 2.3)}
    rows, scores = {}, {}
    for head, (train, trained, valid, validated) in heads.items():
        o, g = (validated - trained) - (valid - train), valid - validated
        scores[head] = g / o**2
        rows[head] = (
            f"{train} → {trained} | {valid} → {validated} | {o:.1f} | {g:.1f} | {abs(o / g):.2f} | {g / o**2:.2f}"
        )
    weights = {head: score / sum(scores.values()) for head, score in scores.items()}
    assert sum(weights.values()) == pytest.approx(1)
    for head, row in rows.items():
        says(PAGE, f"| {row} | {weights[head]:.2f} |")
    assert f"{weights['rgb']:.0%}" == "87%"
    assert min(h[1] for h in heads.values()) == heads["joint"][1]
    assert heads["joint"][3] > heads["rgb"][3]
    says(PAGE, "87%")


def test_ogr_question():
    o, g = 2.0 - 0.5, 0.5
    assert (o, g, o / g) == (1.5, 0.5, 3)
    says(PAGE, r"\Delta O=2.0-0.5=1.5", r"\Delta G=0.5")


def test_distillation():
    teacher, student = (0.7, 0.2, 0.1), (0.4, 0.4, 0.2)
    assert pytest.approx(1.75) == 0.7 / 0.4
    assert f"{sum(t * log(t / q) for t, q in zip(teacher, student, strict=True)):.3f}" == "0.184"
    assert 1 / 50 == 0.02
    says(PAGE, r"0.7\ln1.75+0.2\ln0.5+0.1\ln0.5=0.184", r"1/50=2\%")


def test_shapley():
    def share(alone, without, both, neither):
        return (alone - neither) / 2 + (both - without) / 2

    picture, question = share(30, 70, 78, 25), share(70, 30, 78, 25)
    assert (picture, question, picture + question) == (6.5, 46.5, 53)
    assert share(25, 25, 78, 25) == 26.5
    says(PAGE, r"\tfrac12(30-25)+\tfrac12(78-70)=6.5", r"\tfrac12(70-25)+\tfrac12(78-30)=46.5", "53", "26.5")


def test_compute():
    d = 4096

    def flops(n):
        return 24 * n * d**2 + 4 * n**2 * d

    assert f"{flops(20):.2e} {flops(596):.2e}" == "8.06e+09 2.46e+11"
    assert (20 + 576, 20 + 5 * 576, 20 + 60 * 576) == (596, 2900, 34580)
    assert [f"{flops(n) / flops(20):,.0f}" for n in (596, 2900, 34580)] == ["30", "162", "4,158"]
    assert f"{4 * 596**2 * d / flops(596):.1%} {4 * 34580**2 * d / flops(34580):.0%}" == "2.4% 58%"
    assert 24 * 6 * d * d**2 == 4 * (6 * d) ** 2 * d
    assert 6 * d == 24576
    says(
        PAGE,
        r"\approx8.06\times10^9",
        r"2.46\times10^{11}",
        "30",
        "N=2900",
        "162",
        "N=34580",
        "4,158",
        "2.4%",
        "58%",
        "24576",
    )
