"""Where the book cites a work, and where it uses a term."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from . import facts
from .data import Facts, title_of
from .parity import outline, prose_of
from .paths import DOCS, NOTEBOOKS
from .source import Source, read_source
from .terms import Terms

#: A page of the book: its address (`principles/fusion.md`) and its title.
Page = tuple[str, str]


def _pages(known: Facts, language: str) -> Iterator[tuple[Page, Source]]:
    """Every page of the language that people wrote: prose, then labs, then questions."""
    for path in sorted((DOCS / language).rglob("*.md")):
        source = read_source(path)
        heading = next((line for line in source.body.split("\n") if line.startswith("# ")), "")
        yield (path.relative_to(DOCS / language).as_posix(), title_of(heading)), source
    for path in sorted((NOTEBOOKS / language).glob("*.ipynb")):
        notebook = json.loads(path.read_text("utf-8"))
        cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
        yield (f"labs/{path.name}", notebook["metadata"]["mmlab"]["title"]), Source(path, body="\n\n".join(cells))
    for name, question in known.questions.items():
        if language in question:
            sources = "; ".join(f"@{key}" for key in question["sources"])
            body = f"{question[language]['body']}\n\n[{sources}]"
            page = (f"interview/q/{name}.md", facts.title(question, language))
            yield page, Source(question[language]["path"], body=body)


def citations(known: Facts, language: str) -> dict[str, list[Page]]:
    """The pages that cite each work, in the book's order."""
    found: dict[str, list[Page]] = {}
    for page, source in _pages(known, language):
        for key in dict.fromkeys(outline(source).citations):
            found.setdefault(key, []).append(page)
    return found


def terms(known: Facts, language: str, most: int = 4) -> dict[str, list[Page]]:
    """The chapters and labs that use each term most often, at most `most` of them; the page of its entry left out."""
    vocabulary = Terms(known.glossary.values(), language)
    counts: dict[str, Counter[Page]] = {}
    for page, source in _pages(known, language):
        if not page[0].startswith("interview/q/"):
            for _, term in vocabulary.find(prose_of(source.body)):
                counts.setdefault(term["id"], Counter())[page] += 1
    found = {}
    for name, counter in counts.items():
        own = (known.glossary[name].get("page") or "").partition("#")[0]
        found[name] = [page for page, _ in counter.most_common() if page[0] != own][:most]
    return found
