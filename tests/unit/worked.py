"""The worked numbers of the text: each test computes one and finds it in both languages."""

from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def says(page: str, *numbers: str) -> None:
    """Each of the numbers stands in the page, in both languages."""
    for language in ("zh", "en"):
        text = (DOCS / language / page).read_text("utf-8")
        missing = [number for number in numbers if number not in text]
        assert not missing, f"docs/{language}/{page} does not say {missing}"
