"""The worked numbers of `applications/agents.md`."""

import math

import pytest
from worked import says

PAGE = "applications/agents.md"


def test_coordinates_and_scaling() -> None:
    assert 1920 / 1000 == 1.92
    assert f"{16 * 448 / 1920:.1f}" == "3.7"
    says(PAGE, "1.92", "3.7")


def test_steps_multiply() -> None:
    assert (f"{0.98**15:.2f}", f"{0.98**30:.2f}", f"{0.95**30:.2f}") == ("0.74", "0.55", "0.21")
    checked = 0.98 + 0.02 * 0.8 * 0.98
    assert f"{checked:.4f}" == "0.9957"
    assert f"{checked**30:.2f}" == "0.88"
    assert (f"{0.95**20:.2f}", f"{0.9 ** (1 / 20):.4f}") == ("0.36", "0.9947")
    says(PAGE, "0.74", "0.55", "0.21", "0.9957", "0.88", "0.36", "0.9947")


def test_fifty_tasks() -> None:
    error = math.sqrt(0.6 * 0.4 / 50)
    assert f"{error:.3f}" == "0.069"
    assert (f"{0.6 - 1.96 * error:.0%}", f"{0.6 + 1.96 * error:.0%}") == ("46%", "74%")
    assert f"{0.6**3:.1%}" == "21.6%"
    says(PAGE, "0.069", "46%", "74%", "0.6^3=21.6")


def test_tokens_of_a_task() -> None:
    tokens = math.ceil(1920 / 28) * math.ceil(1080 / 28)
    assert tokens == 69 * 39 == 2691
    every = sum(range(1, 31))
    three = sum(min(t, 3) for t in range(1, 31))
    assert (every, three) == (465, 87)
    assert (every * tokens, three * tokens) == (1_251_315, 234_117)
    assert three / every == pytest.approx(0.19, abs=0.01)
    says(PAGE, "2{,}691", "1{,}251{,}315", "234{,}117", "465", "87")


def test_failure_costs_more_than_tokens() -> None:
    tokens = round(234_117 * 5 / 1e6, 2)
    assert tokens == 1.17
    assert [f"{tokens + 40 * (1 - p):.2f}" for p in (0.88, 0.55)] == ["5.97", "19.17"]
    assert f"{1 - (10 - tokens) / 40:.3f}" == "0.779"
    assert f"{1 - (10 - tokens) / 310:.3f}" == "0.972"
    says(PAGE, "1.17", "5.97", "19.17", "0.779", "0.972")
