"""Makes notebooks/<language>/*.ipynb pages of the book, at /labs/<slug>/.

mkdocs-jupyter makes a notebook a page of the site. Its cells are turned into Markdown here and take
the same way as prose does, so that a notebook's page has the theme's own
markup, real heading ids, rendered formulas, checked links and clean search entries.
"""

from __future__ import annotations

import base64
import json
import re
from html import escape
from pathlib import Path
from posixpath import normpath

from book import current
from book.paths import NOTEBOOKS, ROOT
from book.problems import problems
from mkdocs.plugins import CombinedEvent, event_priority
from mkdocs.structure.files import File

TEXT = {
    "zh": {"output": "输出", "figure": "代码单元 {} 画出的图", "solution": "参考答案", "setup": "检查环境的代码"},
    "en": {
        "output": "Output",
        "figure": "Figure drawn by code cell {}",
        "solution": "Solution",
        "setup": "Code that checks the environment",
    },
}
#: What mmlab.plots draws text and axes with; the page has the figure once for light and once for dark.
INK = "var(--fig-ink, #7b7b7b)"
INKS = {"light": "#4a4a4a", "dark": "#c8c8c8"}
_HEADING = re.compile(r"^(#{1,6}) +(.+?) *$", re.M)
_FENCE = re.compile(r"^(```|~~~).*?^\1 *$", re.S | re.M)
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_LINK = re.compile(r"\]\(([^)\s#:]+?)\.(?:md|ipynb)(#[^)\s]+)?\)")  # to a page, not to another site


def _paths() -> list[Path]:
    return sorted((NOTEBOOKS / current.language).glob("*.ipynb"))


@event_priority(100)  # before mkdocs-jupyter's own on_files
def _add(files, config):
    from tools import notebook_stamps  # on the path since on_startup, see bilingual.py

    for path in _paths():
        files.append(File.generated(config, f"labs/{path.name}", abs_src_path=str(path)))
    if current.language == "zh":
        for line in notebook_stamps.all_stale():
            place, _, what = line.partition(": ")
            name, _, number = place.rpartition(":")
            what, _, todo = what.rpartition("; ")
            problems.add(ROOT / name, int(number), what, todo)
    return files


@event_priority(-100)  # after it: its wrapper forgets where the file is
def _locate(files, config):
    for path in _paths():
        uri = f"labs/{path.name}"
        files.get_file_from_path(uri).abs_src_path = str(path)
        current.sources[uri] = NOTEBOOKS / "src" / f"{path.stem}.py"
    return files


on_files = CombinedEvent(_add, _locate)


@event_priority(-100)
def on_pre_page(page, config, files):
    if page.file.src_uri.endswith(".ipynb"):
        del page.render  # mkdocs-jupyter's own; Page's takes its place again
    return page


@event_priority(90)
def on_page_markdown(markdown, page, config, files):
    if not page.file.src_uri.endswith(".ipynb"):
        return markdown
    notebook = json.loads(markdown)
    facts = notebook["metadata"]["mmlab"]
    page.meta.update(description=facts["description"], template="notebook.html", notebook=facts)
    page.images = {}
    return "\n\n".join(_cell(cell, number, page) for number, cell in enumerate(notebook["cells"], 1))


def _cell(cell: dict, number: int, page) -> str:
    source = "".join(cell["source"])
    tags = cell["metadata"].get("tags", [])
    if cell["cell_type"] == "markdown":
        text = _with_ids(source, list(cell["metadata"].get("ids", [])))
    else:
        text = f"````python\n{source}\n````\n\n{_outputs(cell, number, page)}"
    for tag in ("solution", "setup"):
        if tag in tags:
            title = TEXT[current.language][tag]
            return f'<details class="{tag}" markdown="1">\n<summary>{title}</summary>\n\n{text}\n\n</details>'
    return text


def _with_ids(source: str, ids: list[str]) -> str:
    """Markdown whose headings carry the ids that stand in the cell's metadata."""
    hidden = [m.span() for m in _FENCE.finditer(source)]

    def one(match: re.Match) -> str:
        if any(start <= match.start() < end for start, end in hidden) or not ids:
            return match[0]
        return f"{match[1]} {match[2]} {{ #{ids.pop(0)} }}"

    return _HEADING.sub(one, source)


def _outputs(cell: dict, number: int, page) -> str:
    text, parts = TEXT[current.language], []
    for output in cell["outputs"]:
        data = output.get("data", {})
        kind = next((kind for kind in ("image/svg+xml", "image/png") if kind in data), None)
        if kind:
            said = output.get("metadata", {}).get(kind, {}).get("alt") or text["figure"].format(number)
            parts.append(_picture(kind, "".join(data[kind]), f"cell-{number}-{len(page.images)}", said, page))
        else:
            plain = "".join(output.get("text", data.get("text/plain", output.get("traceback", ""))))
            if plain.strip():
                parts.append(f'<pre tabindex="0">{escape(_ANSI.sub("", plain.rstrip()))}</pre>')
    if not parts:
        return ""
    return f'<div class="nb-output" role="group" aria-label="{text["output"]} {number}" data-search-exclude>{"".join(parts)}</div>'


def _picture(kind: str, content: str, name: str, said: str, page) -> str:
    alt = escape(said, quote=True)
    if kind == "image/png":
        page.images[f"{name}.png"] = base64.b64decode(content)
        return f'<img src="{name}.png" alt="{alt}" loading="lazy">'
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', content)
    shape = f' width="{float(size[1]):.0f}" height="{float(size[2]):.0f}"' if size else ""
    parts = []
    for scheme, ink in INKS.items():
        page.images[f"{name}-{scheme}.svg"] = content.replace(INK, ink).encode()
        parts.append(f'<img class="only-{scheme}" src="{name}-{scheme}.svg" alt="{alt}"{shape} loading="lazy">')
    return "".join(parts)


@event_priority(-100)
def on_post_page(output, page, config):
    """Writes the page's figures, and the notebook for download with links that lead back to the site."""
    if page.file.src_uri.endswith(".ipynb"):
        folder = Path(page.file.abs_dest_path).parent
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in page.images.items():
            (folder / name).write_bytes(content)
        source = Path(page.file.abs_src_path)
        notebook = json.loads(source.read_text("utf-8"))
        for cell in notebook["cells"]:
            if cell["cell_type"] == "markdown":
                cell["source"] = _LINK.sub(
                    lambda m: f"]({_address(m[1], config)}{m[2] or ''})", "".join(cell["source"])
                )
            elif repository := config.extra["repo_url"]:
                cell["source"] = "".join(cell["source"]).replace('REPO = ""', f"REPO = {json.dumps(repository)}", 1)
        text = json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"
        (folder / source.name).write_text(text, "utf-8")
    return output


def _address(link: str, config) -> str:
    return config.site_url + normpath(f"labs/{link}").removesuffix("index").rstrip("/") + "/"
