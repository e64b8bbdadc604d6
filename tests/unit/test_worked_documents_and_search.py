"""The worked numbers of `applications/documents-and-search.md`."""

import pytest
from worked import says

PAGE = "applications/documents-and-search.md"


def test_maxsim_storage_and_scoring() -> None:
    assert pytest.approx(2.4) == 0.9 + 0.7 + 0.8
    patches = (448 // 14) ** 2
    size = patches * 128 * 2
    assert (patches, size, size // 1024) == (1024, 262_144, 256)
    assert f"{size * 1e6 / 1e9:.0f}" == "262"
    assert size / (1024 * 2) == 128
    flops = 20 * patches * 128 * 2
    assert flops == 5_242_880
    assert f"{flops * 1e6 / 1e12:.2f}" == "5.24"
    assert f"{flops * 100 / 1e12 * 1e3:.2f}" == "0.52"
    says(PAGE, "2.4", "1024", "262{,}144", "256 KiB", "262 GB", "128", "5{,}242{,}880", "5.24", "0.52")


def test_anls_of_a_wrong_digit() -> None:
    a, g = "1,230.00", "1,280.00"
    assert len(a) == len(g) == 8
    distance = sum(x != y for x, y in zip(a, g, strict=True)) / len(g)
    assert distance == 0.125
    assert 1 - distance == 0.875
    says(PAGE, "0.125", "0.875")


def test_letters_of_a_shrunken_page() -> None:
    width, height = 210 / 25.4 * 200, 297 / 25.4 * 200
    letter = 10 / 72 * 200
    assert (f"{width:,.0f}", f"{height:,.0f}") == ("1,654", "2,339")
    assert (f"{letter:.1f}", f"{letter * 448 / height:.1f}") == ("27.8", "5.3")
    assert f"{height * 10 / letter:.0f}" == "842"
    says(PAGE, "1,654 × 2,339", "27.8", "5.3", "842")


def test_recall_times_answers() -> None:
    assert pytest.approx(0.765) == 0.90 * 0.85
    assert pytest.approx(0.855) == 0.90 * 0.95
    assert pytest.approx(0.833) == 0.98 * 0.85
    says(PAGE, "0.765", "0.855", "0.833")


def test_tokens_of_a_question() -> None:
    assert 1500 * 5 == 7500
    assert 1500 * 100 / 7500 == 20
    says(PAGE, "1,500", "7,500", "20")


def test_own_ocr_or_an_api() -> None:
    page = 20 / (2 * 3600)
    assert f"{page:.4f}" == "0.0028"
    assert f"{0.01 - page:.4f}" == "0.0072"
    pages = 30_000 / (0.01 - page)
    assert (f"{pages / 1e4:.0f}", f"{pages / 1e6:.2f}") == ("415", "4.15")
    says(PAGE, "20/7200=0.0028", "0.0072", "30000/(0.01-20/7200)")
