"""The worked numbers of the page about speech."""

from math import ceil

from worked import says

PAGE = "applications/speech.md"


def refused(load: float, lines: int) -> float:
    """Erlang B, by its recursion."""
    share = 1.0
    for n in range(1, lines + 1):
        share = load * share / (n + load * share)
    return share


def test_the_latency_budget():
    assert 500 + 100 + 250 + 12 / 40 * 1000 + 150 + 80 == 1380
    says(PAGE, r"$500 + 100 + 250 + 12/40\times1000 + 150 + 80 = 1380$")


def test_the_codec():
    assert 12.5 * 8 * 11 == 1100
    assert 2**11 == 2048
    assert 300 * 12.5 == 3750
    says(PAGE, r"$12.5\times8\times11 = 1100$", r"$300\times12.5 = 3{,}750$")


def test_slots():
    assert f"{0.99**12:.1%}" == "88.6%"
    assert f"{0.95**12:.1%}" == "54.0%"
    says(PAGE, r"$0.99^{12} = 88.6\%$", r"$0.95^{12} = 54.0\%$")


def test_lines():
    load = 600 * 5 / 60
    assert load == 50
    says(PAGE, r"$L = 600\times 5/60 = 50$")
    assert f"{refused(load, 50):.1%}" == "10.5%"
    assert f"{refused(load, 60):.1%}" == "2.2%"
    assert f"{refused(load, 63):.2%}" == "1.09%"
    assert f"{refused(load, 64):.2%}" == "0.84%"
    assert min(n for n in range(1, 100) if refused(load, n) < 0.01) == 64
    assert ceil(64 / 10) == 7
    says(PAGE, "10.5%", "2.2%", "1.09%", "0.84%")


def test_the_price_of_a_call():
    turns, prompt, caller, answer = 15, 1500, 40, 60
    tokens_in = sum(prompt + k * (caller + answer) + caller for k in range(turns))
    tokens_out = turns * answer
    assert (tokens_in, tokens_out) == (33_600, 900)
    model = tokens_in / 1e6 * 2 + tokens_out / 1e6 * 8
    recognition, synthesis = 5 / 60 * 1, 1350 / 1e4 * 2
    assert [f"{x:.2f}" for x in (model, recognition, synthesis)] == ["0.07", "0.08", "0.27"]
    assert f"{model + recognition + synthesis:.2f}" == "0.43"
    says(PAGE, "33,600", "900", "0.07", "0.08", "0.27", "0.43")


def test_cards_of_ones_own():
    calls = 600 * 10 * 30
    assert calls == 180_000
    work, always, business = 36_000 / calls, 10 * 10 * 24 * 30 / calls, 10 * 10 * 10 * 30 / calls
    assert [f"{x:.2f}" for x in (always, work, always + work)] == ["0.40", "0.20", "0.60"]
    assert [f"{x:.2f}" for x in (business, work, business + work)] == ["0.17", "0.20", "0.37"]
    says(PAGE, "$0.40+0.20=0.60$", "$0.17+0.20=0.37$")
