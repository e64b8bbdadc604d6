"""What a page of prose tells of itself: how long it takes to read, when it was revised, and what it cites."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil

from book import current
from book.data import authors, plain
from book.parity import outline, prose_of
from book.paths import DOCS
from book.source import read_source
from mkdocs.plugins import event_priority

#: How fast people read expository text: Han characters and English words a minute.
HAN, WORDS = 350, 230
_HAN = re.compile(r"[\u3400-\u9fff]")
_WORD = re.compile(r"[A-Za-z][A-Za-z'’-]*")
_UNREAD = re.compile(r"\$\$.*?\$\$|\$[^$\n]+\$|\]\([^)]*\)|\[@[^\]]*\]|\{[^}\n]*\}|`[^`\n]*`", re.S)


@dataclass(frozen=True)
class Work:
    """A work that the page cites, as its list of sources shows it."""

    key: str
    who: str
    year: str
    title: str


def minutes(body: str, language: str) -> int:
    """Whole minutes that the prose of a page takes, formulas and code left out."""
    text = _UNREAD.sub(" ", prose_of(body))
    count = len(_HAN.findall(text)) / HAN if language == "zh" else len(_WORD.findall(text)) / WORDS
    return max(1, ceil(count))


@event_priority(50)
def on_page_context(context, page, config, nav):
    path = DOCS / current.language / page.file.src_uri
    if page.is_homepage or page.file.generated_by or path.suffix != ".md" or not path.exists():
        return context
    source = read_source(path)
    works = []
    for key in dict.fromkeys(outline(source).citations):
        if entry := current.facts.references.get(key):
            title = plain(entry.fields.get("title", ""))
            works.append(Work(key, authors(entry, current.language), entry.fields.get("year", ""), title))
    works.sort(key=lambda work: (work.who.lower(), work.year))
    context["reading"] = {
        "minutes": minutes(source.body, current.language),
        "revised": source.meta.get("revised"),
        "works": works,
    }
    return context
