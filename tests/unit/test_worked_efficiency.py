"""The worked numbers of principles/efficiency.md."""

import math

import pytest
from worked import says

PAGE = "principles/efficiency.md"

# Qwen2-VL-7B: layers and width of the language model, parameters of its linear layers, the same with the output layer
LAYERS, WIDTH = 28, 3584
LINEAR = LAYERS * (2 * WIDTH * WIDTH + 2 * WIDTH * 512 + 3 * WIDTH * 18944)
ALL = LINEAR + 152064 * WIDTH
# the imaginary accelerator
COMPUTE, BANDWIDTH = 400e12, 2e12
# one image of 1344 × 1344 and 96 tokens of text
PATCHES, VISUAL, TEXT = 9216, 2304, 96


def prefill(tokens, before=0):
    """FLOP of `tokens` after a cache of `before`: linear layers, then attention (a causal half)."""
    return 2 * LINEAR * tokens + 4 * LAYERS * WIDTH * tokens * (before + tokens / 2)


def encode(patches):
    return 2 * 6.75e8 * patches + 4 * 32 * patches**2 * 1280


def shown(value, decimals=3):
    return f"{value:.{decimals}f}".replace("-", "−")


def test_the_bill_of_one_image():
    assert f"{LINEAR:.2e}" == "6.53e+09"
    llm, vit = prefill(VISUAL + TEXT) / 1e12, encode(PATCHES) / 1e12
    says(PAGE, f"{llm:.1f}", f"{vit:.1f}", f"{llm + vit:.1f}", f"{vit / (llm + vit):.0%}")
    token = 2 * LAYERS * 4 * 128 * 2
    says(PAGE, f"{token:,}".replace(",", "{,}"), f"{token * VISUAL / 2**20:.0f} MiB", f"{token * 2400 / 2**20:.0f} MiB")
    says(PAGE, f"{token * 576 / 2**20:.1f}", f"{ALL * 2 / 1e9:.1f} GB")


def test_correcting_as_you_go():
    m, denominator, total = -math.inf, 0.0, 0.0
    for n, (score, value) in enumerate(((1, 10), (2, 20), (3, 30))):
        new = max(m, score)
        old = math.exp(m - new)
        denominator = denominator * old + math.exp(score - new)
        total = total * old + math.exp(score - new) * value
        m = new
        if n:
            says(PAGE, shown(denominator), shown(total))
    at_once = sum(math.exp(s) * v for s, v in ((1, 10), (2, 20), (3, 30))) / sum(map(math.exp, (1, 2, 3)))
    assert total / denominator == pytest.approx(at_once)
    says(PAGE, f"{at_once:.2f}")


def test_what_attention_moves():
    one = PATCHES**2 * 2
    layer = 4 * 16 * one
    seconds = 32 * layer / BANDWIDTH
    says(
        PAGE,
        f"9216^2\\times2={one / 1e6:.0f}$ MB",
        f"{16 * one / 1e9:.1f} GB",
        f"{layer / 1e9:.1f} GB",
        f"{32 * layer / 1e9:.0f} GB",
    )
    says(PAGE, f"{seconds:.3f}", f"{58.8e12 / COMPUTE:.3f}")
    blocks = PATCHES**2 * 80**2 / 50_000 * 16 * 2
    says(PAGE, f"{blocks / 1e9:.2f} GB", f"{32 * blocks / BANDWIDTH * 1e3:.1f}")


def test_the_roofline():
    assert COMPUTE / BANDWIDTH == 200
    assert round(32.5e12 / 14.1e9, -2) == 2300
    says(PAGE, "I\\approx2300", f"{BANDWIDTH / COMPUTE:.1%}")

    def intensity(batch):
        return 14.1 * batch / (14.1 + 0.138 * batch)

    says(PAGE, f"{intensity(64):.0f}", f"{intensity(640):.0f}", f"14.1/0.138={14.1 / 0.138:.0f}")


def test_three_requests():
    used, most, block = (2450, 700, 130), 4096, 16
    blocks = [math.ceil(n / block) for n in used]
    held = sum(blocks) * block
    says(PAGE, "+".join(map(str, blocks)) + f"={sum(blocks)}", f"{3 * most:,}", f"{sum(used):,}", f"{held:,}")
    says(
        PAGE, f"{sum(used) / (3 * most):.1%}", f"{1 - sum(used) / held:.1%}", f"{(3 * most - held) * 56 / 1024:.0f} MiB"
    )


def test_static_batches():
    lengths = (20, 50, 80, 200)
    useful, steps = sum(lengths), max(lengths) * len(lengths)
    says(PAGE, rf"{useful}/{steps}\approx{useful / steps:.0%}".replace("%", r"\%"))
    assert int(32.5e12 / COMPUTE / 7.1e-3) == 11
    says(PAGE, f"32.5/400={32.5e12 / COMPUTE:.3f}")


def test_ten_questions():
    whole, later = 58.8, prefill(TEXT, VISUAL) / 1e12
    says(
        PAGE,
        f"{10 * whole:.0f} TFLOP",
        f"{later:.2f}",
        f"{whole + 9 * later:.1f}",
        f"{(whole + 9 * later) / (10 * whole):.0%}",
    )
    says(PAGE, f"{10 * whole - 9 * 26.4:.0f}")


def test_what_is_sent():
    tokens, cache = VISUAL * WIDTH * 2, 2400 * 57344
    says(
        PAGE,
        f"{tokens / 1e6:.1f} MB",
        f"{cache / 1e6:.0f} MB",
        f"{tokens / 25e9 * 1e3:.1f}",
        f"{cache / 25e9 * 1e3:.1f}",
    )
    says(PAGE, f"{26.4e12 / COMPUTE * 1e3:.0f}")


def test_six_tokens():
    a, b = (0, 40, 90), (10, 85, 60)
    for x in a:
        best = max(b, key=lambda y: math.cos(math.radians(x - y)))
        says(PAGE, f"| {x}° | {best}° | {math.cos(math.radians(x - best)):.3f} |")
    merged, size = (1 + 2) / 2, 2
    assert (size * merged + 3) / (size + 1) == 2
    says(PAGE, f"{merged:g}", f"{(merged + 3) / 2:g}", f"{round(576 / 14)}")


def test_whose_45_percent():
    left = (2 + (32 - 2) * 0.5) / 32
    saved = 32.5 * VISUAL / (VISUAL + TEXT) * (28 - 2) / 28 * 0.5
    says(PAGE, f"{left:.1%}", f"{1 - left:.1%}", f"{saved:.1f} TFLOP", f"{saved / 58.8:.0%}")


def test_text_in_pictures():
    assert [(side // 16) ** 2 // 16 for side in (640, 1024)] == [100, 256]
    says(PAGE, f"40^2={(640 // 16) ** 2}", f"{1000 * 0.03:.0f}")


def test_three_scales():
    x = (0.473, -1.234, 0.308, 2.54)
    for bits, values in ((8, x), (4, x), (8, (*x[:3], 60))):
        step = max(map(abs, values)) / (2 ** (bits - 1) - 1)
        q = [round(v / step) for v in values]
        error = max(abs(v - step * n) for v, n in zip(values, q, strict=True))
        says(PAGE, ", ".join(map(str, q)).replace("-", "−"), f"{step:.3g}", shown(error))
    assert 4 + 16 / 32 == 4.5
    weights = ALL * 4.5 / 8
    says(PAGE, f"{weights / 1e9:.1f} GB", f"{weights / BANDWIDTH * 1e3:.1f}", f"{ALL * 2 / BANDWIDTH * 1e3:.1f}")


def test_guesses():
    for rate, k in ((0.8, 4), (0.5, 4), (0.3, 8)):
        tokens = (1 - rate ** (k + 1)) / (1 - rate)
        assert tokens == pytest.approx(sum(rate**j for j in range(k + 1)))
        says(PAGE, f"| {rate} | {k} | {tokens:.2f} | {tokens / (1 + k * 0.05):.2f} |")


def test_fifty_adapters():
    one = LAYERS * 16 * (2 * (WIDTH + WIDTH) + 2 * (WIDTH + 512))
    says(PAGE, f"{one:,}".replace(",", "{,}"), f"{one * 2 / 1e6:.1f} MB")
    says(PAGE, f"50\\times14.1={50 * 14.1:.0f}", f"14.1+50\\times0.0202={14.1 + 50 * one * 2 / 1e9:.1f}")
