"""The build that runs in this process: its language, and the file that each page comes from."""

from __future__ import annotations

from pathlib import Path

from .data import Facts
from .paths import DOCS
from .problems import line_of, problems
from .source import read_text

language = "zh"
serving = False
#: While serving: only the pages whose text was edited are made again.
partial = False
page: Path = DOCS
#: Whether the text of `page` is being made; the blog makes its excerpts later, from the same text.
making = False
facts: Facts
facts_are_sound = True
#: Pages that are not a file of docs/<language>: page (`interview/q/seed-1.md`) → the file to mend.
sources: dict[str, Path] = {}


def source_of(uri: str) -> Path:
    """The file that a person edits to change the page `uri`."""
    return sources.get(uri, DOCS / language / uri)


def mend(token: str, what: str, todo: str) -> None:
    """Reports a problem of the page that is being made, on the line that holds the token."""
    if making:
        problems.add(page, line_of(read_text(page), token), what, todo)
