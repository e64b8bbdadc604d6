"""The worked numbers of docs/*/principles/training.md."""

import functools
import operator
import struct
from math import cos, exp, isclose, log, pi, sqrt

from worked import says

PAGE = "principles/training.md"


def test_mixture():
    sizes = [4_000_000, 500_000, 100_000]

    def shares(a):
        powers = [n**a for n in sizes]
        return [power / sum(powers) for power in powers]

    assert [f"{share:.1%}" for share in shares(1)] == ["87.0%", "10.9%", "2.2%"]
    assert [f"{share:.1%}" for share in shares(0.5)] == ["66.2%", "23.4%", "10.5%"]
    epochs = [sum(sizes) * share / n for share, n in zip(shares(0.5), sizes, strict=False)]
    assert f"{epochs[2]:.1f}" == "4.8"
    assert f"{epochs[0]:.2f}" == "0.76"
    says(PAGE, "87.0%", "10.9%", "2.2%", "66.2%", "23.4%", "10.5%", "4.8", "0.76")


def test_filters_and_leaks():
    loose, strict = (0.4 * 0.9, 0.6 * 0.2), (0.4 * 0.6, 0.6 * 0.03)
    assert isclose(loose[0] / sum(loose), 0.75)
    assert isclose(loose[0], 0.36)
    assert isclose(sum(loose), 0.48)
    assert f"{strict[0] / sum(strict):.0%}" == "93%"
    assert isclose(1 - strict[0] / loose[0], 1 / 3)
    says(PAGE, r"0.36/0.48=75\%", "93%")
    measured = 0.95 * 60 + 0.05 * 95
    assert isclose(measured, 61.75)
    assert isclose(measured - 60, 1.75)
    says(PAGE, r"0.95\times60\%+0.05\times95\%=61.75\%", "1.75")


def test_synthetic_captions():
    assert 1 - 0.5**2 == 0.75
    assert 1 - 0.5**4 == 0.9375
    assert f"{1 - 0.95**4:.1%}" == "18.5%"
    says(PAGE, r"1-0.5^2=75\%", r"93.75\%", r"1-0.95^4=18.5\%")


def test_learning_rates_of_llava():
    assert isclose(1e-3 / 2e-5, 50)
    says(PAGE, "50", "1e-3", "2e-5")


def test_label_masking():
    losses = [-log(p) for p in (0.5, 0.25, 0.8)]
    assert [f"{loss:.3f}" for loss in losses] == ["0.693", "1.386", "0.223"]
    mean = sum(losses) / 3
    assert f"{mean:.3f}" == "0.768"
    assert f"{exp(mean):.2f}" == "2.15"
    assert f"{sum(losses) / 7:.3f}" == "0.329"
    says(PAGE, r"$0.693,\,1.386,\,0.223$", "$0.768$", "e^{0.768}=2.15", "$0.329$")


def test_packing():
    lengths = [1900, 1500, 900, 700, 400, 300, 150, 100]
    padded, packed = 8 * max(lengths), 3 * 2048
    assert sum(lengths) == 5_950
    assert padded == 15_200
    assert packed == 6_144
    assert f"{1 - sum(lengths) / padded:.1%}" == "60.9%"
    assert f"{1 - sum(lengths) / packed:.1%}" == "3.2%"
    assert f"{padded / packed:.2f}" == "2.47"
    rows = [[1900, 100], [1500, 300, 150], [900, 700, 400]]
    assert sorted(functools.reduce(operator.iadd, rows, [])) == sorted(lengths)
    assert all(sum(row) <= 2048 for row in rows)
    assert sum(n * n for n in rows[2]) / sum(rows[2]) ** 2 == 0.365
    says(PAGE, "5,950", r"8\times1900=15{,}200", "60.9%", "6,144", "3.2%", "2.47", "36.5%")
    assert (5 * 2 + 95 * 1) / 100 == 1.05
    assert (2 + 1) / 2 == 1.5
    says(PAGE, "1.05", "1.5")


def test_first_step_and_bytes():
    for gradient in (0.01, 100):
        assert isclose(1e-3 * gradient / sqrt(gradient**2), 0.001)
    assert 2 + 2 + 4 + 4 + 4 == 16
    assert 7 * 16 == 112
    assert 7 * 18 == 126
    says(PAGE, "$0.001$", "112 GB", "126 GB")


def test_schedules():
    peak = 2e-5
    cosine = [peak / 2 * (1 + cos(pi * tau)) for tau in (0.5, 0.9, 0.95)]
    stable = [peak * min(1, (1 - tau) / 0.1) for tau in (0.5, 0.9, 0.95)]
    assert [f"{rate:.1e}" for rate in cosine] == ["1.0e-05", "4.9e-07", "1.2e-07"]
    assert [f"{rate:.1e}" for rate in stable] == ["2.0e-05", "2.0e-05", "1.0e-05"]
    says(PAGE, r"1.0\times10^{-5}", r"4.9\times10^{-7}", r"1.2\times10^{-7}", r"2.0\times10^{-5}")


def bf16(x: float) -> float:
    """x rounded to bfloat16, to nearest, ties to even."""
    bits = struct.unpack(">I", struct.pack(">f", x))[0]
    bits += 0x7FFF + ((bits >> 16) & 1)
    return struct.unpack(">f", struct.pack(">I", bits >> 16 << 16))[0]


def fp16(x: float) -> float:
    return struct.unpack(">e", struct.pack(">e", x))[0]


def test_mixed_precision():
    assert bf16(1 + 2**-7) == 1 + 2**-7
    assert bf16(1 + 2**-9) == 1
    assert f"{2**-7:.4f}" == "0.0078"
    weight, master = 1.0, 1.0
    for _ in range(1000):
        weight, master = bf16(weight + 0.001), master + 0.001
    assert weight == 1.0
    assert isclose(master, 2.0)
    assert fp16(1e-8) == 0
    assert f"{2**-24:.1e}" == "6.0e-08"
    assert fp16(2**-24) > 0
    assert f"{1e-8 * 1024:.1e}" == "1.0e-05"
    assert fp16(1e-8 * 1024) > 0
    says(PAGE, "2^{-7}=0.0078", r"6.0\times10^{-8}", "1,024", r"1.0\times10^{-5}")


def test_sharding():
    cards = 8
    each = [2 + 2 + 12, 2 + 2 + 12 / cards, 2 + 14 / cards, 16 / cards]
    assert each == [16, 5.5, 3.75, 2]
    assert [7 * size for size in each] == [112, 38.5, 26.25, 14]
    says(PAGE, "$2+2+12/8=5.5$", "38.5 GB", "$2+14/8=3.75$", "26.25 GB", "$16/8=2$", "14.0 GB")
    traffic = 3 * 14 * 7 / 8
    assert traffic == 36.75
    assert traffic / 50 == 0.735
    assert 3 / 2 == 1.5  # three copies instead of two: half as much again
    says(PAGE, r"3\times14\times7/8=36.75", "0.735")
    assert 13 * 16 / 16 == 13
    says(PAGE, r"$13\times16/16=13$ GB")


def test_activations():
    layer, kept = 34 * 2048 * 4096, 2 * 2048 * 4096 * 32
    assert round(layer / 1e6) == 285
    assert f"{32 * layer / 1e9:.2f}" == "9.13"
    assert f"{kept / 1e9:.2f}" == "0.54"
    assert f"{(kept + layer) / 1e9:.2f}" == "0.82"
    assert 2 + 4 + 2 == 8
    assert f"{8 / 6 - 1:.0%}" == "33%"
    assert 2048 + 2880 == 4_928
    assert f"{4928 / 2048:.1f}" == "2.4"
    says(PAGE, r"34\times2048\times4096=285", "9.13", "=0.54$", "0.82", "33%", "4,928", "2.4")


def test_uncertainty_weighting():
    for loss, weight in ((2, 0.25), (0.08, 6.25)):
        assert isclose(1 / (2 * loss), weight)
        assert isclose(weight * loss, 0.5)
    assert isclose(log(2) - log(1), log(0.08) - log(0.04))
    says(PAGE, "$0.25$", "$0.08$", "$6.25$", "$0.5$", "0.04")


def test_lora():
    trained, whole = 2 * 32 * 16 * (4096 + 4096), 2 * 32 * 4096**2
    assert trained == 8_388_608
    assert whole == 1_073_741_824
    assert whole / trained == 128
    assert round(trained * 16 / 1e6) == 134
    says(PAGE, "8{,}388{,}608", "1{,}073{,}741{,}824", "128", "134 MB")
    assert 4 * 40 * 8 * (5120 + 5120) == 13_107_200
    says(PAGE, "13{,}107{,}200")


def test_qlora():
    assert 32 / 64 == 0.5
    assert f"{8 / 64 + 32 / (64 * 256):.3f}" == "0.127"
    bits = 4 + 8 / 64 + 32 / (64 * 256)
    adapter = 8_388_608 * 16 / 1e9
    assert f"{bits:.3f}" == "4.127"
    assert f"{7 * bits / 8:.2f}" == "3.61"
    assert f"{adapter:.3f}" == "0.134"
    assert f"{14 + adapter:.1f}" == "14.1"
    assert f"{7 * bits / 8 + adapter:.1f}" == "3.7"
    everywhere = 32 * 16 * (4 * (4096 + 4096) + 3 * (4096 + 11_008))
    assert everywhere == 39_976_960
    assert f"{everywhere * 16 / 1e9:.2f}" == "0.64"
    assert f"{65 * bits / 8:.1f}" == "33.5"
    says(PAGE, r"8/64+32/(64\times256)=0.127", r"4.127/8=3.61", "0.134 GB", "14.1 GB", "3.7 GB")
    says(PAGE, "39,976,960", "0.64 GB", "33.5 GB")


def sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x))


def test_dpo():
    assert f"{-log(sigmoid(0)):.3f}" == "0.693"
    for better, worse in ((2, -3), (-1, -6)):
        assert f"{-log(sigmoid(0.1 * (better - worse))):.3f}" == "0.474"
    assert sigmoid(0) == 0.5
    assert f"{sigmoid(-0.5):.3f}" == "0.378"
    says(PAGE, r"\log2=0.693", r"-\log\sigma(0.5)=0.474", "0.378", "$-6$")


def test_dense_dpo():
    assert 5 * 2 / (18 + 5 * 2) == 10 / 28
    assert f"{10 / 28:.1%}" == "35.7%"
    assert 2 / 20 == 0.1
    says(PAGE, r"10/28=35.7\%", "10%")


def test_grpo():
    def advantages(rewards):
        mean = sum(rewards) / len(rewards)
        std = sqrt(sum((reward - mean) ** 2 for reward in rewards) / len(rewards))
        return mean, std, [(reward - mean) / std for reward in rewards]

    mean, std, values = advantages([1, 0, 0, 0])
    assert mean == 0.25
    assert f"{std:.3f}" == "0.433"
    assert [f"{value:.3f}" for value in values] == ["1.732"] + ["-0.577"] * 3
    assert f"{advantages([1] + [0] * 7)[2][0]:.3f}" == "2.646"
    says(PAGE, "$0.25$", "$0.433$", "$(1.732,-0.577,-0.577,-0.577)$", "2.646")

    good, bad, ratio = values[0], values[1], 1.5
    assert (f"{ratio * good:.3f}", f"{1.2 * good:.3f}") == ("2.598", "2.078")
    assert (f"{ratio * bad:.3f}", f"{1.2 * bad:.3f}") == ("-0.866", "-0.693")
    assert min(ratio * good, 1.2 * good) == 1.2 * good
    assert min(ratio * bad, 1.2 * bad) == ratio * bad
    says(PAGE, r"\min(2.598,\,2.078)=2.078", r"\min(-0.866,\,-0.693)=-0.866")
    assert f"{-bad / 10:.4f}" == "0.0577"
    assert f"{-bad / 100:.5f}" == "0.00577"
    says(PAGE, "0.0577", "0.00577")


def test_kl_estimate():
    policy, reference = (0.5, 0.5), (0.4, 0.6)
    ratios = [r / p for p, r in zip(policy, reference, strict=False)]
    plain = [-log(ratio) for ratio in ratios]
    k3 = [ratio - log(ratio) - 1 for ratio in ratios]
    assert [f"{value:.3f}" for value in plain] == ["0.223", "-0.182"]
    assert [f"{value:.4f}" for value in k3] == ["0.0231", "0.0177"]
    true = sum(p * log(p / r) for p, r in zip(policy, reference, strict=False))
    assert f"{true:.4f}" == "0.0204"
    for estimates in (plain, k3):
        assert isclose(sum(p * value for p, value in zip(policy, estimates, strict=False)), true)
    says(PAGE, "0.223", "−0.182", "0.0231", "0.0177", "0.0204")


def test_rewards():
    shared = (10 - 5) * (10 - 0)
    union = 100 + 100 - shared
    assert (shared, union) == (50, 150)
    assert f"{shared / union:.3f}" == "0.333"
    says(PAGE, "$[0,0,10,10]$", "$[5,0,15,10]$", "$=0.333$", "0.25")
