"""Bad input: one line with file, line, what and what to do; exit status 1; the last good site untouched."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from book_fixture import build

FUSION = "docs/zh/principles/fusion.md"


def tree_hash(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            total.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    def damage(book: Path) -> None:
        text = (book / name).read_text("utf-8")
        assert old in text
        (book / name).write_text(text.replace(old, new, 1), "utf-8")

    return damage


def remove(name: str) -> Callable[[Path], None]:
    return lambda book: (book / name).unlink()


def write(name: str, data: bytes) -> Callable[[Path], None]:
    return lambda book: (book / name).write_bytes(data)


BAD_RESULTS = f'{{"stamp": "{"0" * 64}", "seeds": [], "figures": {{}}, "executed": "2026-01-01", "cpu_s": 1e-06, "versions": {{}}}}'
CASES = {
    "broken link": (replace(FUSION, "最简单的是拼接", "见[不在](nowhere.md)"), rf"{FUSION}:7: link 'nowhere.md': .+; "),
    "broken anchor": (
        replace("docs/en/index.md", "fusion.md#operators", "fusion.md#opperators"),
        r"docs/en/index.md:7: link 'principles/fusion.md#opperators': .+anchor.+; ",
    ),
    "broken link in a question": (
        replace("data/questions/q1/en.md", "/principles/fusion.md#operators", "/principles/none.md"),
        r"data/questions/q1/en.md:9: link '/principles/none.md': .+; ",
    ),
    "missing twin": (
        remove("docs/en/principles/fusion.md"),
        rf"{FUSION}: has no twin docs/en/principles/fusion.md; write",
    ),
    "missing Chinese twin": (remove(FUSION), rf"docs/en/principles/fusion.md: has no twin {FUSION}; write"),
    "duplicate id": (
        replace(FUSION, "```python", "## 又一节 { #operators }\n\n```python"),
        rf"{FUSION}:26: duplicate id 'operators'; give",
    ),
    "data against its schema": (
        replace("data/errata.yml", "verdict: imprecise", "verdict: maybe"),
        r"data/errata.yml:5: 0/verdict: 'maybe' is not one of .+; see",
    ),
    "data that is not YAML": (
        replace("data/glossary.yml", "- id: cross", "- id: [cross"),
        r"data/glossary.yml:\d+: is not YAML .+; mend",
    ),
    "duplicate id in data": (
        lambda book: (book / "data/glossary.yml").write_text(
            (book / "data/glossary.yml").read_text("utf-8") * 2, "utf-8"
        ),
        r"data/glossary.yml:9: duplicate id 'cross-attention'; give",
    ),
    "bibliography that does not parse": (
        replace("data/references.bib", "title = {{On Fusion}},", "title = {{On Fusion},"),
        r"data/references.bib(:\d+)?: BibTeX does not parse .+; mend",
    ),
    "data with an unknown source": (
        replace("data/errata.yml", "sources: [doe2020fusion]", "sources: [nobody2020]"),
        r"data/errata.yml:7: unknown source 'nobody2020'; add",
    ),
    "citation without an entry": (
        replace("docs/en/principles/fusion.md", "[@doe2020fusion]", "[@nobody2020]"),
        r"docs/en/principles/fusion.md:7: citation of unknown reference 'nobody2020'; add",
    ),
    "reference to an unknown question": (
        replace(FUSION, "{{ q:q1 }}", "{{ q:q9 }}"),
        rf"{FUSION}:7: reference to unknown q:q9; add",
    ),
    "reference to an unknown lab's figure": (
        replace(FUSION, "{{ q:q1 }}", "{{ r:00-tiny.score }}"),
        rf"{FUSION}:7: reference to unknown r:00-tiny; add it to data/results/",
    ),
    "results against their schema": (
        lambda book: ((book / "data/results").mkdir(), (book / "data/results/00-tiny.json").write_text(BAD_RESULTS)),
        r"data/results/00-tiny.json:1: seeds: \[\] should be non-empty; see",
    ),
    "reference to an unknown data set": (
        replace("docs/zh/principles/index.md", "{{ d:toy-vqa }}", "{{ d:none }}"),
        r"docs/zh/principles/index.md:9: reference to unknown d:none; add it to data/datasets.yml",
    ),
    "a data set's fact with an unknown source": (
        replace("data/datasets.yml", "40 images}, source: doe2020fusion", "40 images}, source: nobody2020"),
        r"data/datasets.yml:7: unknown source 'nobody2020'; add",
    ),
    "a prediction that is judged before it is": (
        replace("data/predictions.yml", "state: failed", "state: open"),
        r"data/predictions.yml:1: 0: .+; see",
    ),
    "list of an unknown kind": (
        replace("docs/zh/principles/index.md", "{{ predictions:list }}", "{{ predictions:lots }}"),
        r"docs/zh/principles/index.md:13: no list is called 'predictions:lots'; see",
    ),
    "bad TeX": (
        replace("docs/en/principles/fusion.md", "y = W h + b", r"y = \frac{W"),
        r"docs/en/principles/fusion.md:14: formula `y = \\frac\{W` is not valid TeX .+; mend",
    ),
    "missing figure": (
        replace(FUSION, "figure:fusion-two", "figure:fusion-none"),
        rf"{FUSION}:24: figure 'fusion-none' does not exist; draw",
    ),
    "missing figure in a post, of which the blog makes an excerpt": (
        replace("docs/zh/blog/posts/first.md", "<!-- more -->", "![一](figure:fusion-none)\n\n<!-- more -->"),
        r"figure 'fusion-none' does not exist; draw",
    ),
    "forbidden element in a figure": (
        replace("docs/assets/figures/fusion-two.svg", "<path", "<script>alert(1)</script><path"),
        r"docs/assets/figures/fusion-two.svg:4: <script> is not allowed in a figure; see",
    ),
    "front matter that does not parse": (
        replace("docs/en/principles/fusion.md", "description: How", "description: a: b: How"),
        r"docs/en/principles/fusion.md:2: front matter does not parse .+; mend",
    ),
    "unreadable page": (
        write("docs/zh/index.md", b"---\ndescription: x\n---\n# \xb0\xa1\n"),
        r"docs/zh/index.md:4: is not UTF-8 text; save",
    ),
    "navigation names no page": (
        replace("mkdocs.yml", "principles/fusion.md", "principles/fussion.md"),
        r"mkdocs.yml:\d+: the navigation names 'principles/fussion.md', which does not exist; write",
    ),
    "stale notebook": (
        replace("notebooks/src/00-tiny.py", "1 + 1", "1 + 2"),
        r"notebooks/src/00-tiny.py:1: stale: .+; run \"make labs\"",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_named_and_loses_nothing(book: Path, name: str):
    damage, expected = CASES[name]
    before = tree_hash(book / "site")
    damage(book)
    done = build(book)
    assert done.returncode == 1, done.stdout
    lines = [line for line in done.stdout.split("\n") if re.search(expected, line)]
    assert lines, done.stdout
    assert len(lines) == 1, "the same problem is told twice"
    assert "Traceback" not in done.stdout
    assert tree_hash(book / "site") == before
    assert sorted(p.name for p in book.iterdir() if p.name.startswith(".site")) == []


def test_all_problems_are_told_at_once(book: Path):
    for name in ("broken link", "citation without an entry", "missing figure"):
        CASES[name][0](book)
    done = build(book)
    assert all(
        re.search(CASES[name][1], done.stdout)
        for name in ("broken link", "citation without an entry", "missing figure")
    ), done.stdout


def test_without_npm_packages_one_line_says_what_to_run(book: Path):
    (book / "node_modules").unlink()
    done = build(book)
    assert done.returncode == 1
    assert "the npm package 'katex' is not installed; run `make setup`, or `npm ci`" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_build_without_strict_fails_the_same(book: Path):
    CASES["broken link"][0](book)
    before = tree_hash(book / "site")
    assert build(book, "--no-strict").returncode == 1
    assert tree_hash(book / "site") == before
