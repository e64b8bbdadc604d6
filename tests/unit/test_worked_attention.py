"""The worked numbers of docs/*/principles/attention.md, computed again."""

from math import exp, sqrt, tanh

import pytest
from worked import says

PAGE = "principles/attention.md"

Q = [[1, 0], [0, 2]]
K = [[1, 0], [0, 1], [1, 1]]
V = [[2, 0], [0, 2], [1, 1]]
SCORES = [[sum(a * b for a, b in zip(q, k, strict=True)) / sqrt(2) for k in K] for q in Q]


def softmax(scores):
    total = sum(map(exp, scores))
    return [exp(x) / total for x in scores]


def mix(weights, values):
    return [sum(w * v[i] for w, v in zip(weights, values, strict=True)) for i in range(2)]


def three(numbers):
    return r"(" + r",\,".join(f"{x:.3f}" for x in numbers) + ")"


def test_two_by_three():
    assert [[f"{x:.3f}" for x in row] for row in SCORES] == [
        ["0.707", "0.000", "0.707"],
        ["0.000", "1.414", "1.414"],
    ]
    exponentials = [exp(x) for x in SCORES[0]]
    assert f"{exponentials[0]:.3f} {sum(exponentials):.3f}" == "2.028 5.056"
    first, second = map(softmax, SCORES)
    says(PAGE, *(three(row) for row in (first, second, mix(first, V), mix(second, V))))
    assert three(first) == r"(0.401,\,0.198,\,0.401)"
    masked = softmax(SCORES[0][:2])
    assert three(masked) == r"(0.670,\,0.330)"
    assert three(mix(masked, V[:2])) == r"(1.340,\,0.660)"
    says(PAGE, r"(0.670,\,0.330,\,0)", r"(1.340,\,0.660)", "$5.056$")


def test_another_weighting_gives_the_same_output():
    a = softmax(SCORES[0])
    moved = [a[0] + a[2] / 2, a[1] + a[2] / 2, 0]
    assert mix(moved, V) == pytest.approx(mix(a, V))
    assert three(moved[:2]) == r"(0.602,\,0.398)"
    says(PAGE, r"(0.602,\,0.398,\,0)")


def test_the_other_direction():
    back = softmax([row[0] for row in SCORES])[0]
    assert f"{softmax(SCORES[0])[0]:.3f} {back:.3f}" == "0.401 0.670"
    assert 14 * 14 == 196
    says(PAGE, "0.401", "$0.670$", r"14\times14=196")


def test_gate():
    assert f"{tanh(0.1):.4f}" == "0.0997"
    says(PAGE, "$0.0997$")


def test_cost():
    t, n, d, feed = 64, 2304, 4096, 3 * 4096 * 11008
    joined = [2 * (t + n) ** 2 * d, 4 * (t + n) * d * d, (t + n) * feed]
    text = [2 * t * t * d, 4 * t * d * d, t * feed]
    cross = [2 * t * n * d, (2 * t + 2 * n) * d * d, 0]
    apart = [a + b for a, b in zip(text, cross, strict=True)]
    rows = [(f"{a / 1e9:.1f}", f"{b / 1e9:.1f}") for a, b in zip(joined, apart, strict=True)]
    assert rows == [("45.9", "1.2"), ("158.9", "83.8"), ("320.3", "8.7")]
    assert f"{sum(joined) / 1e9:.1f} {sum(apart) / 1e9:.1f}" == "525.2 93.7"
    assert f"{joined[0] / apart[0]:.0f} {sum(joined) / sum(apart):.1f}" == "37 5.6"
    assert f"{2 * n * d * d / 1e9:.1f}" == "77.3"
    assert 2 * 8192**2 * d == 4 * 8192 * d * d
    assert (2880 / 576, (2880 / 576) ** 2) == (5, 25)
    says(PAGE, *(f"| {a} | {b} |" for a, b in [*rows, ("525.2", "93.7")]), "37", "5.6", "77.3", "8,192")


def test_keys_and_values():
    h, width, groups, latent, rotary = 128, 128, 8, 512, 64
    kept = [2 * h * width, 2 * groups * width, 2 * width, latent + rotary]
    assert kept == [32768, 2048, 256, 576]
    assert [round(k * 2 * 2304 / 2**20, 3) for k in kept] == [144, 9, 1.125, 2.531]
    assert f"{kept[0] / kept[3]:.1f}" == "56.9"
    assert kept[3] / kept[2] == 2.25
    says(PAGE, "32,768", "1.125", "2.53 MiB", "56.9", "2.25")


def test_masks():
    def cells(doc, image):
        return sum(
            doc[i] == doc[j] and (j <= i or (image[i] > 0 and image[i] == image[j])) for i in range(8) for j in range(8)
        )

    one, two = [1] * 8, [1] * 4 + [2] * 4
    assert cells(one, [0] * 8) == 8 * 9 // 2 == 36
    assert cells(one, [1] * 4 + [0] * 4) == 42
    assert cells(one, [1] * 6 + [0] * 2) == 36 + 15 == 51  # a prefix is one block as well
    assert cells(two, [0] * 8) == 10 + 10 == 20
    assert 36 - 20 == 16
    assert cells(two, [1, 1, 0, 0, 2, 2, 0, 0]) == 22
    says(PAGE, r"8\times9/2=36", "$42$", "36+15=51", "10+10=20", "22")


def test_sink():
    share = exp(8) / (exp(8) + 576)
    assert f"{1 / 576:.4f} {share:.1%} {1 - share:.1%}" == "0.0017 83.8% 16.2%"
    says(PAGE, "1/576=0.0017", "83.8%", "16.2%")
