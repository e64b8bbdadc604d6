"""`python -m tools`: what maintainers run.

check   everything that can be wrong with prose, data and translations, a line each (exit status 1)
stamp   records on pages that were changed the day, and on English ones that they are up to date with the Chinese text,
        after you made them so
"""

from __future__ import annotations

import argparse
import re
import sys
from datetime import date
from pathlib import Path

from . import ROOT  # noqa: F401  (puts hooks/ on the path)
from book.data import Facts
from book.parity import compare, page_problems
from book.paths import DATA, DOCS, LANGUAGES, relative
from book.problems import BadInput, Problem, problems
from book.source import Source, read_source

from . import notebook_stamps as notebooks
from . import prose


def pairs() -> list[tuple[Source, Source]]:
    """Every page and question with its twin; a missing one is reported."""
    found = []
    places = [
        (DOCS / "zh" / path.relative_to(DOCS / "zh"), DOCS / "en" / path.relative_to(DOCS / "zh"))
        for path in sorted((DOCS / "zh").rglob("*.md"))
    ]
    places += [(path, path.with_name("en.md")) for path in sorted((DATA / "questions").glob("*/zh.md"))]
    for zh, en in places:
        try:
            if en.exists():
                found.append((read_source(zh), read_source(en)))
            else:
                problems.add(zh, 0, f"has no twin {relative(en)}", "write the page in the other language too")
        except BadInput as error:
            _add(error.problem)
    for en in sorted((DOCS / "en").rglob("*.md")):
        if not (DOCS / "zh" / en.relative_to(DOCS / "en")).exists():
            problems.add(en, 0, "has no Chinese twin", "write the page in the other language too")
    return found


def _add(problem: Problem) -> None:
    problems.add(problem.path, problem.line, problem.what, problem.todo)


def check() -> int:
    """Prints every problem; returns the exit status."""
    facts, every = Facts(), pairs()
    chapters = [zh for zh, _ in every if zh.path.is_relative_to(DOCS)]
    both = [(language, source) for pair in every for language, source in zip(LANGUAGES, pair, strict=True)]
    for problem in [*prose.without_source(chapters), *prose.other_words(facts, both)]:
        _add(problem)
    for zh, en in every:
        for problem in [*page_problems(zh), *page_problems(en), *compare(zh, en)]:
            _add(problem)
        if en.path.is_relative_to(DOCS):
            recorded = en.meta.get("source_hash")
            if recorded != zh.hash:
                what = "has no source_hash" if recorded is None else "is behind its Chinese page, which has changed"
                problems.add(en.path, 1, what, "bring it up to date, then run `python -m tools stamp`")
            elif not zh.meta.get("revised") or zh.meta["revised"] != en.meta.get("revised"):
                problems.add(
                    zh.path, 1, "has no day of revision, or not its twin's", "write the same `revised:` in both"
                )
        for source in (zh, en):
            if source.path.is_relative_to(DOCS) and not source.meta.get("description"):
                problems.add(source.path, 1, "has no description", "say in one sentence what the reader gets")
    stale = notebooks.all_stale()
    for line in [*map(str, sorted(problems)), *stale]:
        print(line)
    count = len(problems) + len(stale)
    print(f"{count} problem{'' if count == 1 else 's'}" if count else "prose, data, translations and notebooks agree")
    return 1 if count else 0


def stamp() -> int:
    """Writes each Chinese page's hash into its English twin's front matter, and the day of the change into both."""
    today = date.today().isoformat()
    for zh, en in pairs():
        if not en.path.is_relative_to(DOCS) or en.meta.get("source_hash") == zh.hash:
            continue
        _set(zh.path, "revised", today)
        _set(en.path, "revised", today)
        _set(en.path, "source_hash", zh.hash)
        print(f"{relative(en.path)}: up to date with {relative(zh.path)}")
    return 0


def _set(path: Path, name: str, value: str) -> None:
    """Gives a field of the page's front matter its value."""
    text, line = path.read_text("utf-8"), f"{name}: {value}\n"
    if re.search(rf"^{name}:.*\n", text, re.M):
        text = re.sub(rf"^{name}:.*\n", line, text, count=1, flags=re.M)
    elif text.startswith("---\n"):
        text = text.replace("\n---\n", f"\n{line}---\n", 1)
    else:
        text = f"---\n{line}---\n{text}"
    path.write_text(text, "utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["check", "stamp"])
    return {"check": check, "stamp": stamp}[parser.parse_args().command]()


if __name__ == "__main__":
    sys.exit(main())
