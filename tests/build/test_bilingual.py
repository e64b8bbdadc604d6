"""Both languages come out of one build, page for page."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

from book_fixture import build
from lxml import html

NAMES = {"s": "http://www.sitemaps.org/schemas/sitemap/0.9", "x": "http://www.w3.org/1999/xhtml"}


def pages(site: Path) -> set[str]:
    return {p.relative_to(site).as_posix() for p in site.rglob("index.html")}


def ids(path: Path) -> list[str]:
    article = html.parse(str(path)).find(".//article")
    return [h.get("id") for h in article.iter("h1", "h2", "h3", "h4") if h.get("id")]


def test_every_page_has_its_twin_with_the_same_heading_ids(good_book: Path):
    site = good_book / "site"
    chinese = {page for page in pages(site) if not page.startswith("en/")}
    english = {page.removeprefix("en/") for page in pages(site) if page.startswith("en/")}
    assert chinese == english
    assert "interview/q/q1/index.html" in chinese
    assert "models/m/toy/index.html" in chinese
    for page in chinese:
        assert ids(site / page) == ids(site / "en" / page), page


def test_language_switch_and_lang(good_book: Path):
    site = good_book / "site"
    for page, lang, target in (
        ("principles/fusion/index.html", "zh", "/en/principles/fusion/"),
        ("en/principles/fusion/index.html", "en", "/principles/fusion/"),
    ):
        tree = html.parse(str(site / page))
        assert tree.getroot().get("lang").startswith(lang)
        link = tree.find(".//a[@data-switch]")
        resolved = (Path("/" + page).parent / link.get("href")).as_posix()
        parts: list[str] = []
        for part in resolved.strip("/").split("/"):
            parts = parts[:-1] if part == ".." else [*parts, part]
        assert "/" + "/".join(parts) + "/" == target


def test_sitemap_pairs_are_absolute_and_exist(book: Path):
    done = build(book, SITE_URL="https://example.org/book/")
    assert done.returncode == 0, done.stdout
    for name in ("sitemap.xml", "en/sitemap.xml"):
        root = ElementTree.parse(book / "site" / name).getroot()
        urls = root.findall("s:url", NAMES)
        assert len(urls) >= 10
        for url in urls:
            location = url.find("s:loc", NAMES).text
            pairs = {link.get("hreflang"): link.get("href") for link in url.findall("x:link", NAMES)}
            assert set(pairs) == {"zh-Hans", "en"}, location
            assert location in pairs.values()
            for address in pairs.values():
                assert address.startswith("https://example.org/book/")
                assert (book / "site" / address.removeprefix("https://example.org/book/") / "index.html").exists()
    page = html.parse(str(book / "site/en/principles/fusion/index.html"))
    assert page.find(".//link[@rel='canonical']").get("href") == "https://example.org/book/en/principles/fusion/"


def test_feeds(good_book: Path):
    for folder, title in (("site", "第一篇"), ("site/en", "The first")):
        feed = ElementTree.parse(good_book / folder / "feed_rss_created.xml")
        items = feed.findall(".//item")
        assert [item.find("title").text for item in items] == [title]
        assert "23 Nov 2026" in items[0].find("pubDate").text


def test_a_figure_speaks_the_pages_language(good_book: Path):
    for page, text, other in (("principles", "图像", "Image"), ("en/principles", "Image", "图像")):
        content = (good_book / "site" / page / "fusion/index.html").read_text("utf-8")
        svg = re.search(r"<figure.*?</figure>", content, re.S)[0]
        assert text in svg
        assert other not in svg
        assert 'role="img"' in svg
        assert 'marker-end="url(#arrow-fusion-two)"' in svg


def test_formulas_are_set_and_their_fonts_are_cut(good_book: Path):
    site = good_book / "site"
    content = (site / "principles/fusion/index.html").read_text("utf-8")
    assert content.count('class="katex"') >= 4
    assert r"\(" not in content
    assert "katex.css" in content
    assert "katex.css" not in (site / "principles/index.html").read_text("utf-8")
    fonts = list((site / "assets/katex").glob("*.woff2"))
    full = Path(good_book / "node_modules/katex/dist/fonts/KaTeX_Main-Regular.woff2").stat().st_size
    assert 0 < sum(font.stat().st_size for font in fonts if "Main-Regular" in font.name) < full / 2


def test_a_term_has_a_tooltip_at_its_first_use(good_book: Path):
    tree = html.parse(str(good_book / "site/principles/fusion/index.html"))
    terms = tree.findall(".//a[@class='term']")
    assert [term.text for term in terms] == ["交叉注意力"]
    assert terms[0].get("title").startswith("cross-attention：")
    assert terms[0].get("href") == "../../reference/glossary/#cross-attention"
    english = html.parse(str(good_book / "site/en/principles/fusion/index.html"))
    assert english.find(".//a[@class='term']").get("title").startswith("交叉注意力: ")


def test_a_page_tells_of_itself(good_book: Path):
    """How long it takes and when it was revised; at its end the works it cites, and no address where there is none."""
    en = html.parse(str(good_book / "site/en/principles/fusion/index.html")).getroot()
    said = " ".join(en.find_class("reading")[0].text_content().split())
    assert said == "about 1 minute · 2026-01-01 revised · 2 sources"
    works = en.get_element_by_id("works-cited")
    assert [link.get("href") for link in works.iter("a")] == [
        "../../reference/bibliography/#doe2020fusion",
        "../../reference/bibliography/#roe2021attention",
    ]
    assert "On Fusion" in works.text_content()
    assert not en.find_class("report")


def test_a_page_leads_to_where_an_error_is_reported(book: Path):
    done = build(book, REPO_URL="https://example.org/book")
    assert done.returncode == 0, done.stdout
    page = html.parse(str(book / "site/en/principles/fusion/index.html")).getroot()
    (link,) = page.find_class("report")[0].iter("a")
    assert link.get("href").startswith("https://example.org/book/issues/new?title=Error%20on%3A%20Fusion&body=")


def test_the_register_of_predictions(good_book: Path):
    """The next due first, the judged last, with their score; what should have been judged says so."""
    tree = html.parse(str(good_book / "site/en/principles/index.html"))
    cards = tree.xpath("//section[contains(@class, 'prediction')]")
    assert [(card.get("id"), card.xpath(".//*[@class='claim__verdict']")[0].text) for card in cards] == [
        ("p03", "to be judged"),
        ("p02", "open"),
        ("p01", "failed"),
    ]
    assert "Mean Brier score of those judged: 0.640" in tree.getroot().text_content()


def test_a_work_and_a_term_say_where_they_are_used(good_book: Path):
    def links(page: str, entry: str) -> list[str]:
        tree = html.parse(str(good_book / "site" / page / "index.html"))
        return tree.xpath(f"//*[@id='{entry}']//*[@class='entry__uses']/a/@href")

    assert links("reference/bibliography", "doe2020fusion") == ["../../principles/fusion/", "../../interview/q/q1/"]
    assert links("en/reference/glossary", "cross-attention") == ["../../principles/"]


def test_a_data_set_is_an_entry(good_book: Path):
    tree = html.parse(str(good_book / "site/reference/datasets/index.html"))
    entry = tree.xpath("//*[@id='toy-vqa']")[0].text_content()
    assert "40 张图" in entry
    assert "（未确认）" in entry
    link = html.parse(str(good_book / "site/en/principles/index.html")).xpath("//a[@class='ref ref--dataset']")[0]
    assert (link.get("href"), link.text) == ("../reference/datasets/#toy-vqa", "ToyVQA")


def test_an_english_page_that_is_behind_says_so(book: Path):
    page = book / "docs/en/principles/fusion.md"
    text = page.read_text("utf-8")
    built = book / "site/en/principles/fusion/index.html"
    assert 'class="behind' not in built.read_text("utf-8")
    page.write_text(text.replace("description:", f"source_hash: {'f' * 64}\ndescription:", 1), "utf-8")
    assert build(book).returncode == 0
    assert 'class="behind' in built.read_text("utf-8")


def test_the_notebook_is_a_page(good_book: Path):
    for folder, own, other in (("site", "相加", "Adding"), ("site/en", "Adding", "相加")):
        page = good_book / folder / "labs/00-tiny"
        content = (page / "index.html").read_text("utf-8")
        article = content[content.index("<article") : content.index("</article>")]
        assert own in article
        assert other not in article
        assert 'id="adding"' in article
        assert 'class="katex"' in article
        assert "jp-" not in article
        assert "In [" not in article
        assert (page / "00-tiny.ipynb").exists()
        index = (good_book / folder / "search/index.json").read_text("utf-8")
        assert "labs/00-tiny/#adding" in index
        assert "In [1]" not in index


def test_what_is_gone_from_the_book_is_gone_from_the_site(book: Path):
    for language in ("zh", "en"):
        (book / f"docs/{language}/blog/posts/first.md").unlink()
        shutil.copy(book / f"docs/{language}/principles/index.md", book / f"docs/{language}/principles/new.md")
    config = (book / "mkdocs.yml").read_text("utf-8")
    (book / "mkdocs.yml").write_text(
        config.replace("      - principles/fusion.md\n", "      - principles/fusion.md\n      - principles/new.md\n")
    )
    assert build(book).returncode == 0
    assert not (book / "site/blog/2026/11/23/first/index.html").exists()
    assert (book / "site/principles/new/index.html").exists()
    assert (book / "site/en/principles/new/index.html").exists()
