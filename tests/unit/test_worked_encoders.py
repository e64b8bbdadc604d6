"""The worked numbers of principles/encoders.md."""

import math
from collections import Counter
from itertools import pairwise

from worked import says

PAGE = "principles/encoders.md"


def test_three_merges():
    words = {"cat": 6, "cats": 3, "hat": 4}
    split = {word: list(word) for word in words}
    left, merges = [sum(len(split[w]) * n for w, n in words.items())], []
    for _ in range(3):
        pairs = Counter()
        for word, n in words.items():
            for pair in pairwise(split[word]):
                pairs[pair] += n
        (a, b), n = pairs.most_common(1)[0]
        merges.append((a + b, n))
        for units in split.values():
            at = 0
            while at < len(units) - 1:
                if (units[at], units[at + 1]) == (a, b):
                    units[at : at + 2] = [a + b]
                at += 1
        left.append(sum(len(split[w]) * n for w, n in words.items()))
    assert merges == [("at", 13), ("cat", 9), ("hat", 4)]
    assert left == [42, 29, 20, 16]
    says(PAGE, *map(str, left), "13", "`at`", "`cat`", "`hat`")


def test_a_chinese_sentence():
    sentence = "你好，我的名字是GPT-4o。我是一种新型的语言模型，很高兴见到你!"
    han = sum("\u4e00" <= c <= "\u9fff" for c in sentence)
    says(PAGE, str(han), str(len(sentence.encode())), f"{1 - 24 / 34:.0%}")
    assert (han, len(sentence.encode())) == (24, 88)


def test_packing():
    patches = (196, 100, 60)
    assert (3 * max(patches), sum(patches)) == (588, 356)
    cells = sum(n * n for n in patches)
    says(PAGE, "588", "356", f"{sum(patches) / 588:.1%}", f"{cells:,}".replace(",", "{,}"), f"{cells / 356**2:.0%}")


def test_pooling_and_budgets():
    assert (896 // 14) ** 2 == 4096
    assert 4096 // 4**2 == 256
    says(PAGE, "4,096", "256", f"{280 * 9:,}", f"{2520 * 16**2:,}")


def test_a_masked_encoder():
    assert 14 * 14 // 4 == 49
    says(PAGE, "49", "(1/4)^2=1/16")


def turn(v, angle):
    c, s = math.cos(angle), math.sin(angle)
    return v[0] * c - v[1] * s, v[0] * s + v[1] * c


def shown(value, decimals=3):
    return f"{value:.{decimals}f}".replace("-", "−")


def test_rotated_pairs():
    q, k, theta = (1, 0), (0.8, 0.6), 0.5
    for m, n in ((3, 1), (103, 101), (1, 3)):
        a, b = turn(q, m * theta), turn(k, n * theta)
        row = [f"({shown(a[0])}, {shown(a[1])})", f"({shown(b[0])}, {shown(b[1])})", shown(a[0] * b[0] + a[1] * b[1])]
        says(PAGE, f"| {m}, {n} | {' | '.join(row)} |")


def test_wavelengths():
    def wavelength(pair):
        return 2 * math.pi * 10000 ** (2 * pair / 128)

    says(PAGE, f"{wavelength(0):.2f}", f"{wavelength(63):,.0f}", f"{wavelength(15):.0f}")


def test_the_figure_of_rope():
    m, n, theta = 14, 5, 0.1
    says(PAGE, f"m = {m}", f"n = {n}", f"θ = {theta}", f"{math.cos((m - n) * theta):.2f}")


def test_coordinates():
    text = 100
    one, three = 24 * 24 + text - 1, 24 + text - 1
    says(PAGE, str(one), str(three), f"{3.2 / 0.040:.0f}")


def test_one_quantisation():
    z, book, back, beta = (0.8, 0.3), ((0, 0), (1, 0), (0, 1)), (0.5, -0.2), 0.25
    far = [sum((a - b) ** 2 for a, b in zip(z, e, strict=True)) for e in book]
    e = book[far.index(min(far))]
    commit = [2 * beta * (a - b) for a, b in zip(z, e, strict=True)]
    gets = [a + b for a, b in zip(back, commit, strict=True)]
    pull = [2 * (b - a) for a, b in zip(z, e, strict=True)]
    moved = [b - 0.1 * g for b, g in zip(e, pull, strict=True)]

    def pair(v):
        return "(" + ",".join(f"{x:g}" for x in (round(x, 6) for x in v)) + ")"

    says(PAGE, *(f"{d:.2f}" for d in far), f"{beta * min(far):.4f}", pair(commit), pair(gets), pair(pull), pair(moved))


def test_finite_scalars():
    assert 8 * 5 * 5 * 5 == 1000
    assert round(math.log2(1000)) == 10
    says(PAGE, r"8\times5\times5\times5=1000", rf"2\tanh(0.9)={2 * math.tanh(0.9):.2f}")


def test_residuals_and_bit_rates():
    left, picks = [0.83], []
    for book in ((0, 1), (-0.3, 0, 0.3), (-0.1, 0, 0.1)):
        picks.append(min(book, key=lambda c: abs(c - left[-1])))
        left.append(left[-1] - picks[-1])
    assert picks == [1, -0.3, 0.1]
    says(PAGE, *(shown(x, 2) for x in left))
    for f, n, k, rate, tokens in (
        (75, 8, 1024, "6", 600),
        (75, 32, 1024, "24", 2400),
        (75, 4, 1024, "3", 300),
        (12.5, 8, 2048, "1.1", 100),
    ):
        assert (f"{f * n * math.log2(k) / 1000:g}", f * n) == (rate, tokens)
        says(PAGE, f"| {f:g} | {n} | {k} | {rate} kbps | {tokens} |")
    raw = 24 * 16
    says(PAGE, f"{raw} kbps", f"{raw / 6:.0f}", f"{raw / 1.1:.0f}", f"{600 * 60:,}", f"{100 * 60:,}")


def test_one_minute_of_video():
    n = 120 // 2 * (448 // 28) ** 2
    says(PAGE, str(n), f"{2 * n:,}")
    assert round(n * 60 / 1e4) == 92


def test_a_blink():
    says(PAGE, f"p={0.15 * 2:.2f}", f"{0.15 * 1:.2f}", f"{1 / 0.15:.1f}")


def test_a_grid_from_above():
    says(PAGE, f"{int(100 / 0.5) ** 2:,}".replace(",", "{,}"))
