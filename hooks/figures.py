"""Puts `![alt](figure:id "caption")` into the page: docs/assets/figures/<id>.svg, inlined, in the page's language.

Where overrides/assets/try/<id>.js exists, the reader can move the figure; without script it stays as it is drawn.
"""

from __future__ import annotations

import re
from functools import cache
from html import escape
from xml.etree import ElementTree

from book import current
from book.paths import FIGURES, LANGUAGES, OVERRIDES
from book.problems import line_of, problems
from book.source import read_text
from markdown import Extension
from markdown.treeprocessors import Treeprocessor
from mkdocs.plugins import event_priority

SVG = "{http://www.w3.org/2000/svg}"
FORBIDDEN = {"defs", "marker", "script", "foreignObject", "style", "image", "a", "use"}
#: The look comes from the style sheet.
STRIPPED = {"style", "id", "font-family", "font-size"}
ElementTree.register_namespace("", SVG[1:-1])


@event_priority(80)
def on_config(config):
    config.markdown_extensions.append(_Figures())
    return config


class _Figures(Extension):
    def extendMarkdown(self, md) -> None:
        # after inline parsing (20) and attr_list (8), before links are resolved (0)
        md.treeprocessors.register(_Inline(md), "figures", 4)


class _Inline(Treeprocessor):
    def run(self, root):
        for parent in root.iter():
            for index, child in enumerate(parent):
                images = (
                    [child]
                    if child.tag == "img"
                    else list(child)
                    if child.tag == "p" and len(child) == 1 and not (child.text or "").strip()
                    else []
                )
                if len(images) == 1 and images[0].tag == "img" and images[0].get("src", "").startswith("figure:"):
                    image = images[0]
                    html = figure(image.get("src")[7:], image.get("alt", ""), image.get("title", ""))
                    block = ElementTree.Element("p")
                    block.text = self.md.htmlStash.store(html)
                    block.tail = child.tail
                    parent[index] = block


def figure(name: str, alt: str, caption: str) -> str:
    """The figure's HTML. A missing file, alternative text or class is reported as a problem."""
    path = FIGURES / f"{name}.svg"
    if not path.exists():
        current.mend(
            f"figure:{name}",
            f"figure '{name}' does not exist",
            f"draw docs/assets/figures/{name}.svg or correct the name",
        )
        return ""
    if not alt.strip():
        current.mend(
            f"figure:{name}",
            f"figure '{name}' has no text alternative",
            "say in the brackets what the figure shows",
        )
    svg, width, wrong = _svg(name, current.language, path.stat().st_mtime_ns)
    for line, what, todo in wrong:  # in every build, not only the one that read the file
        problems.add(path, line, what, todo)
    label = escape(alt, quote=True)
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    wide = " figure--wide" if width > 400 else ""
    moves = f' data-try="{name}"' if (OVERRIDES / "assets" / "try" / f"{name}.js").exists() else ""
    return f'<figure class="figure{wide}" id="figure-{name}"{moves}>{svg}{below}</figure>'


@cache
def _svg(name: str, language: str, modified: int) -> tuple[str, float, list[tuple[int, str, str]]]:
    """The SVG in the language, its width, and what is wrong with the file: line, what, what to do."""
    text = read_text(FIGURES / f"{name}.svg")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        return "", 0, [(error.position[0], f"is not XML ({error.msg})", "mend the SVG")]
    arrows, wrong = False, []
    for element in root.iter():
        tag = element.tag.removeprefix(SVG)
        if tag in FORBIDDEN:
            wrong.append(
                (line_of(text, f"<{tag}"), f"<{tag}> is not allowed in a figure", "see CONTRIBUTING.md, A figure")
            )
        for attribute in list(element.attrib):
            if attribute in STRIPPED or attribute.startswith("on"):
                del element.attrib[attribute]
        if "arrow" in element.get("class", "").split():
            element.set("marker-end", f"url(#arrow-{name})")
            arrows = True
        if element.text and " | " in element.text:
            element.text = element.text.split(" | ")[LANGUAGES.index(language)].strip()
    if arrows:
        defs = ElementTree.Element(f"{SVG}defs")
        marker = ElementTree.SubElement(
            defs,
            f"{SVG}marker",
            {
                "id": f"arrow-{name}",
                "viewBox": "0 0 8 8",
                "refX": "7",
                "refY": "4",
                "markerWidth": "7",
                "markerHeight": "7",
                "orient": "auto-start-reverse",
            },
        )
        ElementTree.SubElement(marker, f"{SVG}path", {"d": "M0 0.5 L8 4 L0 7.5 Z", "class": "head"})
        root.insert(0, defs)
    for attribute in ("width", "height"):
        root.attrib.pop(attribute, None)
    box = [float(number) for number in re.split(r"[ ,]+", root.get("viewBox", "0 0 380 200").strip())]
    return re.sub(r">\s+<", "><", ElementTree.tostring(root, encoding="unicode")), box[2], wrong
