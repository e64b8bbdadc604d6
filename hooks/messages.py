"""Turns MkDocs' own warnings about links into problems that name file and line, and checks every page's source."""

from __future__ import annotations

import logging
import re

from book import current
from book.paths import DOCS, ROOT
from book.problems import BadInput, line_of, problems
from book.source import read_source, read_text
from mkdocs.exceptions import PluginError
from mkdocs.plugins import event_priority

_LINK = re.compile(
    r"Doc file '(?P<page>.+?)' contains an? (?:absolute |unrecognized relative )?link '(?P<url>.*?)', but (?P<what>.*)",
    re.S,
)
_NAV = re.compile(
    r"A (?:relative path to|reference to) '(?P<page>.+?)' is included in the 'nav' configuration, which is not found"
)
_DIRTY = "A 'dirty' build is being performed"


class _Filter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if record.levelno < logging.WARNING:
            return True
        if match := _LINK.match(message):
            path = current.source_of(match["page"])
            what = match["what"].split(" Did you mean")[0].rstrip(". ")
            todo = re.search(r"Did you mean '(.+?)'", message)
            problems.add(
                path,
                line_of(read_text(path), match["url"]),
                f"link '{match['url']}': {what}",
                f"did you mean '{todo[1]}'?" if todo else "correct the link or add what it names",
            )
            return False
        if match := _NAV.match(message):
            problems.add(
                ROOT / "mkdocs.yml",
                line_of(read_text(ROOT / "mkdocs.yml"), match["page"]),
                f"the navigation names '{match['page']}', which does not exist",
                "write the page or take it out of `nav`",
            )
            return False
        return not message.startswith(_DIRTY)  # serving does it on purpose, see bilingual.py


_filter = _Filter()


@event_priority(90)
def on_config(config):
    current.language = config.extra["language"]
    current.sources.clear()
    for name in ("pages", "nav"):
        logging.getLogger(f"mkdocs.structure.{name}").addFilter(_filter)
    logging.getLogger("mkdocs.commands.build").addFilter(_filter)
    return config


@event_priority(100)
def on_files(files, config):
    """Reads every page's source before MkDocs does: what it cannot read is named, not guessed."""
    fatal = 0
    for path in sorted((DOCS / current.language).rglob("*.md")):
        try:
            read_source(path)
        except BadInput as error:
            found = error.problem
            problems.add(found.path, found.line, found.what, found.todo)
            fatal += 1
    if fatal:
        raise PluginError(
            f"{fatal} page{'s' if fatal > 1 else ''} cannot be read, see above; the last good site is untouched"
        )
    return files


@event_priority(100)
def on_page_markdown(markdown, page, config, files):
    current.page, current.making = current.source_of(page.file.src_uri), True
    return markdown


@event_priority(-100)
def on_page_content(html, page, config, files):
    current.making = False
    return html
