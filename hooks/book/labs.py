"""The labs as data: what each notebook says of its last run, and its first figures over seeds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from . import facts
from .paths import NOTEBOOKS, ROOT


@dataclass(frozen=True)
class Figure:
    """A figure over seeds, under the name that readers see."""

    label: str
    values: tuple[float, ...]  # one a seed

    @property
    def spread(self) -> str:
        """Mean ± sample standard deviation."""
        return facts.spread(self.values)


@dataclass(frozen=True)
class Lab:
    """One lab in one language."""

    slug: str
    run: dict[str, Any]  # title, description, executed, duration_s, cpu_s, peak_mib, versions
    figures: tuple[Figure, ...]
    seeds: int

    @property
    def seconds(self) -> float:
        """Of one run on one core."""
        return self.run.get("cpu_s", self.run["duration_s"])


def labs(language: str) -> list[Lab]:
    """All labs by slug, as their notebooks and data/results tell."""
    from tools import notebook_source, notebook_stamps

    found = []
    for path in sorted((NOTEBOOKS / language).glob("*.ipynb")):
        run = json.loads(path.read_text("utf-8"))["metadata"]["mmlab"]
        source = NOTEBOOKS / "src" / f"{path.stem}.py"
        header = notebook_source.read(source, ROOT) if source.exists() else None
        results = notebook_stamps.results(path.stem, ROOT) or {"figures": {}, "seeds": [0]}
        figures = tuple(
            Figure(one[language], tuple(results["figures"][one["figure"]]))
            for one in (header.headline if header else [])
            if one["figure"] in results["figures"]
        )
        found.append(Lab(path.stem, run, figures, len(results["seeds"])))
    return found
