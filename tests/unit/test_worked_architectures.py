"""The worked numbers of docs/*/principles/architectures.md, computed again."""

from math import exp, log, sqrt

import pytest
from worked import says

PAGE = "principles/architectures.md"


def softmax(scores):
    total = sum(map(exp, scores))
    return [exp(x) / total for x in scores]


def test_tokens_of_a_page():
    assert (336 // 14) ** 2 == 576
    assert (1344 // 28) ** 2 == 48**2 == 2304
    assert 1344 // 448 == 3
    assert (3 * 3 + 1) * 256 == 2560
    assert (448 // 14) ** 2 // 4 == 256
    says(PAGE, "(336/14)^2=576", "(1344/28)^2=48^2=2{,}304", r"10\times256=2{,}560", "(448/14)^2=1024")


def test_parameters_of_connectors():
    d, v = 4096, 1024
    linear = v * d + d
    mlp = linear + d * d + d
    shuffle = 4 * v * d + d + d * d + d
    attention = 256 * d + v * d + 4 * (d * d + d)
    assert 188e6 / mlp == pytest.approx(9, abs=0.1)
    assert 576 / 32 == 18
    assert 576 / 36 == 16
    assert attention / 7e9 == pytest.approx(0.01, abs=0.001)
    says(PAGE, *(f"{n:,}" for n in (linear, shuffle, attention)), f"| {mlp:,} |", "20{,}979{,}712")


def test_patches_without_an_encoder():
    values = 3 * 14**2
    assert (values, values * 4096 + 4096) == (588, 2412544)
    says(PAGE, r"3\times14^2=588", r"588\times4096+4096=2{,}412{,}544")


def test_two_guards():
    low, high = (log(sum(map(exp, z))) for z in ((2, 1, 0), (12, 11, 10)))
    assert softmax((2, 1, 0)) == pytest.approx(softmax((12, 11, 10)))
    assert f"{low:.3f} {high:.3f}" == "2.408 12.408"
    assert f"{1e-4 * low**2:.5f} {1e-4 * high**2:.5f} {(high / low) ** 2:.1f}" == "0.00058 0.01539 26.6"
    assert f"{sqrt(128):.1f}" == "11.3"
    step = 256 / 2**7  # bf16 keeps seven bits after the leading one
    assert step == 2
    assert round(300 / step) == round(301 / step)
    says(PAGE, "2.408", "12.408", "0.00058", "0.01539", "26.6", "11.3")


def test_routing():
    g = softmax((2, 1, 0.5, 0.1))
    assert [f"{p:.3f}" for p in g] == ["0.575", "0.211", "0.128", "0.086"]
    top = g[0] + g[1]
    assert f"{top:.3f} {g[0] / top:.3f} {g[1] / top:.3f}" == "0.786 0.731 0.269"
    says(PAGE, r"(0.575,\,0.211,\,0.128,\,0.086)", "$0.786$", "$0.731$", "$0.269$")


def test_load():
    f, p = [n / 8 for n in (5, 2, 1, 0)], [0.50, 0.25, 0.15, 0.10]
    terms = [a * b for a, b in zip(f, p, strict=True)]
    assert terms == pytest.approx([0.3125, 0.0625, 0.01875, 0])
    assert 4 * sum(terms) == pytest.approx(1.575)
    assert 4 * sum(0.25 * 0.25 for _ in range(4)) == 1
    assert 1.5 * 8 / 4 == 3
    assert (5 - 3) / 8 == 0.25
    assert 576 / (576 + 64) == 0.9
    says(PAGE, r"4\times(0.3125+0.0625+0.01875+0)=1.575", "0.01575", r"1.5\times8/4", "90%")


def test_active_parameters():
    d, layers, experts, chosen = 4096, 32, 8, 2
    attention, feed = 4 * d * d, 3 * d * 11008
    router = experts * d
    total = layers * (attention + experts * feed + router)
    active = layers * (attention + chosen * feed + router)
    dense = layers * (attention + feed)
    assert (attention, feed) == (67108864, 135266304)
    assert [f"{n / 1e9:.2f}B" for n in (dense, total, active)] == ["6.48B", "36.78B", "10.81B"]
    assert f"{active / total:.0%} {2 * total / 2**30:.1f} GiB" == "29% 68.5 GiB"
    says(PAGE, "67,108,864", "135,266,304", "6.48B", "36.78B", "10.81B", "29%", "68.5 GiB")
