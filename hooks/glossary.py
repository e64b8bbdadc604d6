"""Sets a tooltip on the first use of each glossary term on a page: its definition, and the other language's term."""

from __future__ import annotations

from xml.etree import ElementTree

from book import current
from book.terms import Terms
from markdown import Extension
from markdown.treeprocessors import Treeprocessor
from markdown.util import AtomicString
from mkdocs.plugins import event_priority

#: Where a term is left alone: it is a link or a name already, or the text is not prose.
SKIP = {
    "a",
    "code",
    "pre",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "th",
    "figure",
    "figcaption",
    "script",
    "style",
    "summary",
}
SKIP_CLASSES = {"arithmatex", "cite", "fact", "admonition-title", "entry"}


@event_priority(70)
def on_config(config):
    config.markdown_extensions.append(_Glossary(Terms(current.facts.glossary.values(), config.extra["language"])))
    return config


def _link(term: dict, text: str) -> ElementTree.Element:
    language, other, colon = ("zh", "en", "：") if current.language == "zh" else ("en", "zh", ": ")
    title = f"{term[other]}{colon}{term[f'{language}_def']}"
    link = ElementTree.Element("a", {"class": "term", "href": f"/reference/glossary.md#{term['id']}", "title": title})
    link.text = AtomicString(text)
    return link


class _Glossary(Extension):
    def __init__(self, terms: Terms) -> None:
        super().__init__()
        self.terms = terms

    def extendMarkdown(self, md) -> None:
        # after inline parsing (20), before links are resolved (0)
        md.treeprocessors.register(_Mark(md, self.terms), "glossary", 3)


class _Mark(Treeprocessor):
    def __init__(self, md, terms: Terms) -> None:
        super().__init__(md)
        self.terms = terms

    def run(self, root) -> None:
        if "/reference/glossary" in current.page.as_posix() or current.page.name == "glossary.yml":
            return
        self.seen: set[str] = set()
        self._walk(root)

    def _walk(self, element) -> None:
        if element.tag in SKIP or SKIP_CLASSES & set((element.get("class") or "").split()):
            return
        if element.text:
            element.text, new = self._split(element.text)
            for offset, link in enumerate(new):
                element.insert(offset, link)
            skip = len(new)
        else:
            skip = 0
        index = skip
        while index < len(element):
            child = element[index]
            self._walk(child)
            if child.tail:
                child.tail, new = self._split(child.tail)
                for offset, link in enumerate(new, 1):
                    element.insert(index + offset, link)
                index += len(new)
            index += 1

    def _split(self, text):
        """The text before the first new term, and a link for each new term with the text after it as its tail."""
        if isinstance(text, AtomicString):
            return text, []
        head, links, position = None, [], 0
        for match, term in self.terms.find(text):
            if term["id"] in self.seen or "\x02" in match[0]:
                continue
            self.seen.add(term["id"])
            before = text[position : match.start()]
            if links:
                links[-1].tail = before
            else:
                head = before
            links.append(_link(term, match[0]))
            position = match.end()
        if not links:
            return text, []
        links[-1].tail = text[position:]
        return head, links
