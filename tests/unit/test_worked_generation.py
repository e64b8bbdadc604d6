"""The worked numbers of docs/*/principles/generation.md."""

import itertools
from math import cos, erf, exp, floor, isclose, log2, pi, prod, sqrt, tanh

from worked import DOCS, says

PAGE = "principles/generation.md"

BETAS = [1e-4 + (0.02 - 1e-4) * i / 999 for i in range(1000)]  # DDPM's linear schedule


def alpha_bar(t: int) -> float:
    return prod(1 - beta for beta in BETAS[:t])


def test_ddpm_schedule():
    assert round(alpha_bar(500), 3) == 0.079
    assert f"{alpha_bar(1000):.0e}" == "4e-05"
    says(PAGE, r"\bar\alpha_{500}\approx0.079", r"\bar\alpha_{1000}\approx4\times10^{-5}")


def test_two_noises_merge():
    a1, a2 = 1 - 0.1, 1 - 0.2
    assert isclose(a1 * a2, 0.72)
    assert isclose(a2 * (1 - a1) + (1 - a2), 0.28)
    assert isclose(1 - a1 * a2, 0.28)
    says(PAGE, r"0.9\times0.8=0.72", r"0.8\times0.1+0.2=0.28")


def test_weights_of_the_bound():
    def weight(t):
        beta = BETAS[t - 1]
        posterior = (1 - alpha_bar(t - 1)) / (1 - alpha_bar(t)) * beta
        return beta**2 / (2 * posterior * (1 - beta) * (1 - alpha_bar(t)))

    assert f"{weight(2):.2f}" == "0.60"
    assert f"{weight(500):.4f}" == "0.0055"
    assert round(weight(2) / weight(500)) == 109
    says(PAGE, "0.60", "0.0055", "109")


def test_one_pixel():
    x0, noise, guess, bar, alpha = 1, -0.5, -0.4, 0.64, 0.8
    x = sqrt(bar) * x0 + sqrt(1 - bar) * noise
    assert isclose(x, 0.5)
    assert isclose((noise - guess) ** 2, 0.01)
    implied = (x - sqrt(1 - bar) * guess) / sqrt(bar)
    assert isclose(implied, 0.925)
    assert isclose(x0 - implied, 0.075)

    before = bar / alpha
    beta = 1 - alpha
    assert isclose(before, 0.8)

    def mean(eps):
        return (x - beta / sqrt(1 - bar) * eps) / sqrt(alpha)

    # the exact posterior of x_{t-1} given x_t and x_0, written with x_0
    exact = sqrt(before) * beta / (1 - bar) * x0 + sqrt(alpha) * (1 - before) / (1 - bar) * x
    spread = sqrt((1 - before) / (1 - bar) * beta)
    assert f"{mean(guess):.3f}" == "0.708"
    assert f"{spread:.3f}" == "0.333"
    assert f"{spread**2:.3f}" == "0.111"
    assert f"{mean(noise):.3f}" == "0.745"
    assert isclose(mean(noise), exact)
    says(PAGE, "=0.5$", "=0.01$", "=0.925$", "0.075", "=0.708$", r"\sqrt{0.111}=0.333", "0.745")

    assert f"{-noise / sqrt(1 - bar):.3f}" == "0.833"
    assert isclose(-noise / sqrt(1 - bar), -(x - sqrt(bar) * x0) / (1 - bar))
    says(PAGE, "0.5/0.6=0.833")


def test_latents():
    pixels, latents = 512 * 512 * 3, 64 * 64 * 4
    assert pixels == 786_432
    assert latents == 16_384
    assert pixels / latents == 48
    assert pixels / (64 * 64 * 16) == 12
    assert 8 * 8 * 3 == 192
    by_pixel, by_latent = (512 // 2) ** 2, (64 // 2) ** 2
    assert by_pixel == 65_536
    assert by_latent == 1_024
    assert (by_pixel / by_latent) ** 2 == 4_096
    says(PAGE, "786{,}432", "16{,}384", "48", "65,536", "1,024", "4,096", "=192$", "12")


def test_parameters_of_dit_and_mmdit():
    assert (32 // 2) ** 2 == 256
    assert 2 * 2 * 4 == 16
    assert 28 * (4 + 8 + 6) * 1152**2 == 668_860_416
    assert 6 / 18 == 1 / 3
    assert 64 * 38 == 2432
    assert f"{38 * 36 * 2432**2 / 1e9:.2f}" == "8.09"
    assert f"{24 * 36 * (64 * 24) ** 2 / 1e9:.2f}" == "2.04"
    says(PAGE, "668{,}860{,}416", "d=2432", r"8.09\times10^9", r"2.04\times10^9", "256", "16")


def test_one_guided_step():
    plain, given, s = 0.10, 0.30, 7.5
    w = s - 1
    assert isclose(plain + s * (given - plain), 1.60)
    assert isclose((1 + w) * given - w * plain, 1.60)
    says(PAGE, r"0.10+7.5\times0.20=1.60", r"7.5\times0.30-6.5\times0.10=1.60", "w=6.5")


def test_guided_gaussians():
    def guided(s):
        precision = (1 - s) / 4 + s
        return s / precision, 1 / sqrt(precision)

    def share(s):
        mean, spread = guided(s)
        return (1 + erf(mean / spread / sqrt(2))) / 2

    mean, spread = guided(3)
    assert isclose(spread**-2, 2.5)
    assert isclose(spread**2, 0.4)
    assert isclose(mean, 1.2)
    assert f"{spread:.3f}" == "0.632"
    assert [f"{share(s):.3f}" for s in (0, 1, 3)] == ["0.500", "0.841", "0.971"]
    assert f"{(mean - 1) ** 2 + (spread - 1) ** 2:.3f}" == "0.175"
    mean, spread = guided(7.5)
    assert (f"{mean:.3f}", f"{spread:.3f}", f"{share(7.5):.3f}") == ("1.277", "0.413", "0.999")
    says(PAGE, "2.5", "0.40", "1.20", "0.500", "0.841", "0.971", "0.632", "1.277", "0.413", "0.999", "=0.175$")


def test_flow_steps():
    def end(steps, x=0.3):
        for k in range(steps):
            t = 1 - k / steps
            x -= (x - tanh((1 - t) * x / t**2)) / t / steps
        return x

    assert [f"{end(n):.3f}" for n in (1, 2, 4, 8)] == ["0.000", "0.291", "0.997", "1.000"]
    says(PAGE, "0.000", "0.291", "0.997", "1.000")
    x0, noise = 2, -1
    assert noise - x0 == -3
    assert noise - (noise - x0) == 2
    says(PAGE, "$-1-(-3)=2$")


def test_tanh_is_the_posterior_mean():
    x, t = 0.4, 0.7
    plus, minus = (exp(-((x - (1 - t) * sign) ** 2) / (2 * t * t)) for sign in (1, -1))
    assert isclose((plus - minus) / (plus + minus), tanh((1 - t) * x / t**2))


def test_dalle():
    assert log2(8192) == 13
    assert 32 * 32 == 1024
    assert 1024 + 256 == 1280
    bits, raw = 1024 * 13, 256 * 256 * 24
    assert bits == 13_312
    assert raw == 1_572_864
    assert round(raw / bits) == 118
    says(PAGE, "1280", "13{,}312", "1{,}572{,}864", "118")


def test_var_and_maskgit():
    sides = [1, 2, 3, 4, 5, 6, 8, 10, 13, 16]
    squares = [side**2 for side in sides]
    assert sum(squares) == 680
    assert len(sides) == 10
    says(PAGE, "+".join(map(str, squares)) + "=680")
    masked = [floor(256 * cos(pi * k / 16)) for k in range(9)]
    fixed = [before - after for before, after in itertools.pairwise(masked)]
    assert fixed == [5, 15, 24, 31, 39, 45, 48, 49]
    assert sum(fixed) == 256
    for number in fixed:
        says(PAGE, str(number))
    assert 1 - 0.5**2 - 0.5**2 == 0.5
    says(PAGE, "$1-0.5^2-0.5^2=0.5$")


def test_video():
    pixels = 81 * 720 * 1280 * 3
    latents = (1 + 80 // 4) * (720 // 8) * (1280 // 8) * 16
    tokens = 21 * 45 * 80
    assert pixels == 223_948_800
    assert latents == 4_838_400
    assert f"{pixels / latents:.1f}" == "46.3"
    assert tokens == 75_600
    assert f"{tokens**2:.1e}" == "5.7e+09"
    within = 21 * (45 * 80) ** 2
    assert f"{within:.1e}" == "2.7e+08"
    assert tokens**2 // within == 21
    weights, attention = 2 * 14e9 * tokens, 4 * tokens**2 * 5120 * 40
    assert f"{weights:.1e}" == "2.1e+15"
    assert f"{attention:.1e}" == "4.7e+15"
    assert f"{attention / weights:.1f}" == "2.2"
    total = (weights + attention) * 50 * 2
    assert f"{total:.1e}" == "6.8e+17"
    assert round(total / 400e12 / 60) == 28
    says(PAGE, "223{,}948{,}800", "4{,}838{,}400", "46.3", "75{,}600", r"5.7\times10^9", r"2.7\times10^8", "21")
    says(PAGE, r"2.1\times10^{15}", r"4.7\times10^{15}", "2.2", r"6.8\times10^{17}", "28")


def test_movie_gen_and_the_exercise():
    assert 256 // 8 * (768 // 8 // 2) ** 2 == 73_728
    assert f"{720 * 1280 / 768**2:.2f}" == "1.56"
    assert 16 / 5 > 3
    says(PAGE, r"32\times48\times48=73{,}728", "1.56")
    assert (1 + 160 // 4) * (480 // 16) * (832 // 16) == 63_960 < 75_600
    says(PAGE, r"41\times30\times52=63{,}960")


def test_audio():
    assert 12.5 * 8 * log2(2048) == 1100
    assert 10 * 12.5 == 125
    assert 50 * 4 * log2(2048) == 2200
    frames = 30 * 50
    assert frames == 1_500
    assert frames * 4 == 6_000
    assert frames + 4 - 1 == 1_503
    assert [4 - k + 1 for k in (1, 2, 3, 4)] == [4, 3, 2, 1]
    says(PAGE, r"12.5\times8\times11=1100", "125", r"50\times4\times11=2200", "1,500", "6,000", "1,503")


def test_bits_of_an_image():
    assert (384 // 16) ** 2 == 576
    janus, chameleon, emu = 576 * log2(16_384), 1024 * log2(8_192), 4096 * log2(32_768)
    assert (janus, chameleon, emu) == (8_064, 13_312, 61_440)
    assert f"{emu / chameleon:.1f}" == "4.6"
    per_pixel = [janus / 384**2, chameleon / 512**2, emu / 512**2]
    assert [f"{bits:.3f}" for bits in per_pixel] == ["0.055", "0.051", "0.234"]
    says(PAGE, r"24\times24=576", "8,064", "61{,}440", "4.6", "0.055", "0.051", "0.234")


def test_figure_of_guidance_says_the_same():
    figure = (DOCS / "assets/figures/generation-guidance.svg").read_text("utf-8")
    assert "0.500，0.841，0.971" in figure
