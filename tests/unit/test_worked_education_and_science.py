"""The worked numbers of applications/education-and-science.md."""

from __future__ import annotations

import math

from worked import says

PAGE = "applications/education-and-science.md"


def kappa(table: list[list[int]]) -> float:
    """Quadratic weighted kappa of a K x K table of counts."""
    levels, n = range(len(table)), sum(map(sum, table))
    rows, columns = [sum(row) for row in table], [sum(column) for column in zip(*table, strict=True)]
    weight = {(i, j): (i - j) ** 2 / (len(table) - 1) ** 2 for i in levels for j in levels}
    observed = sum(weight[i, j] * table[i][j] for i in levels for j in levels)
    expected = sum(weight[i, j] * rows[i] * columns[j] / n for i in levels for j in levels)
    return 1 - observed / expected


def test_kappa_of_two_markers():
    assert kappa([[90, 0], [10, 0]]) == 0  # rows: the teacher passes, fails; columns: the model
    assert f"{kappa([[80, 10], [5, 5]]):.3f}" == "0.318"
    assert f"{0.90 * 0.15 + 0.10 * 0.85:.2f}" == "0.22"
    says(PAGE, "90%", "85%", r"$\sum wE/100 = 0.90\times0.15+0.10\times0.85 = 0.22$", r"$\kappa=0.318$")


def test_two_grades_apart_cost_four_times_one():
    assert (2 / 4) ** 2 == 4 * (1 / 4) ** 2


def test_how_many_pieces_a_kappa_takes():
    right, chance = 0.85, 0.78
    assert f"{1 - (1 - right) / 0.22:.3f}" == "0.318"
    assert f"{math.sqrt(right * (1 - right) / 100) / (1 - chance):.3f}" == "0.162"
    pieces = math.ceil(right * (1 - right) / (1 - chance) ** 2 / 0.05**2)
    assert pieces == 1054
    assert f"{pieces * 2 * 20 / 3600:.1f}" == "11.7"
    says(PAGE, "$p_e=0.78$", "0.162", "1,054", "11.7")


def test_when_to_answer():
    assert f"{1 - 1 / 3:.3f}" == "0.667"
    assert f"{1 - 1 / 200:.3f}" == "0.995"
    says(PAGE, r"p > 1 - \frac{c_r}{c_e}", "0.667", "0.995")


def test_the_base_rate_of_inspection():
    bad = 10_000 * 0.005
    true, false = bad * 0.95, (10_000 - bad) * 0.02
    assert (bad, true, false) == (50, 47.5, 199)
    assert f"{true / (true + false):.1%}" == "19.3%"
    assert f"{47.5 / 9950:.2%}" == "0.48%"
    says(PAGE, "47.5", "199", "19.3%", r"$47.5/9950=0.48\%$", r"$47.5/(47.5+199)=19.3\%$")


def test_the_second_gate():
    true, false = 47.5 * 0.98, 199 * 0.10
    assert (f"{true:.2f}", f"{false:.1f}") == ("46.55", "19.9")
    assert f"{true / (true + false):.1%}" == "70.1%"
    assert f"{true / 50:.1%}" == "93.1%"
    assert f"{(47.5 + 199) * 4 / 60:.1f}" == "16.4"
    assert f"{10_000 * 4 / 3600:.1f}" == "11.1"
    says(PAGE, "46.55", "19.9", "70.1%", "93.1%", "246.5", "16.4", "11.1")


def test_a_class_and_its_teacher():
    tokens = 45 * 3 * 2000 * 100
    assert tokens == 27_000_000
    assert tokens / 1e6 * 2 == 54
    a_day = 135 * 20
    assert a_day == 2_700
    assert a_day / 60 == 45
    hours = 45 * 100 / 60
    assert (hours, hours * 60) == (75, 4_500)
    assert round(4_500 / 54) == 83
    assert round(135 * 0.21) == 28
    assert round(28 * 20 / 60) == 9
    says(PAGE, r"$45\times3\times2000\times100=2.7\times10^{7}$", r"$135\times20 = 2{,}700$", "54", "4,500", "83", "28")


def test_how_many_bad_parts_a_claim_takes():
    parts = 3 / 0.05
    assert round(parts) == 60
    assert round(parts / 0.005) == 12_000
    assert f"{12_000 / 10_000:.1f}" == "1.2"
    assert 12_000 / 100 == 120
    says(PAGE, "$3/0.05=60$", "12,000", "1.2", "120")


def test_which_pile():
    reviewed, errors, found = 423, 238, 226
    assert f"{reviewed / 2000:.2f}" == "0.21"
    assert errors - found == 12
    assert f"{12 / 2000:.1%}" == "0.6%"
    says(PAGE, "423", "179", "226", "0.88", "0.56", r"$12/2000=0.6\%$")
