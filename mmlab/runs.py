"""One run of a lab: its seed, the figures that it records, and the same figures over all seeds.

    run = Run("03-training")                    # seeds everything with MMLAB_SEED, else 0; one thread
    run.record("seen.product", accuracy)
    run.over_seeds("seen.product")              # array: one value a seed
    run.spread("seen.product")                  # "0.99 ± 0.01"

`make labs` runs a lab once for each seed and keeps what was recorded in `data/results/<slug>.json`; a reader's own run
loads that file, so that one run can be compared with many.
"""

from __future__ import annotations

import json
import os
import random
import re
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).resolve().parents[1] / "data" / "results"
_NAME = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")


class Run:
    """The run of the lab `slug` with one seed. Seeds Python, NumPy and torch."""

    def __init__(self, slug: str):
        import torch

        self.slug = slug
        self.seed = int(os.environ.get("MMLAB_SEED", "0"))
        self.recorded: dict[str, float] = {}
        torch.set_num_threads(1)  # the same numbers whatever the machine's cores, and two runs do not fight for them
        random.seed(self.seed)
        np.random.seed(self.seed)
        torch.manual_seed(self.seed)

    def rng(self, *stream: int) -> np.random.Generator:
        """A generator of this run's own: the same seed and stream give the same numbers."""
        return np.random.default_rng([self.seed, *stream])

    def record(self, name: str, value: float) -> float:
        """Keeps a figure of this run under a name such as "heldout.product", and gives it back."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r}: a figure's name has small letters and digits, joined by . _ or -")
        number = float(value)
        if not np.isfinite(number):
            raise ValueError(f"{self.slug}: figure {name} is {number}")
        self.recorded[name] = round(number, 6)
        if place := os.environ.get("MMLAB_RECORD"):
            Path(place).write_text(json.dumps({"seed": self.seed, "figures": self.recorded}, indent=1), "utf-8")
        return number

    def over_seeds(self, name: str) -> np.ndarray:
        """(seeds,) float64: the figure in every run of the stored results; with this run's own, if its seed is not among
        them. Raises KeyError if nobody recorded it."""
        values = dict(stored(self.slug).get(name, {}))
        if name in self.recorded:
            values.setdefault(self.seed, self.recorded[name])
        if not values:
            raise KeyError(f"no run of {self.slug} recorded {name!r}")
        return np.array([values[seed] for seed in sorted(values)])

    def mean(self, name: str) -> float:
        """Mean over seeds."""
        return float(self.over_seeds(name).mean())

    def std(self, name: str) -> float:
        """Sample standard deviation over seeds; 0 for one seed."""
        values = self.over_seeds(name)
        return float(values.std(ddof=1)) if len(values) > 1 else 0.0

    def spread(self, name: str, digits: int = 2) -> str:
        """Mean ± sample standard deviation over seeds, as text."""
        return f"{self.mean(name):.{digits}f} ± {self.std(name):.{digits}f}"


def stored(slug: str) -> dict[str, dict[int, float]]:
    """Figure → seed → value, from `data/results/<slug>.json` (or the folder MMLAB_RESULTS); empty if there is none."""
    path = Path(os.environ.get("MMLAB_RESULTS", RESULTS)) / f"{slug}.json"
    if not path.exists():
        return {}
    data = json.loads(path.read_text("utf-8"))
    return {name: dict(zip(data["seeds"], values, strict=True)) for name, values in data["figures"].items()}
