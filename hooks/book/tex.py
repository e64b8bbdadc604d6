"""Formulas in a line of text, for search and for those who hear a table read."""

from __future__ import annotations

import re

#: TeX commands that have a sign; other commands stay as their name: softmax, log.
# fmt: off
SIGNS = {
    "in": "∈", "times": "×", "cdot": "·", "le": "≤", "ge": "≥", "ne": "≠",
    "approx": "≈", "to": "→", "sum": "Σ", "prod": "Π", "alpha": "α", "beta": "β",
    "gamma": "γ", "delta": "δ", "epsilon": "ε", "varepsilon": "ε", "eta": "η", "theta": "θ",
    "lambda": "λ", "mu": "μ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ",
    "phi": "φ", "omega": "ω", "infty": "∞", "ldots": "…", "dots": "…", "cdots": "…",
    "top": "T", "mid": "|", "nabla": "∇", "odot": "⊙", "quad": " ", "qquad": " ",
}
# fmt: on


def in_a_line(tex: str) -> str:
    """The formula without markup: signs instead of their commands, no braces."""
    tex = re.sub(
        r"\\(mathrm|mathbf|mathbb|mathcal|mathit|operatorname|text|bar|hat|tilde|vec|sqrt|frac|left|right)(?![a-z])",
        " ",
        tex,
    )
    tex = re.sub(r"\\([A-Za-z]+)", lambda command: f"{SIGNS.get(command[1], command[1])} ", tex)
    return re.sub(r"\\.|[{}&]", " ", tex)
