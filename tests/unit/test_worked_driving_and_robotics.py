"""The worked numbers of applications/driving-and-robotics.md."""

from __future__ import annotations

import math

from worked import says

PAGE = "applications/driving-and-robotics.md"


def test_what_fusion_adds():
    assert f"{68.52 - 64.68:.2f}" == "3.84"
    assert f"{62.95 - 57.09:.2f}" == "5.86"
    says(PAGE, "3.84 mAP", "5.86 mIoU")


def test_half_a_degree_and_fifty_milliseconds():
    assert f"{50 * math.tan(math.radians(0.5)):.2f}" == "0.44"
    speed = 120 / 3.6
    assert f"{speed:.1f}" == "33.3"
    assert f"{speed * 0.05:.2f}" == "1.67"
    says(PAGE, r"$50\tan 0.5^{\circ} = 0.44$", "33.3 m/s", "1.67")


def test_nds_backwards():
    scores = 10 * 0.7138 - 5 * 0.6852
    assert f"{scores:.2f}" == "3.71"
    assert f"{scores / 5:.2f}" == "0.74"
    says(PAGE, r"$10\times0.7138 - 5\times0.6852 = 3.71$", "0.74")


def test_how_many_miles_make_a_proof():
    miles = -math.log(0.05) / 1e-8
    assert f"{miles / 1e8:.1f}" == "3.0"
    kilometres = miles * 1.609344
    assert round(kilometres / 1e7) == 48
    assert f"{kilometres / (100 * 40 * 24 * 365):.1f}" == "13.8"
    says(PAGE, r"$-\ln0.05/10^{-8}=3.0\times10^{8}$", "13.8")


def test_how_fast_7b_runs():
    gigabytes = 7e9 * 2 / 1e9
    assert gigabytes == 14
    token = gigabytes / 1000 * 1000  # ms at 1 TB/s
    assert token == 14
    assert 7 * token == 98
    assert round(1000 / (7 * token)) == 10
    says(PAGE, r"$7\times10^9\times2 = 14$", "98", "10 Hz")


def test_five_seconds_and_six_tenths():
    speed = 43 * 1609.344 / 3600
    assert f"{speed:.1f}" == "19.2"
    assert round(5.6 * speed) == 108
    assert f"{19.2 + 19.2**2 / (2 * 7):.1f}" == "45.5"
    says(PAGE, "19.2 m/s", "108", "$19.2+19.2^2/14=45.5$")


def test_six_cameras_into_7b():
    tokens = 6 * 256
    operations = 2 * 7e9 * tokens
    assert tokens == 1536
    assert f"{operations / 1e13:.2f}" == "2.15"
    assert round(operations * 10 / 1e12) == 215
    assert round(operations * 10 / 0.4 / 1e12) == 538
    assert round(operations * 2 / 0.4 / 1e12) == 108
    assert f"{120 / 3.6 * 0.5:.1f}" == "16.7"
    says(PAGE, "1,536", r"$2\times7\times10^9\times1536=2.15\times10^{13}$", "215 TFLOP/s", "538", "108", "16.7")


def test_how_many_cells_one_person_watches():
    for success, failures, minutes, cells, people in (
        (0.80, 60, 30, 2, 20),
        (0.95, 15, 7.5, 8, 5),
        (0.99, 3, 1.5, 40, 1),
    ):
        found = 300 * (1 - success)
        assert round(found) == failures
        assert round(found * 30 / 60, 6) == minutes
        assert round(60 / (found * 0.5)) == cells
        assert 40 // cells == people
    says(PAGE, "80%", "95%", "99%", "7.5", "1.5")
