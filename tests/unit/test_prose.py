"""What the checks say of prose: numbers without a source, terms written another way."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from book.source import Source

from tools import prose


def page(body: str) -> Source:
    return Source(prose.DOCS / "zh" / "principles" / "x.md", body=body, body_line=5)


@pytest.mark.parametrize(
    "text",
    [
        "它有 3.5 亿参数。",
        "2021 年发布。",
        "高 3.7 个百分点。另一句有出处 [x](#here)。",
        "| 模型 | 参数 |\n| --- | --- |\n| 甲 | 7B |",
        "- 第一条 [@a2020b]\n- 第二条要 30 秒",
    ],
)
def test_a_number_without_a_source_is_found(text: str):
    found = list(prose.uncited(page(f"# 题 {{ #t }}\n\n{text}\n")))
    assert len(found) == 1
    assert found[0][0] == 7 + text.count("\n")


@pytest.mark.parametrize(
    "text",
    [
        "它有 3.5 亿参数 [@a2020b]。",
        "见[规模](scaling.md)：3.5 亿。",
        "本书量得 {{ r:03-training.seen.product }}，高 30%。",
        "$2021\\,\\text{MB}$ 与 `7B` 是代码。",
        '!!! example "算"\n    3 秒乘 10 步。\n\n    得 30 秒。',
        "参数见 [@a2020b]：\n\n| 模型 | 参数 |\n| --- | --- |\n| 甲 | 7B |",
        "三个模型，两层。",
    ],
)
def test_what_has_a_source_or_is_no_fact_is_left_alone(text: str):
    assert not list(prose.uncited(page(f"# 题 {{ #t }}\n\n{text}\n")))


def test_exceptions_except_what_they_name_and_no_more(tmp_path: Path, monkeypatch):
    known = tmp_path / "uncited.yml"
    known.write_text("principles/x.md:\n  三十步: arithmetic\n  没有这句: arithmetic\n", "utf-8")
    monkeypatch.setattr(prose, "EXCEPTIONS", known)
    found = [str(one) for one in prose.without_source([page("三十步要 30 秒。\n\n又要 40 秒。")])]
    assert len(found) == 2
    assert found[0].startswith("docs/zh/principles/x.md:7: a number without a source: “又要 40 秒。”; cite it")
    assert found[1] == "data/uncited.yml: principles/x.md: “没有这句” excepts nothing; take it out"


def test_a_term_has_one_name():
    term = {"id": "token", "zh": "词元", "en": "token", "zh_avoid": ["令牌"], "en_avoid": ["word piece"]}
    facts = SimpleNamespace(glossary={"token": term})
    zh = page("# 题 { #t }\n\n每个令牌一个向量。")
    found = [str(one) for one in prose.other_words(facts, [("zh", zh), ("en", zh)])]
    assert found == ["docs/zh/principles/x.md:7: “令牌”; the glossary calls it “词元”"]
    assert not list(prose.other_words(facts, [("zh", page("有人叫它“令牌”，代码里写 `令牌`。"))]))
