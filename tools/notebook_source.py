"""What a lab notebook is made from: reads `notebooks/src/<slug>.py` and says where it breaks the rules.

Standard library and PyYAML only, because the site's build reads sources too and has neither torch nor Jupyter.

A source is in jupytext's percent format, with four additions:

- a Markdown cell says its language, and the ids of its headings:  `# %% [markdown] lang="zh" ids="padding masks"`
- a code line may belong to one language: `#zh| …` is a comment, `#zh> …` is code
- `{= expression =}` in prose is replaced by the value that the expression has at that place in the run
- a code cell with `needs="numpy torch"` is filled in from `notebooks/src/_setup.py`
"""

from __future__ import annotations

import io
import json
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
LANGUAGES = ("zh", "en")
DEFAULT_ENVIRONMENT = "labs"
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")

_MARK = re.compile(r"# %%(?:\s+(?P<rest>.*))?\Z")
_OPTION = re.compile(r'(\w[\w-]*)=("(?:[^"\\]|\\.)*"|\[[^\]]*\]|true|false|-?\d+)')
_OWN = re.compile(r"(?P<indent>\s*)#(?P<lang>zh|en)(?P<kind>[|>]) ?(?P<text>.*)\Z")
_FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.S | re.M)
_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*$", re.M)
VALUE = re.compile(r"\{=\s*(.+?)\s*=\}", re.S)
_HAN = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")


class SourceError(Exception):
    """A source that cannot be made into notebooks. Its text is one line: file:line: what."""

    def __init__(self, path: Path, line: int, what: str, root: Path = ROOT):
        shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
        super().__init__(f"{shown}:{line}: {what}")

    def __reduce__(self) -> tuple[Any, ...]:  # so that it can come back from another process
        return _error, (str(self),)


class SourceErrors(SourceError):
    """Several at once, a line each."""

    def __init__(self, errors: list[SourceError]):
        Exception.__init__(self, "\n".join(map(str, errors)))


def _error(text: str) -> SourceError:
    error = SourceError.__new__(SourceError)
    error.args = (text,)
    return error


@dataclass
class Cell:
    """One cell. `source` is the text after the mark; of a Markdown cell without its `# `."""

    kind: str  # "markdown" or "code"
    line: int  # of its `# %%` mark, from 1
    source: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def lang(self) -> str | None:
        return self.options.get("lang")

    @property
    def ids(self) -> list[str]:
        return str(self.options.get("ids", "")).split()

    @property
    def tags(self) -> list[str]:
        tags = self.options.get("tags", [])
        return tags.split() if isinstance(tags, str) else list(tags)

    @property
    def values(self) -> list[str]:
        """The expressions in the prose, in order."""
        return VALUE.findall(self.source) if self.kind == "markdown" else []

    @property
    def bilingual(self) -> bool:
        """Whether the cell's code or output depends on the language, so that it runs once for each."""
        return "both" in self.tags or any(m and m["kind"] == ">" for m in map(_OWN.match, self.source.split("\n")))

    def headings(self) -> list[tuple[int, str]]:
        if self.kind != "markdown":
            return []
        return [(len(m[1]), m[2]) for m in _HEADING.finditer(_FENCE.sub("", self.source))]

    def code(self, lang: str, comments: bool = True) -> str:
        """The cell's code in one language."""
        out = []
        for line in self.source.split("\n"):
            own = _OWN.match(line)
            if not own:
                out.append(line)
            elif own["lang"] == lang and own["kind"] == ">":
                out.append(own["indent"] + own["text"])
            elif own["lang"] == lang and comments:
                out.append(f"{own['indent']}# {own['text']}".rstrip())
        return "\n".join(out)


@dataclass
class Source:
    """A parsed `notebooks/src/<slug>.py`."""

    path: Path
    header: dict[str, Any]
    cells: list[Cell]
    root: Path = ROOT

    @property
    def slug(self) -> str:
        return self.path.stem

    @property
    def seeds(self) -> int:
        """How many seeds `make labs` runs it with: 0, 1, …"""
        return int(self.header.get("seeds", 1))

    @property
    def environment(self) -> str:
        """Which environment it runs in: the packages of `requirements/<environment>.txt`."""
        return str(self.header.get("environment", DEFAULT_ENVIRONMENT))

    @property
    def requirements(self) -> Path:
        return self.root / "requirements" / f"{self.environment}.txt"

    @property
    def headline(self) -> list[dict[str, Any]]:
        """The figures that a reader should see first: {figure: its name in the results, zh: …, en: …}."""
        return list(self.header.get("headline", []))

    def title(self, lang: str) -> str:
        return next(
            (text for c in self.cells if c.lang in (lang, None) for level, text in c.headings() if level == 1), ""
        )

    def description(self, lang: str) -> str:
        return str(self.header.get("description", {}).get(lang, "")).strip()

    def error(self, line: int, what: str) -> SourceError:
        return SourceError(self.path, line, what, self.root)


def read(path: Path, root: Path = ROOT) -> Source:
    """Parses a source. Raises SourceError where it is not well formed."""
    lines = path.read_text("utf-8").replace("\r\n", "\n").split("\n")
    at, header = 0, {}
    if lines[0].rstrip() == "# ---":
        end = next((i for i, text in enumerate(lines[1:], 1) if text.rstrip() == "# ---"), None)
        if end is None:
            raise SourceError(path, 1, "the header is not closed; end it with a line '# ---'", root)
        try:
            whole = yaml.safe_load("\n".join(text[2:] for text in lines[1:end])) or {}
            header = whole.get("jupyter", {}).get("mmlab", {})
        except (yaml.YAMLError, AttributeError) as error:
            line = getattr(getattr(error, "problem_mark", None), "line", 0) + 2
            raise SourceError(path, line, "the header is not YAML; mend it", root) from None
        at = end + 1
    cells: list[Cell] = []
    body: list[str] = []

    def close() -> None:
        if cells:
            cells[-1].source = "\n".join(body).strip("\n").rstrip()
        body.clear()

    for number, text in enumerate(lines[at:], at + 1):
        mark = _MARK.match(text.rstrip())
        if mark:
            close()
            rest = mark["rest"] or ""
            kind = "markdown" if re.match(r"\[(markdown|md)\]", rest) else "code"
            options = {key: json.loads(value) for key, value in _OPTION.findall(rest)}
            cells.append(Cell(kind, number, "", options))
        elif not cells:
            if text.strip():
                raise SourceError(path, number, "text before the first cell; begin cells with '# %%'", root)
        elif cells[-1].kind == "markdown":
            if text.strip() and not text.startswith("#"):
                raise SourceError(path, number, "a line of a Markdown cell begins with '# '", root)
            body.append(text[2:] if text.startswith("# ") else text[1:])
        else:
            body.append(text)
    close()
    if not cells:
        raise SourceError(path, 1, "no cells; begin them with '# %%'", root)
    return Source(path, header, cells, root)


# ---- what the two languages must have in common ---------------------------------------------------------------


def _prose(text: str) -> str:
    """Prose without code, mathematics and deliberate quotations."""
    text = _FENCE.sub("", text)
    return re.sub(r"`[^`]*`|\$\$.*?\$\$|\$[^$\n]+\$|“[^”]*”|\{=.*?=\}", "", text, flags=re.S)


_COMPARED = {  # what must be equal, and how it is found
    "formulas": re.compile(r"\$\$.+?\$\$|\$(?!\s)[^$\n]+?\$", re.S),
    "links": re.compile(r"\]\(([^)\s]+)\)"),
    "values": VALUE,
}


def _comments(code: str) -> Iterator[tuple[int, str]]:
    """(line, text) of the comments of Python code; none if it does not parse."""
    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
    except (tokenize.TokenError, SyntaxError):
        return


def problems(source: Source) -> list[SourceError]:
    """Everything in which a source breaks the rules of notebooks/README.md."""
    found: list[SourceError] = []

    def bad(line: int, what: str) -> None:
        found.append(source.error(line, what))

    if not SLUG.match(source.slug):
        bad(1, "the file's name is not a slug; use a-z, 0-9 and hyphens")
    for lang in LANGUAGES:
        if not source.description(lang):
            bad(1, f"the header has no description.{lang}; write what the reader gets")
        if sum(level == 1 for c in source.cells if c.lang in (lang, None) for level, _ in c.headings()) != 1:
            bad(1, f"the {lang} notebook needs exactly one '# ' heading")
    if not isinstance(source.header.get("seeds", 1), int) or source.seeds < 1:
        bad(1, "the header's seeds is not a number from 1")
    if not source.requirements.exists():
        bad(1, f"there is no requirements/{source.environment}.txt for the header's environment; write it")
    for one in source.header.get("headline", []):
        if not isinstance(one, dict) or set(one) != {"figure", *LANGUAGES}:
            bad(1, f"headline: {one} is not {{figure: …, zh: …, en: …}}")
    for lang in LANGUAGES:
        level = 0
        for cell in source.cells:
            for deeper, text in cell.headings() if cell.lang in (lang, None) else []:
                if "$" in text:
                    bad(
                        cell.line,
                        f"the heading {text!r} has a formula; say it in words, for the contents show its source",
                    )
                if deeper > level + 1:
                    bad(cell.line, f"the heading {text!r} skips a level; begin it with {'#' * (level + 1)}")
                level = deeper
    seen: Counter[str] = Counter()
    waiting: Cell | None = None  # a Chinese cell whose English one comes next
    for cell in source.cells:
        if cell.kind == "code":
            if waiting:
                bad(waiting.line, "this zh cell has no en cell after it; write it")
                waiting = None
            for number, text in enumerate(cell.source.split("\n"), cell.line + 1):
                own = _OWN.match(text)
                if own and own["lang"] == "en" and _HAN.search(own["text"]):
                    bad(number, "Chinese characters in an English line; move them to a shared or zh line")
            for _, text in _comments(cell.code("", comments=False)):
                if _HAN.search(text) or re.search(r"(?:[A-Za-z]{2,} ){3,}[A-Za-z]{2,}", text):
                    bad(
                        cell.line,
                        f"a comment in words, shared by both languages ({text[:30]}…); write it as '#zh|' and '#en|' lines",
                    )
            if {m["lang"] for m in map(_OWN.match, cell.source.split("\n")) if m} not in (set(), {"zh", "en"}):
                bad(cell.line, "lines for one language only; write the other's too")
            continue
        headings, ids = cell.headings(), cell.ids
        if len(headings) != len(ids):
            bad(cell.line, f'{len(headings)} headings but {len(ids)} ids; name one for each in ids="…"')
        if any(not SLUG.match(i) for i in ids):
            bad(cell.line, "an id is not kebab-case")
        if cell.lang != "en":
            seen.update(ids)
        if cell.lang in ("en", None) and _HAN.search(_prose(cell.source)):
            bad(
                cell.line,
                "Chinese characters in English or shared prose; set them as `code` or “quotation”, or translate them",
            )
        if cell.lang == "zh":
            if waiting:
                bad(waiting.line, "this zh cell has no en cell after it; write it")
            waiting = cell
        elif cell.lang == "en":
            if not waiting:
                bad(cell.line, "this en cell has no zh cell before it; write it")
                continue
            if [level for level, _ in waiting.headings()] != [level for level, _ in headings] or waiting.ids != ids:
                bad(cell.line, "headings or ids differ from the zh cell's; make them equal")
            for what, pattern in _COMPARED.items():
                if Counter(pattern.findall(waiting.source)) != Counter(pattern.findall(cell.source)):
                    bad(cell.line, f"{what} differ from the zh cell's; make them equal")
            if waiting.tags != cell.tags:
                bad(cell.line, "tags differ from the zh cell's; make them equal")
            waiting = None
        elif cell.lang is not None:
            bad(cell.line, f"lang={cell.lang!r} is not zh or en")
    if waiting:
        bad(waiting.line, "this zh cell has no en cell after it; write it")
    for name, times in seen.items():
        if times > 1:
            bad(1, f"the id {name!r} stands {times} times; ids are unique in a notebook")
    return found


def sources(root: Path = ROOT) -> list[Path]:
    """All notebook sources; a file whose name begins with `_` is not one."""
    return sorted(p for p in (root / "notebooks" / "src").glob("*.py") if not p.name.startswith("_"))


def notebook_path(slug: str, lang: str, root: Path = ROOT) -> Path:
    return root / "notebooks" / lang / f"{slug}.ipynb"
