"""Puts each table into a box that scrolls sideways on a small screen, named after the heading above it."""

from __future__ import annotations

import re
from html import escape, unescape

from book import current
from book.tex import in_a_line
from mkdocs.plugins import event_priority

_TABLE = re.compile(
    r"<h[1-6]\b[^>]*>(.*?)</h[1-6]>|<table>|</table>"
    r'|<th([^>]*)>(<span class="arithmatex">([^<]*)</span>)?</th>',
    re.S,
)


@event_priority(-90)
def on_page_content(html, page, config, files):
    if not hasattr(page, "file") or type(page).__name__ == "View":
        return html
    return _TABLE.sub(_Tables(), html)


class _Tables:
    """Puts each table into a box that scrolls sideways on a small screen, named after the heading above it."""

    def __init__(self) -> None:
        self.heading = ""

    def __call__(self, match: re.Match) -> str:
        if match[0] == "<table>":
            name = f"表：{self.heading}" if current.language == "zh" else f"Table: {self.heading}"
            return f'<div class="table" role="group" tabindex="0" aria-label="{escape(name, quote=True)}"><table class="table__grid">'
        if match[0] == "</table>":
            return "</table></div>"
        if match[0].startswith("<th") and match[1] is None:
            if match[3] is None:  # an empty corner heads nothing
                return f"<td{match[2]}></td>"
            # MathML alone does not count as a header's text
            tex = unescape(match[4]).removeprefix("\\(").removesuffix("\\)")
            said = escape(" ".join(in_a_line(tex).split()))
            return f'<th{match[2]}><span aria-hidden="true">{match[3]}</span><span class="unseen">{said}</span></th>'
        text = re.sub(r'<a class="headerlink".*?</a>|<[^>]+>', "", match[1], flags=re.S)
        self.heading = " ".join(unescape(text).split())
        return match[0]
