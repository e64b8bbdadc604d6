"""Loads data/, and turns what prose says of it into links.

`[@key; @key]` cites the bibliography, `{{ q:id }}` a question, `{{ m:id }}` a model,
`{{ m:id.fact }}` a fact about it, `{{ c:id }}` an entry of the errata, `{{ d:id }}` a data set, `{{ r:lab.figure }}` is a lab's figure over seeds.
"""

from __future__ import annotations

from xml.etree import ElementTree

from book import current, facts
from book.data import Facts, authors, plain
from book.problems import problems
from markdown import Extension
from markdown.inlinepatterns import InlineProcessor
from mkdocs.plugins import event_priority

CITATION = r"\[(@[a-z0-9]+(?:\s*;\s*@[a-z0-9]+)*)\]"
REFERENCE = r"\{\{\s*([qmcdr]):([a-zA-Z0-9-]+)(?:\.([a-z0-9._-]+))?\s*\}\}"


@event_priority(80)
def on_config(config):
    current.facts = Facts()
    current.facts_are_sound = not problems
    config.markdown_extensions.append(_References())
    return config


class _References(Extension):
    def extendMarkdown(self, md) -> None:
        # below code (190) and formulas, above links (160), whose syntax a citation resembles
        md.inlinePatterns.register(_Citation(CITATION, md), "citation", 175)
        md.inlinePatterns.register(_Reference(REFERENCE, md), "reference", 175)


def _link(href: str, text: str, css: str, title: str | None = None) -> ElementTree.Element:
    link = ElementTree.Element("a", {"href": href, "class": css})
    if title:
        link.set("title", title)
    link.text = text
    return link


class _Citation(InlineProcessor):
    def handleMatch(self, m, data):
        span = ElementTree.Element("span", {"class": "cite"})
        keys = [key.strip().removeprefix("@") for key in m[1].split(";")]
        last = None
        for key in keys:
            entry = current.facts.references.get(key)
            if entry is None:
                current.mend(
                    f"@{key}",
                    f"citation of unknown reference '{key}'",
                    "add it to data/references.bib or correct the key",
                )
                continue
            year = entry.fields.get("year", "")
            text = authors(entry, current.language)
            separator = "，" if current.language == "zh" else ", "
            link = _link(
                f"/reference/bibliography.md#{key}",
                f"{text}{separator}{year}" if year else text,
                "cite__link",
                plain(entry.fields.get("title", "")),
            )
            if last is not None:
                last.tail = "；" if current.language == "zh" else "; "
            span.append(link)
            last = link
        return span, m.start(0), m.end(0)


class _Reference(InlineProcessor):
    def handleMatch(self, m, data):
        kind, name, field = m[1], m[2], m[3]
        known = {
            "q": (current.facts.questions, "data/questions/"),
            "m": (current.facts.models, "data/models/"),
            "c": (current.facts.errata, "data/errata.yml"),
            "d": (current.facts.datasets, "data/datasets.yml"),
            "r": (current.facts.results, "data/results/"),
        }
        entries, place = known[kind]
        entry = entries.get(name)
        if entry is None:
            current.mend(
                f"{kind}:{name}", f"reference to unknown {kind}:{name}", f"add it to {place} or correct the id"
            )
            return "", m.start(0), m.end(0)
        if kind == "q":
            element = _link(f"/interview/q/{name}.md", facts.title(entry, current.language), "ref ref--question")
        elif kind == "c":
            label = "勘误" if current.language == "zh" else "Erratum"
            element = _link(f"/reference/errata.md#{name.lower()}", f"{label} {name}", "ref ref--erratum")
        elif kind == "d":
            element = _link(f"/reference/datasets.md#{name}", entry["name"], "ref ref--dataset")
        elif kind == "r":
            if field not in entry["figures"]:
                current.mend(
                    f"{name}.{field}",
                    f"lab '{name}' recorded no figure '{field}'",
                    f"data/results/{name}.json has the names",
                )
                return "", m.start(0), m.end(0)
            element = ElementTree.Element("span", {"class": "fact fact--measured"})
            element.text = facts.spread(entry["figures"][field])
        elif field is None:
            element = _link(f"/models/m/{name}.md", entry["name"], "ref ref--model")
        else:
            value = (entry.get("facts") or {}).get(field)
            if value is None:
                current.mend(
                    f"{name}.{field}",
                    f"model '{name}' has no fact '{field}'",
                    f"add it to data/models/{name}.yml or correct the name",
                )
                return "", m.start(0), m.end(0)
            element = ElementTree.Element("span", {"class": f"fact fact--{value['state']}"})
            element.text = facts.value_text(value["value"], current.language)
        return element, m.start(0), m.end(0)
