"""The worked numbers of applications/medicine.md."""

from __future__ import annotations

import math

from worked import says

PAGE = "applications/medicine.md"


def ppv(sensitivity: float, specificity: float, prevalence: float) -> float:
    alarms = sensitivity * prevalence + (1 - specificity) * (1 - prevalence)
    return sensitivity * prevalence / alarms


def test_predictive_value_moves_with_prevalence():
    assert f"{ppv(0.9, 0.9, 0.342):.3f}" == "0.824"
    assert f"{ppv(0.9, 0.9, 0.012):.3f}" == "0.099"
    assert round((1 - 0.012) / 0.012) == 82
    says(PAGE, "0.824", "0.099", "34.2%", "1.2%", "82")


def test_one_alert_in_eight():
    prevalence = 2552 / 38455
    assert f"{prevalence:.4f}" == "0.0664"
    assert round(1 - 0.67, 2) == 0.33
    value = 0.33 * 0.0664 / 0.18
    assert f"{value:.2f}" == "0.12"
    assert round(1 / value) == 8
    says(PAGE, "38,455", "2,552", r"$0.33\times0.0664/0.18=0.12$")


def test_calibration_error():
    parts = [share * abs(right - sure) for share, sure, right in ((0.5, 0.9, 0.8), (0.3, 0.7, 0.65), (0.2, 0.55, 0.6))]
    assert [f"{part:.3f}" for part in parts] == ["0.050", "0.015", "0.010"]
    assert f"{sum(parts):.3f}" == "0.075"
    says(PAGE, r"$\mathrm{ECE}=0.05+0.015+0.01=0.075$")


def test_a_no_changes_little_and_everything():
    reference = ["consolidation", "in", "the", "right", "lower", "lobe"]
    draft = ["no", *reference]
    right = sum(word in reference for word in draft)
    assert (right, len(draft)) == (6, 7)
    assert f"{right / len(draft):.3f}" == "0.857"
    says(PAGE, "consolidation in the right lower lobe", "0.857")


def test_f1_over_findings():
    reference = {"consolidation", "effusion", "enlarged heart"}
    draft = {"consolidation", "enlarged heart", "pneumothorax", "nodule"}
    both = len(reference & draft)
    precision, recall = both / len(draft), both / len(reference)
    assert f"{precision:.2f}" == "0.50"
    assert f"{recall:.2f}" == "0.67"
    assert f"{2 * precision * recall / (precision + recall):.3f}" == "0.571"
    says(PAGE, "$2/4=0.50$", "$2/3=0.67$", "$F_1=0.571$")


def test_the_rule_of_three_on_a_claim():
    assert round(3 / 1e-5) == 300_000
    says(PAGE, r"$3/10^{-5}=300{,}000$")


def test_the_tokens_of_a_slide():
    tiles = math.ceil(100_000 / 896) ** 2
    assert tiles == 112**2 == 12_544
    assert tiles * 256 == 3_211_264
    says(PAGE, "$112^2 = 12{,}544$", "$3{,}211{,}264$")


def test_what_a_draft_saves():
    a_film = 24 * 10 / 300
    assert f"{a_film:.2f}" == "0.80"
    assert round(a_film / 3 * 60) == 16

    def seconds(error: float) -> float:
        return (1 - error) * 60 - error * 120

    def a_day(error: float) -> int:
        return round(300 * (seconds(error) / 60 * 3 - a_film))

    assert round(seconds(0.1)) == 42
    assert a_day(0.1) == 390
    assert f"{seconds(0.1) / 60 * 3 - a_film:.2f}" == "1.30"
    assert round(seconds(0.3)) == 6
    assert a_day(0.3) == -150
    assert f"{(60 - 16) / 180:.1%}" == "24.4%"
    assert abs(seconds(44 / 180) - 16) < 1e-9
    assert 300 * 4 / 60 == 20
    says(PAGE, "0.80", "$60-180e$", "1.30", "390", "150", "$e=(60-16)/180=24.4\\%$")


def test_how_many_films_validation_takes():
    patients = math.ceil(1.96**2 * 0.9 * 0.1 / 0.05**2)
    assert patients == 139
    assert math.ceil(patients / 0.342) == 407
    assert math.ceil(patients / 0.012) == 11_584
    says(PAGE, r"$1.96^2\times0.9\times0.1/0.05^2\approx139$", "407", "11,584")
