"""What `python -m tools check` says of prose: numbers without a source, and terms written another way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from . import ROOT  # noqa: F401  (puts hooks/ on the path)
from book.data import Facts, load
from book.parity import prose_of
from book.paths import DATA, DOCS, relative
from book.problems import Problem
from book.source import Source

#: A number that is a fact about the world: a year, or a quantity with its unit.
NUMBER = re.compile(
    r"(?<![\w.$/-])(?:19|20)\d\d 年"
    r"|\d[\d,.]*\s*(?:%|个百分点|万|亿|倍|[KMGT]i?B\b|B\b|M\b|[TG]FLOP|小时|毫秒|秒|ms\b|k?Hz\b)"
)
HIDDEN = re.compile(r"\$\$.+?\$\$|\$[^$\n]+\$|`[^`]*`|!\[[^\]]*\]\([^)]*\)", re.S)
#: What stands for a source: a citation, a fact from data/, a link to where it is treated.
SOURCE = re.compile(r"\[@|\{\{ *[a-z]+:|\]\([^)#][^)]*\)")
BOX = re.compile(r"(?:!!!|\?\?\?\+?) +(\w+)")
SENTENCE = re.compile(r"(?<=[。！？；])")
LIST = re.compile(r"\s*(?:[|\-*]|\d+\. )")
EXCEPTIONS = DATA / "uncited.yml"


def _blocks(source: Source) -> Iterator[tuple[int, str, str]]:
    """Line and text of each paragraph, list item and table row, and what else may carry its source: of a row, the
    table's head and the paragraph above. Boxes of worked examples and questions are left out."""
    text = HIDDEN.sub(lambda match: "\n" * match[0].count("\n") + "·", prose_of(source.body))
    box, above, line = False, "", source.body_line
    for block in re.split(r"(\n\s*\n)", text):
        if block.strip():
            if found := BOX.match(block.strip()):
                box = found[1] in ("example", "question")
            elif not block.startswith("    "):
                box = False
            rows = block.split("\n") if LIST.match(block.lstrip("\n")) else [block]
            table = block.lstrip().startswith("|")
            for offset, row in enumerate(rows):
                if not box:
                    yield line + offset, row, f"{above}\n{rows[0]}" if table else ""
            above = block
        line += block.count("\n")


def uncited(source: Source) -> Iterator[tuple[int, str]]:
    """Line and sentence of each number in a Chinese page that no source stands beside."""
    for line, block, around in _blocks(source):
        if not SOURCE.search(block + around):
            for sentence in SENTENCE.split(block):
                if NUMBER.search(sentence):
                    yield line, " ".join(sentence.split())


def without_source(pages: Iterable[Source]) -> Iterator[Problem]:
    """Numbers without a source that data/uncited.yml does not except, and exceptions that except nothing."""
    known = (load(EXCEPTIONS, "uncited") if EXCEPTIONS.exists() else None) or {}
    for source in pages:
        page = source.path.relative_to(DOCS / "zh").as_posix()
        allowed = dict.fromkeys((known.get(page) or {}).keys(), False)
        for line, sentence in uncited(source):
            reasons = [words for words in allowed if words in sentence]
            for words in reasons:
                allowed[words] = True
            if not reasons:
                what = f"a number without a source: “{sentence[:60]}”"
                yield Problem(relative(source.path), line, what, "cite it, or except it in data/uncited.yml")
        for words, used in allowed.items():
            if not used:
                yield Problem("data/uncited.yml", 0, f"{page}: “{words}” excepts nothing", "take it out")


def other_words(facts: Facts, pages: Iterable[tuple[str, Source]]) -> Iterator[Problem]:
    """Places where a term is called what the glossary says it is not called here (`zh_avoid`, `en_avoid`)."""
    for language, source in pages:
        text = prose_of(source.body)
        bare = re.sub(
            r"`[^`]*`|“[^”]*”|\"[^\"]*\"|\]\([^)]*\)|\[@[^\]]*\]|\{[^}\n]*\}", lambda m: "·" * len(m[0]), text
        )
        for term in facts.glossary.values():
            for form in term.get(f"{language}_avoid") or []:
                edge = r"\b" if form.isascii() else ""
                if found := re.search(edge + re.escape(form) + edge, bare, re.I):
                    line = source.body_line + text[: found.start()].count("\n")
                    yield Problem(
                        relative(source.path), line, f"“{found[0]}”", f"the glossary calls it “{term[language]}”"
                    )
