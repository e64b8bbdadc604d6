"""The build that runs in this process: its language, and the file that each page comes from."""

from __future__ import annotations

from pathlib import Path

from .data import Facts
from .paths import DOCS

language = "zh"
serving = False
#: While serving: only the pages whose text was edited are made again.
partial = False
page: Path = DOCS
facts: Facts
facts_are_sound = True
#: Pages that are not a file of docs/<language>: page (`interview/q/seed-1.md`) → the file to mend.
sources: dict[str, Path] = {}


def source_of(uri: str) -> Path:
    """The file that a person edits to change the page `uri`."""
    return sources.get(uri, DOCS / language / uri)
