"""Writes what is searched, and sees that nothing of it is fetched before the reader types.

MkDocs' search plugin cuts each page into sections. Here they get what makes a search good: the
glossary's terms in both languages as keywords of the section that treats them, and a weight by kind
of page. Material asks for `search/search_index.json` as soon as the search is opened; what it finds there is
one sentence for the case that the network fails. On the first key overrides/assets/search/worker.js fetches
MiniSearch, which is published beside it, the true text, `search/index.json`, a list of [location, title, text,
keywords, weight], and MiniSearch's index of it, `search/library.json`.
"""

from __future__ import annotations

import html
import json
import re
import subprocess
from pathlib import Path

import rjsmin
from book import current
from book.data import authors, plain
from book.node import node, package
from book.tex import in_a_line
from mkdocs.exceptions import PluginError
from mkdocs.plugins import event_priority

#: How much a hit counts by where it is: chapters first, lists and the raw material of facts last.
WEIGHTS = (
    (r"reference/\w+/#", 0.2),  # an entry of a list; the list itself counts like any page
    (r"(labs|interview)/#", 0.2),  # so is a section of these
    (r"(#.*)?$", 0.2),  # the home page names everything
    (r"principles/", 1.0),
    (r"models/m/", 0.95),
    (r"models/", 0.95),
    (r"applications/", 0.95),
    (r"labs/", 0.85),
    (r"outlook/", 0.85),
    (r"interview/q/", 0.75),
    (r"blog/", 0.6),
    (r"", 0.8),
)
#: Sections that every page of a kind has: they name a lot and treat nothing.
ROUTINE = re.compile(r"#(self-check|sources|in-the-book|related|references|questions|notes|further|weak)$")
LISTS = ("reference/glossary/", "reference/errata/", "reference/bibliography/", "reference/datasets/")
SILENT = {
    "zh": ("搜索暂时不可用", "书的文本没有取到。网络恢复后会自动重试；也可以先到术语表里找。"),
    "en": (
        "Search is not available right now",
        "The text of the book could not be fetched. It tries again by itself; meanwhile the glossary may help.",
    ),
}

_kept: dict[str, list[dict]] = {}  # page → its sections, while serving
_called: dict[str, list[str]] = {}  # page → its keywords


def on_config(config):
    config.extra_javascript.append("assets/search/typing.js")
    return config


@event_priority(50)
def on_page_markdown(markdown, page, config, files):
    if type(page).__name__ == "View" or page.file.src_uri == "blog/tags.md":
        page.meta["search"] = {"exclude": True}
    return markdown


def on_page_context(context, page, config, nav):
    """A page's front matter may name what else readers call its subject: `keywords: [recommender, 推荐系统]`."""
    _called[page.url] = [str(word) for word in page.meta.get("keywords") or []]
    return context


@event_priority(-100)  # after figures.py
def on_page_content(content, page, config, files):
    """Keeps the labels of figures out of the text; their captions stay."""
    return content.replace('<svg role="img"', '<svg data-search-exclude role="img"')


def _forms(term: dict) -> list[str]:
    """Everything that a term is called, in both languages."""
    return list(dict.fromkeys([term["zh"], term["en"], *(term.get("zh_also") or []), *(term.get("en_also") or [])]))


def _keywords() -> dict[str, list[str]]:
    """Location → every form of the terms that are treated there, and what else the page is called."""
    found = {page: list(words) for page, words in _called.items()}
    for term in current.facts.glossary.values():
        if page := term.get("page"):
            path, _, anchor = page.partition("#")
            location = re.sub(r"(index)?\.(md|ipynb)$", "", path)
            location = f"{location.rstrip('/')}/" + (f"#{anchor}" if anchor else "")
            found.setdefault(location, []).extend(_forms(term))
    return found


def _entries(language: str) -> list[tuple[str, str, str, list[str]]]:
    """Location, title, text and keywords of each entry of the lists: they have no headings of their own."""
    facts = current.facts
    terms = [
        (f"reference/glossary/#{term['id']}", term[language], term[f"{language}_def"], _forms(term))
        for term in facts.glossary.values()
    ]
    claims = [
        (
            f"reference/errata/#{claim['id'].lower()}",
            f"{claim['id']}: {claim[language]['claim']}",
            claim[language]["correction"],
            [claim["id"]],
        )
        for claim in facts.errata.values()
    ]
    works = [
        (
            f"reference/bibliography/#{key}",
            plain(work.fields.get("title", key)),
            f"{authors(work, language)}, {work.fields.get('year', '')}",
            [],
        )
        for key, work in facts.references.items()
    ]
    sets = [
        (f"reference/datasets/#{one['id']}", one["name"], one["measures"][language], [one["id"].replace("-", " ")])
        for one in facts.datasets.values()
    ]
    return terms + claims + works + sets


def _plain(text: str) -> str:
    """A section's text without markup."""
    text = re.sub(r"<svg\b.*?</svg>|<(script|style)\b.*?</\1>", " ", text, flags=re.S)
    text = html.unescape(re.sub(r"<[^>]+>", " ", text))
    text = re.sub(r"\\[(\[](.*?)\\[)\]]", lambda tex: f" {in_a_line(tex[1])} ", text, flags=re.S)
    return re.sub(r"\s+", " ", text).strip()


def _library() -> str:
    """MiniSearch, made small, with its licence."""
    folder = package("minisearch")
    licence = (folder / "LICENSE.txt").read_text("utf-8")
    program = (folder / "dist/umd/index.js").read_text("utf-8")
    return f"/* MiniSearch\n{licence}*/\n{rjsmin.jsmin(program)}"


def _index(rows: Path) -> str:
    """MiniSearch's index of the sections in the file."""
    program = str(Path(__file__).with_suffix(".cjs"))
    done = subprocess.run([node(), program, str(rows)], capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise PluginError(f"the search index cannot be made:\n{done.stderr}")
    return done.stdout


def _weight(location: str) -> float:
    weight = next(value for pattern, value in WEIGHTS if re.match(pattern, location))
    return round(weight * 0.1, 3) if ROUTINE.search(location) else weight


@event_priority(-20)  # after the search plugin has written its index
def on_post_build(config) -> None:
    site, language = Path(config.site_dir), config.extra["language"]
    (site / "assets/search/minisearch.js").write_text(_library(), "utf-8")
    folder = site / "search"
    path = folder / "search_index.json"
    fresh: dict[str, list[dict]] = {}
    for entry in json.loads(path.read_text("utf-8"))["docs"]:
        fresh.setdefault(entry["location"].partition("#")[0], []).append(entry)
    if not current.partial:
        _kept.clear()
    _kept.update(fresh)  # a partial build knows only the pages that it made

    keywords = _keywords()
    sections = []
    for page, entries in _kept.items():
        for entry in entries[:1] if page in LISTS else entries:
            location, text = entry["location"], _plain(entry["text"])
            sections.append(
                (location, _plain(entry["title"]), text[:300] if page in LISTS else text, keywords.get(location, []))
            )
    sections += _entries(language)
    rows = [[location, title, text, " · ".join(words), _weight(location)] for location, title, text, words in sections]
    file = folder / "index.json"
    file.write_text(json.dumps(rows, ensure_ascii=False, separators=(",", ":")), "utf-8")
    # after an edit while serving, the browser makes the index
    (folder / "library.json").write_text("null" if current.partial else _index(file), "utf-8")

    title, text = SILENT[language]
    notice = {"location": "reference/glossary/", "title": title, "text": text, "score": 0, "terms": {}}
    stub = {"config": {"lang": [language], "separator": r"\s+", "pipeline": []}, "docs": [notice]}
    path.write_text(json.dumps(stub, ensure_ascii=False, separators=(",", ":")), "utf-8")
