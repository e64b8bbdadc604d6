"""The worked numbers of the page about media."""

from math import ceil, comb, log, log2, sqrt

from worked import says

PAGE = "applications/media.md"


def in_the_first(k: int, rank: int, catalogue: int, negatives: int) -> float:
    """The chance that an item of this rank enters the first k among random negatives."""
    better = (rank - 1) / (catalogue - 1)
    return sum(comb(negatives, i) * better**i * (1 - better) ** (negatives - i) for i in range(k))


def test_movielens():
    assert f"{25000095 / (162541 * 62423):.2%}" == "0.25%"
    assert round(25000095 / 62423, -1) == 400
    says(PAGE, r"$25000095/(162541\times62423) = 0.25\%$")


def test_ndcg():
    assert 1 + 1 / log2(4) == 1.5
    assert f"{1 + 1 / log2(3):.3f}" == "1.631"
    assert f"{1.5 / (1 + 1 / log2(3)):.3f}" == "0.920"
    says(PAGE, "=1.5$", "=1.631$", "=0.920$")


def test_sampled_metrics():
    assert f"{in_the_first(10, 500, 10_000, 100):.2f}" == "0.97"
    assert in_the_first(10, 5_000, 10_000, 100) < 1e-9
    assert f"{0.5 * in_the_first(10, 1, 10_000, 100):.2f}" == "0.50"
    says(PAGE, "0.97", "0.50")


def test_pairs_of_human_judgement():
    p = 58 / 100
    error = sqrt(p * (1 - p) / 100)
    assert f"{error:.3f}" == "0.049"
    assert f"{p - 1.96 * error:.2f}–{p + 1.96 * error:.2f}" == "0.48–0.68"
    says(PAGE, "0.049", "0.48–0.68")


def test_sixteen_seconds():
    assert 16 * 16 == 256
    assert 73_000 // 256 == 285
    says(PAGE, "256", "285")


def test_labels():
    assert 0.05 * 1080 == 54
    says(PAGE, "54")


def test_computing_content_beforehand():
    assert 10**6 * 64 * 2 == 128e6
    assert 128e6 * 1000 == 128e9
    assert 500 * 0.050 == 25
    assert 10**6 / 100 == 10_000
    assert f"{10_000 / 3600:.1f}" == "2.8"
    says(PAGE, r"$10^6\times64\times2 = 128$", r"$10^6/100 = 10{,}000$", "2.8")


def test_a_film_of_ten_minutes():
    shots = ceil(600 / 16)
    takes = shots * 5
    assert 600 / 16 == 37.5
    assert (shots, takes) == (38, 190)
    assert takes * 6 == 1140
    assert round(takes * 2 / 60 * 60) == 380
    assert ceil(log(0.05) / log(0.8)) == 14
    says(PAGE, "$600/16 = 37.5$", r"$38\times5 = 190$", "1,140", "380", r"\rceil = 14$")


def test_build_or_buy():
    assert 15 / 6 == 2.5
    assert 6 - 2.5 == 3.5
    assert f"{20_000 / 3.5:,.0f}" == "5,714"
    assert round(5714 / 190) == 30
    says(PAGE, "5,714", "$5714/190 = 30$")
