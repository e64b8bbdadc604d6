"""Sets every formula with KaTeX while building: readers get HTML and MathML, and no script.

It works on the finished page, after the search index was made, so that the index holds TeX once and
not its glyphs twice. KaTeX's fonts are cut to the glyphs that the site uses.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
import subprocess
from functools import cache
from pathlib import Path

from book import current
from book.glyphs import GlyphUse
from book.node import node, package
from book.paths import CACHE, ROOT
from book.problems import line_of, problems
from book.source import read_text
from fontTools import subset
from fontTools.ttLib import TTFont
from mkdocs.plugins import event_priority

FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>(?P<after>[，。；：、？！）”]?)', re.S)
SHORT = 24  # characters of TeX: such a formula fits on a phone's line
STYLESHEET = "assets/katex/katex.css"
_FACE = re.compile(r"@font-face\{.*?\}", re.S)
_FAMILY = re.compile(r"url\(fonts/(KaTeX_[\w-]+)\.woff2\)")

_renderer: subprocess.Popen | None = None
_glyphs = GlyphUse()


@event_priority(60)
def on_config(config):
    package("katex")
    return config


@cache
def render(tex: str, display: bool) -> tuple[str, str | None]:
    """The formula's HTML, and KaTeX's complaint if it is not valid TeX."""
    global _renderer
    if _renderer is None or _renderer.poll() is not None:
        _renderer = subprocess.Popen(
            [node(), str(ROOT / "hooks" / "katex.cjs"), str(package("katex"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
    _renderer.stdin.write(json.dumps({"tex": tex, "display": display}) + "\n")
    _renderer.stdin.flush()
    answer = json.loads(_renderer.stdout.readline())
    _glyphs.feed(answer.get("html", ""))
    return answer.get("html", ""), answer.get("error")


@event_priority(-50)
def on_post_page(output, page, config):
    def one(match: re.Match) -> str:
        tex = html.unescape(match[3]).strip()
        rendered, error = render(tex, match[2] == "[")
        if error:
            path = current.source_of(page.file.src_uri)
            problems.add(
                path,
                line_of(read_text(path), tex),
                f"formula `{tex[:60]}` is not valid TeX ({error})",
                "mend the formula",
            )
            return match[0]
        if match[2] == "[":
            return f'<div class="formula" tabindex="0">{rendered}</div>{match["after"]}'
        if match["after"] and len(tex) <= SHORT:  # browsers break a line between a formula and its full stop
            return f'<span class="formula-end">{rendered}{match["after"]}</span>'
        return rendered + match["after"]

    return FORMULA.sub(one, output)


def on_page_context(context, page, config, nav):
    """The template links the style sheet only where there is a formula."""
    context["has_formulas"] = 'class="arithmatex"' in (page.content or "")
    return context


@event_priority(50)
def on_post_build(config) -> None:
    site = Path(config.site_dir)
    dist = package("katex") / "dist"
    css = (dist / "katex.min.css").read_text("utf-8")
    kept = []
    for face in _FACE.findall(css):
        family = _FAMILY.search(face)[1]
        if name := _cut(dist / "fonts" / f"{family}.woff2", site / "assets" / "katex"):
            kept.append(re.sub(r"src:[^}]*", f'src:url({name}) format("woff2")', face))
    target = site / STYLESHEET
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("".join(kept) + _FACE.sub("", css), "utf-8")


def _cut(font: Path, folder: Path) -> str | None:
    """Writes the font with the site's glyphs only; returns its file name, or None if none of it is used."""
    wanted = "".join(sorted(_glyphs.used.get(font.stem.removeprefix("KaTeX_"), ())))
    if not wanted:
        return None
    key = hashlib.sha256(f"{font.name} {font.stat().st_size} {wanted}".encode()).hexdigest()[:8]
    cached = CACHE / "katex" / f"{font.stem}-{key}.woff2"
    if not cached.exists():
        cached.parent.mkdir(parents=True, exist_ok=True)
        options = subset.Options(flavor="woff2", layout_features=[], hinting=False, name_IDs=[])
        ttf = TTFont(font)
        cutter = subset.Subsetter(options)
        cutter.populate(text=wanted)
        cutter.subset(ttf)
        subset.save_font(ttf, cached, options)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / cached.name).write_bytes(cached.read_bytes())
    return cached.name


def on_shutdown() -> None:
    if _renderer is not None:
        _renderer.stdin.close()
        _renderer.wait()
