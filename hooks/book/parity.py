"""Compares a page with its twin: what a reader of either language must find in the same place.

Compared are headings (level and id), code, formulas, figures, tables, links, citations and
references, admonitions. Wording is not compared; that is the writers' work.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from .paths import relative
from .problems import Problem, line_of
from .source import Source

_FENCE = re.compile(
    r"^(?P<indent> *)(?P<mark>`{3,}|~{3,}) *(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)(?P=mark)[ \t]*$", re.S | re.M
)
_HEADING = re.compile(r"^(#{1,6}) +(.+?) *$", re.M)
_ID = re.compile(r"\{ *#([A-Za-z0-9_-]+)[^}]*\} *$")
_FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<![\\$])\$(?!\s)((?:\\.|[^$\\\n])+?)(?<!\s)\$(?!\d)", re.S)
_FIGURE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)")
_LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)(?: +\"[^\"]*\")?\)")
_CITE = re.compile(r"@([a-z0-9]+)(?=[\s;\]])")
_CITATION = re.compile(r"\[@[^\]]+\]")
_REFERENCE = re.compile(r"\{\{ *([^}]+?) *\}\}")
_ADMONITION = re.compile(r"^ *(!!!|\?\?\?\+?) +([a-z]+)", re.M)
_CODE_SPAN = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.S)
_COMMENT = re.compile(r"(?:#|//).*$", re.M)
_STRING = re.compile(r"(\"[^\"\n]*\"|'[^'\n]*')")
_HAN = re.compile(r"[\u3400-\u9fff]")
_QUOTED = re.compile(r"“[^”]*”|\"[^\"]*\"|‘[^’]*’|\([^()]*\)|「[^」]*」|《[^》]*》", re.S)


@dataclass
class Outline:
    """What is compared of one page."""

    headings: list[tuple[int, str]] = field(default_factory=list)
    code: list[tuple[str, str]] = field(default_factory=list)
    formulas: list[str] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)
    tables: list[tuple[int, int]] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    citations: list[str] = field(default_factory=list)
    references: list[str] = field(default_factory=list)
    admonitions: list[str] = field(default_factory=list)


def prose_of(body: str) -> str:
    """The body with its fenced code blanked out, line for line, so that line numbers stay true."""
    return _FENCE.sub(lambda match: "\n" * match[0].count("\n"), body)


def outline(source: Source) -> Outline:
    """What is compared of the page."""
    found = Outline()
    for match in _FENCE.finditer(source.body):
        body = _STRING.sub('""', _COMMENT.sub("", match["body"]))
        lines = (line.strip() for line in body.split("\n"))
        found.code.append((match["info"].strip(), "\n".join(line for line in lines if line)))
    prose = prose_of(source.body)
    for match in _HEADING.finditer(prose):
        name = _ID.search(match[2])
        found.headings.append((len(match[1]), name[1] if name else ""))
    found.admonitions = [f"{mark} {kind}" for mark, kind in _ADMONITION.findall(prose)]
    bare = _CODE_SPAN.sub(" ", prose)
    found.formulas = [re.sub(r"\s+", "", match[1] or match[2]) for match in _FORMULA.finditer(bare)]
    bare = _FORMULA.sub(" ", bare)
    found.figures = _FIGURE.findall(bare)
    found.links = _LINK.findall(bare)
    found.citations = [key for group in _CITATION.findall(bare) for key in _CITE.findall(group)]
    found.references = _REFERENCE.findall(bare)
    found.tables = list(_tables(prose))
    return found


def _tables(prose: str) -> Iterator[tuple[int, int]]:
    rows: list[str] = []
    for line in [*prose.split("\n"), ""]:
        if line.lstrip().startswith("|"):
            rows.append(line.strip())
        elif rows:
            # a bar inside code or a formula is not a column
            header = _FORMULA.sub("", _CODE_SPAN.sub("", rows[0])).replace("\\|", "")
            yield len(rows), header.count("|") - 1
            rows = []


def page_problems(source: Source) -> list[Problem]:
    """What is wrong with one page by itself: headings without an id, twice the same id, not one h1."""
    found = []

    def add(line: int, what: str, todo: str) -> None:
        found.append(Problem(relative(source.path), line + source.body_line - 1 if line else 0, what, todo))

    prose = prose_of(source.body)
    seen: dict[str, int] = {}
    top = []
    for match in _HEADING.finditer(prose):
        line = prose[: match.start()].count("\n") + 1
        name = _ID.search(match[2])
        if _FORMULA.search(_CODE_SPAN.sub("", match[2])):
            add(line, f"heading '{match[2]}' has a formula", "say it in words; the table of contents shows its source")
        if not name:
            add(line, f"heading '{match[2]}' has no id", "end it with { #kebab-case-id }")
        elif name[1] in seen:
            add(
                line, f"duplicate id '{name[1]}'", f"line {seen[name[1]] + source.body_line - 1} has it too; rename one"
            )
        else:
            seen[name[1]] = line
        if len(match[1]) == 1:
            top.append(line)
    if len(top) != 1:
        add(top[1] if top else 1, f"has {len(top)} first-level headings", "write exactly one `# heading`")
    return found


def compare(zh: Source, en: Source) -> list[Problem]:
    """Where the English page differs in structure from the Chinese one. Lines are the English page's."""
    one, two = outline(zh), outline(en)
    found: list[Problem] = []
    text = en.path.read_text("utf-8")

    def add(line: int, what: str, todo: str) -> None:
        found.append(Problem(relative(en.path), line, what, todo))

    def sequence(name: str, ours: list, theirs: list, show) -> None:
        for index in range(max(len(ours), len(theirs))):
            a = ours[index] if index < len(ours) else None
            b = theirs[index] if index < len(theirs) else None
            if a != b:
                place = line_of(text, show(b)[1]) if b is not None else 0
                chinese = show(a)[0] if a is not None else "nothing"
                english = show(b)[0] if b is not None else "nothing"
                add(place, f"{name} {index + 1} is {english}, in Chinese {chinese}", "make the two pages agree")
                return

    def multiset(name: str, ours: Iterable[str], theirs: Iterable[str]) -> None:
        missing, extra = Counter(ours) - Counter(theirs), Counter(theirs) - Counter(ours)
        for item in missing:
            add(0, f"lacks the {name} `{item[:70]}` of the Chinese page", "make the two pages agree")
        for item in extra:
            add(
                line_of(text, item),
                f"has a {name} `{item[:70]}` that the Chinese page lacks",
                "make the two pages agree",
            )

    sequence("heading", one.headings, two.headings, lambda h: (f"'{'#' * h[0]} #{h[1]}'", f"#{h[1]} "))
    sequence(
        "code block", one.code, two.code, lambda c: (f"'{c[1][:40]}' ({c[0] or 'plain'})", c[1].split("\n")[0][:30])
    )
    sequence("figure", one.figures, two.figures, lambda f: (f"'{f}'", f))
    sequence("table", one.tables, two.tables, lambda t: (f"{t[0]} × {t[1]}", "|"))
    sequence("admonition", one.admonitions, two.admonitions, lambda a: (f"'{a}'", a))
    multiset("formula", one.formulas, two.formulas)
    multiset("link", one.links, two.links)
    multiset("citation", one.citations, two.citations)
    multiset("reference", one.references, two.references)
    plain = _CODE_SPAN.sub(" ", prose_of(en.body))
    plain = _QUOTED.sub(lambda m: "\n" * m[0].count("\n"), _FIGURE.sub(" ", plain))
    for number, line in enumerate(plain.split("\n"), en.body_line):
        if not line.lstrip().startswith(">") and (han := _HAN.search(line)):
            add(
                number,
                f"Chinese text in the English page near '{line[max(0, han.start() - 15) : han.start() + 15].strip()}'",
                "translate it, or set it as `code`, in quotation marks or in parentheses",
            )
            break
    return found
