"""The comparison of a page with its twin, on pages that differ in one thing."""

from __future__ import annotations

from pathlib import Path

import pytest
from book.parity import compare, outline, page_problems
from book.source import read_source

ZH = """---
description: 融合。
---
# 融合 { #fusion }

用 `concat` 得到 $h = [a; b]$，见[注意力](attention.md#gated) [@doe2020x] 和 {{ q:seed-1 }}。

## 算子 { #operators }

$$
y = W h
$$

| 名称 | 代价 |
| --- | --- |
| 拼接 | $O(d)$ |

!!! example "算一算"
    一加一。

![两个方框](figure:fusion-two "图")

```python
# 拼接
h = cat([a, b])  # 两路
```
"""
EN = """---
description: Fusion.
source_hash: x
---
# Fusion { #fusion }

`concat` gives $h = [a; b]$, see [attention](attention.md#gated) [@doe2020x] and {{ q:seed-1 }}.

## Operators { #operators }

$$
y = W h
$$

| Name | Cost |
| --- | --- |
| Concatenation | $O(d)$ |

!!! example "Worked"
    One and one.

![Two boxes](figure:fusion-two "A figure")

```python
# concatenate
h = cat([a, b])  # both
```
"""


def problems(tmp_path: Path, zh: str, en: str) -> list[str]:
    (tmp_path / "zh.md").write_text(zh, "utf-8")
    (tmp_path / "en.md").write_text(en, "utf-8")
    one, two = read_source(tmp_path / "zh.md"), read_source(tmp_path / "en.md")
    return [str(p) for p in [*page_problems(one), *page_problems(two), *compare(one, two)]]


def test_a_heading_has_no_formula(tmp_path):
    zh, en = (text.replace(f"## {old}", f"## {old} $W$") for text, old in ((ZH, "算子"), (EN, "Operators")))
    assert [line.split("; ")[1] for line in problems(tmp_path, zh, en)] == 2 * ["say it in words"], (
        "the contents would show its source"
    )


def test_equal_pages_have_no_problem(tmp_path):
    assert problems(tmp_path, ZH, EN) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "expected"),
    [
        ("## Operators { #operators }", "### Operators { #operators }", 9, "heading 2"),
        ("## Operators { #operators }", "## Operators { #ops }", 9, "heading 2"),
        ("$h = [a; b]$", "$h = [a, b]$", 0, "formula"),
        ("y = W h", "y = W x", 0, "formula"),
        ("attention.md#gated", "attention.md", 0, "link"),
        ("[@doe2020x]", "[@doe2020x; @roe2021y]", 0, "citation"),
        ("{{ q:seed-1 }}", "{{ q:seed-2 }}", 0, "reference"),
        ("figure:fusion-two", "figure:fusion-three", 0, "figure 1"),
        ("| Concatenation | $O(d)$ |", "| Concatenation | $O(d)$ |\n| Sum | $O(d)$ |", 0, "table 1"),
        ("!!! example", "!!! note", 0, "admonition 1"),
        ("h = cat([a, b])", "h = cat([b, a])", 0, "code block 1"),
        ("```python", "```text", 0, "code block 1"),
        ("One and one.", "One and 一.", 20, "Chinese text"),
    ],
)
def test_one_difference_is_named(tmp_path, old, new, line, expected):
    assert old in EN
    found = problems(tmp_path, ZH, EN.replace(old, new))
    assert found, "the difference was not seen"
    assert any(expected in problem for problem in found), found
    if line:
        assert any(f"en.md:{line}:" in problem for problem in found), found


def test_comments_and_strings_in_code_may_be_in_the_pages_language(tmp_path):
    zh = ZH.replace("h = cat([a, b])", 'print("拼接")\nh = cat([a, b])')
    en = EN.replace("h = cat([a, b])", 'print("concatenate")\nh = cat([a, b])')
    assert problems(tmp_path, zh, en) == []


def test_headings_need_ids_of_their_own(tmp_path):
    both = ZH.replace("## 算子 { #operators }", "## 算子"), EN.replace("## Operators { #operators }", "## Operators")
    assert any("zh.md:8: heading '算子' has no id" in p for p in problems(tmp_path, *both))
    both = ZH.replace("#operators", "#fusion"), EN.replace("#operators", "#fusion")
    assert any("en.md:9: duplicate id 'fusion'; line 5 has it too" in p for p in problems(tmp_path, *both))


def test_one_first_level_heading(tmp_path):
    both = ZH.replace("## 算子", "# 算子"), EN.replace("## Operators", "# Operators")
    assert any("has 2 first-level headings" in p for p in problems(tmp_path, *both))


def test_what_looks_like_markup_in_code_is_not_compared(tmp_path):
    zh = ZH + "\n```text\n# 不是标题 $x$ [a](b.md)\n```\n"
    en = EN + "\n```text\n# not a heading $y$ [a](c.md)\n```\n"
    (tmp_path / "a.md").write_text(zh, "utf-8")
    assert [level for level, _ in outline(read_source(tmp_path / "a.md")).headings] == [1, 2]
    assert not [p for p in problems(tmp_path, zh, en) if "formula" in p or "link" in p or "heading" in p]


def test_quotations_in_an_english_page_may_be_chinese(tmp_path):
    assert problems(tmp_path, ZH, EN.replace("One and one.", "The seed says “一加一” (一).")) == []
