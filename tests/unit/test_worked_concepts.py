"""The worked numbers of docs/*/principles/concepts.md, computed again."""

from itertools import product
from math import log2

import pytest
from worked import says

PAGE = "principles/concepts.md"


def entropy(probabilities):
    return -sum(p * log2(p) for p in probabilities if p > 0)


def marginal(joint, axes):
    sums = {}
    for outcome, p in joint.items():
        key = tuple(outcome[axis] for axis in axes)
        sums[key] = sums.get(key, 0) + p
    return sums


def information(joint, first, second):
    return sum(
        entropy(marginal(joint, axes).values()) * sign for axes, sign in ((first, 1), (second, 1), (first + second, -1))
    )


def world(rule):
    return {(a, b, rule(a, b)): 0.25 for a, b in product((0, 1), repeat=2)}


def least_informative(joint, steps=100):
    """The smallest information on Y that any joint with the same two marginals has: for each y one number is free."""
    answers = sorted({outcome[2] for outcome in joint}, key=str)
    choices = []
    for y in answers:
        p = {(a, b): joint.get((a, b, y), 0) for a, b in product((0, 1), repeat=2)}
        low, high = -min(p[0, 0], p[1, 1]), min(p[0, 1], p[1, 0])
        choices.append([low + (high - low) * i / steps for i in range(steps + 1)] if high > low else [low])
    best = float("inf")
    for shifts in product(*choices):
        moved = {
            (a, b, y): max(joint.get((a, b, y), 0) + (shift if a == b else -shift), 0)
            for y, shift in zip(answers, shifts, strict=True)
            for a, b in product((0, 1), repeat=2)
        }
        best = min(best, information(moved, (0, 1), (2,)))
    return best


def decomposition(joint):
    one, two, both = (information(joint, axes, (2,)) for axes in ((0,), (1,), (0, 1)))
    synergy = both - least_informative(joint)
    redundancy = synergy + one + two - both
    return one, two, both, redundancy, one - redundancy, two - redundancy, synergy


def test_raw_sizes():
    assert 336 * 336 * 3 == 338_688
    assert 30 * 16_000 == 480_000
    assert f"{60 * 338_688 / 1e4:.0f}" == "2032"
    assert f"{60 * 338_688 / 1e6:.2f}" == "20.32"
    says(PAGE, "336×336×3 = 338,688", "30 ", "16,000 = 480,000", "338,688 ≈")


def test_capacity():
    picture, question = 338_688 * 8, 20 * log2(50_000)
    assert picture == 2_709_504
    assert f"{question:.0f}" == "312"
    assert f"{picture / question:,.0f}" == "8,679"
    says(PAGE, r"338688\times8=2709504", r"20\times\log_2 50000=312", "8,679")


def test_connection():
    pairs = {(1, 1): 0.18, (1, 0): 0.12, (0, 1): 0.02, (0, 0): 0.68}
    picture, text = marginal(pairs, (0,)), marginal(pairs, (1,))
    assert picture[1,] == pytest.approx(0.30)
    assert text[1,] == pytest.approx(0.20)
    assert pairs[1, 1] / (picture[1,] * text[1,]) == pytest.approx(3)
    shared = information(pairs, (0,), (1,))
    assert f"{shared:.3f} {entropy(text.values()):.3f} {shared / entropy(text.values()):.0%}" == "0.300 0.722 42%"
    says(PAGE, r"0.18/(0.30\times0.20)=3", "I=0.300", "0.722", "42%")


@pytest.mark.parametrize(
    ("joint", "row"),
    [
        ({(0, 0, 0): 0.5, (1, 1, 1): 0.5}, "1 | 1 | 1 | 1 | 0 | 0 | 0"),
        (world(lambda a, b: a), "1 | 0 | 1 | 0 | 1 | 0 | 0"),
        (world(lambda a, b: a ^ b), "0 | 0 | 1 | 0 | 0 | 0 | 1"),
        (world(lambda a, b: a & b), "0.311 | 0.311 | 0.811 | 0.311 | 0 | 0 | 0.5"),
        (world(lambda a, b: (a, b)), "1 | 1 | 2 | 0 | 1 | 1 | 0"),
    ],
)
def test_five_worlds(joint, row):
    numbers = decomposition(joint)
    assert [f"{abs(number):.3f}".rstrip("0").rstrip(".") for number in numbers] == row.split(" | ")
    says(PAGE, f"| {row} |")


def test_and_by_hand():
    both, one = entropy([0.25, 0.75]), entropy([0.25, 0.75]) - 0.5 * entropy([0.5, 0.5])
    useless = {(0, 0, 0): 0.5, (1, 1, 0): 0.25, (1, 1, 1): 0.25}
    for axis in (0, 1):
        assert marginal(useless, (axis, 2)) == marginal(world(lambda a, b: a & b), (axis, 2))
    assert f"{both:.3f} {one:.3f} {information(useless, (0, 1), (2,)):.3f}" == "0.811 0.311 0.311"
    assert f"{both - 2 * one:.3f}" == "0.189"
    says(PAGE, "P(Y=1)=1/4", "0.811-0.5=0.311", "0.811-0.311=0.5", "S-R=0.189")


def test_first_definition_of_redundancy():
    """Of two copied bits the smaller specific information is one bit at each answer: R = 1, and S = R as S - R = 0."""
    joint = world(lambda a, b: (a, b))

    def specific(axis, y):
        seen = marginal(joint, (axis,))[y[axis],]
        return log2((0.25 / seen) / 0.25)

    redundancy = sum(0.25 * min(specific(0, y), specific(1, y)) for y in product((0, 1), repeat=2))
    one, two, both, *_ = decomposition(joint)
    assert redundancy == redundancy + both - one - two == 1
    says(PAGE, "R=S=1")


def test_exclusive_or_is_not_connected():
    assert information(world(lambda a, b: a ^ b), (0,), (1,)) == pytest.approx(0)
    says(PAGE, "I(X_1;X_2)=0", "50%")


def test_receipt():
    assert 28 * 2 == 56
    says(PAGE, r"28\times2=56")


def test_transcription():
    speech, text = 16_000 * 16, 3 * log2(50_000)
    assert speech == 256_000
    assert f"{log2(50_000):.1f} {text:.1f} {speech / text:,.0f}" == "15.6 46.8 5,467"
    says(PAGE, r"16000\times16=256000", r"3\times15.6=46.8", "5,467")


def test_price_of_a_logarithm():
    assert (64 - 40) / 8 == 3
    assert 1_000 * 10**3 == 1_000_000
    whole = {p: p**10 for p in (0.80, 0.90, 0.95)}
    assert [f"{w:.3f}" for w in whole.values()] == ["0.107", "0.349", "0.599"]
    assert f"{100 * (whole[0.95] - whole[0.80]):.0f} {100 * (0.95 - 0.80):.0f}" == "49 15"
    says(PAGE, "b=8", "0.8^{10}=0.107", "0.9^{10}=0.349", "0.95^{10}=0.599", "49", "15")


def test_swapped_pictures():
    assert (78 - 25, 78 - 74) == (53, 4)
    says(PAGE, "78%", "74%", "25%", "53", " 4 ")
